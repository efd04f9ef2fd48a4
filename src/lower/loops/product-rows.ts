/** A product as plain loops: the way of small and empty ones, and what packing and tiles are compared with. */
import { type Access, constant, type Expr, load, reduce, rewrite, scalar, withAccess } from "../../kernel/expr.ts";
import type { Operand, Product, Rows, Store } from "../../kernel/kernel.ts";

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
    stores: storesOf(p, sum),
    guards: [],
  };
}

/** The stores of a product with an expression in place of the accumulator, over the product's axes and one more. */
export function storesOf(p: Product, accumulator: Expr): Store[] {
  const widened = (a: Access): Access => ({ ...a, strides: [...a.strides, 0] });
  const values = rewrite(
    p.stores.map((s) => s.value),
    (e) => (e.op === "accumulator" ? accumulator : withAccess(e, widened)),
  );
  return p.stores.map((s, i) => ({ to: widened(s.to), value: values[i]! }));
}
