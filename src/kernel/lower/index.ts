/** Kernels → loops: one lowering for each kind. */
import type { Kernel, Lowered, LoweringContext } from "../kernel.ts";
import { lowerProduct } from "./product.ts";
import { productAsRows } from "./product-rows.ts";
import { lowerRows } from "./rows.ts";

/** @param optimised false: products run as plain loops, so that packing and tiles have something to be compared with */
export function lowerKernel(kernel: Kernel, context: LoweringContext, optimised = true): Lowered {
  switch (kernel.kind) {
    case "rows":
      return lowerRows(kernel, context);
    case "serial":
      return kernel.template.lower(kernel, context);
    case "product":
      return optimised ? lowerProduct(kernel, context) : lowerRows(productAsRows(kernel), context);
  }
}
