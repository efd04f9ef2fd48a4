/** Shapes changed, axes moved, tensors joined: on top of the strict ops. */
import { ArgumentError, ShapeError, show } from "../core/errors.ts";
import { broadcastShapes, checkAxes, checkAxis, checkShape, type Shape, sameShape, showShape, sizeOf } from "../core/shape.ts";
import type { Value } from "../graph/op.ts";
import * as ops from "../ops/index.ts";
import { promoted, stretch } from "./elementwise.ts";

/** One size may be −1: what is left of the elements. */
export function reshape(v: Value, to: Shape): Value {
  const shape = fillWild(v.shape, to);
  return sameShape(shape, v.shape) ? v : ops.reshape(v, shape);
}

function fillWild(from: Shape, to: Shape): Shape {
  const wild = Array.isArray(to) ? to.indexOf(-1) : -1;
  if (wild >= 0 && to.indexOf(-1, wild + 1) >= 0)
    throw new ShapeError(`reshape: only one size may be -1: ${showShape(from)} to ${showShape(to)}`);
  const known = checkShape(wild >= 0 ? to.with(wild, 1) : to, "reshape");
  const [have, want] = [sizeOf(from), sizeOf(known)];
  if (wild < 0) {
    if (have === want) return known;
    throw new ShapeError(`reshape: ${showShape(from)} has ${have} elements, ${showShape(to)} has ${want}`, {
      why: "reshaping moves no element and drops none",
      help: "-1 in the place of one size is computed from the others",
    });
  }
  if (want === 0 || have % want !== 0)
    throw new ShapeError(`reshape: ${showShape(from)} does not fit into ${showShape(to)}`, {
      why: `${have} elements are not a multiple of ${want}`,
      help: "the sizes beside -1 must divide the number of elements",
    });
  return known.with(wild, have / want);
}

/** The last two axes exchanged, or the two given. */
export function transpose(v: Value, i = -2, j = -1): Value {
  const [a, b] = [checkAxis(i, v.shape.length, "transpose"), checkAxis(j, v.shape.length, "transpose")];
  return ops.transpose(
    v,
    v.shape.map((_, k) => (k === a ? b : k === b ? a : k)),
  );
}

export function permute(v: Value, axes: readonly number[]): Value {
  const front = checkAxes(axes, v.shape.length, "permute");
  if (front.length !== v.shape.length)
    throw new ShapeError(`permute: ${showShape(v.shape)} has ${v.shape.length} axes, ${front.length} are given`);
  return ops.transpose(v, front);
}

export function unsqueeze(v: Value, axis: number): Value {
  return ops.reshape(v, v.shape.toSpliced(checkAxis(axis, v.shape.length + 1, "unsqueeze"), 0, 1));
}

/** The axes counted from the front. A scalar counts as [1], as in PyTorch: 0 and −1 are its axis. */
const namedAxes = (v: Value, axes: number | readonly number[], who: string): number[] =>
  checkAxes(typeof axes === "number" ? [axes] : axes, Math.max(1, v.shape.length), who);

/** Drops an axis of size 1, several, or all of them. */
export function squeeze(v: Value, axis?: number | readonly number[]): Value {
  if (axis === undefined)
    return ops.reshape(
      v,
      v.shape.filter((d) => d !== 1),
    );
  const axes = namedAxes(v, axis, "squeeze");
  if (v.shape.length === 0) return v;
  for (const i of axes)
    if (v.shape[i] !== 1) throw new ShapeError(`squeeze: axis ${i} of ${showShape(v.shape)} has size ${v.shape[i]}, not 1`);
  return ops.reshape(
    v,
    v.shape.filter((_, i) => !axes.includes(i)),
  );
}

/** The axes start … end (inclusive) as one. A scalar becomes [1]. */
export function flatten(v: Value, start = 0, end = -1): Value {
  const rank = v.shape.length;
  if (rank === 0) return ops.reshape(v, [1]);
  const [first, last] = [checkAxis(start, rank, "flatten"), checkAxis(end, rank, "flatten")];
  if (first > last) throw new ArgumentError(`flatten: axis ${start} comes after axis ${end}`);
  const middle = sizeOf(v.shape.slice(first, last + 1));
  return ops.reshape(v, [...v.shape.slice(0, first), middle, ...v.shape.slice(last + 1)]);
}

