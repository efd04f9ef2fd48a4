/** Systems of equations, inverses and determinants, from the factors of a matrix. Gradients never go through the factors. */
import type { Value } from "../graph/op.ts";
import { matmul } from "./contract.ts";
import { custom } from "./custom.ts";
import { abs, add, mul, neg, sign } from "./elementwise.ts";
import { identityLike, lu, luParts, matrixTranspose, onDiagonal, permuteRows, triangularSolve } from "./factorisations.ts";
import { scalarLike, zerosLike } from "./leaf.ts";
import { lt, select } from "./logic.ts";
import { log } from "./maths.ts";
import { broadcastTo } from "./move.ts";
import { product, sum } from "./reduce.ts";
import { axesOf } from "./rules.ts";
import { argsort } from "./serial.ts";

/** X with A X = B, for A […, n, n] and B […, n, m] of equal batches. Errors: while the program runs, a singular matrix. */
export function solve(a: Value, b: Value, label = "solve"): Value {
  return solveWith(a, lu(a), b, { transpose: false, label });
}

/** A⁻¹ of each matrix. Errors: while the program runs, a singular matrix. */
export function inverseOf(a: Value, label = "inv"): Value {
  return solve(a, identityLike(a), label);
}

interface Way {
  /** Aᵀ X = B instead of A X = B. */
  readonly transpose: boolean;
  readonly label: string;
}

/**
 * The solution from the factors of A, which are made once for all derivatives: dB = A⁻ᵀ dX is another solution with them, and dA = −dB Xᵀ.
 */
function solveWith(a: Value, packed: Value, b: Value, way: Way): Value {
  const { transpose, label } = way;
  const { factors, order } = luParts(packed);
  const below = { upper: false, transpose, unit: true, label };
  const above = { upper: true, transpose, unit: false, label };
  const x = transpose
    ? permuteRows(triangularSolve(factors, triangularSolve(factors, b, above), below), argsort(order, order.shape.length - 1))
    : triangularSolve(factors, triangularSolve(factors, permuteRows(b, order), below), above);
  return custom(x, [a, packed, b], (dx, found, from, factored) => {
    const db = solveWith(from!, factored!, dx, { ...way, transpose: !transpose });
    const [left, right] = transpose ? [found, db] : [db, found];
    return [neg(matmul(left, matrixTranspose(right))), null, db];
  });
}

/** The diagonal of each matrix: […, n, n] → […, n]. */
function diagonal(x: Value): Value {
  return sum(onDiagonal(x), [x.shape.length - 1]);
}

/** `y`, one number for each matrix, with the gradient scale · A⁻ᵀ. Errors: while a program with the gradient runs, a singular matrix. */
function withInverseAsSlope(y: Value, a: Value, packed: Value, scale: (dy: Value, y: Value) => Value, label: string): Value {
  return custom(y, [a, packed], (dy, found, from, factored) => {
    const slope = solveWith(from!, factored!, identityLike(from!), { transpose: true, label: `the gradient of ${label}` });
    return [mul(broadcastTo(scale(dy, found), slope.shape, axesOf(dy.shape.length)), slope), null];
  });
}

/** The determinant of each matrix; 0 where it is singular. Its gradient det(A) A⁻ᵀ needs the inverse. */
export function det(a: Value): Value {
  const packed = lu(a);
  const { factors, signs } = luParts(packed);
  const last = [signs.shape.length - 1];
  return withInverseAsSlope(product(mul(diagonal(factors), signs), last), a, packed, mul, "det");
}

/** The determinant's sign, and log |det A|: 0 and −∞ where a matrix is singular. */
export function slogdet(a: Value, label = "slogdet"): { sign: Value; logAbsDet: Value } {
  const packed = lu(a);
  const { factors, signs } = luParts(packed);
  const last = [signs.shape.length - 1];
  const along = diagonal(factors);
  const size = sum(log(abs(along)), last);
  return { sign: product(mul(sign(along), signs), last), logAbsDet: withInverseAsSlope(size, a, packed, (dy) => dy, label) };
}

/** log det A: −∞ where it is 0, NaN where it is negative, as the logarithm is. */
export function logdet(a: Value): Value {
  const { sign, logAbsDet } = slogdet(a, "logdet");
  return add(logAbsDet, select(lt(sign, zerosLike(sign)), scalarLike(sign, Number.NaN), zerosLike(sign)));
}
