/**
 * The functions that are expanded into operations that every target can print: polynomials and selects, in float32 and in true float64. Each is one
 * object: its expansion, and what it means.
 *
 * Largest errors found, in ulp, whether fma rounds once or twice: every seventh float32 (of inverse and hyperbolic functions every thousandth) and many
 * float64 arguments. Denormals, infinities, NaN and signs of zero are as in C99. `quotient`, `remainder` and `fmod` are exact.
 *
 * |         | exp | expm1 | log | log1p | log2 | xlogy | pow | tanh | sigmoid | erf |
 * |---------|-----|-------|-----|-------|------|-------|-----|------|---------|-----|
 * | float32 | 1.7 | 1.7   | 0.9 | 1.5   | 1.6  | 1.7   | 0.6 | 2.6  | 2.4     | 1.6 |
 * | float64 | 0.9 | 1.3   | 0.8 | 1.2   | 1.8  | 1.7   | 1.0 | 1.3  | 2.3     | 1.4 |
 *
 * |         | sin | cos | asin | acos | atan | atan2 | hypot | sinh | cosh | asinh | acosh | atanh |
 * |---------|-----|-----|------|------|------|-------|-------|------|------|-------|-------|-------|
 * | float32 | 1.6 | 1.6 | 2.3  | 1.9  | 1.3  | 1.5   | 2.0   | 2.1  | 1.4  | 1.8   | 2.2   | 2.0   |
 * | float64 | 0.8 | 0.8 | 2.2  | 1.8  | 1.5  | 1.5   | 1.9   | 2.2  | 1.6  | 1.6   | 2.5   | 1.7   |
 */
import type { DType } from "../../core/dtype.ts";
import { constant, type Expr, type ScalarFunction } from "../expr.ts";
import { arccosine, arcsine, arctangent, arctangent2 } from "./arctangent.ts";
import { and, eq, mul, select } from "./build.ts";
import * as division from "./division.ts";
import { erf as erfOf } from "./erf.ts";
import { cosh32, erf32, exp32, expm1_32, log1p32, log2_32, log32, sigmoid32, sinh32, tanh32 } from "./float32.ts";
import { cosh64, erf64, exp64, expm1_64, log1p64, log2_64, log64, sigmoid64, sinh64, tanh64 } from "./float64.ts";
import { inverseCosh, inverseSinh, inverseTanh } from "./hyperbolic.ts";
import * as meanings from "./meanings.ts";
import { power } from "./power.ts";
import * as simple from "./simple.ts";
import { threefry } from "./threefry.ts";
import { cosine, sine } from "./trigonometry.ts";

const FLOATS: readonly DType[] = ["float32", "float64"];
const ALL: readonly DType[] = ["float32", "float64", "int32", "uint32", "uint8", "bool"];

type Unary<T> = (x: T) => T;
type Binary<T> = (a: T, b: T) => T;

const unary = (name: string, expand: Unary<Expr>, meaning: Unary<number>, types = FLOATS): ScalarFunction => ({
  name,
  types,
  expand: ([x]) => expand(x!),
  meaning: ([x]) => meaning(x!),
});
/** A function of one float whose expansions for the two types differ. */
const float = (name: string, single: Unary<Expr>, double: Unary<Expr>, meaning: Unary<number>): ScalarFunction =>
  unary(name, (x) => (x.dtype === "float32" ? single(x) : double(x)), meaning);
const binary = (
  name: string,
  expand: Binary<Expr>,
  meaning: (a: number, b: number, dtype: DType) => number,
  types = FLOATS,
): ScalarFunction => ({
  name,
  types,
  expand: ([a, b]) => expand(a!, b!),
  meaning: ([a, b], dtype) => meaning(a!, b!, dtype),
});

const logOf = (x: Expr): Expr => (x.dtype === "float32" ? log32(x) : log64(x));

function xLogY(x: Expr, y: Expr): Expr {
  const zero = constant(0, x.dtype);
  return select(and(eq(x, zero), eq(y, y)), zero, mul(x, logOf(y)));
}

/** The smaller; NaN where either is, and −0 is less than 0. */
export const min = binary("min", simple.minimum, meanings.min, ALL);
/** The larger; NaN where either is, and −0 is less than 0. */
export const max = binary("max", simple.maximum, meanings.max, ALL);
/** −1, 0 or 1; a zero keeps its sign, NaN stays NaN. */
export const sign = unary("sign", simple.sign, Math.sign, ALL);

export const exp = float("exp", exp32, exp64, Math.exp);
/** eˣ − 1. */
export const expm1 = float("expm1", expm1_32, expm1_64, Math.expm1);
export const log = float("log", log32, log64, Math.log);
/** log(1 + x). */
export const log1p = float("log1p", log1p32, log1p64, Math.log1p);
/** log₂ x, exact at powers of two. */
export const log2 = float("log2", log2_32, log2_64, Math.log2);
export const sinh = float("sinh", sinh32, sinh64, Math.sinh);
export const cosh = float("cosh", cosh32, cosh64, Math.cosh);
export const asinh = unary("asinh", inverseSinh, Math.asinh);
export const acosh = unary("acosh", inverseCosh, Math.acosh);
export const atanh = unary("atanh", inverseTanh, Math.atanh);
export const tanh = float("tanh", tanh32, tanh64, Math.tanh);
/** 1 / (1 + e⁻ˣ). */
export const sigmoid = float("sigmoid", sigmoid32, sigmoid64, meanings.sigmoid);
/** 2/√π ∫₀ˣ e^−t² dt. */
export const erf = float("erf", erf32, erf64, erfOf);
export const sin = unary("sin", sine, Math.sin);
export const cos = unary("cos", cosine, Math.cos);
export const asin = unary("asin", arcsine, Math.asin);
export const acos = unary("acos", arccosine, Math.acos);
export const atan = unary("atan", arctangent, Math.atan);
/** The angle of the point (x, y). */
export const atan2 = binary("atan2", arctangent2, Math.atan2);
/** √(a² + b²). */
export const hypot = binary("hypot", simple.hypotenuse, (a, b) => Math.hypot(a, b));
/** x · log y, and 0 where x is 0 and y a number. */
export const xlogy = binary("xlogy", xLogY, meanings.xlogy);
export const pow = binary("pow", power, meanings.pow);

/** C's remainder, with the sign of a. */
export const fmod = binary("fmod", division.fmod, (a, b) => a % b);
/** The floor division of floats: ⌊a / b⌋. */
export const quotient = binary("quotient", division.quotient, meanings.quotient);
/** What the floor division leaves, with the sign of b. */
export const remainder = binary("remainder", division.remainder, meanings.remainder);

/** One of the two words of threefry-2x32 for the uint32 arguments (key0, key1, counter0, counter1). */
const threefryWord = (word: 0 | 1): ScalarFunction => ({
  name: `threefry${word}`,
  types: ["uint32"],
  expand: ([a, b, c, d]) => threefry(a!, b!, c!, d!)[word],
  meaning: (words) => meanings.threefry(words)[word],
});
export const threefry0 = threefryWord(0);
export const threefry1 = threefryWord(1);
