/** Python's brackets. */
import { describe } from "../core/describe.ts";
import { ArgumentError, DTypeError, outOfRange, ShapeError, show } from "../core/errors.ts";
import { broadcastShapes, showShape, sizeOf, stridesOf } from "../core/shape.ts";
import type { Value } from "../graph/op.ts";
import * as ops from "../ops/index.ts";
import { positions, stretch } from "./elementwise.ts";

/** One thing between the brackets: a position, slices as text, or int32 positions. */
export type Index = number | string | Value;

/** What one axis, or a place between two, is asked for. */
type Item =
  | { readonly kind: "position"; readonly at: number }
  | { readonly kind: "slice"; readonly start: number | undefined; readonly stop: number | undefined; readonly step: number }
  | { readonly kind: "rows"; readonly where: Value }
  | { readonly kind: "new" }
  | { readonly kind: "rest" };

const WHOLE: Item = { kind: "slice", start: undefined, stop: undefined, step: 1 };

/**
 * x[index…]: numbers take one element of an axis and drop it; "a:b:c" slices, with several entries between commas; "..." is as many whole axes as are
 * missing; "None" is a new axis of size 1; int32 tensors pick rows, several of them together. As in NumPy their axes stand where the first
 * tensor does, or in front of all others where the tensors do not stand side by side. (A number is no tensor: it drops its axis first, as in PyTorch.)
 * Errors about positions that are outside name `label`.
 */
export function at(x: Value, index: readonly Index[], label = "at"): Value {
  const items = completed(index.flatMap(parse), x);
  const sliced = ops.slice(x, slices(x, items));
  // Axes that were picked at one position are dropped, new ones put in; those with rows stay whole for the gather.
  let axis = 0;
  const shape: number[] = [];
  const rows: { readonly axis: number; readonly where: Value }[] = [];
  for (const item of items) {
    if (item.kind === "rows") rows.push({ axis: shape.length, where: item.where });
    if (item.kind === "new") shape.push(1);
    else if (item.kind !== "position") shape.push(sliced.shape[axis]!);
    if (item.kind !== "new") axis++;
  }
  return pick(ops.reshape(sliced, shape), rows, label);
}

function parse(index: Index): Item[] {
  if (typeof index === "number") return [{ kind: "position", at: index }];
  if (typeof index === "string") return index.split(",").map((text) => parseText(text.trim(), index));
  if (typeof index === "object" && index !== null && "op" in index) {
    if (index.dtype === "bool")
      throw new DTypeError("at: a bool tensor is no index", {
        why: "how many it picks is not known before it is computed",
        help: "where(mask, x, 0) keeps the shape",
      });
    return [{ kind: "rows", where: index }];
  }
  throw new ArgumentError(`at: ${describe(index)} is no index`, { help: 'numbers, slices as text like "1:, ::-1", int32 tensors' });
}

const whole = (text: string): number | undefined => (text === "" ? undefined : Number(text));

function parseText(text: string, all: string): Item {
  if (text === "...") return { kind: "rest" };
  if (text === "None") return { kind: "new" };
  const parts = text.split(":").map((part) => part.trim());
  if (parts.length > 3 || !parts.every((part) => /^[+-]?\d+$|^$/.test(part)) || text === "")
    throw new ArgumentError(`at: ${show(all)} is no index`, {
      why: `${JSON.stringify(text)} is no slice`,
      help: 'like "1:", ":-1", "::2", "3", "...", "None", several between commas',
    });
  if (parts.length === 1) return { kind: "position", at: whole(parts[0]!)! };
  const step = whole(parts[2] ?? "") ?? 1;
  if (step === 0) throw new ArgumentError(`at: the step of ${JSON.stringify(text)} is 0`);
  return { kind: "slice", start: whole(parts[0]!), stop: whole(parts[1]!), step };
}

/** One item for each axis, new axes between them. */
function completed(items: readonly Item[], v: Value): Item[] {
  const named = items.filter((item) => item.kind !== "new" && item.kind !== "rest").length;
  const rank = v.shape.length;
  if (named > rank) throw new ShapeError(`at: ${named} indices for ${showShape(v.shape)}`, { why: `it has ${rank} axes` });
  const rests = items.filter((item) => item.kind === "rest").length;
  if (rests > 1) throw new ArgumentError('at: "..." may stand once');
  const missing = Array.from({ length: rank - named }, () => WHOLE);
  if (rests === 0) return [...items, ...missing];
  return items.flatMap((item) => (item.kind === "rest" ? missing : [item]));
}

function slices(v: Value, items: readonly Item[]): { starts: number[]; steps: number[]; sizes: number[] } {
  const parts = items.filter((item) => item.kind !== "new").map((item, axis) => sliceOf(item, v.shape[axis]!, axis));
  return { starts: parts.map((p) => p.start), steps: parts.map((p) => p.step), sizes: parts.map((p) => p.size) };
}

/** Python's rules: negative bounds count from the end, bounds outside are moved to the ends. */
function sliceOf(item: Item, n: number, axis: number): { start: number; step: number; size: number } {
  if (item.kind === "position") {
    if (!Number.isInteger(item.at)) throw new ArgumentError(`at: ${item.at} is not a whole number`);
    if (item.at < -n || item.at >= n) throw outOfRange({ label: `at (axis ${axis})`, bound: n, fromEnd: true }, item.at);
    return { start: item.at < 0 ? item.at + n : item.at, step: 1, size: 1 };
  }
  if (item.kind !== "slice") return { start: 0, step: 1, size: n };
  const { step } = item;
  const [first, last] = step > 0 ? [0, n] : [-1, n - 1];
  const bound = (i: number | undefined, missing: number): number =>
    i === undefined ? missing : Math.min(last, Math.max(first, i < 0 ? i + n : i));
  const start = bound(item.start, step > 0 ? first : last);
  const stop = bound(item.stop, step > 0 ? last : first);
  const size = Math.max(0, Math.ceil((stop - start) / step));
  return size === 0 ? { start: 0, step: 1, size } : { start, step, size };
}

/**
 * Rows by number. Several lists of numbers are one list of positions in their axes taken as one; axes that are not side by side are moved to
 * the front for that.
 */
function pick(x: Value, rows: readonly { readonly axis: number; readonly where: Value }[], label: string): Value {
  if (rows.length === 0) return x;
  const first = rows[0]!.axis;
  if (rows.length === 1) return ops.gather(x, positions(rows[0]!.where, "at"), { axis: first, label, fromEnd: true });
  if (rows.some((r, i) => r.axis !== first + i)) {
    const chosen = rows.map((r) => r.axis);
    const others = x.shape.map((_, axis) => axis).filter((axis) => !chosen.includes(axis));
    return pick(
      ops.transpose(x, [...chosen, ...others]),
      rows.map(({ where }, axis) => ({ axis, where })),
      label,
    );
  }
  const lists = rows.map((r) => positions(r.where, "at"));
  const shape = lists.map((l) => l.shape).reduce((a, b) => broadcastShapes(a, b, "at"));
  const sizes = x.shape.slice(first, first + rows.length);
  const strides = stridesOf(sizes);
  const terms = lists.map((list, i) => {
    const inside = ops.bounded(stretch(list, shape), { bound: sizes[i]!, label, fromEnd: true });
    return ops.mul(inside, ops.scalarLike(inside, strides[i]!));
  });
  const merged = ops.reshape(x, x.shape.toSpliced(first, rows.length, sizeOf(sizes)));
  return ops.gather(
    merged,
    terms.reduce((a, b) => ops.add(a, b)),
    { axis: first, label },
  );
}
