/** Functions where there is no natural receiver, and one alias for each elementwise method. */
import { ArgumentError, show } from "../core/errors.ts";
import type { Checked, Concat, Known } from "../core/shape-types.ts";
import { atUserLine } from "../core/site.ts";
import type { Value } from "../graph/op.ts";
import * as surface from "../surface/index.ts";
import { type Binary, joining, leftOperand, mapping, type Unary } from "./elementwise.ts";
import { nodeOf, operandValue, operandValues } from "./operand.ts";
import { derived, matmul as matmulOf, power, productOf, split as splitOf, type Tensor } from "./tensor.ts";
import type { FitsProduct, Operand, Product } from "./tensor-types.ts";

type Shapes<L> = { [I in keyof L]: L[I] extends Tensor<infer S> ? S : any };

/** Side by side along an axis; the widest dtype. */
export function concat<const L extends readonly Tensor[], const A extends number>(
  list: Checked<Concat<Shapes<L>, A>, L>,
  axis: A,
): Tensor<Known<Concat<Shapes<L>, A>>> {
  return joined("concat", list, (values) => surface.concat(values, axis));
}

/** On top of each other along a new axis, the first unless said. */
export function stack(list: readonly Tensor[], axis = 0): Tensor {
  return joined("stack", list, (values) => surface.stack(values, axis));
}

function joined(who: string, list: unknown, operator: (values: readonly Value[]) => Value): Tensor {
  return atUserLine(() => {
    if (!Array.isArray(list)) throw new ArgumentError(`${who}: ${show(list)} is no list`, { help: `${who}([a, b], axis)` });
    return derived(operator(list.map((x) => nodeOf(x, who))), list);
  }, who);
}

/** Parts of these sizes along an axis, or this many equal ones. */
export function split(x: Tensor, parts: number | readonly number[], axis = 0): Tensor[] {
  return splitOf(x, parts, axis);
}

/**
 * `yes` where the condition holds, else `no`; all three broadcast. The side not taken gets a gradient of 0, but 0 · ∞ is NaN:
 * where(x > 0, √x, 0) has the gradient NaN at 0, where(x > 0, √where(x > 0, x, 1), 0) has 0.
 */
export function where(condition: Tensor, yes: Operand, no: Operand): Tensor {
  return atUserLine(() => {
    const mask = operandValue(condition, "bool", "where");
    return derived(surface.where(mask, ...operandValues(yes, no, "where")), [yes, no]);
  }, "where");
}

/**
 * Einstein's summation: equal letters are multiplied position by position, letters that the result lacks are summed.
 *
 * @example einsum("bij,bjk->bik", a, b)
 */
export function einsum(text: string, ...list: readonly Tensor[]): Tensor {
  return productOf("einsum", list, (values) => surface.einsum(text, values));
}

/** […, n, k] × […, k, m] → […, n, m]. */
export function matmul<A extends Tensor, B extends Tensor>(a: A, b: FitsProduct<A, B>): Product<A, B> {
  return matmulOf(a, b);
}

export const add: Binary = joining("add", surface.add);
export const sub: Binary = joining("sub", surface.sub);
export const mul: Binary = joining("mul", surface.mul);
export const div: Binary = joining("div", surface.div);
export const pow: Binary = (a, b) => power(leftOperand(a, b, "pow"), b);
export const maximum: Binary = joining("maximum", surface.maximum);
export const minimum: Binary = joining("minimum", surface.minimum);
export const mod: Binary = joining("mod", surface.mod);
export const floorDiv: Binary = joining("floorDiv", surface.floorDiv);
export const eq: Binary = joining("eq", surface.eq);
export const ne: Binary = joining("ne", surface.ne);
export const lt: Binary = joining("lt", surface.lt);
export const le: Binary = joining("le", surface.le);
export const gt: Binary = joining("gt", surface.gt);
export const ge: Binary = joining("ge", surface.ge);
export const logicalAnd: Binary = joining("logicalAnd", surface.logicalAnd);
export const logicalOr: Binary = joining("logicalOr", surface.logicalOr);
export const logicalXor: Binary = joining("logicalXor", surface.logicalXor);

export const neg: Unary = mapping("neg", surface.neg);
export const abs: Unary = mapping("abs", surface.abs);
export const sign: Unary = mapping("sign", surface.sign);
export const exp: Unary = mapping("exp", surface.exp);
export const expm1: Unary = mapping("expm1", surface.expm1);
export const log: Unary = mapping("log", surface.log);
export const log1p: Unary = mapping("log1p", surface.log1p);
export const sqrt: Unary = mapping("sqrt", surface.sqrt);
export const rsqrt: Unary = mapping("rsqrt", surface.rsqrt);
export const square: Unary = mapping("square", surface.square);
export const reciprocal: Unary = mapping("reciprocal", surface.reciprocal);
export const tanh: Unary = mapping("tanh", surface.tanh);
export const sigmoid: Unary = mapping("sigmoid", surface.sigmoid);
export const relu: Unary = mapping("relu", surface.relu);
export const erf: Unary = mapping("erf", surface.erf);
export const sin: Unary = mapping("sin", surface.sin);
export const cos: Unary = mapping("cos", surface.cos);
export const tan: Unary = mapping("tan", surface.tan);
export const floor: Unary = mapping("floor", surface.floor);
export const ceil: Unary = mapping("ceil", surface.ceil);
export const trunc: Unary = mapping("trunc", surface.trunc);
export const round: Unary = mapping("round", surface.round);
const elementIsNaN: Unary = mapping("isNaN", surface.isNaN);
const elementIsFinite: Unary = mapping("isFinite", surface.isFinite);

export { elementIsFinite as isFinite, elementIsNaN as isNaN };
export const logicalNot: Unary = mapping("logicalNot", surface.logicalNot);
export const silu: Unary = mapping("silu", surface.silu);
export const selu: Unary = mapping("selu", surface.selu);
export const mish: Unary = mapping("mish", surface.mish);
export const softplus: Unary = mapping("softplus", surface.softplus);
export const softsign: Unary = mapping("softsign", surface.softsign);
export const logSigmoid: Unary = mapping("logSigmoid", surface.logSigmoid);
