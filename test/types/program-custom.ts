import { customGradient, type Tensor } from "gradus";
import { Module, parameter } from "gradus/nn";

const straightThrough = customGradient(
  (x: Tensor) => x.gt(0).cast("float32"),
  (dy, _y, x) => [dy.mul(x.abs().lt(1).cast("float32"))],
);
class Gate extends Module {
  readonly scale;
  constructor(features: number) {
    super();
    this.scale = parameter([features], (rng, shape) => rng.uniform(shape, 0.5, 1.5));
  }
  forward(x: Tensor): Tensor {
    return straightThrough(x.mul(this.scale)).mul(x);
  }
}
export const gate = new Gate(8);
