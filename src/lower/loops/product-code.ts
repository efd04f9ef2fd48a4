/** The code of a product: which blocks there are, and within each the passes over k, the panels, and the tiles. */
import { bytesOf } from "../../core/dtype.ts";
import { InternalError } from "../../core/errors.ts";
import { sizeOf } from "../../core/shape.ts";
import { readsBelow } from "../../kernel/expr.ts";
import type { Clip, Operand, Product } from "../../kernel/kernel.ts";
import { type Int, type IntLocal, iadd, idiv, ieq, ilt, imin, imul, int, irem, isub, type LoopModule } from "../../kernel/loop.ts";
import type { LoweredCall } from "../target.ts";
import { ArgumentBlock, blockSize, keyOf, THREAD_BYTES } from "./block.ts";
import { Lines } from "./lines.ts";
import type { LoopContext } from "./machine.ts";
import { along, clipsAlong, holdsFor, imax } from "./product-depth.ts";
import { Epilogue, present } from "./product-epilogue.ts";
import { type PackAxis, type Packed, packRuns } from "./product-pack.ts";
import { type PanelShape, packHelper, panelBytes } from "./product-panel.ts";
import { type Plan, passSteps } from "./product-plan.ts";
import { columnsOf, tileBytes, tileHelper } from "./product-tile.ts";

export interface Sources {
  /** What a call of its own has packed. */
  readonly a: Packed | undefined;
  readonly b: Packed | undefined;
  /** Elements between the results of two slices, where there are several; otherwise 0. */
  readonly sliceStride: number;
}

type Which = "a" | "b";
type Range = readonly [from: Int, to: Int];

/** The ints of a block: what it covers of C and of k. */
interface BlockScope {
  readonly lines: Lines;
  readonly batch: readonly Int[];
  readonly slice: Int | undefined;
  readonly m: Range;
  readonly n: Range;
  /** Which of the batch elements that a pass runs through. */
  readonly tap: Int;
  /** Along each axis of k; never empty. */
  readonly k: readonly Range[];
  /** 0 where clips leave nothing of the sum, which then runs over no steps; otherwise 1. */
  readonly some: Int;
  /** Where the operands begin for the block's batch element. */
  readonly a: Int;
  readonly b: Int;
}

/** A part of the sum that all tiles of a block go through before the next. */
interface Pass {
  readonly k: readonly Range[];
  readonly first: Int;
  readonly last: Int;
}

interface TilePlace {
  readonly mt: Int;
  readonly nt: Int;
  readonly b: Int;
}

export class TileCode {
  private readonly p: Product;
  private readonly plan: Plan;
  private readonly sources: Sources;
  private readonly bytes: number;
  private readonly block = new ArgumentBlock();
  private readonly epilogue: Epilogue;
  private readonly sizes = new Map<string, IntLocal>();
  private readonly thread = int("thread");
  private readonly units: number;
  private readonly each: number;
  private readonly work: number;
  private mine!: IntLocal;

  constructor(p: Product, plan: Plan, context: LoopContext, sources: Sources) {
    this.p = p;
    this.plan = plan;
    this.sources = sources;
    this.bytes = bytesOf(p.dtype);
    const { stores } = p;
    // A slice is one more batch axis, the last one, that only the stores know.
    const sliced = sources.sliceStride === 0 ? p : { ...p, batch: [...p.batch, plan.slices], stores: stores.map((s) => ({ ...s, to: { ...s.to, strides: s.to.strides.toSpliced(-2, 0, sources.sliceStride) } })) }; // biome-ignore format: one choice
    this.epilogue = new Epilogue(sliced, plan.tile, context, this.block);
    const grid = Math.ceil(plan.tiles.m / plan.block.m) * Math.ceil(plan.tiles.n / plan.block.n);
    this.units = grid * plan.slices * sizeOf(p.batch.slice(0, p.batch.length - plan.within));
    this.work = p.m * p.n * sizeOf(p.k) * sizeOf(p.batch);
    this.each = blockSize(this.units, this.work / 8 / this.units);
  }

