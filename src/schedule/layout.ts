/**
 * How stored values lie in memory: row-major, one after the other. The only place that knows; a layout with channels last, or a border
 * around an image, is another answer here, and a reshape is another name of its input's memory only where that is row-major.
 */
import { stridesOf as rowMajor } from "../core/shape.ts";
import type { Value } from "../graph/op.ts";
import type { Access } from "../kernel/expr.ts";
import type { View } from "./affine.ts";

/** Elements from one position to the next along each axis of a stored value. */
export const stridesOf = (v: Pick<Value, "shape">): readonly number[] => rowMajor(v.shape);

/** A stored value's elements through a view: the offset, and the stride along each of a kernel's `rank` axes. */
export function stridesAlong(v: Pick<Value, "shape">, view: View, rank: number): Pick<Access, "offset" | "strides"> {
  const own = stridesOf(v);
  const strides = new Array<number>(rank).fill(0);
  let offset = 0;
  view.forEach((form, axis) => {
    offset += form.offset * own[axis]!;
    for (const [a, c] of form.terms) strides[a]! += c * own[axis]!;
  });
  return { offset, strides };
}

/** All of a stored value, along its own axes. */
export const wholeAccess = (buffer: number, v: Pick<Value, "shape">): Access => ({ buffer, offset: 0, strides: stridesOf(v) });
