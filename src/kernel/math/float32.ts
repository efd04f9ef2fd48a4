/**
 * float32 functions as polynomials: no tables, no branches, every lane the same work.
 *
 * Polynomials are minimax fits (Remez, then coefficients rounded one by one and the rest fitted again), written with as many digits
 * as tell float32 numbers apart. Reductions subtract
 * multiples of constants with few bits, so that products are exact and an fma that rounds twice changes nothing that matters.
 * Clamps stand as pmin(x, bound): the first operand survives where it is NaN.
 */
import type { Expr } from "../expr.ts";
import {
  abs,
  add,
  and,
  bits,
  cast,
  div,
  f32,
  fma,
  fromBits,
  horner,
  logEdges,
  lt,
  mul,
  pmax,
  pmin,
  power32,
  rounded,
  select,
  shl,
  shr,
  sub,
  u32,
  withSign,
} from "./build.ts";

const LOG2E = 1 / Math.LN2;
/** ln 2 in two parts; the first has 9 bits (Cephes). */
const LN2_HIGH = 0.693359375;
const LN2_LOW = Math.LN2 - LN2_HIGH;

/** (eʳ − 1 − r)/r² for |r| ≤ ln 2, to 2⁻²⁶ of eʳ. */
const EXP = [0.50000036, 0.16666616, 0.04166119, 0.008335955, 0.0014105595, 0.0001963216];
/** (eʳ − 1 − r)/r² for |r| ≤ ln(2)/2, to 2⁻²⁶ of eʳ − 1. */
const EXPM1 = [0.49999997, 0.16666539, 0.041667745, 0.008367101, 0.0013839566];
/** (e²ʳ − 1 − 2r)/2r² for |r| ≤ ln(2)/4. */
const HALF_EXPM1 = [0.99999994, 0.66666156, 0.33334196, 0.13387361, 0.044286612];
/** (log(1 + f) − f + f²/2)/f³ for 1 + f in √½ … √2, to 2⁻²⁷ of the logarithm. */
const LOG = [0.3333333, -0.25000823, 0.20001261, -0.16623324, 0.14200942, -0.1315971, 0.12766983, -0.07642273];
/** erf(x)/x − 1 in x² for |x| ≤ 0.92. */
const ERF_SMALL = [0.12837915, -0.37612495, 0.11281772, -0.026763855, 0.004988452, -0.00059659703];
/** log₂(erfc x) for x in 0.92 … 4. */
const ERFC_LOG2 = [-0.00029866735, -1.6268224, -0.91938037, -0.14983284, 0.032012954, -0.004376657, 0.00028124446];
/** (2ʳ − 1)/r for |r| ≤ ½. */
const EXP2 = [0.69314694, 0.24022232, 0.05550806, 0.009672166, 0.0013236493];

const ONE = f32(1);

/**
 * eˣ = eʳ · 2ᵐ · 2ᵐ with x = 2m·ln 2 + r. Two factors of 2ᵐ make results down to the smallest denormal and up to infinity
 * right with one more multiplication than a single 2ⁿ.
 */
export function exp32(x: Expr): Expr {
  const a = pmax(pmin(x, f32(89)), f32(-104));
  const { n, word } = rounded(a, LOG2E / 2, 127);
  const r = fma(n, f32(-2 * LN2_LOW), fma(n, f32(-2 * LN2_HIGH), a));
  const p = add(fma(horner(r, EXP), mul(r, r), r), ONE);
  const scale = power32(word);
  return mul(mul(p, scale), scale);
}

/** For x = n·ln 2 + r: eʳ − 1, and 2 to the power of n + shift. */
function expParts(x: Expr, shift: number): { p: Expr; scale: Expr } {
  const { n, word } = rounded(x, LOG2E, 127 + shift);
  const r = fma(n, f32(-LN2_LOW), fma(n, f32(-LN2_HIGH), x));
  return { p: fma(horner(r, EXPM1), mul(r, r), r), scale: power32(word) };
}

/**
 * 1/(1 + e⁻ˣ) as e/(e + 2⁶⁴) with e = 2⁶⁴·eˣ: one division, which also makes the denormals, and small results keep their digits.
 */
export function sigmoid32(x: Expr): Expr {
  const { p, scale } = expParts(pmax(pmin(x, f32(30)), f32(-104)), 64);
  const e = mul(add(p, ONE), scale);
  return div(e, add(e, f32(2 ** 64)));
}

/** eˣ − 1 = 2·(2ⁿ⁻¹·(eʳ − 1) + (2ⁿ⁻¹ − ½)): half of it, so that 2¹²⁸ is not needed. Tiny x is its own result. */
export function expm1_32(x: Expr): Expr {
  const { p, scale } = expParts(pmax(pmin(x, f32(89)), f32(-20)), -1);
  const half = fma(scale, p, sub(scale, f32(0.5)));
  return select(lt(abs(x), f32(2 ** -25)), x, add(half, half));
}

