/**
 * Computes basic expressions one element at a time, as IEEE 754 says: float32 rounded after every operation, fma rounded once
 * (`fused`) or twice. Inputs are loads: buffer i is the i-th argument.
 */
import type { DType } from "../../src/core/dtype.ts";
import { type Expr, load, operands, type Repeat, rewrite, type Scalar } from "../../src/kernel/expr.ts";

export type Compiled = (...inputs: number[]) => number;

/** The i-th input. */
export const input = (i: number, dtype: DType): Expr => load({ buffer: i, offset: 0, strides: [] }, dtype);

const words = new DataView(new ArrayBuffer(8));
function float32Bits(x: number): number {
  words.setFloat32(0, x);
  return words.getUint32(0);
}
function float32Of(bits: number): number {
  words.setInt32(0, bits);
  return words.getFloat32(0);
}
function lowWord(x: number): number {
  words.setFloat64(0, x);
  return words.getUint32(4);
}
function highWord(x: number): number {
  words.setFloat64(0, x);
  return words.getUint32(0);
}
function pairOf(low: number, high: number): number {
  words.setUint32(4, low);
  words.setUint32(0, high);
  return words.getFloat64(0);
}

/** a·b + c in float32, rounded once: the float64 sum is rounded to odd before it is rounded again. */
export function fma32(a: number, b: number, c: number): number {
  const product = a * b;
  const sum = product + c;
  if (!Number.isFinite(sum)) return Math.fround(sum);
  const part = sum - product;
  const lost = product - (sum - part) + (c - part);
  if (lost === 0 || (lowWord(sum) & 1) === 1) return Math.fround(sum);
  const away = lost > 0 === sum > 0;
  words.setFloat64(0, sum);
  words.setBigUint64(0, words.getBigUint64(0) + (away ? 1n : -1n));
  return Math.fround(words.getFloat64(0));
}

/** x = m·2ᵉ, exactly. */
function integerOf(x: number): { m: bigint; e: number } {
  words.setFloat64(0, x);
  const all = words.getBigUint64(0);
  const exponent = Number((all >> 52n) & 0x7ffn);
  const fraction = all & 0xfffffffffffffn;
  const m = exponent === 0 ? fraction : fraction | 0x10000000000000n;
  return { m: all >> 63n ? -m : m, e: Math.max(exponent, 1) - 1075 };
}

/** m·2ᵉ to the nearest float64, ties to even. */
function nearestDouble(m: bigint, e: number): number {
  const negative = m < 0n;
  let size = negative ? -m : m;
  const cut = Math.max(size.toString(2).length - 53, -1074 - e);
  if (cut > 0) {
    const by = BigInt(cut);
    const rest = size & ((1n << by) - 1n);
    const half = 1n << (by - 1n);
    size >>= by;
    if (rest > half || (rest === half && (size & 1n) === 1n)) size += 1n;
    e += cut;
  }
  const first = Math.max(e, -1000);
  const value = Number(size) * 2 ** first * 2 ** (e - first);
  return negative ? -value : value;
}

/** a·b + c in float64, rounded once. */
export function fma64(a: number, b: number, c: number): number {
  if (!Number.isFinite(a) || !Number.isFinite(b) || !Number.isFinite(c) || a === 0 || b === 0) return a * b + c;
  const [x, y, z] = [integerOf(a), integerOf(b), integerOf(c)];
  const e = Math.min(x.e + y.e, z.e);
  const sum = ((x.m * y.m) << BigInt(x.e + y.e - e)) + (z.m << BigInt(z.e - e));
  return sum === 0n ? 0 : nearestDouble(sum, e);
}

function nearestEven(x: number): number {
  const floor = Math.floor(x);
  const part = x - floor;
  const up = part > 0.5 || (part === 0.5 && floor % 2 !== 0);
  return up ? floor + 1 : floor === 0 ? x * 0 : floor;
}

const saturate = (x: number, least: number, most: number): number => (Number.isNaN(x) ? 0 : Math.trunc(Math.min(Math.max(x, least), most)));

/** A number as the dtype holds it after arithmetic. */
function rounder(dtype: DType): (x: number) => number {
  switch (dtype) {
    case "float32":
      return Math.fround;
    case "float64":
      return (x) => x;
    case "int32":
      return (x) => x | 0;
    case "uint8":
    case "uint32":
      return (x) => x >>> 0;
    case "bool":
      return (x) => (x ? 1 : 0);
  }
}

function castFrom(from: DType, to: DType): (x: number) => number {
  const fromFloat = from === "float32" || from === "float64";
  if (to === "bool") return (x) => (x !== 0 ? 1 : 0);
  if (to === "int32" && fromFloat) return (x) => saturate(x, -(2 ** 31), 2 ** 31 - 1);
  if (to === "uint32" && fromFloat) return (x) => saturate(x, 0, 2 ** 32 - 1);
  return rounder(to);
}

