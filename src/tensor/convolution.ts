/** Functions that slide a kernel over tensors: a bundle holds those that it calls. */
import { checkOptions } from "../core/options.ts";
import { atUserLine } from "../core/site.ts";
import type { Padding, PerAxis } from "../core/sliding.ts";
import type { ConvolveMode } from "../surface/convolve.ts";
import * as surface from "../surface/index.ts";
import { nodeOf } from "./operand.ts";
import { derived, type Tensor } from "./tensor.ts";

export type { Padding, PerAxis } from "../core/sliding.ts";
export type { ConvolveMode } from "../surface/convolve.ts";

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
 * Slides kernels over the last two axes; see `conv1d`. Where that is faster, 3×3 kernels of many channels are multiplied in Winograd's form F(2×2, 3×3)
 * (Lavin and Gray 2016), whose sums are of up to four neighbours first: as accurate where those are of like size, while one beside which they vanish rounds
 * all 9 results that read it, whatever its weight there, and one beyond a quarter of the largest float overflows. ±∞ or NaN in x reaches a square of 16
 * results where 9 read it. `optimize: 0` is without.
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

export interface TransposedConvolutionOptions extends Omit<ConvolutionOptions, "padding"> {
  /** What is cut off the result: as much on every side, for each axis, or `[before, after]` for each axis. Default 0. */
  readonly padding?: Exclude<Padding, string>;
  /** How much longer the result is behind: where a stride maps several sizes to one, it says which of them is meant. Default 0. */
  readonly outputPadding?: PerAxis;
}

/**
 * The adjoint of `conv1d`: each element puts a kernel at its place in the result, y[…, o, stride · i + dilation · j − padding] += x[…, c, i] · weight[c, o, j], and
 * bias[o] is added. It maps what a convolution of the same weight made back to where it came from. Dumoulin and Visin 2016, chapter 4.
 *
 * Shapes: x [..., in, l], weight [in, out / groups, k], result [..., out, stride · (l − 1) − 2 · padding + dilation · (k − 1) + outputPadding + 1].
 *
 * @throws ShapeError for channels that differ, or a result without elements; ArgumentError for options that are none
 */
export function convTranspose1d(x: Tensor, weight: Tensor, options: TransposedConvolutionOptions = {}): Tensor {
  return transposed("convTranspose1d", 1, [x, weight], options);
}

/**
 * The adjoint of `conv2d`; see `convTranspose1d`.
 *
 * Shapes: x [..., in, h, w], weight [in, out / groups, kh, kw], result [..., out, h', w'].
 *
 * @example convTranspose2d(features, kernels, { stride: 2, padding: 1 })   // [n, 64, 8, 8] with [64, 3, 4, 4] → [n, 3, 16, 16]
 */
export function convTranspose2d(x: Tensor, weight: Tensor, options: TransposedConvolutionOptions = {}): Tensor {
  return transposed("convTranspose2d", 2, [x, weight], options);
}

/**
 * The adjoint of `conv3d`; see `convTranspose1d`.
 *
 * Shapes: x [..., in, d, h, w], weight [in, out / groups, kd, kh, kw], result [..., out, d', h', w'].
 */
export function convTranspose3d(x: Tensor, weight: Tensor, options: TransposedConvolutionOptions = {}): Tensor {
  return transposed("convTranspose3d", 3, [x, weight], options);
}

type Operands = readonly [x: Tensor, weight: Tensor];
const OPTIONS = ["bias", "stride", "padding", "dilation", "groups"];

function convolution(who: string, axes: number, operands: Operands, options: ConvolutionOptions): Tensor {
  return atUserLine(() => {
    checkOptions(who, options, OPTIONS);
    return derived(surface.convolution(callOf(who, axes, operands, options), options), [...operands, options.bias]);
  }, who);
}

function transposed(who: string, axes: number, operands: Operands, options: TransposedConvolutionOptions): Tensor {
  return atUserLine(() => {
    checkOptions(who, options, [...OPTIONS, "outputPadding"]);
    return derived(surface.transposedConvolution(callOf(who, axes, operands, options), options), [...operands, options.bias]);
  }, who);
}

function callOf(
  who: string,
  axes: number,
  [x, weight]: Operands,
  { bias }: { readonly bias?: Tensor | undefined },
): surface.ConvolutionCall {
  return { who, axes, x: nodeOf(x, who), weight: nodeOf(weight, who), bias: bias === undefined ? undefined : nodeOf(bias, who) };
}

/**
 * A convolution that shares nothing: each position of the result has a kernel of its own, y[…, o, i] = bias[o, i] + Σ x[…, c, stride · i + dilation · j − before] ·
 * weight[o, i, c, j]. Goodfellow, Bengio and Courville 2016, equation 9.9.
 *
 * Shapes: x [..., in, l], weight [out, l', in, k], bias [out, l'], result [..., out, l'] with l' as of `conv1d`.
 *
 * @throws ShapeError for channels that differ, another number of positions, or a kernel that does not fit; ArgumentError for options that are none
 */
