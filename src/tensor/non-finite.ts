/** Where a number that is not finite came from: the step that a guard refused, gone through once more, value by value. */
import { isFloat } from "../core/dtype.ts";
import { costOf } from "../graph/cost.ts";
import { evaluateNode, type Numbers } from "../graph/evaluate.ts";
import type { Value } from "../graph/op.ts";
import { topological } from "../graph/walk.ts";

/** Operations the reference interpreter does in about a second. */
const LIMIT = 3e7;

/**
 * The first value that is not finite although all it was computed from is; undefined where there is none, or the graph is too much to
 * compute again.
 */
export function firstNonFinite(roots: readonly Value[], numbersOf: (leaf: Value) => ArrayLike<number> | undefined): Value | undefined {
  if (costOf(roots).flops > LIMIT) return undefined;
  const order = topological(roots);
  const known = new Map<Value, Numbers>();
  for (const v of order) {
    const given = v.op.kind === "leaf" ? numbersOf(v) : undefined;
    const args = v.inputs.map((x) => known.get(x)!);
    const numbers = given ? Float64Array.from(given) : evaluateNode(v, args, new Map(), { round: true });
    known.set(v, numbers);
    if (isFloat(v.dtype) && !numbers.every(Number.isFinite) && args.every((a) => a.every(Number.isFinite)) && !isConstant(v)) return v;
  }
  return undefined;
}

const isConstant = (v: Value): boolean => v.op.kind === "leaf" && v.op.source === "constant";
