/** Every schedule that a test makes is verified: vitest runs this before each file. */
import { vi } from "vitest";
import { verifyKernels } from "../src/kernel/verify.ts";

vi.mock("../src/schedule/index.ts", async (original) => {
  const real = await original<typeof import("../src/schedule/index.ts")>();
  return {
    ...real,
    schedule: (input: Parameters<typeof real.schedule>[0]) => {
      const made = real.schedule(input);
      verifyKernels(made);
      return made;
    },
  };
});
