/**
 * Rules of arithmetic, element by element. None assumes that x is finite: x − x and x · 0 stay as they are. Nor does any change the sign of a
 * zero: of floats, −0 + 0 is 0 and 0 − 0 is 0, so only −0 is neutral to a sum.
 */
import { DTYPES, type DType, isFloat, isInteger } from "../core/dtype.ts";
import { reapply, type Value } from "../graph/op.ts";
import {
  absOp,
  add,
  addOp,
  cast,
  castOp,
  div,
  divOp,
  eq,
  logicalAndOp,
  logicalNotOp,
  logicalOrOp,
  maximumOp,
  minimumOp,
  mul,
  mulOp,
  neg,
  negOp,
  powOp,
  reluOp,
  scalarLike,
  select,
  selectOp,
  sqrt,
  sub,
  subOp,
} from "../ops/index.ts";
import { filledWith, isFilled, isModerate, isPowerOfTwo } from "./match.ts";
import type { Rule } from "./rewrite.ts";

/** For an op whose two inputs may be exchanged: the one that is the same number everywhere, and the other. */
function constantAndRest(v: Value): { constant: number; rest: Value } | null {
  const [a, b] = v.inputs;
  const right = filledWith(b!);
  if (right !== null) return { constant: right, rest: a! };
  const left = filledWith(a!);
  return left === null ? null : { constant: left, rest: b! };
}

/** A constant that a sum of v's type does not notice. */
const isNeutral = (constant: number, v: Value): boolean => Object.is(constant, isFloat(v.dtype) ? -0 : 0);

/** The input of v if v is that op of one input. */
const under = (v: Value, op: Value["op"]): Value | null => (v.op === op ? v.inputs[0]! : null);

export const sums: readonly Rule[] = [
  {
    name: "add zero",
    doc: "x + (−0), −0 + x → x; x + 0 of integers",
    on: [addOp],
    apply(v) {
      const found = constantAndRest(v);
      return found && isNeutral(found.constant, v) ? found.rest : null;
    },
  },
  {
    name: "subtract zero",
    doc: "x − 0 → x, −0 − x → −x; 0 − x of integers",
    on: [subOp],
    apply(v) {
      const [a, b] = v.inputs.map(filledWith);
      if (Object.is(b, 0)) return v.inputs[0]!;
      return a != null && isNeutral(a, v) ? neg(v.inputs[1]!) : null;
    },
  },
  {
    name: "add negative",
    doc: "x + (−y), (−y) + x → x − y",
    on: [addOp],
    apply({ inputs: [a, b] }) {
      const right = under(b!, negOp);
      if (right) return sub(a!, right);
      const left = under(a!, negOp);
      return left && sub(b!, left);
    },
  },
  {
    name: "subtract negative",
    doc: "x − (−y) → x + y",
    on: [subOp],
    apply({ inputs: [a, b] }) {
      const right = under(b!, negOp);
      return right && add(a!, right);
    },
  },
  {
    name: "negate twice",
    doc: "−(−x) → x",
    on: [negOp],
    apply: ({ inputs: [x] }) => under(x!, negOp),
  },
  {
    name: "negate difference",
    doc: "−(a − b) → b − a for integers",
    on: [negOp],
    apply({ inputs: [x] }, uses) {
      return x!.op === subOp && isInteger(x!.dtype) && uses.once(x!) ? sub(x!.inputs[1]!, x!.inputs[0]!) : null;
    },
  },
];

export const products: readonly Rule[] = [
  {
    name: "multiply by one",
    doc: "x · 1, 1 · x → x",
    on: [mulOp],
    apply(v) {
      const found = constantAndRest(v);
      return found?.constant === 1 ? found.rest : null;
    },
  },
  {
    name: "multiply by minus one",
    doc: "x · (−1) → −x",
    on: [mulOp],
    apply(v) {
      const found = constantAndRest(v);
      return found?.constant === -1 ? neg(found.rest) : null;
    },
  },
  {
    name: "integers times zero",
    doc: "n · 0 → 0 for integers",
    on: [mulOp],
    apply(v) {
      return isInteger(v.dtype) && constantAndRest(v)?.constant === 0 ? scalarLike(v, 0) : null;
    },
  },
  {
    name: "divide by one",
    doc: "x / 1 → x",
    on: [divOp],
    apply: ({ inputs: [a, b] }) => (isFilled(b!, 1) ? a! : null),
  },
  {
    name: "divide by power of two",
    doc: "x / 2ⁿ → x · 2⁻ⁿ, which is exact",
    on: [divOp],
    apply({ inputs: [a, b] }) {
      const c = filledWith(b!);
      return c !== null && isModerate(c) && isPowerOfTwo(c) ? mul(a!, scalarLike(a!, 1 / c)) : null;
    },
  },
  {
    name: "multiply negatives",
    doc: "(−a) · (−b) → a · b, (−a) / (−b) → a / b",
    on: [mulOp, divOp],
    apply(v) {
      const [a, b] = v.inputs.map((x) => under(x, negOp));
      return a && b ? reapply(v, [a, b]) : null;
    },
  },
  {
    name: "negate factor",
    doc: "(−x) · c, −(x · c) → x · (−c)",
    on: [mulOp, negOp],
    apply(v, uses) {
      const product = v.op === negOp ? v.inputs[0]! : v;
      if (product.op !== mulOp || !isFloat(v.dtype) || (product !== v && !uses.once(product))) return null;
      const found = constantAndRest(product);
      if (!found) return null;
      const x = v === product ? under(found.rest, negOp) : found.rest;
      return x && mul(x, scalarLike(v, -found.constant));
    },
  },
  {
    name: "multiply constants",
    doc: "(x · c) · d → x · (c · d) where neither is huge or tiny",
    on: [mulOp],
    apply(v) {
      const outer = constantAndRest(v);
      const inner = outer?.rest.op === mulOp && isFloat(v.dtype) ? constantAndRest(outer.rest) : null;
      if (!outer || !inner || !isModerate(outer.constant) || !isModerate(inner.constant)) return null;
      return mul(inner.rest, scalarLike(v, outer.constant * inner.constant));
    },
  },
];

