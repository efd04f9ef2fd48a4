/** Windows of pools: what is said of them, checked before there is a tensor, and where they stand on one. */
import { ArgumentError, ShapeError, show } from "./errors.ts";
import { checkOptions } from "./options.ts";
import { type Shape, showShape } from "./shape.ts";
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
  return windows.map((window, i) => {
    const axis = shape.length - windows.length + i;
    const { stride, before, after, dilation, size } = window;
    const length = shape[axis]!;
    if (length === 0) throw new ShapeError(`${who}: axis ${axis} of ${showShape(shape)} is empty`, { why: "there is nothing to pool" });
    const count = ceilMode ? countStarted(who, shape, axis, window) : countWindows(who, shape, axis, window);
    const starts = Array.from({ length: count }, (_, w) => w * stride - before);
    const within = (low: number, high: number): number[] =>
      starts.map((start) => {
        const [first, last] = [Math.ceil((low - start) / dilation), Math.floor((high - 1 - start) / dilation)];
        return Math.max(0, Math.min(size - 1, last) - Math.max(0, first) + 1);
      });
    const elements = within(0, length);
    if (elements.includes(0))
      throw new ShapeError(`${who}: window ${elements.indexOf(0)} of axis ${axis} of ${showShape(shape)} holds padding only`, {
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
