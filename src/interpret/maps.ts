/** Moves and places in the reference interpreter: index maps over plain numbers. */
import { type Shape, sizeOf, stridesOf } from "../core/shape.ts";
import type { IndexAlgebra, Move, Place, Value } from "../graph/op.ts";

/** Index arithmetic on numbers. */
export const NUMBERS: IndexAlgebra<number> = {
  constant: (n) => n,
  affine: (terms, scales, offset) => terms.reduce((sum, t, i) => sum + t * scales[i]!, offset),
  split: (i, size) => [Math.floor(i / size), i % size],
};

/** Calls `visit` with every position of the shape, in row-major order, and its number. */
export function forEachPosition(shape: Shape, visit: (at: readonly number[], i: number) => void): void {
  const at = shape.map(() => 0);
  const total = sizeOf(shape);
  for (let i = 0; i < total; i++) {
    visit(at, i);
    for (let d = shape.length - 1; d >= 0; d--) {
      if (++at[d]! < shape[d]!) break;
      at[d] = 0;
    }
  }
}

const offsetOf = (at: readonly number[], strides: readonly number[]): number => at.reduce((n, i, d) => n + i * strides[d]!, 0);

export function computeMove(v: Value, op: Move<any>, x: Float64Array): Float64Array {
  const from = v.inputs[0]!;
  const strides = stridesOf(from.shape);
  const result = new Float64Array(sizeOf(v.shape));
  forEachPosition(v.shape, (at, i) => {
    result[i] = x[offsetOf(op.source(at, NUMBERS, v.attributes, from, v), strides)]!;
  });
  return result;
}

export function computePlace(v: Value, op: Place<any, any>, args: readonly Float64Array[]): Float64Array {
  const strides = stridesOf(v.shape);
  const adds = op.overlaps(v.attributes);
  const result = new Float64Array(sizeOf(v.shape)).fill(op.fill(v.attributes));
  v.inputs.forEach((x, input) => {
    forEachPosition(x.shape, (at, i) => {
      const to = offsetOf(op.target(at, NUMBERS, v.attributes, input, v.inputs), strides);
      // Not + 0, which makes −0 a 0.
      result[to] = adds ? result[to]! + args[input]![i]! : args[input]![i]!;
    });
  });
  return result;
}
