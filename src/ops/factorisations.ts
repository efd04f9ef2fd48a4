/** Matrices as products of triangular ones, and systems with a triangle: over the last two axes, one matrix of a batch like another. */
import { ShapeError, unfitMatrix } from "../core/errors.ts";
import { type Shape, sameShape, showShape, sizeOf } from "../core/shape.ts";
import { apply, type Binary, type Serial, type Type, type Unary, type Value } from "../graph/op.ts";
import { cholesky as choleskyTemplate } from "../lower/templates/cholesky.ts";
import { lu as luTemplate } from "../lower/templates/lu.ts";
import { type TriangularAttributes, triangular } from "../lower/templates/triangular.ts";
import { batchAll } from "./batch.ts";
import { matmul } from "./contract.ts";
import { add, mul, neg } from "./elementwise.ts";
import { gather } from "./indexed.ts";
import { iota, onesLike, scalarLike, zerosLike } from "./leaf.ts";
import { cast, eq, ge, le, select } from "./logic.ts";
import { moveAxis, reshape, sliceAxis, transpose } from "./move.ts";
import { axesOf, floats } from "./rules.ts";
import { argsort } from "./serial.ts";

/** […, n, m] → […, m, n]. */
export function matrixTranspose(x: Value): Value {
  const rank = x.shape.length;
  return transpose(x, [...axesOf(rank - 2), rank - 1, rank - 2]);
}

/** The matrices' side n. Errors: a rank below 2, matrices that are not square. */
function sideOf(who: string, { shape }: Type): number {
  const n = shape.at(-1);
  if (shape.length >= 2 && shape.at(-2) === n) return n!;
  throw new ShapeError(`${who}: needs square matrices […, n, n], not ${showShape(shape)}`);
}

/** For each matrix its number and where it begins. */
function forEachMatrix(shape: Shape, visit: (start: number, matrix: number) => void): void {
  const size = shape.at(-1)! * shape.at(-2)!;
  for (let i = 0; i < sizeOf(shape.slice(0, -2)); i++) visit(i * size, i);
}

/** Row and column of each element of the last two axes. */
const places = ({ shape }: Type): [row: Value, column: Value] => [iota(shape, shape.length - 2), iota(shape, shape.length - 1)];

/** x[…, i, j] where column j and i + diagonal compare as they should, else 0. */
function triangle(x: Value, diagonal: number, keeps: (column: Value, last: Value) => Value): Value {
  const [row, column] = places(x);
  return select(keeps(column, diagonal === 0 ? row : add(row, scalarLike(row, diagonal))), x, zerosLike(x));
}

/** x[…, i, j] where j ≤ i + diagonal, else 0. */
export const lowerTriangle = (x: Value, diagonal = 0): Value => triangle(x, diagonal, le);
/** x[…, i, j] where j ≥ i + diagonal, else 0. */
export const upperTriangle = (x: Value, diagonal = 0): Value => triangle(x, diagonal, ge);

/** The diagonal of each matrix, 0 elsewhere. */
export function onDiagonal(x: Value): Value {
  return select(eq(...places(x)), x, zerosLike(x));
}

/** 1 on the diagonal of matrices of this type, 0 elsewhere. */
export const identityLike = (x: Type): Value => onDiagonal(onesLike(x));

// ---- P·A = L·U

/**
 * The factors of each matrix, […, n, n] → […, n + 2, n]: L and U, the order of A's rows, and −1 for each exchange (see the template).
 * A matrix without a pivot in some column has a 0 on the diagonal of U: who divides by it says so.
 */
