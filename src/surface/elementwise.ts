/** From the friendly surface to the strict graph: broadcasts, casts and constants are put in here, and nowhere else. */
import { arrayOf, type DType, isFloat, promote } from "../core/dtype.ts";
import { DTypeError } from "../core/errors.ts";
import { broadcastShapes, MAX_RANK, type Shape, sameShape } from "../core/shape.ts";
import { atUserLine } from "../core/site.ts";
import type { Value } from "../graph/op.ts";
import * as ops from "../ops/index.ts";
import { currentTrace } from "../tensor/context.ts";
import { Tensor } from "../tensor/tensor.ts";
import { describe } from "../tensor/tree.ts";
import { checkElements, shapeOfNested, writeNested } from "./nested.ts";

/** A tensor for a value made from others: gradients can be taken through it if they can through one of them. */
export function derived(value: Value, from: readonly Tensor[]): Tensor {
  return new Tensor(value, { tracked: from.some((x) => x.isTracked) });
}

/** The value stretched to a shape it broadcasts to, aligned at the last axis. */
export function stretch(x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x;
  const missing = shape.length - x.shape.length;
  return ops.broadcastTo(
    x,
    shape,
    x.shape.map((_, i) => i + missing),
  );
}

export const castTo = (x: Value, dtype: DType): Value => (x.dtype === dtype ? x : ops.cast(x, dtype));

/** A JavaScript number in the graph. Outside a trace it can be another one next time without being another program. */
export function numberValue(value: number | boolean, dtype: DType, who: string): Value {
  checkElements([value], dtype, who);
  return ops.scalarConstant(Number(value), dtype, currentTrace() ? {} : { lifted: true });
}

/** An operand that is no tensor, as a value of this dtype. A lone number never promotes. */
function literal(x: unknown, dtype: DType, who: string): Value {
  if (typeof x === "number" || typeof x === "boolean") return numberValue(x, dtype, who);
  if (Array.isArray(x)) {
    const shape = shapeOfNested(x, who);
    const data = arrayOf(dtype, x.length === 0 ? 0 : shape.reduce((n, d) => n * d, 1));
    writeNested(x, data, dtype, who);
    return ops.constant(data, shape, dtype);
  }
  if (ArrayBuffer.isView(x) && !(x instanceof DataView)) {
    const elements = x as unknown as ArrayLike<number>;
    checkElements(elements, dtype, who);
    const data = arrayOf(dtype, elements.length);
    data.set(elements);
    return ops.constant(data, [data.length], dtype);
  }
  throw new DTypeError(`${who}: ${describe(x)} is not a tensor`, { help: "give a tensor, a number or nested arrays of numbers" });
}

/** Both operands with one dtype and one shape. */
function pair(a: unknown, b: unknown, who: string): [Value, Value] {
  const left = a instanceof Tensor ? a.node() : undefined;
  const right = b instanceof Tensor ? b.node() : undefined;
  const dtype =
    left && right ? promote(left.dtype, right.dtype, who) : ((left ?? right)?.dtype ?? promote(defaultDType(a), defaultDType(b), who));
  const x = left ?? literal(a, dtype, who);
  const y = right ?? literal(b, dtype, who);
  const shape = broadcastShapes(x.shape, y.shape, who);
  return [stretch(castTo(x, dtype), shape), stretch(castTo(y, dtype), shape)];
}

/** What numbers become where no tensor says it. */
export function defaultDType(x: unknown): DType {
  let first = x;
  // No deeper than tensors go: an array may contain itself.
  for (let depth = 0; depth <= MAX_RANK && Array.isArray(first); depth++) first = first[0];
  return typeof first === "boolean" ? "bool" : "float32";
}

const tensors = (...xs: unknown[]): Tensor[] => xs.filter((x) => x instanceof Tensor);

export function binary(who: string, a: unknown, b: unknown, build: (a: Value, b: Value) => Value): Tensor {
  return atUserLine(() => derived(build(...pair(a, b, who)), tensors(a, b)));
}

export function unary(x: Tensor, build: (x: Value) => Value, who?: string): Tensor {
  return atUserLine(() => derived(build(nodeOf(x, who ?? "a method")), [x]), who);
}

/** The node of an operand that must be a tensor. */
export function nodeOf(x: unknown, who: string): Value {
  if (x instanceof Tensor) return x.node();
  throw new DTypeError(`${who}: ${describe(x)} is not a tensor`, { help: "tensor(…) makes one" });
}

/** Floats only; an integer is told how to become one, because which float was meant cannot be guessed. */
export function float(who: string, build: (x: Value) => Value, right = `x.cast("float32").${who}(…)`): (x: Value) => Value {
  return (x) => {
    if (isFloat(x.dtype)) return build(x);
    throw new DTypeError(`${who}: needs float32 or float64, not ${x.dtype}`, { help: `cast it first: ${right}` });
  };
}

