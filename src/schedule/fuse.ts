/**
 * Which values are computed together. Values are taken from the results backwards, so that all that use one are settled before it:
 *
 * 1. what one cluster alone wants joins it (an epilogue is a contraction joining its elementwise users);
 * 2. moves cost nothing and join every cluster that wants them, so do a few cheap operations on one input;
 * 3. anything else is stored: as one more result of a cluster over the same domain if that makes no cycle, or in a cluster of its own.
 */
import { sizeOf } from "../core/shape.ts";
import type { Value } from "../graph/op.ts";
import { NotAffine, type View, viewKey } from "./affine.ts";
import { isCostly, isLeaf, isProduct, isSmallContract, weightOf } from "./classify.ts";
import { Cluster, type Demand, reducedSizes, sameSizes } from "./cluster.ts";

export interface Fusion {
  /** In no particular order. */
  readonly clusters: readonly Cluster[];
  /** The cluster that writes a value. */
  readonly home: ReadonlyMap<Value, Cluster>;
  /** Reshapes that are other names of their input's memory. */
  readonly aliases: ReadonlyMap<Value, Value>;
}

/** Scalar operations a kernel may hold. */
const CAP = 240;
/** Axes that reductions may add to a kernel. Each is a loop beside the others: a longer kernel runs no faster, and shares its code with no other. */
const MOST_ADDED_AXES = 12;
/** Rows short enough to be walked again from the first-level cache. */
const ROW_BYTES = 16_384;

/**
 * @param values all values in topological order
 * @param kept values that must be in memory when the program ends
 * @param fuse false: every value is stored (`optimize: 0`)
 */