export function lu(a: Value): Value {
  return apply(luOp, [a]);
}
export const luOp: Serial<Unary, undefined> = {
  kind: "serial",
  template: luTemplate,
  name: "lu",
  infer([a]) {
    const n = sideOf("lu", a);
    const { shape, dtype } = floats("lu", [a]);
    return { shape: [...shape.slice(0, -2), n + 2, n], dtype };
  },
  /** dA = Pᵀ L⁻ᵀ (tril₋₁(Lᵀ dL) + triu(dU Uᵀ)) U⁻ᵀ; the order does not move. de Hoog, Anderssen and Lukas 2011. */
  vjp(dy, [a], out) {
    const n = a.shape.at(-1)!;
    const { factors, order } = luParts(out);
    const dFactors = sliceAxis(dy, dy.shape.length - 2, 0, n);
    const [l, u] = [add(lowerTriangle(factors, -1), identityLike(a)), upperTriangle(factors)];
    const inner = add(
      lowerTriangle(matmul(matrixTranspose(l), lowerTriangle(dFactors, -1)), -1),
      upperTriangle(matmul(upperTriangle(dFactors), matrixTranspose(u))),
    );
    const left = triangularSolve(factors, inner, { upper: false, transpose: true, unit: true, label: "the gradient of lu" });
    const both = triangularSolve(factors, matrixTranspose(left), {
      upper: true,
      transpose: false,
      unit: false,
      label: "the gradient of lu",
    });
    return [permuteRows(matrixTranspose(both), argsort(order, order.shape.length - 1))];
  },
  batch: ([a]) => lu(a),
  compute([a], out) {
    const n = out.shape.at(-1)!;
    const result = new Float64Array(sizeOf(out.shape));
    forEachMatrix([...out.shape.slice(0, -2), n, n], (start, matrix) => {
      const to = result.subarray(matrix * (n + 2) * n, (matrix + 1) * (n + 2) * n);
      to.set(a.subarray(start, start + n * n));
      factorise(to, n);
    });
    return result;
  },
};

function factorise(y: Float64Array, n: number): void {
  const order = y.subarray(n * n, n * n + n);
  order.forEach((_, i) => {
    order[i] = i;
  });
  for (let k = 0; k < n; k++) {
    let pivot = k;
    for (let i = k + 1; i < n; i++) if (Math.abs(y[i * n + k]!) > Math.abs(y[pivot * n + k]!)) pivot = i;
    y[n * n + n + k] = pivot === k ? 1 : -1;
    if (pivot !== k) {
      [order[k], order[pivot]] = [order[pivot]!, order[k]!];
      const row = y.slice(k * n, k * n + n);
      y.copyWithin(k * n, pivot * n, pivot * n + n);
      y.set(row, pivot * n);
    }
    if (y[k * n + k] === 0) continue;
    for (let i = k + 1; i < n; i++) {
      const times = y[i * n + k]! / y[k * n + k]!;
      y[i * n + k] = times;
      for (let j = k + 1; j < n; j++) y[i * n + j] = y[i * n + j]! - times * y[k * n + j]!;
    }
  }
}

export interface LuParts {
  /** L without its diagonal, and U: […, n, n]. */
  readonly factors: Value;
  /** Row i of P·A is row order[i] of A: […, n], int32. */
  readonly order: Value;
  /** −1 for each exchange of rows, else 1: […, n]. */
  readonly signs: Value;
}

/** What `lu` has in one value. */
export function luParts(packed: Value): LuParts {
  const axis = packed.shape.length - 2;
  const n = packed.shape.at(-1)!;
  const row = (i: number): Value => reshape(sliceAxis(packed, axis, i, 1), [...packed.shape.slice(0, -2), n]);
  return { factors: sliceAxis(packed, axis, 0, n), order: cast(row(n), "int32"), signs: row(n + 1) };
}

/** Row i of the result is row order[i] of each matrix. */
export function permuteRows(x: Value, order: Value): Value {
  return gather(x, order, { batch: order.shape.length - 1, label: "the order of rows" });
}

// ---- triangular systems

export interface TriangularSolve extends TriangularAttributes {
  /** Who asks, in errors. */
  readonly label: string;
}

