/**
 * `rows` → loops. Every expression is computed in the outermost loop that binds all axes it depends on; reductions open inner
 * loops; one axis runs over the lanes of a vector.
 */
import { bytesOf } from "../../core/dtype.ts";
import { expand } from "../math/index.ts";
import type { Access, Expr, Reduction } from "../expr.ts";
import type { Lowered, LoweringContext, Rows, Store } from "../kernel.ts";
import { iadd, imin, imul, type Int, type IntLocal, int, irem, isub, type LoopModule, type Statement, type Vec, type VecLocal, vec } from "../loop.ts";
import { accessesOf, type Nest, nodesOf, simplify } from "./axes.ts";
import { ArgumentBlock, blockSize, keyOf } from "./block.ts";
import { chooseLane, chooseParallel, workOf } from "./order.ts";
import { accumulator } from "./reduction.ts";
import { asLane, laneOf, scalarToVec } from "./scalar.ts";

/** A loop that is being filled. The outermost scope is the function itself, with no axis. */
interface Scope {
  readonly axis: number;
  /** Position along the axis, in elements. */
  readonly at: Int;
  readonly statements: Statement[];
  readonly values: Map<Expr, Vec>;
  readonly addresses: Map<string, Int>;
  /** Lanes that count, where the lane axis ends within the vector. */
  readonly count: IntLocal | undefined;
  mask?: Vec;
}

export function lowerRows(kernel: Rows, context: LoweringContext): Lowered {
  const roots = expand([...kernel.stores.map((s) => s.value), ...kernel.guards.map((g) => g.bad)]);
  const nest = simplify({
    ...kernel,
    stores: kernel.stores.map((s, i) => ({ to: s.to, value: roots[i]! })),
    guards: kernel.guards.map((g, i) => ({ check: g.check, bad: roots[kernel.stores.length + i]! })),
  });
  const emitter = new RowsEmitter(nest, context);
  const { module, blocks } = emitter.emitKernel();
  const reads = nodesOf(nest).flatMap((e) => (e.op === "load" || e.op === "loadAt" ? [e.from.buffer] : []));
  return {
    threadBytes: 0,
    calls: [
      {
        code: { key: keyOf(module), module },
        arguments: emitter.block.words,
        blocks,
        work: workOf(nest),
        reads: [...new Set(reads)],
        writes: [...new Set(nest.stores.map((s) => s.to.buffer))],
      },
    ],
  };
}

class RowsEmitter {
  readonly block = new ArgumentBlock();
  private readonly nest: Nest;
  private readonly context: LoweringContext;
  private readonly lanes: number;
  /** The axis that runs over lanes; -1 where the kernel has no axis at all. */
  private readonly lane: number;
  private readonly sizes: Int[];
  private readonly scopes: Scope[] = [];
  private readonly free = new Map<Expr, number>();
  private readonly reductions: Reduction[];
  private readonly strides = new Map<string, IntLocal>();
  private names = 0;

  constructor(nest: Nest, context: LoweringContext) {
    this.nest = nest;
    this.context = context;
    const nodes = nodesOf(nest);
    const wide = nodes.some((e) => e.dtype === "float64") || accessesOf(nest).some((a) => context.dtypeOf(a.buffer) === "float64");
    this.lanes = context.target.vectorBytes / (wide ? 8 : 4);
    this.lane = chooseLane(nest, this.lanes);
    for (const e of nodes) this.free.set(e, this.freeAxes(e));
    this.reductions = nodes.filter((e) => e.op === "reduce");
    this.sizes = nest.sizes.map((n, a) => this.block.size(n, `n${a}`));
  }

