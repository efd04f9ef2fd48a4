/**
 * A contraction as a tiled product: which operand gives the rows, which axes are one, which of them the rows of a tile run along, and where
 * windows reach over a border, from which term to which the sums go.
 */
import type { Form, Value } from "../graph/op.ts";
import { type Access, nodesBelow, readsBelow } from "../kernel/expr.ts";
import type { Clip, Operand, Product, Store } from "../kernel/kernel.ts";
import { type AxisGroup, mergeAxes } from "../kernel/merge.ts";
import type { Affine, View } from "./affine.ts";
import { type Cluster, operandView } from "./cluster.ts";
import { labelsOf, MANY_IMAGES, rolesOf } from "./contraction.ts";
import { placed, placedExpr, placedStrides, positionsOf } from "./positions.ts";

/** A product over the axes of its kernel's domain. `a` gives the rows, and axes `m`, `b` the columns, and axes `n`. */
export interface Sum {
  readonly sizes: readonly number[];
  readonly batch: readonly number[];
  readonly m: readonly number[];
  readonly n: readonly number[];
  readonly k: readonly number[];
  readonly a: Factor;
  readonly b: Factor;
}

/** An operand: the value in memory, how its axes are seen, and inside of which bounds it is read: elsewhere it is 0. */
export interface Factor {
  readonly value: Value;
  readonly view: View;
  readonly bounds: readonly Bound[];
}

/** 0 ≤ form < size. */
export interface Bound {
  readonly form: Affine;
  readonly size: number;
}

/** The sum that is the base of a cluster. What looks through windows gives the rows: columns are next to each other, as they lie or as they are packed. */
export function sumOf(cluster: Cluster): Sum {
  const base = cluster.base!;
  const form = base.attributes as Form;
  const roles = rolesOf(form);
  const { view, inner } = cluster.viewsOf(base)[0]!;
  const axisOf = new Map(labelsOf(form, form.result).map((label, i) => [label, view[i]!.terms[0]?.[0]]));
  roles.k.forEach((label, i) => axisOf.set(label, inner[i]!));
  // A label of one element may have no axis.
  const axes = (of: readonly number[]): number[] => of.flatMap((label) => axisOf.get(label) ?? []);
  const [a, b] = base.inputs.map((x, i) => factorOf(cluster, x, operandView(base, i, view, inner))) as [Factor, Factor];
  const { sizes } = cluster.domain;
  const asIs = { sizes, batch: axes(roles.batch), m: axes(roles.m), n: axes(roles.n), k: axes(roles.k), a, b };
  const turned = { ...asIs, m: asIs.n, n: asIs.m, a: b, b: a };
  return isWindowed(turned) && !isWindowed(asIs) ? turned : asIs;
}

/** Follows moves, and steps out of borders, from an operand to memory. */
function factorOf(cluster: Cluster, value: Value, view: View): Factor {
  const bounds: Bound[] = [];
  while (cluster.members.has(value)) {
    const from = cluster.domain.sourceOf(value, view)!;
    const source = value.inputs[0]!;
    if (value.op.kind === "place") bounds.push(...from.map((form, axis) => ({ form, size: source.shape[axis]! })));
    [value, view] = [source, from];
  }
  return { value, view, bounds };
}

/** Whether the rows look through windows: an axis of what is read is run through by one of theirs and one of the sum's. */
export const isWindowed = (sum: Sum): boolean => sum.a.view.some((form) => isWindow(form, sum));

export function isWindow({ terms }: Affine, { m, k, sizes }: Pick<Sum, "m" | "k" | "sizes">): boolean {
  const long = terms.filter(([axis]) => sizes[axis] !== 1);
  return long.some(([axis]) => k.includes(axis)) && long.some(([axis]) => m.includes(axis));
}

/** Axes in the order of their steps, the longest first. */
export const outermostFirst = (axes: readonly number[], strides: readonly number[]): number[] => {
  const step = (axis: number): number => Math.abs(strides[axis] ?? 0);
  return axes.toSorted((p, q) => step(q) - step(p) || p - q);
};

export interface Accesses {
  readonly a: Access;
  readonly b: Access;
  readonly stores: readonly Store[];
}