/** X with op(T) X = B for the triangle T of […, n, n] and B […, n, m]. Errors: while the program runs, a 0 on the diagonal. */
export function triangularSolve(t: Value, b: Value, attributes: TriangularSolve): Value {
  return apply(triangularSolveOp, [t, b], attributes);
}
export const triangularSolveOp: Serial<Binary, TriangularSolve> = {
  kind: "serial",
  template: triangular,
  name: "triangularSolve",
  infer([t, b], { label }) {
    const n = sideOf(label, t);
    const { dtype } = floats(label, [
      { ...t, shape: [] },
      { ...b, shape: [] },
    ]);
    if (b.shape.length !== t.shape.length || !sameShape(b.shape.slice(0, -1), t.shape.slice(0, -1)))
      throw new ShapeError(
        `${label}: ${showShape(t.shape)} needs right sides ${showShape([...t.shape.slice(0, -2), n])} with columns, not ${showShape(b.shape)}`,
      );
    return { shape: b.shape, dtype };
  },
  /** dB = op(T)⁻¹ᵀ dX; d op(T) = −dB Xᵀ, of which the triangle counts. */
  vjp(dx, [t], x, attributes) {
    const db = triangularSolve(t, dx, { ...attributes, transpose: !attributes.transpose });
    const [left, right] = attributes.transpose ? [x, db] : [db, x];
    const dt = neg(matmul(left, matrixTranspose(right)));
    return [attributes.upper ? upperTriangle(dt, attributes.unit ? 1 : 0) : lowerTriangle(dt, attributes.unit ? -1 : 0), db];
  },
  batch(inputs, batched, attributes, size) {
    const [t, b] = inputs;
    if (batched[0]) return apply(triangularSolveOp, batchAll(inputs, batched, size), attributes);
    // One triangle for all: the new axis is more columns.
    const rank = t.shape.length;
    const beside = moveAxis(b, 0, rank - 1);
    const x = triangularSolve(t, reshape(beside, [...t.shape.slice(0, -1), size * b.shape.at(-1)!]), attributes);
    return moveAxis(reshape(x, beside.shape), rank - 1, 0);
  },
  check: ([t], { unit, label }) => (unit ? undefined : { what: "singular", label, batch: t.shape.slice(0, -2) }),
  compute([t, b], out, { upper, transpose: turned, unit, label }) {
    const [n, m] = [out.shape.at(-2)!, out.shape.at(-1)!];
    const x = b.slice();
    forEachMatrix(out.shape, (start, matrix) => {
      const at = (i: number, j: number): number => t[matrix * n * n + (turned ? j * n + i : i * n + j)]!;
      for (let s = 0; s < n; s++) {
        const i = upper === turned ? s : n - 1 - s;
        if (!unit && at(i, i) === 0 && m > 0)
          throw unfitMatrix({ what: "singular", label, batch: out.shape.slice(0, -2) }, matrix, i, out.site);
        for (let c = 0; c < m; c++) {
          let total = x[start + i * m + c]!;
          for (let k = 0; k < s; k++) {
            const j = upper === turned ? k : n - 1 - k;
            total -= at(i, j) * x[start + j * m + c]!;
          }
          x[start + i * m + c] = unit ? total : total / at(i, i);
        }
      }
    });
    return x;
  },
};

// ---- L·Lᵀ

/** The lower triangle L with a positive diagonal and L Lᵀ = ½(A + Aᵀ). Errors: while the program runs, a matrix that is not positive definite. */
export function cholesky(a: Value, label = "cholesky"): Value {
  return apply(choleskyOp, [a], { label });
}
export const choleskyOp: Serial<Unary, { readonly label: string }> = {
  kind: "serial",
  template: choleskyTemplate,
  name: "cholesky",
  infer([a], { label }) {
    sideOf(label, a);
    return floats(label, [a]);
  },
  /** dA = ½(S + Sᵀ) with S = L⁻ᵀ Φ(Lᵀ dL) L⁻¹, where Φ takes the lower triangle with half of the diagonal. Murray 2016, eq. 10. */
  vjp(dl, [a], l, { label }) {
    const half = scalarLike(a, 0.5);
    const p = lowerTriangle(matmul(matrixTranspose(l), lowerTriangle(dl)));
    const phi = mul(half, add(p, lowerTriangle(p, -1)));
    const solve = (b: Value): Value => triangularSolve(l, b, { upper: false, transpose: true, unit: false, label });
    const s = solve(matrixTranspose(solve(phi)));
    return [mul(half, add(s, matrixTranspose(s)))];
  },
  batch: ([a], _, { label }) => cholesky(a, label),
  check: ([a], { label }) => ({ what: "indefinite", label, batch: a.shape.slice(0, -2) }),
  compute([a], out, { label }) {
    const n = out.shape.at(-1)!;
    const l = new Float64Array(a.length);
    forEachMatrix(out.shape, (start, matrix) => {
      for (let i = 0; i < n; i++)
        for (let j = 0; j <= i; j++) {
          let total = a[start + i * n + j]! / 2 + a[start + j * n + i]! / 2;
          for (let k = 0; k < j; k++) total -= l[start + i * n + k]! * l[start + j * n + k]!;
          if (i === j && !(total > 0)) throw unfitMatrix({ what: "indefinite", label, batch: out.shape.slice(0, -2) }, matrix, i, out.site);
          l[start + i * n + j] = i === j ? Math.sqrt(total) : total / l[start + j * n + j]!;
        }
    });
    return l;
  },
};
