/** What the scheduler asks of a value, by its kind. */
import { sizeOf } from "../core/shape.ts";
import type { Elementwise, IndexAlgebra, Move, Place, Value } from "../graph/op.ts";
import { type Expr, nodesBelow } from "../kernel/expr.ts";

export const isLeaf = (v: Value): boolean => v.op.kind === "leaf";

/** Scalar work of one element, as the cap on a kernel's size counts it. */
export function weightOf(v: Value): number {
  switch (v.op.kind) {
    case "elementwise":
      return (v.op as Elementwise).costly ? 24 : 1;
    case "reduce":
    case "contract":
      return 2;
    case "indexed":
      return 4;
    default:
      return 1;
  }
}

export const isCostly = (v: Value): boolean => v.op.kind === "elementwise" && (v.op as Elementwise).costly === true;

/** Whether a value is another one with a border around it, which can be read where that one lies. */
export const hasBorder = (v: Value): boolean =>
  v.op.kind === "place" &&
  (v.op as Place).source?.(
    v.shape.map(() => 0),
    POSITIONS,
    v.attributes,
  ) !== undefined;
/** Whether there is a source is asked of numbers. */
const POSITIONS: IndexAlgebra<number> = {
  constant: (n) => n,
  affine: (terms, scales, offset) => terms.reduce((sum, t, i) => sum + t * scales[i]!, offset),
  split: (i, size) => [Math.floor(i / size), i - size * Math.floor(i / size)],
};

/** What an elementwise value is, of parameters. */
function formulaOf(v: Value): Expr {
  const args = v.inputs.map((x, i): Expr => ({ op: "parameter", index: i, dtype: x.dtype }));
  return (v.op as Elementwise).lower(args, v.attributes, v.dtype);
}

/** Whether a check in it can fail: it may not be computed where nobody asks for it. */
export const canFail = (v: Value): boolean => v.op.kind === "elementwise" && formulaOf(v).op === "inRange";

/** Whether it takes many times as long as an addition, though not so long that it would be stored for that alone. */
export const isSlow = (v: Value): boolean =>
  v.op.kind === "elementwise" && nodesBelow([formulaOf(v)]).some((e) => e.op === "div" || e.op === "sqrt" || e.op === "call");

/** A constant in every element: reading it costs nothing. */
export const isFilled = (v: Value): boolean => v.op.kind === "move" && sizeOf(v.inputs[0]!.shape) === 1;

/** Whether it is one thing along some axis, as what is broadcast is. */
export function isSpread(v: Value): boolean {
  if (v.op.kind !== "move" || sizeOf(v.inputs[0]!.shape) >= sizeOf(v.shape)) return false;
  const from = (at: readonly number[]): string => (v.op as Move).source(at, POSITIONS, v.attributes, v.inputs[0]!, v).join();
  const origin = v.shape.map(() => 0);
  return v.shape.some((n, axis) => n > 1 && from(origin.with(axis, 1)) === from(origin));
}

/** How many values are looked through for what they are made of. */
const MOST_LOOKED_THROUGH = 48;

/** The tensors that cheap operations make these of, as large as they are: what is spread over many counts for nothing. */
export function sourcesOf(values: readonly Value[]): Set<Value> {
  const found = new Set<Value>();
  const seen = new Set<Value>();
  const waiting = [...values];
  for (let x = waiting.pop(); x; x = waiting.pop()) {
    if (seen.has(x)) continue;
    seen.add(x);
    if (isSpread(x) || (x.op.kind === "leaf" && (x.op.source === "iota" || sizeOf(x.shape) === 1))) continue;
    if (x.op.kind === "elementwise" && !isCostly(x) && seen.size < MOST_LOOKED_THROUGH) waiting.push(...x.inputs);
    else found.add(x);
  }
  return found;
}
