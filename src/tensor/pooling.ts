/** Pools as functions: what stands in a window becomes one number. They are no methods, so that a bundle holds those that it calls. */
import type { AvgPoolOptions, PoolOptions } from "../core/pool-window.ts";
import type { Checked, Known, Pooled, Shape } from "../core/shape-types.ts";
import type { PerAxis } from "../core/sliding.ts";
import * as surface from "../surface/index.ts";
import { type Tensor, unary } from "./tensor.ts";

/** Sizes of as many axes of space, which are known when the graph is built. */
type Length = [number];
type Plane = [number, number];
type Volume = [number, number, number];

/** A tensor that can be pooled over these axes, or the sentence that says why it cannot. */
type From<S extends Shape, Space extends Shape> = Checked<Pooled<S, Space>, Tensor<S>>;
type To<S extends Shape, Space extends Shape> = Tensor<Known<Pooled<S, Space>>>;

/**
 * The largest of each window: y[…, i] = max over j of x[…, stride · i + dilation · j − padding]. NaN if the window holds one; its gradient goes to the
 * first of equals, as in PyTorch. Padding is −∞.
 *
 * Shapes: [..., c, l] → [..., c, ⌊(l + 2 · padding − dilation · (size − 1) − 1) / stride⌋ + 1]; ⌈…⌉ + 1 with `ceilMode`.
 *
 * @throws ArgumentError for a window that is none, or padding as long; ShapeError for an input that does not hold one window
 * @example maxPool1d(signal, 3, { stride: 2 })
 */
export function maxPool1d<S extends Shape>(x: From<S, Length>, kernelSize: PerAxis, options?: PoolOptions): To<S, Length> {
  return unary("maxPool1d", x, surface.maxPool, { who: "maxPool1d", axes: 1, kernelSize, options });
}

/** The largest of each window of [..., c, h, w], of equals the first in reading order. See `maxPool1d`. */
export function maxPool2d<S extends Shape>(x: From<S, Plane>, kernelSize: PerAxis, options?: PoolOptions): To<S, Plane> {
  return unary("maxPool2d", x, surface.maxPool, { who: "maxPool2d", axes: 2, kernelSize, options });
}

/** The largest of each window of [..., c, d, h, w]. See `maxPool1d`. */
export function maxPool3d<S extends Shape>(x: From<S, Volume>, kernelSize: PerAxis, options?: PoolOptions): To<S, Volume> {
  return unary("maxPool3d", x, surface.maxPool, { who: "maxPool3d", axes: 3, kernelSize, options });
}

/**
 * The mean of each window: y[…, i] = Σ over j of x[…, stride · i + dilation · j − padding] / n. n is the number of positions of the window that are
 * elements or padding, those beyond the padding in ceil mode left out; with `countIncludePad: false` that of its elements; or `divisorOverride`.
 *
 * Shapes and errors: as of `maxPool1d`.
 *
 * @example avgPool1d(signal, 2)
 */
export function avgPool1d<S extends Shape>(x: From<S, Length>, kernelSize: PerAxis, options?: AvgPoolOptions): To<S, Length> {
  return unary("avgPool1d", x, surface.avgPool, { who: "avgPool1d", axes: 1, kernelSize, options });
}

/** The mean of each window of [..., c, h, w]. See `avgPool1d`. */
export function avgPool2d<S extends Shape>(x: From<S, Plane>, kernelSize: PerAxis, options?: AvgPoolOptions): To<S, Plane> {
  return unary("avgPool2d", x, surface.avgPool, { who: "avgPool2d", axes: 2, kernelSize, options });
}

/** The mean of each window of [..., c, d, h, w]. See `avgPool1d`. */
export function avgPool3d<S extends Shape>(x: From<S, Volume>, kernelSize: PerAxis, options?: AvgPoolOptions): To<S, Volume> {
  return unary("avgPool3d", x, surface.avgPool, { who: "avgPool3d", axes: 3, kernelSize, options });
}
