import { ShapeError } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { showShape } from "../core/shape.ts";
import type { Checked, Dense, Known, Shape } from "../core/shape-types.ts";
import { atUserLine, takeSite } from "../core/site.ts";
import type { DType, Tensor, Variable } from "../index.ts";
import { checkInput, checkSize, checkTensor } from "./arguments.ts";
import { symmetricByFan } from "./initializers.ts";
import { Module } from "./module.ts";
import { parameter } from "./parameter.ts";
import type { LinearShapes } from "./shapes.ts";

export interface LinearOptions {
  /** Add a learned bias. Default true. */
  readonly bias?: boolean;
  /** Of the parameters. Default float32. */
  readonly dtype?: DType;
}

/**
 * A dense layer: y = x Wᵀ + b.
 *
 * Shapes: x [..., In], weight [Out, In], bias [Out], result [..., Out].
 * Both parameters start from U(±1/√In), as PyTorch's `nn.Linear` (Kaiming uniform with a = √5; He et al. 2015).
 *
 * @throws ShapeError if the last axis of x is not In
 * @example
 * const layer = init(new Linear(784, 10), 0);
 * layer.forward(zeros([32, 784])).shape;   // [32, 10]
 */
export class Linear<In extends number = any, Out extends number = any> extends Module {
  declare readonly shapes?: LinearShapes<In, Out>;
  readonly inFeatures: In;
  readonly outFeatures: Out;
  readonly weight: Variable<[Out, In]>;
  readonly bias: Variable<[Out]> | undefined;

  constructor(inFeatures: In, outFeatures: Out, options: LinearOptions = {}) {
    super();
    checkOptions("Linear", options, ["bias", "dtype"], takeSite);
    const { bias = true, dtype = "float32" } = options;
    this.inFeatures = checkSize(inFeatures, "Linear: inFeatures");
    this.outFeatures = checkSize(outFeatures, "Linear: outFeatures");
    this.weight = parameter([outFeatures, inFeatures], symmetricByFan(inFeatures), { dtype });
    this.bias = bias ? parameter([outFeatures], symmetricByFan(inFeatures), { dtype }) : undefined;
  }

  forward<S extends Shape>(x: Checked<Dense<S, In, Out>, Tensor<S>>): Tensor<Known<Dense<S, In, Out>>>;
  forward(x: Tensor, ...rest: unknown[]): Tensor {
    checkInput(x, rest, "Linear");
    checkLastAxis(x, this.inFeatures, this.outFeatures);
    return linear(x, this.weight, this.bias);
  }
}

/** y = x Wᵀ + b. Shapes: x [..., In], weight [Out, In], bias [Out], result [..., Out]. */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  return atUserLine(() => {
    for (const t of bias === undefined ? [x, weight] : [x, weight, bias]) checkTensor(t, "linear");
    const y = x.matmul(weight.transpose());
    return bias ? y.add(bias) : y;
  }, "linear");
}

function checkLastAxis(x: Tensor, inFeatures: number, outFeatures: number): void {
  const last = x.shape.at(-1);
  if (last === inFeatures) return;
  throw new ShapeError(`Linear: the input is ${showShape(x.shape)}`, {
    site: takeSite(),
    why: last === undefined ? "a scalar has no features" : `the last axis has ${last} features, the layer was made for ${inFeatures}`,
    help: last === undefined ? "x.reshape([1, 1])" : `write new Linear(${last}, ${outFeatures}), or reshape the input`,
  });
}
