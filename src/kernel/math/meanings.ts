/**
 * What functions mean that JavaScript does not have, one number at a time in float64: written independently of their expansions, which are tested
 * against them.
 */
import type { DType } from "../../core/dtype.ts";

/** The smaller; NaN where either is, and −0 is less than 0. */
export const min = (a: number, b: number): number => (Number.isNaN(a) || Number.isNaN(b) ? Number.NaN : Math.min(a, b));
export const max = (a: number, b: number): number => (Number.isNaN(a) || Number.isNaN(b) ? Number.NaN : Math.max(a, b));

/** 1 / (1 + e⁻ˣ) without overflow. */
export const sigmoid = (x: number): number => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));

/** a − b · ⌊a / b⌋, exact but for one rounding where the signs differ: JavaScript's % is exact, with the sign of a. */
export function remainder(a: number, b: number): number {
  const rest = a % b;
  return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
}

/** ⌊a / b⌋; where that has more bits than the type's mantissa, a / b rounded. */
export function quotient(a: number, b: number, dtype: DType): number {
  const ratio = a / b;
  if (Math.abs(a) === Number.POSITIVE_INFINITY && b !== 0) return Number.NaN;
  if (Math.abs(ratio) >= (dtype === "float32" ? 2 ** 24 : 2 ** 53)) return dtype === "float32" ? Math.fround(ratio) : ratio;
  // The remainder by 2b says whether the quotient is odd, which a / b rounded to the next whole number is not then.
  const rest = a % (2 * b);
  const odd = Math.abs(rest) >= Math.abs(b);
  const rounded = Math.trunc(ratio);
  const whole = (Math.abs(rounded) % 2 === 1) === odd ? rounded : rounded - Math.sign(ratio);
  const left = odd ? Math.abs(rest) - Math.abs(b) : Math.abs(rest);
  return left !== 0 && a < 0 !== b < 0 ? whole - 1 : whole;
}

export const xlogy = (x: number, y: number): number => (x === 0 && !Number.isNaN(y) ? 0 : x * Math.log(y));

/** C99's pow: 1 to any power is 1, and (−1) to ±inf is 1. */
export function pow(a: number, b: number): number {
  if (a === 1 || (a === -1 && Math.abs(b) === Number.POSITIVE_INFINITY)) return 1;
  return a ** b;
}

const ROTATIONS = [13, 15, 26, 6, 17, 29, 16, 24] as const;

/** Threefry-2x32 with 20 rounds (Salmon, Moraes, Dror, Shaw 2011): two words from two of a key and two of a counter. */
export function threefry([key0, key1, counter0, counter1]: readonly number[]): [number, number] {
  const keys = [key0! | 0, key1! | 0, 0x1bd11bda ^ key0! ^ key1!] as const;
  let x = (counter0! + keys[0]) | 0;
  let y = (counter1! + keys[1]) | 0;
  for (let round = 0; round < 20; round++) {
    const r = ROTATIONS[round % 8]!;
    x = (x + y) | 0;
    y = ((y << r) | (y >>> (32 - r))) ^ x;
    if (round % 4 === 3) {
      const i = (round + 1) / 4;
      x = (x + keys[i % 3]!) | 0;
      y = (y + keys[(i + 1) % 3]! + i) | 0;
    }
  }
  return [x >>> 0, y >>> 0];
}
