/** Kernels → loops: one lowering for each kind. */
import type { Kernel } from "../../kernel/kernel.ts";
import type { Lowered, Target } from "../target.ts";
import type { LoopTemplate } from "../templates/template.ts";
import type { LoopContext, Machine } from "./machine.ts";
import { lowerProduct } from "./product.ts";
import { lowerRows } from "./rows.ts";

/** The target of a machine that runs loops over vectors of bytes in one heap. */
export const loopTarget = (machine: Machine): Target => ({ lower: (kernel, context) => lowerKernel(kernel, { ...context, machine }) });

function lowerKernel(kernel: Kernel, context: LoopContext): Lowered {
  switch (kernel.kind) {
    case "rows":
      return lowerRows(kernel, context);
    case "serial":
      return (kernel.template as LoopTemplate).lower(kernel, context);
    case "product":
      return lowerProduct(kernel, context);
  }
}
