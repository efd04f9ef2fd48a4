import { ArgumentError, show } from "../../core/errors.ts";
import { checkOptions } from "../../core/options.ts";
import type { Shape } from "../../core/shape-types.ts";
import { atUserLine, takeSite } from "../../core/site.ts";
import { type Tensor, tensor } from "../../index.ts";
import { checkAlone } from "../arguments.ts";
import { checkMode, type Mode } from "../mode.ts";
import { Module } from "../module.ts";
import type { SameShapes } from "../shapes.ts";
import { checkImages, checkOutside, type Outside, positions, SAMPLE_OPTIONS, type SampleOptions, sampleBilinear } from "./sample.ts";

export interface ElasticTransformOptions extends SampleOptions {
  /** How far pixels move: the displacements, which are below 1, times this many pixels. Default 34. */
  readonly alpha?: number;
  /** How smooth the displacements are: the deviation of the Gaussian, in pixels. Default 4. */
  readonly sigma?: number;
}

/**
 * In training, each picture bent as if by a hand: every pixel is read from a place moved by α · (G_σ ∗ U), with U uniform in [−1, 1) for each pixel and each axis, and G_σ a
 * Gaussian (nothing outside the picture); in use its input. Simard, Steinkraus and Platt 2003, whose α = 34 and σ = 4 for handwritten digits of 29 × 29 are the defaults.
 *
 * Shapes: [n, channels, h, w], kept.
 *
 * @throws ArgumentError for α or σ that are negative, a σ of 0, or a missing mode
 * @example new ElasticTransform({ alpha: 8, sigma: 3 })
 */
export class ElasticTransform extends Module {
  declare readonly shapes?: SameShapes;
  readonly alpha: number;
  readonly sigma: number;
  readonly outside: Outside;

  constructor(options: ElasticTransformOptions = {}) {
    super();
    checkOptions("ElasticTransform", options, ["alpha", "sigma", ...SAMPLE_OPTIONS], takeSite);
    const { alpha = 34, sigma = 4, outside = "zero" } = options;
    if (!(Number.isFinite(alpha) && alpha >= 0 && Number.isFinite(sigma) && sigma > 0))
      throw new ArgumentError(`ElasticTransform: alpha ${show(alpha)}, sigma ${show(sigma)}`, {
        help: "finite, alpha ≥ 0, sigma > 0",
        site: takeSite(),
      });
    this.alpha = alpha;
    this.sigma = sigma;
    this.outside = checkOutside(outside, "ElasticTransform");
  }

  forward<S extends Shape>(x: Tensor<S>, mode: Mode): Tensor<S>;
  forward(x: Tensor, ...rest: [Mode]): Tensor {
    return atUserLine(() => {
      checkAlone(rest, "ElasticTransform");
      const how = checkMode(rest[0], "ElasticTransform");
      const [n, , height, width] = checkImages(x, "ElasticTransform");
      if (!how.training) return x;
      const noise = how.rng.uniform([2 * n, height, width], -1, 1);
      // Smoothing along rows and columns is a product with a matrix for each.
      const smooth = gaussian(height, this.sigma)
        .matmul(noise.matmul(gaussian(width, this.sigma)))
        .mul(this.alpha);
      const [down, right] = smooth.reshape([2, n, height, width]).split(2) as [Tensor, Tensor];
      const rows = positions(height, "rows").add(down.squeeze(0));
      const columns = positions(width, "columns").add(right.squeeze(0));
      return sampleBilinear(x, rows, columns, { outside: this.outside });
    }, "ElasticTransform");
  }
}

/** Weights reach as far as this many deviations. */
const REACH = 4;

/** [size, size], symmetric: the weight of pixel j in the smoothed pixel i. The weights of a pixel far from the ends add up to 1. */
function gaussian(size: number, sigma: number): Tensor {
  const reach = Math.ceil(REACH * sigma);
  const weights = Array.from({ length: reach + 1 }, (_, k) => Math.exp(-(k * k) / (2 * sigma * sigma)));
  const total = 2 * weights.reduce((sum, weight) => sum + weight, 0) - weights[0]!;
  const at = (i: number, j: number): number => (weights[Math.abs(i - j)] ?? 0) / total;
  return tensor(
    Float32Array.from({ length: size * size }, (_, k) => at(Math.floor(k / size), k % size)),
    [size, size],
  );
}