  emitKernel(): { module: LoopModule; blocks: number } {
    const [args, begin, end, thread] = [int("arguments"), int("begin"), int("end"), int("thread")];
    const root = this.open(-1, 0);
    const parallel = chooseParallel(this.nest, this.lane);
    let blocks = 1;
    let range: [Int, Int] = [0, 0];
    if (parallel >= 0) {
      const n = this.nest.sizes[parallel]!;
      const size = blockSize(n, workOf(this.nest) / Math.max(1, n), parallel === this.lane ? 64 : 1);
      blocks = Math.max(1, Math.ceil(n / size));
      const each = this.block.size(size, "block");
      range = [this.letInt(imul(begin, each), "from"), this.letInt(imin(imul(end, each), this.sizes[parallel]!), "to")];
    }
    const outer = this.nest.sizes.map((_, a) => a).filter((a) => this.nest.outer[a]);
    const order = [...outer.filter((a) => a === parallel && a !== this.lane), ...outer.filter((a) => a !== parallel && a !== this.lane)];
    if (outer.includes(this.lane)) order.push(this.lane);
    this.over(order, (a) => (a === parallel ? range : [0, this.sizes[a]!]), 1, () => this.emitStores());
    const module: LoopModule = {
      lanes: this.lanes,
      helpers: [],
      entry: { name: "kernel", parameters: [args, begin, end, thread], body: [...this.block.prologue, ...root.statements] },
    };
    return { module, blocks };
  }

  // ---- scopes and loops

  private open(axis: number, at: Int, count?: IntLocal): Scope {
    const scope: Scope = { axis, at, statements: [], values: new Map(), addresses: new Map(), count };
    this.scopes.push(scope);
    return scope;
  }

  private get scope(): Scope {
    return this.scopes.at(-1)!;
  }

  private local(name: string): string {
    return `${name}_${this.names++}`;
  }

  private letInt(value: Int, name: string, scope = this.scope): Int {
    if (typeof value === "number") return value;
    const local = int(this.local(name));
    scope.statements.push({ do: "int", local, value });
    return local;
  }

  private letVec(value: Vec, scope: Scope): VecLocal {
    const local = vec(this.local("v"), value.lane);
    scope.statements.push({ do: "vec", local, value });
    return local;
  }

  /** Nested loops over axes, the lane axis last and in vectors: whole ones (`unroll` at a time), then what is left of one. */
  private over(axes: readonly number[], range: (axis: number) => [Int, Int], unroll: number, body: (copy: number) => void): void {
    const [axis, ...rest] = axes;
    if (axis === undefined) return body(0);
    const [from, to] = range(axis);
    if (axis !== this.lane) return this.loop(axis, from, to, 1, 1, () => this.over(rest, range, unroll, body));
    const W = this.lanes;
    const length = this.letInt(isub(to, from), "length");
    const whole = this.letInt(isub(to, irem(length, W)), "whole");
    let start = from;
    if (unroll > 1) {
      const many = this.letInt(isub(to, irem(length, W * unroll)), "many");
      this.loop(axis, from, many, W, unroll, body);
      start = many;
    }
    this.loop(axis, start, whole, W, 1, body);
    this.remainder(axis, whole, this.letInt(isub(to, whole), "rest") as IntLocal, body);
  }

  private loop(axis: number, from: Int, to: Int, step: number, copies: number, body: (copy: number) => void): void {
    const local = int(this.local(`i${axis}`));
    const statements: Statement[] = [];
    for (let copy = 0; copy < copies; copy++) {
      const scope = this.open(axis, copy === 0 ? local : iadd(local, copy * step));
      body(copy);
      this.scopes.pop();
      statements.push(...scope.statements);
    }
    this.scope.statements.push({ do: "for", local, from, to, step: step * copies, body: statements });
  }

  private remainder(axis: number, at: Int, count: IntLocal, body: (copy: number) => void): void {
    const scope = this.open(axis, at, count);
    body(0);
    this.scopes.pop();
    this.scope.statements.push({ do: "if", test: { op: "lt", a: 0, b: count }, then: scope.statements });
  }

  // ---- what depends on what

  private freeAxes(e: Expr): number {
    const of = (x: Expr): number => this.free.get(x)!;
    const along = (a: Access): number => a.strides.reduce((set, s, axis) => (s === 0 ? set : set | (1 << axis)), 0);
    switch (e.op) {
      case "const":
      case "accumulator":
        return 0;
      case "index":
        return 1 << e.axis;
      case "load":
        return along(e.from);
      case "loadAt":
        return along(e.from) | of(e.at);
      case "inRange":
        return of(e.of);
      case "reduce":
        return e.over.reduce((set, a) => set & ~(1 << a), of(e.of));
      default:
        return e.args.reduce((set, x) => set | of(x), 0);
    }
  }

