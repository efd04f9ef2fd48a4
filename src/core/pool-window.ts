/** Windows of pools: what is said of them, checked before there is a tensor, and where they stand on one. */
import { ArgumentError, ShapeError, show } from "./errors.ts";
import { checkOptions } from "./options.ts";
import { checkShape, type Shape, showShape } from "./shape.ts";
import { countWindows, type Padding, type PerAxis, type Sliding, slidings, spanOf } from "./sliding.ts";

export interface PoolOptions {
  /** How far apart windows begin. Default: as far as they are long, so that they do not overlap. */
  readonly stride?: PerAxis | undefined;
  /** How many elements that are not there count on either side, fewer than a window reaches over. Default 0. */
  readonly padding?: Padding | undefined;
  /** How far apart the elements of a window are. Default 1. */
  readonly dilation?: PerAxis | undefined;
  /** Whether a last window may reach beyond the end, as long as it begins before it. Default false. */
  readonly ceilMode?: boolean | undefined;
}

export interface AvgPoolOptions extends PoolOptions {
  /** Whether padding counts as elements, which are 0, in the number that is divided by. Default true, as in PyTorch. */
  readonly countIncludePad?: boolean | undefined;
  /** What to divide by instead of the number of elements. */
  readonly divisorOverride?: number | undefined;
}

/** How a weighted average weighs what is at a distance d from the middle of its window. */
export interface WeightedAvgPoolOptions extends PoolOptions {
  /** "gaussian", the default: e^(−d² / (2 · sigma²)); "inverse": 1 / (1 + d). */
  readonly weights?: "gaussian" | "inverse" | undefined;
  /** Of the Gaussian, in elements, for all axes or for each. Default: a quarter of what the window reaches over. */
  readonly sigma?: number | readonly number[] | undefined;
  /** Whether padding counts as elements, which are 0, in the sum of weights that is divided by. Default true, as for averages. */
  readonly countIncludePad?: boolean | undefined;
}

/** A pool as it is called: its name, over how many of the last axes it goes, and what it was told. */
export interface Pool<O extends PoolOptions = PoolOptions> {
  readonly who: string;
  readonly axes: number;
  readonly kernelSize: PerAxis;
  readonly options?: O | undefined;
}

/**
 * How the windows of a pool slide. `more` are names of options of its own.
 *
 * @throws ArgumentError for sizes, strides and dilations below 1, and for padding as long as a window
 */
export function poolWindows({ who, axes, kernelSize, options = {} }: Pool, more: readonly string[] = []): Sliding[] {
  checkOptions(who, options, ["stride", "padding", "dilation", "ceilMode", ...more]);
  checkFlag(options.ceilMode, `${who}: ceilMode`);
  const windows = slidings(who, axes, { ...options, kernelSize, stride: options.stride ?? kernelSize });
  for (const window of windows)
    if (Math.min(window.before, window.after) < 0 || Math.max(window.before, window.after) >= spanOf(window))
      throw new ArgumentError(`${who}: the padding is ${show(options.padding)}`, {
        why: `a window that reaches over ${spanOf(window)} must reach an element`,
        help: `0 to ${spanOf(window) - 1} on either side`,
      });
  return windows;
}

/** The same of an average. @throws ArgumentError also for a divisor of 0 */
export function averageWindows(pool: Pool<AvgPoolOptions>, more: readonly string[] = []): Sliding[] {
  const windows = poolWindows(pool, ["countIncludePad", "divisorOverride", ...more]);
  const { countIncludePad, divisorOverride } = pool.options ?? {};
  checkFlag(countIncludePad, `${pool.who}: countIncludePad`);
  if (divisorOverride !== undefined && !(Number.isFinite(divisorOverride) && divisorOverride !== 0))
    throw new ArgumentError(`${pool.who}: divisorOverride is ${show(divisorOverride)}`, { help: "a number other than 0" });
  return windows;
}

/** How a weighted average weighs each position of its window, row by row, when it is asked. Errors: as of `poolWindows`, and for what is no kind of weights and no width. */
export function weightedWindows(pool: Pool<WeightedAvgPoolOptions>): { windows: Sliding[]; weights: () => number[] } {
  const windows = poolWindows(pool, ["weights", "sigma", "countIncludePad"]);
  const { weights = "gaussian", sigma, countIncludePad } = pool.options ?? {};
  checkFlag(countIncludePad, `${pool.who}: countIncludePad`);
  if (weights !== "gaussian" && weights !== "inverse")
    throw new ArgumentError(`${pool.who}: weights is ${show(weights)}`, { help: '"gaussian" or "inverse"' });
  const widths: readonly number[] = typeof sigma === "number" ? windows.map(() => sigma) : (sigma ?? windows.map((w) => spanOf(w) / 4));
  if (!Array.isArray(widths) || widths.length !== pool.axes || !widths.every((w) => Number.isFinite(w) && w > 0))
    throw new ArgumentError(`${pool.who}: sigma is ${show(sigma)}`, {
      help: `a number above 0${pool.axes > 1 ? `, or ${pool.axes} of them` : ""}`,
    });
  return { windows, weights: () => weightsOf(windows, weights === "gaussian" ? widths : undefined) };
}

