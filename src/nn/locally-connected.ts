import { checkOptions } from "../core/options.ts";
import { sizeOf } from "../core/shape.ts";
import type { Checked, Convolved, Known, Shape } from "../core/shape-types.ts";
import { atUserLine, takeSite } from "../core/site.ts";
import { countWindows, perAxis, slidings } from "../core/sliding.ts";
import { locallyConnected1d, locallyConnected2d, type PerAxis, type Tensor, type Variable } from "../index.ts";
import { checkSize } from "./arguments.ts";
import type { ConvOptions } from "./convolution.ts";
import { forwarded, type How } from "./convolving.ts";
import { symmetricByFan } from "./initializers.ts";
import { Module } from "./module.ts";
import { parameter } from "./parameter.ts";
import type { ConvolutionShapes } from "./shapes.ts";

/** As of convolutions, without groups. */
export type LocallyConnectedOptions = Omit<ConvOptions, "groups">;

/**
 * A convolution along one axis that shares nothing: each position of the result has a kernel and a bias of its own, y[…, o, i] = bias[o, i] + Σ x[…, c, stride · i +
 * dilation · j − padding] · weight[o, i, c, j]. Goodfellow, Bengio and Courville 2016, equation 9.9. It has as many times the weights of `Conv1d` as there are positions,
 * so that the size of the input is a part of it.
 *
 * Shapes: x [..., In, l], weight [Out, l', In, k], bias [Out, l'], result [..., Out, l']. Both parameters start from U(±1/√(In · k)), as those of `Conv1d`.
 *
 * @throws ArgumentError for options that are none; ShapeError if x has not In channels or another size, or the kernel does not fit
 * @example new LocallyConnected1d(2, 8, 100, 5)   // [n, 2, 100] → [n, 8, 96]
 */
export class LocallyConnected1d<In extends number = any, Out extends number = any> extends Module {
  declare readonly shapes?: ConvolutionShapes<In, Out, [number], "LocallyConnected1d">;
  readonly inChannels: In;
  readonly outChannels: Out;
  readonly inputSize: Shape;
  readonly kernelSize: Shape;
  readonly how: How<LocallyConnectedOptions>;
  readonly weight: Variable<[Out, number, In, number]>;
  readonly bias: Variable<[Out, number]> | undefined;

  constructor(inChannels: In, outChannels: Out, inputSize: PerAxis, kernelSize: PerAxis, options: LocallyConnectedOptions = {}) {
    super();
    const made = localParameters({ who: "LocallyConnected1d", axes: 1, inChannels, outChannels, inputSize, kernelSize }, options);
    this.inChannels = inChannels;
    this.outChannels = outChannels;
    this.inputSize = made.inputSize;
    this.kernelSize = made.kernelSize;
    this.how = made.how;
    this.weight = made.weight;
    this.bias = made.bias;
  }

  forward<S extends Shape>(
    x: Checked<Convolved<S, In, Out, [number], "LocallyConnected1d">, Tensor<S>>,
  ): Tensor<Known<Convolved<S, In, Out, [number], "LocallyConnected1d">>>;
  forward(x: Tensor, ...rest: unknown[]): Tensor {
    return forwarded("LocallyConnected1d", locallyConnected1d, this, [x, ...rest]);
  }
}

/**
 * A convolution over images that shares nothing; see `LocallyConnected1d`.
 *
 * Shapes: x [..., In, h, w], weight [Out, h', w', In, kh, kw], bias [Out, h', w'], result [..., Out, h', w'].
 *
 * @throws ArgumentError for options that are none; ShapeError if x has not In channels or another size, or the kernel does not fit
 * @example new LocallyConnected2d(1, 4, [28, 28], 5)   // [n, 1, 28, 28] → [n, 4, 24, 24], with 59,904 parameters where Conv2d has 104
 */
export class LocallyConnected2d<In extends number = any, Out extends number = any> extends Module {
  declare readonly shapes?: ConvolutionShapes<In, Out, [number, number], "LocallyConnected2d">;
  readonly inChannels: In;
  readonly outChannels: Out;
  readonly inputSize: Shape;
  readonly kernelSize: Shape;
  readonly how: How<LocallyConnectedOptions>;
  readonly weight: Variable<[Out, number, number, In, number, number]>;
  readonly bias: Variable<[Out, number, number]> | undefined;

  constructor(inChannels: In, outChannels: Out, inputSize: PerAxis, kernelSize: PerAxis, options: LocallyConnectedOptions = {}) {
    super();
    const made = localParameters({ who: "LocallyConnected2d", axes: 2, inChannels, outChannels, inputSize, kernelSize }, options);
    this.inChannels = inChannels;
    this.outChannels = outChannels;
    this.inputSize = made.inputSize;
    this.kernelSize = made.kernelSize;
    this.how = made.how;
    this.weight = made.weight;
    this.bias = made.bias;
  }

  forward<S extends Shape>(
    x: Checked<Convolved<S, In, Out, [number, number], "LocallyConnected2d">, Tensor<S>>,
  ): Tensor<Known<Convolved<S, In, Out, [number, number], "LocallyConnected2d">>>;
  forward(x: Tensor, ...rest: unknown[]): Tensor {
    return forwarded("LocallyConnected2d", locallyConnected2d, this, [x, ...rest]);
  }
}

interface Asked {
  readonly who: string;
  readonly axes: number;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly inputSize: PerAxis;
  readonly kernelSize: PerAxis;
}

/** What both classes take over. */
interface Made {
  readonly inputSize: Shape;
  readonly kernelSize: Shape;
  readonly how: How<LocallyConnectedOptions>;
  readonly weight: Variable<any>;
  readonly bias: Variable<any> | undefined;
}

function localParameters(asked: Asked, options: LocallyConnectedOptions): Made {
  const { who, axes, inChannels, outChannels } = asked;
  checkOptions(who, options, ["stride", "padding", "dilation", "bias", "dtype"], takeSite);
  checkSize(inChannels, `${who}: inChannels`);
  checkSize(outChannels, `${who}: outChannels`);
  const { bias = true, dtype = "float32", ...how } = options;
  const { inputSize, kernelSize, positions } = atUserLine(() => {
    const size = perAxis(asked.inputSize, axes, 1, `${who}: the input size`);
    const slides = slidings(who, axes, { ...options, kernelSize: asked.kernelSize });
    const counts = slides.map((s, i) => countWindows(who, size, i, s));
    return { inputSize: size, kernelSize: slides.map((s) => s.size), positions: counts };
  });
  const start = symmetricByFan(inChannels * sizeOf(kernelSize));
  return {
    inputSize,
    kernelSize,
    how,
    weight: parameter([outChannels, ...positions, inChannels, ...kernelSize], start, { dtype }),
    bias: bias ? parameter([outChannels, ...positions], start, { dtype }) : undefined,
  };
}
