/** Rules for index maps that read: chains become one map, and maps sink below broadcasts, where there is less to move. */
import { sameShape, sizeOf } from "../core/shape.ts";
import { reapply, type Value } from "../graph/op.ts";
import {
  axesOf,
  broadcastOp,
  broadcastTo,
  concat,
  concatOp,
  padOp,
  reshape,
  reshapeOp,
  type Slice,
  scalarLike,
  slice,
  sliceOp,
  transpose,
  transposeOp,
} from "../ops/index.ts";
import { match, scalarUnder } from "./match.ts";
import type { Rule } from "./rewrite.ts";

/** Axes whose size is not 1. */
const realAxes = (x: { readonly shape: readonly number[] }): number[] => axesOf(x.shape.length).filter((d) => x.shape[d] !== 1);

const realSizes = (x: { readonly shape: readonly number[] }): number[] => realAxes(x).map((d) => x.shape[d]!);

export const reshapes: readonly Rule[] = [
  {
    name: "reshape of reshape",
    doc: "reshape(reshape(x)) → reshape(x), or x",
    on: [reshapeOp],
    apply(v) {
      const inner = match(v.inputs[0]!, reshapeOp);
      return inner && reshape(inner.x, v.shape);
    },
  },
  {
    name: "reshape of broadcast",
    doc: "reshape(broadcast(x)) → broadcast(x) where only axes of size 1 come or go, or x is a scalar",
    on: [reshapeOp],
    apply(v) {
      const found = match(v.inputs[0]!, broadcastOp);
      if (!found) return null;
      if (found.x.shape.length === 0) return broadcastTo(found.x, v.shape, []);
      const [before, after] = [realAxes(v.inputs[0]!), realAxes(v)];
      if (!sameShape(realSizes(v.inputs[0]!), realSizes(v)) || found.x.shape.includes(1)) return null;
      return broadcastTo(
        found.x,
        v.shape,
        found.attributes.axes.map((axis) => after[before.indexOf(axis)]!),
      );
    },
  },
  {
    name: "transpose of transpose",
    doc: "transpose(transpose(x, p), q) → transpose(x, p ∘ q), or x",
    on: [transposeOp],
    apply(v) {
      const { x, attributes } = match(v, transposeOp)!;
      const inner = match(x, transposeOp);
      return (
        inner &&
        transpose(
          inner.x,
          attributes.permutation.map((p) => inner.attributes.permutation[p]!),
        )
      );
    },
  },
  {
    name: "transpose of ones",
    doc: "transpose(x) → reshape(x) where only axes of size 1 change places",
    on: [transposeOp],
    apply(v) {
      const { x, attributes } = match(v, transposeOp)!;
      const order = attributes.permutation.filter((p) => x.shape[p] !== 1);
      return order.every((p, i) => i === 0 || order[i - 1]! < p) ? reshape(x, v.shape) : null;
    },
  },
  {
    name: "transpose of broadcast",
    doc: "transpose(broadcast(x)) → broadcast(transpose(x))",
    on: [transposeOp],
    apply(v) {
      const { x, attributes } = match(v, transposeOp)!;
      const found = match(x, broadcastOp);
      if (!found) return null;
      const places = found.attributes.axes.map((axis) => attributes.permutation.indexOf(axis));
      const order = axesOf(places.length).sort((i, j) => places[i]! - places[j]!);
      return broadcastTo(
        transpose(found.x, order),
        v.shape,
        order.map((i) => places[i]!),
      );
    },
  },
];

export const broadcasts: readonly Rule[] = [
  {
    name: "broadcast of broadcast",
    doc: "broadcast(broadcast(x)) → broadcast(x)",
    on: [broadcastOp],
    apply(v) {
      const outer = match(v, broadcastOp)!;
      const inner = match(outer.x, broadcastOp);
      return (
        inner &&
        broadcastTo(
          inner.x,
          v.shape,
          inner.attributes.axes.map((axis) => outer.attributes.axes[axis]!),
        )
      );
    },
  },
  {
    name: "broadcast of ones",
    doc: "broadcast(x[…, 1, …]) → broadcast(x[…, …]): what is repeated has no axes of size 1",
    on: [broadcastOp],
    apply(v) {
      const { x, attributes } = match(v, broadcastOp)!;
      if (!x.shape.includes(1)) return null;
      const kept = realAxes(x);
      return broadcastTo(
        reshape(x, realSizes(x)),
        v.shape,
        kept.map((d) => attributes.axes[d]!),
      );
    },
  },
  {
    name: "broadcast that repeats nothing",
    doc: "broadcast(x) → reshape(x) where all new axes have size 1",
    on: [broadcastOp],
    apply: (v) =>
      sizeOf(v.inputs[0]!.shape) === sizeOf(v.shape) && sameShape(realSizes(v.inputs[0]!), realSizes(v))
        ? reshape(v.inputs[0]!, v.shape)
        : null,
  },
];

