/** Functions that are no methods, element by element: a bundle holds those that it calls. Numbers and nested arrays become tensors. */
import { ArgumentError, show } from "../core/errors.ts";
import type { Shape } from "../core/shape-types.ts";
import { takeSite } from "../core/site.ts";
import type { Value } from "../graph/op.ts";
import * as ops from "../ops/index.ts";
import * as surface from "../surface/index.ts";
import { type Binary, joining, operand, type Unary } from "./functions.ts";
import { type Tensor, unary } from "./tensor.ts";

const onFloat = (x: Tensor | number, who: string, build: (x: Value) => Value): Tensor =>
  unary(who, operand(x, who), surface.float(who, build, `${who}(x.cast("float32"))`));
const mapping =
  (who: string, build: (x: Value) => Value): Unary =>
  (x) =>
    onFloat(x, who, build);
const pair = (who: string, build: (a: Value, b: Value) => Value): Binary => joining(who, surface.joining(who, build));

/** log₂ x, exact at powers of two: −∞ at 0, NaN below. */
export const log2: Unary = mapping("log2", ops.log2);
/** The angle in [−π/2, π/2] whose sine is x; NaN beyond ±1. */
export const asin: Unary = mapping("asin", ops.asin);
/** The angle in [0, π] whose cosine is x; NaN beyond ±1. */
export const acos: Unary = mapping("acos", ops.acos);
/** The angle in [−π/2, π/2] whose tangent is x. */
export const atan: Unary = mapping("atan", ops.atan);
/** (eˣ − e⁻ˣ)/2. */
export const sinh: Unary = mapping("sinh", ops.sinh);
/** (eˣ + e⁻ˣ)/2. */
export const cosh: Unary = mapping("cosh", ops.cosh);
/** log(x + √(x² + 1)), exact near 0. */
export const asinh: Unary = mapping("asinh", ops.asinh);
/** log(x + √(x² − 1)); NaN below 1. */
export const acosh: Unary = mapping("acosh", ops.acosh);
/** ½ log((1 + x)/(1 − x)), exact near 0; ±∞ at ±1, NaN beyond. */
export const atanh: Unary = mapping("atanh", ops.atanh);

/**
 * The angle of the point (x, y) in [−π, π], in all quadrants; the sign of a zero counts, as in C99: atan2(0, −0) is π. Its gradient
 * (x, −y)/(x² + y²) is 0 at (0, 0).
 *
 * @example atan2(1, -1) // 3π/4
 */
export const atan2: Binary = pair("atan2", ops.atan2);
/** √(a² + b²) without overflow; its gradient at (0, 0) is 0. */
export const hypot: Binary = pair("hypot", ops.hypot);
/** x · log y, and 0 where x is 0 and y is a number: Σ xlogy(p, p) is an entropy of probabilities that may be 0. The gradient at (0, 0) is 0. */
export const xlogy: Binary = pair("xlogy", ops.xlogy);
/** The remainder with the sign of a, exact: C's `fmod`, JavaScript's `%`. `mod` has the sign of b. Integers by 0 give 0. */
export const fmod: Binary = pair("fmod", ops.fmod);

function checkNumber(x: number, who: string, fits: boolean, wanted: string): void {
  if (typeof x !== "number" || !fits) throw new ArgumentError(`${who} is ${show(x)}`, { help: wanted, site: takeSite() });
}

/** x where positive, α·(e^(x/α) − 1) elsewhere: as `elu`, with a slope that has no jump at 0. Barron 2017. */
export function celu<S extends Shape>(x: Tensor<S> | number, alpha = 1): Tensor<S> {
  checkNumber(alpha, "celu: alpha", Number.isFinite(alpha) && alpha !== 0, "a number other than 0");
  return onFloat(x, "celu", (v) => surface.celu(v, alpha));
}

/** x between low and high, and these beyond. Its gradient is 0 at the ends and beyond; at those of `clip` it is 1. */
export function hardtanh<S extends Shape>(x: Tensor<S> | number, low = -1, high = 1): Tensor<S> {
  checkNumber(low, "hardtanh: low", low <= high, "a number that is not above high");
  return onFloat(x, "hardtanh", (v) => surface.hardtanh(v, low, high));
}

/** min(max(x, 0), 6); its gradient at 0 and at 6 is 0. Krizhevsky 2010. */
export const relu6: Unary = mapping("relu6", (v) => surface.hardtanh(v, 0, 6));
/** min(max(x + 3, 0), 6) / 6, a sigmoid of straight lines. */
export const hardsigmoid: Unary = mapping("hardsigmoid", surface.hardsigmoid);
/** x · hardsigmoid(x). Howard et al. 2019. */
export const hardswish: Unary = mapping("hardswish", surface.hardswish);
/** x − tanh x. */
export const tanhshrink: Unary = mapping("tanhshrink", surface.tanhshrink);

/** x − λ above λ, x + λ below −λ, and 0 between: the proximal operator of λ|x|. NaN stays. */
export function softshrink<S extends Shape>(x: Tensor<S> | number, lambda = 0.5): Tensor<S> {
  checkNumber(lambda, "softshrink: lambda", lambda >= 0, "a number that is not negative");
  return onFloat(x, "softshrink", (v) => surface.softshrink(v, lambda));
}

/** x where |x| > λ, else 0. NaN stays. */
export function hardshrink<S extends Shape>(x: Tensor<S> | number, lambda = 0.5): Tensor<S> {
  checkNumber(lambda, "hardshrink: lambda", lambda >= 0, "a number that is not negative");
  return onFloat(x, "hardshrink", (v) => surface.hardshrink(v, lambda));
}
