/** Comparisons, logic, choices and conversions, element by element. None but `select` and `cast` has a gradient. */
import { checkDType, type DType, isFloat } from "../core/dtype.ts";
import { DTypeError, ShapeError } from "../core/errors.ts";
import { sameShape, showShape } from "../core/shape.ts";
import { apply, type Binary, type Elementwise, type Ternary, type Type, type Unary, type Value } from "../graph/op.ts";
import { call, select as choose, compare, cast as convert, constant as number, scalar } from "../kernel/expr.ts";
import { threefry0, threefry1 } from "../kernel/math/functions.ts";
import { abs } from "./elementwise.ts";
import { scalarLike, zerosLike } from "./leaf.ts";
import { checkCount, elementwise, integers, sameTypes } from "./rules.ts";

/** A bool from two elements of any dtype. NaN equals nothing, itself included. */
function comparison(name: "eq" | "ne" | "lt" | "le"): Elementwise<Binary> {
  return elementwise<Binary, undefined>({
    name,
    infer(inputs) {
      const { shape, dtype } = sameTypes(name, inputs);
      if (dtype === "bool" && (name === "lt" || name === "le"))
        throw new DTypeError(`${name}: bools have no order`, { help: "cast them to int32 first" });
      return { shape, dtype: "bool" };
    },
    vjp: null,
    lower: ([a, b]) => {
      if (a.dtype !== "bool") return compare(name, a, b);
      const differ = scalar("xor", [a, b]);
      return name === "eq" ? scalar("not", [differ]) : differ;
    },
  });
}

/** a = b, as bool. */
export function eq(a: Value, b: Value): Value {
  return apply(eqOp, [a, b]);
}
export const eqOp: Elementwise<Binary> = comparison("eq");

/** a ≠ b, as bool. */
export function ne(a: Value, b: Value): Value {
  return apply(neOp, [a, b]);
}
export const neOp: Elementwise<Binary> = comparison("ne");

/** a < b, as bool. */
export function lt(a: Value, b: Value): Value {
  return apply(ltOp, [a, b]);
}
export const ltOp: Elementwise<Binary> = comparison("lt");

/** a ≤ b, as bool. */
export function le(a: Value, b: Value): Value {
  return apply(leOp, [a, b]);
}
export const leOp: Elementwise<Binary> = comparison("le");

export const gt = (a: Value, b: Value): Value => lt(b, a);
export const ge = (a: Value, b: Value): Value => le(b, a);

function logicTypes(who: string, inputs: readonly Type[]): Type {
  const type = sameTypes(who, inputs);
  if (isFloat(type.dtype) || type.dtype === "uint8")
    throw new DTypeError(`${who}: needs bool, int32 or uint32, not ${type.dtype}`, {
      help: 'compare first, as in x.ne(0), or x.cast("bool")',
    });
  return type;
}

function logical(name: string, to: "and" | "or" | "xor"): Elementwise<Binary> {
  return elementwise<Binary, undefined>({
    name,
    infer: (inputs) => logicTypes(name, inputs),
    vjp: null,
    lower: ([a, b]) => scalar(to, [a, b]),
  });
}

/** a ∧ b of bools; bit by bit of integers. */
export function logicalAnd(a: Value, b: Value): Value {
  return apply(logicalAndOp, [a, b]);
}
export const logicalAndOp: Elementwise<Binary> = logical("logicalAnd", "and");

/** a ∨ b of bools; bit by bit of integers. */
export function logicalOr(a: Value, b: Value): Value {
  return apply(logicalOrOp, [a, b]);
}
export const logicalOrOp: Elementwise<Binary> = logical("logicalOr", "or");

/** a ≠ b of bools; bit by bit of integers. */
export function logicalXor(a: Value, b: Value): Value {
  return apply(logicalXorOp, [a, b]);
}
export const logicalXorOp: Elementwise<Binary> = logical("logicalXor", "xor");

/** ¬x of bools; bit by bit of integers. */
export function logicalNot(x: Value): Value {
  return apply(logicalNotOp, [x]);
}
export const logicalNotOp: Elementwise<Unary> = elementwise({
  name: "logicalNot",
  infer: (inputs) => logicTypes("logicalNot", inputs),
  vjp: null,
  lower: ([x]) => scalar("not", [x]),
});

export interface Shift {
  readonly by: number;
}

