import type { Shape } from "../core/shape-types.ts";
import type { Tensor } from "../index.ts";
import { checkAlone, checkProbability, checkTensor } from "./arguments.ts";
import { checkMode, type Mode } from "./mode.ts";
import { Module } from "./module.ts";
import type { SameShapes } from "./shapes.ts";

/**
 * Sets each element to 0 with probability p in training and scales the others by 1 / (1 − p), so that the expectation stays;
 * in use it answers its input. Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov 2014, with the scaling in training ("inverted").
 *
 * Shapes: any, kept. With p = 1 everything is 0. The mask is drawn once and serves the gradient too.
 *
 * @throws ArgumentError if p is not in [0, 1], or the mode is missing
 * @example new Dropout(0.5).forward(x, training(rng))
 */
export class Dropout extends Module {
  declare readonly shapes?: SameShapes;
  readonly p: number;

  constructor(p = 0.5) {
    super();
    this.p = checkProbability(p, "Dropout: p");
  }

  forward<S extends Shape>(x: Tensor<S>, mode: Mode): Tensor<S>;
  forward(x: Tensor, ...rest: [Mode]): Tensor {
    checkAlone(rest, "Dropout");
    const how = checkMode(rest[0], "Dropout");
    checkTensor(x, "Dropout");
    return how.training && this.p > 0 ? dropout(x, this.p, how) : x;
  }
}

/** x · mask / (1 − p) with mask ~ Bernoulli(1 − p). */
function dropout(x: Tensor, p: number, { rng }: Extract<Mode, { training: true }>): Tensor {
  if (p === 1) return x.mul(0);
  const mask = rng.bernoulli(1 - p, x.shape as Shape).cast(x.dtype);
  return x.mul(mask.mul(1 / (1 - p)));
}
