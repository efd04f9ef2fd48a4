/** What is used of sharp, which need not be installed. */
declare module "sharp" {
  interface Pipeline {
    /** Of the header alone; `autoOrient` is the size after the picture is turned as its camera says. */
    metadata(): Promise<{ autoOrient: { width: number; height: number } }>;
    autoOrient(): Pipeline;
    resize(size: { width: number; height: number; fit: "fill"; kernel: "linear" }): Pipeline;
    toColourspace(space: string): Pipeline;
    raw(): Pipeline;
    toBuffer(options: { resolveWithObject: true }): Promise<{
      data: Uint8Array;
      info: { width: number; height: number; channels: 1 | 2 | 3 | 4 };
    }>;
  }
  function sharp(bytes: Uint8Array, options: { limitInputPixels: number; failOn: "truncated" | "error" | "warning" }): Pipeline;
  export default sharp;
}
