/** Long reductions with few results become blocks, so that threads have something to share, and sums stay accurate. */
import { sizeOf } from "../core/shape.ts";
import { inputSlots, slotAxes } from "../graph/form.ts";
import type { Value } from "../graph/op.ts";
import { add, labelled, maximum, minimum, mul, reshape, sliceAxis, sum } from "../ops/index.ts";
import { contractionOf, type Reduction, reductionOf } from "./match.ts";
import { reduceWith } from "./reductions.ts";
import type { Rule } from "./rewrite.ts";

/** Reductions of at least so many elements for each result, with fewer results than that, are cut into blocks of about so many elements. */
interface Cut {
  readonly least: number;
  readonly results: number;
  readonly length: number;
  readonly block: number;
}
/** Few results are vectors along the sum. */
const FEW: Cut = { least: 1, results: 64, length: 65_536, block: 16_384 };
/** Column sums: vectors lie across the results, so that there are no others for threads. */
const SOME: Cut = { least: 8, results: 4097, length: 16_384, block: 2048 };
const cutFor = (results: number, length: number): Cut | undefined =>
  [FEW, SOME].find((cut) => results >= cut.least && results < cut.results && length >= cut.length);

const COMBINE: Partial<Record<string, (a: Value, b: Value) => Value>> = { sum: add, product: mul, max: maximum, min: minimum };

export const splits: readonly Rule[] = [
  {
    name: "split",
    doc: "sum(x[n]) → sum(sum(x[blocks, 16384])) + sum(the rest), and so product, max, min and Σ x·w, for n ≥ 65536 and fewer than 64 results; blocks of about 2048 for n ≥ 16384 and 8 to 4096, and along one label where Σ x·w is no product of matrices",
    apply(v) {
      if (v.op.kind === "contract") return splitContraction(v) ?? splitByLabel(v);
      const found = reductionOf(v);
      if (!found || !COMBINE[found.op.combine]) return null;
      const length = sizeOf(found.axes.map((d) => found.x.shape[d]!));
      const cut = cutFor(sizeOf(v.shape), length);
      if (!cut) return null;
      return (cut === SOME ? alongOne(found, length, cut) : null) ?? split(found, length, cut);
    },
  },
];

/** Blocks that are positions along one of the axes, or else equal parts of one, so that what else is computed from x keeps its axes. */
function alongOne({ op, x, axes }: Reduction, length: number, { block }: Cut): Value | null {
  const whole = axes.find((d) => {
    const rest = length / x.shape[d]!;
    return x.shape[d]! >= FEWEST_BLOCKS && rest >= SHORTEST_BLOCK && rest < SOME.length;
  });
  const wanted = length / block;
  const distance = (n: number): number => Math.abs(Math.log(n / wanted));
  let best = whole === undefined ? { axis: -1, parts: 1 } : { axis: whole, parts: x.shape[whole]! };
  if (whole === undefined)
    for (const axis of axes)
      for (let parts = 2; parts <= Math.min(x.shape[axis]!, 2 * wanted); parts++)
        if (x.shape[axis]! % parts === 0 && (best.axis < 0 || distance(parts) < distance(best.parts))) best = { axis, parts };
  const { axis, parts } = best;
  if (axis < 0 || parts < Math.min(FEWEST_BLOCKS, wanted / 2)) return null;
  const size = x.shape[axis]! / parts;
  const cut = size === 1 ? x : reshape(x, x.shape.toSpliced(axis, 1, parts, size));
  const inBlock = size === 1 ? axes.filter((d) => d !== axis) : axes.map((d) => (d >= axis ? d + 1 : d));
  const blockAxis = axis - axes.filter((d) => d < axis).length;
  return reduceWith(op, reduceWith(op, cut, inBlock), [blockAxis]);
}
const FEWEST_BLOCKS = 8;
const SHORTEST_BLOCK = 256;

function split({ op, x, axes }: Reduction, length: number, { block }: Cut): Value | null {
  const merged = mergeNeighbours(x, axes);
  const axis = merged.axes.reduce((best, d) => (merged.x.shape[d]! > merged.x.shape[best]! ? d : best));
  const size = merged.x.shape[axis]!;
  const chunk = chunkOf(size, Math.max(1, Math.round(block / (length / size))));
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
  if (sizeOf(v.shape) >= FEW.results || sizeOf(v.shape) === 0 || length < FEW.length) return null;
  const longest = summed.reduce((best, label) => (sizeAt(label) > sizeAt(best) ? label : best));
  const size = sizeAt(longest);
  const chunk = chunkOf(size, Math.max(1, Math.round(FEW.block / (length / size))));
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

/**
 * Σ x·w, where no matrices are multiplied, as a sum of sums, one for each position of a label: the weights of a convolution channel by channel have
 * few results, each of a whole batch of images.
 */
function splitByLabel(v: Value): Value | null {
  const { form, a, b } = contractionOf(v)!;
  const results = sizeOf(v.shape);
  if (form.windows.length > 0 || results < SOME.least || results >= SOME.results) return null;
  const [left, right, out] = [...inputSlots(form), form.result].map((slot) => slotAxes(form, slot).map((axis) => axis.index)) as [
    number[],
    number[],
    number[],
  ];
  const sizeAt = (label: number): number => form.axes[label]!.size;
  const rows = (own: readonly number[], other: readonly number[]): number =>
    sizeOf(own.filter((label) => out.includes(label) && !other.includes(label)).map(sizeAt));
  if (Math.min(rows(left, right), rows(right, left)) > 1) return null;
  const summed = left.filter((label) => right.includes(label) && !out.includes(label));
  const length = sizeOf(summed.map(sizeAt));
  const chosen = summed.find((label) => sizeAt(label) >= FEWEST_BLOCKS && length >= sizeAt(label) * SHORTEST_BLOCK);
  if (chosen === undefined || length * results < SOME.length * SOME.least) return null;
  const names = (labels: readonly number[]): string[] => labels.map(String);
  return sum(labelled([names(left), names(right)], names([chosen, ...out]), [a, b], "contract"), [0]);
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
