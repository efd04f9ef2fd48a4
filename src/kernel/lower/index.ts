/** Kernels → loops: one lowering for each kind. */
import { constant, type Expr, load, reduce, rewrite, scalar } from "../expr.ts";
import type { Kernel, Lowered, LoweringContext, Operand, Product, Rows } from "../kernel.ts";
import { lowerProduct } from "./product.ts";
import { lowerRows } from "./rows.ts";
import { lowerSerial } from "./serial.ts";

/** @param optimised false: products run as plain loops, so that packing and tiles have something to be compared with */
export function lowerKernel(kernel: Kernel, context: LoweringContext, optimised = true): Lowered {
  switch (kernel.kind) {
    case "rows":
      return lowerRows(kernel, context);
    case "serial":
      return lowerSerial(kernel, context);
    case "product":
      return optimised ? lowerProduct(kernel, context) : lowerRows(productAsRows(kernel), context);
  }
}

/** C[b, m, n] = Σ_k A · B as a reduction in plain loops. */
export function productAsRows(p: Product): Rows {
  const rank = p.batch.length + 2;
  const operand = (o: Operand, row: number): Expr => {
    const strides = [...o.batchStrides, 0, 0, o.depthStride];
    strides[row] = o.rowStride;
    return load({ buffer: o.buffer, offset: o.offset, strides }, p.dtype);
  };
  const product = scalar("mul", [operand(p.a, rank - 2), operand(p.b, rank - 1)], p.dtype);
  const sum = p.k === 0 ? constant(0, p.dtype) : reduce("sum", [rank], product);
  return {
    kind: "rows",
    outer: [...p.batch, p.m, p.n],
    inner: [p.k],
    stores: p.stores.map((s) => {
      const widen = (strides: readonly number[]): number[] => [...strides, 0];
      const [value] = rewrite([s.value], (e) => {
        if (e.op === "accumulator") return sum;
        return e.op === "load" || e.op === "loadAt" ? { ...e, from: { ...e.from, strides: widen(e.from.strides) } } : e;
      });
      return { to: { ...s.to, strides: widen(s.to.strides) }, value: value! };
    }),
    guards: [],
  };
}
