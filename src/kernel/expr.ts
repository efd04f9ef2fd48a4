/**
 * Scalar expressions: what one element of a kernel's result is, as a DAG.
 *
 * An op lowers to an expression over expressions; the scheduler glues producers into consumers by
 * substitution; `math/` expands calls of exp, tanh … into polynomials; a lowering turns the rest into loops.
 */
import type { DType } from "../core/dtype.ts";

/**
 * What every target can print for one element. The result has the dtype of the node; operands have equal dtypes
 * unless said.
 *
 * - `pmin(a, b)` is b < a ? b : a and `pmax(a, b)` is a < b ? b : a: one instruction, but they give `a` where an operand is NaN.
 * - `fma(a, b, c)` is a·b + c, rounded once where the target can.
 * - `floordiv`, `mod`: integers only, towards −∞; a divisor of 0 gives 0. Floats have `quotient` and `remainder`.
 * - `shl`, `shr` (logical), `and`, `or`, `xor`, `not`: integers; `and`, `or`, `xor`, `not` also bool. Shift counts are constants.
 * - comparisons give bool; `select(mask, yes, no)`.
 * - `cast` converts a value (float → int truncates toward zero and saturates, NaN → 0; anything → bool is x ≠ 0); `bitcast` keeps the 32 bits
 *   (float32 ↔ int32/uint32) and `pair`/`low`/`high` build and take apart a float64 as two uint32.
 */
export const BASIC = [
  "add", "sub", "mul", "div", "neg", "abs", "sqrt", "fma", "pmin", "pmax",
  "floor", "ceil", "trunc", "nearest",
  "floordiv", "mod", "shl", "shr", "and", "or", "xor", "not",
  "eq", "ne", "lt", "le", "select", "cast", "bitcast", "pair", "low", "high",
] as const; // biome-ignore format: one line a family
export type BasicOp = (typeof BASIC)[number];

/**
 * A function that is expanded into basic operations before a kernel is printed. All there is to know of it is here (`math/functions.ts` has them), so that
 * a bundle leaves out those that it does not use.
 */
export interface ScalarFunction {
  readonly name: string;
  /** The element types it exists for; its operands have one of them, and its result the same. */
  readonly types: readonly DType[];
  /** What it becomes. */
  readonly expand: (args: readonly Expr[]) => Expr;
  /** What it means, in float64: what targets are tested against. */
  readonly meaning: (args: readonly number[], dtype: DType) => number;
}

/**
 * How a reduction combines two elements. `max` and `min` propagate NaN; `argmax`, `argmin` give the position of the first extreme, an int32 in
 * row-major order over the axes in the order in which the reduction names them, and take a NaN for the extreme.
 */
export type Combine = "sum" | "product" | "max" | "min" | "argmax" | "argmin";

/** What each of them looks for, if anything (then it needs an element), and whether it gives an element or where it stands. */
export const COMBINES: Readonly<Record<Combine, { readonly extreme?: "max" | "min"; readonly gives: "element" | "position" }>> = {
  sum: { gives: "element" },
  product: { gives: "element" },
  max: { extreme: "max", gives: "element" },
  min: { extreme: "min", gives: "element" },
  argmax: { extreme: "max", gives: "position" },
  argmin: { extreme: "min", gives: "position" },
};
export const givesPosition = (combine: Combine): combine is "argmax" | "argmin" => COMBINES[combine].gives === "position";

/**
 * Where a buffer is read or written, over the axes of the kernel's domain: element `offset + Σ strides[d]·i[d]`.
 * Offsets and strides count elements; 0 and negative strides are allowed.
 */
export interface Access {
  readonly buffer: number;
  readonly offset: number;
  readonly strides: readonly number[];
}

/** Holds where 0 ≤ offset + Σ strides[d]·i[d] < size, over the axes of the kernel's domain. */
export interface Bound {
  readonly offset: number;
  readonly strides: readonly number[];
  readonly size: number;
}

