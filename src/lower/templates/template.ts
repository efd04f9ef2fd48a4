import type { Serial, Template } from "../../kernel/kernel.ts";
import type { LoopContext } from "../loops/machine.ts";
import type { Lowered } from "../target.ts";

/** A serial kernel's meaning as loops. */
export interface LoopTemplate<A = any> extends Template {
  lower(kernel: Serial<A>, context: LoopContext): Lowered;
}
