/** Exact values of the scalar functions (`test/fixtures/make_math.py`), and how far a result is from one. */
import { readFileSync } from "node:fs";
import type { ScalarFunction } from "../../src/kernel/expr.ts";
import * as functions from "../../src/kernel/math/functions.ts";

export type FloatType = "float32" | "float64";
export type FunctionName = keyof typeof functions;
export const FUNCTIONS: Record<FunctionName, ScalarFunction> = { ...functions };

export interface MathRow {
  readonly inputs: readonly number[];
  /** The nearest float64. */
  readonly value: number;
  /** What the exact value is more than that. */
  readonly more: number;
}

export interface MathCase {
  readonly name: FunctionName;
  readonly dtype: FloatType;
  readonly rows: readonly MathRow[];
}

/** What a function may cost and miss. Whoever adds a function is asked for its row here, and then for its rows in `math.json`. */
export interface Accuracy {
  readonly operands: number;
  /** The largest errors allowed, in ulp; what was found is in `src/kernel/math/functions.ts`. */
  readonly float32: number;
  readonly float64: number;
  /** Most operations in float32 (uint32 where it is not for floats). */
  readonly operations: number;
}

export const ACCURACY = {
  min: { operands: 2, float32: 0, float64: 0, operations: 10 },
  max: { operands: 2, float32: 0, float64: 0, operations: 8 },
  sign: { operands: 1, float32: 0, float64: 0, operations: 4 },
  exp: { operands: 1, float32: 2, float64: 1, operations: 17 },
  expm1: { operands: 1, float32: 2, float64: 1.5, operations: 19 },
  log: { operands: 1, float32: 1, float64: 1, operations: 31 },
  log1p: { operands: 1, float32: 2, float64: 1.5, operations: 37 },
  log2: { operands: 1, float32: 2, float64: 2, operations: 32 },
  sinh: { operands: 1, float32: 2.5, float64: 2.5, operations: 30 },
  cosh: { operands: 1, float32: 2, float64: 2, operations: 30 },
  asinh: { operands: 1, float32: 2, float64: 2, operations: 60 },
  acosh: { operands: 1, float32: 2.5, float64: 2.5, operations: 60 },
  atanh: { operands: 1, float32: 2.5, float64: 2, operations: 60 },
  tanh: { operands: 1, float32: 3, float64: 1.5, operations: 18 },
  sigmoid: { operands: 1, float32: 3, float64: 3, operations: 17 },
  erf: { operands: 1, float32: 2, float64: 1.5, operations: 30 },
  sin: { operands: 1, float32: 2, float64: 1, operations: 41 },
  cos: { operands: 1, float32: 2, float64: 1, operations: 40 },
  asin: { operands: 1, float32: 2.5, float64: 2.5, operations: 40 },
  acos: { operands: 1, float32: 2, float64: 2, operations: 40 },
  atan: { operands: 1, float32: 1.5, float64: 2, operations: 30 },
  atan2: { operands: 2, float32: 2, float64: 2, operations: 40 },
  hypot: { operands: 2, float32: 2, float64: 2, operations: 20 },
  xlogy: { operands: 2, float32: 2, float64: 2, operations: 40 },
  pow: { operands: 2, float32: 1, float64: 1.5, operations: 80 },
  fmod: { operands: 2, float32: 0, float64: 0, operations: 40 },
  quotient: { operands: 2, float32: 0, float64: 0, operations: 60 },
  remainder: { operands: 2, float32: 0, float64: 0, operations: 40 },
  threefry0: { operands: 4, float32: 0, float64: 0, operations: 120 },
  threefry1: { operands: 4, float32: 0, float64: 0, operations: 120 },
} satisfies Record<FunctionName, Accuracy>;

export const NAMES = Object.keys(FUNCTIONS) as FunctionName[];
/** Those of floats. */
export const FLOAT_NAMES = NAMES.filter((name) => FUNCTIONS[name].types.includes("float32"));

type Stored = number | "Infinity" | "-Infinity" | "NaN" | "-0";

export function loadMath(): MathCase[] {
  const text = readFileSync(new URL("../fixtures/math.json", import.meta.url), "utf8");
  const cases = JSON.parse(text) as { name: FunctionName; dtype: FloatType; rows: [Stored[], [Stored, number?]][] }[];
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