  call(): LoweredCall {
    const module = this.module();
    const { p, sources } = this;
    const reads = [sources.a?.buffer ?? p.a.buffer, sources.b?.buffer ?? p.b.buffer];
    for (const a of readsBelow(p.stores.map((s) => s.value))) reads.push(a.buffer);
    return {
      code: { key: keyOf(module), module },
      arguments: this.block.words,
      blocks: Math.ceil(this.units / this.each),
      work: 2 * this.work,
      reads: [...new Set(reads)],
      writes: [...new Set(p.stores.map((s) => s.to.buffer))],
    };
  }

  private size(name: string, value: number): IntLocal {
    const known = this.sizes.get(name) ?? this.block.size(value, name);
    this.sizes.set(name, known);
    return known;
  }

  /** A step in bytes: those of panels are the same in all code of this tile. */
  private step(which: Which, axis: number): Int {
    const { plan } = this;
    const value = plan.axes[axis]![which];
    const literal = plan[which].packing !== "none" && axis === plan.axes.length - 1;
    return literal ? value : this.size(`${which}Step${axis}`, value);
  }

  private module(): LoopModule {
    const { plan } = this;
    const [args, begin, end] = [int("arguments"), int("begin"), int("end")];
    const each = this.size("each", this.each);
    const lines = new Lines();
    this.mine = this.block.privateScratch(this.thread);
    lines.loop("unit", imul(begin, each), imin(imul(end, each), this.size("units", this.units)), 1, (unit, body) => {
      this.overPasses(this.decode(unit, body));
    });
    const packers = (["a", "b"] as const).flatMap((w) => (plan[w].packing === "inside" ? [packHelper(this.shape(w), `pack_${w}`)] : []));
    const helpers = [tileHelper(plan.tile, plan.walk, plan.nested), ...packers];
    const entry = { name: "kernel", parameters: [args, begin, end, this.thread], body: [...this.block.prologue, ...lines.statements] };
    return { lanes: plan.tile.lanes, helpers, entry };
  }

  // ---- blocks

  /** Which block a unit is. From the fastest: n, m, slices, batch; or m, slices, batch, n where all of the batch shares B. */
  private decode(unit: IntLocal, lines: Lines): BlockScope {
    const { p, plan } = this;
    let rest: Int = unit;
    const digit = (count: Int, name: string): Int => {
      const value = lines.int(irem(rest, count), name);
      rest = lines.int(idiv(rest, count), "rest");
      return value;
    };
    const range = (axis: "m" | "n", last: boolean): Range => {
      const blocks = this.size(`${axis}Blocks`, Math.ceil(plan.tiles[axis] / plan.block[axis]));
      const each = this.size(`${axis}Block`, plan.block[axis]);
      const from = lines.int(imul(last ? rest : digit(blocks, axis), each), `${axis}From`);
      return [from, lines.int(imin(iadd(from, each), this.size(`${axis}Tiles`, plan.tiles[axis])), `${axis}To`)];
    };
    const early = plan.columnsLast ? undefined : range("n", false);
    const m = range("m", false);
    const slice = this.sources.sliceStride ? digit(this.size("slices", plan.slices), "slice") : undefined;
    const batch = p.batch
      .slice(0, p.batch.length - plan.within)
      .map((size, d) => [d, size] as const)
      .toReversed();
    const last = plan.columnsLast ? -1 : 0;
    const indices = batch.map(([d, size]) => (d === last ? rest : digit(this.size(`batch${d}`, size), "i"))).toReversed();
    const n = early ?? range("n", true);
    const block = { slice, m, n, tap: 0 };
    return plan.within > 0
      ? { ...block, lines, batch: indices, k: this.rangesOfK(lines, indices, plan.split + 1).k, some: 1, a: 0, b: 0 }
      : this.element(lines, block, indices);
  }

