/** Rules for reductions. */
import { sameShape, sizeOf } from "../core/shape.ts";
import { apply, type Reduce, type Value } from "../graph/op.ts";
import {
  axesOf,
  broadcastOp,
  broadcastTo,
  mul,
  padOp,
  reshape,
  reshapeOp,
  scalarLike,
  sumOp,
  transpose,
  transposeOp,
} from "../ops/index.ts";
import { match, reductionOf, without } from "./match.ts";
import type { Rule } from "./rewrite.ts";

/** v's reduction over other axes of another value; x itself where no axis is left. */
export function reduceWith(op: Reduce, x: Value, axes: readonly number[]): Value {
  return axes.length === 0 ? x : apply(op, [x], { axes: axes.toSorted((a, b) => a - b) });
}

const givesElements = (op: Reduce): boolean => op.gives === "element";

/** Axis by axis of a value without `axes`: which axis of the whole it is. */
const keptAxes = (rank: number, axes: readonly number[]): number[] => axesOf(rank).filter((d) => !axes.includes(d));

export const reductions: readonly Rule[] = [
  {
    name: "reduce one element",
    doc: "sum, product, max, min over axes of size 1 → reshape; argmax, argmin over nothing else → 0",
    apply(v) {
      const found = reductionOf(v);
      if (!found) return null;
      const { op, x, axes } = found;
      const ones = axes.filter((d) => x.shape[d] === 1);
      if (ones.length === 0) return axes.length === 0 && givesElements(op) ? x : null;
      if (!givesElements(op) && ones.length === axes.length) return scalarLike(v, 0);
      const kept = keptAxes(x.shape.length, ones);
      const rest = axes.filter((d) => x.shape[d] !== 1).map((d) => kept.indexOf(d));
      return reduceWith(op, reshape(x, without(x.shape, ones)), rest);
    },
  },
  {
    name: "sum of sum",
    doc: "sum(sum(x, a), b) → sum(x, a and b), and so product, max, min",
    apply(v, uses) {
      const outer = reductionOf(v);
      const inner = outer && reductionOf(outer.x);
      if (!inner || inner.op !== outer.op || !givesElements(outer.op) || !uses.once(outer.x)) return null;
      const kept = keptAxes(inner.x.shape.length, inner.axes);
      return reduceWith(outer.op, inner.x, [...inner.axes, ...outer.axes.map((d) => kept[d]!)]);
    },
  },
  {
    name: "reduce what is repeated",
    doc: "sum(broadcast(x)) → x · count, product → itself, max, min → x, over the axes that x is repeated along",
    apply(v) {
      const found = reductionOf(v);
      const repeated = found && match(found.x, broadcastOp);
      if (!repeated || !givesElements(found.op) || found.op.combine === "product" || repeated.x.shape.includes(1)) return null;
      const { op, x, axes } = found;
      const along = repeated.attributes.axes;
      const free = axes.filter((d) => !along.includes(d));
      const count = sizeOf(free.map((d) => x.shape[d]!));
      if (free.length === 0 || count === 0) return null;
      const reduced = axes.filter((d) => along.includes(d)).map((d) => along.indexOf(d));
      const kept = keptAxes(x.shape.length, axes);
      const once = broadcastTo(
        reduceWith(op, repeated.x, reduced),
        v.shape,
        along.filter((d) => !axes.includes(d)).map((d) => kept.indexOf(d)),
      );
      return op.combine === "sum" ? mul(once, scalarLike(once, count)) : once;
    },
  },
  {
    name: "reduce of transpose",
    doc: "sum(transpose(x), a) → transpose(sum(x, a')); argmax, argmin where positions stay",
    apply(v) {
      const found = reductionOf(v);
      const moved = found && match(found.x, transposeOp);
      if (!moved) return null;
      const { permutation } = moved.attributes;
      const axes = found.axes.map((d) => permutation[d]!);
      if (!givesElements(found.op) && axes.some((d, i) => i > 0 && d < axes[i - 1]!)) return null;
      const kept = keptAxes(permutation.length, axes);
      const order = keptAxes(permutation.length, found.axes).map((d) => kept.indexOf(permutation[d]!));
      return transpose(reduceWith(found.op, moved.x, axes), order);
    },
  },
  {
    name: "reduce all of reshape",
    doc: "sum(reshape(x)) → sum(x), and all others, over all axes",
    apply(v) {
      const found = reductionOf(v);
      if (!found || v.shape.length > 0) return null;
      const shaped = match(found.x, reshapeOp);
      // Axes of size 1 are dropped by reshapes like this one.
      return shaped && shaped.x.shape.length > 0 && !shaped.x.shape.includes(1)
        ? reduceWith(found.op, shaped.x, axesOf(shaped.x.shape.length))
        : null;
    },
  },
  {
    name: "sum of pad",
    doc: "sum(pad(x, 0)) → sum(x), over all axes that are padded",
    on: [sumOp],
    apply(v) {
      const { x, axes } = reductionOf(v)!;
      const padded = match(x, padOp);
      if (padded?.attributes.value !== 0) return null;
      const kept = keptAxes(x.shape.length, axes);
      if (
        !sameShape(
          kept.map((d) => x.shape[d]!),
          kept.map((d) => padded.x.shape[d]!),
        )
      )
        return null;
      return reduceWith(sumOp, padded.x, axes);
    },
  },
];
