/**
 * float64 functions to their last bits, built as the float32 ones are, with remainders of reductions carried along.
 * No step needs a single rounding from fma.
 */
import type { Expr } from "../expr.ts";
import {
  abs,
  add,
  and,
  cast,
  div,
  f64,
  fma,
  high,
  horner,
  logEdges,
  low,
  lt,
  mul,
  pair,
  pmax,
  pmin,
  power64,
  rounded,
  select,
  shl,
  shr,
  sub,
  u32,
  withSign,
} from "./build.ts";

const LOG2E = 1 / Math.LN2;
/** ln 2 in two parts; the first has 33 bits (fdlibm). */
const LN2_HIGH = 0.6931471803691238;
const LN2_LOW = 1.9082149292705877e-10;

/** (eʳ − 1 − r)/r² for |r| ≤ ln(2)/2, to 2⁻⁵⁷ of eʳ (minimax). */
const EXP = [
  0.5000000000000011, 0.16666666666666405, 0.0416666666665253, 0.008333333333497584, 0.0013888888945065628, 0.000198412695361445,
  2.4801491350788356e-5, 2.7557519266239616e-6, 2.7630985780253193e-7, 2.5034646905941844e-8,
];
/** The same to 2⁻⁶⁰ of eʳ − 1. */
const EXPM1 = [
  0.5, 0.16666666666666677, 0.041666666666666685, 0.008333333333321794, 0.0013888888888893816, 0.0001984126988536713, 2.4801587278438477e-5,
  2.755724510361509e-6, 2.755733151922573e-7, 2.510872338068614e-8, 2.08926264707604e-9,
];
/** tanh x = x + x·z·P(z)/Q(z), z = x², for |x| < 0.625 (Cephes, tanh.c). */
const TANH_P = [-1614.6876844170845, -99.28772310019185, -0.9643991794250523];
const TANH_Q = [4844.063053251255, 2235.4883906010045, 112.81167849163293, 1];
/** (log((1 + s)/(1 − s)) − 2s)/s in z = s² (fdlibm, e_log.c); times z. */
const LOG = [
  0.6666666666666735, 0.3999999999940942, 0.2857142874366239, 0.22222198432149784, 0.1818357216161805, 0.15313837699209373,
  0.14798198605116586,
];
/** erf(x)/x − 1 in x² for |x| ≤ 1 (minimax, to 2⁻⁵⁶). */
const ERF_SMALL = [
  0.1283791670955126, -0.376126389031841, 0.11283791670971033, -0.026866170647981774, 0.005223977651763269, -0.0008548328457263119,
  0.00012055382538323781, -1.4926778553431955e-5, 1.647922990847542e-6, -1.6536464245705625e-7, 1.5869140869581943e-8,
  -1.5899022562678028e-9, 1.3386093257535614e-10,
];
/** log(erfc x) for x in 1 … 6 (minimax, weighted by erfc). */
const ERFC_LOG = [
  -4.965193139271105e-7, -1.1283741471481172, -0.6366433841196859, -0.10270407588727218, 0.01899132501033187, 0.0004091154474636352,
  -0.001914429360146507, 0.0007694690712274265, -0.0001343361939442917, -2.0609302392539593e-5, 2.2952168270640555e-5, -8.70564834549523e-6,
  2.144525628727652e-6, -3.748457407282173e-7, 4.661993028863881e-8, -3.9516295711971176e-9, 2.054400263816391e-10, -4.952421123999013e-12,
];

const ONE = f64(1);

/** x = n·ln 2 + r + tail with |r| ≤ ln(2)/2, and a word that holds n + bias. */
function reduce(x: Expr, bias: number): { r: Expr; tail: Expr; word: Expr } {
  const { n, word } = rounded(x, LOG2E, bias);
  const most = fma(n, f64(-LN2_HIGH), x);
  const rest = mul(n, f64(LN2_LOW));
  const r = sub(most, rest);
  return { r, tail: sub(sub(most, r), rest), word };
}

/** e^(r + tail) for a reduced argument. */
export const expOfReduced = (r: Expr, tail: Expr): Expr => add(add(r, fma(horner(r, EXP), mul(r, r), tail)), ONE);

/** p·2ⁿ from a word that holds n + 2046, in two factors: right down to the smallest denormal and up to infinity. */
export function scaled(p: Expr, word: Expr): Expr {
  const half = shr(word, 1);
  return mul(mul(p, power64(half)), power64(sub(word, half)));
}

export function exp64(x: Expr): Expr {
  return expBelow(pmin(x, f64(710)));
}

/** eˣ for x ≤ 710 (or NaN). */
function expBelow(x: Expr): Expr {
  const { r, tail, word } = reduce(pmax(x, f64(-746)), 2046);
  return scaled(expOfReduced(r, tail), word);
}

/** eˣ for |x| ≤ 700: one factor. */
function expInside(x: Expr): Expr {
  const { r, tail, word } = reduce(x, 1023);
  return mul(expOfReduced(r, tail), power64(word));
}

/** 1/(1 + e⁻ˣ) as eˣ/(eˣ + 1). */
export function sigmoid64(x: Expr): Expr {
  const e = expBelow(pmin(x, f64(40)));
  return div(e, add(e, ONE));
}

