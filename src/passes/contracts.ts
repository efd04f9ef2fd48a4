/** Rules for contractions without windows, read as lists of labels: out[i, j] = Σₖ a[i, k] · b[k, j]. */
import { isFloat } from "../core/dtype.ts";
import { sizeOf } from "../core/shape.ts";
import { inputSlots, slotAxes } from "../graph/form.ts";
import type { ContractSlot, Value } from "../graph/op.ts";
import {
  axesOf,
  broadcastOp,
  broadcastTo,
  labelled,
  mul,
  mulOp,
  reshape,
  scalarLike,
  sum,
  sumOp,
  transpose,
  transposeOp,
} from "../ops/index.ts";
import { contractionOf, match, reductionOf } from "./match.ts";
import type { Rule } from "./rewrite.ts";

/** A value and the label of each of its axes. */
interface Labelled {
  readonly value: Value;
  readonly labels: readonly number[];
}

interface Labels {
  readonly a: Labelled;
  readonly b: Labelled;
  readonly out: readonly number[];
  readonly sizes: readonly number[];
}

function labelsOf(v: Value): Labels | null {
  const found = contractionOf(v);
  if (!found || found.form.windows.length > 0) return null;
  const { form, a, b } = found;
  const [p, q] = inputSlots(form);
  const labels = (slot: ContractSlot): number[] => slotAxes(form, slot).map((axis) => axis.index);
  return {
    a: { value: a, labels: labels(p) },
    b: { value: b, labels: labels(q) },
    out: labels(form.result),
    sizes: form.axes.map((axis) => axis.size),
  };
}

/**
 * out = Σ a · b over the labels that `out` lacks, whatever the labels: those of size 1 are dropped, those that only one factor has are summed
 * first, those that nothing has multiply, those that only the result has are broadcast, and without a sum it is a product of broadcasts.
 */
function multiply({ a, b, out, sizes }: Labels): Value {
  const real = (label: number): boolean => sizes[label] !== 1;
  const [left, right] = [reduced(dropped(a, real), b, out), reduced(dropped(b, real), a, out)];
  const kept = out.filter((label) => real(label) && (left.labels.includes(label) || right.labels.includes(label)));
  const sums = [...left.labels, ...right.labels].some((label) => !kept.includes(label));
  const once = sums ? contracted(left, right, kept) : mul(along(left, kept, sizes), along(right, kept, sizes));
  const times = repeats({ a, b, out, sizes });
  const result = times === 1 ? once : mul(once, scalarLike(once, times));
  return along({ value: result, labels: kept }, out, sizes);
}

/** How often the same is summed: over the labels that neither factor has any more. */
function repeats({ a, b, out, sizes }: Labels): number {
  const gone = sizes.filter((_, label) => ![a.labels, b.labels, out].some((labels) => labels.includes(label)));
  return sizeOf(gone);
}

/** Without its axes of size 1. */
function dropped({ value, labels }: Labelled, real: (label: number) => boolean): Labelled {
  const kept = axesOf(labels.length).filter((d) => real(labels[d]!));
  return {
    value: reshape(
      value,
      kept.map((d) => value.shape[d]!),
    ),
    labels: kept.map((d) => labels[d]!),
  };
}

/** Summed over the labels that nothing else has. */
function reduced({ value, labels }: Labelled, other: Labelled, out: readonly number[]): Labelled {
  const shared = (label: number): boolean => out.includes(label) || other.labels.includes(label);
  const own = axesOf(labels.length).filter((d) => !shared(labels[d]!));
  return { value: sum(value, own), labels: labels.filter(shared) };
}

function contracted(a: Labelled, b: Labelled, out: readonly number[]): Value {
  const names = (labels: readonly number[]): string[] => labels.map(String);
  return labelled([names(a.labels), names(b.labels)], names(out), [a.value, b.value], "contract");
}

/** With axes for all labels of `to`, in that order; `to` has all of the value's labels. */
function along({ value, labels }: Labelled, to: readonly number[], sizes: readonly number[]): Value {
  const order = axesOf(labels.length).sort((i, j) => to.indexOf(labels[i]!) - to.indexOf(labels[j]!));
  return broadcastTo(
    transpose(value, order),
    to.map((label) => sizes[label]!),
    order.map((i) => to.indexOf(labels[i]!)),
  );
}

