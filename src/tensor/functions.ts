/** Functions where there is no natural receiver, and one alias for each elementwise method. */
import type { Checked, Concat, Known, Nested, Shape } from "../core/shape-types.ts";
import { atUserLine } from "../core/site.ts";
import { einsum as einsumOf, matmul as matmulOf } from "../surface/contract.ts";
import * as op from "../surface/elementwise.ts";
import * as maths from "../surface/maths.ts";
import * as move from "../surface/move.ts";
import { asTensor } from "./create.ts";
import { Tensor } from "./tensor.ts";
import type { Fits, FitsProduct, Joined, Operand, Product } from "./tensor-types.ts";

type Shapes<L> = { [I in keyof L]: L[I] extends Tensor<infer S> ? S : any };

/** Side by side along an axis; the widest dtype. */
export function concat<const L extends readonly Tensor[], const A extends number>(
  list: Checked<Concat<Shapes<L>, A>, L>,
  axis: A,
): Tensor<Known<Concat<Shapes<L>, A>>> {
  return move.concat(list as unknown as readonly Tensor[], axis);
}

/** On top of each other along a new axis, the first unless said. */
export function stack(list: readonly Tensor[], axis = 0): Tensor {
  return move.stack(list, axis);
}

/** Parts of these sizes along an axis, or this many equal ones. */
export function split(x: Tensor, parts: number | readonly number[], axis = 0): Tensor[] {
  return move.split(x, parts, axis);
}

/**
 * `yes` where the condition holds, else `no`; all three broadcast. The side not taken gets a gradient of 0, but 0 · ∞ is NaN:
 * where(x > 0, √x, 0) has the gradient NaN at 0, where(x > 0, √where(x > 0, x, 1), 0) has 0.
 */
export function where(condition: Tensor, yes: Operand, no: Operand): Tensor {
  return op.where(condition, yes, no);
}

/**
 * Einstein's summation: equal letters are multiplied position by position, letters that the result lacks are summed.
 *
 * @example einsum("bij,bjk->bik", a, b)
 */
export function einsum(text: string, ...list: readonly Tensor[]): Tensor {
  return einsumOf(text, ...list);
}

/** […, n, k] × […, k, m] → […, n, m]. */
export function matmul<A extends Tensor, B extends Tensor>(a: A, b: FitsProduct<A, B>): Product<A, B> {
  return matmulOf(a, b as Tensor) as Product<A, B>;
}

export const operand = (x: unknown, who: string): Tensor =>
  x instanceof Tensor ? x : atUserLine(() => asTensor(x as number | readonly Nested[], undefined, who));

export type Binary = <const A extends Operand, const B extends Operand>(a: A, b: Fits<A, B>) => Joined<A, B>;

/** A number or nested arrays on the left take the dtype of the tensor on the right; with no tensor at all the left becomes one. */
export const binary =
  (build: (a: unknown, b: unknown) => Tensor, who: string): Binary =>
  (a, b) =>
    build(a instanceof Tensor || (b as unknown) instanceof Tensor ? a : operand(a, who), b);

export const add: Binary = binary(op.add, "add");
export const sub: Binary = binary(op.sub, "sub");
export const mul: Binary = binary(op.mul, "mul");
export const div: Binary = binary(op.div, "div");
export const pow: Binary = binary(op.pow, "pow");
export const maximum: Binary = binary(op.maximum, "maximum");
export const minimum: Binary = binary(op.minimum, "minimum");
export const mod: Binary = binary(op.mod, "mod");
export const floorDiv: Binary = binary(op.floorDiv, "floorDiv");
export const eq: Binary = binary(op.eq, "eq");
export const ne: Binary = binary(op.ne, "ne");
export const lt: Binary = binary(op.lt, "lt");
export const le: Binary = binary(op.le, "le");
export const gt: Binary = binary(op.gt, "gt");
export const ge: Binary = binary(op.ge, "ge");
export const logicalAnd: Binary = binary(op.logicalAnd, "logicalAnd");
export const logicalOr: Binary = binary(op.logicalOr, "logicalOr");
export const logicalXor: Binary = binary(op.logicalXor, "logicalXor");

export type Unary = <S extends Shape>(x: Tensor<S> | number) => Tensor<S>;

const unary =
  (build: (x: Tensor) => Tensor, who: string): Unary =>
  (x) =>
    build(operand(x, who));

export const neg: Unary = unary(maths.neg, "neg");
export const abs: Unary = unary(maths.abs, "abs");
export const sign: Unary = unary(maths.sign, "sign");
export const exp: Unary = unary(maths.exp, "exp");
export const expm1: Unary = unary(maths.expm1, "expm1");
export const log: Unary = unary(maths.log, "log");
export const log1p: Unary = unary(maths.log1p, "log1p");
export const sqrt: Unary = unary(maths.sqrt, "sqrt");
export const rsqrt: Unary = unary(maths.rsqrt, "rsqrt");
export const square: Unary = unary(maths.square, "square");
export const reciprocal: Unary = unary(maths.reciprocal, "reciprocal");
export const tanh: Unary = unary(maths.tanh, "tanh");
export const sigmoid: Unary = unary(maths.sigmoid, "sigmoid");
export const relu: Unary = unary(maths.relu, "relu");
export const erf: Unary = unary(maths.erf, "erf");
export const sin: Unary = unary(maths.sin, "sin");
export const cos: Unary = unary(maths.cos, "cos");
export const tan: Unary = unary(maths.tan, "tan");
export const floor: Unary = unary(maths.floor, "floor");
export const ceil: Unary = unary(maths.ceil, "ceil");
export const trunc: Unary = unary(maths.trunc, "trunc");
export const round: Unary = unary(maths.round, "round");
const notANumber: Unary = unary(maths.isNaN, "isNaN");
const finite: Unary = unary(maths.isFinite, "isFinite");

export { finite as isFinite, notANumber as isNaN };
export const logicalNot: Unary = unary(maths.logicalNot, "logicalNot");
export const silu: Unary = unary(maths.silu, "silu");
export const selu: Unary = unary(maths.selu, "selu");
export const mish: Unary = unary(maths.mish, "mish");
export const softplus: Unary = unary(maths.softplus, "softplus");
export const softsign: Unary = unary(maths.softsign, "softsign");
export const logSigmoid: Unary = unary(maths.logSigmoid, "logSigmoid");
