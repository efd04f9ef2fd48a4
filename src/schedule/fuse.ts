/**
 * Which values are computed together. Values are taken from the results backwards, so that all that use one are settled before it:
 *
 * 1. what one cluster alone wants joins it (an epilogue is a contraction joining its elementwise users);
 * 2. moves cost nothing and join every cluster that wants them, so do a few cheap operations on one input;
 * 3. anything else is stored: as one more result of a cluster over the same domain if that makes no cycle, or in a cluster of its own.
 */
import { sameShape, sizeOf } from "../core/shape.ts";
import type { Place, Value } from "../graph/op.ts";
import { hasBorder, isCostly, isFilled, isLeaf, isSlow, isSpread, sourcesOf } from "./classify.ts";
import { Cluster, type Demand, goThroughTheSame, type Piece, walkedBy } from "./cluster.ts";
import { type Contraction, planContraction } from "./contraction.ts";
import { fits } from "./fits.ts";
import { cutsRows, cutsSums } from "./product.ts";

export interface Fusion {
  /** In no particular order. */
  readonly clusters: readonly Cluster[];
  /** The cluster that writes a value. */
  readonly home: ReadonlyMap<Value, Cluster>;
  /** Reshapes that are other names of their input's memory. */
  readonly aliases: ReadonlyMap<Value, Value>;
  /** What each contraction becomes. */
  readonly contractions: ReadonlyMap<Value, Contraction>;
}

/**
 * @param values all values in topological order
 * @param kept values that must be in memory when the program ends
 * @param fusing false: every value is stored (`optimize: 0`)
 * @param apart values that are stored by kernels of their own, and read from there
 */
export function fuse(values: readonly Value[], kept: ReadonlySet<Value>, fusing: boolean, apart: ReadonlySet<Value>): Fusion {
  const fuser = new Fuser(values, kept, fusing, apart);
  for (const v of values.toReversed()) fuser.settle(v);
  return fuser;
}

class Fuser implements Fusion {
  readonly clusters: Cluster[] = [];
  readonly home = new Map<Value, Cluster>();
  readonly aliases = new Map<Value, Value>();
  readonly contractions = new Map<Value, Contraction>();
  private readonly fusing: boolean;
  private readonly apart: ReadonlySet<Value>;
  /** Who uses a value, and as which input. */
  private readonly consumers = new Map<Value, [Value, number][]>();
  /** The clusters a value is computed in. */
  private readonly within = new Map<Value, Cluster[]>();
  private readonly inMemory: Set<Value>;
  /** Places whose inputs are pieces of a larger one. */
  private readonly inPlaces = new Set<Value>();
  /** Who reads a value's memory under another name. */
  private readonly aliasReaders = new Map<Value, Demand[]>();
  /** How many repeated operations stand between a value and what is stored. */
  private readonly depth = new Map<Value, number>();

  constructor(values: readonly Value[], kept: ReadonlySet<Value>, fusing: boolean, apart: ReadonlySet<Value>) {
    this.fusing = fusing;
    this.apart = apart;
    this.inMemory = new Set([...kept, ...apart]);
    for (const v of values) {
      v.inputs.forEach((x, i) => listIn(this.consumers, x).push([v, i]));
      if (v.op.kind === "contract") this.contractions.set(v, fusing ? planContraction(v) : { as: "loops", why: "unoptimised" });
    }
  }

  /** Finds a value its place; all that use it have theirs. */
  settle(v: Value): void {
    if (isLeaf(v) || this.inPlaces.has(v)) return;
    const all = this.demandsOn(v);
    if (this.apart.has(v) && v.op.kind !== "move") return this.storeApart(v, all);
    const demands = this.leftAfterBorders(v, all);
    if (!demands) return;
    const stored = !this.fusing || this.inMemory.has(v) || demands.some((d) => d.want === "memory");
    if (v.op.kind === "move") return this.settleMove(v, demands, stored);
    if (!stored && hasBorder(v) && this.lookBeyond(v, demands)) return;
    if (!stored && (this.joinOne(v, demands) || this.repeat(v, demands))) return;
    if (!this.storeWith(v, demands) && !this.storeBeside(v, demands)) this.storeApart(v, demands);
  }

