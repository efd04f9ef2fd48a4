/** Looking at nodes: what the rules ask. */
import type { TypedArray } from "../core/dtype.ts";
import type { Shape } from "../core/shape.ts";
import { sizeOf } from "../core/shape.ts";
import type { ConstantAttributes, Contract, Form, Move, Op, Place, Reduce, Value } from "../graph/op.ts";
import { broadcastOp, constantOp, reshapeOp, transposeOp } from "../ops/index.ts";

export type Attributes<O> = O extends Move<infer A> ? A : O extends Place<any, infer A> ? A : never;

/** v's input and attributes if v is this move or place, else null. */
export function match<O extends Op>(v: Value, op: O): { readonly x: Value; readonly attributes: Attributes<O> } | null {
  return v.op === op ? { x: v.inputs[0]!, attributes: v.attributes as Attributes<O> } : null;
}

/** The numbers of a constant that the compiler may look at: not one that programs take as an argument. */
export function constantData(v: Value): TypedArray | null {
  if (v.op !== constantOp) return null;
  const { data, lifted } = v.attributes as ConstantAttributes;
  return lifted ? null : data;
}

/** The number that all elements of v are, if that is known. */
export function filledWith(v: Value): number | null {
  while (v.op === broadcastOp || v.op === reshapeOp || v.op === transposeOp) v = v.inputs[0]!;
  const data = constantData(v);
  if (data?.length !== 1) return null;
  return data[0]!;
}

export const isFilled = (v: Value, value: number): boolean => filledWith(v) === value;

/** The value under broadcasts and reshapes that everywhere has one element, or null. */
export function scalarUnder(v: Value): Value | null {
  while (v.op === broadcastOp || v.op === reshapeOp) v = v.inputs[0]!;
  return sizeOf(v.shape) === 1 ? v : null;
}

export interface Reduction {
  readonly op: Reduce;
  readonly x: Value;
  readonly axes: readonly number[];
}

export function reductionOf(v: Value): Reduction | null {
  if (v.op.kind !== "reduce") return null;
  return { op: v.op, x: v.inputs[0]!, axes: (v.attributes as { axes: readonly number[] }).axes };
}

export interface Contraction {
  readonly op: Contract;
  readonly form: Form;
  readonly a: Value;
  readonly b: Value;
}

export function contractionOf(v: Value): Contraction | null {
  if (v.op.kind !== "contract") return null;
  return { op: v.op, form: v.attributes as Form, a: v.inputs[0]!, b: v.inputs[1]! };
}

export const isPowerOfTwo = (x: number): boolean => x !== 0 && Math.abs(x) === 2 ** Math.round(Math.log2(Math.abs(x)));

/** Sizes at which float32 neither overflows nor loses bits when two such numbers are multiplied. */
export const isModerate = (x: number): boolean => Math.abs(x) >= 2 ** -40 && Math.abs(x) <= 2 ** 40;

export const without = (shape: Shape, axes: readonly number[]): number[] => shape.filter((_, i) => !axes.includes(i));
