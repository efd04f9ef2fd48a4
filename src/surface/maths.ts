/** Functions of one tensor, element by element; what is not a primitive is composed of them here. */
import { isFloat } from "../core/dtype.ts";
import { ArgumentError, show } from "../core/errors.ts";
import { takeSite } from "../core/site.ts";
import type { Value } from "../graph/op.ts";
import * as ops from "../ops/index.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { castTo, float, numberValue, stretch, unary } from "./elementwise.ts";
import { checkElements } from "./nested.ts";

type Map = (x: Tensor) => Tensor;
const plain =
  (build: (x: Value) => Value): Map =>
  (x) =>
    unary(x, build);
const onFloats = (who: string, build: (x: Value) => Value): Map => plain(float(who, build));
/** Integers stay as they are: they are whole and finite already. */
const onFloatsElse = (build: (x: Value) => Value, integer: (x: Value) => Value): Map =>
  plain((x) => (isFloat(x.dtype) ? build(x) : integer(x)));
const same = (x: Value): Value => x;
const always = (answer: number) => (x: Value) => ops.filled(answer, x.shape, "bool");

export const neg = plain(ops.neg);
export const abs = plain(ops.abs);
export const sign = plain(ops.sign);
export const square: Map = (x) => unary(x, ops.square, "square");
export const reciprocal = onFloats("reciprocal", ops.reciprocal);
export const exp = onFloats("exp", ops.exp);
export const expm1 = onFloats("expm1", ops.expm1);
export const log = onFloats("log", ops.log);
export const log1p = onFloats("log1p", ops.log1p);
export const sqrt = onFloats("sqrt", ops.sqrt);
export const rsqrt = onFloats("rsqrt", (x) => ops.reciprocal(ops.sqrt(x)));
export const tanh = onFloats("tanh", ops.tanh);
export const sigmoid = onFloats("sigmoid", ops.sigmoid);
export const erf = onFloats("erf", ops.erf);
export const sin = onFloats("sin", ops.sin);
export const cos = onFloats("cos", ops.cos);
export const tan = onFloats("tan", (x) => ops.div(ops.sin(x), ops.cos(x)));
export const relu = plain(ops.relu);
export const floor = onFloatsElse(ops.floor, same);
export const ceil = onFloatsElse(ops.ceil, same);
export const trunc = onFloatsElse(ops.trunc, same);
export const round = onFloatsElse(ops.round, same);
const notANumber = onFloatsElse(ops.isNaN, always(0));
const finite = onFloatsElse(ops.isFinite, always(1));

// Under the names of globals, which no declaration may take.
export { finite as isFinite, notANumber as isNaN };
export const logicalNot = plain(ops.logicalNot);

export const times = (x: Value, by: number): Value => ops.mul(x, ops.scalarLike(x, by));
export const plus = (x: Value, by: number): Value => ops.add(x, ops.scalarLike(x, by));
export const positive = (x: Value): Value => ops.lt(ops.zerosLike(x), x);

/**
 * log(1 + eˣ), as max(x, 0) + log1p(e^−|x|), which neither overflows nor loses the small ones. Its gradient is stated, because the kinks of the two
 * parts cancel at 0 in truth but not under their conventions.
 */
const softplusOf = (x: Value): Value =>
  ops.custom(ops.add(ops.relu(x), ops.log1p(ops.exp(ops.neg(ops.abs(x))))), [x], (dy: Value, _: Value, from: Value) => [
    ops.mul(dy, ops.sigmoid(from)),
  ]);

export const softplus = onFloats("softplus", softplusOf);
export const logSigmoid = onFloats("logSigmoid", (x) => ops.neg(softplusOf(ops.neg(x))));
/** x / (1 + |x|), with the slope 1 / (1 + |x|)²: as that of a quotient it would be a difference that loses its digits. */
export const softsign = onFloats("softsign", (x) =>
  ops.custom(ops.div(x, plus(ops.abs(x), 1)), [x], (dy: Value, _: Value, from: Value) => [
    ops.mul(dy, ops.square(ops.reciprocal(plus(ops.abs(from), 1)))),
  ]),
);
export const silu = onFloats("silu", (x) => ops.mul(x, ops.sigmoid(x)));
export const mish = onFloats("mish", (x) => ops.mul(x, ops.tanh(softplusOf(x))));