  /** A block at one batch element. */
  private element(lines: Lines, block: Pick<BlockScope, "slice" | "m" | "n" | "tap">, batch: readonly Int[]): BlockScope {
    const { k, some } = this.rangesOfK(lines, batch, this.plan.axes.length, block.slice);
    this.epilogue.begin(lines, block.slice === undefined ? batch : [...batch, block.slice]);
    return { ...block, lines, batch, k, some, a: this.base("a", lines, batch), b: this.base("b", lines, batch) };
  }

  /** What clips leave of the first `axes` axes of k for this batch element, and of the very first one what the slice takes. */
  private rangesOfK(lines: Lines, batch: readonly Int[], axes: number, slice?: Int): { k: Range[]; some: Int } {
    let some: Int = 1;
    const k = this.plan.axes.slice(0, axes).map((axis, d): Range => {
      let [from, to]: [Int, Int] = [0, this.size(`k${d}`, axis.size)];
      if (slice !== undefined && d === 0) {
        from = lines.int(imul(slice, this.size("slice", this.plan.slice)), "from");
        to = lines.int(imin(iadd(from, this.size("slice", this.plan.slice)), to), "to");
      }
      const clips = axis.clips.filter((c) => c.strides[this.p.batch.length] === 0);
      for (const clip of clips) {
        const [low, high] = this.holds(lines, clip, clip.step, this.positionOf(clip, batch));
        const run = this.size(`run${this.numberOf(clip)}`, clip.run);
        from = lines.int(imax(from, imul(low, run)), "from");
        to = lines.int(imin(to, imul(high, run)), "to");
      }
      if (clips.length === 0) return [from, to];
      some = lines.int(imul(some, ilt(from, to)), "some");
      return [from, lines.int(imax(to, iadd(from, 1)), "to")];
    });
    return { k, some };
  }

  private readonly numbers: string[] = [];
  private numberOf(clip: Clip): number {
    const text = JSON.stringify(clip);
    const known = this.numbers.indexOf(text);
    return known >= 0 ? known : this.numbers.push(text) - 1;
  }

  /** What a clip counts from, for a batch element: all but its steps along m and k. */
  private positionOf(clip: Clip, batch: readonly Int[]): Int {
    const name = `clip${this.numberOf(clip)}`;
    const terms = batch.map((i, d) => [i, clip.strides[d] === 0 ? 0 : this.size(`${name}By${d}`, clip.strides[d]!)] as const);
    return along(this.size(name, clip.offset), terms);
  }

  private holds(lines: Lines, clip: Clip, step: number, base: Int): Range {
    const name = `clip${this.numberOf(clip)}`;
    const size = this.size(`${name}${step === clip.step ? "Step" : "Row"}`, Math.abs(step));
    const [low, high] = holdsFor(lines.int(base, "base"), { size, back: step < 0 }, this.size(`${name}Bound`, clip.bound));
    return [lines.int(low, "low"), lines.int(high, "high")];
  }

  /** The address of an operand, or of its panels, for a batch element; of what a block packs, where it is packed from. */
  private base(which: Which, lines: Lines, batch: readonly Int[]): Int {
    const packed = this.sources[which];
    const operand = this.p[which];
    const start = packed
      ? this.block.address(packed.buffer, 0, which)
      : this.block.address(operand.buffer, operand.offset * this.bytes, which);
    const strides = packed ? packed.batchStrides : operand.batchStrides.map((s) => s * this.bytes);
    const terms = strides.map((s, d) => [batch[d]!, s === 0 ? 0 : this.size(`${which}Batch${d}`, s)] as const);
    return lines.int(along(start, terms), which);
  }

  // ---- passes

  private overPasses(block: BlockScope): void {
    const { split, chunk } = this.plan;
    const walk = (lines: Lines, d: number, pass: Pass): void => {
      const [from, to] = block.k[d]!;
      const single = d < split;
      lines.loop("k", from, to, single ? 1 : this.size("chunk", chunk), (k, body) => {
        const end = body.int(single ? iadd(k, 1) : imin(iadd(k, this.size("chunk", chunk)), to), "end");
        const [first, last] = [body.int(imul(pass.first, ieq(k, from)), "first"), body.int(imul(pass.last, ieq(end, to)), "last")];
        const next: Pass = { k: pass.k.with(d, [k, end]), first, last };
        if (single) walk(body, d + 1, next);
        else this.overTaps(block, body, next);
      });
    };
    walk(block.lines, 0, { k: block.k, first: 1, last: 1 });
  }

