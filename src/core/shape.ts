import { MemoryError, ShapeError, show } from "./errors.ts";

export type { Shape } from "./shape-types.ts";

import type { Shape } from "./shape-types.ts";

/** More axes than any kernel is made for. */
export const MAX_RANK = 16;
/** Elements a tensor may have: kernels count in 31 bits, and round the last position up to a whole block of at most a 256th of all. */
export const MAX_ELEMENTS = 2 ** 31 - 2 ** 24;

/** How many elements a tensor of this shape has; 1 for a scalar. */
export const sizeOf = (shape: Shape): number => shape.reduce((n, d) => n * d, 1);

/** Row-major strides in elements: [2, 3, 4] → [12, 4, 1]. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = step;
    step *= shape[i]!;
  }
  return strides;
}

/** Also of sizes and axes that are no shape: whether two lists hold the same numbers. */
export const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((d, i) => d === b[i]);

export const showShape = (shape: Shape): string => `[${shape.join(", ")}]`;

/** A copy that nobody can change. Rejects sizes that are no sizes, too many axes, and more elements than can exist. */
export function checkShape(shape: unknown, who: string): Shape {
  if (!Array.isArray(shape)) throw new ShapeError(`${who}: a shape is an array of sizes, not ${show(shape)}`);
  if (shape.length > MAX_RANK) throw new ShapeError(`${who}: ${shape.length} axes; at most ${MAX_RANK} are supported`);
  let total = 1n;
  for (let i = 0; i < shape.length; i++) {
    const d: unknown = shape[i];
    if (typeof d !== "number" || !Number.isSafeInteger(d) || d < 0)
      throw new ShapeError(`${who}: size ${show(d)} of axis ${i} is not a whole number ≥ 0`);
    total *= BigInt(d);
  }
  if (total > BigInt(MAX_ELEMENTS))
    throw new MemoryError(`${who}: ${showShape(shape)} has ${total} elements`, {
      why: `a tensor holds at most ${MAX_ELEMENTS}; in float32 these would take about ${Number((Number(total) / 2 ** 28).toPrecision(3))} GiB`,
      help: "use smaller sizes or batches, or split the tensor",
    });
  return Object.freeze([...shape]) as Shape;
}

/** A shape that can be handed out: who has it cannot change it. */
export const frozen = (shape: Shape): Shape => (Object.isFrozen(shape) ? shape : Object.freeze([...shape]));

/** Whether a shape made of whole sizes has no more axes and elements than a tensor may have. */
export const isPossible = (shape: Shape): boolean => {
  let size = 1;
  for (const d of shape) size *= d;
  return size <= MAX_ELEMENTS && shape.length <= MAX_RANK;
};

/** The axis counted from the front: -1 is the last. */
export function checkAxis(axis: number, rank: number, who: string): number {
  if (Number.isInteger(axis) && axis >= -rank && axis < rank) return axis < 0 ? axis + rank : axis;
  throw new ShapeError(`${who}: there is no axis ${show(axis)}`, {
    why: rank === 0 ? "a scalar has no axes" : `${rank} ${rank === 1 ? "axis" : "axes"}: ${-rank} … ${rank - 1}`,
    help: rank === 0 ? "reshape([1]) gives it one" : "0 is the first axis, -1 the last",
  });
}

/** Axes counted from the front, each once, in the order given. */
export function checkAxes(axes: readonly number[], rank: number, who: string): number[] {
  if (!Array.isArray(axes)) throw new ShapeError(`${who}: ${show(axes)} is no axis`, { help: "a whole number, or an array of them" });
  const front = axes.map((a) => checkAxis(a, rank, who));
  front.forEach((a, i) => {
    if (front.indexOf(a) !== i) throw new ShapeError(`${who}: axis ${axes[i]} is named twice in ${showShape(axes)}`);
  });
  return front;
}

/** The shape both stretch to: aligned at the last axis, 1 fits everything. [5, 1, 3] with [4, 3] → [5, 4, 3]. */
export function broadcastShapes(a: Shape, b: Shape, who: string): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[i - rank + a.length] ?? 1;
    const y = b[i - rank + b.length] ?? 1;
    if (x === y || y === 1) return x;
    if (x === 1) return y;
    throw new ShapeError(`${who}: cannot broadcast ${showShape(a)} with ${showShape(b)}`, {
      why: `${x} is not ${y}, nor is either 1 (axis ${i - rank})`,
      help: "reshape or unsqueeze one of them so that the axes line up from the right",
    });
  });
}
