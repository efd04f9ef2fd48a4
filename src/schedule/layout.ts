/**
 * How stored values lie in memory: one after the other, along their axes in some order. Row-major is one order, channels last is another. The
 * only place that knows strides from shapes; all else asks `Memory` about the value at hand, and a reshape is another name of its input's
 * memory only where that is row-major.
 */
import type { Shape } from "../core/shape.ts";
import type { Access } from "../kernel/expr.ts";
import type { View } from "./affine.ts";

/** The axes of a value, the one with the longest steps first. */
export type Order = readonly number[];

export const rowMajorOrder = (shape: Shape): number[] => shape.map((_, axis) => axis);

/** Elements from one position to the next along each axis of a value that lies in this order. */
export function stridesIn(order: Order, shape: Shape): number[] {
  const strides = new Array<number>(shape.length).fill(0);
  let step = 1;
  for (const axis of order.toReversed()) {
    strides[axis] = step;
    step *= shape[axis]!;
  }
  return strides;
}

/** A stored value's elements through a view: the offset, and the stride along each of a kernel's `rank` axes. */
export function stridesAlong(own: readonly number[], view: View, rank: number): Pick<Access, "offset" | "strides"> {
  const strides = new Array<number>(rank).fill(0);
  let offset = 0;
  view.forEach((form, axis) => {
    offset += form.offset * own[axis]!;
    for (const [a, c] of form.terms) strides[a]! += c * own[axis]!;
  });
  return { offset, strides };
}

/** All of a buffer, row-major along the axes of this shape. */
export const rowMajorAccess = (buffer: number, shape: Shape): Access => ({
  buffer,
  offset: 0,
  strides: stridesIn(rowMajorOrder(shape), shape),
});