  /** The batch elements that a pass runs through. */
  private overTaps(block: BlockScope, lines: Lines, pass: Pass): void {
    const { p, plan } = this;
    const walk = (body: Lines, batch: readonly Int[], tap: Int): void => {
      const d = batch.length;
      if (d === p.batch.length) {
        const here = this.element(body, { ...block, tap }, batch);
        this.inPass(here, body, { ...pass, k: [...pass.k, ...here.k.slice(plan.split + 1)] });
        return;
      }
      const size = this.size(`batch${d}`, p.batch[d]!);
      body.loop("i", 0, size, 1, (i, inside) => walk(inside, [...batch, i], inside.int(iadd(imul(tap, size), i), "tap")));
    };
    if (plan.within > 0) walk(lines, block.batch, 0);
    else this.inPass(block, lines, pass);
  }

  private inPass(block: BlockScope, lines: Lines, pass: Pass): void {
    for (const which of ["a", "b"] as const) if (this.plan[which].packing === "inside") this.packInside(which, block, lines, pass);
    const [a, b] = (["a", "b"] as const).map((which) => lines.int(this.inPanels(which, block, pass), which)) as [Int, Int];
    lines.loop("nt", block.n[0], block.n[1], 1, (nt, columns) => {
      const panel = columns.int(this.columnsAt(nt, block, b), "panel");
      columns.loop("mt", block.m[0], block.m[1], 1, (mt, body) => this.overTile(block, body, pass, { a, place: { mt, nt, b: panel } }));
    });
  }

  /** The axes that loops around the tile run over; the tile itself takes those that are left, two if it is nested. */
  private get around(): readonly number[] {
    const { split, axes, nested } = this.plan;
    return axes.map((_, d) => d).filter((d) => d >= split && d < axes.length - (nested ? 2 : 1));
  }

  /** Where an operand's elements of a pass begin, but for what the loops around the tile add. */
  private inPanels(which: Which, block: BlockScope, pass: Pass): Int {
    const { split, axes } = this.plan;
    const inside = this.plan[which].packing === "inside";
    const start = inside ? iadd(this.mine, this.strips()[which]) : block[which];
    const moving = axes.map((_, d) => d).filter((d) => !this.around.includes(d) && !(inside && d <= split));
    return along(start, moving.map((d) => [pass.k[d]![0], this.step(which, d)] as const)); // biome-ignore format: one call
  }

  /** Where a thread's panels are: after the sums, first those of B. */
  private strips(): { a: Int; b: Int } {
    const { plan } = this;
    const many = passSteps(plan) < sizeOf(plan.axes.map((x) => x.size)) ? plan.block.m * plan.block.n : 1;
    const b = Math.ceil((many * tileBytes(plan.tile)) / 64) * 64;
    const a = b + (plan.b.packing === "inside" ? plan.block.n * this.panel("b") : 0);
    if (a + (plan.a.packing === "inside" ? plan.block.m * this.panel("a") : 0) > THREAD_BYTES)
      throw new InternalError("a block of a product does not fit its scratch");
    return { a: this.size("aStrip", a), b: this.size("bStrip", b) };
  }

  // ---- panels

  private shape(which: Which): PanelShape {
    const { dtype, lanes, rows } = this.plan.tile;
    const width = which === "a" ? rows : columnsOf(this.plan.tile);
    const clipped = which === "a" && clipsAlong(this.p, "m").length > 0;
    return { dtype, lanes, width, fetch: this.plan[which].fetch, clipped };
  }

