/** Pictures in another light. */
import { ArgumentError, ShapeError, show } from "../../core/errors.ts";
import { checkOptions } from "../../core/options.ts";
import { showShape } from "../../core/shape.ts";
import type { Shape } from "../../core/shape-types.ts";
import { atUserLine, takeSite } from "../../core/site.ts";
import { type Generator, type Tensor, tensor, type Variable } from "../../index.ts";
import { checkAlone, checkSize } from "../arguments.ts";
import { zeros } from "../initializers.ts";
import { checkMode, type Mode } from "../mode.ts";
import { Module } from "../module.ts";
import { parameter } from "../parameter.ts";
import type { SameShapes } from "../shapes.ts";
import { checkRange } from "./affine.ts";
import { symmetricEigen } from "./eigen.ts";
import { checkImages } from "./sample.ts";

export interface ColorJitterOptions {
  /** Values times a factor in [1 − b, 1 + b], or in a range. Default 0. */
  readonly brightness?: number | readonly [low: number, high: number];
  /** Distances from the mean grey of the picture times such a factor. Default 0. */
  readonly contrast?: number | readonly [low: number, high: number];
  /** Distances from the grey of each pixel times such a factor; only of pictures in RGB. Default 0. */
  readonly saturation?: number | readonly [low: number, high: number];
}

/**
 * In training, each picture with brightness, contrast and saturation of its own, changed in this order; in use its input. PyTorch's ColorJitter (torchvision), but nothing is cut off: what
 * was from 0 to 1 may lie outside, and values that were standardised before are as welcome.
 *
 * Shapes: [n, channels, h, w], kept. Grey is 0.299 R + 0.587 G + 0.114 B of three channels, else the mean of the channels.
 *
 * @throws ArgumentError for a negative factor or a missing mode; ShapeError for a saturation of pictures that have not three channels
 * @example new ColorJitter({ brightness: 0.2, contrast: 0.2 })
 */
export class ColorJitter extends Module {
  declare readonly shapes?: SameShapes;
  readonly brightness: readonly [low: number, high: number];
  readonly contrast: readonly [low: number, high: number];
  readonly saturation: readonly [low: number, high: number];

  constructor(options: ColorJitterOptions = {}) {
    super();
    checkOptions("ColorJitter", options, ["brightness", "contrast", "saturation"], takeSite);
    const range = (name: keyof ColorJitterOptions): readonly [number, number] => {
      const given = options[name] ?? 0;
      return checkRange(`ColorJitter: ${name}`, typeof given === "number" ? [Math.max(0, 1 - given), 1 + given] : given, 0);
    };
    this.brightness = range("brightness");
    this.contrast = range("contrast");
    this.saturation = range("saturation");
  }

  forward<S extends Shape>(x: Tensor<S>, mode: Mode): Tensor<S>;
  forward(x: Tensor, ...rest: [Mode]): Tensor {
    return atUserLine(() => {
      checkAlone(rest, "ColorJitter");
      const how = checkMode(rest[0], "ColorJitter");
      const [n, channels] = checkImages(x, "ColorJitter");
      const hasColours = this.saturation[0] !== 1 || this.saturation[1] !== 1;
      if (hasColours && channels !== 3)
        throw new ShapeError(`ColorJitter: the input is ${showShape(x.shape)}`, {
          why: "only pictures of three channels, RGB, have a saturation",
        });
      if (!how.training) return x;
      const factor = (range: readonly [number, number]): Tensor | undefined => factorOf(how.rng, n, range);
      const [bright, contrast, colour] = [factor(this.brightness), factor(this.contrast), factor(this.saturation)];
      const lit = bright ? x.mul(bright) : x;
      const apart = contrast ? blended(lit, greyOf(lit).mean([1, 2, 3], { keepDims: true }), contrast) : lit;
      return colour ? blended(apart, greyOf(apart), colour) : apart;
    }, "ColorJitter");
  }
}