/** e^(−d² / 2), with the distance from the middle in units of the widths, or without them 1 / (1 + d). */
function weightsOf(windows: readonly Sliding[], widths: readonly number[] | undefined): number[] {
  const squares = windows.reduce<number[]>(
    (sums, { size, dilation }, axis) => {
      const along = Array.from({ length: size }, (_, j) => ((dilation * (j - (size - 1) / 2)) / (widths?.[axis] ?? 1)) ** 2);
      return sums.flatMap((sum) => along.map((square) => sum + square));
    },
    [0],
  );
  return squares.map((square) => (widths ? Math.exp(-square / 2) : 1 / (1 + Math.sqrt(square))));
}

/** The power of an Lp pool. @throws ArgumentError for less than 1 */
export function checkPower(p: number, who: string): number {
  if (typeof p === "number" && p >= 1) return p;
  throw new ArgumentError(`${who}: p is ${show(p)}`, {
    why: "below 1 the sum of powers is no norm",
    help: "2, another number ≥ 1, or Infinity",
  });
}

/** A size for each axis, or null where it stays what it is. */
export type OutputSize = number | null | readonly (number | null)[];

/** The sizes that an adaptive pool was told. @throws ArgumentError for another number of them, and for sizes below 1 */
export function outputSizes(size: OutputSize, axes: number, who: string): (number | null)[] {
  const list: unknown = Array.isArray(size) ? size : Array.from({ length: axes }, () => size);
  const fits = (n: unknown): boolean => n === null || (Number.isSafeInteger(n) && (n as number) >= 1);
  if (Array.isArray(list) && list.length === axes && Array.from(list).every(fits)) return [...list];
  throw new ArgumentError(`${who}: the output size is ${show(size)}`, {
    why: `it is a whole number ≥ 1, or null for that of the input${axes > 1 ? `, or ${axes} of them` : ""}`,
  });
}

function checkFlag(flag: unknown, who: string): void {
  if (flag !== undefined && typeof flag !== "boolean") throw new ArgumentError(`${who} is ${show(flag)}`, { help: "true or false" });
}

/** Where the windows stand along one axis of a tensor: `count` of them, over the axis with `before` and `after` elements put around it. */
export interface WindowsAlong extends Sliding {
  readonly count: number;
  /** How many positions of each window are elements, and how many are elements or padding that was asked for. */
  readonly elements: readonly number[];
  readonly padded: readonly number[];
}

/**
 * The windows along the last axes of a shape: ⌊(L + before + after − span) / stride⌋ + 1 of them, ⌈…⌉ + 1 in ceil mode, where one that would begin
 * behind the last element is left out.
 *
 * @throws ShapeError for an empty axis, one that is shorter than a window, and windows that fall between the elements
 */
export function windowsAlong(who: string, shape: Shape, windows: readonly Sliding[], ceilMode = false): WindowsAlong[] {
  const first = shape.length - windows.length;
  const counts = windows.map((window, i) => {
    if (shape[first + i] === 0)
      throw new ShapeError(`${who}: axis ${first + i} of ${showShape(shape)} is empty`, { why: "there is nothing to pool" });
    return (ceilMode ? countStarted : countWindows)(who, shape, first + i, window);
  });
  checkShape(counts, who);
  return windows.map((window, i) => {
    const { stride, before, after, dilation, size } = window;
    const [length, count] = [shape[first + i]!, counts[i]!];
    const starts = Array.from({ length: count }, (_, w) => w * stride - before);
    const within = (low: number, high: number): number[] =>
      starts.map((start) => {
        const [from, to] = [Math.ceil((low - start) / dilation), Math.floor((high - 1 - start) / dilation)];
        return Math.max(0, Math.min(size - 1, to) - Math.max(0, from) + 1);
      });
    const elements = within(0, length);
    if (elements.includes(0))
      throw new ShapeError(`${who}: window ${elements.indexOf(0)} of axis ${first + i} of ${showShape(shape)} holds padding only`, {
        why: `its ${size} positions, ${dilation} apart, leave the ${length} elements out`,
      });
    const reach = (count - 1) * stride + spanOf(window) - length - before;
    return { ...window, after: Math.max(0, reach), count, elements, padded: within(-before, length + after) };
  });
}

/** How many windows begin before the end, or in the padding before the first element. */
function countStarted(who: string, shape: Shape, axis: number, window: Sliding): number {
  const { stride, before, after } = window;
  const length = shape[axis]!;
  const most = Math.ceil((length + before + after - spanOf(window)) / stride) + 1;
  if (most < 1) return countWindows(who, shape, axis, window);
  return (most - 1) * stride >= length + before ? most - 1 : most;
}