  private demandsOn(v: Value): Demand[] {
    const all: Demand[] = [];
    for (const [c, i] of this.consumers.get(v) ?? []) {
      if (this.aliases.get(c) === v) this.inMemory.add(v);
      for (const cluster of this.within.get(c) ?? []) {
        const piece = cluster.pieces.get(c)?.[i];
        if (piece) all.push({ cluster: piece, want: "compute", view: piece.identity, beyond: false });
        else if (cluster.special) all.push({ cluster, want: "memory", view: [], beyond: false });
        else for (const { view, inner } of cluster.viewsOf(c)) all.push(cluster.demand(c, i, view, inner));
      }
    }
    return all;
  }

  // ---- computed where it is wanted

  /** In the one cluster that wants it. */
  private joinOne(v: Value, demands: readonly Demand[]): boolean {
    const wanting = [...byCluster(demands)];
    if (wanting.length !== 1 || !this.fitsAll(v, wanting)) return false;
    const [cluster, here] = wanting[0]!;
    this.beBase(v, cluster);
    this.put(v, cluster, here);
    return true;
  }

  /** In each cluster that wants it, where that is cheap. */
  private repeat(v: Value, demands: readonly Demand[]): boolean {
    const wanting = [...byCluster(demands)];
    if (wanting.length === 1 || !this.fitsAll(v, wanting) || !(this.isRepeatable(v) || this.readsTheSame(v, wanting))) return false;
    this.depth.set(v, this.chain(v));
    for (const [cluster, here] of wanting) this.put(v, cluster, here);
    return true;
  }

  private fitsAll(v: Value, wanting: readonly (readonly [Cluster, readonly Demand[]])[]): boolean {
    return wanting.every(([cluster, here]) => fits(v, cluster, here, this.contractions));
  }

  /** Cheap enough to compute in several kernels rather than store and read again: few operations on one tensor. */
  private isRepeatable(v: Value): boolean {
    if (v.op.kind !== "elementwise" || isCostly(v)) return false;
    if (sizeOf(v.shape) === 1) return this.chain(v) <= 8;
    const tensors = v.inputs.filter((x) => sizeOf(x.shape) > 1 && !isFilled(x));
    return tensors.length <= 1 && this.chain(v) <= 4;
  }

  /** Whether each of the clusters that want it reads no more for it than it would read of it, whatever else that takes. */
  private readsTheSame(v: Value, wanting: readonly (readonly [Cluster, readonly Demand[]])[]): boolean {
    if (v.op.kind !== "elementwise" || isCostly(v) || isSlow(v) || this.chain(v) > MOST_CHAINED) return false;
    const own = sourcesOf([v]);
    if (own.size > 2 || ofItsRows(v)) return false;
    return wanting.every(([cluster]) => {
      if (own.size <= 1) return true;
      const others = [...cluster.members.keys()].flatMap((m) => m.inputs.filter((x) => x !== v && !cluster.members.has(x)));
      const there = sourcesOf(others);
      return [...own].filter((x) => !there.has(x)).length <= 1;
    });
  }

  private chain(v: Value): number {
    return 1 + (this.consumers.get(v) ?? []).reduce((most, [c]) => Math.max(most, this.depth.get(c) ?? 0), 0);
  }

  /** v is computed in `cluster`, as the demands from there want it. */
  private put(v: Value, cluster: Cluster, here: readonly Demand[]): void {
    cluster.join(v, here);
    listIn(this.within, v).push(cluster);
  }

  /** A product is the base of its cluster, whose members become its epilogue; then no axis may be split any more. */
  private beBase(v: Value, cluster: Cluster): void {
    if (this.contractions.get(v)?.as !== "product") return;
    cluster.base = v;
    cluster.domain.frozen = true;
  }

  // ---- borders

  /**
   * A product reads what has a border of zeros without it: its sums are cut. Gives what else is wanted of v, or nothing if that is all.
   */
  private leftAfterBorders(v: Value, demands: readonly Demand[]): readonly Demand[] | undefined {
    if (v.op.kind !== "place" || v.op.fill(v.attributes) !== 0) return demands;
    const [inside, others] = [[] as Demand[], [] as Demand[]];
    for (const [, here] of byCluster(demands)) (here.every((d) => this.readsInside(v, d)) ? inside : others).push(...here);
    for (const [cluster, here] of byCluster(inside)) this.put(v, cluster, here);
    return others.length === 0 && inside.length > 0 && !this.inMemory.has(v) ? undefined : others;
  }