const factorOf = (rng: Generator, n: number, [low, high]: readonly [number, number]): Tensor | undefined => {
  if (low !== high) return rng.uniform([n, 1, 1, 1], low, high);
  return low === 1 ? undefined : tensor([low]);
};

/** x · f + other · (1 − f). */
const blended = (x: Tensor, other: Tensor, f: Tensor): Tensor => x.mul(f).add(other.mul(f.neg().add(1)));

/** [n, c, h, w] → [n, 1, h, w]. */
function greyOf(x: Tensor): Tensor {
  if (x.shape[1] !== 3) return x.mean(1, { keepDims: true });
  return x.mul(tensor([0.299, 0.587, 0.114]).reshape([3, 1, 1])).sum(1, { keepDims: true });
}

/**
 * In training, each picture's colours shifted along the principal axes of the colours of all pictures, x + Σₖ αₖ λₖ pₖ, with eigenvectors pₖ and eigenvalues λₖ of the covariance
 * of the channels, and αₖ ~ N(0, sd) drawn for each picture; in use its input. Krizhevsky, Sutskever and Hinton 2012, section 4.1, whose sd is 0.1. The axes are numbers of the model, not trained and stored
 * with it; until `adapt` they are 0, and nothing is shifted.
 *
 * Shapes: [n, channels, h, w], kept; components [channels, channels], whose columns are λₖ pₖ.
 *
 * @throws ArgumentError for a deviation that is negative, or a missing mode; ShapeError for another number of channels
 * @example const shift = new PcaColorShift(); shift.adapt(await channelMoments(train));
 */
export class PcaColorShift extends Module {
  declare readonly shapes?: SameShapes;
  readonly channels: number;
  readonly sd: number;
  readonly components: Variable<[number, number]>;

  constructor(sd = 0.1, channels = 3) {
    super();
    if (!(Number.isFinite(sd) && sd >= 0))
      throw new ArgumentError(`PcaColorShift: a deviation of ${show(sd)}`, { help: "a finite number ≥ 0", site: takeSite() });
    this.sd = sd;
    this.channels = checkSize(channels, "PcaColorShift: channels");
    this.components = parameter([channels, channels], zeros, { trainable: false });
  }

  /** Takes the axes of a covariance of the channels, of the training part only. @throws ArgumentError unless it is finite, symmetric and of this many channels */
  adapt({ covariance }: { readonly covariance: readonly (readonly number[])[] }): this {
    const { channels } = this;
    const isOne =
      Array.isArray(covariance) &&
      covariance.length === channels &&
      covariance.every(
        (row, i) => row?.length === channels && row.every((v: number, j: number) => Number.isFinite(v) && v === covariance[j]?.[i]),
      );
    if (!isOne)
      throw new ArgumentError(`PcaColorShift: the covariance is ${show(covariance)}`, {
        why: `it is a symmetric matrix of ${channels} × ${channels} finite numbers`,
        site: takeSite(),
      });
    const { values, vectors } = symmetricEigen(covariance);
    this.components.assign(
      tensor(
        vectors.flatMap((row) => row.map((v, k) => v * values[k]!)),
        [channels, channels],
      ),
    );
    return this;
  }

  forward<S extends Shape>(x: Tensor<S>, mode: Mode): Tensor<S>;
  forward(x: Tensor, ...rest: [Mode]): Tensor {
    return atUserLine(() => {
      checkAlone(rest, "PcaColorShift");
      const how = checkMode(rest[0], "PcaColorShift");
      const [n, channels] = checkImages(x, "PcaColorShift");
      if (channels !== this.channels)
        throw new ShapeError(`PcaColorShift: the input is ${showShape(x.shape)}`, {
          why: `the layer was made for ${this.channels} channels`,
        });
      if (!how.training || this.sd === 0) return x;
      const alpha = how.rng.normal([n, channels], 0, this.sd);
      return x.add(alpha.matmul(this.components.transpose()).reshape([n, channels, 1, 1]).cast(x.dtype));
    }, "PcaColorShift");
  }
}
