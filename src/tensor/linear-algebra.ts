/** Linear algebra: functions over the last two axes of a tensor, one matrix of a batch like another. They have gradients of any order. */
import type { Shape } from "../core/shape-types.ts";
import { atUserLine } from "../core/site.ts";
import type { Value } from "../graph/op.ts";
import * as surface from "../surface/index.ts";
import { nodeOf } from "./operand.ts";
import type { Tensor } from "./tensor.ts";
import { derived, unary } from "./tensor.ts";

export type { TriangularOptions } from "../surface/linear-algebra.ts";

/**
 * The inverse of each matrix, by Gaussian elimination with partial pivoting. `solve(a, b)` is faster and more exact than `inv(a).matmul(b)`.
 *
 * Shapes: […, n, n] → the same.
 *
 * @throws ShapeError, DTypeError; MatrixError at run time for a matrix that is singular
 * @example inv(tensor([[2, 0], [0, 4]])) // [[0.5, 0], [0, 0.25]]
 */
export function inv<S extends Shape>(a: Tensor<S>): Tensor<S> {
  return unary("inv", a, surface.inv) as Tensor<S>;
}

/**
 * X with A·X = B, by Gaussian elimination with partial pivoting. Its gradients are dB = A⁻ᵀ dX and dA = −dB Xᵀ.
 *
 * Shapes: a […, n, n]; b […, n, m], or vectors: [n], or […, n] with just the batch of a. Batches broadcast.
 *
 * @throws ShapeError, DTypeError; MatrixError at run time for a matrix that is singular
 * @example solve(tensor([[2, 0], [0, 4]]), tensor([2, 2])) // [1, 0.5]
 */
export function solve(a: Tensor, b: Tensor): Tensor {
  return system("solve", a, b, surface.solve);
}

/**
 * The determinant of each matrix, the product of the pivots: 0 where it is singular.
 *
 * Shapes: […, n, n] → […].
 *
 * @throws ShapeError, DTypeError; MatrixError at run time where the gradient det(A) A⁻ᵀ of a singular matrix is asked for
 */
export function det(a: Tensor): Tensor {
  return unary("det", a, surface.det);
}

/**
 * log det A of each matrix, from the pivots: finite where the determinant itself would overflow. −∞ where it is 0, NaN where it is negative.
 * Its gradient is A⁻ᵀ.
 *
 * Shapes: […, n, n] → […].
 *
 * @throws ShapeError, DTypeError; MatrixError at run time where the gradient of a singular matrix is asked for
 * @example logdet(covariance).mul(0.5) // the logarithm of a Gaussian's volume
 */
export function logdet(a: Tensor): Tensor {
  return unary("logdet", a, surface.logdet);
}

/**
 * The sign of each determinant, and log |det A|: 0 and −∞ where a matrix is singular.
 *
 * Shapes: […, n, n] → […], both.
 *
 * @throws as `logdet`
 */
export function slogdet(a: Tensor): { sign: Tensor; logAbsDet: Tensor } {
  return atUserLine(() => {
    const { sign, logAbsDet } = surface.slogdet(nodeOf(a, "slogdet"));
    return { sign: derived(sign, [a]), logAbsDet: derived(logAbsDet, [a]) };
  }, "slogdet");
}

/**
 * The lower triangle L with a positive diagonal and L·Lᵀ = A, for symmetric positive definite matrices; of others the symmetric part
 * ½(A + Aᵀ) counts. The gradient is symmetric. Murray, *Differentiation of the Cholesky decomposition*, 2016.
 *
 * Shapes: […, n, n] → the same.
 *
 * @throws ShapeError, DTypeError; MatrixError at run time for a matrix that is not positive definite
 * @example choleskySolve(cholesky(a), b) // solve(a, b) for half of the work
 */
export function cholesky<S extends Shape>(a: Tensor<S>): Tensor<S> {
  return unary("cholesky", a, surface.cholesky) as Tensor<S>;
}

/**
 * X with L·Lᵀ·X = B, for the lower triangle L that `cholesky` gives.
 *
 * Shapes: as `solve`.
 *
 * @throws ShapeError, DTypeError; MatrixError at run time for a 0 on the diagonal
 */
export function choleskySolve(l: Tensor, b: Tensor): Tensor {
  return system("choleskySolve", l, b, surface.choleskySolve);
}

/**
 * X with T·X = B for triangular T, row after row; what is on the other side of the diagonal is not read.
 *
 * Shapes: as `solve`.
 *
 * @throws ShapeError, DTypeError; MatrixError at run time for a 0 on the diagonal
 * @example triangularSolve(l, b, { transpose: true }) // Lᵀ·X = B
 */
export function triangularSolve(t: Tensor, b: Tensor, options?: surface.TriangularOptions): Tensor {
  return system("triangularSolve", t, b, (x, y) => surface.triangularSolve(x, y, options));
}

function system(who: string, a: Tensor, b: Tensor, operator: (a: Value, b: Value) => Value): Tensor {
  return atUserLine(() => derived(operator(nodeOf(a, who), nodeOf(b, who)), [a, b]), who);
}
