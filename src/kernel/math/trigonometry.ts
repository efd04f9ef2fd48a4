/**
 * Sine and cosine: x = j·π/2 + r with |r| ≤ π/4, then the polynomial and the sign that j mod 4 says.
 *
 * Up to 10⁵ in float32 and 10⁶ in float64 a few parts of π/2 are enough; larger arguments are reduced exactly (`far.ts`), at a cost that only
 * vectors with such a number have. NaN at ±∞.
 */
import type { Expr } from "../expr.ts";
import {
  abs,
  add,
  and,
  bits,
  eq,
  type Float,
  f32,
  f64,
  fma,
  fromBits,
  high,
  horner,
  low,
  lt,
  mul,
  ne,
  pair,
  real,
  rounded,
  select,
  shl,
  signOf,
  sub,
  u32,
  xor,
} from "./build.ts";
import { type Reduced, reduceFar32, reduceFar64 } from "./far.ts";
import { rarely, type Step } from "./repeat.ts";

const TWO_OVER_PI = 2 / Math.PI;

/** π/2 in parts of 8 bits, so that j times each is exact for j < 2¹⁶, and a last one. */
const HALF_PI_32 = [
  1.5703125, 0.0004825592041015625, 1.2665987014770508e-6, 9.89530235528946e-10, 2.5579538487363607e-12, 5.384581669432009e-15,
  5.721188916458728e-18,
];
/** (sin r − r)/r³ and (cos r − 1 + r²/2)/r⁴ in r² for |r| ≤ π/4 (minimax, to 2⁻²⁷ and 2⁻³³). */
const SIN32 = [-0.16666654, 0.008332106, -0.00019507902];
const COS32 = [0.041666646, -0.0013887301, 0.000024430672];

/**
 * The remainder, and the word that holds j. The first two steps are exact. After the third, a remainder that is not small takes
 * the rest of π/2 at once, with what that step rounded away; a small one has lost nothing and takes it part by part.
 */
function reduce32(x: Expr): Reduced {
  const { n, word } = rounded(x, TWO_OVER_PI, 0);
  const [first, second, third, ...parts] = HALF_PI_32 as [number, number, number, ...number[]];
  const before = fma(n, f32(-second), fma(n, f32(-first), x));
  const product = mul(n, f32(third));
  const after = sub(before, product);
  const lost = sub(product, sub(before, after));
  const rest = parts.reduce((sum, part) => sum + part, 0);
  const atOnce = sub(after, fma(n, f32(rest), lost));
  const byParts = parts.reduce<Expr>((r, part) => fma(n, f32(-part), r), after);
  return { r: select(lt(abs(after), f32(2 ** -12)), byParts, atOnce), quarters: word };
}

/** sin(r + tail + quarters·π/2). */
function wave32({ r, tail, quarters }: Reduced): Expr {
  const square = mul(r, r);
  const curve = [horner(square, SIN32), mul(square, r)] as const;
  const sine = tail ? add(r, fma(...curve, tail)) : fma(...curve, r);
  const cosine = fma(horner(square, COS32), mul(square, square), fma(square, f32(-0.5), f32(1)));
  const value = select(ne(and(quarters, u32(1)), u32(0)), cosine, sine);
  return fromBits(xor(bits(value), shl(and(quarters, u32(2)), 30)));
}

/** π/2 in parts of 33 bits, exact times j < 2²⁰, and a last one (fdlibm, e_rem_pio2.c). */
const HALF_PI_64 = [1.5707963267341256, 6.077100506303966e-11, 2.0222662487111665e-21];
const HALF_PI_REST = 8.4784276603689e-32;
/** fdlibm, k_sin.c and k_cos.c. */
const SIN64 = [0.00833333333332249, -0.0001984126982985795, 2.7557313707070068e-6, -2.5050760253406863e-8, 1.58969099521155e-10];
const SIN64_FIRST = -0.16666666666666632;
const COS64 = [
  0.0416666666666666, -0.001388888888887411, 2.480158728947673e-5, -2.7557314351390663e-7, 2.087572321298175e-9, -1.1359647557788195e-11,
];

/** The remainder as r + tail, and the word that holds j. What a subtraction rounds away is caught and added at the end. */
function reduce64(x: Expr): Reduced {
  const { n, word } = rounded(x, TWO_OVER_PI, 0);
  let r: Expr = fma(n, f64(-HALF_PI_64[0]!), x);
  let lost: Expr = mul(n, f64(-HALF_PI_REST));
  for (const part of HALF_PI_64.slice(1)) {
    const product = mul(n, f64(part));
    const next = sub(r, product);
    lost = add(sub(sub(r, next), product), lost);
    r = next;
  }
  const sum = add(r, lost);
  return { r: sum, tail: add(sub(r, sum), lost), quarters: word };
}

function wave64({ r, tail = f64(0), quarters }: Reduced): Expr {
  const square = mul(r, r);
  const cube = mul(square, r);
  const curve = sub(mul(square, sub(mul(tail, f64(0.5)), mul(cube, horner(square, SIN64)))), tail);
  const sine = sub(r, sub(curve, mul(cube, f64(SIN64_FIRST))));
  const half = mul(square, f64(0.5));
  const top = sub(f64(1), half);
  const rest = sub(mul(square, mul(square, horner(square, COS64))), mul(r, tail));
  const cosine = add(top, add(sub(sub(f64(1), top), half), rest));
  const value = select(ne(and(quarters, u32(1)), u32(0)), cosine, sine);
  return pair(low(value), xor(high(value), shl(and(quarters, u32(2)), 30)));
}

const isSingle = (x: Expr): boolean => x.dtype === "float32";
const wave = (reduced: Reduced): Expr => (isSingle(reduced.r) ? wave32(reduced) : wave64(reduced));
const near = (x: Expr): Reduced => (isSingle(x) ? reduce32(x) : reduce64(x));
/** Of |x|. */
const far = (x: Expr): Reduced => (isSingle(x) ? reduceFar32(x) : reduceFar64(x));
const ahead = (reduced: Reduced): Reduced => ({ ...reduced, quarters: add(reduced.quarters, u32(1)) });

const FAR_SINE: Step = {
  name: "far sine",
  of: (_, [x]) => mul(wave(far(x!)), signOf(x!)),
};
const FAR_COSINE: Step = {
  name: "far cosine",
  of: (_, [x]) => wave(ahead(far(x!))),
};

/** Where the near reduction no longer does. */
function isFar(x: Expr): Expr {
  const size = abs(x);
  const k = (value: number): Expr => real(x.dtype as Float, value);
  return and(lt(k(isSingle(x) ? 1e5 : 1e6), size), lt(size, k(Number.POSITIVE_INFINITY)));
}

/** sin x; −0 stays −0. */
export function sine(x: Expr): Expr {
  const usual = select(eq(x, real(x.dtype as Float, 0)), x, wave(near(x)));
  return rarely(FAR_SINE, isFar(x), usual, [x]);
}

export const cosine = (x: Expr): Expr => rarely(FAR_COSINE, isFar(x), wave(ahead(near(x))), [x]);
