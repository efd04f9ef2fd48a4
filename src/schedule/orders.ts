/**
 * In which order the axes of each stored value lie: channels last around windowed products, row-major wherever nothing speaks against it. Products over
 * windows say how they want what they read and give; other kernels write as the largest of what they read lies, and what nobody has spoken for
 * lies as the largest that is written from it.
 */
import { sizeOf } from "../core/shape.ts";
import type { Value } from "../graph/op.ts";
import type { View } from "./affine.ts";
import type { Cluster } from "./cluster.ts";
import type { Fusion } from "./fuse.ts";
import { type Order, rowMajorOrder, stridesAlong, stridesIn } from "./layout.ts";
import { isWindow, isWindowed, outermostFirst, type Sum, sumOf } from "./product.ts";

/** Below this many axes there are no channels to put last. */
const FEWEST_AXES = 3;

/** The orders that are not row-major. `rowMajor`: values that must be. */
export function chooseOrders(fusion: Fusion, rowMajor: ReadonlySet<Value>): ReadonlyMap<Value, Order> {
  const chooser = new Chooser(fusion, new Set([...rowMajor, ...readBesideLarger(fusion)]));
  const clusters = fusion.clusters.toReversed();
  for (const c of clusters) chooser.forwards(c);
  // Without windows nothing lies in another order.
  if (chooser.orders.size > 0) for (const c of fusion.clusters) chooser.backwards(c);
  return chooser.orders;
}

/** A leaf that is much larger than what is read along with it decides: a matrix of weights is not walked in the steps of the vector it is multiplied with. */
const MUCH = 4;

/** What loops read together with a larger leaf, all of which are row-major. */
function readBesideLarger({ clusters, home }: Fusion): Value[] {
  return clusters.flatMap((cluster) => {
    const values = cluster.base ? [] : seenBy(cluster).map(({ value }) => value);
    const largest = (of: readonly Value[]): number => Math.max(0, ...of.map((v) => sizeOf(v.shape)));
    const leaves = largest(values.filter(isStoredLeaf));
    return values.filter((v) => home.has(v) && MUCH * largest([v]) <= leaves);
  });
}

/** A leaf that is read from memory: positions are counted. */
const isStoredLeaf = (v: Value): boolean => v.op.kind === "leaf" && v.op.source !== "iota" && sizeOf(v.shape) > 1;

/** Orders that somebody has asked for, where they may be had. */
export function givenOrders(
  { home, aliases }: Fusion,
  order: (v: Value) => Order | undefined,
  rowMajor: ReadonlySet<Value>,
): ReadonlyMap<Value, Order> {
  const families = familiesOf(aliases);
  const orders = new Map<Value, Order>();
  for (const v of home.keys()) {
    const family = families.get(v) ?? [v];
    const wanted = sizeOf(v.shape) > 0 && !family.some((x) => rowMajor.has(x)) && order(v);
    if (wanted) for (const [x, own] of sharedOrders(v, wanted, family)) orders.set(x, own);
  }
  return orders;
}

/** A value in memory as a kernel sees it. */
interface Seen {
  readonly value: Value;
  readonly view: View;
}

class Chooser {
  readonly orders = new Map<Value, Order>();
  private readonly fusion: Fusion;
  private readonly rowMajor: ReadonlySet<Value>;
  private readonly families: ReadonlyMap<Value, readonly Value[]>;

  constructor(fusion: Fusion, rowMajor: ReadonlySet<Value>) {
    this.fusion = fusion;
    this.rowMajor = rowMajor;
    this.families = familiesOf(fusion.aliases);
  }

  forwards(cluster: Cluster): void {
    if (cluster.base) this.ofProduct(cluster);
    else if (this.orders.size > 0) {
      const from = this.largestOf(seenBy(cluster));
      if (from) for (const v of writtenBy(cluster)) this.follow(v, from, cluster);
    }
  }

  backwards(cluster: Cluster): void {
    const from = this.largestOf(writtenBy(cluster));
    if (from) for (const x of seenBy(cluster)) this.follow(x, from, cluster);
  }

  private isFree(v: Value): boolean {
    const family = this.families.get(v) ?? [v];
    const free = family.every((x) => !this.rowMajor.has(x)) && this.fusion.home.has(family[0]!);
    return free && !this.orders.has(v) && v.shape.length >= FEWEST_AXES && sizeOf(v.shape) > 0;
  }

  /** v lies in this order, or as near to it as all of its names allow. */
  private set(v: Value, order: Order): void {
    if (!this.isFree(v)) return;
    for (const [x, own] of sharedOrders(v, order, this.families.get(v) ?? [v]))
      if (own.some((axis, i) => axis !== i)) this.orders.set(x, own);
  }

  private stridesAlong({ value, view }: Seen, { domain }: Cluster): readonly number[] {
    const own = stridesIn(this.orders.get(value) ?? rowMajorOrder(value.shape), value.shape);
    return stridesAlong(own, view, domain.sizes.length).strides;
  }

  /** The largest of some values, if an order has been chosen for it. */
  private largestOf(seen: readonly Seen[]): Seen | undefined {
    const size = ({ value }: Seen): number => sizeOf(value.shape) + (this.orders.has(value) ? 0.5 : 0);
    const largest = seen.reduce<Seen | undefined>((best, s) => (best && size(best) >= size(s) ? best : s), undefined);
    return largest && this.orders.has(largest.value) ? largest : undefined;
  }