  /**
   * Whether a product reads the input of a border in its place: every bound then says from which term to which its sums go. Rows of tiles of
   * which each is cut elsewhere would have to be packed one element at a time: for them the border is stored.
   */
  private readsInside(v: Value, { cluster, want, view }: Demand): boolean {
    if (!cluster.base || want !== "load") return false;
    const sum = { k: cluster.viewsOf(cluster.base)[0]!.inner, sizes: cluster.domain.sizes };
    const from = cluster.domain.sourceOf(v, view);
    const bounds = from?.map((form, axis) => ({ form, size: v.inputs[0]!.shape[axis]! }));
    if (!bounds?.every((bound) => cutsSums(bound, sum))) return false;
    const contraction = this.contractions.get(cluster.base);
    return (contraction?.as === "product" && contraction.rows === "images") || !cutsRows(bounds, from!, sum);
  }

  // ---- moves

  /** A move costs nothing where it is looked through; stored, it is a copy, or another name of its input's memory. */
  private settleMove(v: Value, demands: readonly Demand[], stored: boolean): void {
    if (!stored && this.moveAlong(v, demands)) return;
    const alone = new Cluster(v.shape);
    const copies = stored && sizeOf(v.shape) > 0 && alone.domain.through(v, alone.identity) !== undefined;
    if (copies) return this.storeApart(v, demands);
    const source = v.inputs[0]!;
    this.aliases.set(v, source);
    this.inMemory.add(source);
    this.within.set(v, []);
    this.aliasReaders.set(source, [...this.readersOf(v, demands), ...(this.aliasReaders.get(source) ?? [])]);
  }

  private moveAlong(v: Value, demands: readonly Demand[]): boolean {
    // A trial: refining a domain for a view is harmless even if a later one fails.
    if (!demands.every((d) => !d.cluster.special && d.cluster.domain.through(v, d.view))) return false;
    for (const [cluster, here] of byCluster(demands)) this.put(v, cluster, here);
    return true;
  }

  /**
   * What has a border is read where it lies, and its border is in no memory. Not in the epilogue of a product, nor by one: they ask no bounds.
   */
  private lookBeyond(v: Value, demands: readonly Demand[]): boolean {
    if (!demands.every((d) => !d.cluster.base && !this.awaitsProduct(d.cluster))) return false;
    return this.moveAlong(v, demands);
  }

  /** Whether a product may still join a cluster. */
  private awaitsProduct(cluster: Cluster): boolean {
    const isOne = (x: Value): boolean => this.contractions.get(x)?.as === "product" && !this.within.has(x);
    return [...cluster.members.keys()].some((m) => m.op.kind === "elementwise" && m.inputs.some(isOne));
  }

  // ---- stored

  /** As one more result of a cluster that computes over the same domain, if that makes no cycle. */
  private storeWith(v: Value, demands: readonly Demand[]): boolean {
    if (!this.fusing) return false;
    for (const [cluster, here] of byCluster(demands)) {
      if (cluster.special || cluster.piece || !sameShape(cluster.shape, v.shape)) continue;
      const asIs = here.every((d) => d.want === "compute" && cluster.isIdentity(d.view));
      if (!asIs || !fits(v, cluster, here, this.contractions)) continue;
      const others = new Set(this.readersOf(v, demands).flatMap((d) => (here.includes(d) ? [] : [d.cluster])));
      if ([...others].some((o) => reaches(o, cluster))) continue;
      this.beBase(v, cluster);
      this.put(v, cluster, here);
      cluster.stores.push(v);
      this.write(v, cluster, demands);
      return true;
    }
    return false;
  }

  /** A reduction beside another that goes through the same: that is read once. */
  private storeBeside(v: Value, demands: readonly Demand[]): boolean {
    if (!this.fusing || v.op.kind !== "reduce") return false;
    for (const other of this.reductionsNear(v)) {
      const cluster = this.home.get(other);
      if (!cluster?.stores.includes(other) || !sameShape(cluster.shape, v.shape) || !goThroughTheSame(v, other)) continue;
      const here = [wholeOf(cluster)];
      if (!fits(v, cluster, here, this.contractions) || this.readersOf(v, demands).some((d) => reaches(d.cluster, cluster))) continue;
      this.put(v, cluster, here);
      cluster.stores.push(v);
      this.write(v, cluster, demands);
      return true;
    }
    return false;
  }

  /** Reductions of what v goes through that have their place. */
  private reductionsNear(v: Value): Set<Value> {
    const found = new Set<Value>();
    const seen = walkedBy(v);
    for (const x of seen) {
      for (const [c] of this.consumers.get(x) ?? []) {
        if (c.op.kind === "reduce" && c !== v) found.add(c);
        else if (c.op.kind === "elementwise" && seen.size < MOST_NEAR) seen.add(c);
      }
    }
    return found;
  }

