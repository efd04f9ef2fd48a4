/** A product as plain loops: the way of small and empty ones, and what packing and tiles are compared with. */
import { sizesOf, stridesOver } from "../../kernel/clip.ts";
import { type Access, compare, constant, type Expr, index, load, reduce, rewrite, scalar, select, withAccess } from "../../kernel/expr.ts";
import type { Clip, Operand, Product, Rows, Store } from "../../kernel/kernel.ts";

/** C[b, m, n] = Σ_k A · B as a reduction in plain loops. */
export function productAsRows(p: Product): Rows {
  const rank = p.batch.length + 2;
  const counts = p.clips
    .map((c) => countsWhere(c, rank))
    .reduce<Expr | undefined>((all, x) => (all ? scalar("and", [all, x]) : x), undefined);
  const operand = (o: Operand, row: "m" | "n"): Expr => {
    const from: Access = { buffer: o.buffer, offset: o.offset, strides: [...stridesOver(o, row), ...o.depthStrides] };
    if (!counts) return load(from, p.dtype);
    const at = select(counts, sumOf(from.offset, from.strides.map((s, a) => [s, index(a)])), constant(0, "int32")); // biome-ignore format: one call
    return { op: "loadAt", from: { ...from, offset: 0, strides: from.strides.map(() => 0) }, at, stride: 1, dtype: p.dtype };
  };
  const term = scalar("mul", [operand(p.a, "m"), operand(p.b, "n")], p.dtype);
  const product = counts ? select(counts, term, constant(0, p.dtype)) : term;
  const over = p.k.map((_, d) => rank + d);
  const sum = p.k.includes(0) ? constant(0, p.dtype) : over.length === 0 ? product : reduce("sum", over, product);
  return {
    kind: "rows",
    outer: sizesOf(p),
    inner: p.k,
    stores: storesOf(p, sum, p.k.length),
    guards: [],
  };
}

/** Whether a term counts, as an expression over the axes of the product and then those of k. */
function countsWhere({ k, run, step, strides, offset, bound }: Clip, rank: number): Expr {
  const int = (n: number): Expr => constant(n, "int32");
  const tap = run === 1 ? index(rank + k) : scalar("floordiv", [index(rank + k), int(run)]);
  const at = sumOf(offset, [...strides.map((s, a) => [s, index(a)] as const), [step, tap]]);
  return scalar("and", [compare("le", int(0), at), compare("lt", at, int(bound))]);
}

/** offset + Σ factor · term, in whole numbers. */
function sumOf(offset: number, terms: readonly (readonly [number, Expr])[]): Expr {
  const moving = terms.filter(([factor]) => factor !== 0);
  return moving.reduce<Expr>(
    (sum, [factor, x]) => scalar("add", [sum, scalar("mul", [x, constant(factor, "int32")])]),
    constant(offset, "int32"),
  );
}

/** The stores of a product with an expression in place of the accumulator, over the product's axes and `more`. */
export function storesOf(p: Product, accumulator: Expr, more = 1): Store[] {
  const zeros = new Array<number>(more).fill(0);
  const widened = (a: Access): Access => ({ ...a, strides: [...a.strides, ...zeros] });
  const values = rewrite(
    p.stores.map((s) => s.value),
    (e) => (e.op === "accumulator" ? accumulator : withAccess(e, widened)),
  );
  return p.stores.map((s, i) => ({ to: widened(s.to), value: values[i]! }));
}
