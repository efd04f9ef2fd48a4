/** Units of work: a few kernels that run one after another, with what they read and write, and the order between units. */
import { InternalError } from "../core/errors.ts";
import { sizeOf } from "../core/shape.ts";
import type { IndexAlgebra, IndexedAttributes, Place, ScatterAdd, Serial as SerialOp, Value } from "../graph/op.ts";
import { type Access, accessOf, constant, type Expr, load, readsBelow, rewrite, scalar, withAccess } from "../kernel/expr.ts";
import { type Kernel, nodesOf, type Operand, type Rows, readsOf, rootsOf, type Serial, withRoots, writesOf } from "../kernel/kernel.ts";
import { Domain, type View } from "./affine.ts";
import { buildKernel, type Memory } from "./build.ts";
import type { Cluster, Piece } from "./cluster.ts";
import { stridesAlong } from "./layout.ts";

export interface Unit {
  kernels: Kernel[];
  /** What its steps are called in print. */
  readonly label: string;
  readonly reads: Set<number>;
  readonly writes: Set<number>;
  /** Whether a check in it can fail. */
  fallible: boolean;
  /** Units that must have run before, for other reasons than reading what they write. */
  readonly after: Set<Unit>;
}

export function unitOf(kernels: Kernel[], label: string): Unit {
  const unit: Unit = { kernels, label, reads: new Set(), writes: new Set(), fallible: false, after: new Set() };
  for (const k of kernels) {
    for (const a of readsOf(k)) unit.reads.add(a.buffer);
    for (const a of writesOf(k)) unit.writes.add(a.buffer);
    if (k.kind === "serial") unit.fallible ||= k.check !== undefined;
    if (k.kind === "rows") unit.fallible ||= k.guards.length > 0 || nodesOf(k).some((e) => e.op === "inRange");
  }
  return unit;
}

/** The kernels of a cluster. */
export function clusterUnit(cluster: Cluster, memory: Memory): Unit {
  const v = cluster.special;
  if (!v) {
    const unit = unitOf([buildKernel(cluster, memory)], cluster.stores.map((s) => s.op.name).join("+"));
    for (const b of unit.writes)
      if (unit.reads.has(b)) throw new InternalError(`the kernel ${unit.label} reads from memory what it writes`);
    return unit;
  }
  const kernels =
    v.op.kind === "place"
      ? placeKernels(cluster, v, memory)
      : v.op.kind === "serial"
        ? [serialKernel(v, v.op, memory)]
        : scatterKernels(v, v.op as ScatterAdd, memory);
  return unitOf(kernels, v.op.name);
}

/** A value in memory as it is. */
const whole = (v: Value, memory: Memory): Access => ({ buffer: inMemory(v, memory), offset: 0, strides: memory.stridesOf(v) });

function inMemory(v: Value, memory: Memory): number {
  const buffer = memory.placeOf(v);
  if (buffer === undefined) throw new InternalError(`%${v.id} (${v.op.name}) should be in memory`);
  return buffer;
}

/** v, read from memory as it is; a scalar constant has none and needs none. */
function read(v: Value, memory: Memory): Expr {
  const buffer = memory.bufferOf(v);
  const data = (v.attributes as { data?: ArrayLike<number> } | undefined)?.data;
  if (buffer === undefined && data) return constant(data[0]!, v.dtype);
  return load(whole(v, memory), v.dtype);
}

/** A place: what nothing goes to, then each of its pieces; or what goes to the same elements added up. */
function placeKernels(cluster: Cluster, v: Value, memory: Memory): Kernel[] {
  const op = v.op as Place;
  const to = whole(v, memory);
  if (cluster.pieces.size > 0) {
    const pieces = [...cluster.pieces.values()].flat().filter((piece) => piece && sizeOf(piece.shape) > 0);
    return [...fills(v, cluster, to, (view) => view), ...pieces.map((piece) => buildKernel(piece!, memory))];
  }
  const fill = fillKernel(to, v, v.shape);
  return [
    fill,
    ...v.inputs.flatMap((x, i) => {
      const domain = new Domain(x.shape);
      const target = op.target(domain.identity(x.shape.length), domain as IndexAlgebra<View[number]>, v.attributes, i, v.inputs);
      const store = { buffer: to.buffer, ...stridesAlong(to.strides, target, x.shape.length) };
      return accumulating(x, read(x, memory), store, target);
    }),
  ];
}

