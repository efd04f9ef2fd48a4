/**
 * xʸ with the edges of C99: pow(x, 0) = pow(1, y) = 1 even for NaN; a negative x needs an integer y, and an odd one gives its sign.
 *
 * float32 goes through a float64 logarithm. float64 takes log₂ x in two parts (after fdlibm, e_pow.c): heads have their low word
 * cleared, so that products of heads are exact.
 */
import type { Expr } from "../expr.ts";
import {
  abs,
  add,
  and,
  cast,
  div,
  eq,
  type Float,
  f64,
  fma,
  high,
  horner,
  lt,
  mul,
  ne,
  or,
  pair,
  pmax,
  pmin,
  power64,
  real,
  rounded,
  select,
  signOf,
  sqrt,
  sub,
  trunc,
  u32,
  xor,
} from "./build.ts";
import { expOfReduced, normalised, scaled, split64 } from "./float64.ts";

const LOG2E = 1 / Math.LN2;

export function power(x: Expr, y: Expr): Expr {
  const simple = y.op === "const" ? simplePower(x, y.value) : undefined;
  if (simple) return simple;
  const size = abs(x);
  return edges(x, y, x.dtype === "float32" ? size32(size, y) : size64(size, y));
}

/** Exponents that need no logarithm; at most 1.5 ulp. */
function simplePower(x: Expr, y: number): Expr | undefined {
  const k = (value: number): Expr => real(x.dtype as Float, value);
  const inverse = (): Expr => div(k(1), x);
  /** pow(−∞, ±½) is ∞ or 0, and pow(−0, ½) is 0. */
  const root = (): Expr => select(eq(x, k(-Infinity)), k(Infinity), sqrt(add(x, k(0))));
  switch (y) {
    case 0:
      return k(1);
    case 1:
      return x;
    case 2:
      return mul(x, x);
    case 3:
      return mul(mul(x, x), x);
    case 4:
      return mul(mul(x, x), mul(x, x));
    case -1:
      return inverse();
    case -2:
      return mul(inverse(), inverse());
    case 0.5:
      return root();
    case -0.5:
      return div(k(1), root());
    default:
      return undefined;
  }
}

/** The sign, and all arguments where |x|ʸ = 2^(y·log₂|x|) says nothing. */
function edges(x: Expr, y: Expr, size: Expr): Expr {
  const k = (value: number): Expr => real(x.dtype as Float, value);
  const a = abs(x);
  const whole = eq(trunc(y), y);
  const half = mul(y, k(0.5));
  const odd = and(whole, ne(trunc(half), half));
  const flat = or(eq(a, k(0)), eq(a, k(Infinity)));
  const limit = select(xor(lt(k(1), a), lt(y, k(0))), k(Infinity), k(0));
  const signed = mul(select(flat, limit, size), select(odd, signOf(x), k(1)));
  const imaginary = and(and(lt(x, k(0)), lt(k(-Infinity), x)), ne(trunc(y), y));
  const unknown = or(ne(x, x), ne(y, y));
  const one = or(eq(x, k(1)), eq(y, k(0)));
  return select(one, k(1), select(unknown, add(x, y), select(imaginary, k(NaN), signed)));
}

/** (2·atanh(s)/s − 2)/s² in s² for |s| ≤ 0.172, to 2⁻⁴³, and 2ʳ for |r| ≤ ½, to 2⁻³¹ (minimax). */
const ATANH = [0.6666666667583854, 0.3999999560703223, 0.28572110946788726, 0.2217610416397878, 0.19585654101059216];
const EXP2 = [
  0.9999999999610736, 0.6931471820902888, 0.2402265120906567, 0.055504091509794774, 0.009618011164127733, 0.0013333633473006261,
  0.0001547667001837213, 1.5473661679922905e-5,
];

/** y, or where it is infinite something that is as good: 0·y must stay 0. */
const finite = (y: Expr, most: number): Expr => pmax(pmin(y, real(y.dtype as Float, most)), real(y.dtype as Float, -most));