export function tiledProduct(sum: Sum, { a, b, stores }: Accesses, dtype: Product["dtype"]): Product {
  const { sizes } = sum;
  const cuts = [...sum.a.bounds, ...sum.b.bounds].flatMap((bound) => cutOf(bound, sum) ?? []);
  const k = depthOf(sum, { a, b, cuts });
  const values = stores.map((s) => s.value);
  const indexed = new Set(nodesBelow(values).flatMap((e) => (e.op === "index" ? [e.axis] : [])));
  const moving = [...stores.map((s) => s.to), ...readsBelow(values), ...cuts].map((x) => x.strides);
  const merged = (axes: readonly number[], { strides }: Access): AxisGroup[] =>
    mergeAxes(outermostFirst(axes, strides), {
      sizes,
      strides: [strides, ...moving],
      may: (p, q) => !indexed.has(p) && !indexed.has(q),
    }); // biome-ignore format: one call
  const [m, n] = [merged(sum.m, a), merged(sum.n, b)];
  const [rows, columns] = [rowsAmong(m, sum), widest(n)];
  const batch = sum.batch.map((axis): AxisGroup => ({ axis, size: sizes[axis]!, absorbed: [] }));
  const others = [...m.filter((g) => g !== rows), ...n.filter((g) => g !== columns)].sort((p, q) => p.axis - q.axis);
  const loops = [...batch, ...others];
  const groups = [...loops, rows, columns];
  const [position, rank] = [positionsOf(groups, sizes), groups.length];
  const operand = ({ buffer, offset, strides }: Access, row: AxisGroup): Operand => ({
    buffer,
    offset,
    batchStrides: loops.map((g) => strides[g.axis] ?? 0),
    rowStride: strides[row.axis] ?? 0,
    depthStrides: k.map((g) => strides[g.axis] ?? 0),
  });
  return {
    kind: "product",
    dtype,
    batch: loops.map((g) => g.size),
    m: rows.size,
    n: columns.size,
    k: k.map((g) => g.size),
    a: operand(a, rows),
    b: operand(b, columns),
    clips: cuts.map((cut) => clipOf(cut, k, placedStrides(cut.strides, position, rank), sizes)),
    stores: stores.map((s) => ({ to: placed(s.to, position, rank), value: placedExpr(s.value, position, rank) })),
  };
}

/** The rows of a tile: images, if there are enough of them, for a window is cut alike in all; else the longest axis, pixels of a row. */
function rowsAmong(groups: readonly AxisGroup[], sum: Sum): AxisGroup {
  const inWindows = new Set(sum.a.view.flatMap((form) => (isWindow(form, sum) ? form.terms.map(([axis]) => axis) : [])));
  const whole = groups.filter((g) => ![g.axis, ...g.absorbed].some((axis) => inWindows.has(axis)));
  const images = whole.length > 0 && whole.length < groups.length ? widest(whole) : undefined;
  return images && images.size >= MANY_IMAGES ? images : widest(groups);
}

const widest = (groups: readonly AxisGroup[]): AxisGroup => groups.reduce((p, q) => (q.size >= p.size ? q : p));

// ---- borders

/** A bound that is not met everywhere, over the axes of the domain: terms count where 0 ≤ offset + strides · position + step · (position on k) < bound. */
type Cut = Omit<Clip, "run">;

/**
 * Whether a bound says from which term to which a sum goes, or nothing. One that moves with several axes of the sum says something else, and so
 * does one that moves with none.
 */
export const cutsSums = (bound: Bound, sum: Pick<Sum, "k" | "sizes">): boolean =>
  isMet(bound, sum) || termsOf(bound, sum).filter(([axis]) => sum.k.includes(axis)).length === 1;

/** Whether a bound moves with the longest axis along which an operand gives rows. */
export function cutsRows(bounds: readonly Bound[], view: View, sum: Pick<Sum, "k" | "sizes">): boolean {
  const own = view.flatMap(({ terms }) => terms.map(([axis]) => axis)).filter((axis) => !sum.k.includes(axis));
  const longest = Math.max(0, ...own.map((axis) => sum.sizes[axis]!));
  return bounds.some(
    (bound) => !isMet(bound, sum) && termsOf(bound, sum).some(([axis]) => own.includes(axis) && sum.sizes[axis] === longest),
  );
}

const termsOf = ({ form }: Bound, { sizes }: Pick<Sum, "sizes">): Affine["terms"] => form.terms.filter(([axis]) => sizes[axis] !== 1);

function isMet(bound: Bound, sum: Pick<Sum, "sizes">): boolean {
  const reach = (end: (x: number, y: number) => number): number =>
    termsOf(bound, sum).reduce((n, [axis, c]) => n + end(0, c * (sum.sizes[axis]! - 1)), bound.form.offset);
  return reach(Math.min) >= 0 && reach(Math.max) < bound.size;
}

function cutOf(bound: Bound, sum: Sum): Cut | null {
  if (isMet(bound, sum)) return null;
  const terms = termsOf(bound, sum);
  const [k, step] = terms.find(([axis]) => sum.k.includes(axis))!;
  const strides = new Array<number>(sum.sizes.length).fill(0);
  for (const [axis, c] of terms) if (axis !== k) strides[axis] = c;
  return { k, step, strides, offset: bound.form.offset, bound: bound.size };
}

/** The axes of the sum as long runs, in the order in which A lies; one that is cut begins a run. */
function depthOf({ k, sizes }: Sum, { a, b, cuts }: { a: Access; b: Access; cuts: readonly Cut[] }): AxisGroup[] {
  const long = k.filter((axis) => sizes[axis] !== 1);
  const order = outermostFirst(long.length > 0 ? long : k.slice(0, 1), a.strides);
  const cut = new Set(cuts.map((c) => c.k));
  return mergeAxes(order, { sizes, strides: [a.strides, b.strides], may: (_, inner) => !cut.has(inner) });
}

/** A cut over the axes that a kernel has. */
function clipOf(cut: Cut, depth: readonly AxisGroup[], strides: readonly number[], sizes: readonly number[]): Clip {
  const k = depth.findIndex((g) => g.axis === cut.k || g.absorbed.includes(cut.k));
  return { ...cut, k, run: depth[k]!.size / sizes[cut.k]!, strides };
}
