/** Inverse hyperbolic functions, as logarithms of 1 + u: exact near 0. Where squares would overflow, u is as good as 2x, and log 2x is log x + log 2. */
import type { Expr } from "../expr.ts";
import { abs, add, div, type Float, fma, lt, mul, real, select, sqrt, sub, withSign } from "./build.ts";
import { log1p32 } from "./float32.ts";
import { log1p64 } from "./float64.ts";

const log1p = (x: Expr): Expr => (x.dtype === "float32" ? log1p32(x) : log1p64(x));
const k = (like: Expr, value: number): Expr => real(like.dtype as Float, value);

/** log(1 + u), or log 2x for a large x. */
function logOf(u: Expr, x: Expr): Expr {
  const large = lt(k(x, x.dtype === "float32" ? 2 ** 30 : 2 ** 60), x);
  return add(log1p(select(large, x, u)), select(large, k(x, Math.LN2), k(x, 0)));
}

/** log(|x| + √(1 + x²)) = log(1 + |x| + x²/(1 + √(1 + x²))), with the sign of x. */
export function inverseSinh(x: Expr): Expr {
  const a = abs(x);
  const root = sqrt(fma(a, a, k(x, 1)));
  return withSign(logOf(fma(a, div(a, add(k(x, 1), root)), a), a), x);
}

/** log(x + √(x² − 1)) = log(1 + t + √t·√(t + 2)) with t = x − 1; NaN below 1. */
export function inverseCosh(x: Expr): Expr {
  const t = sub(x, k(x, 1));
  return logOf(fma(sqrt(t), sqrt(add(t, k(x, 2))), t), x);
}

/** ½·log((1 + |x|)/(1 − |x|)) = ½·log(1 + 2|x|/(1 − |x|)), with the sign of x. */
export function inverseTanh(x: Expr): Expr {
  const a = abs(x);
  return withSign(mul(k(x, 0.5), log1p(div(add(a, a), sub(k(x, 1), a)))), x);
}
