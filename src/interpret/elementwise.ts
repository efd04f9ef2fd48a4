/** One element at a time: an op's scalar expression as a function of its operands. */
import { isFloat, store } from "../core/dtype.ts";
import { InternalError } from "../core/errors.ts";
import type { Elementwise, Value } from "../graph/op.ts";
import { type Call, type Expr, load, operands, type Scalar } from "../kernel/expr.ts";
import { computeScalar } from "./scalars.ts";

/** Says that an index is outside 0 … bound − 1. */
export type Report = (index: number, bound: number) => never;

/** The function an elementwise value computes: of one number per input, in float64. */
export function scalarFunction(v: Value, report: Report): (args: readonly number[]) => number {
  const leaves = v.inputs.map((x, i) => load({ buffer: i, offset: 0, strides: [] }, x.dtype));
  const root = (v.op as Elementwise<any, any>).lower(leaves, v.attributes, v.dtype) as Expr;
  const nodes = inOrder(root);
  const position = new Map(nodes.map((e, i) => [e, i]));
  const steps = nodes.map((e) => stepOf(e, position, report));
  const values = new Array<number>(nodes.length);
  return (args) => {
    for (let i = 0; i < steps.length; i++) values[i] = steps[i]!(args, values);
    return values[nodes.length - 1]!;
  };
}

type Step = (args: readonly number[], values: readonly number[]) => number;

function stepOf(e: Expr, position: ReadonlyMap<Expr, number>, report: Report): Step {
  switch (e.op) {
    case "const":
      return () => e.value;
    case "load":
      return (args) => args[e.from.buffer]!;
    case "inRange": {
      const of = position.get(e.of)!;
      return (_, values) => {
        const i = values[of]!;
        if (i < (e.fromEnd ? -e.bound : 0) || i >= e.bound) report(i, e.bound);
        return i < 0 ? i + e.bound : i;
      };
    }
    case "index":
    case "accumulator":
    case "inside":
    case "loadAt":
    case "reduce":
    case "repeat":
    case "parameter":
      throw new InternalError(`an elementwise op lowered to "${e.op}"`);
    default: {
      const from = e.args.map((a) => position.get(a)!);
      const read = new Array<number>(from.length);
      const compute = meaningOf(e);
      return (_, values) => {
        for (let i = 0; i < from.length; i++) read[i] = values[from[i]!]!;
        return compute(read);
      };
    }
  }
}

/** An operation or a function of operands, in float64; integers wrap, bools are 0 or 1. */
export function meaningOf(e: Scalar | Call): (args: readonly number[]) => number {
  const { dtype } = e;
  if (e.op !== "call") {
    const from = e.args[0]!.dtype;
    return (args) => computeScalar(e.op, args, dtype, from);
  }
  const { meaning } = e.callee;
  return isFloat(dtype) ? (args) => meaning(args, dtype) : (args) => store(meaning(args, dtype), dtype);
}

function inOrder(root: Expr): Expr[] {
  const seen = new Set<Expr>();
  const visit = (e: Expr): void => {
    if (seen.has(e)) return;
    operands(e).forEach(visit);
    seen.add(e);
  };
  visit(root);
  return [...seen];
}
