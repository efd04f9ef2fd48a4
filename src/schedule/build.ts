/** A cluster becomes a kernel: the expressions of its stores, with loads where other clusters' results or leaves are read. */
import { InternalError } from "../core/errors.ts";
import { sizeOf } from "../core/shape.ts";
import type { ConstantAttributes, Elementwise, Form, IotaAttributes, Move, Value } from "../graph/op.ts";
import {
  type Access,
  cast,
  constant,
  type Expr,
  index,
  load,
  nodesBelow,
  readsBelow,
  reduce,
  rewrite,
  scalar,
  withAccess,
} from "../kernel/expr.ts";
import type { Kernel, Operand, Product, Rows, Store } from "../kernel/kernel.ts";
import { type AxisGroup, mergeAxes } from "../kernel/merge.ts";
import { type Affine, type View, viewKey } from "./affine.ts";
import { type Cluster, operandView } from "./cluster.ts";
import { labelsOf, rolesOf } from "./contraction.ts";
import { stridesAlong, stridesOf } from "./layout.ts";

/** Where values lie; contiguous, in row-major order. */
export interface Memory {
  /** The buffer of a leaf or of a value some cluster writes; undefined where it is computed on the spot. */
  bufferOf(v: Value): number | undefined;
  /** The same, for who can read it from nowhere else: a leaf that had none is put into memory. */
  placeOf(v: Value): number | undefined;
  /** The check of a value whose index may be out of range, or whose matrix may not do. */
  checkFor(v: Value): number;
}

export function buildKernel(cluster: Cluster, memory: Memory): Kernel {
  const builder = new Builder(cluster, memory);
  return cluster.product ? builder.product(cluster.product.k) : builder.rows();
}

/** A kernel that copies memory to memory, through a view. */
export function copyKernel(from: Access, to: Access, shape: readonly number[], dtype: Value["dtype"]): Rows {
  return { kind: "rows", outer: shape, inner: [], stores: [{ to, value: load(from, dtype) }], guards: [] };
}

class Builder {
  private readonly cluster: Cluster;
  private readonly memory: Memory;
  private readonly exprs = new Map<string, Expr>();
  /** In a product's epilogue the contraction is the accumulator. */
  private accumulate = false;

  constructor(cluster: Cluster, memory: Memory) {
    this.cluster = cluster;
    this.memory = memory;
  }

  rows(): Rows {
    const { domain } = this.cluster;
    const stores = this.cluster.stores.map((v): [Value, Expr] => [v, this.expr(v, this.cluster.identity)]);
    const outer = domain.order.filter((a) => !domain.inner.has(a));
    const inner = domain.order.filter((a) => domain.inner.has(a));
    const position = new Map([...outer, ...inner].map((a, i) => [a, i]));
    const rank = position.size;
    return {
      kind: "rows",
      outer: outer.map((a) => domain.sizes[a]!),
      inner: inner.map((a) => domain.sizes[a]!),
      stores: stores.map(([v, value]) => ({ to: placed(this.storeAccess(v), position, rank), value: placedExpr(value, position, rank) })),
      guards: [],
    };
  }

  /** The cluster as a packed product with an epilogue. `k`: the labels that it sums over, outermost first. */
  product(k: readonly number[]): Product {
    const v = this.cluster.base!;
    const form = v.attributes as Form;
    const { domain } = this.cluster;
    const roles = rolesOf(form);
    const summed = this.cluster.viewsOf(v)[0]!.inner;
    const axisOf = new Map([...labelsOf(form, form.result).entries()].map(([axis, label]) => [label, axis]));
    roles.k.forEach((label, i) => axisOf.set(label, summed[i]!));
    this.accumulate = true;
    const operands = v.inputs.map((x, i) => this.operandAccess(x, operandView(v, i, this.cluster.identity, summed)));
    const stores = this.cluster.stores.map((s): Store => ({ to: this.storeAccess(s), value: this.expr(s, this.cluster.identity) }));
    this.accumulate = false;
    this.exprs.clear();
    const values = stores.map((s) => s.value);
    const accesses = [...stores.map((s) => s.to), ...readsBelow(values)];
    const indexed = new Set(nodesBelow(values).flatMap((e) => (e.op === "index" ? [e.axis] : [])));
    const merged = (labels: readonly number[], moving: readonly Access[]): AxisGroup[] =>
      mergeAxes(labels.map((l) => axisOf.get(l)!), {
        sizes: domain.sizes,
        strides: moving.map((access) => access.strides),
        may: (a, b) => !indexed.has(a) && !indexed.has(b),
      }); // biome-ignore format: one call
    const along = (labels: readonly number[]): number[] => labels.toSorted((a, b) => axisOf.get(a)! - axisOf.get(b)!);
    const m = merged(along(roles.m), [operands[0]!, ...accesses]);
    const n = merged(along(roles.n), [operands[1]!, ...accesses]);
    const [depth, ...more] = merged(k, operands);
    if (!depth || more.length > 0) throw new InternalError(`the axes that %${v.id} sums over are no single run`);
    const [mInner, mOuter] = widest(m);
    const [nInner, nOuter] = widest(n);
    const batch = roles.batch.map((l) => axisOf.get(l)!).map((axis): AxisGroup => ({ axis, size: domain.sizes[axis]!, absorbed: [] }));
    const loops = [...batch, ...mOuter, ...nOuter].sort((a, b) => a.axis - b.axis);
    const groups = [...loops, mInner, nInner];
    const rank = groups.length;
    const position = new Map(groups.flatMap((g, i) => [[g.axis, i] as const, ...g.absorbed.map((a) => [a, ABSORBED] as const)]));
    const operand = (a: Access, row: number): Operand => ({
      buffer: a.buffer,
      offset: a.offset,
      batchStrides: loops.map((g) => a.strides[g.axis] ?? 0),
      rowStride: a.strides[row] ?? 0,
      depthStrides: [a.strides[depth.axis] ?? 0],
    });
    return {
      kind: "product",
      dtype: v.dtype as "float32" | "float64",
      batch: loops.map((g) => g.size),
      m: mInner.size,
      n: nInner.size,
      k: [depth.size],
      a: operand(operands[0]!, mInner.axis),
      b: operand(operands[1]!, nInner.axis),
      clips: [],
      stores: stores.map((s) => ({ to: placed(s.to, position, rank), value: placedExpr(s.value, position, rank) })),
    };
  }

