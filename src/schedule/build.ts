/** A cluster becomes a kernel: the expressions of its stores, with loads where other clusters' results or leaves are read. */
import { InternalError } from "../core/errors.ts";
import { sizeOf } from "../core/shape.ts";
import type { ConstantAttributes, Elementwise, IotaAttributes, Move, Place, Value } from "../graph/op.ts";
import { alwaysHolds, together } from "../kernel/bounds.ts";
import {
  type Access,
  type Bound,
  cast,
  constant,
  type Expr,
  index,
  inside,
  load,
  loadWithin,
  reduce,
  scalar,
  select,
} from "../kernel/expr.ts";
import type { Kernel, Product, Rows, Store } from "../kernel/kernel.ts";
import { type Affine, type View, viewKey } from "./affine.ts";
import type { Cluster } from "./cluster.ts";
import { stridesAlong } from "./layout.ts";
import { placed, placedExpr } from "./positions.ts";
import { type Factor, sumOf, tiledProduct } from "./product.ts";

/** Where values lie. */
export interface Memory {
  /** The buffer of a leaf or of a value some cluster writes; undefined where it is computed on the spot. */
  bufferOf(v: Value): number | undefined;
  /** The same, for who can read it from nowhere else: a leaf that had none is put into memory. */
  placeOf(v: Value): number | undefined;
  /** Elements from one position to the next along each axis of a value that has a buffer. */
  stridesOf(v: Value): readonly number[];
  /** The check of a value whose index may be out of range, or whose matrix may not do. */
  checkFor(v: Value): number;
}

export function buildKernel(cluster: Cluster, memory: Memory): Kernel {
  const builder = new Builder(cluster, memory);
  return cluster.base ? builder.product() : builder.rows();
}

/** A kernel that copies memory to memory, through a view. */
export function copyKernel(from: Access, to: Access, shape: readonly number[], dtype: Value["dtype"]): Rows {
  return { kind: "rows", outer: shape, inner: [], stores: [{ to, value: load(from, dtype) }], guards: [] };
}

class Builder {
  private readonly cluster: Cluster;
  private readonly memory: Memory;
  private readonly exprs = new Map<string, Expr>();
  /** What must hold for anything to be read, where the expression at hand looks beyond a value. */
  private within: readonly Border[] = [];
  /** In a product's epilogue the contraction is the accumulator. */
  private accumulate = false;

  constructor(cluster: Cluster, memory: Memory) {
    this.cluster = cluster;
    this.memory = memory;
  }

  rows(): Rows {
    const { domain } = this.cluster;
    // All expressions first: a domain may be cut by the last of them.
    const values = this.cluster.written.map(({ value }) => this.expr(value, this.cluster.identity));
    const outer = domain.order.filter((a) => !domain.inner.has(a));
    const inner = domain.order.filter((a) => domain.inner.has(a));
    const position = new Map([...outer, ...inner].map((a, i) => [a, i]));
    const rank = position.size;
    return {
      kind: "rows",
      outer: outer.map((a) => domain.sizes[a]!),
      inner: inner.map((a) => domain.sizes[a]!),
      stores: this.stores(values).map(({ to, value }) => ({ to: placed(to, position, rank), value: placedExpr(value, position, rank) })),
      guards: [],
    };
  }

  /** The cluster as a tiled product with an epilogue. */
  product(): Product {
    const sum = sumOf(this.cluster);
    this.accumulate = true;
    const stores = this.stores(this.cluster.written.map(({ value }) => this.expr(value, this.cluster.identity)));
    this.accumulate = false;
    this.exprs.clear();
    const [a, b] = [this.factorAccess(sum.a), this.factorAccess(sum.b)];
    return tiledProduct(sum, { a, b, stores }, this.cluster.base!.dtype as Product["dtype"]);
  }

  /** What is written, with the expressions of its values. */
  private stores(values: readonly Expr[]): Store[] {
    return this.cluster.written.map(({ into, view }, i) => ({
      to: this.access(this.memory.bufferOf(into)!, into, view),
      value: values[i]!,
    }));
  }

  private factorAccess({ value, view }: Factor): Access {
    const buffer = this.memory.placeOf(value);
    if (buffer === undefined) throw new InternalError(`the operand %${value.id} of a product is not in memory`);
    return this.access(buffer, value, view);
  }

  /** A stored value through a view. */
  private access(buffer: number, v: Value, view: View): Access {
    const { domain } = this.cluster;
    return { buffer, ...stridesAlong(this.memory.stridesOf(v), domain.currentView(view), domain.sizes.length) };
  }

  private expr(v: Value, view: View): Expr {
    const current = this.cluster.domain.currentView(view);
    const key = `${v.id}|${viewKey(current)}|${this.within.map((b) => `${viewKey([b.form])}<${b.size}`).join(";")}`;
    const known = this.exprs.get(key);
    if (known) return known;
    const made = this.make(v, current);
    this.exprs.set(key, made);
    return made;
  }

