/** Functions that slide a kernel over tensors: a bundle holds those that it calls. */
import { checkOptions } from "../core/options.ts";
import { atUserLine } from "../core/site.ts";
import type { Padding, PerAxis } from "../core/sliding.ts";
import * as surface from "../surface/index.ts";
import { nodeOf } from "./operand.ts";
import { derived, type Tensor } from "./tensor.ts";

export type { Padding, PerAxis } from "../core/sliding.ts";

export interface ConvolutionOptions {
  /** A number for each channel of the result: [out]. */
  readonly bias?: Tensor | undefined;
  /** How far the kernel goes from one position to the next. Default 1. */
  readonly stride?: PerAxis;
  /** Zeros around the input. Default 0. */
  readonly padding?: Padding;
  /** How far two neighbours under the kernel are apart. Default 1. */
  readonly dilation?: PerAxis;
  /** Parts of the channels that have nothing to do with one another; as many as channels, for a kernel for each one. Default 1. */
  readonly groups?: number;
}

/**
 * Slides kernels along the last axis: y[…, o, i] = bias[o] + Σ x[…, c, stride · i + dilation · j − before] · weight[o, c, j] over j and the channels c of
 * o's group, with zeros outside x. This is cross-correlation, which the field calls convolution: the kernel is not flipped (`convolve` flips it).
 * Goodfellow, Bengio and Courville 2016, equation 9.6.
 *
 * Shapes: x [..., in, l], weight [out, in / groups, k], result [..., out, ⌊(l + before + after − dilation · (k − 1) − 1) / stride⌋ + 1].
 *
 * @throws ShapeError for channels that differ, or a kernel that does not fit; ArgumentError for options that are none
 * @example conv1d(signals, kernels, { padding: "same" })   // [n, 2, 100] with [8, 2, 5] → [n, 8, 100]
 */
export function conv1d(x: Tensor, weight: Tensor, options: ConvolutionOptions = {}): Tensor {
  return convolution("conv1d", 1, [x, weight], options);
}

/**
 * Slides kernels over the last two axes; see `conv1d`.
 *
 * Shapes: x [..., in, h, w], weight [out, in / groups, kh, kw], result [..., out, h', w'].
 *
 * @example conv2d(images, kernels, { stride: 2, padding: [[0, 1], [0, 1]] })   // [n, 3, 32, 32] with [16, 3, 3, 3] → [n, 16, 16, 16]
 */
export function conv2d(x: Tensor, weight: Tensor, options: ConvolutionOptions = {}): Tensor {
  return convolution("conv2d", 2, [x, weight], options);
}

/**
 * Slides kernels over the last three axes; see `conv1d`.
 *
 * Shapes: x [..., in, d, h, w], weight [out, in / groups, kd, kh, kw], result [..., out, d', h', w'].
 */
export function conv3d(x: Tensor, weight: Tensor, options: ConvolutionOptions = {}): Tensor {
  return convolution("conv3d", 3, [x, weight], options);
}

function convolution(who: string, axes: number, [x, weight]: readonly [Tensor, Tensor], options: ConvolutionOptions): Tensor {
  return atUserLine(() => {
    checkOptions(who, options, ["bias", "stride", "padding", "dilation", "groups"]);
    const { bias, ...how } = options;
    const held = { x: nodeOf(x, who), weight: nodeOf(weight, who), bias: bias === undefined ? undefined : nodeOf(bias, who) };
    return derived(surface.convolution({ who, axes, ...held }, how), [x, weight, bias]);
  }, who);
}
