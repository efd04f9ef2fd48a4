import { ArgumentError, ShapeError, show } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { showShape, sizeOf } from "../core/shape.ts";
import type { Checked, Convolved, Known, Shape } from "../core/shape-types.ts";
import { atUserLine, takeSite } from "../core/site.ts";
import { slidings } from "../core/sliding.ts";
import {
  type ConvolutionOptions,
  conv1d,
  conv2d,
  conv3d,
  type DType,
  type Padding,
  type PerAxis,
  type Tensor,
  type Variable,
} from "../index.ts";
import { checkInput, checkSize } from "./arguments.ts";
import { symmetricByFan } from "./initializers.ts";
import { Module } from "./module.ts";
import { parameter } from "./parameter.ts";
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

/** How a layer slides. */
type How = Required<Omit<ConvOptions, "bias" | "dtype">>;

/** What all these layers have. */
interface Sliding {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly how: How;
  readonly weight: Variable;
  readonly bias: Variable | undefined;
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
  readonly how: How;
  readonly weight: Variable<[Out, number, number]>;
  readonly bias: Variable<[Out]> | undefined;

  constructor(inChannels: In, outChannels: Out, kernelSize: PerAxis, options: ConvOptions = {}) {
    super();
    this.inChannels = checkSize(inChannels, "Conv1d: inChannels");
    this.outChannels = checkSize(outChannels, "Conv1d: outChannels");
    ({ how: this.how, weight: this.weight, bias: this.bias } = made("Conv1d", [outChannels, inChannels], [kernelSize, 1], options));
  }

  forward<S extends Shape>(
    x: Checked<Convolved<S, In, Out, [number], "Conv1d">, Tensor<S>>,
  ): Tensor<Known<Convolved<S, In, Out, [number], "Conv1d">>>;
  forward(x: Tensor, ...rest: unknown[]): Tensor {
    return slid("Conv1d", conv1d, this, [x, ...rest]);
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
  readonly how: How;
  readonly weight: Variable<[Out, number, number, number]>;
  readonly bias: Variable<[Out]> | undefined;

  constructor(inChannels: In, outChannels: Out, kernelSize: PerAxis, options: ConvOptions = {}) {
    super();
    this.inChannels = checkSize(inChannels, "Conv2d: inChannels");
    this.outChannels = checkSize(outChannels, "Conv2d: outChannels");
    ({ how: this.how, weight: this.weight, bias: this.bias } = made("Conv2d", [outChannels, inChannels], [kernelSize, 2], options));
  }

  forward<S extends Shape>(
    x: Checked<Convolved<S, In, Out, [number, number], "Conv2d">, Tensor<S>>,
  ): Tensor<Known<Convolved<S, In, Out, [number, number], "Conv2d">>>;
  forward(x: Tensor, ...rest: unknown[]): Tensor {
    return slid("Conv2d", conv2d, this, [x, ...rest]);
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
  readonly how: How;
  readonly weight: Variable<[Out, number, number, number, number]>;
  readonly bias: Variable<[Out]> | undefined;

  constructor(inChannels: In, outChannels: Out, kernelSize: PerAxis, options: ConvOptions = {}) {
    super();
    this.inChannels = checkSize(inChannels, "Conv3d: inChannels");
    this.outChannels = checkSize(outChannels, "Conv3d: outChannels");
    ({ how: this.how, weight: this.weight, bias: this.bias } = made("Conv3d", [outChannels, inChannels], [kernelSize, 3], options));
  }

  forward<S extends Shape>(
    x: Checked<Convolved<S, In, Out, [number, number, number], "Conv3d">, Tensor<S>>,
  ): Tensor<Known<Convolved<S, In, Out, [number, number, number], "Conv3d">>>;
  forward(x: Tensor, ...rest: unknown[]): Tensor {
    return slid("Conv3d", conv3d, this, [x, ...rest]);
  }
}

/** The options and the parameters of a layer whose kernels are [out, in / groups, …kernelSize]. */
function made<W extends Shape, Out extends number>(
  who: string,
  [out, channels]: readonly [out: Out, channels: number],
  [kernelSize, axes]: readonly [PerAxis, axes: number],
  options: ConvOptions,
): { how: How; weight: Variable<W>; bias: Variable<[Out]> | undefined } {
  checkOptions(who, options, ["stride", "padding", "dilation", "groups", "bias", "dtype"], takeSite);
  const { stride = 1, padding = 0, dilation = 1, groups = 1, bias = true, dtype = "float32" } = options;
  const kernel = atUserLine(() => slidings(who, axes, { kernelSize, stride, padding, dilation })).map(({ size }) => size);
  checkGroups(who, groups, [channels, out]);
  const fanIn = (channels / groups) * sizeOf(kernel);
  return {
    how: { stride, padding, dilation, groups },
    weight: parameter([out, channels / groups, ...kernel], symmetricByFan(fanIn), { dtype }) as unknown as Variable<W>,
    bias: bias ? parameter([out], symmetricByFan(fanIn), { dtype }) : undefined,
  };
}

/** A number of groups that divides the channels on both sides. */
function checkGroups(who: string, groups: number, [channels, out]: readonly [channels: number, out: number]): void {
  if (Number.isSafeInteger(groups) && groups >= 1 && channels % groups === 0 && out % groups === 0) return;
  throw new ArgumentError(`${who}: groups is ${show(groups)}`, {
    why: `it is a whole number that divides the ${channels} channels of the input and the ${out} of the result`,
    site: takeSite(),
  });
}

type Slide = (x: Tensor, weight: Tensor, options: ConvolutionOptions) => Tensor;

/** What a layer makes of its input; errors name the layer, and the layer that the input wants. */
function slid(
  who: string,
  slide: Slide,
  { inChannels, outChannels, how, weight, bias }: Sliding,
  [x, ...rest]: readonly unknown[],
): Tensor {
  return atUserLine(() => {
    checkInput(x, rest, who);
    const { shape } = x as Tensor;
    const axes = weight.shape.length - 2;
    const channels = shape.at(-axes - 1);
    if (channels === undefined)
      throw new ShapeError(`${who}: the input is ${showShape(shape)}`, {
        why: `it needs an axis of ${inChannels} ${inChannels === 1 ? "channel" : "channels"}, and ${axes} of space after it`,
      });
    if (channels !== inChannels) {
      const grey = inChannels === 1 && shape.length === axes + 1;
      throw new ShapeError(`${who}: the input is ${showShape(shape)}`, {
        why: `it has ${channels} ${channels === 1 ? "channel" : "channels"}, the layer was made for ${inChannels}`,
        help: grey
          ? `x.unsqueeze(1) is ${showShape(shape.toSpliced(1, 0, 1))}, of one channel each`
          : `write new ${who}(${channels}, ${outChannels}, ${kernelText(weight.shape.slice(2))}), or reshape the input`,
      });
    }
    return slide(x as Tensor, weight, { ...how, bias });
  }, who);
}

const kernelText = (kernel: Shape): string => (kernel.every((k) => k === kernel[0]) ? `${kernel[0]}` : showShape(kernel));