  private make(v: Value, view: View): Expr {
    if (v.op.kind === "leaf") return this.leaf(v, view);
    if (v === this.cluster.base && this.accumulate) return { op: "accumulator", dtype: v.dtype };
    if (!this.cluster.members.has(v)) return this.fromMemory(v, view);
    switch (v.op.kind) {
      case "elementwise": {
        const args = v.inputs.map((x) => this.expr(x, view));
        const lowered = (v.op as Elementwise).lower(args, v.attributes, v.dtype);
        return lowered.op === "inRange" && lowered.check < 0 ? { ...lowered, check: this.memory.checkFor(v) } : lowered;
      }
      case "move":
        return this.expr(v.inputs[0]!, (v.op as Move).source(view, this.cluster.domain, v.attributes, v.inputs[0]!, v));
      case "place":
        return this.bordered(v, v.op as Place, view);
      case "reduce": {
        const inner = this.innerOf(v, view);
        const { view: at } = this.cluster.demand(v, 0, view, inner);
        return reduce(v.op.combine, this.loopAxes(inner), this.expr(v.inputs[0]!, at));
      }
      case "contract": {
        const inner = this.innerOf(v, view);
        const [a, b] = v.inputs.map((x, i) => this.expr(x, this.cluster.demand(v, i, view, inner).view));
        const product = scalar("mul", [a!, b!], v.dtype);
        return inner.length === 0 ? product : reduce("sum", this.loopAxes(inner), product);
      }
      case "indexed":
        return this.gather(v, view);
      default:
        throw new InternalError(`%${v.id} (${v.op.name}) cannot be computed inside another kernel`);
    }
  }

  /** What has a border: read within its bounds, and `fill` beyond them. */
  private bordered(v: Value, op: Place, view: View): Expr {
    const { domain } = this.cluster;
    const x = v.inputs[0]!;
    const at = domain.currentView(op.source!(view, domain, v.attributes)!);
    const around = this.within;
    const own = at.map((form, axis): Border => ({ form, size: x.shape[axis]! })).filter((b) => !alwaysHolds(this.boundOf(b), domain.sizes));
    this.within = [...around, ...own];
    const inner = this.expr(x, at);
    const bounds = this.within.map((b) => this.boundOf(b));
    this.within = around;
    if (own.length === 0) return inner;
    const fill = op.fill(v.attributes);
    if (inner.op === "load" && inner.otherwise === undefined) return { ...inner, otherwise: fill };
    return select(inside(bounds.slice(around.length)), inner, constant(fill, v.dtype));
  }

  private boundOf({ form, size }: Border): Bound {
    const { sizes } = this.cluster.domain;
    const strides = new Array<number>(sizes.length).fill(0);
    const { offset, terms } = this.cluster.domain.current(form);
    for (const [axis, c] of terms) strides[axis] = c;
    return { offset, strides, size };
  }

  private innerOf(v: Value, view: View): readonly number[] {
    const key = viewKey(view);
    const found = this.cluster.viewsOf(v).find((m) => viewKey(m.view) === key);
    if (!found) throw new InternalError(`%${v.id} (${v.op.name}) has no loop of its own for this view`);
    return found.inner;
  }

  /** Loop axes as they are after splitting. */
  private loopAxes(axes: readonly number[]): number[] {
    return axes.flatMap((a) => this.cluster.domain.partsOf(a));
  }

  private fromMemory(v: Value, view: View): Expr {
    const buffer = this.memory.bufferOf(v);
    if (buffer === undefined) throw new InternalError(`%${v.id} (${v.op.name}) is neither computed here nor in memory`);
    return loadWithin(this.access(buffer, v, view), v.dtype, together(this.within.map((b) => this.boundOf(b))));
  }

  private leaf(v: Value, view: View): Expr {
    if (v.op.kind === "leaf" && v.op.source === "iota") {
      const form = view[(v.attributes as IotaAttributes).axis]!;
      return cast(this.position(form), v.dtype);
    }
    if (v.op.kind === "leaf" && v.op.source === "constant" && sizeOf(v.shape) === 1) {
      return constant((v.attributes as ConstantAttributes).data[0]!, v.dtype);
    }
    return this.fromMemory(v, view);
  }

  /** An affine form as an expression of loop positions. */
  private position(form: Affine): Expr {
    const int = (n: number): Expr => constant(n, "int32");
    const terms = this.cluster.domain.current(form).terms.map(([a, c]) => (c === 1 ? index(a) : scalar("mul", [index(a), int(c)])));
    const sum = terms.reduce<Expr | undefined>((s, t) => (s ? scalar("add", [s, t]) : t), undefined);
    if (!sum) return int(form.offset);
    return form.offset === 0 ? sum : scalar("add", [sum, int(form.offset)]);
  }

  /** out[b…, i…, r…] = x[b…, indices[b…, i…], r…]. */
  private gather(v: Value, view: View): Expr {
    const [x, indices] = v.inputs as [Value, Value];
    const batch = (v.attributes as { batch?: number }).batch ?? 0;
    const at = this.expr(indices, view.slice(0, indices.shape.length));
    const buffer = this.memory.placeOf(x);
    if (buffer === undefined) throw new InternalError(`%${x.id} (${x.op.name}) is not in memory, to be read at computed positions`);
    // Of nothing no index is in range: the check says so, and nothing is read.
    if (sizeOf(x.shape) === 0) return cast(at, v.dtype);
    const source: View = [...view.slice(0, batch), { offset: 0, terms: [] }, ...view.slice(indices.shape.length)];
    return { op: "loadAt", from: this.access(buffer, x, source), at, stride: this.memory.stridesOf(x)[batch]!, dtype: v.dtype };
  }
}

/** A position that must lie within an axis. */
interface Border {
  readonly form: Affine;
  readonly size: number;
}