  /** The innermost open loop that a set of axes needs. */
  private scopeFor(axes: number): Scope {
    for (let i = this.scopes.length - 1; i > 0; i--) if (axes & (1 << this.scopes[i]!.axis)) return this.scopes[i]!;
    return this.scopes[0]!;
  }

  private laneScope(scope: Scope): Scope | undefined {
    const upTo = this.scopes.indexOf(scope);
    const at = this.scopes.findIndex((s) => s.axis === this.lane && s.axis >= 0);
    return at >= 0 && at <= upTo ? this.scopes[at] : undefined;
  }

  // ---- addresses

  private address(a: Access, scope: Scope): Int {
    const bytes = bytesOf(this.context.dtypeOf(a.buffer));
    const key = `${a.buffer}+${a.offset}:${a.strides.join()}`;
    let address: Int = this.rooted(key, () => this.block.address(a.buffer, a.offset * bytes, "p"));
    for (const s of this.scopes.slice(1, this.scopes.indexOf(scope) + 1)) {
      const stride = a.strides[s.axis]!;
      if (stride !== 0) {
        let here = s.addresses.get(key);
        if (here === undefined) {
          here = this.letInt(iadd(address, this.byteOffset(s, stride, bytes, key)), "p", s);
          s.addresses.set(key, here);
        }
        address = here;
      }
    }
    return address;
  }

  private rooted(key: string, make: () => IntLocal): IntLocal {
    const known = this.strides.get(key) ?? make();
    this.strides.set(key, known);
    return known;
  }

  private byteOffset(s: Scope, stride: number, bytes: number, key: string): Int {
    if (stride !== 1) return imul(s.at, this.stride(key, s.axis, stride * bytes));
    const shared = `×${bytes}`;
    const known = s.addresses.get(shared) ?? this.letInt(imul(s.at, bytes), "o", s);
    s.addresses.set(shared, known);
    return known;
  }

  /** Bytes from one element to the next along an axis, an argument of the kernel. */
  private stride(key: string, axis: number, bytes: number): IntLocal {
    return this.rooted(`${key}/${axis}`, () => this.block.size(bytes, "s"));
  }

  // ---- expressions

  private emit(e: Expr): Vec {
    if (e.op === "const") return { op: "splat", value: e.value, lane: laneOf(e.dtype) };
    const scope = this.scopeFor(this.free.get(e)!);
    const known = scope.values.get(e);
    if (known) return known;
    if (e.op === "reduce") {
      this.emitReduction(e, scope);
      return scope.values.get(e)!;
    }
    const value = this.letVec(this.compute(e, scope), scope);
    scope.values.set(e, value);
    return value;
  }

  private compute(e: Exclude<Expr, Reduction>, scope: Scope): Vec {
    switch (e.op) {
      case "const":
      case "accumulator":
        throw new Error(`${e.op} outside its kernel`);
      case "index":
        return e.axis === this.lane
          ? { op: "ramp", value: this.laneScope(scope)!.at, lane: "i32" }
          : { op: "splatInt", value: scope.at, lane: "i32" };
      case "load":
        return this.load(e.from, scope);
      case "loadAt":
        return this.loadAt(e, scope);
      case "inRange":
        return this.inRange(e, scope);
      default: {
        const args = e.args.map((x) => this.emit(x));
        return scalarToVec(e, args, (v) => this.letVec(v, scope));
      }
    }
  }

