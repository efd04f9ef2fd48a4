/** Long reductions with few results become blocks, so that threads have something to share, and sums stay accurate. */
import { sizeOf } from "../core/shape.ts";
import { inputSlots, slotAxes } from "../graph/form.ts";
import type { Value } from "../graph/op.ts";
import { add, labelled, maximum, minimum, mul, reshape, sliceAxis, sum } from "../ops/index.ts";
import { contractionOf, type Reduction, reductionOf } from "./match.ts";
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
    doc: "sum(x[n]) → sum(sum(x[blocks, 16384])) + sum(the rest), and so product, max, min and Σ x·w, for n ≥ 65536 and fewer than 64 results",
    apply(v) {
      if (v.op.kind === "contract") return sizeOf(v.shape) < FEW && sizeOf(v.shape) > 0 ? splitContraction(v) : null;
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

/** Σₖ x·w → Σ over blocks of Σ in a block, along the longest summed label. */
function splitContraction(v: Value): Value | null {
  const { form, a, b } = contractionOf(v)!;
  if (form.windows.length > 0) return null;
  const [left, right, out] = [...inputSlots(form), form.result].map((slot) => slotAxes(form, slot).map((axis) => axis.index)) as [
    number[],
    number[],
    number[],
  ];
  const summed = left.filter((label) => right.includes(label) && !out.includes(label));
  const sizeAt = (label: number): number => form.axes[label]!.size;
  const length = sizeOf(summed.map(sizeAt));
  if (length < LONG) return null;
  const longest = summed.reduce((best, label) => (sizeAt(label) > sizeAt(best) ? label : best));
  const size = sizeAt(longest);
  const chunk = chunkOf(size, Math.max(1, Math.round(BLOCK / (length / size))));
  const blocks = Math.floor(size / chunk);
  if (blocks < 2) return null;
  const part = (x: Value, labels: readonly number[], start: number, count: number): Value =>
    sliceAxis(x, labels.indexOf(longest), start, count);
  const cut = (x: Value, labels: readonly number[]): Value => {
    const main = part(x, labels, 0, blocks * chunk);
    return reshape(main, main.shape.toSpliced(labels.indexOf(longest), 1, blocks, chunk));
  };
  const names = (labels: readonly number[]): string[] => labels.map(String);
  const inBlocks = (labels: readonly number[]): string[] => names(labels).toSpliced(labels.indexOf(longest), 0, "block");
  const main = labelled([inBlocks(left), inBlocks(right)], ["block", ...names(out)], [cut(a, left), cut(b, right)], "contract");
  if (blocks * chunk === size) return sum(main, [0]);
  const [from, count] = [blocks * chunk, size - blocks * chunk];
  const rest = labelled([names(left), names(right)], names(out), [part(a, left, from, count), part(b, right, from, count)], "contract");
  return add(sum(main, [0]), rest);
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
