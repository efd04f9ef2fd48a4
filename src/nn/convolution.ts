import type { Checked, Convolved, Known, Shape } from "../core/shape-types.ts";
import { conv1d, conv2d, conv3d, type DType, type Padding, type PerAxis, type Tensor, type Variable } from "../index.ts";
import { forwarded, type How, parametersOf } from "./convolving.ts";
import { Module } from "./module.ts";
import type { ConvolutionShapes } from "./shapes.ts";

export interface ConvOptions {
  /** How far the kernel goes from one position to the next. Default 1. */
  readonly stride?: PerAxis;
  /**
   * Zeros around the input, as many on every side or for each axis, or `[before, after]` for each axis; "valid" is none, "same" keeps the size,
   * "full" lets the kernel reach each element with each of its own. Negative numbers cut off. Default 0.
   */
  readonly padding?: Padding;
  /** How far two neighbours under the kernel are apart. Default 1. */
  readonly dilation?: PerAxis;
  /** Parts of the channels that have nothing to do with one another; inChannels of them for a depthwise convolution. Default 1. */
  readonly groups?: number;
  /** Add a learned number to each channel of the result. Default true. */
  readonly bias?: boolean;
  /** Of the parameters. Default float32. */
  readonly dtype?: DType;
}

/**
 * A convolution along one axis: y[…, o, i] = bias[o] + Σ x[…, c, stride · i + dilation · j − padding] · weight[o, c, j], the kernel not flipped. Goodfellow,
 * Bengio and Courville 2016, section 9.1.
 *
 * Shapes: x [..., In, l], weight [Out, In / groups, k], bias [Out], result [..., Out, ⌊(l + 2 · padding − dilation · (k − 1) − 1) / stride⌋ + 1].
 * Both parameters start from U(±1/√(In / groups · k)), as PyTorch's (Kaiming uniform with a = √5; He et al. 2015).
 *
 * @throws ArgumentError for options that are none; ShapeError if x has not In channels, or the kernel does not fit
 * @example
 * const layer = init(new Conv1d(2, 8, 5, { padding: "same" }), 0);
 * layer.forward(zeros([32, 2, 100])).shape;   // [32, 8, 100]
 */
export class Conv1d<In extends number = any, Out extends number = any> extends Module {
  declare readonly shapes?: ConvolutionShapes<In, Out, [number], "Conv1d">;
  readonly inChannels: In;
  readonly outChannels: Out;
  readonly kernelSize: Shape;
  readonly how: How<ConvOptions>;
  readonly weight: Variable<[Out, number, number]>;
  readonly bias: Variable<[Out]> | undefined;

  constructor(inChannels: In, outChannels: Out, kernelSize: PerAxis, options: ConvOptions = {}) {
    super();
    const made = parametersOf({ who: "Conv1d", axes: 1, inChannels, outChannels, kernelSize, transposed: false }, options);
    this.inChannels = inChannels;
    this.outChannels = outChannels;
    this.kernelSize = made.kernelSize;
    this.how = made.how;
    this.weight = made.weight;
    this.bias = made.bias;
  }

  forward<S extends Shape>(
    x: Checked<Convolved<S, In, Out, [number], "Conv1d">, Tensor<S>>,
  ): Tensor<Known<Convolved<S, In, Out, [number], "Conv1d">>>;
  forward(x: Tensor, ...rest: unknown[]): Tensor {
    return forwarded("Conv1d", conv1d, this, [x, ...rest]);
  }
}

/**
 * A convolution over images: y[…, o, i] = bias[o] + Σ x[…, c, stride · i + dilation · j − padding] · weight[o, c, j] over the places j under the kernel and
 * the channels c of o's group; see `Conv1d`.
 *
 * Shapes: x [..., In, h, w], weight [Out, In / groups, kh, kw], bias [Out], result [..., Out, h', w'].
 *
 * @throws ArgumentError for options that are none; ShapeError if x has not In channels, or the kernel does not fit
 * @example
 * new Sequential(new Conv2d(1, 6, 5, { padding: 2 }), relu, new Conv2d(6, 16, 5), relu, new Flatten(), new Linear(16 * 24 * 24, 10))
 */
export class Conv2d<In extends number = any, Out extends number = any> extends Module {
  declare readonly shapes?: ConvolutionShapes<In, Out, [number, number], "Conv2d">;
  readonly inChannels: In;
  readonly outChannels: Out;
  readonly kernelSize: Shape;
  readonly how: How<ConvOptions>;
  readonly weight: Variable<[Out, number, number, number]>;
  readonly bias: Variable<[Out]> | undefined;

  constructor(inChannels: In, outChannels: Out, kernelSize: PerAxis, options: ConvOptions = {}) {
    super();
    const made = parametersOf({ who: "Conv2d", axes: 2, inChannels, outChannels, kernelSize, transposed: false }, options);
    this.inChannels = inChannels;
    this.outChannels = outChannels;
    this.kernelSize = made.kernelSize;
    this.how = made.how;
    this.weight = made.weight;
    this.bias = made.bias;
  }

  forward<S extends Shape>(
    x: Checked<Convolved<S, In, Out, [number, number], "Conv2d">, Tensor<S>>,
  ): Tensor<Known<Convolved<S, In, Out, [number, number], "Conv2d">>>;
  forward(x: Tensor, ...rest: unknown[]): Tensor {
    return forwarded("Conv2d", conv2d, this, [x, ...rest]);
  }
}

/**
 * A convolution over volumes, or over images in time; see `Conv1d`.
 *
 * Shapes: x [..., In, d, h, w], weight [Out, In / groups, kd, kh, kw], bias [Out], result [..., Out, d', h', w'].
 *
 * @throws ArgumentError for options that are none; ShapeError if x has not In channels, or the kernel does not fit
 */
export class Conv3d<In extends number = any, Out extends number = any> extends Module {
  declare readonly shapes?: ConvolutionShapes<In, Out, [number, number, number], "Conv3d">;
  readonly inChannels: In;
  readonly outChannels: Out;
  readonly kernelSize: Shape;
  readonly how: How<ConvOptions>;
  readonly weight: Variable<[Out, number, number, number, number]>;
  readonly bias: Variable<[Out]> | undefined;

  constructor(inChannels: In, outChannels: Out, kernelSize: PerAxis, options: ConvOptions = {}) {
    super();
    const made = parametersOf({ who: "Conv3d", axes: 3, inChannels, outChannels, kernelSize, transposed: false }, options);
    this.inChannels = inChannels;
    this.outChannels = outChannels;
    this.kernelSize = made.kernelSize;
    this.how = made.how;
    this.weight = made.weight;
    this.bias = made.bias;
  }

  forward<S extends Shape>(
    x: Checked<Convolved<S, In, Out, [number, number, number], "Conv3d">, Tensor<S>>,
  ): Tensor<Known<Convolved<S, In, Out, [number, number, number], "Conv3d">>>;
  forward(x: Tensor, ...rest: unknown[]): Tensor {
    return forwarded("Conv3d", conv3d, this, [x, ...rest]);
  }
}
