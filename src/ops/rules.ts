/** What the rules of many ops have in common: type checks and defaults. */
import type { DType } from "../core/dtype.ts";
import { isFloat, isInteger } from "../core/dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../core/errors.ts";
import { sameShape, showShape } from "../core/shape.ts";
import { apply, type Elementwise, type PerInput, type Type, type Unary, type Value } from "../graph/op.ts";
import { call, type Expr, type ScalarFunction } from "../kernel/expr.ts";

/** What an elementwise op says for itself; the rest follows from its kind. */
export interface ElementwiseRules<I extends readonly Value[], A> {
  readonly name: string;
  readonly costly?: boolean;
  readonly ofTwins?: string;
  infer(inputs: PerInput<I, Type>, attributes: A): Type;
  /** Null: it has none, being a step or no function of numbers. Asked only for float results; what it says about inputs that are not float is dropped. */
  readonly vjp: ((dy: Value, inputs: I, out: Value, attributes: A) => PerInput<I, Value | null>) | null;
  lower(args: PerInput<I, Expr>, attributes: A, dtype: DType): Expr;
}

/** An elementwise op from its own rules, with the defaults of the kind. */
export function elementwise<I extends readonly Value[], A>(rules: ElementwiseRules<I, A>): Elementwise<I, A> {
  const op: Elementwise<I, A> = {
    ...rules,
    kind: "elementwise",
    vjp(dy, inputs, out, attributes) {
      const flows = rules.vjp && isFloat(out.dtype) && inputs.some((x) => isFloat(x.dtype));
      const gradients = flows ? rules.vjp!(dy, inputs, out, attributes) : [];
      return inputs.map((x, i) => (isFloat(x.dtype) ? ((gradients as readonly (Value | null)[])[i] ?? null) : null)) as PerInput<
        I,
        Value | null
      >;
    },
    // All inputs have the new axis already.
    batch: (inputs, _, attributes) => apply(op as Elementwise<readonly Value[], A>, inputs, attributes),
  };
  return op;
}

type Gradient = (dy: Value, x: Value, y: Value) => Value;

/** A function of one float that the kernels have, under its name. It costs more than to store what it gives. */
export function floatFunction(callee: ScalarFunction, gradient: Gradient): Elementwise<Unary> {
  return floatOperation(callee.name, gradient, (x) => call(callee, [x]), true);
}

/** What one float becomes. */
export function floatOperation(name: string, gradient: Gradient, lower: (x: Expr) => Expr, costly = false): Elementwise<Unary> {
  return elementwise<Unary, undefined>({
    name,
    costly,
    infer: (inputs) => floats(name, inputs),
    vjp: (dy, [x], y) => [gradient(dy, x, y)],
    lower: ([x]) => lower(x),
  });
}

/** The inputs' common type. Errors: shapes or dtypes that differ. */
export function sameTypes(who: string, inputs: readonly Type[]): Type {
  const first = inputs[0]!;
  for (const { shape, dtype } of inputs) {
    if (!sameShape(shape, first.shape))
      throw new ShapeError(`${who}: shapes differ: ${showShape(first.shape)} and ${showShape(shape)}`, {
        why: "values of a graph are combined element by element",
        help: "broadcast or reshape one of them first",
      });
    if (dtype !== first.dtype)
      throw new DTypeError(`${who}: element types differ: ${first.dtype} and ${dtype}`, { help: "cast one of them first" });
  }
  return { shape: first.shape, dtype: first.dtype };
}

const TO_FLOAT = 'cast it first, as in x.cast("float32")';

/** The inputs' common type, which must be a number type that is computed with: not bool, not uint8. */
export function numbers(who: string, inputs: readonly Type[]): Type {
  const type = sameTypes(who, inputs);
  if (type.dtype === "bool") throw new DTypeError(`${who}: bool is not a number`, { help: TO_FLOAT });
  if (type.dtype === "uint8") throw new DTypeError(`${who}: uint8 is for storage only`, { help: 'cast it first, as in x.cast("int32")' });
  return type;
}

/** The inputs' common type, which must be a float type. */
export function floats(who: string, inputs: readonly Type[]): Type {
  const type = sameTypes(who, inputs);
  if (!isFloat(type.dtype)) throw new DTypeError(`${who}: needs float32 or float64, not ${type.dtype}`, { help: TO_FLOAT });
  return type;
}

/** The inputs' common type, which must be int32 or uint32. */
export function integers(who: string, inputs: readonly Type[]): Type {
  const type = numbers(who, inputs);
  if (!isInteger(type.dtype)) throw new DTypeError(`${who}: needs int32 or uint32, not ${type.dtype}`, { help: "cast it first" });
  return type;
}

/** Rejects what is not a whole number of at least `least`. */
export function checkCount(who: string, name: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new ArgumentError(`${who}: ${name} is ${value}`, { why: `it must be a whole number ≥ ${least}` });
}

/** All axes 0 … rank − 1. */
export const axesOf = (rank: number): number[] => Array.from({ length: rank }, (_, i) => i);