  private storeApart(v: Value, demands: readonly Demand[]): void {
    const whole =
      v.op.kind === "serial" ||
      (v.op.kind === "place" && !(this.fusing && hasBorder(v))) ||
      (v.op.kind === "indexed" && v.op.mode === "scatterAdd");
    const cluster = new Cluster(v.shape, { special: whole ? v : undefined });
    this.clusters.push(cluster);
    if (whole && isDisjoint(v)) this.cut(v, cluster, (view) => view);
    if (whole) listIn(this.within, v).push(cluster);
    else {
      this.beBase(v, cluster);
      this.put(v, cluster, [wholeOf(cluster)]);
      cluster.stores.push(v);
    }
    this.write(v, cluster, demands);
  }

  /** What is put into a place becomes its pieces, each written where it belongs by the kernel that computes it; of a place within it, its inputs. */
  private cut(place: Value, whole: Cluster, outer: Piece["target"]): void {
    const op = place.op as Place;
    const pieces = place.inputs.map((value, i) => {
      const target: Piece["target"] = (view, domain) => outer(op.target(view, domain, place.attributes, i, place.inputs), domain);
      if (this.isOnlyIn(value, place, whole)) {
        this.inPlaces.add(value);
        listIn(this.within, value).push(whole);
        this.cut(value, whole, target);
        return undefined;
      }
      const piece = new Cluster(value.shape, { piece: { value, into: whole.special!, target } });
      piece.consumers.add(whole);
      this.clusters.push(piece);
      return piece;
    });
    whole.pieces.set(place, pieces);
  }

  /** Whether a value is a place whose elements are wanted in another place only, and there in memory. */
  private isOnlyIn(v: Value, place: Value, whole: Cluster): boolean {
    const once = this.consumers.get(v)?.length === 1 && !this.inMemory.has(v);
    const stored = (this.within.get(place) ?? []).every((cluster) => cluster === whole);
    return this.fusing && once && stored && isDisjoint(v) && !hasBorder(v) && sizeOf(place.shape) > 0;
  }

  /** v is written by `cluster`; everybody else reads it. */
  private write(v: Value, cluster: Cluster, demands: readonly Demand[]): void {
    this.home.set(v, cluster);
    for (const d of this.readersOf(v, demands)) if (d.cluster !== cluster) cluster.consumers.add(d.cluster);
  }

  private readersOf(v: Value, demands: readonly Demand[]): Demand[] {
    return [...demands, ...(this.aliasReaders.get(v) ?? [])];
  }
}

/** All of what a cluster computes, as it is. */
const wholeOf = (cluster: Cluster): Demand => ({ cluster, want: "compute", view: cluster.identity, beyond: false });

/**
 * Whether a value is made of what its own rows have in common, as x − max x is: the reduction joins the kernel where that is computed, and is not done again.
 */
function ofItsRows(v: Value): boolean {
  const seen = new Set([v]);
  for (const x of seen) {
    if (x.op.kind === "elementwise" && seen.size < MOST_NEAR) for (const y of x.inputs) seen.add(y);
    if (!isSpread(x) || isLeaf(x.inputs[0]!)) continue;
    const cluster = new Cluster(x.shape);
    const view = cluster.domain.through(x, cluster.identity);
    if (view && cluster.trails(cluster.missing(view))) return true;
  }
  return false;
}

/** How many operations on one tensor, one after the other, are rather done again than stored. */
const MOST_CHAINED = 12;

/** How many values are looked at for a reduction that goes through the same. */
const MOST_NEAR = 48;

/** Whether a value is a place whose inputs go to different elements. */
const isDisjoint = (v: Value): boolean => v.op.kind === "place" && !v.op.overlaps(v.attributes);

/** The list of a key, made where there is none. */
function listIn<K, T>(lists: Map<K, T[]>, key: K): T[] {
  let list = lists.get(key);
  if (!list) lists.set(key, (list = []));
  return list;
}

/** A value may be wanted by very many clusters: each gets its own demands, without looking through all for each. */
function byCluster(demands: readonly Demand[]): Map<Cluster, Demand[]> {
  const groups = new Map<Cluster, Demand[]>();
  for (const d of demands) listIn(groups, d.cluster).push(d);
  return groups;
}

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
