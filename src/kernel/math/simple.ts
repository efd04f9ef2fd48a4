/** Minimum, maximum and sign. */
import { isFloat } from "../../core/dtype.ts";
import { type Const, constant, type Expr } from "../expr.ts";
import { and, lt, ne, or, pmax, pmin, select } from "./build.ts";

/** A value that cannot be NaN. */
const isNumber = (x: Expr): boolean =>
  !isFloat(x.dtype) || (x.op === "const" && !Number.isNaN(x.value)) || (x.op === "cast" && !isFloat(x.args[0]!.dtype));

/**
 * The smaller or larger of two; NaN where either is. pmin and pmax keep a NaN of their first operand, so an operand that is
 * never NaN goes second and nothing else is needed. Which zero comes of +0 and −0 is not said.
 */
function extreme(op: "pmin" | "pmax", a: Expr, b: Expr): Expr {
  if (a.dtype === "bool") return op === "pmin" ? and(a, b) : or(a, b);
  if (a === b) return a;
  const pick = op === "pmin" ? pmin : pmax;
  if (isNumber(b)) return pick(a, b);
  if (isNumber(a)) return pick(b, a);
  return select(ne(b, b), b, pick(a, b));
}

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