export type Expr = Const | Index | Accumulator | Load | LoadAt | Inside | InRange | Reduction | Scalar | Call | Repeat | Parameter;
export interface Const {
  readonly op: "const";
  readonly value: number;
  readonly dtype: DType;
}
/** The position along an axis of the domain. */
export interface Index {
  readonly op: "index";
  readonly axis: number;
  readonly dtype: "int32";
}
/** In the epilogue of a product: the element of the product itself. */
export interface Accumulator {
  readonly op: "accumulator";
  readonly dtype: DType;
}
export interface Load {
  readonly op: "load";
  readonly from: Access;
  /** It is read only where all of these hold, and nothing need be there elsewhere: a border that is in no memory. */
  readonly within?: readonly Bound[];
  /** What it is where one does not hold; anything, if nothing is said. */
  readonly otherwise?: number | undefined;
  readonly dtype: DType;
}
/** Whether all of these hold. */
export interface Inside {
  readonly op: "inside";
  readonly within: readonly Bound[];
  readonly dtype: "bool";
}
/** `from` shifted by `at · stride` elements, where `at` is an int32 that is known to be in range: an `inRange`, or made from an index. */
export interface LoadAt {
  readonly op: "loadAt";
  readonly from: Access;
  readonly at: Expr;
  readonly stride: number;
  readonly dtype: DType;
}
/** `of` where 0 ≤ of < bound (with `fromEnd` a negative one is bound + of); anything else is reported under `check` and becomes 0. */
export interface InRange {
  readonly op: "inRange";
  readonly of: Expr;
  readonly bound: number;
  readonly fromEnd: boolean;
  readonly check: number;
  readonly dtype: "int32";
}
/** `of`, combined over all positions of the axes `over`, which are bound here: they mean nothing outside `of`. */
export interface Reduction {
  readonly op: "reduce";
  readonly combine: Combine;
  readonly over: readonly number[];
  readonly of: Expr;
  readonly dtype: DType;
}
export interface Scalar {
  readonly op: BasicOp;
  readonly args: readonly Expr[];
  readonly dtype: DType;
}
export interface Call {
  readonly op: "call";
  readonly callee: ScalarFunction;
  readonly args: readonly Expr[];
  readonly dtype: DType;
}
/**
 * `start`, to which `step` is applied `times` times (an int32; none where it is not positive): long division, and what is computed for few
 * arguments only. A vector takes as many turns as its busiest lane, so that none costs a test. `step` consists of basic operations over
 * parameters (0 is the state, the others are `given`); no walk over expressions goes into it.
 */
export interface Repeat {
  readonly op: "repeat";
  readonly args: readonly [times: Expr, start: Expr, ...given: Expr[]];
  readonly step: Expr;
  readonly dtype: DType;
}
/** Within the step of a `repeat`: its state, or what it was given. */
export interface Parameter {
  readonly op: "parameter";
  readonly index: number;
  readonly dtype: DType;
}

/** How a text tells buffers and checks apart: by their numbers, or by when they are met. */
export interface Names {
  buffer(number: number): number;
  check(number: number): number;
}
export const BY_NUMBER: Names = { buffer: (n) => n, check: (n) => n };

export const constant = (value: number, dtype: DType): Const => ({ op: "const", value, dtype });
export const index = (axis: number): Index => ({ op: "index", axis, dtype: "int32" });
export const load = (from: Access, dtype: DType): Load => ({ op: "load", from, dtype });
/** Read where the bounds hold, if there are any. */
export const loadWithin = (from: Access, dtype: DType, within: readonly Bound[], otherwise?: number): Load =>
  within.length === 0 ? load(from, dtype) : { op: "load", from, within, otherwise, dtype };
export const inside = (within: readonly Bound[]): Inside => ({ op: "inside", within, dtype: "bool" });
export const reduce = (combine: Combine, over: readonly number[], of: Expr): Reduction => ({
  op: "reduce",
  combine,
  over,
  of,
  dtype: givesPosition(combine) ? "int32" : of.dtype,
});

