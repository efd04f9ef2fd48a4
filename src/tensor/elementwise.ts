/** Functions of elements: operators of the surface as what users call, with tensors, or with numbers and nested arrays where they are no tensors. */
import type { Nested, Shape } from "../core/shape-types.ts";
import { atUserLine } from "../core/site.ts";
import type { Value } from "../graph/op.ts";
import { asTensor } from "./create.ts";
import { binary, Tensor, unary } from "./tensor.ts";
import type { Fits, Joined, Operand } from "./tensor-types.ts";

export const operand = (x: unknown, who: string): Tensor =>
  x instanceof Tensor ? x : atUserLine(() => asTensor(x as number | readonly Nested[], undefined, who));

export type Binary = <const A extends Operand, const B extends Operand>(a: A, b: Fits<A, B>) => Joined<A, B>;

/** A number or nested arrays on the left take the dtype of the tensor on the right; with no tensor at all the left becomes one. */
export const leftOperand = (a: unknown, b: unknown, who: string): unknown =>
  a instanceof Tensor || b instanceof Tensor ? a : operand(a, who);
export const joining =
  (who: string, operator: (a: Value, b: Value) => Value): Binary =>
  (a, b) =>
    binary(who, leftOperand(a, b, who), b, operator);

export type Unary = <S extends Shape>(x: Tensor<S> | number) => Tensor<S>;

export const mapping =
  (who: string, operator: (x: Value) => Value): Unary =>
  (x) =>
    unary(who, operand(x, who), operator);
