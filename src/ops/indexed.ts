/** Reading and writing at computed indices. Every index is checked in the graph, by `bounded`. */
import type { DType } from "../core/dtype.ts";
import { DTypeError, type IndexCheck, ShapeError } from "../core/errors.ts";
import { checkAxis, type Shape, sameShape, showShape } from "../core/shape.ts";
import { apply, type Binary, type Indexed, type IndexedAttributes, type Ternary, type Type, type Value } from "../graph/op.ts";
import { scatterAdd as scatterAddTemplate } from "../lower/templates/scatter-add.ts";
import { batchAll } from "./batch.ts";
import { iota, zerosLike } from "./leaf.ts";
import { type Bounded, bounded, boundedOp, cast, eq } from "./logic.ts";
import { broadcastTo, inverse, moveAxis, transpose } from "./move.ts";
import { axesOf, checkCount } from "./rules.ts";

export interface GatherOptions {
  /** Leading axes that x and the indices have in common. */
  readonly batch?: number;
  /** The axis of x that the indices count along; `batch` unless said. */
  readonly axis?: number;
  /** What an error about an index names. */
  readonly label?: string;
  /** Negative indices count from the end. Default false: they are errors. */
  readonly fromEnd?: boolean;
}

/**
 * out[b…, i…, r…] = x[b…, indices[b…, i…], r…], with int32 indices. With an `axis` after the batch, its place is taken by i….
 * Errors: while the program runs, an index outside the axis.
 */
export function gather(x: Value, indices: Value, options: GatherOptions = {}): Value {
  const { batch = 0, axis = batch, label = "gather", fromEnd } = options;
  const rank = x.shape.length;
  const at = checkAxis(axis, rank, label);
  if (at < batch) throw new ShapeError(`${label}: axis ${at} is one of the ${batch} batch axes`);
  const moved = moveAxis(x, at, batch);
  const out = apply(gatherOp, [moved, inside(indices, { bound: moved.shape[batch]!, label, fromEnd })], { batch });
  const [found, before] = [indices.shape.length - batch, at - batch];
  const order = axesOf(out.shape.length);
  return transpose(out, [
    ...order.slice(0, batch),
    ...order.slice(batch + found, batch + found + before),
    ...order.slice(batch, batch + found),
    ...order.slice(batch + found + before),
  ]);
}
export const gatherOp: Indexed<Binary, IndexedAttributes> = {
  kind: "indexed",
  mode: "gather",
  name: "gather",
  infer([x, indices], { batch }) {
    checkIndexed("gather", x, indices, batch);
    return { shape: [...indices.shape, ...x.shape.slice(batch + 1)], dtype: x.dtype };
  },
  vjp: (dy, [x, indices], _, { batch }) => [apply(scatterAddOp, [zerosLike(x), indices, dy], { batch }), null],
  batch(inputs, batched, { batch }, size) {
    // Only the indices are batched: they simply have one more axis, as long as x has no batch axes of its own.
    if (!batched[0] && batch === 0) return apply(gatherOp, inputs, { batch });
    return apply(gatherOp, batchAll(inputs, batched, size), { batch: batch + 1 });
  },
};

/** x with updates[b…, i…, r…] added at [b…, indices[b…, i…], r…]; equal indices add up. The adjoint of `gather`. */
export function scatterAdd(
  x: Value,
  indices: Value,
  updates: Value,
  { batch = 0, label = "scatterAdd", fromEnd }: Omit<GatherOptions, "axis"> = {},
): Value {
  if (batch >= x.shape.length) throw new ShapeError(`${label}: ${showShape(x.shape)} has no axis after ${batch} batch axes`);
  return apply(scatterAddOp, [x, inside(indices, { bound: x.shape[batch]!, label, fromEnd }), updates], { batch });
}
export const scatterAddOp: Indexed<Ternary, IndexedAttributes> = {
  kind: "indexed",
  mode: "scatterAdd",
  template: scatterAddTemplate,
  name: "scatterAdd",
  infer([x, indices, updates], { batch }) {
    checkIndexed("scatterAdd", x, indices, batch);
    const wanted = [...indices.shape, ...x.shape.slice(batch + 1)];
    if (!sameShape(updates.shape, wanted))
      throw new ShapeError(`scatterAdd: the updates are ${showShape(updates.shape)}, must be ${showShape(wanted)}`);
    if (updates.dtype !== x.dtype)
      throw new DTypeError(`scatterAdd: ${updates.dtype} cannot be added to ${x.dtype}`, { help: "cast one of them first" });
    if (x.dtype === "bool" || x.dtype === "uint8")
      throw new DTypeError(`scatterAdd: ${x.dtype} is not added up`, { help: "cast to int32 first" });
    return { shape: x.shape, dtype: x.dtype };
  },
  vjp: (dy, [_, indices], _out, { batch }) => [dy, null, apply(gatherOp, [dy, indices], { batch })],
  batch: (inputs, batched, { batch }, size) => apply(scatterAddOp, batchAll(inputs, batched, size), { batch: batch + 1 }),
};

function checkIndexed(who: string, x: Type, indices: Type, batch: number): void {
  checkCount(who, "the number of batch axes", batch, 0);
  if (indices.dtype !== "int32")
    throw new DTypeError(`${who}: indices must be int32, not ${indices.dtype}`, { help: 'cast them first, as in i.cast("int32")' });
  if (x.shape.length <= batch) throw new ShapeError(`${who}: ${showShape(x.shape)} has no axis ${batch} to index`);
  if (!sameShape(x.shape.slice(0, batch), indices.shape.slice(0, batch)) || indices.shape.length < batch)
    throw new ShapeError(`${who}: the first ${batch} axes of ${showShape(x.shape)} and of the indices ${showShape(indices.shape)} differ`);
}

/** The indices, checked once. */
function inside(indices: Value, { bound, label, fromEnd = false }: IndexCheck): Value {
  const known = indices.op === boundedOp && (indices.attributes as Bounded).bound === bound;
  return known ? indices : bounded(indices, fromEnd ? { bound, label, fromEnd } : { bound, label });
}

/** out[…, i, …] = x[…, indices[…, i, …], …] along an axis; all other axes are equal. */
export function takeAlong(x: Value, indices: Value, axis: number, label = "takeAlong"): Value {
  const rank = x.shape.length;
  const at = checkAxis(axis, rank, label);
  const others = (shape: Shape): Shape => shape.toSpliced(at, 1);
  if (indices.shape.length !== rank || !sameShape(others(x.shape), others(indices.shape)))
    throw new ShapeError(`${label}: ${showShape(x.shape)} and its indices ${showShape(indices.shape)} differ outside axis ${at}`);
  const order = [...axesOf(rank).toSpliced(at, 1), at];
  const taken = gather(transpose(x, order), transpose(indices, order), { batch: rank - 1, label });
  return transpose(taken, inverse(order));
}

/** 1 where the new last axis' position is the index, 0 elsewhere: [2] of 3 classes → [[0, 0, 1]]. */
export function oneHot(indices: Value, classes: number, dtype: DType, label = "oneHot"): Value {
  const shape = [...indices.shape, classes];
  const along = broadcastTo(inside(indices, { bound: classes, label }), shape, axesOf(indices.shape.length));
  return cast(eq(along, iota(shape, shape.length - 1)), dtype);
}