/** The bits moved right, zeros from the left. */
export function shiftRight(x: Value, by: number): Value {
  return apply(shiftRightOp, [x], { by });
}
export const shiftRightOp: Elementwise<Unary, Shift> = elementwise<Unary, Shift>({
  name: "shiftRight",
  infer(inputs, { by }) {
    checkCount("shiftRight", "the number of bits", by, 0);
    if (by > 31) throw new ShapeError(`shiftRight: ${by} bits of 32`, { why: "0 to 31 can be shifted" });
    return integers("shiftRight", inputs);
  },
  vjp: null,
  lower: ([x], { by }) => scalar("shr", [x, number(by, x.dtype)]),
});

/** `yes` where the bool mask is true, else `no`. What is not chosen gets a gradient of 0. */
export function select(mask: Value, yes: Value, no: Value): Value {
  return apply(selectOp, [mask, yes, no]);
}
export const selectOp: Elementwise<Ternary> = elementwise({
  name: "select",
  infer([mask, yes, no]) {
    if (mask.dtype !== "bool")
      throw new DTypeError(`select: the mask is ${mask.dtype}, not bool`, { help: "compare first, as in x.gt(0)" });
    const type = sameTypes("select", [yes, no]);
    if (!sameShape(mask.shape, type.shape))
      throw new ShapeError(`select: the mask is ${showShape(mask.shape)}, the values are ${showShape(type.shape)}`, {
        help: "broadcast one of them first",
      });
    return type;
  },
  vjp: (dy, [mask]) => [null, select(mask, dy, zerosLike(dy)), select(mask, zerosLike(dy), dy)],
  lower: ([mask, yes, no]) => choose(mask, yes, no),
});

export interface To {
  readonly dtype: DType;
}

/** The same values in another dtype. Float → int truncates and saturates, NaN → 0; anything → bool is x ≠ 0. */
export function cast(x: Value, dtype: DType): Value {
  return x.dtype === dtype ? x : apply(castOp, [x], { dtype });
}
export const castOp: Elementwise<Unary, To> = elementwise<Unary, To>({
  name: "cast",
  infer: ([x], { dtype }) => ({ shape: x.shape, dtype: checkDType(dtype, "cast") }),
  vjp: (dy, [x]) => [cast(dy, x.dtype)],
  lower: ([x], { dtype }) => convert(x, dtype),
});

const notANumber = (x: Value): Value => ne(x, x);
/** True but for NaN and ±inf. */
const finite = (x: Value): Value => lt(abs(x), scalarLike(x, Number.POSITIVE_INFINITY));

export { finite as isFinite, notANumber as isNaN };

export interface Bounded {
  /** Size of the axis. */
  readonly bound: number;
  /** What the error names: the operation whose indices these are. */
  readonly label: string;
  /** Negative ones count from the end. Default false: they are errors, because numbers that come from data were not meant so. */
  readonly fromEnd?: boolean;
}

/**
 * int32 indices, checked while the program runs: 0 … bound − 1, or with `fromEnd` −bound … bound − 1; others are reported.
 * The check number is −1 until the scheduler, which knows the Value, gives it one.
 */
export function bounded(indices: Value, attributes: Bounded): Value {
  return apply(boundedOp, [indices], attributes);
}
export const boundedOp: Elementwise<Unary, Bounded> = elementwise<Unary, Bounded>({
  name: "bounded",
  infer([x], { bound, label }) {
    if (x.dtype !== "int32")
      throw new DTypeError(`${label}: indices must be int32, not ${x.dtype}`, { help: 'cast them first, as in i.cast("int32")' });
    checkCount(label, "the bound", bound, 0);
    return { shape: x.shape, dtype: "int32" };
  },
  vjp: null,
  lower: ([x], { bound, fromEnd = false }) => ({ op: "inRange", of: x, bound, fromEnd, check: -1, dtype: "int32" }),
});

export type FourWords = readonly [key0: Value, key1: Value, counter0: Value, counter1: Value];
export interface Word {
  readonly word: 0 | 1;
}

/** One of the two words of threefry-2x32 with 20 rounds (Salmon et al. 2011); all uint32. */
export function threefry(key0: Value, key1: Value, counter0: Value, counter1: Value, attributes: Word): Value {
  return apply(threefryOp, [key0, key1, counter0, counter1] as const, attributes);
}
export const threefryOp: Elementwise<FourWords, Word> = elementwise<FourWords, Word>({
  name: "threefry",
  costly: true,
  infer(inputs) {
    const type = sameTypes("threefry", inputs);
    if (type.dtype !== "uint32") throw new DTypeError(`threefry: needs uint32, not ${type.dtype}`);
    return type;
  },
  vjp: null,
  lower: (words, { word }) => call(word === 0 ? threefry0 : threefry1, words),
});