/** aʸ for float32 a > 0, in float64: the cast rounds once, makes denormals and infinity. */
function size32(a: Expr, y: Expr): Expr {
  const { exponent, mantissa } = split64(cast(a, "float64"));
  const s = div(sub(mantissa, f64(1)), add(mantissa, f64(1)));
  const z = mul(s, s);
  const log = fma(mul(z, s), horner(z, ATANH), add(s, s));
  const log2 = fma(log, f64(LOG2E), sub(cast(exponent, "float64"), f64(1023)));
  const t = pmax(pmin(mul(log2, cast(finite(y, 1e30), "float64")), f64(200)), f64(-200));
  const { n, word } = rounded(t, 1, 1023);
  return cast(mul(horner(sub(t, n), EXP2), power64(word)), "float32");
}

/** (3·atanh(s)/s − 3 − s²)/s⁴ in s² for |s| ≤ 0.172, to 2⁻⁷¹ of 3 (minimax). */
const ATANH3 = [
  0.5999999999999996, 0.428571428571688, 0.33333333326030623, 0.2727272833892361, 0.23076833038078018, 0.20004562697629016,
  0.17510489190399564, 0.17997808142287192,
];
/** 2/(3·ln 2) and its head and tail; ln 2 and its head and tail (fdlibm, e_pow.c). */
const TWO_THIRDS = { all: 0.9617966939259756, head: 0.9617967009544373, tail: -7.028461650952758e-9 };
const LN2 = { all: Math.LN2, head: 0.6931471824645996, tail: -1.904654299957768e-9 };

/** The upper 21 bits of the mantissa. */
const head = (x: Expr): Expr => pair(u32(0), high(x));

/** log₂ a as head + tail, for a > 0. */
function log2InTwo(a: Expr): { first: Expr; rest: Expr } {
  const { x: normal, offset } = normalised(a);
  const { exponent, mantissa: m } = split64(normal);
  const k = add(cast(exponent, "float64"), offset);
  const u = sub(m, f64(1));
  const v = div(f64(1), add(m, f64(1)));
  const s = mul(u, v);
  const sHead = head(s);
  const sumHead = head(add(m, f64(1)));
  const sumTail = sub(m, sub(sumHead, f64(1)));
  const sTail = mul(v, sub(sub(u, mul(sHead, sumHead)), mul(sHead, sumTail)));
  const square = mul(s, s);
  const series = fma(sTail, add(sHead, s), mul(mul(square, square), horner(square, ATANH3)));
  const squareHead = mul(sHead, sHead);
  const factor = head(add(add(squareHead, f64(3)), series));
  const factorTail = sub(series, sub(sub(factor, f64(3)), squareHead));
  const most = mul(sHead, factor);
  const more = add(mul(sTail, factor), mul(factorTail, s));
  const p = head(add(most, more));
  const pTail = sub(more, sub(p, most));
  const z = mul(p, f64(TWO_THIRDS.head));
  const zTail = add(mul(p, f64(TWO_THIRDS.tail)), mul(pTail, f64(TWO_THIRDS.all)));
  const first = head(add(add(z, zTail), k));
  return { first, rest: sub(zTail, sub(sub(first, k), z)) };
}

/** aʸ for float64 a > 0. */
function size64(a: Expr, exponent: Expr): Expr {
  const y = finite(exponent, 1e300);
  const { first, rest } = log2InTwo(a);
  const yHead = head(y);
  const product = mul(yHead, first);
  const productTail = add(mul(sub(y, yHead), first), mul(y, rest));
  const sum = pmax(pmin(add(product, productTail), f64(1100)), f64(-1100));
  const outside = lt(f64(1090), abs(sum));
  const { n, word } = rounded(sum, 1, 2046);
  const from = select(outside, sum, product);
  const tail = select(outside, f64(0), productTail);
  const most = sub(from, n);
  const t = head(add(tail, most));
  const u = mul(t, f64(LN2.head));
  const v = add(mul(sub(tail, sub(t, most)), f64(LN2.all)), mul(t, f64(LN2.tail)));
  const r = add(u, v);
  return scaled(expOfReduced(r, sub(v, sub(r, u))), word);
}
