import { checkOptions } from "../core/options.ts";
import type { Shape } from "../core/shape-types.ts";
import { atUserLine } from "../core/site.ts";
import { type LocalResponseOptions, localResponseNorm, type Tensor } from "../index.ts";
import { checkInput, checkSize } from "./arguments.ts";
import { Module } from "./module.ts";
import type { SameShapes } from "./shapes.ts";

/**
 * Damps what has strong neighbours among the channels: y_c = x_c / (k + alpha · Σ x² / size)^beta; see `localResponseNorm`. Krizhevsky, Sutskever and
 * Hinton 2012, section 3.3.
 *
 * Shapes: x [n, channels, …], kept.
 *
 * @throws ArgumentError for a size below 1
 * @example new LocalResponseNorm(5, { alpha: 5e-4, k: 2 })   // as in AlexNet
 */
export class LocalResponseNorm extends Module {
  declare readonly shapes?: SameShapes;
  readonly size: number;
  readonly options: LocalResponseOptions;

  constructor(size: number, options: LocalResponseOptions = {}) {
    super();
    atUserLine(() => checkOptions("LocalResponseNorm", options, ["alpha", "beta", "k"]));
    this.size = checkSize(size, "LocalResponseNorm: size");
    this.options = options;
  }

  forward<S extends Shape>(x: Tensor<S>): Tensor<S>;
  forward(x: Tensor, ...rest: unknown[]): Tensor {
    return atUserLine(() => {
      checkInput(x, rest, "LocalResponseNorm");
      return localResponseNorm(x, this.size, this.options);
    }, "LocalResponseNorm");
  }
}
