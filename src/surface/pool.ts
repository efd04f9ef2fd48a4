/**
 * Pooling: what stands in a window becomes one number. All are windows of the last axes and a reduction over them, so that gradients are sums
 * over the windows that hold an element, and nothing is put anywhere.
 */
import { arrayOf } from "../core/dtype.ts";
import { ShapeError } from "../core/errors.ts";
import { type AvgPoolOptions, averageWindows, type Pool, poolWindows, type WindowsAlong, windowsAlong } from "../core/pool-window.ts";
import { showShape, sizeOf } from "../core/shape.ts";
import type { Value } from "../graph/op.ts";
import * as ops from "../ops/index.ts";
import { free } from "./elementwise.ts";

/** Floats with the axes that are pooled behind one of channels. */
function checkPooled(x: Value, { who, axes }: Pick<Pool, "who" | "axes">): Value {
  const floats = free(who, (v) => v)(x);
  if (x.shape.length > axes) return floats;
  const names = ["depth", "height", "width"].slice(-axes).join(", ");
  throw new ShapeError(`${who}: the input is ${showShape(x.shape)}`, {
    why: `it is [..., channels, ${names}]`,
    ...(x.shape.length === axes ? { help: `x.unsqueeze(0) has one channel: ${showShape([1, ...x.shape])}` } : {}),
  });
}

/** The windows of x as axes of their own, each behind that of its count, with `value` where they reach beyond x. */
function windowed(x: Value, windows: readonly WindowsAlong[], value: number): Value {
  const lead = x.shape.length - windows.length;
  const widths = (of: (w: WindowsAlong) => number): number[] => x.shape.map((_, d) => (d < lead ? 0 : of(windows[d - lead]!)));
  const padded = ops.pad(x, { low: widths((w) => w.before), high: widths((w) => w.after), interior: widths(() => 0), value });
  return windows.reduce((v, { size, stride, dilation }, i) => ops.windows(v, { axis: lead + 2 * i, size, stride, dilation }), padded);
}

/** The axes of `windowed` that run within windows. */
const withinAxes = (x: Value, count: number): number[] => Array.from({ length: count }, (_, i) => x.shape.length - count + 2 * i + 1);

/** max over each window; NaN if it holds one. What is beyond the ends counts as −∞. The gradient goes to the first of equals. */
export function maxPool(x: Value, pool: Pool): Value {
  const slides = poolWindows(pool);
  const v = checkPooled(x, pool);
  const windows = windowsAlong(pool.who, v.shape, slides, pool.options?.ceilMode);
  return ops.max(windowed(v, windows, Number.NEGATIVE_INFINITY), withinAxes(v, pool.axes));
}

/** Σ over each window by the number of its elements, with its padding unless that does not count. */
export function avgPool(x: Value, pool: Pool<AvgPoolOptions>): Value {
  const slides = averageWindows(pool);
  const v = checkPooled(x, pool);
  const { ceilMode, countIncludePad = true, divisorOverride } = pool.options ?? {};
  const windows = windowsAlong(pool.who, v.shape, slides, ceilMode);
  const total = ops.sum(windowed(v, windows, 0), withinAxes(v, pool.axes));
  if (divisorOverride !== undefined) return ops.div(total, ops.scalarLike(total, divisorOverride));
  const counts = windows.map(({ padded, elements }) => (countIncludePad ? padded : elements));
  return ops.div(total, spreadOver(total, counts));
}

/** The product of a number for each place along each of the last axes, in the shape of y: one number where all are equal. */
function spreadOver(y: Value, factors: readonly (readonly number[])[]): Value {
  if (factors.every((list) => list.every((n) => n === list[0])))
    return ops.scalarLike(
      y,
      factors.reduce((n, list) => n * list[0]!, 1),
    );
  const shape = factors.map((list) => list.length);
  const data = arrayOf(y.dtype, sizeOf(shape));
  const all = factors.reduce<number[]>((so, list) => so.flatMap((n) => list.map((m) => n * m)), [1]);
  data.set(all as never);
  const first = y.shape.length - factors.length;
  return ops.broadcastTo(
    ops.constant(data, shape, y.dtype),
    y.shape,
    shape.map((_, i) => first + i),
  );
}