/** The value under a transpose or a broadcast, with labels for its axes; null if it is neither. */
function lookThrough({ value, labels }: Labelled, op: typeof transposeOp | typeof broadcastOp): Labelled | null {
  if (value.op !== op) return null;
  const x = value.inputs[0]!;
  const moved = match(value, transposeOp);
  if (moved) return { value: x, labels: axesOf(labels.length).map((d) => labels[moved.attributes.permutation.indexOf(d)]!) };
  const { axes } = match(value, broadcastOp)!.attributes;
  return x.shape.includes(1) ? null : { value: x, labels: axes.map((d) => labels[d]!) };
}

/** The contraction with one or both factors seen through, or null if there is nothing to see through. */
function seenThrough(found: Labels | null, op: typeof transposeOp | typeof broadcastOp): Value | null {
  if (!found) return null;
  const [a, b] = [lookThrough(found.a, op), lookThrough(found.b, op)];
  return a || b ? multiply({ ...found, a: a ?? found.a, b: b ?? found.b }) : null;
}

export const contracts: readonly Rule[] = [
  {
    name: "product of nothing",
    doc: "Σ over an empty axis → 0",
    apply(v) {
      const found = labelsOf(v);
      return found?.sizes.includes(0) ? scalarLike(v, 0) : null;
    },
  },
  {
    name: "product along one element",
    doc: "a[i, 1] · b[1, j] → a[i] · b[j]: axes of size 1 are dropped",
    apply(v) {
      const found = labelsOf(v);
      return found?.sizes.includes(1) ? multiply(found) : null;
    },
  },
  {
    name: "product without a sum",
    doc: "out[i, j] = a[i] · b[j] → broadcast(a) · broadcast(b)",
    apply(v) {
      const found = labelsOf(v);
      return found && [...found.a.labels, ...found.b.labels].every((label) => found.out.includes(label)) ? multiply(found) : null;
    },
  },
  {
    name: "product of transpose",
    doc: "transpose(a) · b → a · b with its axes in another order",
    apply: (v) => seenThrough(labelsOf(v), transposeOp),
  },
  {
    name: "product of broadcast",
    doc: "Σₖ broadcast(a)[i, k] · b[k, j] → a[i] · Σₖ b[k, j]",
    apply: (v) => seenThrough(labelsOf(v), broadcastOp),
  },
  {
    name: "transpose of product",
    doc: "transpose(a · b) → a · b with its result in another order",
    on: [transposeOp],
    apply(v, uses) {
      const { x, attributes } = match(v, transposeOp)!;
      const found = uses.once(x) ? labelsOf(x) : null;
      return found && multiply({ ...found, out: attributes.permutation.map((p) => found.out[p]!) });
    },
  },
  {
    name: "sum of product",
    doc: "Σᵢ (a · b)[i, j] → a · b with i summed",
    on: [sumOp],
    apply(v, uses) {
      const { x, axes } = reductionOf(v)!;
      const found = uses.once(x) ? labelsOf(x) : null;
      return found && multiply({ ...found, out: found.out.filter((_, d) => !axes.includes(d)) });
    },
  },
  {
    name: "sum of elementwise product",
    doc: "Σₖ broadcast(a)[i, j, k] · broadcast(b)[i, j, k] → Σₖ a[i, k] · b[k, j], where each lacks an axis of the result",
    on: [sumOp],
    apply(v, uses) {
      const { x, axes } = reductionOf(v)!;
      if (x.op !== mulOp || !isFloat(v.dtype) || !uses.once(x)) return null;
      const all = axesOf(x.shape.length);
      const [a, b] = x.inputs.map((value) => lookThrough({ value, labels: all }, broadcastOp));
      if (!a || !b) return null;
      const out = all.filter((d) => !axes.includes(d));
      const count = (labels: readonly number[]): number => sizeOf(labels.map((d) => x.shape[d]!));
      const only = (p: Labelled, q: Labelled): number => count(out.filter((d) => p.labels.includes(d) && !q.labels.includes(d)));
      const summed = count(axes.filter((d) => a.labels.includes(d) && b.labels.includes(d)));
      return only(a, b) > 1 && only(b, a) > 1 && summed > 1 ? multiply({ a, b, out, sizes: x.shape }) : null;
    },
  },
];