function bitcastTo(from: DType, to: DType): (x: number) => number {
  if (from === "float32") return to === "int32" ? (x) => float32Bits(x) | 0 : float32Bits;
  if (to !== "float32") return rounder(to);
  return float32Of;
}

type Operation = (a: number, b: number, c: number) => number;

function operation(e: Scalar, fused: boolean): Operation {
  const round = rounder(e.dtype);
  const from = e.args[0]!.dtype;
  switch (e.op) {
    case "add":
      return (a, b) => round(a + b);
    case "sub":
      return (a, b) => round(a - b);
    case "mul":
      return e.dtype === "int32" || e.dtype === "uint32" ? (a, b) => round(Math.imul(a, b)) : (a, b) => round(a * b);
    case "div":
      return (a, b) => round(a / b);
    case "neg":
      return (a) => round(-a);
    case "abs":
      return Math.abs;
    case "sqrt":
      return (a) => round(Math.sqrt(a));
    case "fma":
      if (!fused) return (a, b, c) => round(round(a * b) + c);
      return e.dtype === "float32" ? fma32 : fma64;
    case "pmin":
      // Not Math.min or Math.max: Math.min would give a NaN of b
      return (a, b) => (b < a ? b : a);
    case "pmax":
      // Not Math.min or Math.max: Math.max would give a NaN of b
      return (a, b) => (a < b ? b : a);
    case "floor":
      return Math.floor;
    case "ceil":
      return Math.ceil;
    case "trunc":
      return Math.trunc;
    case "nearest":
      return nearestEven;
    case "floordiv":
      return (a, b) => (b === 0 ? 0 : round(Math.floor(a / b)));
    case "mod":
      return (a, b) => (b === 0 ? 0 : round(a - b * Math.floor(a / b)));
    case "shl":
      return (a, b) => round(a << b);
    case "shr":
      return (a, b) => round(a >>> b);
    case "and":
      return (a, b) => round(a & b);
    case "or":
      return (a, b) => round(a | b);
    case "xor":
      return (a, b) => round(a ^ b);
    case "not":
      return e.dtype === "bool" ? (a) => 1 - a : (a) => round(~a);
    case "eq":
      return (a, b) => (a === b ? 1 : 0);
    case "ne":
      return (a, b) => (a !== b ? 1 : 0);
    case "lt":
      return (a, b) => (a < b ? 1 : 0);
    case "le":
      return (a, b) => (a <= b ? 1 : 0);
    case "select":
      return (mask, yes, no) => (mask ? yes : no);
    case "cast":
      return castFrom(from, e.dtype);
    case "bitcast":
      return bitcastTo(from, e.dtype);
    case "pair":
      return pairOf;
    case "low":
      return lowWord;
    case "high":
      return highWord;
    default:
      throw new Error(`${e.op} is not basic`);
  }
}

/** The expression as a function of its inputs; each shared node is computed once. */
export function compile(root: Expr, { fused }: { fused: boolean }): Compiled {
  const slots = new Map<Expr, number>();
  const values: number[] = [];
  const reads: { slot: number; buffer: number; round: (x: number) => number }[] = [];
  const steps: { slot: number; run: Operation; a: number; b: number; c: number }[] = [];
  const repetition = (e: Repeat): Operation => {
    const step = compile(rewrite([e.step], (x) => (x.op === "parameter" ? input(x.index, x.dtype) : x))[0]!, { fused });
    const given = e.args.slice(2).map((x) => slots.get(x)!);
    return (times, start) => {
      let state = start;
      for (let turn = 0; turn < times; turn++) state = step(state, ...given.map((slot) => values[slot]!));
      return state;
    };
  };
  const visit = (e: Expr): number => {
    const known = slots.get(e);
    if (known !== undefined) return known;
    const [a, b, c] = operands(e).map(visit);
    const slot = values.length;
    values.push(e.op === "const" ? e.value : 0);
    slots.set(e, slot);
    if (e.op === "load") reads.push({ slot, buffer: e.from.buffer, round: rounder(e.dtype) });
    else if (e.op !== "const")
      steps.push({ slot, run: e.op === "repeat" ? repetition(e) : operation(e as Scalar, fused), a: a!, b: b ?? 0, c: c ?? 0 });
    return slot;
  };
  const result = visit(root);
  return (...inputs) => {
    for (const { slot, buffer, round } of reads) values[slot] = round(inputs[buffer]!);
    for (const { slot, run, a, b, c } of steps) values[slot] = run(values[a]!, values[b]!, values[c]!);
    return values[result]!;
  };
}

/** Operations of the expressions, each shared node counted once; reinterpreting bits is free. */
export function countOperations(roots: readonly Expr[]): number {
  const seen = new Set<Expr>();
  let count = 0;
  const visit = (e: Expr): void => {
    if (seen.has(e)) return;
    seen.add(e);
    operands(e).forEach(visit);
    if (e.op !== "const" && e.op !== "load" && e.op !== "bitcast") count++;
  };
  roots.forEach(visit);
  return count;
}
