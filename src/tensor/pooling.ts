/** Pools as functions: what stands in a window becomes one number. They are no methods, so that a bundle holds those that it calls. */
import type { AvgPoolOptions, OutputSize, PoolOptions, WeightedAvgPoolOptions } from "../core/pool-window.ts";
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

/**
 * The p-norm of each window: y = (Σ |x|ᵖ)^(1/p), for p = 2 the length of what it holds, for p = ∞ the largest size. Its slope where a window is all 0 is taken
 * as 0. PyTorch raises x itself: the same for even p, and NaN for odd p where it sums to less than 0. A window that reaches beyond the end in ceil mode counts as a whole one, as in PyTorch.
 *
 * Shapes and errors: as of `maxPool1d`; ArgumentError for p < 1.
 *
 * @example lpPool1d(signal, 2, 3)
 */
export function lpPool1d<S extends Shape>(x: From<S, Length>, p: number, kernelSize: PerAxis, options?: PoolOptions): To<S, Length> {
  return unary("lpPool1d", x, surface.lpPool, p, { who: "lpPool1d", axes: 1, kernelSize, options });
}

/** The p-norm of each window of [..., c, h, w]. See `lpPool1d`. */
export function lpPool2d<S extends Shape>(x: From<S, Plane>, p: number, kernelSize: PerAxis, options?: PoolOptions): To<S, Plane> {
  return unary("lpPool2d", x, surface.lpPool, p, { who: "lpPool2d", axes: 2, kernelSize, options });
}

/** The p-norm of each window of [..., c, d, h, w]. See `lpPool1d`. */
export function lpPool3d<S extends Shape>(x: From<S, Volume>, p: number, kernelSize: PerAxis, options?: PoolOptions): To<S, Volume> {
  return unary("lpPool3d", x, surface.lpPool, p, { who: "lpPool3d", axes: 3, kernelSize, options });
}

/**
 * The weighted mean of each window, y = Σ w x / Σ w, where w says how near to the middle of its window an element is: e^(−d² / (2 · sigma²)), d its distance from the
 * middle in elements, or 1 / (1 + d) with `weights: "inverse"`. Goodfellow, Bengio and Courville 2016, section 9.3: "a weighted average based on the distance from the central pixel".
 *
 * Shapes and errors: as of `maxPool1d`; ArgumentError for a sigma that is not above 0.
 *
 * @example weightedAvgPool1d(signal, 5, { stride: 2, sigma: 1 })
 */
export function weightedAvgPool1d<S extends Shape>(
  x: From<S, Length>,
  kernelSize: PerAxis,
  options?: WeightedAvgPoolOptions,
): To<S, Length> {
  return unary("weightedAvgPool1d", x, surface.weightedAvgPool, { who: "weightedAvgPool1d", axes: 1, kernelSize, options });
}

/** The weighted mean of each window of [..., c, h, w]; distances are Euclidean. See `weightedAvgPool1d`. */
export function weightedAvgPool2d<S extends Shape>(x: From<S, Plane>, kernelSize: PerAxis, options?: WeightedAvgPoolOptions): To<S, Plane> {
  return unary("weightedAvgPool2d", x, surface.weightedAvgPool, { who: "weightedAvgPool2d", axes: 2, kernelSize, options });
}

/** The weighted mean of each window of [..., c, d, h, w]; distances are Euclidean. See `weightedAvgPool1d`. */
export function weightedAvgPool3d<S extends Shape>(
  x: From<S, Volume>,
  kernelSize: PerAxis,
  options?: WeightedAvgPoolOptions,
): To<S, Volume> {
  return unary("weightedAvgPool3d", x, surface.weightedAvgPool, { who: "weightedAvgPool3d", axes: 3, kernelSize, options });
}

/**
 * As many means as are asked for, whatever the size of the input: y[…, i] is that of x[…, ⌊i · l / size⌋ … ⌈(i + 1) · l / size⌉ − 1], as in PyTorch. A size of 1 pools all
 * there is; null keeps the input's. So one network takes inputs of several sizes: Goodfellow, Bengio and Courville 2016, figure 9.10.
 *
 * Shapes: [..., c, l] → [..., c, size].
 *
 * @throws ArgumentError for a size that is none; ShapeError for an input without elements to pool
 * @example adaptiveAvgPool1d(signal, 4)
 */
export function adaptiveAvgPool1d<S extends Shape>(x: From<S, Length>, outputSize: OutputSize): To<S, Length> {
  return unary("adaptiveAvgPool1d", x, surface.adaptiveAvgPool, { who: "adaptiveAvgPool1d", axes: 1, outputSize });
}

/** The mean of each of as many windows as are asked for: [..., c, h, w] → [..., c, size, size], or a size for each axis. See `adaptiveAvgPool1d`. */
export function adaptiveAvgPool2d<S extends Shape>(x: From<S, Plane>, outputSize: OutputSize): To<S, Plane> {
  return unary("adaptiveAvgPool2d", x, surface.adaptiveAvgPool, { who: "adaptiveAvgPool2d", axes: 2, outputSize });
}

/** The mean of each of as many windows as are asked for: [..., c, d, h, w] → [..., c, size, size, size], or a size for each axis. See `adaptiveAvgPool1d`. */
export function adaptiveAvgPool3d<S extends Shape>(x: From<S, Volume>, outputSize: OutputSize): To<S, Volume> {
  return unary("adaptiveAvgPool3d", x, surface.adaptiveAvgPool, { who: "adaptiveAvgPool3d", axes: 3, outputSize });
}

/** The largest of each of as many windows as are asked for. See `adaptiveAvgPool1d`. */
export function adaptiveMaxPool1d<S extends Shape>(x: From<S, Length>, outputSize: OutputSize): To<S, Length> {
  return unary("adaptiveMaxPool1d", x, surface.adaptiveMaxPool, { who: "adaptiveMaxPool1d", axes: 1, outputSize });
}

/** The largest of each of as many windows as are asked for: [..., c, h, w] → [..., c, size, size], or a size for each axis. See `adaptiveAvgPool1d`. */
export function adaptiveMaxPool2d<S extends Shape>(x: From<S, Plane>, outputSize: OutputSize): To<S, Plane> {
  return unary("adaptiveMaxPool2d", x, surface.adaptiveMaxPool, { who: "adaptiveMaxPool2d", axes: 2, outputSize });
}

/** The largest of each of as many windows as are asked for: [..., c, d, h, w] → [..., c, size, size, size], or a size for each axis. See `adaptiveAvgPool1d`. */
export function adaptiveMaxPool3d<S extends Shape>(x: From<S, Volume>, outputSize: OutputSize): To<S, Volume> {
  return unary("adaptiveMaxPool3d", x, surface.adaptiveMaxPool, { who: "adaptiveMaxPool3d", axes: 3, outputSize });
}

/**
 * Pooling over features: the largest of each `pieces` neighbours along an axis, y[i] = max over j of x[i · pieces + j]. After a linear layer or a convolution
 * with that many times the features it is a layer that learns its activation, any convex one of that many pieces. Goodfellow, Warde-Farley, Mirza, Courville
 * and Bengio 2013.
 *
 * Shapes: [n, pieces · m, …] → [n, m, …] along axis 1, or another.
 *
 * @throws ShapeError if the features are no multiple of `pieces`
 * @example maxout(linear(x, weight, bias), 5)   // weight [5 · m, d]
 */
export function maxout(x: Tensor, pieces: number, axis = 1): Tensor {
  return unary("maxout", x, surface.maxout, pieces, axis);
}
