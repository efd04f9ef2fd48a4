/**
 * `rows` → loops. Every expression is computed in the outermost loop that binds all axes it depends on; reductions open inner
 * loops; one axis runs over the lanes of a vector.
 */
import { bytesOf } from "../../core/dtype.ts";
import {
  type Access,
  accessKey,
  type Expr,
  givesPosition,
  type Inside,
  type Load,
  operands,
  type Reduction,
  readsBelow,
} from "../../kernel/expr.ts";
import { accessesOf, nodesOf, type Rows, rootsOf, type Store, withRoots } from "../../kernel/kernel.ts";
import { type Int, type IntLocal, iadd, imin, imul, int, type LoopModule, SLACK, type Vec, vec } from "../../kernel/loop.ts";
import { expand } from "../../kernel/math/index.ts";
import type { Lowered } from "../target.ts";
import { type Nest, outerAxes, simplify } from "./axes.ts";
import { type AxisSet, axesAlong, axisSet, hasAxis, NO_AXES, withoutAxes } from "./axis-set.ts";
import { ArgumentBlock, blockSize, keyOf, THREAD_BYTES } from "./block.ts";
import { Bounds } from "./bounds.ts";
import { freeAxes, isPartOf, outsideReductions } from "./dependence.ts";
import { firstLanes, loadLanes, type Spacing, storeLanes } from "./lanes.ts";
import type { LoopContext } from "./machine.ts";
import { chooseLane, chooseParallel, workOf } from "./order.ts";
import { asBounds, type Form, formsOf } from "./positions.ts";
import { accumulator } from "./reduction.ts";
import { repacked } from "./repack.ts";
import { operationToVec } from "./repeat.ts";
import { ROW, worthKeeping } from "./row-cache.ts";
import { asLane, laneOf } from "./scalar.ts";
import { Loops, type Scope } from "./scopes.ts";

/** Operations up to which several vectors are computed together: their values stay in registers. */
const MOST_SIDE_BY_SIDE = 24;
const ROWS_TOGETHER = 4;

