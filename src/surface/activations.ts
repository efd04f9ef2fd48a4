/** Activations that are no methods. All are compositions; gradients at kinks follow PyTorch. */
import { ArgumentError, show } from "../core/errors.ts";
import type { Value } from "../graph/op.ts";
import * as ops from "../ops/index.ts";
import { free } from "./elementwise.ts";
import { number, plus, positive, times } from "./maths.ts";

/** A setting of an activation as a number of x's dtype. */
function setting(x: number, like: Value, who: string, fits: (x: number) => boolean, wanted: string): number {
  if (typeof x !== "number" || !fits(x)) throw new ArgumentError(`${who} is ${show(x)}`, { help: wanted });
  return number(x, like, who);
}

/** x where positive, α·(e^(x/α) − 1) elsewhere. The exponential never sees a positive number. */
export const celu = (x: Value, alpha = 1): Value =>
  free("celu", (v) => {
    const by = setting(alpha, v, "celu: alpha", (a) => Number.isFinite(a) && a !== 0, "a number other than 0");
    const right = positive(v);
    const left = ops.select(right, ops.zerosLike(v), v);
    return ops.select(right, v, times(ops.expm1(ops.div(left, ops.scalarLike(v, by))), by));
  })(x);

/** v between low and high, and these beyond, where the gradient is 0, as it is at the ends. NaN stays. */
function between(v: Value, low: number, high: number): Value {
  const [least, most] = [ops.scalarLike(v, low), ops.scalarLike(v, high)];
  const beyond = ops.logicalOr(ops.le(v, least), ops.le(most, v));
  return ops.select(beyond, ops.stopGradient(ops.minimum(ops.maximum(v, least), most)), v);
}

export const hardtanh = (x: Value, low = -1, high = 1): Value =>
  free("hardtanh", (v) => {
    const most = setting(high, v, "hardtanh: high", (h) => !Number.isNaN(h), "a number");
    return between(
      v,
      setting(low, v, "hardtanh: low", (l) => l <= most, "a number that is not above high"),
      most,
    );
  })(x);

export const relu6 = free("relu6", (v) => between(v, 0, 6));

/** A straight line for the sigmoid: 0 up to −3, 1 from 3 on. */
const line = (v: Value): Value => ops.div(plus(between(v, -3, 3), 3), ops.scalarLike(v, 6));
export const hardsigmoid = free("hardsigmoid", line);

/** x · line(x). Left of −3, where the second factor is 0, the first is −3, or −∞ would give NaN. */
export const hardswish = free("hardswish", (v) => ops.mul(ops.maximum(v, ops.scalarLike(v, -3)), line(v)));

/** x − tanh x, with the slope tanh² x: as 1 − (1 − tanh² x) it would have no digits near 0. */
export const tanhshrink = free("tanhshrink", (v) =>
  ops.custom(ops.sub(v, ops.tanh(v)), [v], (dy: Value, _: Value, from: Value) => [ops.mul(dy, ops.square(ops.tanh(from)))]),
);

/** `far` of x where it is further from 0 than λ, else 0. NaN stays. */
const shrinking = (who: string, far: (v: Value, lambda: number) => Value) => (x: Value, lambda: number) =>
  free(who, (v) => {
    const by = setting(lambda, v, `${who}: lambda`, (l) => l >= 0, "a number that is not negative");
    return ops.select(ops.le(ops.abs(v), ops.scalarLike(v, by)), ops.zerosLike(v), far(v, by));
  })(x);

export const hardshrink = shrinking("hardshrink", (v) => v);
export const softshrink = shrinking("softshrink", (v, by) => ops.sub(v, times(ops.sign(v), by)));
