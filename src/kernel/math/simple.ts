/** What takes few operations: minimum, maximum, sign, the hypotenuse. */
import { isFloat } from "../../core/dtype.ts";
import { type Const, constant, type Expr, scalar } from "../expr.ts";
import { abs, add, and, div, eq, fma, lt, mul, ne, or, pmax, pmin, select, sqrt, sub } from "./build.ts";

/** A value that cannot be NaN: constants and what was an integer, which is not −0 either. */
const isNumber = (x: Expr): boolean =>
  !isFloat(x.dtype) || (x.op === "const" && !Number.isNaN(x.value)) || (x.op === "cast" && !isFloat(x.args[0]!.dtype));

/**
 * The smaller or larger of two; NaN where either is, and −0 is less than 0 (IEEE 754-2019). pmin and pmax keep a NaN and a zero of their first
 * operand, so an operand that is no zero and never NaN goes second, and nothing else is needed.
 */
function extreme(op: "pmin" | "pmax", a: Expr, b: Expr): Expr {
  if (a.dtype === "bool") return op === "pmin" ? and(a, b) : or(a, b);
  const pick = op === "pmin" ? pmin : pmax;
  if (a === b) return a;
  if (!isFloat(a.dtype)) return pick(a, b);
  if (a.op === "const" && b.op !== "const") return extreme(op, b, a);
  const k = (value: number): Expr => constant(value, a.dtype);
  if (isNumber(b)) {
    const value = b.op === "const" ? b.value : Number.NaN;
    const weakest = op === "pmin" ? 0 : -0;
    if ((b.op === "const" && value !== 0) || Object.is(value, weakest)) return pick(a, b);
    // −0 + 0 is 0, and nothing else changes.
    if (op === "pmax" && value === 0) return add(pick(a, b), k(0));
  }
  const zeros = and(eq(a, k(0)), eq(b, k(0)));
  const either = op === "pmax" ? add(a, b) : neg(sub(neg(a), b));
  return select(zeros, either, select(ne(b, b), b, pick(a, b)));
}

const neg = (x: Expr): Expr => scalar("neg", [x]);

export const minimum = (a: Expr, b: Expr): Expr => extreme("pmin", a, b);
export const maximum = (a: Expr, b: Expr): Expr => extreme("pmax", a, b);

/** −1, 0 or 1; a zero keeps its sign, NaN stays NaN. */
export function sign(x: Expr): Expr {
  const k = (value: number): Const => constant(value, x.dtype);
  if (x.dtype === "bool") return x;
  if (x.dtype === "uint32" || x.dtype === "uint8") return pmin(x, k(1));
  if (x.dtype === "int32") return pmax(pmin(x, k(1)), k(-1));
  return select(lt(k(0), x), k(1), select(lt(x, k(0)), k(-1), x));
}

/** √(a² + b²), as the larger times √(1 + (smaller / larger)²): nothing overflows before the result does. Infinite where either is, even beside NaN. */
export function hypotenuse(a: Expr, b: Expr): Expr {
  const k = (value: number): Const => constant(value, a.dtype);
  const [x, y] = [abs(a), abs(b)];
  const less = lt(x, y);
  const [small, large] = [select(less, x, y), select(less, y, x)];
  // Of two equals, which 0 and ∞ can be, the quotient could be NaN.
  const ratio = select(eq(small, large), k(1), div(small, large));
  const infinite = or(eq(x, k(Number.POSITIVE_INFINITY)), eq(y, k(Number.POSITIVE_INFINITY)));
  return select(infinite, k(Number.POSITIVE_INFINITY), mul(large, sqrt(fma(ratio, ratio, k(1)))));
}