/** Comparisons compute in int32 where the operands are bool or uint8. */
const compare = (build: (a: Value, b: Value) => Value) => (a: Value, b: Value) => {
  const small = a.dtype === "bool" || a.dtype === "uint8";
  return small ? build(castTo(a, "int32"), castTo(b, "int32")) : build(a, b);
};

/** True division is for floats: 7 / 2 is 3.5 in one language and 3 in another. */
function divide(a: Value, b: Value): Value {
  if (isFloat(a.dtype)) return ops.div(a, b);
  throw new DTypeError(`div: needs float32 or float64, not ${a.dtype}`, {
    why: "a quotient of integers is not an integer",
    help: 'a.floorDiv(b) rounds toward −∞; a.cast("float32").div(b) does not round',
  });
}

export const add = (a: unknown, b: unknown): Tensor => binary("add", a, b, ops.add);
export const sub = (a: unknown, b: unknown): Tensor => binary("sub", a, b, ops.sub);
export const mul = (a: unknown, b: unknown): Tensor => binary("mul", a, b, ops.mul);
export const div = (a: unknown, b: unknown): Tensor => binary("div", a, b, divide);
export const maximum = (a: unknown, b: unknown): Tensor => binary("maximum", a, b, ops.maximum);
export const minimum = (a: unknown, b: unknown): Tensor => binary("minimum", a, b, ops.minimum);
export const mod = (a: unknown, b: unknown): Tensor => binary("mod", a, b, ops.mod);
export const floorDiv = (a: unknown, b: unknown): Tensor => binary("floorDiv", a, b, ops.floorDiv);
export const eq = (a: unknown, b: unknown): Tensor => binary("eq", a, b, compare(ops.eq));
export const ne = (a: unknown, b: unknown): Tensor => binary("ne", a, b, compare(ops.ne));
export const lt = (a: unknown, b: unknown): Tensor => binary("lt", a, b, compare(ops.lt));
export const le = (a: unknown, b: unknown): Tensor => binary("le", a, b, compare(ops.le));
export const gt = (a: unknown, b: unknown): Tensor => binary("gt", a, b, compare(ops.gt));
export const ge = (a: unknown, b: unknown): Tensor => binary("ge", a, b, compare(ops.ge));
export const logicalAnd = (a: unknown, b: unknown): Tensor => binary("logicalAnd", a, b, ops.logicalAnd);
export const logicalOr = (a: unknown, b: unknown): Tensor => binary("logicalOr", a, b, ops.logicalOr);
export const logicalXor = (a: unknown, b: unknown): Tensor => binary("logicalXor", a, b, ops.logicalXor);

/** Powers by a whole number up to 64 are products, so that they are exact for integers and cheap to differentiate. */
export function pow(a: unknown, b: unknown): Tensor {
  if (a instanceof Tensor && typeof b === "number" && Number.isInteger(b) && b >= 1 && b <= 64)
    return unary(a, (x) => product(x, b), "pow");
  return binary("pow", a, b, (x, y) => float("pow", (x) => ops.pow(x, y))(x));
}

/** x · x · … by squaring: about log₂ n products. */
function product(x: Value, n: number): Value {
  if (n === 1) return x;
  const half = product(x, Math.floor(n / 2));
  const even = ops.mul(half, half);
  return n % 2 === 0 ? even : ops.mul(even, x);
}

/** yes where the condition holds, else no: all three broadcast. The side not taken sends a gradient of 0, but NaN stays NaN there: guard its input too. */
export function where(condition: unknown, yes: unknown, no: unknown): Tensor {
  return atUserLine(() => {
    const mask = condition instanceof Tensor ? condition.node() : literal(condition, "bool", "where");
    if (mask.dtype !== "bool")
      throw new DTypeError(`where: the condition is ${mask.dtype}, not bool`, { help: "compare it, as in x.ne(0)" });
    const [x, y] = pair(yes, no, "where");
    const shape = broadcastShapes(mask.shape, x.shape, "where");
    return derived(ops.select(stretch(mask, shape), stretch(x, shape), stretch(y, shape)), tensors(yes, no));
  }, "where");
}

/** Positions as int32: what gather, takeAlong and oneHot read. */
export function positions(x: Tensor, who: string): Value {
  const value = nodeOf(x, who);
  if (isFloat(value.dtype) || value.dtype === "bool")
    throw new DTypeError(`${who}: positions are int32, not ${value.dtype}`, { help: 'x.cast("int32") if its numbers are whole' });
  // Beyond int32 they are outside every axis, and must not become negative.
  return castTo(value.dtype === "uint32" ? ops.minimum(value, ops.scalarLike(value, 2 ** 31 - 1)) : value, "int32");
}