/** eˣ − 1, summed as ((s − ½) + s·r) + s·rest with s = 2ⁿ⁻¹, the half of it, which does not overflow before the result does. */
export function expm1_64(x: Expr): Expr {
  const { r, tail, word } = reduce(pmax(pmin(x, f64(710)), f64(-40)), 1022);
  const rest = fma(horner(r, EXPM1), mul(r, r), tail);
  const scale = power64(word);
  const half = fma(scale, rest, fma(scale, r, sub(scale, f64(0.5))));
  return select(lt(abs(x), f64(2 ** -54)), x, add(half, half));
}

/** A quarter of eˣ, and of eˣ − 1, for x ≥ 0: what sinh and cosh are made of, which exist a little further than eˣ. */
function quarters(x: Expr): { e: Expr; em1: Expr } {
  const { r, tail, word } = reduce(pmin(x, f64(710.5)), 1021);
  const rest = fma(horner(r, EXPM1), mul(r, r), tail);
  const scale = power64(word);
  const ofLow = (base: Expr): Expr => fma(scale, rest, fma(scale, r, base));
  return { e: ofLow(scale), em1: ofLow(sub(scale, f64(0.25))) };
}

/** sinh x = 2·(q + q/(4q + 1)) with q = (eˣ − 1)/4 of |x|. */
export function sinh64(x: Expr): Expr {
  const a = abs(x);
  const q = quarters(a).em1;
  const half = add(q, div(q, fma(q, f64(4), ONE)));
  return select(lt(a, f64(2 ** -28)), x, withSign(add(half, half), x));
}

/** cosh x = 2q + 1/8q with q = eˣ/4 of |x|. */
export function cosh64(x: Expr): Expr {
  const q = quarters(abs(x)).e;
  return add(add(q, q), div(f64(0.125), q));
}

/** tanh x: x + x·z·P/Q for |x| < 0.625, else 1 − 2/(e²ˣ + 1); the two share their division. */
export function tanh64(x: Expr): Expr {
  const a = pmin(abs(x), f64(20));
  const square = mul(a, a);
  const e = expInside(add(a, a));
  const small = lt(a, f64(0.625));
  const above = select(small, mul(mul(a, square), horner(square, TANH_P)), f64(-2));
  const below = select(small, horner(square, TANH_Q), add(e, ONE));
  return withSign(add(select(small, a, ONE), div(above, below)), x);
}

/** erf x: x + x·P(x²) for |x| < 1, else 1 − e^T(|x|) with T = log erfc. */
export function erf64(x: Expr): Expr {
  const a = pmin(abs(x), f64(6));
  const small = fma(horner(mul(x, x), ERF_SMALL), x, x);
  const complement = expInside(horner(a, ERFC_LOG));
  return select(lt(abs(x), ONE), small, withSign(sub(ONE, complement), x));
}

/** The high word of √½ (rounded down), and what takes it to that of 1. */
const ROOT_HALF = 0x3fe6a09e;
const TO_ONE = 0x3ff00000 - ROOT_HALF;

/** A positive normal x as 2ᵏ·m with m in √½ … √2: k + 1023 as an integer, and m. */
export function split64(x: Expr): { exponent: Expr; mantissa: Expr } {
  const moved = add(high(x), u32(TO_ONE));
  const mantissa = pair(low(x), add(and(moved, u32(0x000fffff)), u32(ROOT_HALF)));
  return { exponent: shr(moved, 20), mantissa };
}

/** x and 0, or a denormal x times 2⁵⁴ and −54: what to split, and what to add to the exponent with its bias. */
export function normalised(x: Expr): { x: Expr; offset: Expr } {
  const denormal = lt(x, f64(2 ** -1022));
  return { x: select(denormal, mul(x, f64(2 ** 54)), x), offset: select(denormal, f64(-1023 - 54), f64(-1023)) };
}

/** k·ln 2 + log(1 + f), by s = f/(2 + f) (fdlibm, e_log.c). */
function logOf(k: Expr, f: Expr): Expr {
  const s = div(f, add(f, f64(2)));
  const z = mul(s, s);
  const r = mul(z, horner(z, LOG));
  const half = mul(mul(f, f), f64(0.5));
  const low = fma(k, f64(LN2_LOW), mul(s, add(half, r)));
  return sub(mul(k, f64(LN2_HIGH)), sub(sub(half, low), f));
}

/** A positive x as 2ᵏ·(1 + f). */
function parts(x: Expr): { k: Expr; f: Expr } {
  const { x: normal, offset } = normalised(x);
  const { exponent, mantissa } = split64(normal);
  return { k: add(cast(exponent, "float64"), offset), f: sub(mantissa, ONE) };
}

/** log x; −∞ at 0, NaN below. */
export function log64(x: Expr): Expr {
  const { k, f } = parts(x);
  return logEdges(x, x, logOf(k, f));
}

/** log₂ x = k + log(1 + f)·log₂e: exact at powers of two, where f is 0. */
export function log2_64(x: Expr): Expr {
  const { k, f } = parts(x);
  return logEdges(x, x, fma(logOf(f64(0), f), f64(LOG2E), k));
}

/** log(1 + x), as in float32. */
export function log1p64(x: Expr): Expr {
  const u = add(x, ONE);
  const lost = sub(x, sub(u, ONE));
  const { exponent, mantissa } = split64(u);
  const scale = pair(u32(0), shl(sub(u32(2046), pmin(exponent, u32(2046))), 20));
  const k = sub(cast(exponent, "float64"), f64(1023));
  const y = logEdges(x, u, logOf(k, fma(lost, scale, sub(mantissa, ONE))));
  return select(lt(abs(x), f64(2 ** -54)), x, y);
}