export function broadcastTo(v: Value, shape: Shape): Value {
  const to = checkShape(shape, "broadcastTo");
  if (!sameShape(broadcastShapes(v.shape, to, "broadcastTo"), to))
    throw new ShapeError(`broadcastTo: ${showShape(v.shape)} does not stretch to ${showShape(to)}`);
  return stretch(v, to);
}

export function flip(v: Value, axes?: number | readonly number[]): Value {
  const all = axes === undefined ? v.shape.map((_, i) => i) : namedAxes(v, axes, "flip");
  return v.shape.length === 0 ? v : ops.flip(v, all);
}

/** The whole tensor laid side by side `counts[i]` times along axis i (aligned at the last axis). */
export function repeat(v: Value, counts: readonly number[]): Value {
  checkShape(counts, "repeat");
  const missing = counts.length - v.shape.length;
  if (missing < 0) throw new ShapeError(`repeat: ${counts.length} counts for ${showShape(v.shape)}`);
  const shape = [...Array.from({ length: missing }, () => 1), ...v.shape];
  const twice = ops.broadcastTo(
    v,
    shape.flatMap((d, i) => [counts[i]!, d]),
    v.shape.map((_, i) => 2 * (i + missing) + 1),
  );
  return ops.reshape(
    twice,
    shape.map((d, i) => d * counts[i]!),
  );
}

/** All in the widest dtype. */
function joined(values: readonly Value[], who: string): Value[] {
  if (values.length === 0) throw new ArgumentError(`${who}: an empty list has no dtype and no shape`);
  return promoted(values, who);
}

/** Side by side along an axis. */
export function concat(list: readonly Value[], axis: number): Value {
  const values = joined(list, "concat");
  const at = checkAxis(axis, values[0]!.shape.length, "concat");
  return values.length === 1 ? values[0]! : ops.concat(values, at);
}

/** On top of each other along a new axis. */
export function stack(list: readonly Value[], axis = 0): Value {
  const values = joined(list, "stack");
  const { shape } = values[0]!;
  const at = checkAxis(axis, shape.length + 1, "stack");
  for (const v of values)
    if (!sameShape(v.shape, shape)) throw new ShapeError(`stack: shapes differ: ${showShape(shape)} and ${showShape(v.shape)}`);
  const rows = values.map((v) => ops.reshape(v, shape.toSpliced(at, 0, 1)));
  return rows.length === 1 ? rows[0]! : ops.concat(rows, at);
}

/** Tensors that one call may make: an empty axis divides into any number of parts. */
const MAX_PARTS = 65_536;

/** Cut along an axis into parts of these sizes, or into this many equal parts. */
export function split(x: Value, parts: number | readonly number[], axis = 0): Value[] {
  const at = checkAxis(axis, x.shape.length, "split");
  const size: number = x.shape[at]!;
  if (typeof parts === "number" && (!Number.isInteger(parts) || parts < 1 || size % parts !== 0))
    throw new ArgumentError(`split: axis ${axis} of ${showShape(x.shape)} does not divide into ${show(parts)} equal parts`);
  if (typeof parts === "number" && parts > MAX_PARTS)
    throw new ArgumentError(`split: ${parts} parts`, {
      why: `at most ${MAX_PARTS} tensors are made at once`,
      help: "reshape to [parts, …] instead",
    });
  const sizes = typeof parts === "number" ? Array.from({ length: parts }, () => size / parts) : checkShape(parts, "split");
  if (sizes.reduce((a, b) => a + b, 0) !== size)
    throw new ShapeError(`split: ${showShape(sizes)} does not add up to the ${size} of axis ${axis}`);
  let start = 0;
  return sizes.map((part) => {
    start += part;
    return ops.sliceAxis(x, at, start - part, part);
  });
}

/** At most `parts` parts of one size along an axis, the last of which may be smaller: 5 elements in 4 parts are 2, 2, 1. */
export function chunk(x: Value, parts: number, axis = 0): Value[] {
  if (!Number.isSafeInteger(parts) || parts < 1) throw new ArgumentError(`chunk: ${show(parts)} parts`, { help: "a whole number ≥ 1" });
  const size: number = x.shape[checkAxis(axis, x.shape.length, "chunk")]!;
  if (size === 0) return split(x, parts, axis);
  const step = Math.ceil(size / parts);
  const sizes = Array.from({ length: Math.ceil(size / step) }, (_, i) => Math.min(step, size - i * step));
  return split(x, sizes, axis);
}
