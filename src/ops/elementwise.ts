/**
 * Arithmetic, element by element. All builders want equal shapes and dtypes. Gradients at kinks follow PyTorch; the table of
 * edge values is tested in test/ops/edges.test.ts.
 */
import { isFloat } from "../core/dtype.ts";
import { apply, type Binary, type Elementwise, type Unary, type Value } from "../graph/op.ts";
import { call, select as choose, compare, constant as number, scalar } from "../kernel/expr.ts";
import * as functions from "../kernel/math/functions.ts";
import { scalarLike, zerosLike } from "./leaf.ts";
import { eq, ge, gt, logicalAnd, logicalNot, lt, select } from "./logic.ts";
import { log, round } from "./maths.ts";
import { elementwise, floats, numbers } from "./rules.ts";

/** a + b. */
export function add(a: Value, b: Value): Value {
  return apply(addOp, [a, b]);
}
export const addOp: Elementwise<Binary> = elementwise({
  name: "add",
  infer: (inputs) => numbers("add", inputs),
  vjp: (dy) => [dy, dy],
  lower: ([a, b]) => scalar("add", [a, b]),
});

/** a − b. */
export function sub(a: Value, b: Value): Value {
  return apply(subOp, [a, b]);
}
export const subOp: Elementwise<Binary> = elementwise({
  name: "sub",
  infer: (inputs) => numbers("sub", inputs),
  vjp: (dy) => [dy, neg(dy)],
  lower: ([a, b]) => scalar("sub", [a, b]),
});

/** a · b. */
export function mul(a: Value, b: Value): Value {
  return apply(mulOp, [a, b]);
}
export const mulOp: Elementwise<Binary> = elementwise({
  ofTwins: "sqr",
  name: "mul",
  infer: (inputs) => numbers("mul", inputs),
  vjp: (dy, [a, b]) => [mul(dy, b), mul(dy, a)],
  lower: ([a, b]) => scalar("mul", [a, b]),
});

/** a / b, of floats; x/0 is ±inf or NaN. Integers divide by `floorDiv`. */
export function div(a: Value, b: Value): Value {
  return apply(divOp, [a, b]);
}
export const divOp: Elementwise<Binary> = elementwise({
  name: "div",
  infer: (inputs) => floats("div", inputs),
  // Not dy/b · a/b: where a is 0 and 1/b infinite, that would be NaN.
  vjp: (dy, [_, b], out) => [div(dy, b), neg(mul(dy, div(out, b)))],
  lower: ([a, b]) => scalar("div", [a, b]),
});

/** −x. */
export function neg(x: Value): Value {
  return apply(negOp, [x]);
}
export const negOp: Elementwise<Unary> = elementwise({
  name: "neg",
  infer: (inputs) => numbers("neg", inputs),
  vjp: (dy) => [neg(dy)],
  lower: ([x]) => (isFloat(x.dtype) ? scalar("neg", [x]) : scalar("sub", [number(0, x.dtype), x])),
});

/** |x|; its gradient at 0 is 0. */
export function abs(x: Value): Value {
  return apply(absOp, [x]);
}
export const absOp: Elementwise<Unary> = elementwise({
  name: "abs",
  infer: (inputs) => numbers("abs", inputs),
  vjp: (dy, [x]) => [mul(dy, sign(x))],
  lower([x]) {
    if (isFloat(x.dtype)) return scalar("abs", [x]);
    if (x.dtype === "uint32") return x;
    const zero = number(0, x.dtype);
    return choose(compare("lt", x, zero), scalar("sub", [zero, x]), x);
  },
});

/** −1, 0 or 1; NaN stays NaN. */
export function sign(x: Value): Value {
  return apply(signOp, [x]);
}
export const signOp: Elementwise<Unary> = elementwise({
  name: "sign",
  infer: (inputs) => numbers("sign", inputs),
  vjp: null,
  lower([x]) {
    if (isFloat(x.dtype)) return call(functions.sign, [x]);
    const zero = number(0, x.dtype);
    const positive = choose(compare("lt", zero, x), number(1, x.dtype), zero);
    return x.dtype === "uint32" ? positive : choose(compare("lt", x, zero), number(-1, x.dtype), positive);
  },
});

export const square = (x: Value): Value => mul(x, x);
export const reciprocal = (x: Value): Value => div(scalarLike(x, 1), x);

/** max(x, 0); NaN and −0 stay what they are, the gradient at 0 is 0. */
export function relu(x: Value): Value {
  return apply(reluOp, [x]);
}
export const reluOp: Elementwise<Unary> = elementwise({
  name: "relu",
  infer: (inputs) => numbers("relu", inputs),
  vjp: (dy, _, out) => [select(gt(out, zerosLike(out)), dy, zerosLike(dy))],
  lower: ([x]) => scalar("pmax", [x, number(0, x.dtype)]),
});

/** The larger one; NaN if either is, and −0 is less than 0. As in PyTorch, of equals each gets half the gradient. */
export function maximum(a: Value, b: Value): Value {
  return apply(maximumOp, [a, b]);
}
export const maximumOp: Elementwise<Binary> = elementwise({
  name: "maximum",
  infer: (inputs) => numbers("maximum", inputs),
  vjp: (dy, [a, b]) => toChosen(dy, a, b, lt),
  lower: ([a, b]) => (isFloat(a.dtype) ? call(functions.max, [a, b]) : scalar("pmax", [a, b])),
});