/** An operation on values of one dtype that gives that dtype (or the one named). */
export const scalar = (op: BasicOp, args: readonly Expr[], dtype: DType = args[0]!.dtype): Scalar => ({ op, args, dtype });
export const call = (callee: ScalarFunction, args: readonly Expr[]): Call => ({ op: "call", callee, args, dtype: args[0]!.dtype });
export const compare = (op: "eq" | "ne" | "lt" | "le", a: Expr, b: Expr): Scalar => scalar(op, [a, b], "bool");
export const select = (mask: Expr, yes: Expr, no: Expr): Scalar => scalar("select", [mask, yes, no], yes.dtype);
export const cast = (x: Expr, dtype: DType): Expr => (x.dtype === dtype ? x : scalar("cast", [x], dtype));

/** The expressions an expression is made of. */
export function operands(e: Expr): readonly Expr[] {
  switch (e.op) {
    case "const":
    case "index":
    case "accumulator":
    case "load":
    case "inside":
    case "parameter":
      return [];
    case "loadAt":
      return [e.at];
    case "inRange":
    case "reduce":
      return [e.of];
    default:
      return e.args;
  }
}

/** The same node over other operands. */
export function withOperands(e: Expr, to: readonly Expr[]): Expr {
  switch (e.op) {
    case "const":
    case "index":
    case "accumulator":
    case "load":
    case "inside":
    case "parameter":
      return e;
    case "loadAt":
      return { ...e, at: to[0]! };
    case "inRange":
    case "reduce":
      return { ...e, of: to[0]! };
    case "repeat":
      return { ...e, args: to as Repeat["args"] };
    default:
      return { ...e, args: to };
  }
}

/** Where an expression reads memory itself, not through its operands. */
export const accessOf = (e: Expr): Access | undefined => (e.op === "load" || e.op === "loadAt" ? e.from : undefined);

/** The same node reading through another access. */
export const withAccess = (e: Expr, change: (from: Access) => Access): Expr =>
  e.op === "load" || e.op === "loadAt" ? { ...e, from: change(e.from) } : e;

/** The bounds an expression asks itself, not through its operands. */
export const boundsOf = (e: Expr): readonly Bound[] => (e.op === "load" ? (e.within ?? []) : e.op === "inside" ? e.within : []);

/** The same node over other steps: `change` is given the steps of what it reads, and of what it asks for. */
export function withSteps(e: Expr, change: <S extends Access | Bound>(steps: S) => S): Expr {
  const moved = withAccess(e, change);
  return moved.op === "inside" || (moved.op === "load" && moved.within) ? { ...moved, within: moved.within!.map(change) } : moved;
}

/** Equal text, equal bound. */
export const boundKey = (b: Bound): string => `${b.offset}:${b.strides.join()}<${b.size}`;

/** Equal text, equal access. */
export const accessKey = (a: Access, names = BY_NUMBER): string => `${names.buffer(a.buffer)}+${a.offset}:${a.strides.join()}`;

/** Every node below these, each once, operands first. */
export function nodesBelow(roots: Iterable<Expr>): Expr[] {
  const seen = new Set<Expr>();
  const visit = (e: Expr): void => {
    if (seen.has(e)) return;
    for (const x of operands(e)) visit(x);
    seen.add(e);
  };
  for (const e of roots) visit(e);
  return [...seen];
}

/** Every place these expressions read. */
export const readsBelow = (roots: Iterable<Expr>): Access[] => nodesBelow(roots).flatMap((e) => accessOf(e) ?? []);

/** Rebuilds a DAG from its leaves up, each node once. */
export function rewrite(roots: readonly Expr[], rule: (e: Expr) => Expr): Expr[] {
  const done = new Map<Expr, Expr>();
  const visit = (e: Expr): Expr => {
    const known = done.get(e);
    if (known) return known;
    const before = operands(e);
    const after = before.map(visit);
    const result = rule(after.every((x, i) => x === before[i]) ? e : withOperands(e, after));
    done.set(e, result);
    return result;
  };
  return roots.map(visit);
}
