/** Angles and hyperbolas, element by element. Slopes are written so that nothing overflows before they do, and no 0 · ∞ comes of an edge. */
import { apply, type Binary, type Elementwise, type Unary, type Value } from "../graph/op.ts";
import { call } from "../kernel/expr.ts";
import * as functions from "../kernel/math/functions.ts";
import { add, div, mul, neg, square, sub } from "./elementwise.ts";
import { onesLike, zerosLike } from "./leaf.ts";
import { eq, select } from "./logic.ts";
import { sqrt } from "./maths.ts";
import { elementwise, floatFunction, floats } from "./rules.ts";

/** The sine of an angle, reduced exactly however large; NaN at ±∞. */
export function sin(x: Value): Value {
  return apply(sinOp, [x]);
}
export const sinOp: Elementwise<Unary> = floatFunction(functions.sin, (dy, x) => mul(dy, cos(x)));

/** The cosine of an angle, reduced exactly however large; NaN at ±∞. */
export function cos(x: Value): Value {
  return apply(cosOp, [x]);
}
export const cosOp: Elementwise<Unary> = floatFunction(functions.cos, (dy, x) => neg(mul(dy, sin(x))));

/** √(1 − x²), exact near |x| = 1. */
const otherSide = (x: Value): Value => sqrt(mul(sub(onesLike(x), x), add(onesLike(x), x)));

/** The angle in [−π/2, π/2] whose sine is x; NaN beyond ±1, where its slope 1/√(1 − x²) is infinite. */
export function asin(x: Value): Value {
  return apply(asinOp, [x]);
}
export const asinOp: Elementwise<Unary> = floatFunction(functions.asin, (dy, x) => div(dy, otherSide(x)));

/** The angle in [0, π] whose cosine is x; NaN beyond ±1, where its slope −1/√(1 − x²) is infinite. */
export function acos(x: Value): Value {
  return apply(acosOp, [x]);
}
export const acosOp: Elementwise<Unary> = floatFunction(functions.acos, (dy, x) => neg(div(dy, otherSide(x))));

/** The angle in [−π/2, π/2] whose tangent is x. */
export function atan(x: Value): Value {
  return apply(atanOp, [x]);
}
export const atanOp: Elementwise<Unary> = floatFunction(functions.atan, (dy, x) => div(dy, add(square(x), onesLike(x))));

/** √(a² + b²) without overflow, infinite where either is; its gradient at (0, 0) is 0. */
export function hypot(a: Value, b: Value): Value {
  return apply(hypotOp, [a, b]);
}
export const hypotOp: Elementwise<Binary> = elementwise({
  name: "hypot",
  costly: true,
  infer: (inputs) => floats("hypot", inputs),
  vjp(dy, [a, b], out) {
    const length = oneAtZero(out);
    return [mul(dy, div(a, length)), mul(dy, div(b, length))];
  },
  lower: (args) => call(functions.hypot, args),
});

/** A length to divide by. */
const oneAtZero = (length: Value): Value => select(eq(length, zerosLike(length)), onesLike(length), length);

/**
 * The angle of the point (x, y) in [−π, π], in all quadrants; signs of zeros count as in C99: atan2(0, −0) is π. Its gradient (x, −y)/(x² + y²) at
 * (0, 0) is 0.
 */
export function atan2(y: Value, x: Value): Value {
  return apply(atan2Op, [y, x]);
}
export const atan2Op: Elementwise<Binary> = elementwise({
  name: "atan2",
  costly: true,
  infer: (inputs) => floats("atan2", inputs),
  vjp(dy, [y, x]) {
    const length = oneAtZero(hypot(y, x));
    // A length may be so small that its inverse is infinite, and 0 · ∞ is NaN: it divides last.
    const along = (side: Value): Value => div(mul(dy, div(side, length)), length);
    return [along(x), neg(along(y))];
  },
  lower: (args) => call(functions.atan2, args),
});

/** (eˣ − e⁻ˣ)/2. */
export function sinh(x: Value): Value {
  return apply(sinhOp, [x]);
}
export const sinhOp: Elementwise<Unary> = floatFunction(functions.sinh, (dy, x) => mul(dy, cosh(x)));

/** (eˣ + e⁻ˣ)/2. */
export function cosh(x: Value): Value {
  return apply(coshOp, [x]);
}
export const coshOp: Elementwise<Unary> = floatFunction(functions.cosh, (dy, x) => mul(dy, sinh(x)));

/** Its slope 1 − y² is exact to the precision of 1: far out, where that is nothing, it is 0. */
export function tanh(x: Value): Value {
  return apply(tanhOp, [x]);
}
export const tanhOp: Elementwise<Unary> = floatFunction(functions.tanh, (dy, _, y) => mul(dy, sub(onesLike(y), mul(y, y))));

/** log(x + √(x² + 1)). */
export function asinh(x: Value): Value {
  return apply(asinhOp, [x]);
}
export const asinhOp: Elementwise<Unary> = floatFunction(functions.asinh, (dy, x) => div(dy, hypot(x, onesLike(x))));

/** log(x + √(x² − 1)); NaN below 1, where its slope is infinite. */
export function acosh(x: Value): Value {
  return apply(acoshOp, [x]);
}
export const acoshOp: Elementwise<Unary> = floatFunction(functions.acosh, (dy, x) =>
  div(div(dy, sqrt(sub(x, onesLike(x)))), sqrt(add(x, onesLike(x)))),
);

/** ½ log((1 + x)/(1 − x)); ±∞ at ±1, NaN beyond. */
export function atanh(x: Value): Value {
  return apply(atanhOp, [x]);
}
export const atanhOp: Elementwise<Unary> = floatFunction(functions.atanh, (dy, x) =>
  div(dy, mul(sub(onesLike(x), x), add(onesLike(x), x))),
);
