/** Linear algebra over the last two axes, with batches that broadcast and right sides that may be vectors. */
import { isFloat } from "../core/dtype.ts";
import { DTypeError, ShapeError } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { broadcastShapes, sameShape, showShape, sizeOf } from "../core/shape.ts";
import type { Value } from "../graph/op.ts";
import * as ops from "../ops/index.ts";
import { promoted, stretch } from "./elementwise.ts";

/** The value, if it is square matrices of floats. */
function square(who: string, x: Value): Value {
  const n = x.shape.at(-1);
  if (x.shape.length < 2 || x.shape.at(-2) !== n)
    throw new ShapeError(`${who}: needs square matrices […, n, n], not ${showShape(x.shape)}`);
  if (!isFloat(x.dtype))
    throw new DTypeError(`${who}: needs float32 or float64, not ${x.dtype}`, { help: 'cast it first: x.cast("float32")' });
  return x;
}

export const inv = (a: Value): Value => ops.inverseOf(square("inv", a));
export const det = (a: Value): Value => ops.det(square("det", a));
export const slogdet = (a: Value): { sign: Value; logAbsDet: Value } => ops.slogdet(square("slogdet", a));
export const logdet = (a: Value): Value => ops.logdet(square("logdet", a));
export const cholesky = (a: Value): Value => ops.cholesky(square("cholesky", a));

export const solve = (a: Value, b: Value): Value => withRightSides("solve", a, b, (x, y) => ops.solve(x, y));

export interface TriangularOptions {
  /** The matrices count as upper triangular: what is below the diagonal is not read. Default false: as lower triangular. */
  readonly upper?: boolean;
  /** Solves with the transposed triangle. Default false. */
  readonly transpose?: boolean;
  /** The diagonal counts as 1 and is not read. Default false. */
  readonly unitDiagonal?: boolean;
}

export function triangularSolve(t: Value, b: Value, options: TriangularOptions = {}): Value {
  const who = "triangularSolve";
  checkOptions(who, options, ["upper", "transpose", "unitDiagonal"]);
  const { upper = false, transpose = false, unitDiagonal: unit = false } = options;
  return withRightSides(who, t, b, (x, y) => ops.triangularSolve(x, y, { upper, transpose, unit, label: who }));
}

export function choleskySolve(l: Value, b: Value): Value {
  const way = { upper: false, unit: false, label: "choleskySolve" };
  return withRightSides("choleskySolve", l, b, (x, y) =>
    ops.triangularSolve(x, ops.triangularSolve(x, y, { ...way, transpose: false }), { ...way, transpose: true }),
  );
}

/** `solve` of matrices and right sides of equal batches; a right side is a vector if it has one axis, or the shape of the matrices but for their last. */
function withRightSides(who: string, matrices: Value, right: Value, solve: (a: Value, b: Value) => Value): Value {
  const [a, given] = promoted([matrices, right], who) as [Value, Value];
  square(who, a);
  const vector = given.shape.length === 1 || sameShape(given.shape, a.shape.slice(0, -1));
  const b = vector ? ops.reshape(given, [...given.shape, 1]) : given;
  const n = a.shape.at(-1)!;
  if (b.shape.at(-2) !== n)
    throw new ShapeError(`${who}: matrices ${showShape(a.shape)} with right sides ${showShape(right.shape)}`, {
      why: `each right side is a vector of ${n} numbers, or a matrix of ${n} rows`,
      help: b.shape.at(-1) === n ? "transpose the right side: its columns are solved for" : undefined,
    });
  const x = a.shape.length === 2 ? oneMatrix(a, b, solve) : batches(who, a, b, solve);
  return vector ? ops.reshape(x, x.shape.slice(0, -1)) : x;
}

/** One matrix for all right sides: they are columns of a single one, so that the matrix is factorised once. */
function oneMatrix(a: Value, b: Value, solve: (a: Value, b: Value) => Value): Value {
  if (b.shape.length === 2) return solve(a, b);
  const n = a.shape[0]!;
  const beside = ops.moveAxis(b, b.shape.length - 2, 0);
  const x = solve(a, ops.reshape(beside, [n, sizeOf(beside.shape.slice(1))]));
  return ops.moveAxis(ops.reshape(x, beside.shape), 0, b.shape.length - 2);
}

function batches(who: string, a: Value, b: Value, solve: (a: Value, b: Value) => Value): Value {
  const batch = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2), who);
  const whole = (x: Value): Value => stretch(x, [...batch, ...x.shape.slice(-2)]);
  return solve(whole(a), whole(b));
}
