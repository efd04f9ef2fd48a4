import { ArgumentError, ShapeError } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { showShape } from "../core/shape.ts";
import type { Channels, Checked, Known, Shape } from "../core/shape-types.ts";
import { atUserLine } from "../core/site.ts";
import { type DType, groupNorm, type Tensor, type Variable } from "../index.ts";
import { checkInput, checkSize } from "./arguments.ts";
import { ones, zeros } from "./initializers.ts";
import { Module } from "./module.ts";
import { checkEps } from "./norm-arguments.ts";
import { parameter } from "./parameter.ts";
import type { ChannelShapes } from "./shapes.ts";

export interface GroupNormOptions {
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
  /** Learn a weight and a bias for each channel. Default true. */
  readonly affine?: boolean;
  /** Of the parameters. Default float32. */
  readonly dtype?: DType;
}

/**
 * Brings each group of neighbouring channels of an example to mean 0 and variance 1: y = (x − mean) / √(variance + eps) · weight + bias. Wu and He 2018.
 *
 * Shapes: x [n, C, …], kept; weight and bias [C], from 1 and 0.
 *
 * @throws ArgumentError if the groups do not divide the channels; ShapeError for other channels
 * @example new GroupNorm(4, 32)
 */
export class GroupNorm<C extends number = any> extends Module {
  declare readonly shapes?: ChannelShapes<C>;
  readonly numGroups: number;
  readonly numChannels: C;
  readonly eps: number;
  readonly weight: Variable<[C]> | undefined;
  readonly bias: Variable<[C]> | undefined;

  constructor(numGroups: number, numChannels: C, options: GroupNormOptions = {}) {
    super();
    this.eps = atUserLine(() => {
      checkOptions("GroupNorm", options, ["eps", "affine", "dtype"]);
      checkSize(numGroups, "GroupNorm: numGroups");
      checkSize(numChannels, "GroupNorm: numChannels");
      if (numChannels % numGroups !== 0)
        throw new ArgumentError(`GroupNorm: ${numChannels} channels do not divide into ${numGroups} groups`, {
          help: "numGroups first, then numChannels, a multiple of it",
        });
      return checkEps(options.eps ?? 1e-5, "GroupNorm");
    });
    const { affine = true, dtype = "float32" } = options;
    this.numGroups = numGroups;
    this.numChannels = numChannels;
    this.weight = affine ? parameter([numChannels], ones, { dtype }) : undefined;
    this.bias = affine ? parameter([numChannels], zeros, { dtype }) : undefined;
  }

  forward<S extends Shape>(x: Checked<Channels<S, C>, Tensor<S>>): Tensor<Known<Channels<S, C>>>;
  forward(x: Tensor, ...rest: unknown[]): Tensor {
    return atUserLine(() => {
      checkInput(x, rest, "GroupNorm");
      if (x.shape[1] !== this.numChannels)
        throw new ShapeError(`GroupNorm: the input is ${showShape(x.shape)}`, {
          why: `it must be [examples, ${this.numChannels} channels, …]`,
          ...(x.shape.length > 1 ? { help: `write new GroupNorm(${this.numGroups}, ${x.shape[1]})` } : {}),
        });
      const { weight, bias, eps } = this;
      return groupNorm(x, this.numGroups, { weight, bias, eps });
    }, "GroupNorm");
  }
}
