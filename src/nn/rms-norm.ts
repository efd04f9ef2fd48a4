import { checkOptions } from "../core/options.ts";
import type { Shape } from "../core/shape-types.ts";
import { atUserLine } from "../core/site.ts";
import { type DType, rmsNorm, type Tensor, type Variable } from "../index.ts";
import { checkInput } from "./arguments.ts";
import { ones } from "./initializers.ts";
import { Module } from "./module.ts";
import { checkEps, checkNormalizedShape } from "./norm-arguments.ts";
import { parameter } from "./parameter.ts";
import type { SameShapes } from "./shapes.ts";

export interface RMSNormOptions {
  /** Added to the mean of squares. Default: what the input's dtype tells apart from 1, 2⁻²³ of float32. */
  readonly eps?: number;
  /** Learn a weight for each element. Default true. */
  readonly elementwiseAffine?: boolean;
  /** Of the weight. Default float32. */
  readonly dtype?: DType;
}

/**
 * Divides each example by the root of its mean square over its last axes: y = x / √(mean x² + eps) · weight. Zhang and Sennrich 2019.
 *
 * Shapes: x [..., normalizedShape], kept; weight normalizedShape, from 1.
 *
 * @throws ShapeError if x does not end in normalizedShape
 */
export class RMSNorm extends Module {
  declare readonly shapes?: SameShapes;
  readonly normalizedShape: Shape;
  readonly eps: number | undefined;
  readonly weight: Variable | undefined;

  constructor(normalizedShape: number | Shape, options: RMSNormOptions = {}) {
    super();
    [this.normalizedShape, this.eps] = atUserLine(() => {
      checkOptions("RMSNorm", options, ["eps", "elementwiseAffine", "dtype"]);
      const eps = options.eps === undefined ? undefined : checkEps(options.eps, "RMSNorm");
      return [checkNormalizedShape(normalizedShape, "RMSNorm"), eps];
    });
    const { elementwiseAffine = true, dtype = "float32" } = options;
    this.weight = elementwiseAffine ? parameter(this.normalizedShape, ones, { dtype }) : undefined;
  }

  forward<S extends Shape>(x: Tensor<S>): Tensor<S>;
  forward(x: Tensor, ...rest: unknown[]): Tensor {
    return atUserLine(() => {
      checkInput(x, rest, "RMSNorm");
      return rmsNorm(x, this.normalizedShape, { weight: this.weight, eps: this.eps });
    }, "RMSNorm");
  }
}