export const powers: readonly Rule[] = [
  {
    name: "constant exponent",
    doc: "x² → x · x, x³ → x · x · x, x⁴ → (x · x) · (x · x), x¹ → x, x⁰ → 1, x⁻¹ → 1 / x, x⁻² → (1 / x)², √(x + 0) for ½ and 1 / √(x + 0) for −½, with ∞ for −∞",
    on: [powOp],
    apply({ inputs: [x, exponent] }) {
      const power = POWERS.get(filledWith(exponent!) ?? Number.NaN);
      return power ? power(x!) : null;
    },
  },
];

const squared = (x: Value): Value => mul(x, x);
const inverse = (x: Value): Value => div(scalarLike(x, 1), x);
/** (−0)^½ is 0 and (−∞)^½ is ∞. */
const root = (x: Value): Value => {
  const k = (value: number): Value => scalarLike(x, value);
  return select(eq(x, k(Number.NEGATIVE_INFINITY)), k(Number.POSITIVE_INFINITY), sqrt(add(x, k(0))));
};
const POWERS: ReadonlyMap<number, (x: Value) => Value> = new Map([
  [0, (x) => scalarLike(x, 1)],
  [1, (x) => x],
  [2, squared],
  [3, (x) => mul(squared(x), x)],
  [4, (x) => squared(squared(x))],
  [0.5, root],
  [-1, inverse],
  [-2, (x) => squared(inverse(x))],
  [-0.5, (x) => inverse(root(x))],
]);

export const choices: readonly Rule[] = [
  {
    name: "known mask",
    doc: "select(true, a, b) → a, select(false, a, b) → b, select(m, a, a) → a",
    on: [selectOp],
    apply({ inputs: [mask, yes, no] }) {
      if (yes === no) return yes!;
      const known = filledWith(mask!);
      if (known === null) return null;
      return known ? yes! : no!;
    },
  },
  {
    name: "negated mask",
    doc: "select(not m, a, b) → select(m, b, a)",
    on: [selectOp],
    apply({ inputs: [mask, yes, no] }) {
      const positive = mask!.op === logicalNotOp ? mask!.inputs[0]! : null;
      return positive && select(positive, no!, yes!);
    },
  },
  {
    name: "known operand",
    doc: "false and m → false, true and m → m, false or m → m, true or m → true",
    on: [logicalAndOp, logicalOrOp],
    apply(v) {
      const found = v.dtype === "bool" ? constantAndRest(v) : null;
      if (!found) return null;
      return Boolean(found.constant) === (v.op === logicalAndOp) ? found.rest : scalarLike(v, found.constant);
    },
  },
  {
    name: "not not",
    doc: "not (not x) → x",
    on: [logicalNotOp],
    apply: ({ inputs: [x] }) => under(x!, logicalNotOp),
  },
  {
    name: "same operands",
    doc: "max(x, x), min(x, x), x and x, x or x → x",
    on: [maximumOp, minimumOp, logicalAndOp, logicalOrOp],
    apply: ({ inputs: [a, b] }) => (a === b ? a! : null),
  },
  {
    name: "same again",
    doc: "relu(relu(x)) → relu(x), | |x| | → |x|",
    on: [reluOp, absOp],
    apply: (v) => (v.inputs[0]!.op === v.op ? v.inputs[0]! : null),
  },
  {
    name: "size of negative",
    doc: "|−x| → |x|",
    on: [absOp],
    apply(v) {
      const x = under(v.inputs[0]!, negOp);
      return x && isFloat(x.dtype) ? reapply(v, [x]) : null;
    },
  },
];

export const casts: readonly Rule[] = [
  {
    name: "cast through a wider type",
    doc: "cast(cast(x, wider), t) → cast(x, t) where the wider type holds all values of x",
    on: [castOp],
    apply(v) {
      const inner = v.inputs[0]!;
      if (inner.op !== castOp) return null;
      const x = inner.inputs[0]!;
      return holds(inner.dtype, x.dtype) && sameDirect(x.dtype, v.dtype) ? cast(x, v.dtype) : null;
    },
  },
];

/** For each type, those that hold all its values. */
const WIDER: Record<DType, readonly DType[]> = {
  bool: DTYPES,
  uint8: ["uint8", "int32", "uint32", "float32", "float64"],
  int32: ["int32", "float64"],
  uint32: ["uint32", "float64"],
  float32: ["float32", "float64"],
  float64: ["float64"],
};
const holds = (wide: DType, dtype: DType): boolean => WIDER[dtype].includes(wide);

/** Where a cast in one step gives the same: integers wrap but floats saturate, so a detour through floats may matter. */
const sameDirect = (from: DType, to: DType): boolean => from === to || isFloat(to) || isFloat(from) || holds(to, from);
