import type { Checked, Convolved, Known, Shape } from "../core/shape-types.ts";
import { convTranspose1d, convTranspose2d, convTranspose3d, type Padding, type PerAxis, type Tensor, type Variable } from "../index.ts";
import type { ConvOptions } from "./convolution.ts";
import { forwarded, type How, parametersOf } from "./convolving.ts";
import { Module } from "./module.ts";
import type { ConvolutionShapes } from "./shapes.ts";

export interface ConvTransposeOptions extends Omit<ConvOptions, "padding"> {
  /** What is cut off the result: as much on every side, for each axis, or `[before, after]` for each axis. Default 0. */
  readonly padding?: Exclude<Padding, string>;
  /** How much longer the result is behind: where a stride maps several sizes to one, it says which of them is meant. Default 0. */
  readonly outputPadding?: PerAxis;
}

/**
 * The adjoint of a convolution along one axis: each element of x puts a kernel at its place in the result, y[…, o, stride · i + dilation · j − padding] +=
 * x[…, c, i] · weight[c, o, j], and bias[o] is added. Dumoulin and Visin 2016, chapter 4.
 *
 * Shapes: x [..., In, l], weight [In, Out / groups, k], bias [Out], result [..., Out, stride · (l − 1) − 2 · padding + dilation · (k − 1) + outputPadding + 1].
 * Both parameters start from U(±1/√(Out / groups · k)), as PyTorch's.
 *
 * @throws ArgumentError for options that are none; ShapeError if x has not In channels, or the result would have no elements
 */
export class ConvTranspose1d<In extends number = any, Out extends number = any> extends Module {
  declare readonly shapes?: ConvolutionShapes<In, Out, [number], "ConvTranspose1d">;
  readonly inChannels: In;
  readonly outChannels: Out;
  readonly kernelSize: Shape;
  readonly how: How<ConvTransposeOptions>;
  readonly weight: Variable<[In, number, number]>;
  readonly bias: Variable<[Out]> | undefined;

  constructor(inChannels: In, outChannels: Out, kernelSize: PerAxis, options: ConvTransposeOptions = {}) {
    super();
    const made = parametersOf({ who: "ConvTranspose1d", axes: 1, inChannels, outChannels, kernelSize, transposed: true }, options);
    this.inChannels = inChannels;
    this.outChannels = outChannels;
    this.kernelSize = made.kernelSize;
    this.how = made.how;
    this.weight = made.weight;
    this.bias = made.bias;
  }

  forward<S extends Shape>(
    x: Checked<Convolved<S, In, Out, [number], "ConvTranspose1d">, Tensor<S>>,
  ): Tensor<Known<Convolved<S, In, Out, [number], "ConvTranspose1d">>>;
  forward(x: Tensor, ...rest: unknown[]): Tensor {
    return forwarded("ConvTranspose1d", convTranspose1d, this, [x, ...rest]);
  }
}

/**
 * The adjoint of a convolution over images, which makes them larger where it has a stride; see `ConvTranspose1d`.
 *
 * Shapes: x [..., In, h, w], weight [In, Out / groups, kh, kw], bias [Out], result [..., Out, h', w'].
 *
 * @throws ArgumentError for options that are none; ShapeError if x has not In channels, or the result would have no elements
 * @example new ConvTranspose2d(64, 3, 4, { stride: 2, padding: 1 })   // [n, 64, 8, 8] → [n, 3, 16, 16]
 */
export class ConvTranspose2d<In extends number = any, Out extends number = any> extends Module {
  declare readonly shapes?: ConvolutionShapes<In, Out, [number, number], "ConvTranspose2d">;
  readonly inChannels: In;
  readonly outChannels: Out;
  readonly kernelSize: Shape;
  readonly how: How<ConvTransposeOptions>;
  readonly weight: Variable<[In, number, number, number]>;
  readonly bias: Variable<[Out]> | undefined;

  constructor(inChannels: In, outChannels: Out, kernelSize: PerAxis, options: ConvTransposeOptions = {}) {
    super();
    const made = parametersOf({ who: "ConvTranspose2d", axes: 2, inChannels, outChannels, kernelSize, transposed: true }, options);
    this.inChannels = inChannels;
    this.outChannels = outChannels;
    this.kernelSize = made.kernelSize;
    this.how = made.how;
    this.weight = made.weight;
    this.bias = made.bias;
  }

  forward<S extends Shape>(
    x: Checked<Convolved<S, In, Out, [number, number], "ConvTranspose2d">, Tensor<S>>,
  ): Tensor<Known<Convolved<S, In, Out, [number, number], "ConvTranspose2d">>>;
  forward(x: Tensor, ...rest: unknown[]): Tensor {
    return forwarded("ConvTranspose2d", convTranspose2d, this, [x, ...rest]);
  }
}

/**
 * The adjoint of a convolution over volumes; see `ConvTranspose1d`.
 *
 * Shapes: x [..., In, d, h, w], weight [In, Out / groups, kd, kh, kw], bias [Out], result [..., Out, d', h', w'].
 *
 * @throws ArgumentError for options that are none; ShapeError if x has not In channels, or the result would have no elements
 */
export class ConvTranspose3d<In extends number = any, Out extends number = any> extends Module {
  declare readonly shapes?: ConvolutionShapes<In, Out, [number, number, number], "ConvTranspose3d">;
  readonly inChannels: In;
  readonly outChannels: Out;
  readonly kernelSize: Shape;
  readonly how: How<ConvTransposeOptions>;
  readonly weight: Variable<[In, number, number, number, number]>;
  readonly bias: Variable<[Out]> | undefined;

  constructor(inChannels: In, outChannels: Out, kernelSize: PerAxis, options: ConvTransposeOptions = {}) {
    super();
    const made = parametersOf({ who: "ConvTranspose3d", axes: 3, inChannels, outChannels, kernelSize, transposed: true }, options);
    this.inChannels = inChannels;
    this.outChannels = outChannels;
    this.kernelSize = made.kernelSize;
    this.how = made.how;
    this.weight = made.weight;
    this.bias = made.bias;
  }

  forward<S extends Shape>(
    x: Checked<Convolved<S, In, Out, [number, number, number], "ConvTranspose3d">, Tensor<S>>,
  ): Tensor<Known<Convolved<S, In, Out, [number, number, number], "ConvTranspose3d">>>;
  forward(x: Tensor, ...rest: unknown[]): Tensor {
    return forwarded("ConvTranspose3d", convTranspose3d, this, [x, ...rest]);
  }
}