  /** v lies as another one does, along the axes of the kernel that moves both. */
  private follow({ value, view }: Seen, other: Seen, cluster: Cluster): void {
    if (!this.isFree(value)) return;
    const steps = this.stridesAlong(other, cluster).map(Math.abs);
    const step = filledUp(
      view.map(({ terms }) => Math.min(...terms.flatMap(([axis]) => (steps[axis] ? [steps[axis]] : [])))),
      Number.POSITIVE_INFINITY,
    );
    this.set(value, rowMajorOrder(value.shape).sort((p, q) => (step[p] === step[q] ? p - q : step[q]! - step[p]!))); // biome-ignore format: one call
  }

  /** Sums over windows run along channels and a row of taps at once, and give channels that are next to each other. */
  private ofProduct(cluster: Cluster): void {
    const sum = sumOf(cluster);
    const { a, b, m, n, k, batch } = sum;
    const windowed = isWindowed(sum);
    if (!windowed && ![a, b].some((x) => this.orders.has(x.value))) return;
    if (windowed) this.set(a.value, channelsLast(sum));
    const steps = this.stridesAlong(a, cluster);
    // What is multiplied with windows is read along the sum, in steps of its columns.
    if (windowed) this.set(b.value, inOrderOf([...outermostFirst(k, steps), ...n], b.view));
    const columns = outermostFirst(n, this.stridesAlong(b, cluster));
    // A batch that comes before all else stays there.
    const leading = batch.filter((axis) => m.every((other) => axis < other));
    const others = batch.filter((axis) => !leading.includes(axis));
    const order = [...leading, ...outermostFirst(m, steps), ...others, ...columns];
    for (const { value, view } of writtenBy(cluster)) this.set(value, inOrderOf(order, view));
  }
}

/** Values that are names of one memory, each with all of its family: first the one that is computed. */
function familiesOf(aliases: ReadonlyMap<Value, Value>): Map<Value, Value[]> {
  const families = new Map<Value, Value[]>();
  for (const v of aliases.keys()) {
    let first = v;
    for (let next = aliases.get(first); next; next = aliases.get(first)) first = next;
    const family = families.get(first) ?? [first];
    if (!family.includes(v)) family.push(v);
    for (const x of family) families.set(x, family);
  }
  return families;
}

/**
 * The orders of names of one memory that are shapes of the same elements. Axes that together hold as many elements in all shapes may change
 * places with others; among themselves they stay as they are.
 */
export function sharedOrders(v: Value, order: Order, family: readonly Value[]): [Value, Order][] {
  const before = (shape: readonly number[]): number[] => shape.map((_, axis) => sizeOf(shape.slice(0, axis)));
  const common = before(v.shape).filter((n) => family.every((x) => before(x.shape).includes(n)));
  const starts = [...new Set([1, ...common])].filter((n) => n < sizeOf(v.shape) || n === 1).sort((p, q) => p - q);
  const groupOf = (n: number): number => starts.findLastIndex((start) => start <= n);
  const own = before(v.shape).map(groupOf);
  const groups = [...new Set([...order.filter((axis) => v.shape[axis] !== 1).map((axis) => own[axis]!), ...own])];
  return family.map((x) => {
    const within = before(x.shape).map(groupOf);
    return [x, x.shape.map((_, axis) => axis).sort((p, q) => groups.indexOf(within[p]!) - groups.indexOf(within[q]!) || p - q)];
  });
}

/** What a kernel reads from memory, as far as it is seen along the axes of what it writes. */
const seenBy = (cluster: Cluster): Seen[] => (cluster.special ? [] : cluster.reads());

const writtenBy = (cluster: Cluster): Seen[] => cluster.written.map(({ into, view }) => ({ value: into, view }));

/** The axes of a value by where the first of the kernel's axes that moves them stands in a list. */
function inOrderOf(axes: readonly number[], view: View): Order {
  const place = filledUp(
    view.map(({ terms }) => Math.min(...terms.map(([axis]) => axes.indexOf(axis)).filter((i) => i >= 0))),
    -1,
  );
  return view.map((_, axis) => axis).sort((p, q) => place[p]! - place[q]! || p - q);
}

/** What is not finite, of axes that nothing moves, as it is of the axis before: the two stay together. */
function filledUp(list: readonly number[], first: number): number[] {
  let last = first;
  return list.map((n) => (last = Number.isFinite(n) ? n : last));
}

/** The axes of what windows are cut from: channels last, groups of them before. Taps are fewer than what they slide over. */
function channelsLast(sum: Sum): Order {
  const { a, m, k, sizes } = sum;
  const extent = (of: readonly number[]): number =>
    sizeOf(
      a.view.flatMap((form) => (isWindow(form, sum) ? form.terms.flatMap(([axis]) => (of.includes(axis) ? [sizes[axis]!] : [])) : [])),
    );
  const channels = extent(k) <= extent(m) ? k : m;
  const rank = a.view.map((form, i) => {
    const moved = form.terms.map(([axis]) => axis).filter((axis) => sizes[axis] !== 1);
    if (isWindow(form, sum) || moved.length === 0) return 0;
    if (moved.some((axis) => channels.includes(axis))) return 2;
    return i > 0 && moved.every((axis) => sum.batch.includes(axis)) ? 1 : 0;
  });
  return a.view.map((_, axis) => axis).sort((p, q) => rank[p]! - rank[q]! || p - q);
}
