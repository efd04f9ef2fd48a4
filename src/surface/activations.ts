/** Activations that are no methods, Value → Value. All are compositions; gradients at kinks follow PyTorch. */
import type { Value } from "../graph/op.ts";
import * as ops from "../ops/index.ts";
import { clip, plus, positive, times } from "./maths.ts";

/** x where positive, α·(e^(x/α) − 1) elsewhere. The exponential never sees a positive number. */
export function celu(x: Value, alpha: number): Value {
  const right = positive(x);
  const left = ops.select(right, ops.zerosLike(x), x);
  return ops.select(right, x, times(ops.expm1(ops.div(left, ops.scalarLike(x, alpha))), alpha));
}

/** x between low and high, and these beyond, where the gradient is 0, as it is at the ends. NaN stays. */
export function hardtanh(x: Value, low: number, high: number): Value {
  const beyond = ops.logicalOr(ops.le(x, ops.scalarLike(x, low)), ops.ge(x, ops.scalarLike(x, high)));
  return ops.select(beyond, ops.stopGradient(clip(x, ops.scalarLike(x, low), ops.scalarLike(x, high))), x);
}

/** A straight line for the sigmoid: 0 up to −3, 1 from 3 on. */
export const hardsigmoid = (x: Value): Value => ops.div(plus(hardtanh(x, -3, 3), 3), ops.scalarLike(x, 6));

/** x · hardsigmoid x. Left of −3, where the second factor is 0, the first is −3, or −∞ would give NaN. */
export const hardswish = (x: Value): Value => ops.mul(ops.maximum(x, ops.scalarLike(x, -3)), hardsigmoid(x));

/** x − tanh x, with the slope tanh² x: as 1 − (1 − tanh² x) it would have no digits near 0. */
export const tanhshrink = (x: Value): Value =>
  ops.custom(ops.sub(x, ops.tanh(x)), [x], (dy: Value, _: Value, from: Value) => [ops.mul(dy, ops.square(ops.tanh(from)))]);

/** x moved towards 0 by λ, and 0 where it is no further away. */
export const softshrink = (x: Value, lambda: number): Value => ops.sub(x, clip(x, ops.scalarLike(x, -lambda), ops.scalarLike(x, lambda)));

/** x where it is further from 0 than λ, else 0. */
export const hardshrink = (x: Value, lambda: number): Value =>
  ops.select(ops.le(ops.abs(x), ops.scalarLike(x, lambda)), ops.zerosLike(x), x);
