/** What the scheduler asks of a value, by its kind. */
import { sizeOf } from "../core/shape.ts";
import type { Elementwise, IndexAlgebra, Place, Value } from "../graph/op.ts";
import type { Expr } from "../kernel/expr.ts";

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

/** Whether a check in it can fail: it may not be computed where nobody asks for it. */
export function canFail(v: Value): boolean {
  if (v.op.kind !== "elementwise") return false;
  const args = v.inputs.map((x, i): Expr => ({ op: "parameter", index: i, dtype: x.dtype }));
  return (v.op as Elementwise).lower(args, v.attributes, v.dtype).op === "inRange";
}

/** A constant in every element: reading it costs nothing. */
export const isFilled = (v: Value): boolean => v.op.kind === "move" && sizeOf(v.inputs[0]!.shape) === 1;