  private load(from: Access, scope: Scope): Vec {
    const dtype = this.context.dtypeOf(from.buffer);
    const lane = laneOf(dtype);
    const at = this.address(from, scope);
    const inLanes = this.laneScope(scope);
    const stride = inLanes ? from.strides[this.lane]! : 0;
    if (stride === 0) return { op: "load", dtype, at, form: "splat", lane };
    if (stride === 1) return { op: "load", dtype, at, form: "vector", lane };
    const step = this.stride(`${from.buffer}+${from.offset}:${from.strides.join()}`, this.lane, stride * bytesOf(dtype));
    if (!inLanes!.count) return { op: "load", dtype, at, form: "strided", step, lane };
    return { op: "gather", dtype, at, index: this.clampedRamp(inLanes!), step, lane };
  }

  /** 0, 1, … and from the last lane that counts on the same again, so that nothing is read far outside. */
  private clampedRamp(scope: Scope): Vec {
    const last: Vec = { op: "splatInt", value: isub(scope.count!, 1), lane: "i32" };
    return { op: "pmin", args: [{ op: "ramp", value: 0, lane: "i32" }, last], lane: "i32" };
  }

  private loadAt(e: Extract<Expr, { op: "loadAt" }>, scope: Scope): Vec {
    const dtype = this.context.dtypeOf(e.from.buffer);
    const bytes = bytesOf(dtype);
    const given = asLane(this.emit(e.at), "i32");
    const base = this.address(e.from, scope);
    const inLanes = this.laneScope(scope);
    const varies = inLanes && (this.free.get(e.at)! & (1 << this.lane)) !== 0;
    const at = varies && inLanes.count && e.at.op !== "inRange" ? this.insideOnly(given, inLanes) : given;
    const step = this.rooted(`${e.from.buffer}+${e.from.offset}@${e.stride}`, () => this.block.size(e.stride * bytes, "s"));
    const stride = inLanes ? e.from.strides[this.lane]! : 0;
    if (!varies) {
      const chosen = this.letInt({ op: "lane", of: at, lane: 0 }, "k", scope);
      const address = this.letInt(iadd(base, imul(chosen, step)), "p", scope);
      if (stride === 0) return { op: "load", dtype, at: address, form: "splat", lane: laneOf(dtype) };
      if (stride === 1) return { op: "load", dtype, at: address, form: "vector", lane: laneOf(dtype) };
      const along = this.rooted(`${e.from.buffer}+${e.from.offset}/${stride}`, () => this.block.size(stride * bytes, "s"));
      const ramp: Vec = inLanes!.count ? this.clampedRamp(inLanes!) : { op: "ramp", value: 0, lane: "i32" };
      return { op: "gather", dtype, at: address, index: ramp, step: along, lane: laneOf(dtype) };
    }
    if (stride === 0) return { op: "gather", dtype, at: base, index: at, step, lane: laneOf(dtype) };
    // Both the index and the lane move: one index in elements.
    const ramp: Vec = inLanes!.count ? this.clampedRamp(inLanes!) : { op: "ramp", value: 0, lane: "i32" };
    const word = (value: number, name: string): Vec => ({ op: "splatInt", value: this.block.size(value, name), lane: "i32" });
    const index: Vec = {
      op: "add",
      lane: "i32",
      args: [
        { op: "mul", lane: "i32", args: [at, word(e.stride, "s")] },
        { op: "mul", lane: "i32", args: [ramp, word(stride, "s")] },
      ],
    };
    return { op: "gather", dtype, at: base, index, step: bytes, lane: laneOf(dtype) };
  }

  /** Index 0 in lanes that do not count: what stands in memory there may be anything. */
  private insideOnly(index: Vec, scope: Scope): Vec {
    return { op: "select", args: [this.tailMask(scope), index, { op: "splat", value: 0, lane: "i32" }], lane: "i32" };
  }

  private inRange(e: Extract<Expr, { op: "inRange" }>, scope: Scope): Vec {
    const given = asLane(this.emit(e.of), "i32");
    const bound: Vec = { op: "splatInt", value: this.rooted(`bound ${e.bound}`, () => this.block.size(e.bound, "bound")), lane: "i32" };
    const zero: Vec = { op: "splat", value: 0, lane: "i32" };
    const bind = (v: Vec): Vec => this.letVec(v, scope);
    const negative = bind({ op: "lt", args: [given, zero], lane: "mask32" });
    const wrapped = bind({ op: "select", args: [negative, { op: "add", args: [given, bound], lane: "i32" }, given], lane: "i32" });
    const bad = bind({
      op: "or",
      lane: "mask32",
      args: [
        { op: "lt", args: [wrapped, zero], lane: "mask32" },
        { op: "le", args: [bound, wrapped], lane: "mask32" },
      ],
    });
    this.report(e.check, bad, given, this.position(this.free.get(e)!, scope), scope);
    return { op: "select", args: [bad, zero, wrapped], lane: "i32" };
  }

