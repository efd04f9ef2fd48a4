/**
 * The remainder of x / (π/2) for |x| so large that multiples of π/2 in a few parts no longer do: exact, for every float.
 *
 * With x = M·2ᴱ for a whole M, only those digits of 2/π matter whose product with x is neither a multiple of 4 nor too small to be seen
 * (Payne and Hanek, Radian reduction for trigonometric functions, 1983). They are cut out by the exponent and multiplied as digits of 16 bits.
 */
import { constant, type Expr, scalar } from "../expr.ts";
import {
  add,
  and,
  bits,
  cast,
  f32,
  f64,
  fma,
  fromBits,
  high,
  low,
  lt,
  mul,
  ne,
  or,
  pair,
  select,
  shl,
  shr,
  sub,
  u32,
  xor,
} from "./build.ts";

/** A remainder r + tail with |r| ≤ π/4, and the number of quarters, of which the two lowest bits count. */
export interface Reduced {
  readonly r: Expr;
  readonly tail?: Expr;
  readonly quarters: Expr;
}

/** The first 1280 binary digits of 2/π. */
const TWO_OVER_PI = `
a2f9836e4e441529fc2757d1f534ddc0db6295993c439041fe5163abdebbc561b7246e3a424dd2e006492eea09d1921cfe1deb1cb129a73ee88235f52ebb4484
e99c7026b45f7e413991d639835339f49c845f8bbdf9283b1ff897ffde05980fef2f118b5a0a6d1f6d367ecf27cb09b74f463f669e5fea2d7527bac7ebe5f17b
3d0739f78a5292ea6bfb5fb11f8d5d0856033046fc7b6babf0cfbc209af4361d`.replace(/\s/g, "");

/** What differs between the two types: digits of M, zeros in front of 2/π, and digits of the result, all of 16 bits. */
interface Layout {
  readonly factors: readonly Expr[];
  /** The place in 2/π, with its zeros, where the digits that matter begin, in bits. */
  readonly from: Expr;
  readonly zeros: number;
  /** The largest multiple of 16 bits that `from` can be. */
  readonly most: number;
  readonly digits: number;
}

/** The fraction of M·2ᴱ/2π as digits of 16 bits, most significant first. */
function turns({ factors, from, zeros, most, digits }: Layout): Expr[] {
  const count = digits + factors.length;
  const window = cutOut(digitsOfTwoOverPi(zeros, most + count + 1), from, count);
  const result: Expr[] = new Array(digits);
  let carry: Expr = u32(0);
  for (let column = digits; column >= 1; column--) {
    const parts = factors.flatMap((m, j) => [and(mul(m, window[column - 1 + j]!), u32(0xffff)), shr(mul(m, window[column + j]!), 16)]);
    const sum = parts.reduce(add, carry);
    result[column - 1] = and(sum, u32(0xffff));
    carry = shr(sum, 16);
  }
  return result;
}

function digitsOfTwoOverPi(zeros: number, count: number): Expr[] {
  const text = "0000".repeat(zeros) + TWO_OVER_PI;
  return Array.from({ length: count }, (_, i) => u32(Number.parseInt(text.slice(4 * i, 4 * i + 4), 16)));
}

/** `count` digits from a bit on: moved by 32, 16, 8 … digits as the upper bits of `from` say, then by up to 15 bits. */
function cutOut(all: readonly Expr[], from: Expr, count: number): Expr[] {
  let list = all;
  const whole = shr(from, 4);
  for (let by = 2 ** Math.floor(Math.log2(Math.max(1, all.length - count - 1))); by >= 1; by /= 2) {
    const moves = ne(and(whole, u32(by)), u32(0));
    list = Array.from({ length: count + by }, (_, i) => (list[i + by] ? select(moves, list[i + by]!, list[i]!) : list[i]!));
  }
  const shift = cast(fromBits(shl(add(and(from, u32(15)), u32(127)), 23)), "uint32");
  return Array.from({ length: count }, (_, i) => shr(mul(or(shl(list[i]!, 16), list[i + 1]!), shift), 16));
}

