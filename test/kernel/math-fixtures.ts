/** Exact values of the scalar functions (`test/fixtures/make_math.py`), and how far a result is from one. */
import { readFileSync } from "node:fs";
import type { ExpandedOp } from "../../src/kernel/expr.ts";

export type FloatType = "float32" | "float64";

export interface MathRow {
  readonly inputs: readonly number[];
  /** The nearest float64. */
  readonly value: number;
  /** What the exact value is more than that. */
  readonly more: number;
}

export interface MathCase {
  readonly name: ExpandedOp;
  readonly dtype: FloatType;
  readonly rows: readonly MathRow[];
}

/** The largest error allowed, in ulp; what was found is in `src/kernel/math/index.ts`. */
export const BOUNDS: Record<FloatType, Record<string, number>> = {
  float32: { exp: 2, expm1: 2, log: 1, log1p: 2, tanh: 3, sigmoid: 3, erf: 2, sin: 2, cos: 2, pow: 1, quotient: 0, remainder: 0 },
  float64: { exp: 1, expm1: 1.5, log: 1, log1p: 1.5, tanh: 1.5, sigmoid: 3, erf: 1.5, sin: 1, cos: 1, pow: 1.5, quotient: 0, remainder: 0 },
};

type Stored = number | "Infinity" | "-Infinity" | "NaN" | "-0";

export function loadMath(): MathCase[] {
  const text = readFileSync(new URL("../fixtures/math.json", import.meta.url), "utf8");
  const cases = JSON.parse(text) as { name: ExpandedOp; dtype: FloatType; rows: [Stored[], [Stored, number?]][] }[];
  return cases.map(({ name, dtype, rows }) => ({
    name,
    dtype,
    rows: rows.map(([inputs, [value, more]]) => ({ inputs: inputs.map(Number), value: Number(value), more: more ?? 0 })),
  }));
}

/** The distance between neighbours at x: never less than the smallest denormal. */
function spacing(x: number, dtype: FloatType): number {
  const [digits, least] = dtype === "float32" ? [23, -149] : [52, -1074];
  const size = Math.abs(x);
  if (size === 0) return 2 ** least;
  let exponent = Math.floor(Math.log2(size));
  if (2 ** exponent > size) exponent--;
  else if (2 ** (exponent + 1) <= size) exponent++;
  return 2 ** Math.max(exponent - digits, least);
}

/**
 * How many ulp `got` is from value + more. Infinite where one is NaN or infinite and the other is not, or a zero has the wrong
 * sign; results at the border of overflow may fall on either side.
 */
export function ulps(got: number, value: number, more: number, dtype: FloatType): number {
  const rounded = dtype === "float32" ? Math.fround(value) : value;
  if (Number.isNaN(rounded) || Number.isNaN(got)) return Object.is(rounded, got) ? 0 : Number.POSITIVE_INFINITY;
  const largest = dtype === "float32" ? 3.4028234663852886e38 : Number.MAX_VALUE;
  if (!Number.isFinite(rounded) || !Number.isFinite(got)) {
    const border = Number.isFinite(value) && Math.abs(value) < 1.000001 * largest;
    return rounded === got ? 0 : border && Math.abs(value) >= largest && Math.abs(got) >= largest ? 1 : Number.POSITIVE_INFINITY;
  }
  if (rounded === 0 && got === 0) return Object.is(rounded, got) ? 0 : Number.POSITIVE_INFINITY;
  return Math.abs(got - value - more) / spacing(value, dtype);
}
