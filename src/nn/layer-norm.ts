import { checkOptions } from "../core/options.ts";
import type { Shape } from "../core/shape-types.ts";
import { atUserLine } from "../core/site.ts";
import { type DType, layerNorm, type Tensor, type Variable } from "../index.ts";
import { checkInput } from "./arguments.ts";
import { ones, zeros } from "./initializers.ts";
import { Module } from "./module.ts";
import { checkEps, checkNormalizedShape } from "./norm-arguments.ts";
import { parameter } from "./parameter.ts";
import type { SameShapes } from "./shapes.ts";

export interface LayerNormOptions {
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
  /** Learn a weight for each element. Default true. */
  readonly elementwiseAffine?: boolean;
  /** Learn a bias for each element, if there is a weight. Default true. */
  readonly bias?: boolean;
  /** Of the parameters. Default float32. */
  readonly dtype?: DType;
}

/**
 * Brings each example to mean 0 and variance 1 over its last axes: y = (x − mean) / √(variance + eps) · weight + bias. Ba, Kiros and Hinton 2016.
 *
 * Shapes: x [..., normalizedShape], kept; weight and bias normalizedShape, from 1 and 0.
 *
 * @throws ShapeError if x does not end in normalizedShape
 * @example new Sequential(new Linear(784, 300), new LayerNorm(300), relu, new Linear(300, 10))
 */
export class LayerNorm extends Module {
  declare readonly shapes?: SameShapes;
  readonly normalizedShape: Shape;
  readonly eps: number;
  readonly weight: Variable | undefined;
  readonly bias: Variable | undefined;

  constructor(normalizedShape: number | Shape, options: LayerNormOptions = {}) {
    super();
    [this.normalizedShape, this.eps] = atUserLine(() => {
      checkOptions("LayerNorm", options, ["eps", "elementwiseAffine", "bias", "dtype"]);
      return [checkNormalizedShape(normalizedShape, "LayerNorm"), checkEps(options.eps ?? 1e-5, "LayerNorm")];
    });
    const { elementwiseAffine = true, bias = true, dtype = "float32" } = options;
    this.weight = elementwiseAffine ? parameter(this.normalizedShape, ones, { dtype }) : undefined;
    this.bias = elementwiseAffine && bias ? parameter(this.normalizedShape, zeros, { dtype }) : undefined;
  }

  forward<S extends Shape>(x: Tensor<S>): Tensor<S>;
  forward(x: Tensor, ...rest: unknown[]): Tensor {
    return atUserLine(() => {
      checkInput(x, rest, "LayerNorm");
      const { weight, bias, eps } = this;
      return layerNorm(x, this.normalizedShape, { weight, bias, eps });
    }, "LayerNorm");
  }
}