/** A quarter of eˣ, and of eˣ − 1, for x ≥ 0: what sinh and cosh are made of, which exist a little further than eˣ. */
function quarters(x: Expr): { e: Expr; em1: Expr } {
  const { p, scale } = expParts(pmin(x, f32(89.5)), -2);
  return { e: fma(scale, p, scale), em1: fma(scale, p, sub(scale, f32(0.25))) };
}

/** sinh x = 2·(q + q/(4q + 1)) with q = (eˣ − 1)/4 of |x|. */
export function sinh32(x: Expr): Expr {
  const a = abs(x);
  const q = quarters(a).em1;
  const half = add(q, div(q, fma(q, f32(4), ONE)));
  return select(lt(a, f32(2 ** -13)), x, withSign(add(half, half), x));
}

/** cosh x = 2q + 1/8q with q = eˣ/4 of |x|. */
export function cosh32(x: Expr): Expr {
  const q = quarters(abs(x)).e;
  return add(add(q, q), div(f32(0.125), q));
}

/**
 * tanh x = h/(h + 1) with h = (e²ˣ − 1)/2 of |x|. One constant for ln(2)/2 is enough: where n is not small, tanh is flat.
 * The result is never above 1, because h + 1 is never below h.
 */
export function tanh32(x: Expr): Expr {
  const a = pmin(abs(x), f32(9.1));
  const { n, word } = rounded(a, 2 * LOG2E, 127);
  const r = fma(n, f32(-Math.LN2 / 2), a);
  const p = fma(horner(r, HALF_EXPM1), mul(r, r), r);
  const scale = power32(word);
  const h = fma(scale, p, fma(scale, f32(0.5), f32(-0.5)));
  return withSign(div(h, add(h, ONE)), x);
}

/** erf x: x + x·P(x²) for small |x|, else 1 − 2^T(|x|) with T = log₂ erfc. */
export function erf32(x: Expr): Expr {
  const a = pmin(abs(x), f32(4));
  const square = mul(x, x);
  const small = fma(horner(square, ERF_SMALL), x, x);
  const t = horner(a, ERFC_LOG2);
  const { n, word } = rounded(t, 1, 127);
  const r = sub(t, n);
  const complement = mul(horner(r, [1, ...EXP2]), power32(word));
  return select(lt(abs(x), f32(0.92)), small, withSign(sub(ONE, complement), x));
}

/** The bits of √½, and what takes them to the bits of 1. */
const ROOT_HALF = 0x3f3504f3;
const TO_ONE = 0x3f800000 - ROOT_HALF;

/** A positive normal x as 2ᵏ·(1 + f) with 1 + f in √½ … √2: k + 127 as an integer, and f. */
function split(x: Expr): { exponent: Expr; f: Expr } {
  const moved = add(bits(x), u32(TO_ONE));
  const mantissa = fromBits(add(and(moved, u32(0x007fffff)), u32(ROOT_HALF)));
  return { exponent: shr(moved, 23), f: sub(mantissa, ONE) };
}

/** An integer below 2³¹ as a float32. */
const toFloat = (word: Expr): Expr => cast({ op: "bitcast", args: [word], dtype: "int32" }, "float32");

/** k·ln 2 + log(1 + f). */
function logOf(k: Expr, f: Expr): Expr {
  const square = mul(f, f);
  const tail = fma(horner(f, LOG), mul(square, f), mul(k, f32(LN2_LOW)));
  return fma(k, f32(LN2_HIGH), add(f, fma(square, f32(-0.5), tail)));
}

/** A positive x as 2ᵏ·(1 + f). Denormals are scaled by 2²³ first. */
function parts(x: Expr): { k: Expr; f: Expr } {
  const denormal = lt(x, f32(2 ** -126));
  const { exponent, f } = split(select(denormal, mul(x, f32(2 ** 23)), x));
  return { k: add(toFloat(exponent), select(denormal, f32(-150), f32(-127))), f };
}

/** log x; −∞ at 0, NaN below. */
export function log32(x: Expr): Expr {
  const { k, f } = parts(x);
  return logEdges(x, x, logOf(k, f));
}

/** log₂ x = k + log(1 + f)·log₂e: exact at powers of two, where f is 0. */
export function log2_32(x: Expr): Expr {
  const { k, f } = parts(x);
  return logEdges(x, x, fma(logOf(f32(0), f), f32(LOG2E), k));
}

/** log(1 + x): the logarithm of u = 1 + x rounded, whose f gets back what the rounding lost, x − (u − 1). */
export function log1p32(x: Expr): Expr {
  const u = add(x, ONE);
  const lost = sub(x, sub(u, ONE));
  const { exponent, f } = split(u);
  const scale = fromBits(shl(sub(u32(254), pmin(exponent, u32(254))), 23));
  const k = sub(toFloat(exponent), f32(127));
  const y = logEdges(x, u, logOf(k, fma(lost, scale, f)));
  return select(lt(abs(x), f32(2 ** -25)), x, y);
}
