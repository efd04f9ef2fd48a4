/** Elements put around a tensor: a number, or its own, mirrored, repeated or from the other side. */
import { checkElements } from "../core/elements.ts";
import { ArgumentError, ShapeError, show } from "../core/errors.ts";
import { showShape } from "../core/shape.ts";
import type { Value } from "../graph/op.ts";
import * as ops from "../ops/index.ts";

/** How many elements are put before and after along an axis; negative numbers cut off. */
export type Width = readonly [before: number, after: number];

/** The widths of all axes, given those of the last ones. */
function widthsOf(v: Value, widths: readonly Width[], who: string): readonly Width[] {
  if (!Array.isArray(widths))
    throw new ArgumentError(`${who}: the widths are ${show(widths)}`, { help: "pairs [before, after] of the last axes" });
  const missing = v.shape.length - widths.length;
  if (missing < 0) throw new ShapeError(`${who}: ${widths.length} pairs for ${showShape(v.shape)}`);
  for (const pair of widths)
    if (!Array.isArray(pair) || pair.length !== 2 || !pair.every(Number.isSafeInteger))
      throw new ArgumentError(`${who}: ${show(pair)} is not a pair of whole numbers`);
  return [...Array.from({ length: missing }, () => [0, 0] as const), ...widths];
}

const more = (width: number): number => Math.max(0, width);

/** What is left where widths are negative. */
function cutOff(v: Value, widths: readonly Width[], who: string): Value {
  if (widths.every(([low, high]) => low >= 0 && high >= 0)) return v;
  const starts = widths.map(([low]) => more(-low));
  const sizes = widths.map(([, high], i) => v.shape[i]! - starts[i]! - more(-high));
  if (sizes.some((d) => d < 0)) throw new ShapeError(`${who}: ${JSON.stringify(widths)} cuts more than ${showShape(v.shape)} has`);
  return ops.slice(v, { starts, steps: starts.map(() => 1), sizes });
}

/** A number put before and after along the last axes: `widths` are aligned at the last; negative ones cut off. */
export function pad(v: Value, widths: readonly Width[], value = 0): Value {
  const all = widthsOf(v, widths, "pad");
  checkElements([value], v.dtype, "pad");
  const cut = cutOff(v, all, "pad");
  if (all.every(([low, high]) => low <= 0 && high <= 0)) return cut;
  return ops.pad(cut, { low: all.map(([low]) => more(low)), high: all.map(([, high]) => more(high)), interior: all.map(() => 0), value });
}

/** How a tensor goes on beyond its ends. */
interface Continuation {
  readonly who: string;
  /** The most elements that an axis of this size has to put on either side. */
  most(size: number): number;
  readonly why: string;
  /** `count` elements before the first, or after the last. */
  before(v: Value, axis: number, count: number): Value;
  after(v: Value, axis: number, count: number): Value;
}

const last = (v: Value, axis: number, count: number, from = v.shape[axis]!): Value => ops.sliceAxis(v, axis, from - count, count);
const repeated = (v: Value, axis: number, at: number, count: number): Value =>
  ops.broadcastTo(ops.sliceAxis(v, axis, at, 1), v.shape.with(axis, count));

const REFLECTED: Continuation = {
  who: "reflectPad",
  most: (size) => Math.max(0, size - 1),
  why: "the end itself is not repeated, so that an axis has one element less to mirror than its size",
  before: (v, axis, count) => ops.flip(ops.sliceAxis(v, axis, 1, count), [axis]),
  after: (v, axis, count) => ops.flip(last(v, axis, count, v.shape[axis]! - 1), [axis]),
};
const REPLICATED: Continuation = {
  who: "replicatePad",
  most: (size) => (size === 0 ? 0 : Number.POSITIVE_INFINITY),
  why: "an empty axis has no end to repeat",
  before: (v, axis, count) => repeated(v, axis, 0, count),
  after: (v, axis, count) => repeated(v, axis, v.shape[axis]! - 1, count),
};
const CIRCULAR: Continuation = {
  who: "circularPad",
  most: (size) => size,
  why: "an axis has no more elements than its size to go on with",
  before: last,
  after: (v, axis, count) => ops.sliceAxis(v, axis, 0, count),
};

function continued({ who, most, why, before, after }: Continuation, v: Value, widths: readonly Width[]): Value {
  const all = widthsOf(v, widths, who);
  const padded = all.reduce((x, pair, axis) => {
    const [low, high] = pair.map(more) as [number, number];
    const size = x.shape[axis]!;
    if (Math.max(low, high) > most(size))
      throw new ShapeError(`${who}: [${pair.join(", ")}] on axis ${axis} of ${showShape(v.shape)}`, {
        why,
        help: `at most ${most(size)} on either side`,
      });
    const parts = [...(low > 0 ? [before(x, axis, low)] : []), x, ...(high > 0 ? [after(x, axis, high)] : [])];
    return parts.length === 1 ? x : ops.concat(parts, axis);
  }, v);
  const cut = all.map(([low, high]) => [Math.min(0, low), Math.min(0, high)] as const);
  return cutOff(padded, cut, who);
}

/** Mirrored at the ends, which are not repeated: [1, 2, 3] by [2, 1] is [3, 2, 1, 2, 3, 2]. */
export const reflectPad = (v: Value, widths: readonly Width[]): Value => continued(REFLECTED, v, widths);
/** The ends repeated: [1, 2, 3] by [2, 1] is [1, 1, 1, 2, 3, 3]. */
export const replicatePad = (v: Value, widths: readonly Width[]): Value => continued(REPLICATED, v, widths);
/** From the other side: [1, 2, 3] by [2, 1] is [2, 3, 1, 2, 3, 1]. */
export const circularPad = (v: Value, widths: readonly Width[]): Value => continued(CIRCULAR, v, widths);