  private storeAccess(v: Value): Access {
    return this.access(this.memory.bufferOf(v)!, v, this.cluster.identity);
  }

  /** Follows moves from an operand of the product to memory. */
  private operandAccess(x: Value, view: View): Access {
    while (this.cluster.members.has(x) && x.op.kind === "move") {
      view = (x.op as Move).source(view, this.cluster.domain, x.attributes, x.inputs[0]!, x);
      x = x.inputs[0]!;
    }
    const buffer = this.memory.placeOf(x);
    if (buffer === undefined) throw new InternalError(`the operand %${x.id} of a product is not in memory`);
    return this.access(buffer, x, view);
  }

  /** A stored value through a view. */
  private access(buffer: number, v: Value, view: View): Access {
    const { domain } = this.cluster;
    return { buffer, ...stridesAlong(v, domain.currentView(view), domain.sizes.length) };
  }

  private expr(v: Value, view: View): Expr {
    const current = this.cluster.domain.currentView(view);
    const key = `${v.id}|${viewKey(current)}`;
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
      case "reduce": {
        const inner = this.innerOf(v, view);
        const { view: at } = this.cluster.demand(v, 0, view, inner, "compute");
        return reduce(v.op.combine, this.loopAxes(inner), this.expr(v.inputs[0]!, at));
      }
      case "contract": {
        const inner = this.innerOf(v, view);
        const [a, b] = v.inputs.map((x, i) => this.expr(x, this.cluster.demand(v, i, view, inner, "compute").view));
        const product = scalar("mul", [a!, b!], v.dtype);
        return inner.length === 0 ? product : reduce("sum", this.loopAxes(inner), product);
      }
      case "indexed":
        return this.gather(v, view);
      default:
        throw new InternalError(`%${v.id} (${v.op.name}) cannot be computed inside another kernel`);
    }
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
    return load(this.access(buffer, v, view), v.dtype);
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
    return { op: "loadAt", from: this.access(buffer, x, source), at, stride: stridesOf(x)[batch]!, dtype: v.dtype };
  }
}

/** The position of an axis that has become part of its neighbour, in whose steps everything moves. */
const ABSORBED = -1;

/** Strides by loop position instead of axis number. */
function placed(a: Access, position: ReadonlyMap<number, number>, rank: number): Access {
  const strides = new Array<number>(rank).fill(0);
  a.strides.forEach((s, axis) => {
    if (s === 0) return;
    const at = position.get(axis);
    if (at === ABSORBED) return;
    if (at === undefined) throw new InternalError(`an access moves along axis ${axis}, which the kernel does not have`);
    strides[at] = s;
  });
  return { ...a, strides };
}

function placedExpr(root: Expr, position: ReadonlyMap<number, number>, rank: number): Expr {
  const at = (axis: number): number => position.get(axis)!;
  const [made] = rewrite([root], (e) => {
    if (e.op === "index") return { ...e, axis: at(e.axis) };
    if (e.op === "reduce") return { ...e, over: e.over.map(at) };
    return withAccess(e, (a) => placed(a, position, rank));
  });
  return made!;
}

/** The longest group, and the others. */
function widest(groups: readonly AxisGroup[]): [AxisGroup, AxisGroup[]] {
  const longest = groups.reduce((a, b) => (b.size >= a.size ? b : a));
  return [longest, groups.filter((g) => g !== longest)];
}
