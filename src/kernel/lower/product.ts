import type { Lowered, LoweringContext, Product } from "../kernel.ts";
import { productAsRows } from "./index.ts";
import { lowerRows } from "./rows.ts";

export function lowerProduct(kernel: Product, context: LoweringContext): Lowered {
  return lowerRows(productAsRows(kernel), context);
}
