/**
 * The loop IR: small imperative programs over vectors, the last form before a target's text or bytes.
 *
 * A function has one lane count W. A vector local holds W lanes of one type; an integer local is one machine
 * word (an address in bytes, a size, an index). Everything explicit: loads, splats, fma, hoisting. A printer is a table.
 *
 * Addresses are bytes from the start of the heap. A vector load may read up to `SLACK` bytes before or past what it needs
 * (the heap begins that much before what it holds, and ends that much later); a store never writes a lane it was not asked to.
 */
import type { DType } from "../core/dtype.ts";

/** Bytes before the start and past the end of any buffer that may be read. */
export const SLACK = 256;

/** A vector of W lanes. Booleans are masks (all bits or none) as wide as what they were compared from. uint8 in memory is u32 in a register, bool a mask. */
export type Lane = "f32" | "f64" | "i32" | "u32" | "mask32" | "mask64";

/** Integer locals and parameters. */
export interface IntLocal {
  readonly kind: "int";
  readonly name: string;
}
/** Vector locals. */
export interface VecLocal {
  readonly kind: "vec";
  readonly name: string;
  readonly lane: Lane;
}

/** Scalar integer expressions: 32-bit in WASM, 64-bit in C. Sizes, strides and offsets are below 2³¹, addresses below 2³² and never negative. */
export type Int =
  | number
  | IntLocal
  /** Word i of the argument block, as a signed size or stride, or as an unsigned address. */
  | { readonly op: "argument"; readonly i: number; readonly as: "size" | "address" }
  /** A signed 32-bit word in memory (offset tables). */
  | { readonly op: "word"; readonly at: Int }
  /** Lane `lane` (a literal) of an i32/u32 vector. */
  | { readonly op: "lane"; readonly of: Vec; readonly lane: number }
  /** `div`, `rem`: of non-negative numbers; `lt`, `le`, `eq`: 0 or 1, signed. */
  | { readonly op: "add" | "sub" | "mul" | "div" | "rem" | "min" | "and" | "lt" | "le" | "eq"; readonly a: Int; readonly b: Int };

/** Vector operations, lane by lane; meaning as in `expr.ts`. Shifts take their count from `by`. */
export type VecUnary = "neg" | "abs" | "sqrt" | "floor" | "ceil" | "trunc" | "nearest" | "not";
export type VecBinary = "add" | "sub" | "mul" | "div" | "pmin" | "pmax" | "floordiv" | "mod" | "and" | "or" | "xor";
export type VecCompare = "eq" | "ne" | "lt" | "le";

export type Vec =
  | VecLocal
  | { readonly op: "splat"; readonly value: number; readonly lane: Lane }
  /** An integer in every lane (i32), or lane l = value + l. */
  | { readonly op: "splatInt"; readonly value: Int; readonly lane: "i32" }
  | { readonly op: "ramp"; readonly value: Int; readonly lane: "i32" }
  /** W elements of a dtype: next to each other, one for all lanes, or `step` bytes apart. */
  | { readonly op: "load"; readonly dtype: DType; readonly at: Int; readonly form: "vector" | "splat"; readonly lane: Lane }
  | { readonly op: "load"; readonly dtype: DType; readonly at: Int; readonly form: "strided"; readonly step: Int; readonly lane: Lane }
  /** Lane l is the element at `at + index[l] · step`; indices are i32. */
  | { readonly op: "gather"; readonly dtype: DType; readonly at: Int; readonly index: Vec; readonly step: Int; readonly lane: Lane }
  | { readonly op: VecUnary; readonly args: readonly [Vec]; readonly lane: Lane }
  | { readonly op: VecBinary; readonly args: readonly [Vec, Vec]; readonly lane: Lane }
  | { readonly op: "shl" | "shr"; readonly args: readonly [Vec]; readonly by: number; readonly lane: Lane }
  | { readonly op: "fma"; readonly args: readonly [Vec, Vec, Vec]; readonly lane: Lane }
  /** Result is mask32 for 32-bit operands, mask64 for f64. */
  | { readonly op: VecCompare; readonly args: readonly [Vec, Vec]; readonly lane: "mask32" | "mask64" }
  /** The mask has the width of the others. */
  | { readonly op: "select"; readonly args: readonly [Vec, Vec, Vec]; readonly lane: Lane }
  /** Between any two lane types. float → int truncates and saturates, NaN → 0; mask → number is 0 or 1; number → mask is ≠ 0; mask32 ↔ mask64. */
  | { readonly op: "convert"; readonly args: readonly [Vec]; readonly lane: Lane }
  /** The same 32 bits read as another 32-bit lane (f32, i32, u32, mask32), or 64 bits between f64 and mask64. */
  | { readonly op: "bitcast"; readonly args: readonly [Vec]; readonly lane: Lane }
  /** f64 from its low and high u32, and back. */
  | { readonly op: "pair"; readonly args: readonly [low: Vec, high: Vec]; readonly lane: "f64" }
  | { readonly op: "low" | "high"; readonly args: readonly [Vec]; readonly lane: "u32" }
  /** 32-bit lanes of two vectors by literal positions: 0 … W−1 from a, W … 2W−1 from b. */
  | { readonly op: "shuffle"; readonly args: readonly [Vec, Vec]; readonly pick: readonly number[]; readonly lane: Lane }
  /** All lanes combined, in the fixed order of halving (l with l + W/2, then W/4 …), in every lane. */
  | {
      readonly op: "across";
      readonly combine: "add" | "mul" | "pmin" | "pmax" | "or" | "and";
      readonly args: readonly [Vec];
      readonly lane: Lane;
    };

