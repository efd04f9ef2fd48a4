/**
 * Floor division of floats, exactly: long division in binary, in which every product and difference is a float.
 *
 * A quotient of at most 11 bits (25 in float64) is one step, a − q·b with b in two parts of half a mantissa. Others are divided as scaled
 * mantissas, so many bits a turn; only vectors that have such a number take these turns.
 */
import { constant, type Expr, scalar } from "../expr.ts";
import {
  abs,
  add,
  and,
  bits,
  div,
  eq,
  type Float,
  fromBits,
  high,
  low,
  lt,
  mul,
  ne,
  or,
  pair,
  power32,
  power64,
  real,
  select,
  shr,
  sub,
  trunc,
  u32,
  withSign,
  xor,
} from "./build.ts";
import { rarely, repeat, type Step } from "./repeat.ts";

const isSingle = (x: Expr): boolean => x.dtype === "float32";
const real1 = (x: Expr, value: number): Expr => real(x.dtype as Float, value);
/** Bits of quotient a step may have: half a mantissa, less one. */
const stepBits = (x: Expr): number => (isSingle(x) ? 11 : 25);

/** The upper half of the mantissa. */
function upperHalf(x: Expr): Expr {
  if (isSingle(x)) return fromBits(and(bits(x), u32(0xfffff000)));
  return pair(and(low(x), u32(0xf8000000)), high(x));
}

/** a − q·b for q of at most `stepBits` bits, where that is not larger than b: all exact. */
function lessTimes(a: Expr, q: Expr, b: Expr): Expr {
  const upper = upperHalf(b);
  return sub(sub(a, mul(q, upper)), mul(q, sub(b, upper)));
}

/** a / b without its fraction taken off: of |a| < b, what is left. The quotient may be rounded up to the next whole number: then below 0. */
const step = (a: Expr, b: Expr): Expr => lessTimes(a, trunc(div(a, b)), b);

/** A positive number as m·2ᵉ with 1 ≤ m < 2, denormals too. */
function parts(x: Expr): { mantissa: Expr; exponent: Expr } {
  const lift = isSingle(x) ? 24 : 54;
  const denormal = lt(x, real1(x, isSingle(x) ? 2 ** -126 : 2 ** -1022));
  const normal = select(denormal, mul(x, real1(x, 2 ** lift)), x);
  const word = isSingle(x) ? bits(normal) : high(normal);
  const [fraction, bias, shift] = isSingle(x) ? [0x007fffff, 0x3f800000, 23] : [0x000fffff, 0x3ff00000, 20];
  const unit = or(and(word, u32(fraction)), u32(bias));
  const mantissa = isSingle(x) ? fromBits(unit) : pair(low(normal), unit);
  return { mantissa, exponent: sub(signed(shr(word, shift)), select(denormal, i32(lift), i32(0))) };
}

const i32 = (value: number): Expr => constant(value, "int32");
const signed = (x: Expr): Expr => scalar("bitcast", [x], "int32");
const unsigned = (x: Expr): Expr => scalar("bitcast", [x], "uint32");

/** 2ⁿ for an int32 n with a normal result. */
const power = (n: Expr, of: Expr): Expr => (isSingle(of) ? power32(unsigned(add(n, i32(127)))) : power64(unsigned(add(n, i32(1023)))));

/** x·2ⁿ for 1 > x ≥ 0 and n with its bias (127, 1023), where the result is exact: in two factors. */
function scaledBack(x: Expr, exponent: Expr): Expr {
  const [bias, half] = isSingle(x) ? [127, 64] : [1023, 512];
  const low = lt(exponent, i32(half + 1));
  const first = add(sub(exponent, i32(bias)), select(low, i32(half), i32(0)));
  return mul(mul(x, power(first, x)), select(low, real1(x, 2 ** -half), real1(x, 1)));
}

const LONG_TURN: Step = {
  name: "a turn of long division",
  of: (rest, [b]) => step(mul(rest, real1(b!, 2 ** stepBits(b!))), b!),
};

/** The remainder of positive finite numbers, a ≥ b. */
const LONG_DIVISION: Step = {
  name: "long division",
  of(_, given) {
    const [a, b] = given as [Expr, Expr];
    const [x, y] = [parts(a), parts(b)];
    const gap = sub(x.exponent, y.exponent);
    // At most 2100, so that this is gap / stepBits rounded down.
    const turns = signed(shr(mul(unsigned(gap), u32(Math.ceil(2 ** 20 / stepBits(a)))), 20));
    const first = sub(gap, mul(turns, i32(stepBits(a))));
    const start = step(mul(x.mantissa, power(first, a)), y.mantissa);
    const rest = repeat(LONG_TURN, turns, start, [y.mantissa]);
    const positive = select(lt(rest, real1(a, 0)), add(rest, y.mantissa), rest);
    return scaledBack(positive, y.exponent);
  },
};

/** |a| mod |b|: NaN where a is infinite or b is 0. */
function remainderOfSizes(a: Expr, b: Expr): Expr {
  const ratio = div(a, b);
  const inf = real1(a, Number.POSITIVE_INFINITY);
  const once = lessTimes(a, trunc(ratio), b);
  const near = select(lt(once, real1(a, 0)), add(once, b), once);
  // A quotient of 0 leaves a as it is, also where b is infinite.
  const usual = select(lt(a, b), a, near);
  const long = and(and(lt(real1(a, 2 ** stepBits(a) - 1), ratio), lt(a, inf)), lt(real1(a, 0), b));
  return rarely(LONG_DIVISION, long, usual, [a, b]);
}

/** C's fmod: the exact remainder with the sign of a; NaN where a is infinite or b is 0. */
export const fmod = (a: Expr, b: Expr): Expr => withSign(remainderOfSizes(abs(a), abs(b)), a);

/** The exact remainder with the sign of a, to which b is added where the signs differ. */
export function remainder(a: Expr, b: Expr): Expr {
  const zero = real1(a, 0);
  const rest = fmod(a, b);
  const differs = and(ne(rest, zero), xor(lt(rest, zero), lt(b, zero)));
  return select(differs, add(rest, b), rest);
}

/**
 * ⌊a / b⌋, or a / b rounded where that has more bits than the mantissa. Below, a / b rounded and without its fraction is the quotient, or one
 * more; the remainder by 2b says whether the quotient is odd, and decides.
 */
export function quotient(a: Expr, b: Expr): Expr {
  const [zero, one] = [real1(a, 0), real1(a, 1)];
  const [x, y] = [abs(a), abs(b)];
  const ratio = div(a, b);
  const rounded = trunc(ratio);
  const rest = remainderOfSizes(x, add(y, y));
  const odd = not(lt(rest, y));
  const half = mul(rounded, real1(a, 0.5));
  const tooMuch = xor(ne(trunc(half), half), odd);
  const whole = sub(rounded, select(tooMuch, withSign(one, ratio), zero));
  const exact = eq(rest, select(odd, y, zero));
  const below = and(not(exact), xor(lt(a, zero), lt(b, zero)));
  const floor = select(below, sub(whole, one), whole);
  const inside = lt(abs(ratio), real1(a, isSingle(a) ? 2 ** 24 : 2 ** 53));
  const infinite = and(eq(x, real1(a, Number.POSITIVE_INFINITY)), lt(zero, y));
  return select(infinite, real1(a, Number.NaN), select(inside, floor, ratio));
}

const not = (mask: Expr): Expr => scalar("not", [mask]);
