/** Products, with batches that broadcast. */
import { ArgumentError, ShapeError, show } from "../core/errors.ts";
import { broadcastShapes, type Shape, showShape, sizeOf } from "../core/shape.ts";
import type { Value } from "../graph/op.ts";
import * as ops from "../ops/index.ts";
import { promoted, stretch } from "./elementwise.ts";

/** […, n, k] × […, k, m] → […, n, m]; a vector on either side is a row, a column, and its axis is dropped from the result. */
export function matmul(a: Value, b: Value): Value {
  const [x, y] = promoted([a, b], "matmul") as [Value, Value];
  if (x.shape.length === 0 || y.shape.length === 0)
    throw new ShapeError(`matmul: a scalar has no rows: ${showShape(x.shape)} × ${showShape(y.shape)}`, { help: "use mul" });
  return multiply(x, y);
}

function multiply(x: Value, y: Value): Value {
  const [m, k] = [x.shape.at(-2) ?? 1, x.shape.at(-1)!];
  const [k2, n] = y.shape.length === 1 ? [y.shape[0]!, 1] : [y.shape.at(-2)!, y.shape.at(-1)!];
  if (k !== k2) throw mismatch(x.shape, y.shape, k, k2);
  const [batchX, batchY] = [x.shape.slice(0, -2), y.shape.slice(0, -2)];
  const batch = broadcastShapes(batchX, batchY, "matmul");
  const rows = x.shape.length === 1 ? [] : [m];
  const columns = y.shape.length === 1 ? [] : [n];
  // One matrix for all of the batch: the batch is more rows of a single product.
  if (batchY.length === 0 && batch.length > 0) {
    const flat = ops.matmul(ops.reshape(x, [sizeOf(batch) * m, k]), ops.reshape(y, [k, n]));
    return ops.reshape(flat, [...batch, ...rows, ...columns]);
  }
  const left = stretch(ops.reshape(x, [...batchX, m, k]), [...batch, m, k]);
  const right = stretch(ops.reshape(y, [...batchY, k, n]), [...batch, k, n]);
  return ops.reshape(ops.matmul(left, right), [...batch, ...rows, ...columns]);
}

function mismatch(a: Shape, b: Shape, k: number, k2: number): ShapeError {
  const which = b.length === 1 ? "the only axis" : "the second to last axis";
  const turned = b.length > 1 && b.at(-1) === k ? `a.matmul(b.transpose()) gives ${showShape([...a.slice(0, -1), k2])}` : undefined;
  return new ShapeError(`matmul: inner sizes differ: ${showShape(a)} × ${showShape(b)}`, {
    why: `the last axis of a (${k}) must equal ${which} of b (${k2})`,
    help: turned,
  });
}

/** Σᵢ aᵢ bᵢ of two vectors. */
export function dot(a: Value, b: Value): Value {
  const [x, y] = promoted([a, b], "dot") as [Value, Value];
  if (x.shape.length !== 1 || y.shape.length !== 1 || x.shape[0] !== y.shape[0])
    throw new ShapeError(`dot: needs two vectors of one length, not ${showShape(x.shape)} and ${showShape(y.shape)}`, {
      help: "matmul for matrices, mul(…).sum() for any shape",
    });
  return ops.dot(x, y);
}

/** Einstein's summation: equal letters are multiplied position by position, letters that the result lacks are summed. */
export function einsum(text: string, values: readonly Value[]): Value {
  if (typeof text !== "string") throw new ArgumentError(`einsum: ${show(text)} is no text`, { help: 'einsum("ij,jk->ik", a, b)' });
  if (values.length === 0) throw new ArgumentError("einsum: there are no tensors");
  return ops.einsum(text, ...promoted(values, "einsum"));
}
