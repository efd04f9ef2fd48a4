/** From the friendly surface to the strict graph: operands of any shapes and dtypes that go together are stretched and cast here, and nowhere else. */
import { type DType, isFloat, promote } from "../core/dtype.ts";
import { DTypeError } from "../core/errors.ts";
import { broadcastShapes, type Shape, sameShape } from "../core/shape.ts";
import type { Value } from "../graph/op.ts";
import * as ops from "../ops/index.ts";

export type Unary = (x: Value) => Value;
type Binary = (a: Value, b: Value) => Value;

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

/** Values in the widest of their dtypes. */
export function promoted(values: readonly Value[], who: string): Value[] {
  const dtype = values.map((v) => v.dtype).reduce((a, b) => promote(a, b, who));
  return values.map((v) => castTo(v, dtype));
}

/** Both operands with one dtype and one shape. */
function together(a: Value, b: Value, who: string): [Value, Value] {
  const [x, y] = promoted([a, b], who) as [Value, Value];
  const shape = broadcastShapes(x.shape, y.shape, who);
  return [stretch(x, shape), stretch(y, shape)];
}

/** A rule for equal shapes and dtypes as one for all that go together. */
export const joining =
  (who: string, rule: Binary): Binary =>
  (a, b) =>
    rule(...together(a, b, who));

/** Floats only; an integer is told how to become one, because which float was meant cannot be guessed. */
export function float(who: string, rule: Unary, right = `x.cast("float32").${who}(…)`): Unary {
  return (x) => {
    if (isFloat(x.dtype)) return rule(x);
    throw new DTypeError(`${who}: needs float32 or float64, not ${x.dtype}`, { help: `cast it first: ${right}` });
  };
}

/** The same of what is a function and no method. */
export const free = (who: string, rule: Unary): Unary => float(who, rule, `${who}(x.cast("float32"))`);

/** log(eᵃ + eᵇ + …), all stretched to one shape. */
export function logAddExp(values: readonly Value[]): Value {
  const who = "logAddExp";
  const list = promoted(values, who).map(float(who, (x) => x, `${who}(x.cast("float32"), …)`));
  const shape = list.map((x) => x.shape).reduce((a, b) => broadcastShapes(a, b, who));
  return ops.logAddExp(list.map((x) => stretch(x, shape)));
}

/** Comparisons compute in int32 where the operands are bool or uint8. */
const comparing = (who: string, rule: Binary): Binary =>
  joining(who, (a, b) => {
    const small = a.dtype === "bool" || a.dtype === "uint8";
    return small ? rule(castTo(a, "int32"), castTo(b, "int32")) : rule(a, b);
  });

/** True division is for floats: 7 / 2 is 3.5 in one language and 3 in another. */
function divide(a: Value, b: Value): Value {
  if (isFloat(a.dtype)) return ops.div(a, b);
  throw new DTypeError(`div: needs float32 or float64, not ${a.dtype}`, {
    why: "a quotient of integers is not an integer",
    help: 'a.floorDiv(b) rounds toward −∞; a.cast("float32").div(b) does not round',
  });
}

export const add = joining("add", ops.add);
export const sub = joining("sub", ops.sub);
export const mul = joining("mul", ops.mul);
export const div = joining("div", divide);
export const pow = joining("pow", (x, y) => float("pow", (x) => ops.pow(x, y))(x));
export const maximum = joining("maximum", ops.maximum);
export const minimum = joining("minimum", ops.minimum);
export const mod = joining("mod", ops.mod);
export const fmod = joining("fmod", ops.fmod);
export const hypot = joining("hypot", ops.hypot);
export const atan2 = joining("atan2", ops.atan2);
export const xlogy = joining("xlogy", ops.xlogy);
export const floorDiv = joining("floorDiv", ops.floorDiv);
export const eq = comparing("eq", ops.eq);
export const ne = comparing("ne", ops.ne);
export const lt = comparing("lt", ops.lt);
export const le = comparing("le", ops.le);
export const gt = comparing("gt", ops.gt);
export const ge = comparing("ge", ops.ge);
export const logicalAnd = joining("logicalAnd", ops.logicalAnd);
export const logicalOr = joining("logicalOr", ops.logicalOr);
export const logicalXor = joining("logicalXor", ops.logicalXor);

/** xⁿ for a whole number n ≥ 1, as x · x · … by squaring: about log₂ n products, exact for integers and cheap to differentiate. */
export function wholePower(x: Value, n: number): Value {
  if (n === 1) return x;
  const half = wholePower(x, Math.floor(n / 2));
  const even = ops.mul(half, half);
  return n % 2 === 0 ? even : ops.mul(even, x);
}

/** yes where the condition holds, else no: all three broadcast. The side not taken sends a gradient of 0, but NaN stays NaN there: guard its input too. */
export function where(condition: Value, yes: Value, no: Value): Value {
  if (condition.dtype !== "bool")
    throw new DTypeError(`where: the condition is ${condition.dtype}, not bool`, { help: "compare it, as in x.ne(0)" });
  const [x, y] = together(yes, no, "where");
  const shape = broadcastShapes(condition.shape, x.shape, "where");
  return ops.select(stretch(condition, shape), stretch(x, shape), stretch(y, shape));
}

/** Positions as int32: what gather, takeAlong and oneHot read. */
export function positions(x: Value, who: string): Value {
  if (isFloat(x.dtype) || x.dtype === "bool")
    throw new DTypeError(`${who}: positions are int32, not ${x.dtype}`, { help: 'x.cast("int32") if its numbers are whole' });
  // Beyond int32 they are outside every axis, and must not become negative.
  return castTo(x.dtype === "uint32" ? ops.minimum(x, ops.scalarLike(x, 2 ** 31 - 1)) : x, "int32");
}
