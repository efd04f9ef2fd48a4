/** The one runtime of this process: what computes tensors, eager and compiled. */
import { setRuntime } from "./context.ts";
import { ProgramRuntime } from "./runtime.ts";

const runtime = new ProgramRuntime();
setRuntime(runtime);

export const theProgramRuntime = (): ProgramRuntime => runtime;
