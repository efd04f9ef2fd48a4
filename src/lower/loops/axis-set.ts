/** Sets of a kernel's axes: bit a stands for axis a. They are big integers, because nothing bounds how many axes there are. */
import { InternalError } from "../../core/errors.ts";

export type AxisSet = bigint;

export const NO_AXES: AxisSet = 0n;

/** The set of these axes, each a whole number ≥ 0. */
export const axisSet = (axes: Iterable<number>): AxisSet => {
  let set = NO_AXES;
  for (const axis of axes) set |= bit(axis);
  return set;
};

/** The axes along which an access with these strides moves. */
export const axesAlong = (strides: readonly number[]): AxisSet => axisSet(strides.flatMap((stride, axis) => (stride === 0 ? [] : [axis])));

export const hasAxis = (set: AxisSet, axis: number): boolean => (set & bit(axis)) !== NO_AXES;

/** The axes of `set` that are not in `others`. */
export const withoutAxes = (set: AxisSet, others: AxisSet): AxisSet => set & ~others;

function bit(axis: number): AxisSet {
  if (!Number.isSafeInteger(axis) || axis < 0) throw new InternalError(`${axis} is no axis of a kernel`);
  return 1n << BigInt(axis);
}