/** The turns as words of 32 bits: quarters taken off to the nearest, what is left as a size and whether it is below 0. */
function quartersOff(digits: readonly Expr[]): { quarters: Expr; words: Expr[]; negative: Expr } {
  const words = Array.from({ length: digits.length / 2 }, (_, i) => or(shl(digits[2 * i]!, 16), digits[2 * i + 1]!));
  const quarters = shr(add(words[0]!, u32(2 ** 29)), 30);
  const rest = [sub(words[0]!, shl(quarters, 30)), ...words.slice(1)];
  const negative = lt(u32(0x7fffffff), rest[0]!);
  // −w is ~w but for one unit of the last word, which is too small to be seen.
  const flip = select(negative, u32(0xffffffff), u32(0));
  return { quarters, words: rest.map((word) => xor(word, flip)), negative };
}

/** An integer below 2³¹ as a float. */
const signed = (word: Expr): Expr => scalar("bitcast", [word], "int32");

/** 2π in two parts; the first has 12 bits. */
const [TURN_HIGH_32, TURN_LOW_32, TURN_32] = [6.28125, 0.0019353071693331003, 6.2831854820251465];
const UNIT = 2 ** -32;

/** For finite |x| of at least 2¹⁵. */
export function reduceFar32(x: Expr): Reduced {
  const size = and(bits(x), u32(0x7fffffff));
  const whole = or(and(size, u32(0x007fffff)), u32(0x00800000));
  const factors = [and(whole, u32(0xffff)), shr(whole, 16)];
  const layout: Layout = { factors, from: sub(shr(size, 23), u32(136)), zeros: 1, most: 7, digits: 4 };
  const { quarters, words, negative } = quartersOff(turns(layout));
  const first = cast(signed(and(words[0]!, u32(0xfffc0000))), "float32");
  const second = fma(cast(words[1]!, "float32"), f32(UNIT), cast(signed(and(words[0]!, u32(0x3ffff))), "float32"));
  const most = mul(first, f32(TURN_HIGH_32 * UNIT));
  const more = fma(first, f32(TURN_LOW_32 * UNIT), mul(second, f32(TURN_32 * UNIT)));
  const r = add(most, more);
  const sign = select(negative, f32(-1), f32(1));
  return { r: mul(r, sign), tail: mul(sub(more, sub(r, most)), sign), quarters };
}

/** 2π and what it lacks; and 2π in two parts, the first of 21 bits. */
const [TURN_64, TURN_LACKS] = [6.283185307179586, 2.4492935982947064e-16];
const [TURN_HEAD, TURN_REST] = [6.283184051513672, 1.255665914356996e-6];

/** For finite |x| of at least 2¹⁹. */
export function reduceFar64(x: Expr): Reduced {
  const top = and(high(x), u32(0x7fffffff));
  const upper = or(and(top, u32(0x000fffff)), u32(0x00100000));
  const factors = [and(low(x), u32(0xffff)), shr(low(x), 16), and(upper, u32(0xffff)), shr(upper, 16)];
  const layout: Layout = { factors, from: sub(shr(top, 20), u32(1029)), zeros: 3, most: 63, digits: 8 };
  const { quarters, words, negative } = quartersOff(turns(layout));
  const [w0, w1, w2, w3] = words.map((word) => cast(word, "float64")) as [Expr, Expr, Expr, Expr];
  const second = mul(w1, f64(UNIT));
  const sum = add(w0, second);
  const rest = add(sub(second, sub(sum, w0)), mul(fma(w3, f64(UNIT), w2), f64(UNIT * UNIT)));
  const h = add(sum, rest);
  const lost = sub(rest, sub(h, sum));
  return { ...timesTurn(h, lost, select(negative, f64(-UNIT), f64(UNIT))), quarters };
}

/** (h + lost) · 2π · scale; the scale is a power of two. */
function timesTurn(h: Expr, lost: Expr, scale: Expr): { r: Expr; tail: Expr } {
  const head = pair(constant(0, "uint32"), high(h));
  const rest = sub(h, head);
  const product = mul(h, f64(TURN_64));
  const crossed = add(add(sub(mul(head, f64(TURN_HEAD)), product), mul(head, f64(TURN_REST))), mul(rest, f64(TURN_HEAD)));
  const missing = add(add(crossed, mul(rest, f64(TURN_REST))), fma(h, f64(TURN_LACKS), mul(lost, f64(TURN_64))));
  const r = add(product, missing);
  return { r: mul(r, scale), tail: mul(sub(missing, sub(r, product)), scale) };
}
