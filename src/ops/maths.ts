/** Functions of one float, element by element. */
import { isFloat } from "../core/dtype.ts";
import { apply, type Binary, type Elementwise, type Type, type Unary, type Value } from "../graph/op.ts";
import { type BasicOp, call, scalar } from "../kernel/expr.ts";
import * as functions from "../kernel/math/functions.ts";
import { add, div, mul, neg, sub } from "./elementwise.ts";
import { onesLike, scalarLike, zerosLike } from "./leaf.ts";
import { eq, le, logicalAnd, select } from "./logic.ts";
import { elementwise, floatFunction, floatOperation, floats, numbers } from "./rules.ts";

/** √x; its gradient at 0 is inf. */
export function sqrt(x: Value): Value {
  return apply(sqrtOp, [x]);
}
export const sqrtOp: Elementwise<Unary> = floatOperation(
  "sqrt",
  (dy, _, y) => div(dy, add(y, y)),
  (x) => scalar("sqrt", [x]),
  false,
);

/** eˣ. */
export function exp(x: Value): Value {
  return apply(expOp, [x]);
}
export const expOp: Elementwise<Unary> = floatFunction(functions.exp, (dy, _, y) => mul(dy, y));

/** eˣ − 1, exact near 0. Its slope is eˣ computed anew: 1 + (eˣ − 1) has lost its digits far left. */
export function expm1(x: Value): Value {
  return apply(expm1Op, [x]);
}
export const expm1Op: Elementwise<Unary> = floatFunction(functions.expm1, (dy, x) => mul(dy, exp(x)));

/** ln x: −inf at 0, NaN below. */
export function log(x: Value): Value {
  return apply(logOp, [x]);
}
export const logOp: Elementwise<Unary> = floatFunction(functions.log, (dy, x) => div(dy, x));

/** log₂ x, exact at powers of two: −inf at 0, NaN below. */
export function log2(x: Value): Value {
  return apply(log2Op, [x]);
}
export const log2Op: Elementwise<Unary> = floatFunction(functions.log2, (dy, x) => div(dy, mul(x, scalarLike(x, Math.LN2))));

/** ln(1 + x), exact near 0. */
export function log1p(x: Value): Value {
  return apply(log1pOp, [x]);
}
export const log1pOp: Elementwise<Unary> = floatFunction(functions.log1p, (dy, x) => div(dy, add(onesLike(x), x)));

/** 1 / (1 + e⁻ˣ). Its slope y · (1 − y) is exact on the left, and to the precision of 1 on the right, as PyTorch's. */
export function sigmoid(x: Value): Value {
  return apply(sigmoidOp, [x]);
}
export const sigmoidOp: Elementwise<Unary> = floatFunction(functions.sigmoid, (dy, _, y) => mul(dy, mul(y, sub(onesLike(y), y))));

/**
 * x · ln y, and 0 where x is 0 and y is a number, as in PyTorch: what an entropy is made of. Its gradient (ln y, x / y) at (0, 0) is 0, as the slope
 * in x is where x is 0 and y not above it.
 */
export function xlogy(x: Value, y: Value): Value {
  return apply(xlogyOp, [x, y]);
}
export const xlogyOp: Elementwise<Binary> = elementwise({
  name: "xlogy",
  costly: true,
  infer: (inputs) => floats("xlogy", inputs),
  vjp(dy, [x, y]) {
    const [zero, one] = [zerosLike(x), onesLike(x)];
    const nothing = logicalAnd(eq(x, zero), le(y, zero));
    return [mul(dy, select(nothing, zero, log(select(nothing, one, y)))), mul(dy, div(x, select(nothing, one, y)))];
  },
  lower: (args) => call(functions.xlogy, args),
});

/** 2/√π ∫₀ˣ e^−t² dt. */
export function erf(x: Value): Value {
  return apply(erfOp, [x]);
}
export const erfOp: Elementwise<Unary> = floatFunction(functions.erf, (dy, x) =>
  mul(dy, mul(scalarLike(x, 2 / Math.sqrt(Math.PI)), exp(neg(mul(x, x))))),
);

/** A step function: its gradient is null. Integers are whole already. */
function rounding(name: "floor" | "ceil" | "trunc" | "round", to: BasicOp): Elementwise<Unary> {
  return elementwise<Unary, undefined>({
    name,
    infer: (inputs): Type => numbers(name, inputs),
    vjp: null,
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