export const slices: readonly Rule[] = [
  {
    name: "slice of slice",
    doc: "slice(slice(x)) → slice(x), or x",
    on: [sliceOp],
    apply(v) {
      const outer = match(v, sliceOp)!;
      const { starts, steps, sizes } = outer.attributes;
      const inner = match(outer.x, sliceOp);
      if (!inner || v.shape.includes(0)) return null;
      const under = inner.attributes;
      return slice(inner.x, {
        starts: starts.map((s, d) => under.starts[d]! + s * under.steps[d]!),
        steps: steps.map((s, d) => s * under.steps[d]!),
        sizes,
      });
    },
  },
  {
    name: "slice of broadcast",
    doc: "slice(broadcast(x)) → broadcast(slice(x))",
    on: [sliceOp],
    apply(v) {
      const outer = match(v, sliceOp)!;
      const found = match(outer.x, broadcastOp);
      if (!found || found.x.shape.includes(1)) return null;
      const { axes } = found.attributes;
      const { starts, steps, sizes } = outer.attributes;
      const pick = (list: readonly number[]): number[] => axes.map((axis) => list[axis]!);
      return broadcastTo(slice(found.x, { starts: pick(starts), steps: pick(steps), sizes: pick(sizes) }), v.shape, axes);
    },
  },
  {
    name: "slice of pad",
    doc: "slice(pad(x)) → slice(x) where only elements of x are taken, → the pad's value where none are",
    on: [sliceOp],
    apply(v) {
      const outer = match(v, sliceOp)!;
      const found = match(outer.x, padOp);
      if (!found || v.shape.includes(0)) return null;
      const { low, interior, value } = found.attributes;
      const { starts, steps, sizes } = outer.attributes;
      const inner: Slice = {
        starts: starts.map((s, d) => (s - low[d]!) / (interior[d]! + 1)),
        steps: steps.map((s, d) => s / (interior[d]! + 1)),
        sizes,
      };
      const last = (d: number): number => inner.starts[d]! + (sizes[d]! - 1) * inner.steps[d]!;
      const inside = (at: number, d: number): boolean => at >= 0 && at < found.x.shape[d]!;
      if (sizes.some((_, d) => Math.max(inner.starts[d]!, last(d)) < 0 || Math.min(inner.starts[d]!, last(d)) > found.x.shape[d]! - 1))
        return scalarLike(v, value);
      const whole = sizes.every(
        (n, d) =>
          Number.isInteger(inner.starts[d]!) &&
          (n === 1 || Number.isInteger(inner.steps[d]!)) &&
          inside(inner.starts[d]!, d) &&
          inside(last(d), d),
      );
      return whole ? slice(found.x, { ...inner, steps: inner.steps.map((s, d) => (sizes[d] === 1 ? 1 : s)) }) : null;
    },
  },
  {
    name: "slice of concat",
    doc: "slice(concat(…, x, …)) → slice(x) where only elements of x are taken",
    on: [sliceOp],
    apply(v) {
      const outer = match(v, sliceOp)!;
      const joined = outer.x;
      if (joined.op !== concatOp || v.shape.includes(0)) return null;
      const { axis } = joined.attributes as { axis: number };
      const { starts, steps, sizes } = outer.attributes;
      const ends = [starts[axis]!, starts[axis]! + (sizes[axis]! - 1) * steps[axis]!];
      let begin = 0;
      for (const x of joined.inputs) {
        const end = begin + x.shape[axis]!;
        if (ends.every((at) => at >= begin && at < end))
          return slice(x, { starts: starts.with(axis, starts[axis]! - begin), steps, sizes });
        begin = end;
      }
      return null;
    },
  },
  {
    name: "concat of slices",
    doc: "concat(x[a…b], x[b…c]) → x[a…c]",
    on: [concatOp],
    apply(v) {
      const { axis } = v.attributes as { axis: number };
      for (let i = 0; i + 1 < v.inputs.length; i++) {
        const joined = joinSlices(v.inputs[i]!, v.inputs[i + 1]!, axis);
        if (joined) return concat(v.inputs.toSpliced(i, 2, joined), axis);
      }
      return null;
    },
  },
];

/** The slice that holds both, if they are neighbours of step 1 in the same value. */
function joinSlices(a: Value, b: Value, axis: number): Value | null {
  const [left, right] = [match(a, sliceOp), match(b, sliceOp)];
  if (!left || !right || left.x !== right.x) return null;
  const [p, q] = [left.attributes, right.attributes];
  const alike = p.starts.every((s, d) => p.steps[d] === q.steps[d] && (d === axis || (s === q.starts[d] && p.sizes[d] === q.sizes[d])));
  if (!alike || p.steps[axis] !== 1 || p.starts[axis]! + p.sizes[axis]! !== q.starts[axis]) return null;
  return slice(left.x, { ...p, sizes: p.sizes.with(axis, p.sizes[axis]! + q.sizes[axis]!) });
}

/** Arithmetic with what is repeated is done before it is repeated: once for scalars, once a row for rows. */
export const hoists: readonly Rule[] = [
  {
    name: "arithmetic below broadcast",
    doc: "f(broadcast(a), broadcast(b)) → broadcast(f(a, b)) where both are repeated alike, or are scalars",
    apply(v) {
      if (v.op.kind !== "elementwise" || v.shape.length === 0 || v.inputs.length === 0) return null;
      let base: { readonly x: Value; readonly axes: readonly number[] } | null = null;
      for (const input of v.inputs) {
        if (scalarUnder(input)) continue;
        const found = match(input, broadcastOp);
        if (!found) return null;
        const { axes } = found.attributes;
        if (base && (!sameShape(base.x.shape, found.x.shape) || !sameShape(base.axes, axes))) return null;
        base ??= { x: found.x, axes };
      }
      const { shape, axes } = base ? { shape: base.x.shape, axes: base.axes } : { shape: [], axes: [] };
      const inputs = v.inputs.map((input) => {
        const scalar = scalarUnder(input);
        return scalar ? broadcastTo(reshape(scalar, []), shape, []) : input.inputs[0]!;
      });
      return broadcastTo(reapply(v, inputs), v.shape, axes);
    },
  },
];