export function fuse(values: readonly Value[], kept: ReadonlySet<Value>, fuse: boolean): Fusion {
  const clusters: Cluster[] = [];
  const home = new Map<Value, Cluster>();
  const aliases = new Map<Value, Value>();
  const within = new Map<Value, Cluster[]>();
  const consumers = new Map<Value, [Value, number][]>();
  const depth = new Map<Value, number>();
  const inMemory = new Set<Value>(kept);
  /** Who reads a value's memory under another name. */
  const aliasReaders = new Map<Value, Demand[]>();
  for (const v of values) {
    v.inputs.forEach((x, i) => {
      let list = consumers.get(x);
      if (!list) consumers.set(x, (list = []));
      list.push([v, i]);
    });
  }

  const create = (shape: readonly number[], special?: Value): Cluster => {
    const c = new Cluster(clusters.length, shape, special);
    clusters.push(c);
    return c;
  };

  const demandsOn = (v: Value): Demand[] => {
    const all: Demand[] = [];
    for (const [c, i] of consumers.get(v) ?? []) {
      if (aliases.get(c) === v) inMemory.add(v);
      for (const cluster of within.get(c) ?? []) {
        if (cluster.special) all.push({ cluster, want: "memory", view: [] });
        else for (const { view, inner } of cluster.viewsOf(c)) all.push(cluster.demand(c, i, view, inner, cluster.members.get(c)!.want));
      }
    }
    return all;
  };

  /** v is computed in `cluster`, as the demands from there want it. */
  const put = (v: Value, cluster: Cluster, here: readonly Demand[]): void => {
    cluster.join(
      v,
      here.some((d) => d.want === "load") ? "load" : "compute",
      here.map((d) => d.view),
    );
    const clusters = within.get(v);
    if (clusters) clusters.push(cluster);
    else within.set(v, [cluster]);
  };

  const readersOf = (v: Value, demands: readonly Demand[]): Demand[] => [...demands, ...(aliasReaders.get(v) ?? [])];

  /** v is written by `cluster`; everybody else reads it. */
  const write = (v: Value, cluster: Cluster, demands: readonly Demand[]): void => {
    home.set(v, cluster);
    for (const d of readersOf(v, demands)) if (d.cluster !== cluster) cluster.consumers.add(d.cluster);
  };

  const storeApart = (v: Value, demands: readonly Demand[]): void => {
    const whole = v.op.kind === "serial" || v.op.kind === "place" || (v.op.kind === "indexed" && v.op.mode === "scatterAdd");
    const cluster = create(v.shape, whole ? v : undefined);
    if (fuse && isProduct(v)) absorb(cluster, v);
    if (whole) within.set(v, [cluster]);
    else {
      put(v, cluster, [{ cluster, want: "compute", view: cluster.identity }]);
      cluster.stores.push(v);
    }
    write(v, cluster, demands);
  };

  const storeWith = (v: Value, demands: readonly Demand[]): boolean => {
    if (!fuse) return false;
    for (const [cluster, here] of byCluster(demands)) {
      if (cluster.special || !sameSizes(cluster.shape, v.shape)) continue;
      if (!here.every((d) => d.want === "compute" && cluster.isIdentity(d.view)) || !fits(v, cluster, here)) continue;
      const others = new Set(readersOf(v, demands).flatMap((d) => (here.includes(d) ? [] : [d.cluster])));
      if ([...others].some((o) => reaches(o, cluster))) continue;
      if (isProduct(v)) absorb(cluster, v);
      put(v, cluster, here);
      cluster.stores.push(v);
      write(v, cluster, demands);
      return true;
    }
    return false;
  };

  const moveAlong = (v: Value, demands: readonly Demand[]): boolean => {
    try {
      // A trial: refining a domain for a view is harmless even if a later one fails.
      for (const d of demands) d.cluster.demand(v, 0, d.view, [], d.want);
    } catch (error) {
      if (error instanceof NotAffine) return false;
      throw error;
    }
    for (const [cluster, here] of byCluster(demands)) put(v, cluster, here);
    return true;
  };

  const settle = (v: Value): void => {
    if (isLeaf(v)) return;
    const demands = demandsOn(v);
    const stored = !fuse || inMemory.has(v) || demands.some((d) => d.want === "memory");
    if (v.op.kind === "move") {
      if (!stored && moveAlong(v, demands)) return;
      const alone = new Cluster(-1, v.shape);
      const copies = stored && sizeOf(v.shape) > 0 && moveFits(alone, v);
      if (copies) storeApart(v, demands);
      else {
        aliases.set(v, v.inputs[0]!);
        inMemory.add(v.inputs[0]!);
        within.set(v, []);
        aliasReaders.set(v.inputs[0]!, [...readersOf(v, demands), ...(aliasReaders.get(v.inputs[0]!) ?? [])]);
      }
      return;
    }
    const wanting = [...byCluster(demands)];
    const computable = !stored && demands.every((d) => d.want === "compute") && wanting.every(([c, here]) => fits(v, c, here));
    if (computable && wanting.length === 1) {
      if (isProduct(v)) absorb(wanting[0]![0], v);
      return put(v, ...wanting[0]!);
    }
    if (computable && repeatable(v)) {
      depth.set(v, chain(v));
      for (const [c, here] of wanting) put(v, c, here);
      return;
    }
    if (!storeWith(v, demands)) storeApart(v, demands);
  };

  /** Cheap enough to compute in several kernels rather than store and read again: few operations on one tensor. */
  const repeatable = (v: Value): boolean => {
    if (v.op.kind !== "elementwise" || isCostly(v)) return false;
    if (sizeOf(v.shape) === 1) return chain(v) <= 8;
    const tensors = v.inputs.filter((x) => sizeOf(x.shape) > 1 && !isFilled(x));
    return tensors.length <= 1 && chain(v) <= 4;
  };
  const chain = (v: Value): number => 1 + (consumers.get(v) ?? []).reduce((most, [c]) => Math.max(most, depth.get(c) ?? 0), 0);

  for (let i = values.length - 1; i >= 0; i--) settle(values[i]!);
  return { clusters, home, aliases };
}

/** A value may be wanted by very many clusters: each gets its own demands, without looking through all for each. */
function byCluster(demands: readonly Demand[]): Map<Cluster, Demand[]> {
  const groups = new Map<Cluster, Demand[]>();
  for (const d of demands) {
    const group = groups.get(d.cluster);
    if (group) group.push(d);
    else groups.set(d.cluster, [d]);
  }
  return groups;
}

