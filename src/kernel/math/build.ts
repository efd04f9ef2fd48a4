/** Short names for the expressions that the expansions in this folder are made of. */
import { type Const, cast, compare, constant, type Expr, type Scalar, scalar, select } from "../expr.ts";

export type Float = "float32" | "float64";

const unary =
  (op: "abs" | "sqrt" | "trunc") =>
  (x: Expr): Scalar =>
    scalar(op, [x]);
const binary =
  (op: "add" | "sub" | "mul" | "div" | "pmin" | "pmax" | "and" | "or" | "xor") =>
  (a: Expr, b: Expr): Scalar =>
    scalar(op, [a, b]);

export const abs = unary("abs");
export const sqrt = unary("sqrt");
export const trunc = unary("trunc");
export const add = binary("add");
export const sub = binary("sub");
export const mul = binary("mul");
export const div = binary("div");
export const pmin = binary("pmin");
export const pmax = binary("pmax");
export const and = binary("and");
export const or = binary("or");
export const xor = binary("xor");
export const fma = (a: Expr, b: Expr, c: Expr): Scalar => scalar("fma", [a, b, c]);
export const shl = (x: Expr, by: number): Scalar => scalar("shl", [x, constant(by, x.dtype)]);
export const shr = (x: Expr, by: number): Scalar => scalar("shr", [x, constant(by, x.dtype)]);
export const eq = (a: Expr, b: Expr): Scalar => compare("eq", a, b);
export const ne = (a: Expr, b: Expr): Scalar => compare("ne", a, b);
export const lt = (a: Expr, b: Expr): Scalar => compare("lt", a, b);
export { cast, select };

/** Constants are rounded to their type here, so that every target prints the same number. */
export const f32 = (value: number): Const => constant(Math.fround(value), "float32");
export const f64 = (value: number): Const => constant(value, "float64");
export const u32 = (value: number): Const => constant(value >>> 0, "uint32");
export const real = (dtype: Float, value: number): Const => (dtype === "float32" ? f32(value) : f64(value));

/** c₀ + x·(c₁ + x·(…)), with an fma for every coefficient but the last. */
export function horner(x: Expr, coefficients: readonly number[]): Expr {
  const k = coefficients.map((c) => real(x.dtype as Float, c));
  return k.slice(0, -1).reduceRight<Expr>((sum, c) => fma(sum, x, c), k.at(-1)!);
}

/** The 32 bits of a float32, and back. */
export const bits = (x: Expr): Scalar => scalar("bitcast", [x], "uint32");
export const fromBits = (x: Expr): Scalar => scalar("bitcast", [x], "float32");
/** The halves of a float64, and back. */
export const low = (x: Expr): Scalar => scalar("low", [x], "uint32");
export const high = (x: Expr): Scalar => scalar("high", [x], "uint32");
export const pair = (lowWord: Expr, highWord: Expr): Scalar => scalar("pair", [lowWord, highWord], "float64");

/** A value that is not negative, with the sign of another. */
export function withSign(x: Expr, sign: Expr): Expr {
  if (x.dtype === "float32") return fromBits(or(bits(x), and(bits(sign), u32(0x80000000))));
  return pair(low(x), or(high(x), and(high(sign), u32(0x80000000))));
}

/** `y`, the logarithm of what was made of x, where that is positive and finite, else ∞, −∞ or NaN. */
export function logEdges(x: Expr, argument: Expr, y: Expr): Expr {
  const dtype = x.dtype as Float;
  const outside = select(eq(argument, real(dtype, 0)), real(dtype, -Infinity), real(dtype, NaN));
  return select(lt(real(dtype, 0), argument), select(lt(x, real(dtype, Infinity)), y, x), outside);
}

/** 1 with the sign of x, also for −0. */
export function signOf(x: Expr): Expr {
  if (x.dtype === "float32") return fromBits(or(and(bits(x), u32(0x80000000)), u32(0x3f800000)));
  return pair(u32(0), or(and(high(x), u32(0x80000000)), u32(0x3ff00000)));
}

/**
 * Added to a number below 2²² (2⁵¹ for float64), these make its rounded value the low bits of the sum: one addition rounds,
 * and the integer is had without a conversion. Integers that are added to them are added to that value.
 */
const MAGIC32 = 1.5 * 2 ** 23;
const MAGIC64 = 1.5 * 2 ** 52;

/** An integer n = x·scale, rounded: as a float, and as the low bits (as many as n needs) of a word that holds n + bias. */
export function rounded(x: Expr, scale: number, bias: number): { n: Expr; word: Expr } {
  const dtype = x.dtype as Float;
  const magic = real(dtype, (dtype === "float32" ? MAGIC32 : MAGIC64) + bias);
  const sum = scale === 1 ? add(x, magic) : fma(x, real(dtype, scale), magic);
  return { n: sub(sum, magic), word: dtype === "float32" ? bits(sum) : low(sum) };
}

/** 2ⁿ from a word whose low bits hold n + 127 (float32) or n + 1023 (float64). */
export const power32 = (word: Expr): Expr => fromBits(shl(word, 23));
export const power64 = (word: Expr): Expr => pair(u32(0), shl(word, 20));
