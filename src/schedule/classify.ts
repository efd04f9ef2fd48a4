/** What the scheduler asks of a value, by its kind. */
import { sizeOf } from "../core/shape.ts";
import type { Elementwise, Value } from "../graph/op.ts";

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

/** A constant in every element: reading it costs nothing. */
export const isFilled = (v: Value): boolean => v.op.kind === "move" && sizeOf(v.inputs[0]!.shape) === 1;
