/** What is used of sharp, which need not be installed. */
declare module "sharp" {
  interface Pipeline {
    autoOrient(): Pipeline;
    toColourspace(space: string): Pipeline;
    raw(): Pipeline;
    toBuffer(options: { resolveWithObject: true }): Promise<{
      data: Uint8Array;
      info: { width: number; height: number; channels: 1 | 2 | 3 | 4 };
    }>;
  }
  function sharp(bytes: Uint8Array, options: { limitInputPixels: number; failOn: "truncated" | "error" | "warning" }): Pipeline;
  namespace sharp {
    function concurrency(threads: number): number;
  }
  export default sharp;
}
