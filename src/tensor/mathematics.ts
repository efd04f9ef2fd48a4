/** Functions that are no methods, element by element: a bundle holds those that it calls. Numbers and nested arrays become tensors. */
import type { Shape } from "../core/shape-types.ts";
import * as surface from "../surface/index.ts";
import { type Binary, joining, mapping, operand, type Unary } from "./elementwise.ts";
import { productOf, type Tensor, unary } from "./tensor.ts";

/** log₂ x, exact at powers of two: −∞ at 0, NaN below. */
export const log2: Unary = mapping("log2", surface.log2);
/** The angle in [−π/2, π/2] whose sine is x; NaN beyond ±1. */
export const asin: Unary = mapping("asin", surface.asin);
/** The angle in [0, π] whose cosine is x; NaN beyond ±1. */
export const acos: Unary = mapping("acos", surface.acos);
/** The angle in [−π/2, π/2] whose tangent is x. */
export const atan: Unary = mapping("atan", surface.atan);
/** (eˣ − e⁻ˣ)/2. */
export const sinh: Unary = mapping("sinh", surface.sinh);
/** (eˣ + e⁻ˣ)/2. */
export const cosh: Unary = mapping("cosh", surface.cosh);
/** log(x + √(x² + 1)), exact near 0. */
export const asinh: Unary = mapping("asinh", surface.asinh);
/** log(x + √(x² − 1)); NaN below 1. */
export const acosh: Unary = mapping("acosh", surface.acosh);
/** ½ log((1 + x)/(1 − x)), exact near 0; ±∞ at ±1, NaN beyond. */
export const atanh: Unary = mapping("atanh", surface.atanh);

/**
 * The angle of the point (x, y) in [−π, π], in all quadrants; the sign of a zero counts, as in C99: atan2(0, −0) is π. Its gradient
 * (x, −y)/(x² + y²) is 0 at (0, 0).
 *
 * @example atan2(1, -1) // 3π/4
 */
export const atan2: Binary = joining("atan2", surface.atan2);
/** √(a² + b²) without overflow; its gradient at (0, 0) is 0. */
export const hypot: Binary = joining("hypot", surface.hypot);
/** x · log y, and 0 where x is 0 and y is a number: Σ xlogy(p, p) is an entropy of probabilities that may be 0. The gradient at (0, 0) is 0. */
export const xlogy: Binary = joining("xlogy", surface.xlogy);
/** log(eᵃ + eᵇ + …) without overflow, of tensors that broadcast: adds probabilities that are given as logarithms. Where all are −∞, −∞ with a gradient of 0. */
export function logAddExp(a: Tensor, b: Tensor, ...more: readonly Tensor[]): Tensor {
  return productOf("logAddExp", [a, b, ...more], surface.logAddExp);
}
/** The remainder with the sign of a, exact: C's `fmod`, JavaScript's `%`. `mod` has the sign of b. Integers by 0 give 0. */
export const fmod: Binary = joining("fmod", surface.fmod);

/** x where positive, α·(e^(x/α) − 1) elsewhere: as `elu`, with a slope that has no jump at 0. Barron 2017. */
export function celu<S extends Shape>(x: Tensor<S> | number, alpha = 1): Tensor<S> {
  return unary("celu", operand(x, "celu"), (v) => surface.celu(v, alpha));
}

/** x between low and high, and these beyond. Its gradient is 0 at the ends and beyond; at those of `clip` it is 1. */
export function hardtanh<S extends Shape>(x: Tensor<S> | number, low = -1, high = 1): Tensor<S> {
  return unary("hardtanh", operand(x, "hardtanh"), (v) => surface.hardtanh(v, low, high));
}

/** min(max(x, 0), 6); its gradient at 0 and at 6 is 0. Krizhevsky 2010. */
export const relu6: Unary = mapping("relu6", surface.relu6);
/** min(max(x + 3, 0), 6) / 6, a sigmoid of straight lines. */
export const hardsigmoid: Unary = mapping("hardsigmoid", surface.hardsigmoid);
/** x · hardsigmoid(x). Howard et al. 2019. */
export const hardswish: Unary = mapping("hardswish", surface.hardswish);
/** x − tanh x. */
export const tanhshrink: Unary = mapping("tanhshrink", surface.tanhshrink);

/** x − λ above λ, x + λ below −λ, and 0 between: the proximal operator of λ|x|. NaN stays. */
export function softshrink<S extends Shape>(x: Tensor<S> | number, lambda = 0.5): Tensor<S> {
  return unary("softshrink", operand(x, "softshrink"), (v) => surface.softshrink(v, lambda));
}

/** x where |x| > λ, else 0. NaN stays. */
export function hardshrink<S extends Shape>(x: Tensor<S> | number, lambda = 0.5): Tensor<S> {
  return unary("hardshrink", operand(x, "hardshrink"), (v) => surface.hardshrink(v, lambda));
}
