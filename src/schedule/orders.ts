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
  const chooser = new Chooser(fusion, rowMajor);
  const clusters = fusion.clusters.toReversed();
  for (const c of clusters) chooser.forwards(c);
  // Without windows nothing lies in another order.
  if (chooser.orders.size > 0) for (const c of fusion.clusters) chooser.backwards(c);
  return chooser.orders;
}

/** Orders that somebody has asked for, where they may be had. */
export function givenOrders(
  stored: Iterable<Value>,
  order: (v: Value) => Order | undefined,
  rowMajor: ReadonlySet<Value>,
): ReadonlyMap<Value, Order> {
  return new Map([...stored].flatMap((v) => (rowMajor.has(v) ? [] : [[v, order(v) ?? rowMajorOrder(v.shape)] as const])));
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

  constructor(fusion: Fusion, rowMajor: ReadonlySet<Value>) {
    this.fusion = fusion;
    this.rowMajor = rowMajor;
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
    return this.fusion.home.has(v) && !this.rowMajor.has(v) && !this.orders.has(v) && v.shape.length >= FEWEST_AXES;
  }

  private set(v: Value, order: Order): void {
    if (this.isFree(v) && order.some((axis, i) => axis !== i)) this.orders.set(v, order);
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
    const step = view.map(({ terms }) => {
      const moved = terms.flatMap(([axis]) => (steps[axis] ? [steps[axis]] : []));
      return moved.length === 0 ? Number.POSITIVE_INFINITY : Math.min(...moved);
    });
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

/** What a kernel reads from memory, as far as it is seen along the axes of what it writes. */
function seenBy(cluster: Cluster): Seen[] {
  const { special, identity: view } = cluster;
  if (!special) return cluster.reads();
  return special.op.kind !== "place"
    ? []
    : special.inputs.flatMap((value) => (value.shape.length === special.shape.length ? [{ value, view }] : []));
}

function writtenBy(cluster: Cluster): Seen[] {
  const view = cluster.identity;
  return cluster.special ? [{ value: cluster.special, view }] : cluster.stores.map((value) => ({ value, view }));
}

/** The axes of a value by where the first of the kernel's axes that moves them stands in a list. */
function inOrderOf(axes: readonly number[], view: View): Order {
  const place = view.map(({ terms }) => {
    const at = terms.map(([axis]) => axes.indexOf(axis)).filter((i) => i >= 0);
    return at.length === 0 ? -1 : Math.min(...at);
  });
  return view.map((_, axis) => axis).sort((p, q) => place[p]! - place[q]! || p - q);
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
