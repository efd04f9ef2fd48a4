/** Functions of one float, element by element. */
import { isFloat } from "../core/dtype.ts";
import { apply, type Elementwise, type Type, type Unary, type Value } from "../graph/op.ts";
import { type ScalarOp, scalar } from "../kernel/expr.ts";
import { add, div, mul, neg, sub } from "./elementwise.ts";
import { onesLike, scalarLike } from "./leaf.ts";
import { elementwise, floats, numbers } from "./rules.ts";

/** A float function that the kernels know under the same name. */
function unary(name: ScalarOp, costly: boolean, gradient?: (dy: Value, x: Value, y: Value) => Value): Elementwise<Unary> {
  return elementwise<Unary, undefined>({
    name,
    costly,
    infer: (inputs) => floats(name, inputs),
    vjp: (dy, [x], y) => [gradient ? gradient(dy, x, y) : null],
    lower: ([x]) => scalar(name, [x]),
  });
}

/** √x; its gradient at 0 is inf. */
export function sqrt(x: Value): Value {
  return apply(sqrtOp, [x]);
}
export const sqrtOp: Elementwise<Unary> = unary("sqrt", false, (dy, _, y) => div(dy, add(y, y)));

/** eˣ. */
export function exp(x: Value): Value {
  return apply(expOp, [x]);
}
export const expOp: Elementwise<Unary> = unary("exp", true, (dy, _, y) => mul(dy, y));

/** eˣ − 1, exact near 0. Its slope is eˣ computed anew: 1 + (eˣ − 1) has lost its digits far left. */
export function expm1(x: Value): Value {
  return apply(expm1Op, [x]);
}
export const expm1Op: Elementwise<Unary> = unary("expm1", true, (dy, x) => mul(dy, exp(x)));

/** ln x: −inf at 0, NaN below. */
export function log(x: Value): Value {
  return apply(logOp, [x]);
}
export const logOp: Elementwise<Unary> = unary("log", true, (dy, x) => div(dy, x));

/** ln(1 + x), exact near 0. */
export function log1p(x: Value): Value {
  return apply(log1pOp, [x]);
}
export const log1pOp: Elementwise<Unary> = unary("log1p", true, (dy, x) => div(dy, add(onesLike(x), x)));

/** Its slope 1 − y² is exact to the precision of 1: far out, where that is nothing, it is 0. */
export function tanh(x: Value): Value {
  return apply(tanhOp, [x]);
}
export const tanhOp: Elementwise<Unary> = unary("tanh", true, (dy, _, y) => mul(dy, sub(onesLike(y), mul(y, y))));

/** 1 / (1 + e⁻ˣ). Its slope y · (1 − y) is exact on the left, and to the precision of 1 on the right, as PyTorch's. */
export function sigmoid(x: Value): Value {
  return apply(sigmoidOp, [x]);
}
export const sigmoidOp: Elementwise<Unary> = unary("sigmoid", true, (dy, _, y) => mul(dy, mul(y, sub(onesLike(y), y))));

/** 2/√π ∫₀ˣ e^−t² dt. */
export function erf(x: Value): Value {
  return apply(erfOp, [x]);
}
export const erfOp: Elementwise<Unary> = unary("erf", true, (dy, x) =>
  mul(dy, mul(scalarLike(x, 2 / Math.sqrt(Math.PI)), exp(neg(mul(x, x))))),
);

export function sin(x: Value): Value {
  return apply(sinOp, [x]);
}
export const sinOp: Elementwise<Unary> = unary("sin", true, (dy, x) => mul(dy, cos(x)));

export function cos(x: Value): Value {
  return apply(cosOp, [x]);
}
export const cosOp: Elementwise<Unary> = unary("cos", true, (dy, x) => neg(mul(dy, sin(x))));

/** A step function: its gradient is null. Integers are whole already. */
function rounding(name: "floor" | "ceil" | "trunc" | "round", to: ScalarOp): Elementwise<Unary> {
  return elementwise<Unary, undefined>({
    name,
    infer: (inputs): Type => numbers(name, inputs),
    lower: ([x]) => (isFloat(x.dtype) ? scalar(to, [x]) : x),
  });
}

/** Largest whole number ≤ x. */
export function floor(x: Value): Value {
  return apply(floorOp, [x]);
}
export const floorOp: Elementwise<Unary> = rounding("floor", "floor");

/** Smallest whole number ≥ x. */
export function ceil(x: Value): Value {
  return apply(ceilOp, [x]);
}
export const ceilOp: Elementwise<Unary> = rounding("ceil", "ceil");

/** x without its fraction. */
export function trunc(x: Value): Value {
  return apply(truncOp, [x]);
}
export const truncOp: Elementwise<Unary> = rounding("trunc", "trunc");

/** The nearest whole number, the even one of two. */
export function round(x: Value): Value {
  return apply(roundOp, [x]);
}
export const roundOp: Elementwise<Unary> = rounding("round", "nearest");