  /** Bytes from panel to panel, of those that a block packs. */
  private panel(which: Which): number {
    return panelBytes(this.shape(which), passSteps(this.plan));
  }

  private packInside(which: Which, block: BlockScope, lines: Lines, pass: Pass): void {
    const { p, plan } = this;
    const { split, axes } = plan;
    const operand: Operand = p[which];
    const shape = this.shape(which);
    const [from, to] = which === "a" ? block.m : block.n;
    const row = lines.int(imul(from, shape.width), "row");
    const total = this.size(which === "a" ? "mSize" : "nSize", which === "a" ? p.m : p.n);
    const rows = lines.int(imin(isub(total, row), imul(isub(to, from), shape.width)), "rows");
    const rowStep = this.size(`${which}Row`, operand.rowStride * this.bytes);
    const source = (d: number): Int => this.size(`${which}From${d}`, operand.depthStrides[d]! * this.bytes);
    const before = axes.slice(0, split).map((_, d) => [pass.k[d]![0], source(d)] as const);
    const start = lines.int(iadd(along(block[which], before), imul(row, rowStep)), "start");
    const inner = axes.length - 1;
    const nest = axes.slice(split).map((_, i): PackAxis => {
      const d = split + i;
      const [first, end] = pass.k[d]!;
      const last = d === inner ? lines.int(iadd(first, imul(isub(end, first), block.some)), "last") : end;
      return { from: first, to: last, source: source(d), target: this.step(which, d), origin: d === split ? first : 0 };
    });
    const clips = which === "a" ? clipsAlong(p, "m") : [];
    // Rows that are there change with each step of the innermost axis: runs of one.
    const single = clips.some((c) => c.k === inner);
    if (single) nest.push({ from: 0, to: 1, source: 0, target: 0, origin: 0 });
    const panel = this.size(`${which}Panel`, this.panel(which));
    const strip = lines.int(iadd(this.mine, this.strips()[which]), "strip");
    packRuns(lines, nest, [start, strip], (inside, run) => {
      const positions = [...pass.k.slice(0, split).map(([k]) => k), ...run.positions];
      const [low, high] = this.rowsThere(inside, clips, { block, positions, row, rows });
      inside.statements.push({
        do: "call",
        name: `pack_${which}`,
        arguments: [run.source, run.target, rows, run.count, rowStep, single ? 0 : source(inner), panel, low, high],
      });
    });
  }

  /** Which rows of A, from the block's first, the clips that move along m leave at these positions. */
  private rowsThere(
    lines: Lines,
    clips: readonly Clip[],
    { block, positions, row, rows }: { block: BlockScope; positions: readonly Int[]; row: Int; rows: Int },
  ): Range {
    let [low, high]: [Int, Int] = [0, clips.length > 0 ? rows : 0];
    for (const clip of clips) {
      const tap = clip.run === 1 ? positions[clip.k]! : idiv(positions[clip.k]!, this.size(`run${this.numberOf(clip)}`, clip.run));
      const base = iadd(this.positionOf(clip, block.batch), imul(tap, this.size(`clip${this.numberOf(clip)}Tap`, clip.step)));
      const [from, to] = this.holds(lines, clip, clip.strides[this.p.batch.length]!, base);
      low = lines.int(imax(low, isub(from, row)), "low");
      high = lines.int(imin(high, isub(to, row)), "high");
    }
    return [low, high];
  }

  // ---- tiles

  private columnsAt(nt: Int, block: BlockScope, b: Int): Int {
    const { plan, sources } = this;
    if (sources.b) return iadd(b, imul(nt, this.size("bPanel", sources.b.panelBytes)));
    if (plan.b.packing === "inside") return iadd(b, imul(isub(nt, block.n[0]), this.size("bPanel", this.panel("b"))));
    return iadd(b, imul(nt, columnsOf(plan.tile) * this.bytes));
  }