  private report(check: number, bad: Vec, value: Vec, position: Vec, scope: Scope): void {
    const cell = this.rooted(`check ${check}`, () => this.block.check(check));
    const inLanes = this.laneScope(scope);
    scope.statements.push({ do: "report", cell, bad, position, value, count: inLanes ? (inLanes.count ?? this.lanes) : 1 });
  }

  /** Row-major position over the axes of a set. */
  private position(axes: number, scope: Scope): Vec {
    let linear: Int = 0;
    let lanes = false;
    for (const [a, size] of this.sizes.entries()) {
      if (!(axes & (1 << a))) continue;
      const at = this.scopes.find((s) => s.axis === a)!.at;
      lanes = a === this.lane;
      linear = iadd(imul(linear, size), at);
    }
    // Only where the lane axis comes last do lanes count up by one; elsewhere all lanes share the position of the first.
    return { op: lanes && this.laneScope(scope) ? "ramp" : "splatInt", value: this.letInt(linear, "at", scope), lane: "i32" };
  }

  // ---- reductions

  /** One pass over the axes of `first`, for all reductions that can share it, in the scope it belongs to (loops inside that are set aside). */
  private emitReduction(first: Reduction, scope: Scope): void {
    const inside = this.scopes.splice(this.scopes.indexOf(scope) + 1);
    this.emitPass(first, scope);
    this.scopes.push(...inside);
  }

  private emitPass(first: Reduction, scope: Scope): void {
    const together = this.reductions.filter((r) => r === first || this.canJoin(r, first, scope));
    const inLanes = first.over.includes(this.lane);
    const light = inLanes && together.length <= 2 && this.bodySize(together) <= 16;
    const unroll = light && together.every((r) => !r.combine.startsWith("arg")) ? 4 : 1;
    const accumulators = together.map((r) => accumulator(r, unroll, inLanes, (lane) => vec(this.local("acc"), lane)));
    for (const a of accumulators) scope.statements.push(...a.start());
    const axes = first.over.filter((a) => a !== this.lane);
    if (inLanes) axes.push(this.lane);
    this.over(axes, (a) => [0, this.sizes[a]!], unroll, (copy) => {
      together.forEach((r, i) => {
        const of = r.of;
        const fused = r.combine === "sum" && of.op === "mul" && !this.scope.count && !this.isBool(of);
        const parts = fused ? of.args.map((x) => this.emit(x)) : [this.emit(of)];
        const position = (): Vec => this.indexAlong(r.over[0]!);
        const mask = inLanes && this.scope.count ? this.tailMask(this.scope) : undefined;
        this.scope.statements.push(...accumulators[i]!.step(copy, parts, mask, position));
      });
    });
    together.forEach((r, i) => {
      const { statements, value } = accumulators[i]!.finish((v) => this.letVecTemp(v));
      scope.statements.push(...statements);
      scope.values.set(r, value);
    });
  }

  private isBool(e: Expr): boolean {
    return e.dtype === "bool";
  }

  private letVecTemp(v: Vec): { local: VecLocal; statement: Statement } {
    const local = vec(this.local("r"), v.lane);
    return { local, statement: { do: "vec", local, value: v } };
  }

  private indexAlong(axis: number): Vec {
    const at = this.scopes.find((s) => s.axis === axis)!.at;
    return { op: axis === this.lane ? "ramp" : "splatInt", value: at, lane: "i32" };
  }

