/** Pools to a size that is asked for, whatever that of the input, and over features. */

import { ArgumentError, ShapeError, show } from "../core/errors.ts";
import { type OutputSize, outputSizes } from "../core/pool-window.ts";
import { checkAxis, checkShape, showShape } from "../core/shape.ts";
import type { Value } from "../graph/op.ts";
import * as ops from "../ops/index.ts";
import { free } from "./elementwise.ts";
import { avgPool, checkPooled, constantOf, maxPool } from "./pool.ts";

/** An adaptive pool as it is called. */
export interface AdaptivePool {
  readonly who: string;
  readonly axes: number;
  readonly outputSize: OutputSize;
}

/** max over x[⌊i · L / size⌋ … ⌈(i + 1) · L / size⌉ − 1]. */
export const adaptiveMaxPool = (x: Value, pool: AdaptivePool): Value => adaptive(x, pool, maxPool, (copies, at) => ops.max(copies, [at]));

/** The mean of the same. */
export const adaptiveAvgPool = (x: Value, pool: AdaptivePool): Value => adaptive(x, pool, avgPool, meanOfEachOnce);

/** A reduction over the windows of copies at an axis; the one before it counts the windows. */
type OfCopies = (copies: Value, at: number) => Value;

/** Windows that do not overlap where sizes divide one another; else one axis after the other, in windows of copies. */
function adaptive(x: Value, { who, axes, outputSize }: AdaptivePool, regular: typeof maxPool, ofCopies: OfCopies): Value {
  const asked = outputSizes(outputSize, axes, who);
  const v = checkPooled(x, { who, axes });
  const first = v.shape.length - axes;
  const empty = v.shape.indexOf(0, first);
  if (empty >= 0) throw new ShapeError(`${who}: axis ${empty} of ${showShape(v.shape)} is empty`, { why: "there is nothing to pool" });
  const sizes = checkShape(asked.map((size, i) => size ?? v.shape[first + i]!), who); // biome-ignore format: one call
  const kernelSize = sizes.map((size, i) => v.shape[first + i]! / size);
  if (kernelSize.every(Number.isInteger)) return regular(v, { who, axes, kernelSize });
  // The last axis first, so that of equals the first in reading order is the largest.
  return sizes.reduceRight((y, size, i) => (y.shape[first + i] === size ? y : overCopies(y, first + i, size, ofCopies)), v);
}

/**
 * With L = g · l and size = g · s, where g is their greatest common divisor, windows repeat with every l elements and s results. There each element
 * is written s times in a row, so that windows are the l copies from l · i on: they hold exactly the elements of window i. A copy is an index map
 * that reads, and its gradient a sum over the copies.
 */
function overCopies(x: Value, axis: number, size: number, ofCopies: OfCopies): Value {
  const length = x.shape[axis]!;
  const groups = commonDivisor(length, size);
  const [l, s] = [length / groups, size / groups];
  const shape = (...of: number[]): number[] => x.shape.toSpliced(axis, 1, ...of);
  const split = ops.reshape(x, shape(groups, l));
  const copied = ops.broadcastTo(
    split,
    shape(groups, l, s),
    split.shape.map((_, d) => (d <= axis + 1 ? d : d + 1)),
  );
  return ops.reshape(ofCopies(ops.reshape(copied, shape(groups, s, l)), axis + 2), shape(size));
}

/** The mean over each window's copies, of which the first of each element counts. */
function meanOfEachOnce(copies: Value, at: number): Value {
  const [s, l] = [copies.shape[at - 1]!, copies.shape[at]!];
  const [window, place] = [ops.iota(copies.shape, at - 1), ops.iota(copies.shape, at)];
  const copy = ops.add(ops.mul(window, ops.scalarLike(window, l)), place);
  const isZero = (v: Value): Value => ops.eq(v, ops.zerosLike(v));
  const first = ops.logicalOr(isZero(place), isZero(ops.mod(copy, ops.scalarLike(copy, s))));
  const total = ops.sum(ops.select(first, copies, ops.zerosLike(copies)), [at]);
  const sizes = Array.from({ length: s }, (_, i) => Math.ceil(((i + 1) * l) / s) - Math.floor((i * l) / s));
  return ops.div(total, ops.broadcastTo(constantOf(sizes, [s], total.dtype), total.shape, [at - 1]));
}

const commonDivisor = (a: number, b: number): number => (b === 0 ? a : commonDivisor(b, a % b));

/** The largest of each `pieces` neighbours along an axis. */
export function maxout(x: Value, pieces: number, axis: number): Value {
  const v = free("maxout", (f) => f)(x);
  const at = checkAxis(axis, v.shape.length, "maxout");
  const size = v.shape[at]!;
  if (!Number.isSafeInteger(pieces) || pieces < 1)
    throw new ArgumentError(`maxout: pieces is ${show(pieces)}`, { help: "a whole number ≥ 1" });
  if (size % pieces !== 0)
    throw new ShapeError(`maxout: axis ${axis} of ${showShape(v.shape)} does not divide into ${pieces} pieces each`, {
      why: `${size} features are no multiple of ${pieces}`,
    });
  return ops.max(ops.reshape(v, v.shape.toSpliced(at, 1, size / pieces, pieces)), [at + 1]);
}
