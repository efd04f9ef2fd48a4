/** Layers without parameters that are functions too: as modules they have a name in `summary` and an index in `stateDict`. */
import { checkAxis } from "../core/shape.ts";
import type { Shape } from "../core/shape-types.ts";
import type { Tensor } from "../index.ts";
import { checkInput } from "./arguments.ts";
import { Module } from "./module.ts";
import type { FlattenShapes, SameShapes } from "./shapes.ts";

/** y = x, for any shape: a place to put another layer later. */
export class Identity extends Module {
  declare readonly shapes?: SameShapes;

  forward<S extends Shape>(x: Tensor<S>): Tensor<S>;
  forward(x: Tensor, ...rest: unknown[]): Tensor {
    checkInput(x, rest, "Identity");
    return x;
  }
}

/**
 * Joins all axes from `start` on into one: [n, c, h, w] → [n, c · h · w].
 *
 * @throws ShapeError if there is no axis `start`
 */
export class Flatten extends Module {
  declare readonly shapes?: FlattenShapes;
  readonly start: number;

  constructor(start = 1) {
    super();
    this.start = start;
  }

  forward(x: Tensor): Tensor;
  forward(x: Tensor, ...rest: unknown[]): Tensor {
    checkInput(x, rest, "Flatten");
    return x.flatten(checkAxis(this.start, x.shape.length, "Flatten"));
  }
}