  private tailMask(scope: Scope): Vec {
    scope.mask ??= this.letVec(
      { op: "lt", lane: "mask32", args: [{ op: "ramp", value: 0, lane: "i32" }, { op: "splatInt", value: scope.count!, lane: "i32" }] },
      scope,
    );
    return scope.mask;
  }

  private canJoin(r: Reduction, first: Reduction, scope: Scope): boolean {
    if (r.over.join() !== first.over.join() || scope.values.has(r)) return false;
    if (this.scopeFor(this.free.get(r)!) !== scope) return false;
    return !this.reaches(r.of, first) && !this.reaches(first.of, r) && !this.waitsForPass(r, first, scope);
  }

  /** True if r needs another reduction over the same axes that has not been computed: it belongs to a later pass. */
  private waitsForPass(r: Reduction, first: Reduction, scope: Scope): boolean {
    return this.reductions.some((q) => q !== r && q !== first && !scope.values.has(q) && q.over.join() === r.over.join() && this.reaches(r.of, q));
  }

  private reaches(from: Expr, to: Expr): boolean {
    const seen = new Set<Expr>();
    const visit = (e: Expr): boolean => {
      if (e === to) return true;
      if (seen.has(e)) return false;
      seen.add(e);
      return "args" in e ? e.args.some(visit) : e.op === "loadAt" ? visit(e.at) : e.op === "inRange" || e.op === "reduce" ? visit(e.of) : false;
    };
    return visit(from);
  }

  private bodySize(list: readonly Reduction[]): number {
    const seen = new Set<Expr>();
    const visit = (e: Expr): void => {
      if (seen.has(e) || e.op === "reduce") return;
      seen.add(e);
      if ("args" in e) e.args.forEach(visit);
    };
    for (const r of list) visit(r.of);
    return seen.size;
  }

  // ---- stores

  private emitStores(): void {
    const outer = this.nest.outer.reduce((set, is, a) => (is ? set | (1 << a) : set), 0);
    const groups = new Map<number, Store[]>();
    for (const s of this.nest.stores) {
      const along = s.to.strides.reduce((set, stride, a) => (stride === 0 ? set : set | (1 << a)), 0);
      const inner = (this.free.get(s.value)! | along) & ~outer;
      groups.set(inner, [...(groups.get(inner) ?? []), s]);
    }
    for (const g of this.nest.guards) {
      const bad = asLane(this.emit(g.bad), "mask32");
      const zero: Vec = { op: "splat", value: 0, lane: "i32" };
      this.report(g.check, bad, zero, zero, this.scope);
    }
    for (const [inner, stores] of groups) {
      const axes = this.nest.sizes.map((_, a) => a).filter((a) => inner & (1 << a) && a !== this.lane);
      if (inner & (1 << this.lane)) axes.push(this.lane);
      this.over(axes, (a) => [0, this.sizes[a]!], 1, () => {
        const values = stores.map((s) => this.storable(s));
        stores.forEach((s, i) => this.emitStore(s, values[i]!));
      });
    }
  }

  private storable(s: Store): Vec {
    const dtype = this.context.dtypeOf(s.to.buffer);
    const value = this.emit(s.value);
    return dtype === "bool" ? value : asLane(value, laneOf(dtype));
  }

  private emitStore(s: Store, value: Vec): void {
    const scope = this.scope;
    const dtype = this.context.dtypeOf(s.to.buffer);
    const at = this.address(s.to, scope);
    const inLanes = this.laneScope(scope);
    const stride = inLanes ? s.to.strides[this.lane]! : 0;
    if (stride === 0) scope.statements.push({ do: "store", dtype, at, value, form: "first" });
    else if (stride !== 1) {
      const step = this.stride(`${s.to.buffer}+${s.to.offset}:${s.to.strides.join()}`, this.lane, stride * bytesOf(dtype));
      scope.statements.push({ do: "store", dtype, at, value, form: "strided", step, count: inLanes!.count ?? this.lanes });
    } else if (inLanes!.count) scope.statements.push({ do: "store", dtype, at, value, form: "partial", count: inLanes!.count });
    else scope.statements.push({ do: "store", dtype, at, value, form: "vector" });
  }
}
