/** The one runtime of this process: what computes tensors, eager and compiled. */
import { setRuntime } from "../tensor/context.ts";
import { ProgramRuntime } from "./eager.ts";

const runtime = new ProgramRuntime();
setRuntime(runtime);

export const theProgramRuntime = (): ProgramRuntime => runtime;
