/**
 * Pooling: what stands in a window becomes one number. All are windows of the last axes and a reduction over them, so that gradients are sums
 * over the windows that hold an element, and nothing is put anywhere.
 */
import { arrayOf } from "../core/dtype.ts";
import { ShapeError } from "../core/errors.ts";
import {
  type AvgPoolOptions,
  averageWindows,
  checkPower,
  type Pool,
  poolWindows,
  type WeightedAvgPoolOptions,
  type WindowsAlong,
  weightedWindows,
  windowsAlong,
} from "../core/pool-window.ts";
import { checkShape, type Shape, showShape, sizeOf } from "../core/shape.ts";
import type { Value } from "../graph/op.ts";
import * as ops from "../ops/index.ts";
import { free, wholePower } from "./elementwise.ts";
import { root } from "./maths.ts";

/** Floats with the axes that are pooled behind one of channels. */
export function checkPooled(x: Value, { who, axes }: Pick<Pool, "who" | "axes">): Value {
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

/** (Σ |x|ᵖ)^(1/p) over each window; max |x| for p = ∞. One that reaches beyond the end in ceil mode counts as a whole one, as in PyTorch. */
export function lpPool(x: Value, p: number, pool: Pool): Value {
  const slides = poolWindows(pool);
  checkPower(p, pool.who);
  const v = checkPooled(x, pool);
  const windows = windowsAlong(pool.who, v.shape, slides, pool.options?.ceilMode);
  const within = withinAxes(v, pool.axes);
  if (p === Number.POSITIVE_INFINITY) return ops.max(windowed(ops.abs(v), windows, 0), within);
  const total = ops.sum(windowed(powerOf(v, p), windows, 0), within);
  const whole = windows.map(({ size, padded }) => padded.map((n) => size / n));
  const cut = whole.flat().some((share) => share !== 1);
  const sums = cut ? ops.mul(total, spreadOver(total, whole)) : total;
  return p === 1 ? sums : root(sums, p);
}

/** |x|ᵖ: a product of x for whole p. */
function powerOf(x: Value, p: number): Value {
  if (p % 2 === 0 && p <= 64) return wholePower(x, p);
  return Number.isInteger(p) && p <= 64 ? wholePower(ops.abs(x), p) : ops.pow(ops.abs(x), ops.scalarLike(x, p));
}

/** Σ w x / Σ w over each window: contractions with the weights of its positions, the same for all channels. */
export function weightedAvgPool(x: Value, pool: Pool<WeightedAvgPoolOptions>): Value {
  const { windows: slides, weights: weightsOf } = weightedWindows(pool);
  const v = checkPooled(x, pool);
  const { ceilMode, countIncludePad = true } = pool.options ?? {};
  const windows = windowsAlong(pool.who, v.shape, slides, ceilMode);
  const sizes = windows.map(({ size }) => size);
  checkShape(sizes, pool.who);
  const weights = weightsOf();
  const kernel = constantOf(weights, sizes, v.dtype);
  const total = weighted(v, kernel, windows);
  const whole = windows.every(({ size, padded, elements }) => (countIncludePad ? padded : elements).every((n) => n === size));
  if (whole) return ops.div(total, ops.scalarLike(total, weights.reduce((a, b) => a + b, 0))); // biome-ignore format: one call
  // What counts is 1, all else 0: its weighted sums are those of the weights.
  const lengths = windows.map((w, i) => v.shape[v.shape.length - pool.axes + i]! + (countIncludePad ? w.before + slides[i]!.after : 0));
  const seen = windows.map((w) => ({ ...w, before: countIncludePad ? 0 : w.before }));
  const sums = weighted(ops.filled(1, lengths, v.dtype), kernel, seen);
  return ops.div(
    total,
    ops.broadcastTo(
      sums,
      total.shape,
      sums.shape.map((_, i) => total.shape.length - pool.axes + i),
    ),
  );
}

/** Σ over each window of the last axes of x times the kernel's. */
function weighted(x: Value, kernel: Value, windows: readonly WindowsAlong[]): Value {
  const lead = x.shape.slice(0, x.shape.length - windows.length);
  const form = {
    axes: lead.map((size) => ({ size, in: ["x", "y"] as const })),
    windows: windows.map(({ size: w, count: y, stride, dilation, before: pad }, i) => ({
      x: x.shape[lead.length + i]!,
      w,
      y,
      stride,
      dilation,
      pad,
    })),
    result: "y" as const,
  };
  return ops.contract(form, x, kernel);
}

/** Numbers known when the graph is built, in row-major order. */
export function constantOf(numbers: readonly number[], shape: Shape, dtype: Value["dtype"]): Value {
  const data = arrayOf(dtype, sizeOf(shape));
  data.set(numbers as never);
  return ops.constant(data, shape, dtype);
}

/** The product of a number for each place along each of the last axes, in the shape of y: one number where all are equal. */
function spreadOver(y: Value, factors: readonly (readonly number[])[]): Value {
  if (factors.every((list) => list.every((n) => n === list[0])))
    return ops.scalarLike(
      y,
      factors.reduce((n, list) => n * list[0]!, 1),
    );
  const shape = factors.map((list) => list.length);
  const all = factors.reduce<number[]>((so, list) => so.flatMap((n) => list.map((m) => n * m)), [1]);
  const first = y.shape.length - factors.length;
  return ops.broadcastTo(
    constantOf(all, shape, y.dtype),
    y.shape,
    shape.map((_, i) => first + i),
  );
}
