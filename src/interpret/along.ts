/** Reductions and indexed ops in the reference interpreter. */
import { isFloat } from "../core/dtype.ts";
import { outOfRange } from "../core/errors.ts";
import { sizeOf, stridesOf } from "../core/shape.ts";
import type { Indexed, IndexedAttributes, Reduce, Value } from "../graph/op.ts";
import { COMBINES, type Combine, givesPosition } from "../kernel/expr.ts";
import { forEachPosition } from "./maps.ts";

/** The result of a reduction that has seen nothing yet, and how it takes one more element. */
const COMBINERS = {
  sum: { start: 0, take: (a: number, x: number) => a + x },
  product: { start: 1, take: (a: number, x: number) => a * x },
  max: { start: Number.NEGATIVE_INFINITY, take: (a: number, x: number) => (beats(x, a) ? x : a) },
  min: { start: Number.POSITIVE_INFINITY, take: (a: number, x: number) => (beats(-x, -a) ? x : a) },
} satisfies Record<Exclude<Combine, "argmax" | "argmin">, unknown>;

/** Wraps at each step: beyond 2⁵³ a product would lose the low bits, which are what is left of it. */
const WHOLE_PRODUCT = { start: 1, take: Math.imul };

/** Larger, where a NaN is larger than all. */
const beats = (x: number, best: number): boolean => x > best || (Number.isNaN(x) && !Number.isNaN(best));

export function computeReduce(v: Value, op: Reduce, x: Float64Array): Float64Array {
  const { axes } = v.attributes as { axes: readonly number[] };
  const from = v.inputs[0]!;
  // Strides of the result over x's axes: 0 along those that are dropped.
  const kept = stridesOf(v.shape);
  let next = 0;
  const strides = from.shape.map((_, d) => (axes.includes(d) ? 0 : kept[next++]!));
  const slot = (at: readonly number[]): number => at.reduce((n, i, d) => n + i * strides[d]!, 0);
  const result = new Float64Array(sizeOf(v.shape));
  if (givesPosition(op.combine)) {
    const side = COMBINES[op.combine].extreme === "max" ? 1 : -1;
    const steps = stridesOf(axes.map((a) => from.shape[a]!));
    const best = new Float64Array(result.length);
    forEachPosition(from.shape, (at, i) => {
      const [to, position] = [slot(at), axes.reduce((n, a, k) => n + at[a]! * steps[k]!, 0)];
      if (position > 0 && !beats(side * x[i]!, side * best[to]!)) return;
      best[to] = x[i]!;
      result[to] = position;
    });
    return result;
  }
  const { start, take } = op.combine === "product" && !isFloat(v.dtype) ? WHOLE_PRODUCT : COMBINERS[op.combine];
  result.fill(start);
  forEachPosition(from.shape, (at, i) => {
    const to = slot(at);
    result[to] = take(result[to]!, x[i]!);
  });
  return result;
}

export function computeIndexed(v: Value, op: Indexed<any, any>, args: readonly Float64Array[]): Float64Array {
  const { batch } = v.attributes as IndexedAttributes;
  const [x, indices] = v.inputs as [Value, Value];
  const bound = x.shape[batch]!;
  const row = sizeOf(x.shape.slice(batch + 1));
  const perBatch = sizeOf(indices.shape.slice(batch));
  const result = op.mode === "gather" ? new Float64Array(sizeOf(v.shape)) : args[0]!.slice();
  args[1]!.forEach((index, i) => {
    if (!(index >= 0 && index < bound)) throw outOfRange({ label: op.name, bound }, index, v.site);
    const inX = (Math.floor(i / perBatch) * bound + index) * row;
    for (let r = 0; r < row; r++) {
      if (op.mode === "gather") result[i * row + r] = args[0]![inX + r]!;
      else result[inX + r] = result[inX + r]! + args[2]![i * row + r]!;
    }
  });
  return result;
}
