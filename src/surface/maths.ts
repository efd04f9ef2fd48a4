/** Functions of one tensor, element by element; what is not a primitive is composed of them here. */
import { isFloat } from "../core/dtype.ts";
import { checkElements } from "../core/elements.ts";
import { ArgumentError, show } from "../core/errors.ts";
import type { Value } from "../graph/op.ts";
import * as ops from "../ops/index.ts";
import { float, free, stretch, type Unary } from "./elementwise.ts";

/** Integers stay as they are: they are whole and finite already. */
const onFloatsElse =
  (rule: Unary, integer: Unary): Unary =>
  (x) =>
    isFloat(x.dtype) ? rule(x) : integer(x);
const same = (x: Value): Value => x;
const always = (answer: number) => (x: Value) => ops.filled(answer, x.shape, "bool");

export { abs, logicalNot, neg, relu, sign, square, stopGradient } from "../ops/index.ts";

export const reciprocal = float("reciprocal", ops.reciprocal);
export const exp = float("exp", ops.exp);
export const expm1 = float("expm1", ops.expm1);
export const log = float("log", ops.log);
export const log1p = float("log1p", ops.log1p);
export const sqrt = float("sqrt", ops.sqrt);
export const rsqrt = float("rsqrt", (x) => ops.reciprocal(ops.sqrt(x)));
export const tanh = float("tanh", ops.tanh);
export const sigmoid = float("sigmoid", ops.sigmoid);
export const erf = float("erf", ops.erf);
export const sin = float("sin", ops.sin);
export const cos = float("cos", ops.cos);
export const tan = float("tan", (x) => ops.div(ops.sin(x), ops.cos(x)));
export const log2 = free("log2", ops.log2);
export const asin = free("asin", ops.asin);
export const acos = free("acos", ops.acos);
export const atan = free("atan", ops.atan);
export const sinh = free("sinh", ops.sinh);
export const cosh = free("cosh", ops.cosh);
export const asinh = free("asinh", ops.asinh);
export const acosh = free("acosh", ops.acosh);
export const atanh = free("atanh", ops.atanh);
export const floor = onFloatsElse(ops.floor, same);
export const ceil = onFloatsElse(ops.ceil, same);
export const trunc = onFloatsElse(ops.trunc, same);
export const round = onFloatsElse(ops.round, same);
const nan = onFloatsElse(ops.isNaN, always(0));
const finite = onFloatsElse(ops.isFinite, always(1));

export { finite as isFinite, nan as isNaN };

export const times = (x: Value, by: number): Value => ops.mul(x, ops.scalarLike(x, by));
export const plus = (x: Value, by: number): Value => ops.add(x, ops.scalarLike(x, by));
export const positive = (x: Value): Value => ops.lt(ops.zerosLike(x), x);

/** x^(1/p) for x ≥ 0, √x unless said, whose slope at 0 is taken as 0: the root is taken of 1 there, and not used. */
export function root(x: Value, p = 2): Value {
  const zero = ops.eq(x, ops.zerosLike(x));
  const safe = ops.select(zero, ops.onesLike(x), x);
  return ops.select(zero, ops.zerosLike(x), p === 2 ? ops.sqrt(safe) : ops.pow(safe, ops.scalarLike(x, 1 / p)));
}

/**
 * log(1 + eˣ), as max(x, 0) + log1p(e^−|x|), which neither overflows nor loses the small ones. Its gradient is stated, because the kinks of the two
 * parts cancel at 0 in truth but not under their conventions.
 */
const softplusOf = (x: Value): Value =>
  ops.custom(ops.add(ops.relu(x), ops.log1p(ops.exp(ops.neg(ops.abs(x))))), [x], (dy: Value, _: Value, from: Value) => [
    ops.mul(dy, ops.sigmoid(from)),
  ]);

export const softplus = float("softplus", softplusOf);
export const logSigmoid = float("logSigmoid", (x) => ops.neg(softplusOf(ops.neg(x))));
/** x / (1 + |x|), with the slope 1 / (1 + |x|)²: as that of a quotient it would be a difference that loses its digits. */
export const softsign = float("softsign", (x) =>
  ops.custom(ops.div(x, plus(ops.abs(x), 1)), [x], (dy: Value, _: Value, from: Value) => [
    ops.mul(dy, ops.square(ops.reciprocal(plus(ops.abs(from), 1)))),
  ]),
);
export const silu = float("silu", (x) => ops.mul(x, ops.sigmoid(x)));
export const mish = float("mish", (x) => ops.mul(x, ops.tanh(softplusOf(x))));

export function number(x: number, { dtype }: Value, who: string): number {
  if (typeof x !== "number") throw new ArgumentError(`${who} is ${show(x)}`, { help: "a number" });
  checkElements([x], dtype, who);
  return x;
}

/** x where positive, slope · x elsewhere. */
export const leakyRelu = (x: Value, slope = 0.01): Value =>
  float("leakyRelu", (v) => ops.select(positive(v), v, times(v, number(slope, v, "leakyRelu: slope"))))(x);

/** x where positive, alpha · (eˣ − 1) elsewhere. The exponential never sees a positive number, so nothing overflows in the side not taken. */
function eluOf(x: Value, alpha: number): Value {
  const right = positive(x);
  return ops.select(right, x, times(ops.expm1(ops.select(right, ops.zerosLike(x), x)), alpha));
}
export const elu = (x: Value, alpha = 1): Value => float("elu", (v) => eluOf(v, number(alpha, v, "elu: alpha")))(x);

/** Klambauer et al. 2017, equation 2: the two constants that keep mean 0 and variance 1. */
export const selu = float("selu", (x) => times(eluOf(x, 1.6732632423543772), 1.0507009873554805));

/** x · Φ(x), with Φ by erf or by its tanh approximation (Hendrycks and Gimpel 2016). */
export function gelu(x: Value, approximate: "none" | "tanh" = "none"): Value {
  if (approximate !== "none" && approximate !== "tanh")
    throw new ArgumentError(`gelu: the approximation is ${show(approximate)}`, {
      why: "Φ(x) is computed by erf, or by its approximation with tanh",
      help: 'x.gelu() or x.gelu("none"), or x.gelu("tanh")',
    });
  // From ±10 on the tanh is ±1: there v³ must not overflow, or the slope is 0 · ∞.
  const within = (v: Value): Value => ops.minimum(ops.maximum(v, ops.scalarLike(v, -10)), ops.scalarLike(v, 10));
  const inner = (v: Value): Value => times(ops.add(v, times(ops.mul(v, ops.square(v)), 0.044715)), Math.sqrt(2 / Math.PI));
  const share = (v: Value): Value => (approximate === "none" ? ops.erf(times(v, Math.SQRT1_2)) : ops.tanh(inner(within(v))));
  return float("gelu", (v) => ops.mul(times(v, 0.5), plus(share(v), 1)))(x);
}

/**
 * low where x is below it, high where above; NaN stays. An end that is undefined is none. As in PyTorch the gradient passes inside and at the ends,
 * and not at NaN.
 */
export function clip(x: Value, low: Value | undefined, high: Value | undefined): Value {
  const above = low ? ops.maximum(x, stretch(low, x.shape)) : x;
  const clipped = high ? ops.minimum(above, stretch(high, x.shape)) : above;
  // Equal where x was in range, and nowhere else: a NaN equals nothing.
  const backward = (dy: Value, y: Value, from: Value): Value[] => [ops.select(ops.eq(from, y), dy, ops.zerosLike(dy))];
  return isFloat(x.dtype) && (low || high) ? ops.custom(clipped, [x], backward) : clipped;
}
