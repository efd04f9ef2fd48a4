/** What every basic operation computes, in float64: the meaning that targets are tested against. Functions know their own. */
import { type DType, isFloat, store } from "../core/dtype.ts";
import type { BasicOp } from "../kernel/expr.ts";

/** The operands' numbers, the result's dtype and the first operand's. Results are stored as `dtype` by the caller unless it is a float. */
export type Meaning = (args: readonly number[], dtype: DType, from: DType) => number;

const unary =
  (f: (x: number) => number): Meaning =>
  ([x]) =>
    f(x!);
const binary =
  (f: (a: number, b: number) => number): Meaning =>
  ([a, b]) =>
    f(a!, b!);
/** Integers divide by 0 to 0. */
const whole =
  (f: (a: number, b: number) => number): Meaning =>
  ([a, b]) =>
    b === 0 ? 0 : f(a!, b!);

export const SCALARS = {
  add: binary((a, b) => a + b),
  sub: binary((a, b) => a - b),
  mul: ([a, b], dtype) => (isFloat(dtype) ? a! * b! : Math.imul(a!, b!)),
  div: binary((a, b) => a / b),
  neg: unary((x) => -x),
  abs: unary(Math.abs),
  sqrt: unary(Math.sqrt),
  fma: ([a, b, c]) => fma(a!, b!, c!),
  // Not Math.min or Math.max: these keep a where an operand is NaN.
  pmin: binary((a, b) => (b < a ? b : a)),
  // Not Math.min or Math.max: as above.
  pmax: binary((a, b) => (a < b ? b : a)),
  floor: unary(Math.floor),
  ceil: unary(Math.ceil),
  trunc: unary(Math.trunc),
  nearest: unary(nearest),
  floordiv: whole((a, b) => Math.floor(a / b)),
  mod: whole((a, b) => a - b * Math.floor(a / b)),
  shl: binary((a, b) => a << b),
  shr: binary((a, b) => a >>> b),
  and: binary((a, b) => a & b),
  or: binary((a, b) => a | b),
  xor: binary((a, b) => a ^ b),
  not: ([x], dtype) => (dtype === "bool" ? 1 - x! : ~x!),
  eq: binary((a, b) => Number(a === b)),
  ne: binary((a, b) => Number(a !== b)),
  lt: binary((a, b) => Number(a < b)),
  le: binary((a, b) => Number(a <= b)),
  select: ([mask, yes, no]) => (mask ? yes! : no!),
  cast: ([x], dtype, from) => convert(x!, from, dtype),
  bitcast: ([x], dtype, from) => reinterpret(x!, from, dtype),
  pair: binary(pair),
  low: unary((x) => halves(x)[0]!),
  high: unary((x) => halves(x)[1]!),
} satisfies Record<BasicOp, Meaning>;

/** One operation as it is stored: integers wrap, bools are 0 or 1, floats stay float64. */
export function computeScalar(op: BasicOp, args: readonly number[], dtype: DType, from: DType): number {
  const value = (SCALARS[op] as Meaning)(args, dtype, from);
  return isFloat(dtype) ? value : store(value, dtype);
}

/** The nearest whole number, the even one of two. */
export function nearest(x: number): number {
  if (Math.abs(x) >= 2 ** 52) return x;
  const down = Math.floor(x);
  const rest = x - down;
  const up = rest > 0.5 || (rest === 0.5 && down % 2 !== 0);
  // Keeps −0 for −0.5 … −0.
  return up ? (down === -1 ? -0 : down + 1) : Object.is(x, -0) ? x : down;
}

/** a · b + c, with the product's rounding error added back (Dekker 1971), so that cancellation is exact. */
function fma(a: number, b: number, c: number): number {
  const product = a * b;
  if (!Number.isFinite(product) || Math.abs(product) > 1e290 || Math.abs(a) > 1e290 || Math.abs(b) > 1e290) return product + c;
  const [ah, bh] = [upper(a), upper(b)];
  const [al, bl] = [a - ah, b - bh];
  const error = al * bl - (product - ah * bh - al * bh - ah * bl);
  const sum = product + c;
  if (!Number.isFinite(sum)) return sum;
  const part = sum - product;
  return sum + (product - (sum - part) + (c - part) + error);
}

/** The upper 26 bits of the mantissa (Veltkamp). */
function upper(x: number): number {
  const scaled = x * 134217729;
  return scaled - (scaled - x);
}

const SATURATE: Partial<Record<DType, readonly [number, number]>> = {
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
  uint8: [0, 255],
};

/** Float → int truncates and saturates, NaN → 0; anything → bool is x ≠ 0; int → int keeps the low bits. */
export function convert(x: number, from: DType, to: DType): number {
  if (to === "bool") return Number(x !== 0);
  const range = SATURATE[to];
  if (!range) return x;
  if (!isFloat(from)) return store(x, to);
  return Number.isNaN(x) ? 0 : Math.min(Math.max(Math.trunc(x), range[0]), range[1]) + 0;
}

const words = new DataView(new ArrayBuffer(8));

function reinterpret(x: number, from: DType, to: DType): number {
  if (from === "float32") words.setFloat32(0, x);
  else words.setInt32(0, x | 0);
  if (to === "float32") return words.getFloat32(0);
  return to === "uint32" ? words.getUint32(0) : words.getInt32(0);
}

function pair(low: number, high: number): number {
  words.setUint32(0, high);
  words.setUint32(4, low);
  return words.getFloat64(0);
}

function halves(x: number): [low: number, high: number] {
  words.setFloat64(0, x);
  return [words.getUint32(4), words.getUint32(0)];
}