/** What a place, and places within it, are where no piece of theirs goes. `target`: where their elements go in the whole. */
function fills(place: Value, cluster: Cluster, to: Access, outer: Piece["target"]): Rows[] {
  const op = place.op as Place;
  const covered = place.inputs.reduce((n, x) => n + sizeOf(x.shape), 0) === sizeOf(place.shape);
  const domain = new Domain(place.shape);
  const at = { ...to, ...stridesAlong(to.strides, outer(domain.identity(place.shape.length), domain), place.shape.length) };
  const within = place.inputs.flatMap((x, i) => {
    if (!cluster.pieces.has(x)) return [];
    return fills(x, cluster, to, (view, d) => outer(op.target(view, d, place.attributes, i, place.inputs), d));
  });
  return covered ? within : [fillKernel(at, place, place.shape), ...within];
}

const fillKernel = (to: Access, place: Value, shape: readonly number[]): Rows => ({
  kind: "rows",
  outer: shape,
  inner: [],
  stores: [{ to, value: constant((place.op as Place).fill(place.attributes), place.dtype) }],
  guards: [],
});

/** Adds x to where it goes, one step along an axis that collides with another at a time, so that no two elements meet. */
function accumulating(x: Value, value: Expr, store: Access, target: View): Kernel[] {
  const colliding = target.filter((f) => f.terms.length > 1).flatMap((f) => f.terms.map(([a]) => a));
  const axis = colliding.reduce((a, b) => (x.shape[b]! < x.shape[a]! ? b : a));
  return Array.from({ length: x.shape[axis]! }, (_, i) => {
    const at = (a: Access): Access => ({ ...a, offset: a.offset + i * a.strides[axis]!, strides: a.strides.with(axis, 0) });
    const to = at(store);
    const from = value.op === "load" ? { ...value, from: at(value.from) } : value;
    const sum = scalar("add", [load(to, x.dtype), from], x.dtype);
    return { kind: "rows", outer: x.shape.with(axis, 1), inner: [], stores: [{ to, value: sum }], guards: [] };
  });
}

function serialKernel(v: Value, op: SerialOp<any, any>, memory: Memory): Serial {
  return {
    kind: "serial",
    template: op.template,
    attributes: v.attributes,
    dtype: v.inputs[0]!.dtype as Serial["dtype"],
    reads: v.inputs.map((x) => whole(x, memory)),
    shapes: v.inputs.map((x) => x.shape),
    write: whole(v, memory),
    check: op.check?.(v.inputs, v.attributes) && memory.checkFor(v),
  };
}

function scatterKernels(v: Value, { template }: ScatterAdd, memory: Memory): Kernel[] {
  const [x, indices, updates] = v.inputs as [Value, Value, Value];
  const { batch } = v.attributes as IndexedAttributes;
  const to = whole(v, memory);
  const copy: Rows = { kind: "rows", outer: v.shape, inner: [], stores: [{ to, value: read(x, memory) }], guards: [] };
  const scatter: Serial = {
    kind: "serial",
    template,
    attributes: {
      batch: sizeOf(x.shape.slice(0, batch)),
      count: sizeOf(indices.shape.slice(batch)),
      row: sizeOf(x.shape.slice(batch + 1)),
      bound: x.shape[batch]!,
    },
    dtype: x.dtype as Serial["dtype"],
    reads: [whole(indices, memory), whole(updates, memory)],
    shapes: [indices.shape, updates.shape],
    write: to,
  };
  return [copy, scatter];
}