export function lowerRows(kernel: Rows, context: LoopContext): Lowered {
  const roots = asBounds(expand(rootsOf(kernel)), [...kernel.outer, ...kernel.inner]);
  const simple = simplify(withRoots(kernel, roots));
  const lanes = lanesFor(simple, context);
  const lane = chooseLane(simple, lanes);
  const { nest, copies } = repacked(simple, lane, ({ buffer }, elements) => {
    const dtype = context.dtypeOf(buffer);
    return context.allocate(elements * bytesOf(dtype), dtype);
  });
  const emitter = new RowsEmitter(nest, context, lane, lanes);
  const { module, blocks } = emitter.emitKernel();
  const reads = readsBelow(rootsOf(nest)).map((a) => a.buffer);
  return {
    threadBytes: emitter.threadBytes,
    calls: [
      ...copies.flatMap((copy) => lowerRows(copy, context).calls.map((call) => ({ ...call, label: "pack" }))),
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

/** As many lanes as a vector has of the widest type. */
function lanesFor(nest: Nest, { machine, dtypeOf }: LoopContext): number {
  const wide = nodesOf(nest).some((e) => e.dtype === "float64") || accessesOf(nest).some((a) => dtypeOf(a.buffer) === "float64");
  return machine.vectorBytes / (wide ? 8 : 4);
}

class RowsEmitter {
  readonly block = new ArgumentBlock();
  private readonly nest: Nest;
  private readonly context: LoopContext;
  private readonly loops: Loops;
  private readonly bounds: Bounds;
  /** The axes each node depends on. */
  private readonly free: ReadonlyMap<Expr, AxisSet>;
  /** What is counted rather than computed. */
  private readonly forms: ReadonlyMap<Expr, Form>;
  private readonly reductions: Reduction[];
  /** Values kept from one pass over a row for the next, and the pass that makes each. */
  private readonly kept: Map<Expr, { readonly offset: number; pass: number }>;
  /** The passes over inner axes that are being written, the innermost last, each with how many loops are around it; and how many there are. */
  private readonly openPasses = new Map<number, number>();
  private passes = 0;

  constructor(nest: Nest, context: LoopContext, lane: number, lanes: number) {
    this.nest = nest;
    this.context = context;
    const nodes = nodesOf(nest);
    const sizes = nest.sizes.map((n, a) => this.block.size(n, `n${a}`));
    this.loops = new Loops({ block: this.block, context, lane, lanes, sizes });
    this.bounds = new Bounds(this.loops, this.block, nest.sizes);
    this.free = freeAxes(nodes);
    this.forms = formsOf(rootsOf(nest), nest.sizes.length);
    this.reductions = nodes.filter((e) => e.op === "reduce");
    const kept = worthKeeping(nest, this.loops.lane, this.free);
    this.kept = new Map(kept.map((e, i) => [e, { offset: i * ROW * 8, pass: 0 }]));
  }

  /** Bytes of private scratch that each thread needs. */
  get threadBytes(): number {
    return this.kept.size > 0 ? THREAD_BYTES : 0;
  }

  emitKernel(): { module: LoopModule; blocks: number } {
    const [args, begin, end, thread] = [int("arguments"), int("begin"), int("end"), int("thread")];
    const root = this.loops.open(-1, 0);
    const parallel = chooseParallel(this.nest, this.loops.lane);
    let blocks = 1;
    let range: [Int, Int] = [0, 0];
    if (parallel >= 0) {
      const n = this.nest.sizes[parallel]!;
      const size = blockSize(n, workOf(this.nest) / Math.max(1, n), parallel === this.loops.lane ? 64 : 1);
      blocks = Math.max(1, Math.ceil(n / size));
      const each = this.block.size(size, "block");
      range = [root.lines.int(imul(begin, each), "from"), root.lines.int(imin(imul(end, each), this.loops.sizes[parallel]!), "to")];
    }
    const outer = this.nest.sizes.map((_, a) => a).filter((a) => this.nest.outer[a]);
    const order = [
      ...outer.filter((a) => a === parallel && a !== this.loops.lane),
      ...outer.filter((a) => a !== parallel && a !== this.loops.lane),
    ];
    if (outer.includes(this.loops.lane)) order.push(this.loops.lane);
    this.loops.over(
      order,
      (a) => (a === parallel ? range : [0, this.loops.sizes[a]!]),
      this.sideBySide(),
      () => this.emitStores(),
    );
    const module: LoopModule = {
      lanes: this.loops.lanes,
      helpers: [],
      entry: { name: "kernel", parameters: [args, begin, end, thread], body: [...this.block.prologue, ...root.lines.statements] },
    };
    return { module, blocks };
  }

  /**
   * How many vectors of independent elements are computed together, where each of them sums: the loops of their sums become one, which reads several
   * vectors of a row at once and has its own cost once.
   */
  private sideBySide(): number {
    const { lane, lanes } = this.loops;
    if (this.rowsTogether) return ROWS_TOGETHER;
    if (lane < 0 || !this.nest.outer[lane] || this.nest.sizes[lane]! < 2 * lanes || this.reductions.length === 0) return 1;
    const steps = outsideReductions(rootsOf(this.nest)).length + outsideReductions(this.reductions.map((r) => r.of)).length;
    return steps > MOST_SIDE_BY_SIDE ? 1 : this.nest.sizes[lane]! < 4 * lanes ? 2 : 4;
  }

  /**
   * Whether several rows are summed at once, the lanes along each: as many streams from memory, which are read ahead of one another.
   */
  private get rowsTogether(): boolean {
    const { lane } = this.loops;
    const { nest, reductions } = this;
    const row = nest.outer.lastIndexOf(true);
    if (lane < 0 || nest.outer[lane] || row < 0 || nest.sizes[row]! < 2 * ROWS_TOGETHER || this.kept.size > 0) return false;
    const [sum, ...more] = reductions;
    // Sums of what is read as it is have as many partial sums as ever: they are long, and each addition rounds.
    const simple = more.length === 0 && sum?.combine === "sum" && sum.of.op === "mul" && sum.over.includes(lane);
    const nodes = nodesOf(nest);
    const plain = nodes.every((e) => e.op !== "inside" && e.op !== "inRange" && (e.op !== "load" || !e.within));
    return simple && plain && nodes.length <= MOST_SIDE_BY_SIDE;
  }

  // ---- expressions

  private emit(e: Expr): Vec {
    if (e.op === "const") return { op: "splat", value: e.value, lane: laneOf(e.dtype) };
    const scope = this.loops.scopeFor(this.free.get(e)!);
    const known = scope.values.get(e);
    if (known) return known;
    if (e.op === "reduce") {
      this.emitReduction(e, scope);
      return scope.values.get(e)!;
    }
    const value = this.fromRow(e, scope) ?? scope.lines.vec(this.compute(e, scope));
    scope.values.set(e, value);
    this.keepInRow(e, value, scope);
    return value;
  }

  /** A value that an earlier pass over the row has kept. */
  private fromRow(e: Expr, scope: Scope): Vec | undefined {
    const kept = this.kept.get(e);
    // A pass that is still being written runs after those that are begun inside it and stand in front: nothing of it is there yet.
    if (!kept || kept.pass === 0 || this.openPasses.has(kept.pass)) return undefined;
    const { dtype } = e;
    return scope.lines.vec({ op: "load", dtype, at: this.rowAddress(kept.offset, e, scope), form: "vector", lane: laneOf(dtype) });
  }

  private keepInRow(e: Expr, value: Vec, scope: Scope): void {
    const kept = this.kept.get(e);
    const pass = this.passOf(scope);
    if (!kept || (kept.pass !== 0 && kept.pass !== pass)) return;
    kept.pass = pass;
    // Lanes that do not count are kept as well: the row has room for a whole vector at its end.
    scope.lines.statements.push({ do: "store", dtype: e.dtype, at: this.rowAddress(kept.offset, e, scope), value, form: "vector" });
  }

  /** The pass whose loop a scope is. What a pass inside that loop asks for is kept by the loop around it, whose last, incomplete vector has its own. */
  private passOf(scope: Scope): number {
    const at = this.loops.scopes.indexOf(scope);
    let pass = 0;
    for (const [open, around] of this.openPasses) if (around <= at) pass = open;
    return pass;
  }

  private rowAddress(offset: number, e: Expr, scope: Scope): Int {
    const rows = this.loops.rooted("kept rows", () => this.block.privateScratch(int("thread")));
    return scope.lines.int(iadd(iadd(rows, offset), imul(scope.at, bytesOf(e.dtype))), "row");
  }

  private compute(e: Exclude<Expr, Reduction>, scope: Scope): Vec {
    return this.count(e, scope) ?? this.operate(e, scope);
  }

  /** A sum of multiples of positions, where the lanes have one for all or one after the other. */
  private count(e: Expr, scope: Scope): Vec | undefined {
    const form = this.forms.get(e);
    const step = form && (this.loops.laneScope(scope) ? (form.strides[this.loops.lane] ?? 0) : 0);
    if (!form || e.op === "const" || (step !== 0 && step !== 1)) return undefined;
    return { op: step === 1 ? "ramp" : "splatInt", value: this.loops.form(form, scope), lane: "i32" };
  }

  private operate(e: Exclude<Expr, Reduction>, scope: Scope): Vec {
    switch (e.op) {
      case "const":
      case "index":
      case "accumulator":
      case "parameter":
        throw new Error(`${e.op} outside its kernel`);
      case "load":
        return this.load(e, scope);
      case "inside":
        return this.inside(e, scope);
      case "loadAt":
        return this.loadAt(e, scope);
      case "inRange":
        return this.inRange(e, scope);
      default: {
        const args = e.args.map((x) => this.emit(x));
        return operationToVec(e, args, scope.lines);
      }
    }
  }

  private load({ from, within, otherwise = 0 }: Load, scope: Scope): Vec {
    const at = this.loops.address(from, scope);
    const inLanes = this.loops.laneScope(scope);
    const dtype = this.context.dtypeOf(from.buffer);
    const spacing = this.spacing(from, inLanes);
    const plain = (): Vec => loadLanes(dtype, at, spacing, inLanes?.count);
    const open = this.bounds.open(within);
    if (open.length === 0) return plain();
    const lane = laneOf(dtype);
    const step = spacing === "one" ? 0 : spacing === "next" ? bytesOf(dtype) : spacing.step;
    // What is not far outside may be read there: it counts for nothing.
    const near = spacing === "one" || Math.abs(from.strides[this.loops.lane]!) * bytesOf(dtype) * this.loops.lanes <= SLACK;
    const some = (index: Vec): Vec => (near ? plain() : { op: "gather", dtype, at, index, step, lane });
    return this.bounds.read(open, { op: "splat", value: otherwise, lane }, scope, plain, some);
  }

  private inside({ within }: Inside, scope: Scope): Vec {
    const open = this.bounds.open(within);
    return open.length === 0 ? { op: "splat", value: 1, lane: "mask32" } : this.bounds.mask(open, scope);
  }

  private spacing(a: Access, inLanes: Scope | undefined): Spacing {
    const stride = inLanes ? a.strides[this.loops.lane]! : 0;
    if (stride === 0) return "one";
    if (stride === 1) return "next";
    return { step: this.loops.stride(accessKey(a), this.loops.lane, stride * bytesOf(this.context.dtypeOf(a.buffer))) };
  }

  private loadAt(e: Extract<Expr, { op: "loadAt" }>, scope: Scope): Vec {
    const dtype = this.context.dtypeOf(e.from.buffer);
    const bytes = bytesOf(dtype);
    const given = asLane(this.emit(e.at), "i32");
    const base = this.loops.address(e.from, scope);
    const inLanes = this.loops.laneScope(scope);
    const varies = inLanes && hasAxis(this.free.get(e.at)!, this.loops.lane);
    const at = varies && inLanes.count && e.at.op !== "inRange" ? this.insideOnly(given, inLanes) : given;
    const step = this.loops.rooted(`${e.from.buffer}+${e.from.offset}@${e.stride}`, () => this.block.size(e.stride * bytes, "s"));
    const stride = inLanes ? e.from.strides[this.loops.lane]! : 0;
    if (!varies) {
      const chosen = scope.lines.int({ op: "lane", of: at, lane: 0 }, "k");
      const address = scope.lines.int(iadd(base, imul(chosen, step)), "p");
      const far = (): IntLocal =>
        this.loops.rooted(`${e.from.buffer}+${e.from.offset}/${stride}`, () => this.block.size(stride * bytes, "s"));
      return loadLanes(dtype, address, stride === 0 ? "one" : stride === 1 ? "next" : { step: far() }, inLanes?.count);
    }
    if (stride === 0) return { op: "gather", dtype, at: base, index: at, step, lane: laneOf(dtype) };
    // Both the index and the lane move: one index in elements.
    const ramp = firstLanes(inLanes!.count);
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
    return { op: "select", args: [this.loops.tailMask(scope), index, { op: "splat", value: 0, lane: "i32" }], lane: "i32" };
  }

  private inRange(e: Extract<Expr, { op: "inRange" }>, scope: Scope): Vec {
    const given = asLane(this.emit(e.of), "i32");
    const bound: Vec = {
      op: "splatInt",
      value: this.loops.rooted(`bound ${e.bound}`, () => this.block.size(e.bound, "bound")),
      lane: "i32",
    };
    const zero: Vec = { op: "splat", value: 0, lane: "i32" };
    const bind = (v: Vec): Vec => scope.lines.vec(v);
    const wrap = (): Vec => {
      const negative = bind({ op: "lt", args: [given, zero], lane: "mask32" });
      return { op: "select", args: [negative, { op: "add", args: [given, bound], lane: "i32" }, given], lane: "i32" };
    };
    const wrapped = e.fromEnd ? bind(wrap()) : given;
    const bad = bind({
      op: "or",
      lane: "mask32",
      args: [
        { op: "lt", args: [wrapped, zero], lane: "mask32" },
        { op: "le", args: [bound, wrapped], lane: "mask32" },
      ],
    });
    this.report(e.check, bad, given, this.loops.position(this.free.get(e)!, scope), scope);
    return { op: "select", args: [bad, zero, wrapped], lane: "i32" };
  }

  private report(check: number, bad: Vec, value: Vec, position: Vec, scope: Scope): void {
    const cell = this.loops.rooted(`check ${check}`, () => this.block.check(check));
    const inLanes = this.loops.laneScope(scope);
    scope.lines.statements.push({ do: "report", cell, bad, position, value, count: inLanes ? (inLanes.count ?? this.loops.lanes) : 1 });
  }

  // ---- reductions

  /** One pass over the axes of `first`, for all reductions that can share it, in the scope it belongs to (loops inside that are set aside). */
  private emitReduction(first: Reduction, scope: Scope): void {
    const inside = this.loops.scopes.splice(this.loops.scopes.indexOf(scope) + 1);
    this.inPass(() => this.emitPass(first, scope));
    this.loops.scopes.push(...inside);
  }

  /** Passes can begin inside others: what a pass needs is computed by passes before it. */
  private inPass(write: () => void): void {
    const pass = ++this.passes;
    this.openPasses.set(pass, this.loops.scopes.length);
    this.bounds.afresh(write);
    this.openPasses.delete(pass);
  }

  /**
   * Writes the reductions that expressions need and that depend only on loops that are open, before the pass that needs them begins: passes
   * run in the order in which they are written, and what one keeps for the next must be there.
   */
  private prepare(roots: readonly Expr[]): void {
    const open = axisSet(this.loops.scopes.slice(1).map((s) => s.axis));
    const seen = new Set<Expr>();
    const visit = (e: Expr): void => {
      if (seen.has(e)) return;
      seen.add(e);
      if (e.op === "reduce" && withoutAxes(this.free.get(e)!, open) === NO_AXES) this.emit(e);
      // A reduction that waits for an inner loop may hold one that does not.
      else for (const x of operands(e)) visit(x);
    };
    roots.forEach(visit);
  }

  private emitPass(first: Reduction, scope: Scope): void {
    const together = this.reductions.filter((r) => r === first || this.canJoin(r, first, scope));
    const inLanes = first.over.includes(this.loops.lane);
    const light =
      inLanes && together.length <= 2 && outsideReductions(together.map((r) => r.of)).filter((e) => e.op !== "reduce").length <= 16;
    const ordered = together.some((r) => givesPosition(r.combine));
    const unroll = !light || ordered ? 1 : this.rowsTogether ? 2 : 4;
    const accumulators = together.map((r) => accumulator(r, unroll, inLanes, (lane) => vec(this.loops.names.fresh("acc"), lane)));
    this.prepare(together.map((r) => r.of));
    const skipped = this.bounds.skipped(together);
    for (const a of accumulators) scope.lines.statements.push(...a.start(() => this.loops.positionAlong(first.over, "first")));
    // Positions are met in rising order, whichever axis runs over the lanes; else that one comes last.
    const axes = ordered ? first.over : first.over.toSorted((a, b) => Number(a === this.loops.lane) - Number(b === this.loops.lane));
    this.loops.over(
      axes,
      (a) => this.bounds.range(a, skipped),
      unroll,
      (copy) => {
        together.forEach((r, i) => {
          const of = r.of;
          const fused = r.combine === "sum" && of.op === "mul" && !this.kept.has(of);
          const parts = fused ? of.args.map((x) => this.emit(x)) : [this.emit(of)];
          const position = (): Vec => this.loops.positionAlong(r.over);
          const lanes = inLanes ? this.loops.laneScope(this.loops.scope) : undefined;
          const mask = lanes?.count ? this.loops.tailMask(lanes) : undefined;
          this.loops.scope.lines.statements.push(...accumulators[i]!.step(copy, parts, mask, position));
        });
      },
    );
    together.forEach((r, i) => {
      scope.values.set(
        r,
        accumulators[i]!.finish((v) => scope.lines.vec(v, "r")),
      );
    });
  }

  private canJoin(r: Reduction, first: Reduction, scope: Scope): boolean {
    if (r.over.join() !== first.over.join() || scope.values.has(r)) return false;
    if (this.loops.scopeFor(this.free.get(r)!) !== scope) return false;
    return !isPartOf(first, r.of) && !isPartOf(r, first.of) && !this.waitsForPass(r, first, scope);
  }

  /** True if r needs another reduction over the same axes that has not been computed: it belongs to a later pass. */
  private waitsForPass(r: Reduction, first: Reduction, scope: Scope): boolean {
    return this.reductions.some(
      (q) => q !== r && q !== first && !scope.values.has(q) && q.over.join() === r.over.join() && isPartOf(q, r.of),
    );
  }

  // ---- stores

  private emitStores(): void {
    const outer = outerAxes(this.nest);
    const groups = new Map<AxisSet, Store[]>();
    for (const s of this.nest.stores) {
      const inner = withoutAxes(this.free.get(s.value)! | axesAlong(s.to.strides), outer);
      groups.set(inner, [...(groups.get(inner) ?? []), s]);
    }
    for (const g of this.nest.guards) {
      const bad = asLane(this.emit(g.bad), "mask32");
      const zero: Vec = { op: "splat", value: 0, lane: "i32" };
      this.report(g.check, bad, zero, zero, this.loops.scope);
    }
    this.prepare(this.nest.stores.map((s) => s.value));
    for (const [inner, stores] of groups) {
      const { lane } = this.loops;
      const axes = this.nest.sizes.map((_, a) => a).filter((a) => hasAxis(inner, a) && a !== lane);
      if (lane >= 0 && hasAxis(inner, lane)) axes.push(lane);
      this.inPass(() => this.storePass(axes, stores));
    }
  }

  private storePass(axes: readonly number[], stores: readonly Store[]): void {
    this.loops.over(
      axes,
      (a) => [0, this.loops.sizes[a]!],
      1,
      () => {
        const values = stores.map((s) => this.storable(s));
        stores.forEach((s, i) => this.emitStore(s, values[i]!));
      },
    );
  }

  private storable(s: Store): Vec {
    const dtype = this.context.dtypeOf(s.to.buffer);
    const value = this.emit(s.value);
    return dtype === "bool" ? value : asLane(value, laneOf(dtype));
  }

  private emitStore(s: Store, value: Vec): void {
    const { scope } = this.loops;
    const at = this.loops.address(s.to, scope);
    const inLanes = this.loops.laneScope(scope);
    const dtype = this.context.dtypeOf(s.to.buffer);
    scope.lines.statements.push(storeLanes(dtype, at, value, this.spacing(s.to, inLanes), inLanes?.count, this.loops.lanes));
  }
}
