/** Whether a value can be computed in a kernel, and is worth it there. */
import { sameShape, sizeOf } from "../core/shape.ts";
import type { Value } from "../graph/op.ts";
import { type View, viewKey } from "./affine.ts";
import { canFail, isCostly, isSlow, weightOf } from "./classify.ts";
import { type Cluster, type Demand, reducedSizes } from "./cluster.ts";
import type { Contraction } from "./contraction.ts";

/** Scalar operations a kernel may hold. */
const CAP = 240;
/** Axes that reductions may add to a kernel. Each is a loop beside the others: a longer kernel runs no faster, and shares its code with no other. */
const MOST_ADDED_AXES = 12;
/** Rows short enough to be walked again from the first-level cache. */
const ROW_BYTES = 16_384;

/** Whether a value can be computed in a cluster, under what its consumers there ask. */
export function fits(v: Value, cluster: Cluster, demands: readonly Demand[], contractions: ReadonlyMap<Value, Contraction>): boolean {
  if (cluster.special || demands.some((d) => d.want !== "compute")) return false;
  // In a border nothing is computed but what costs little and cannot fail.
  if (demands.some((d) => d.beyond) && (v.op.kind !== "elementwise" || isCostly(v) || canFail(v) || cluster.base)) return false;
  const views = [...new Map(demands.map((d) => [viewKey(cluster.domain.currentView(d.view)), d.view])).values()];
  if (cluster.weight + weightOf(v) * views.length > CAP) return false;
  switch (v.op.kind) {
    case "elementwise":
      return elementwiseFits(v, cluster, views);
    case "reduce":
      return !cluster.base && views.length === 1 && reductionFits(v, cluster, views[0]!);
    case "contract":
      return contractionFits(v, cluster, views, contractions.get(v)!);
    case "indexed":
      return v.op.mode === "gather" && !cluster.base && views.length === 1;
    default:
      return false;
  }
}

function elementwiseFits(v: Value, cluster: Cluster, views: readonly View[]): boolean {
  if (narrows(v) && sizeOf(cluster.shape) > 1) return false;
  if (views.length > 1 && (isCostly(v) || views.length > 3)) return false;
  for (const view of views) {
    const repeated = cluster.missing(view).filter((a) => !cluster.domain.inner.has(a));
    if (repeated.length === 0) continue;
    if (isCostly(v) || cluster.repeated + 1 > 4) return false;
    // What rows have in common is computed once for each, in the loop around them; what columns have in common would be for each element.
    if (!cluster.trails(repeated) && sizeOf(v.shape) > 1 && (isSlow(v) || cluster.repeated + 1 > 2)) return false;
    cluster.repeated++;
  }
  return true;
}

/** A float64 scalar made float32, a learning rate: computed inside a float32 kernel it would halve the kernel's lanes. */
const narrows = (v: Value): boolean => sizeOf(v.shape) === 1 && v.dtype !== "float64" && v.inputs.some((x) => x.dtype === "float64");

function contractionFits(v: Value, cluster: Cluster, views: readonly View[], contraction: Contraction): boolean {
  // Taps and channels lie otherwise in a kernel than in the tiles of its gradient: another kernel puts them there.
  if (contraction.as === "product") return contraction.rows !== "taps" && canBeBase(cluster, views);
  return !cluster.base && views.length === 1 && reductionFits(v, cluster, views[0]!);
}

/** A product joins what follows it where that is computed for the same elements, under whatever shape. Its epilogue asks no bounds. */
function canBeBase(cluster: Cluster, views: readonly View[]): boolean {
  if (cluster.base || cluster.hasReductions || cluster.looksBeyond || [...cluster.members.keys()].some((m) => m.op.kind === "indexed"))
    return false;
  return views.length === 1 && isOneToOne(cluster, views[0]!);
}

/** Whether each axis of a value is one of those of what is stored, whole and forwards, and each of those is one of its axes. */
function isOneToOne({ domain, storeAxes }: Cluster, view: View): boolean {
  const forms = domain.currentView(view).filter((f) => f.terms.length > 0);
  const axes = forms.flatMap((f) => f.terms.map(([axis, c]) => (c === 1 && f.offset === 0 && f.terms.length === 1 ? axis : -1)));
  const long = storeAxes.filter((axis) => domain.sizes[axis] !== 1);
  return new Set(axes).size === axes.length && axes.every((axis) => storeAxes.includes(axis)) && long.every((axis) => axes.includes(axis));
}

/** A reduction joins where it is not repeated, or once for each row of what uses it (softmax, norms). */
function reductionFits(v: Value, cluster: Cluster, view: View): boolean {
  if (cluster.addedAxes + cluster.newAxes(v, view) > MOST_ADDED_AXES) return false;
  const missing = cluster.missing(view);
  const { domain } = cluster;
  if (missing.length === 0) return !losesThreads(v, cluster, view);
  // It would run over axes of the result inside a loop over one of them, once for each position of another reduction.
  if (domain.currentView(view).some((f) => f.terms.some(([a]) => domain.inner.has(a)))) return false;
  const axes = cluster.storeAxes.filter((a) => domain.sizes[a] !== 1);
  if (!cluster.trails(missing)) return false;
  const inner = [...domain.inner].filter((a) => axes.includes(a));
  if (inner.length > 0 && !sameShape(inner.toSorted(), missing.toSorted())) return false;
  const sizes = missing.map((a) => domain.sizes[a]!);
  if (!sameShape(sizes, reducedSizes(v))) return false;
  const length = sizeOf(sizes);
  const rows = sizeOf(axes.slice(0, axes.length - missing.length).map((a) => domain.sizes[a]!));
  return length * 4 <= ROW_BYTES || rows >= 32;
}

/** A reduction inside the loop of another: with few results there would be few blocks for threads, where apart it has one for each of its own. */
function losesThreads(v: Value, { domain, shape }: Cluster, view: View): boolean {
  const nested = domain.currentView(view).some((f) => f.terms.some(([a]) => domain.inner.has(a)));
  const length = sizeOf(reducedSizes(v));
  // Column sums have as many results as there are columns, and vectors lie across them.
  const few = length < LONG ? FEW_ROWS : SOME_ROWS;
  return nested && sizeOf(shape) < few && sizeOf(v.shape) * length > MUCH;
}
const FEW_ROWS = 64;
const SOME_ROWS = 4097;
const LONG = 256;
const MUCH = 16_384;