/** Units in an order in which everything is there when it is needed; those in `first` and what they need come before all others. */
export function inOrder(units: readonly Unit[], first: ReadonlySet<Unit>): Unit[] {
  const writers = writersOf(units);
  const done = new Set<Unit>();
  const visit = (root: Unit): void => {
    const stack: { unit: Unit; waits: Unit[] }[] = [{ unit: root, waits: needsOf(root, writers) }];
    const open = new Set<Unit>([root]);
    while (stack.length > 0) {
      const top = stack.at(-1)!;
      const next = top.waits.pop();
      if (!next) {
        done.add(top.unit);
        open.delete(top.unit);
        stack.pop();
      } else if (!done.has(next)) {
        if (open.has(next)) throw new InternalError(`the kernels ${next.label} and ${top.unit.label} wait for each other`);
        open.add(next);
        stack.push({ unit: next, waits: needsOf(next, writers) });
      }
    }
  };
  for (const u of units) if (first.has(u) && !done.has(u)) visit(u);
  for (const u of units) if (!done.has(u)) visit(u);
  return [...done];
}

export function writersOf(units: readonly Unit[]): Map<number, Unit> {
  const writers = new Map<number, Unit>();
  for (const u of units) for (const b of u.writes) writers.set(b, u);
  return writers;
}

/** What must have run before a unit, the last ones first. */
export function needsOf(unit: Unit, writers: ReadonlyMap<number, Unit>): Unit[] {
  const needs = new Set(unit.after);
  for (const b of unit.reads) {
    const writer = writers.get(b);
    if (writer && writer !== unit) needs.add(writer);
  }
  return [...needs].reverse();
}

/** Everything that must have run before these, and these. */
export function ancestorsOf(roots: Iterable<Unit>, writers: ReadonlyMap<number, Unit>): Set<Unit> {
  const found = new Set<Unit>(roots);
  const stack = [...found];
  while (stack.length > 0) {
    for (const u of needsOf(stack.pop()!, writers)) {
      if (found.has(u)) continue;
      found.add(u);
      stack.push(u);
    }
  }
  return found;
}

/** The same kernel with one buffer in place of another. */
export function renameBuffer(k: Kernel, from: number, to: number): Kernel {
  const access = (a: Access): Access => (a.buffer === from ? { ...a, buffer: to } : a);
  if (k.kind === "serial") return { ...k, reads: k.reads.map(access), write: access(k.write) };
  const moved = withRoots(
    { ...k, stores: k.stores.map((s) => ({ ...s, to: access(s.to) })) },
    rewrite(rootsOf(k), (e) => withAccess(e, access)),
  );
  if (moved.kind === "rows") return moved;
  const operand = (o: Operand): Operand => (o.buffer === from ? { ...o, buffer: to } : o);
  return { ...moved, a: operand(moved.a), b: operand(moved.b) };
}

/** Whether each read of `variable` is at the very element that the kernel then writes from `own`. */
export function readsOnlyWhereItWrites(k: Kernel, own: number, variable: number): boolean {
  if (k.kind === "serial" || (k.kind === "product" && (k.a.buffer === variable || k.b.buffer === variable))) return false;
  const store = k.stores.find((s) => s.to.buffer === own)?.to;
  for (const e of nodesOf(k)) {
    const from = accessOf(e);
    if (from?.buffer !== variable) continue;
    if (e.op === "loadAt" || !store || from.offset !== store.offset || from.strides.join() !== store.strides.join()) return false;
  }
  return store !== undefined && !(k.kind === "rows" && insideReduction(k, variable));
}

/** Whether a reduction of the kernel reads a buffer: then other elements than the one at hand are read. */
function insideReduction(k: Rows, buffer: number): boolean {
  const reductions = nodesOf(k).filter((e) => e.op === "reduce");
  return readsBelow(reductions).some((a) => a.buffer === buffer);
}