function number(x: number, { dtype }: Value, who: string): number {
  if (typeof x !== "number") throw new ArgumentError(`${who} is ${show(x)}`, { help: "a number" });
  checkElements([x], dtype, who);
  return x;
}

/** x where positive, slope · x elsewhere. */
export const leakyRelu = (x: Tensor, slope = 0.01): Tensor =>
  unary(
    x,
    float("leakyRelu", (v) => ops.select(positive(v), v, times(v, number(slope, v, "leakyRelu: slope")))),
    "leakyRelu",
  );

/** x where positive, alpha · (eˣ − 1) elsewhere. The exponential never sees a positive number, so nothing overflows in the side not taken. */
function eluOf(x: Value, alpha: number): Value {
  const right = positive(x);
  return ops.select(right, x, times(ops.expm1(ops.select(right, ops.zerosLike(x), x)), alpha));
}
export const elu = (x: Tensor, alpha = 1): Tensor =>
  unary(
    x,
    float("elu", (v) => eluOf(v, number(alpha, v, "elu: alpha"))),
    "elu",
  );

/** Klambauer et al. 2017, equation 2: the two constants that keep mean 0 and variance 1. */
export const selu = onFloats("selu", (x) => times(eluOf(x, 1.6732632423543772), 1.0507009873554805));

/** x · Φ(x), with Φ by erf or by its tanh approximation (Hendrycks and Gimpel 2016). */
export function gelu(x: Tensor, approximate: "none" | "tanh" = "none"): Tensor {
  if (approximate !== "none" && approximate !== "tanh")
    throw new ArgumentError(`gelu: the approximation is ${show(approximate)}`, {
      why: "Φ(x) is computed by erf, or by its approximation with tanh",
      help: 'x.gelu() or x.gelu("none"), or x.gelu("tanh")',
      site: takeSite(),
    });
  // From ±10 on the tanh is ±1: there v³ must not overflow, or the slope is 0 · ∞.
  const within = (v: Value): Value => ops.minimum(ops.maximum(v, ops.scalarLike(v, -10)), ops.scalarLike(v, 10));
  const inner = (v: Value): Value => times(ops.add(v, times(ops.mul(v, ops.square(v)), 0.044715)), Math.sqrt(2 / Math.PI));
  const share = (v: Value): Value => (approximate === "none" ? ops.erf(times(v, Math.SQRT1_2)) : ops.tanh(inner(within(v))));
  return unary(
    x,
    float("gelu", (v) => ops.mul(times(v, 0.5), plus(share(v), 1))),
  );
}

/** low where x is below it, high where above; NaN stays. As in PyTorch the gradient passes inside and at the ends, and not at NaN. */
export function clip(x: Tensor, low: number, high: number): Tensor {
  if (typeof low !== "number" || typeof high !== "number" || !(low <= high))
    throw new ArgumentError(`clip: ${show(low)} … ${show(high)} is no range`, {
      help: "clip(low, high), two numbers with low ≤ high; maximum and minimum take tensors",
      site: takeSite(),
    });
  return unary(x, (v) => clipOf(v, low, high), "clip");
}

export function clipOf(v: Value, low: number, high: number): Value {
  // An end at infinity is no end, for integers too.
  const least = low === Number.NEGATIVE_INFINITY ? undefined : stretch(numberValue(low, v.dtype, "clip"), v.shape);
  const most = high === Number.POSITIVE_INFINITY ? undefined : stretch(numberValue(high, v.dtype, "clip"), v.shape);
  const above = least ? ops.maximum(v, least) : v;
  const clipped = most ? ops.minimum(above, most) : above;
  // Equal where x was in range, and nowhere else: a NaN equals nothing.
  const backward = (dy: Value, y: Value, from: Value): Value[] => [ops.select(ops.eq(from, y), dy, ops.zerosLike(dy))];
  return isFloat(v.dtype) && (least || most) ? ops.custom(clipped, [v], backward) : clipped;
}

export const cast = (x: Tensor, dtype: Tensor["dtype"]): Tensor => unary(x, (v) => castTo(v, dtype));
export const detach = plain(ops.stopGradient);