  /** Where a tile's rows of A begin, and how many of them belong to the tile before: where A is read in place, the last tile ends with it. */
  private rowsAt(mt: Int, block: BlockScope, a: Int, lines: Lines): { at: Int; skipped: Int } {
    const { p, plan, sources } = this;
    if (sources.a) return { at: iadd(a, imul(mt, this.size("aPanel", sources.a.panelBytes))), skipped: 0 };
    if (plan.a.packing === "inside") return { at: iadd(a, imul(isub(mt, block.m[0]), this.size("aPanel", this.panel("a")))), skipped: 0 };
    const { rows } = plan.tile;
    const row = lines.int(imul(mt, rows), "row");
    const start = lines.int(imin(row, this.size("mLast", p.m - rows)), "start");
    const step = plan.walk === "across" && p.a.rowStride === 1 ? this.bytes : this.size("aRow", p.a.rowStride * this.bytes);
    return { at: iadd(a, imul(start, step)), skipped: lines.int(isub(row, start), "skipped") };
  }

  private overTile(block: BlockScope, lines: Lines, pass: Pass, { a, place }: { a: Int; place: TilePlace }): void {
    const { p, plan } = this;
    const { rows } = plan.tile;
    const columns = columnsOf(plan.tile);
    const many = passSteps(plan) < sizeOf(plan.axes.map((x) => x.size));
    const column = iadd(imul(block.tap, this.size("nBlock", plan.block.n)), isub(place.nt, block.n[0]));
    const number = iadd(imul(column, this.size("mBlock", plan.block.m)), isub(place.mt, block.m[0]));
    const sums = lines.int(iadd(this.mine, imul(number, this.size("tileBytes", many ? tileBytes(plan.tile) : 0))), "sums");
    const { at, skipped } = this.rowsAt(place.mt, block, a, lines);
    this.callTile(block, lines, pass, { a: lines.int(at, "a"), b: place.b, sums });
    lines.when(pass.last, (last) => {
      const [m, n] = [last.int(imul(place.mt, rows), "m"), last.int(imul(place.nt, columns), "n")];
      this.epilogue.finish(last, {
        m, n, sums: last.int(iadd(sums, imul(skipped, columns * this.bytes)), "sums"),
        rows: last.int(present(this.size("mSize", p.m), m, rows), "rows"),
        columns: last.int(present(this.size("nSize", p.n), n, columns), "columns"),
      }); // biome-ignore format: one place
    });
  }

  /** The tile, within loops over the axes that it does not take itself. */
  private callTile(block: BlockScope, lines: Lines, pass: Pass, { a, b, sums }: { a: Int; b: Int; sums: Int }): void {
    const { plan, p } = this;
    const inner = plan.axes.length - 1;
    const outer = plan.nested ? inner - 1 : undefined;
    const length = (d: number): Int => isub(pass.k[d]![1], pass.k[d]![0]);
    const walk = (body: Lines, axes: readonly number[], at: { a: Int; b: Int; first: Int }): void => {
      const [d, ...rest] = axes;
      if (d === undefined) {
        const aStep = plan.walk === "along" ? this.size("aRow", p.a.rowStride * this.bytes) : this.step("a", inner);
        const [count, steps] = [outer === undefined ? 1 : length(outer), imul(length(inner), block.some)];
        const [aOuter, bOuter] = outer === undefined ? [0, 0] : [this.step("a", outer), this.step("b", outer)];
        body.statements.push({
          do: "call",
          name: "tile",
          arguments: [at.a, at.b, count, steps, aOuter, bOuter, aStep, this.step("b", inner), sums, at.first],
        });
        return;
      }
      const [from, to] = pass.k[d]!;
      body.loop("k", from, to, 1, (k, inside) => {
        const next = (which: Which): Int => {
          const packedHere = plan[which].packing === "inside" && d === plan.split;
          return inside.int(iadd(at[which], imul(packedHere ? isub(k, from) : k, this.step(which, d))), which);
        };
        walk(inside, rest, { a: next("a"), b: next("b"), first: inside.int(imul(at.first, ieq(k, from)), "first") });
      });
    };
    walk(lines, this.around, { a, b, first: pass.first });
  }
}
