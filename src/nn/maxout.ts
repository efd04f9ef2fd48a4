import { ArgumentError, show } from "../core/errors.ts";
import { takeSite } from "../core/site.ts";
import { maxout, type Tensor } from "../index.ts";
import { checkSize } from "./arguments.ts";
import { Module } from "./module.ts";
import { pooled } from "./pooled.ts";

/**
 * The largest of each `pieces` neighbouring features: y[i] = max over j of z[i · pieces + j], where z = x Wᵀ + b comes from the layer before, a `Linear` or a
 * convolution with `pieces` times the features. Goodfellow, Warde-Farley, Mirza, Courville and Bengio 2013, section 3.
 *
 * Shapes: [n, pieces · m, …] → [n, m, …] along axis 1, or another.
 *
 * @throws ArgumentError for pieces or an axis that are none; ShapeError if the features are no multiple of `pieces`
 * @example new Sequential(new Linear(784, 5 * 240), new Maxout(5), new Linear(240, 10))
 */
export class Maxout extends Module {
  readonly pieces: number;
  readonly axis: number;

  constructor(pieces: number, axis = 1) {
    super();
    if (!Number.isInteger(axis)) throw new ArgumentError(`Maxout: axis is ${show(axis)}`, { help: "a whole number", site: takeSite() });
    this.pieces = checkSize(pieces, "Maxout: pieces");
    this.axis = axis;
  }

  forward(x: Tensor): Tensor;
  forward(x: Tensor, ...rest: unknown[]): Tensor {
    return pooled("Maxout", x, rest, (v) => maxout(v, this.pieces, this.axis));
  }
}