export type Statement =
  | { readonly do: "int"; readonly local: IntLocal; readonly value: Int }
  | { readonly do: "vec"; readonly local: VecLocal; readonly value: Vec }
  /** Writes lanes as a dtype: all W, only lane 0, the first `count` (1 … W), or all W at `step` bytes apart (with `count`: the first ones). */
  | { readonly do: "store"; readonly dtype: DType; readonly at: Int; readonly value: Vec; readonly form: "vector" | "first" }
  | { readonly do: "store"; readonly dtype: DType; readonly at: Int; readonly value: Vec; readonly form: "partial"; readonly count: Int }
  | {
      readonly do: "store";
      readonly dtype: DType;
      readonly at: Int;
      readonly value: Vec;
      readonly form: "strided";
      readonly step: Int;
      readonly count: Int;
    }
  /** A signed 32-bit word. */
  | { readonly do: "word"; readonly at: Int; readonly value: Int }
  /** for (local = from; local < to; local += step): `step` is a positive literal or an integer that does not change. */
  | {
      readonly do: "for";
      readonly local: IntLocal;
      readonly from: Int;
      readonly to: Int;
      readonly step: Int;
      readonly body: readonly Statement[];
    }
  | { readonly do: "if"; readonly test: Int; readonly then: readonly Statement[]; readonly else?: readonly Statement[] }
  | { readonly do: "call"; readonly name: string; readonly arguments: readonly Int[] }
  /**
   * Notes failed checks: `cell` is the address of a 64-bit word, all ones while nothing failed. For each of the first `count` lanes
   * where the mask32 `bad` is set, the word becomes min(word, position · 2³² + value) as an unsigned number, atomically: the smallest position wins.
   */
  | { readonly do: "report"; readonly cell: Int; readonly bad: Vec; readonly position: Vec; readonly value: Vec; readonly count: Int };

export interface LoopFunction {
  readonly name: string;
  readonly parameters: readonly IntLocal[];
  readonly body: readonly Statement[];
}

/**
 * A kernel's code. `entry` is called as entry(arguments, begin, end, thread): the address of its argument block,
 * the blocks it is to do, and the number of the thread that runs it. Helpers are called by name and come first.
 */
export interface LoopModule {
  readonly lanes: number;
  readonly helpers: readonly LoopFunction[];
  readonly entry: LoopFunction;
}

export const int = (name: string): IntLocal => ({ kind: "int", name });
export const vec = (name: string, lane: Lane): VecLocal => ({ kind: "vec", name, lane });
export const isIntLocal = (x: Int): x is IntLocal => typeof x === "object" && "kind" in x;

const both =
  (op: "add" | "sub" | "mul" | "div" | "rem" | "min" | "and" | "lt" | "le" | "eq") =>
  (a: Int, b: Int): Int =>
    fold(op, a, b);
export const iadd = both("add");
export const isub = both("sub");
export const imul = both("mul");
export const idiv = both("div");
export const irem = both("rem");
export const imin = both("min");
export const ilt = both("lt");
export const ile = both("le");
export const ieq = both("eq");

/** Literals are folded; x + 0, x · 1, x · 0 vanish. */
function fold(op: Extract<Int, { a: Int }>["op"], a: Int, b: Int): Int {
  if (typeof a === "number" && typeof b === "number") {
    switch (op) {
      case "add":
        return a + b;
      case "sub":
        return a - b;
      case "mul":
        return a * b;
      case "div":
        return Math.floor(a / b);
      case "rem":
        return a % b;
      case "min":
        return Math.min(a, b);
      case "and":
        return a & b;
      case "lt":
        return Number(a < b);
      case "le":
        return Number(a <= b);
      case "eq":
        return Number(a === b);
    }
  }
  if ((op === "add" && b === 0) || (op === "sub" && b === 0) || (op === "mul" && b === 1) || (op === "div" && b === 1)) return a;
  if ((op === "add" && a === 0) || (op === "mul" && a === 1)) return b;
  if (op === "mul" && (a === 0 || b === 0)) return 0;
  return { op, a, b };
}
