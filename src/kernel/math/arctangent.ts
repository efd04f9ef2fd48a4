/**
 * The arctangent of a quotient n/d of sizes, reduced to |t| ≤ 1: where n > d it is π/2 less that of d/n. Then t + t·z·P(z) with z = t², a
 * minimax fit over the whole of 0 … 1, which costs less than a second reduction.
 */
import type { Expr } from "../expr.ts";
import { abs, add, bits, div, eq, type Float, fma, high, horner, lt, mul, real, select, sqrt, sub, u32, withSign, xor } from "./build.ts";

/** (atan(t)/t − 1)/t² in t², to 2⁻²⁸ of atan t. */
const ATAN32 = [-0.333333, 0.1999853, -0.14264016, 0.10950882, -0.0839932, 0.057881907, -0.031097958, 0.010869562, -0.0017831258];
/** The same, to 2⁻⁵⁷. */
const ATAN64 = [
  -0.3333333333333307, 0.19999999999951748, -0.14285714282587975, 0.1111111100733827, -0.0909090700772793, 0.07692279888052153,
  -0.06666404416145102, 0.05880529765318107, -0.05253526595378821, 0.04722347760817266, -0.04219242108139027, 0.03664313259949626,
  -0.02990570827175762, 0.021987034565568792, -0.013902540383000836, 0.007197859689807429, -0.0028855961647234673, 0.0008315547660167488,
  -0.00015221007864488797, 1.3229893029711593e-5,
];

/** π and π/2, and what they lack. */
const PI = {
  float32: { most: 3.1415927410125732, rest: -8.742277657347586e-8 },
  float64: { most: Math.PI, rest: 1.2246467991473532e-16 },
};

/** True for −0 too. */
function isNegative(x: Expr): Expr {
  return lt(u32(0x7fffffff), x.dtype === "float32" ? bits(x) : high(x));
}

/** atan(n/d) for n, d ≥ 0, or π less that where `left`; 0/0 is 0, ∞/∞ is 1. */
function angle(n: Expr, d: Expr, left?: Expr): Expr {
  const dtype = n.dtype as Float;
  const k = (value: number): Expr => real(dtype, value);
  const { most, rest } = PI[dtype];
  const steep = lt(d, n);
  const quotient = div(select(steep, d, n), select(steep, n, d));
  const t = left ? select(eq(n, d), select(eq(n, k(0)), k(0), k(1)), quotient) : quotient;
  const z = mul(t, t);
  const r = fma(mul(t, z), horner(z, dtype === "float32" ? ATAN32 : ATAN64), t);
  const base = (value: number): Expr => select(steep, k(value / 2), left ? select(left, k(value), k(0)) : k(0));
  const turned = left ? xor(steep, left) : steep;
  return add(base(most), add(select(turned, sub(k(0), r), r), base(rest)));
}

/** atan x, with the sign of x. */
export const arctangent = (x: Expr): Expr => withSign(angle(abs(x), real(x.dtype as Float, 1)), x);

/** √(1 − x²), exact where |x| is near 1; NaN beyond. */
function otherSide(x: Expr): Expr {
  const one = real(x.dtype as Float, 1);
  return sqrt(mul(sub(one, x), add(one, x)));
}

/** asin x, the angle with the sides x and √(1 − x²). */
export const arcsine = (x: Expr): Expr => withSign(angle(abs(x), otherSide(x)), x);

/** acos x, from 0 to π: the angle with the sides √(1 − x²) and x. */
export const arccosine = (x: Expr): Expr => angle(otherSide(x), abs(x), isNegative(x));

/** The angle of the point (x, y), from −π to π, with C99's edges: the sign of y, and that of x for zeros too. */
export const arctangent2 = (y: Expr, x: Expr): Expr => withSign(angle(abs(y), abs(x), isNegative(x)), y);
