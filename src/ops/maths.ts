/** Functions of one float, element by element. */
import { isFloat } from "../core/dtype.ts";
import { apply, type Elementwise, type Type, type Unary, type Value } from "../graph/op.ts";
import { type BasicOp, call, type Expr, type ScalarFunction, scalar } from "../kernel/expr.ts";
import * as functions from "../kernel/math/functions.ts";
import { add, div, mul, neg, sub } from "./elementwise.ts";
import { onesLike, scalarLike } from "./leaf.ts";
import { elementwise, floats, numbers } from "./rules.ts";

type Gradient = (dy: Value, x: Value, y: Value) => Value;

/** A function of one float, which costs more than to store what it gives. */
function unary(callee: ScalarFunction, gradient: Gradient): Elementwise<Unary> {
  return floatOp(callee.name, gradient, (x) => call(callee, [x]), true);
}

function floatOp(name: string, gradient: Gradient, lower: (x: Expr) => Expr, costly: boolean): Elementwise<Unary> {
  return elementwise<Unary, undefined>({
    name,
    costly,
    infer: (inputs) => floats(name, inputs),
    vjp: (dy, [x], y) => [gradient(dy, x, y)],
    lower: ([x]) => lower(x),
  });
}

/** √x; its gradient at 0 is inf. */
export function sqrt(x: Value): Value {
  return apply(sqrtOp, [x]);
}
export const sqrtOp: Elementwise<Unary> = floatOp(
  "sqrt",
  (dy, _, y) => div(dy, add(y, y)),
  (x) => scalar("sqrt", [x]),
  false,
);

/** eˣ. */
export function exp(x: Value): Value {
  return apply(expOp, [x]);
}
export const expOp: Elementwise<Unary> = unary(functions.exp, (dy, _, y) => mul(dy, y));

/** eˣ − 1, exact near 0. Its slope is eˣ computed anew: 1 + (eˣ − 1) has lost its digits far left. */
export function expm1(x: Value): Value {
  return apply(expm1Op, [x]);
}
export const expm1Op: Elementwise<Unary> = unary(functions.expm1, (dy, x) => mul(dy, exp(x)));

/** ln x: −inf at 0, NaN below. */
export function log(x: Value): Value {
  return apply(logOp, [x]);
}
export const logOp: Elementwise<Unary> = unary(functions.log, (dy, x) => div(dy, x));

/** ln(1 + x), exact near 0. */
export function log1p(x: Value): Value {
  return apply(log1pOp, [x]);
}
export const log1pOp: Elementwise<Unary> = unary(functions.log1p, (dy, x) => div(dy, add(onesLike(x), x)));

/** Its slope 1 − y² is exact to the precision of 1: far out, where that is nothing, it is 0. */
export function tanh(x: Value): Value {
  return apply(tanhOp, [x]);
}
export const tanhOp: Elementwise<Unary> = unary(functions.tanh, (dy, _, y) => mul(dy, sub(onesLike(y), mul(y, y))));

/** 1 / (1 + e⁻ˣ). Its slope y · (1 − y) is exact on the left, and to the precision of 1 on the right, as PyTorch's. */
export function sigmoid(x: Value): Value {
  return apply(sigmoidOp, [x]);
}
export const sigmoidOp: Elementwise<Unary> = unary(functions.sigmoid, (dy, _, y) => mul(dy, mul(y, sub(onesLike(y), y))));

/** 2/√π ∫₀ˣ e^−t² dt. */
export function erf(x: Value): Value {
  return apply(erfOp, [x]);
}
export const erfOp: Elementwise<Unary> = unary(functions.erf, (dy, x) =>
  mul(dy, mul(scalarLike(x, 2 / Math.sqrt(Math.PI)), exp(neg(mul(x, x))))),
);

export function sin(x: Value): Value {
  return apply(sinOp, [x]);
}
export const sinOp: Elementwise<Unary> = unary(functions.sin, (dy, x) => mul(dy, cos(x)));

export function cos(x: Value): Value {
  return apply(cosOp, [x]);
}
export const cosOp: Elementwise<Unary> = unary(functions.cos, (dy, x) => neg(mul(dy, sin(x))));

/** A step function: its gradient is null. Integers are whole already. */
function rounding(name: "floor" | "ceil" | "trunc" | "round", to: BasicOp): Elementwise<Unary> {
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
