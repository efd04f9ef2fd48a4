/** Reading and adding at positions that tensors hold. */
import { ShapeError } from "../core/errors.ts";
import { broadcastShapes, checkAxis, type Shape, sameShape, showShape } from "../core/shape.ts";
import type { Value } from "../graph/op.ts";
import * as ops from "../ops/index.ts";
import { positions, promoted, stretch } from "./elementwise.ts";

/** out[…, i…, …] = x[…, indices[i…], …] along the axis: rows by number. Errors name `label`. */
export function gather(x: Value, indices: Value, axis = 0, label = "gather"): Value {
  return ops.gather(x, positions(indices, label), { axis: checkAxis(axis, x.shape.length, label), label });
}

/** out[…, i, …] = x[…, indices[…, i, …], …]: one position for each element of the result (PyTorch's `gather`). Errors name `label`. */
export function takeAlong(x: Value, indices: Value, axis = -1, label = "takeAlong"): Value {
  const at = checkAxis(axis, x.shape.length, label);
  return ops.takeAlong(x, positions(indices, label), at, label);
}

/** What is added, in the dtype of the sum, stretched to the shape it is added in. */
function addends(x: Value, updates: Value, shape: Shape, who: string): [sum: Value, updates: Value] {
  if (!sameShape(broadcastShapes(updates.shape, shape, who), shape))
    throw new ShapeError(`${who}: the updates are ${showShape(updates.shape)}, must be ${showShape(shape)}`);
  const [sum, added] = promoted([x, updates], who) as [Value, Value];
  return [sum, stretch(added, shape)];
}

/** x with updates[…, i…, …] added to x[…, indices[i…], …] along the axis; equal positions add up. The adjoint of `gather`, PyTorch's `index_add`. */
export function scatterAdd(x: Value, indices: Value, updates: Value, axis = 0): Value {
  const who = "scatterAdd";
  const at = checkAxis(axis, x.shape.length, who);
  const shape = [...x.shape.slice(0, at), ...indices.shape, ...x.shape.slice(at + 1)];
  const [sum, added] = addends(x, updates, shape, who);
  // The positions in front, as the strict op wants them.
  const order = shape.map((_, d) => d);
  const front = ops.transpose(added, [...order.splice(at, indices.shape.length), ...order]);
  return ops.moveAxis(ops.scatterAdd(ops.moveAxis(sum, at, 0), positions(indices, who), front, { label: who }), 0, at);
}

/** x with updates[…, i, …] added to x[…, indices[…, i, …], …] along the axis; equal positions add up. The adjoint of `takeAlong`, PyTorch's `scatter_add`. */
export function scatterAddAlong(x: Value, indices: Value, updates: Value, axis = -1): Value {
  const who = "scatterAddAlong";
  const at = checkAxis(axis, x.shape.length, who);
  const last = x.shape.length - 1;
  if (!sameShape(x.shape.toSpliced(at, 1), indices.shape.toSpliced(at, 1)) || indices.shape.length !== x.shape.length)
    throw new ShapeError(`${who}: ${showShape(x.shape)} and its indices ${showShape(indices.shape)} differ outside axis ${at}`);
  const [sum, added] = addends(x, updates, indices.shape, who);
  const toLast = (v: Value): Value => ops.moveAxis(v, at, last);
  return ops.moveAxis(ops.scatterAdd(toLast(sum), toLast(positions(indices, who)), toLast(added), { batch: last, label: who }), last, at);
}