/** The smaller one; NaN if either is, and −0 is less than 0. As in PyTorch, of equals each gets half the gradient. */
export function minimum(a: Value, b: Value): Value {
  return apply(minimumOp, [a, b]);
}
export const minimumOp: Elementwise<Binary> = elementwise({
  name: "minimum",
  infer: (inputs) => numbers("minimum", inputs),
  vjp: (dy, [a, b]) => toChosen(dy, a, b, gt),
  lower: ([a, b]) => (isFloat(a.dtype) ? call(functions.min, [a, b]) : scalar("pmin", [a, b])),
});

/** dy to the one that was chosen, half of it to each of equals; to both if one is NaN. */
function toChosen(dy: Value, a: Value, b: Value, loses: (x: Value, y: Value) => Value): [Value, Value] {
  const zero = zerosLike(dy);
  const shared = select(eq(a, b), mul(dy, scalarLike(dy, 0.5)), dy);
  return [select(loses(a, b), zero, shared), select(loses(b, a), zero, shared)];
}

/** Where a⁻¹ and a⁻² are still finite: nearer to 0, a counts as 0 in the slope of a⁰. */
const NEAR_ZERO = { float32: 2 ** -60, float64: 2 ** -500 } as const;

/** aᵇ of floats, with C99's special cases. da = b·aᵇ⁻¹ (0 where b = 0), db = aᵇ·log a (0 where a = 0 ≤ b). */
export function pow(a: Value, b: Value): Value {
  return apply(powOp, [a, b]);
}
export const powOp: Elementwise<Binary> = elementwise({
  name: "pow",
  costly: true,
  infer: (inputs) => floats("pow", inputs),
  vjp(dy, [a, b], out) {
    const [zero, one] = [zerosLike(b), scalarLike(b, 1)];
    // The slope of a⁰ is 0, also where b·aᵇ⁻¹ would be 0·∞ or NaN. Elsewhere the product stands even for b = 0: it has a slope in b.
    const away = gt(abs(a), scalarLike(a, NEAR_ZERO[a.dtype as "float32"]));
    const flat = logicalAnd(eq(b, zero), logicalNot(away));
    const slope = select(flat, zero, mul(b, pow(select(flat, one, a), sub(b, one))));
    const vanishes = logicalAnd(eq(a, zero), ge(b, zero));
    return [mul(dy, slope), mul(dy, mul(out, log(select(vanishes, one, a))))];
  },
  lower: ([a, b]) => call(functions.pow, [a, b]),
});

/**
 * Largest whole number ≤ a / b, exactly; quotients of floats from 2²⁴ (float32) or 2⁵³ (float64) on are a / b rounded. As in PyTorch, a float
 * divisor of 0 gives a / b, and an infinite a else gives NaN. Integers: a divisor of 0 gives 0.
 */
export function floorDiv(a: Value, b: Value): Value {
  return apply(floorDivOp, [a, b]);
}
export const floorDivOp: Elementwise<Binary> = elementwise({
  name: "floorDiv",
  infer: (inputs) => numbers("floorDiv", inputs),
  vjp: null,
  lower: ([a, b]) => (isFloat(a.dtype) ? call(functions.quotient, [a, b]) : scalar("floordiv", [a, b])),
});

/**
 * What C's division leaves: the exact remainder with the sign of a, that of a quotient cut toward 0. Float divisors of 0 and an infinite a give NaN.
 * Integers: a divisor of 0 gives 0.
 */
export function fmod(a: Value, b: Value): Value {
  return apply(fmodOp, [a, b]);
}
export const fmodOp: Elementwise<Binary> = elementwise({
  name: "fmod",
  infer: (inputs) => numbers("fmod", inputs),
  // a less the remainder is a multiple of b: rounded, the quotient is exact, which a / b cut toward 0 need not be.
  vjp: (dy, [a, b], out) => [dy, neg(mul(dy, round(div(sub(a, out), b))))],
  lower([a, b]) {
    if (isFloat(a.dtype)) return call(functions.fmod, [a, b]);
    const rest = scalar("mod", [a, b]);
    if (a.dtype === "uint32") return rest;
    const zero = number(0, a.dtype);
    const signs = scalar("xor", [compare("lt", a, zero), compare("lt", b, zero)]);
    return choose(scalar("and", [signs, compare("ne", rest, zero)]), scalar("sub", [rest, b]), rest);
  },
});

/**
 * What floor division leaves: 0 ≤ a mod b < b for b > 0, b < a mod b ≤ 0 for b < 0, for all finite floats, however far apart. As in PyTorch,
 * it is the exact remainder with the sign of a, to which b is added where the signs differ: that sum is rounded, so −1e-20 mod 3 is 3; a
 * remainder of 0 has the sign of a. Float divisors of 0 and an infinite a give NaN. Integers: a divisor of 0 gives 0.
 */
export function mod(a: Value, b: Value): Value {
  return apply(modOp, [a, b]);
}
export const modOp: Elementwise<Binary> = elementwise({
  name: "mod",
  infer: (inputs) => numbers("mod", inputs),
  vjp: (dy, [a, b]) => [dy, neg(mul(dy, floorDiv(a, b)))],
  lower: ([a, b]) => (isFloat(a.dtype) ? call(functions.remainder, [a, b]) : scalar("mod", [a, b])),
});