export function locallyConnected1d(x: Tensor, weight: Tensor, options: LocalOptions = {}): Tensor {
  return local("locallyConnected1d", 1, [x, weight], options);
}

/**
 * A kernel of its own for each position of an image; see `locallyConnected1d`.
 *
 * Shapes: x [..., in, h, w], weight [out, h', w', in, kh, kw], bias [out, h', w'], result [..., out, h', w'].
 */
export function locallyConnected2d(x: Tensor, weight: Tensor, options: LocalOptions = {}): Tensor {
  return local("locallyConnected2d", 2, [x, weight], options);
}

/** Without groups. */
export interface LocalOptions extends Omit<ConvolutionOptions, "groups" | "bias"> {
  /** A number for each channel and position of the result. */
  readonly bias?: Tensor | undefined;
}

function local(who: string, axes: number, operands: Operands, options: LocalOptions): Tensor {
  return atUserLine(() => {
    checkOptions(who, options, ["bias", "stride", "padding", "dilation"]);
    return derived(surface.locallyConnected(callOf(who, axes, operands, options), options), [...operands, options.bias]);
  }, who);
}

/** How a window slides over images. */
export type UnfoldOptions = Pick<ConvolutionOptions, "stride" | "padding" | "dilation">;

/**
 * What lies under a window at each of its positions, as columns: a convolution is a product of its kernels with them.
 *
 * Shapes: x [..., c, h, w] → [..., c · kh · kw, positions], positions row by row.
 *
 * @throws ShapeError for a window that does not fit; ArgumentError for options that are none
 * @example unfold(image, 16, { stride: 16 })   // [3, 224, 224] → [768, 196]: patches of an image
 */
export function unfold(x: Tensor, kernelSize: PerAxis, options: UnfoldOptions = {}): Tensor {
  return atUserLine(() => {
    checkOptions("unfold", options, ["stride", "padding", "dilation"]);
    return derived(surface.unfold(nodeOf(x, "unfold"), { ...options, kernelSize }), [x]);
  }, "unfold");
}

/**
 * The adjoint of `unfold`: columns put where they lie in an image, and added up where windows overlap.
 *
 * Shapes: x [..., c · kh · kw, positions] → [..., c, h, w], where [h, w] is the output size.
 *
 * @throws ShapeError for columns that are not of such an image; ArgumentError for options that are none
 */
export function fold(x: Tensor, outputSize: PerAxis, kernelSize: PerAxis, options: UnfoldOptions = {}): Tensor {
  return atUserLine(() => {
    checkOptions("fold", options, ["stride", "padding", "dilation"]);
    return derived(surface.fold(nodeOf(x, "fold"), outputSize, { ...options, kernelSize }), [x]);
  }, "fold");
}

/**
 * Convolution along all axes, (a ∗ b)[t] = Σ a[i] · b[t − i], the second flipped: it is commutative, and associative where all of it is kept. Goodfellow, Bengio and
 * Courville 2016, equations 9.3 to 9.5; of sequences NumPy's `convolve`.
 *
 * Kept is, along each axis of n and m elements: "full" all n + m − 1 places where the two meet, "same" the max(n, m) in the middle, "valid" the
 * |n − m| + 1 where the shorter lies within the longer.
 *
 * @throws ShapeError for tensors of unlike ranks, scalars and empty ones; ArgumentError for a mode that is none
 * @example convolve(sensor, tensor([1, 1, 1]).div(3), "same")   // smoothed
 */
export function convolve(a: Tensor, b: Tensor, mode: ConvolveMode = "full"): Tensor {
  return atUserLine(() => derived(surface.convolve(nodeOf(a, "convolve"), nodeOf(b, "convolve"), mode), [a, b]), "convolve");
}

/**
 * Cross-correlation along all axes, c[k] = Σ a[n + k] · b[n]: `convolve` without the flip, so that the order of the two counts. Goodfellow, Bengio and
 * Courville 2016, equation 9.6; of sequences NumPy's `correlate`. What is kept is as in `convolve`.
 *
 * @throws ShapeError for tensors of unlike ranks, scalars and empty ones; ArgumentError for a mode that is none
 * @example correlate(signal, pattern).argmax()   // where the pattern lies
 */
export function correlate(a: Tensor, b: Tensor, mode: ConvolveMode = "valid"): Tensor {
  return atUserLine(() => derived(surface.correlate(nodeOf(a, "correlate"), nodeOf(b, "correlate"), mode), [a, b]), "correlate");
}
