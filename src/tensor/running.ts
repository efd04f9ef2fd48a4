/** The one runtime of this process. */
import { setRuntime } from "./context.ts";
import { ProgramRuntime } from "./runtime.ts";

let runtime: ProgramRuntime | undefined;

export function theProgramRuntime(): ProgramRuntime {
  if (!runtime) {
    runtime = new ProgramRuntime();
    setRuntime(runtime);
  }
  return runtime;
}
