/** Long reductions with few results become blocks, so that threads have something to share, and sums stay accurate. */
import { sizeOf } from "../core/shape.ts";
import type { Value } from "../graph/op.ts";
import { add, maximum, minimum, mul, reshape, sliceAxis } from "../ops/index.ts";
import { type Reduction, reductionOf } from "./match.ts";
import { reduceWith } from "./reductions.ts";
import type { Rule } from "./rewrite.ts";

/** Reductions of at least this many elements for each result … */
const LONG = 65_536;
/** … with fewer results than this are cut into blocks of about BLOCK elements. */
const FEW = 64;
const BLOCK = 16_384;

const COMBINE: Partial<Record<string, (a: Value, b: Value) => Value>> = { sum: add, product: mul, max: maximum, min: minimum };

export const splits: readonly Rule[] = [
  {
    name: "split",
    doc: "sum(x[n]) → sum(sum(x[blocks, 16384])) + sum(the rest), and so product, max, min, for n ≥ 65536 and fewer than 64 results",
    apply(v) {
      const found = reductionOf(v);
      if (!found || !COMBINE[found.op.combine] || sizeOf(v.shape) >= FEW) return null;
      const { x, axes } = found;
      const length = sizeOf(axes.map((d) => x.shape[d]!));
      return length >= LONG && sizeOf(v.shape) > 0 ? split(found, length) : null;
    },
  },
];

function split({ op, x, axes }: Reduction, length: number): Value | null {
  const merged = mergeNeighbours(x, axes);
  const axis = merged.axes.reduce((best, d) => (merged.x.shape[d]! > merged.x.shape[best]! ? d : best));
  const size = merged.x.shape[axis]!;
  const chunk = chunkOf(size, Math.max(1, Math.round(BLOCK / (length / size))));
  const blocks = Math.floor(size / chunk);
  if (blocks < 2) return null;
  const main = sliceAxis(merged.x, axis, 0, blocks * chunk);
  const cut = reshape(main, main.shape.toSpliced(axis, 1, blocks, chunk));
  // The axis of the blocks stands where the axis was, the axes after it are one further.
  const inBlock = merged.axes.map((d) => (d >= axis ? d + 1 : d));
  const blockAxis = axis - merged.axes.filter((d) => d < axis).length;
  const partial = reduceWith(op, reduceWith(op, cut, inBlock), [blockAxis]);
  if (blocks * chunk === size) return partial;
  const rest = reduceWith(op, sliceAxis(merged.x, axis, blocks * chunk, size - blocks * chunk), merged.axes);
  return COMBINE[op.combine]!(partial, rest);
}

/** Reduced axes that stand next to each other as one: [2, 3, 4, 5] over 1, 2 → [2, 12, 5] over 1. */
function mergeNeighbours(x: Value, axes: readonly number[]): { x: Value; axes: number[] } {
  const shape: number[] = [];
  const merged: number[] = [];
  x.shape.forEach((d, i) => {
    if (axes.includes(i) && axes.includes(i - 1)) shape[shape.length - 1]! *= d;
    else {
      if (axes.includes(i)) merged.push(shape.length);
      shape.push(d);
    }
  });
  return { x: reshape(x, shape), axes: merged };
}

/** A size of blocks near `wanted`, one that leaves no rest if there is one between half and twice of it: then x is read by one kernel. */
function chunkOf(size: number, wanted: number): number {
  const distance = (chunk: number): number => Math.abs(Math.log(chunk / wanted));
  let best = 0;
  for (let chunk = Math.ceil(wanted / 2); chunk <= Math.min(2 * wanted, size / 2); chunk++)
    if (size % chunk === 0 && (best === 0 || distance(chunk) < distance(best))) best = chunk;
  return best || Math.min(wanted, size);
}
