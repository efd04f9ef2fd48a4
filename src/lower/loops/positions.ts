/** Whole numbers that are sums of multiples of positions: loops count them, and what is asked of them are bounds, at which loops may end. */
import { alwaysHolds, reach } from "../../kernel/bounds.ts";
import { type Bound, type Expr, inside, nodesBelow, rewrite } from "../../kernel/expr.ts";

export type Form = Pick<Bound, "offset" | "strides">;

/** The forms of all nodes that have one, over so many axes. */
export function formsOf(roots: readonly Expr[], rank: number): Map<Expr, Form> {
  const forms = new Map<Expr, Form>();
  for (const e of nodesBelow(roots)) {
    const form = e.dtype === "int32" ? formOf(e, rank, (x) => forms.get(x)) : undefined;
    if (form) forms.set(e, form);
  }
  return forms;
}

function formOf(e: Expr, rank: number, known: (e: Expr) => Form | undefined): Form | undefined {
  const none = new Array<number>(rank).fill(0);
  if (e.op === "const") return { offset: e.value, strides: none };
  if (e.op === "index") return { offset: 0, strides: none.with(e.axis, 1) };
  if (e.op !== "add" && e.op !== "sub" && e.op !== "mul" && e.op !== "neg") return undefined;
  const [a, b] = e.args.map(known);
  if (!a) return undefined;
  if (e.op === "neg") return sum(a, -1);
  if (!b) return undefined;
  if (e.op === "mul") return isConstant(b) ? sum(a, b.offset) : isConstant(a) ? sum(b, a.offset) : undefined;
  return sum(a, 1, b, e.op === "add" ? 1 : -1);
}

const isConstant = (f: Form): boolean => f.strides.every((s) => s === 0);

function sum(a: Form, p: number, b: Form = a, q = 0): Form {
  return { offset: p * a.offset + q * b.offset, strides: a.strides.map((s, axis) => p * s + q * b.strides[axis]!) };
}

/** Comparisons of positions as bounds. */
export function asBounds(roots: readonly Expr[], sizes: readonly number[]): Expr[] {
  const forms = formsOf(roots, sizes.length);
  return rewrite(roots, (e) => {
    if (e.op === "and" && e.args.every((x) => x.op === "inside")) return inside(e.args.flatMap((x) => (x.op === "inside" ? x.within : [])));
    if (e.op !== "lt" && e.op !== "le") return e;
    const [a, b] = e.args.map((x) => forms.get(x));
    if (!a || !b || e.args[0]!.op === e.args[1]!.op) return e;
    // a ≤ b where 0 ≤ b − a, which is nowhere as large as this.
    const difference = sum(b, 1, a, -1);
    const form = e.op === "lt" ? { ...difference, offset: difference.offset - 1 } : difference;
    const bound = { ...form, size: Math.max(1, reach(form, sizes)[1] + 1) };
    return alwaysHolds(bound, sizes) ? e : inside([bound]);
  });
}