function moveFits(alone: Cluster, v: Value): boolean {
  try {
    alone.demand(v, 0, alone.identity, [], "compute");
    return true;
  } catch (error) {
    if (error instanceof NotAffine) return false;
    throw error;
  }
}

/** A constant in every element: reading it costs nothing. */
const isFilled = (v: Value): boolean => v.op.kind === "move" && sizeOf(v.inputs[0]!.shape) === 1;

/** Makes a contraction the base of a cluster, whose members become its epilogue. */
function absorb(cluster: Cluster, v: Value): void {
  cluster.base = v;
  cluster.domain.frozen = true;
}

/** Whether a value can be computed in a cluster, under what its consumers there ask. */
function fits(v: Value, cluster: Cluster, demands: readonly Demand[]): boolean {
  if (cluster.special || demands.some((d) => d.want !== "compute")) return false;
  const views = [...new Map(demands.map((d) => [viewKey(cluster.domain.currentView(d.view)), d.view])).values()];
  if (cluster.weight + weightOf(v) * views.length > CAP) return false;
  switch (v.op.kind) {
    case "elementwise":
      return elementwiseFits(v, cluster, views);
    case "reduce":
      return !cluster.base && views.length === 1 && reductionFits(v, cluster, views[0]!);
    case "contract":
      if (isSmallContract(v)) return !cluster.base && views.length === 1 && reductionFits(v, cluster, views[0]!);
      return canAbsorb(v, cluster, views);
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
    cluster.repeated++;
  }
  return true;
}

/** A float64 scalar made float32, a learning rate: computed inside a float32 kernel it would halve the kernel's lanes. */
const narrows = (v: Value): boolean => sizeOf(v.shape) === 1 && v.dtype !== "float64" && v.inputs.some((x) => x.dtype === "float64");

function canAbsorb(v: Value, cluster: Cluster, views: readonly View[]): boolean {
  if (cluster.base || cluster.hasReductions || !sameSizes(cluster.shape, v.shape)) return false;
  if ([...cluster.members.keys()].some((m) => m.op.kind === "indexed")) return false;
  const unsplit = cluster.domain.order.length === cluster.shape.length && cluster.domain.order.every((a, i) => a === i);
  return unsplit && views.every((view) => cluster.isIdentity(view));
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
  const trailing = axes.slice(axes.length - missing.length);
  if (!missing.every((a, i) => a === trailing[i])) return false;
  const inner = [...domain.inner].filter((a) => axes.includes(a));
  if (inner.length > 0 && !sameSizes(inner.toSorted(), missing.toSorted())) return false;
  const sizes = missing.map((a) => domain.sizes[a]!);
  if (!sameSizes(sizes, reducedSizes(v))) return false;
  const length = sizeOf(sizes);
  const rows = sizeOf(axes.slice(0, axes.length - missing.length).map((a) => domain.sizes[a]!));
  return length * 4 <= ROW_BYTES || rows >= 32;
}

/** A reduction inside the loop of another: with few results there would be few blocks for threads, where apart it has one for each of its own. */
function losesThreads(v: Value, { domain, shape }: Cluster, view: View): boolean {
  const nested = domain.currentView(view).some((f) => f.terms.some(([a]) => domain.inner.has(a)));
  return nested && sizeOf(shape) < FEW_ROWS && sizeOf(v.shape) * sizeOf(reducedSizes(v)) > MUCH;
}
const FEW_ROWS = 64;
const MUCH = 16_384;

/** Whether `to` reads, directly or not, what `from` writes. */
export function reaches(from: Cluster, to: Cluster): boolean {
  const seen = new Set<Cluster>([from]);
  const stack = [from];
  while (stack.length > 0) {
    const c = stack.pop()!;
    if (c === to) return true;
    for (const next of c.consumers) {
      if (seen.has(next)) continue;
      seen.add(next);
      stack.push(next);
    }
  }
  return false;
}
