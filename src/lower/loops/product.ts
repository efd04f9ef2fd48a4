/**
 * `product` → packed panels and register tiles: panels of A (and of B, unless the block that uses them makes them), then blocks of C in
 * tiles. A tile's sums stand in thread-private scratch between passes over k, and go from there through the kernel's stores.
 */

import { bytesOf } from "../../core/dtype.ts";
import { stridesOf } from "../../core/shape.ts";
import { type Access, type Expr, load, readsBelow, reduce } from "../../kernel/expr.ts";
import type { Operand, Product, Rows } from "../../kernel/kernel.ts";
import { type Int, type IntLocal, iadd, idiv, ieq, imin, imul, int, irem, isub, type LoopModule } from "../../kernel/loop.ts";
import { expand } from "../../kernel/math/index.ts";
import type { Lowered, LoweredCall } from "../target.ts";
import { ArgumentBlock, blockSize, keyOf, THREAD_BYTES } from "./block.ts";
import { Lines } from "./lines.ts";
import type { LoopContext } from "./machine.ts";
import { Epilogue, fitsTile, present } from "./product-epilogue.ts";
import { type Packed, type PanelShape, packCall, packHelper, panelBytes } from "./product-pack.ts";
import { oriented, type Plan, planProduct, simplerBatch } from "./product-plan.ts";
import { productAsRows, storesOf } from "./product-rows.ts";
import { along, columnsOf, tileBytes, tileHelper } from "./product-tile.ts";
import { lowerRows } from "./rows.ts";

export function lowerProduct(kernel: Product, context: LoopContext): Lowered {
  const { batch, m, n, k, clips } = kernel;
  if ([...batch, m, n, ...k].includes(0) || k.length !== 1 || clips.length > 0) return lowerRows(productAsRows(kernel), context);
  const p = oriented(simplerBatch(kernel), context.machine);
  const values = expand(p.stores.map((s) => s.value));
  const ready: Product = { ...p, stores: p.stores.map((s, i) => ({ to: s.to, value: values[i]! })) };
  const plan = planProduct(ready, context.machine, context.isSettled(ready.b.buffer));
  if (plan.slices > 1 || !fitsTile(ready, context)) return viaMemory(p, plan, context);
  return { threadBytes: THREAD_BYTES, calls: inTiles(ready, plan, context) };
}

/** The product is stored, one matrix for each slice of k, and a second kernel adds them up in order and does the stores. */
function viaMemory(p: Product, plan: Plan, context: LoopContext): Lowered {
  const sizes = [...p.batch, p.m, p.n];
  const rank = sizes.length;
  const strides = stridesOf(sizes);
  const whole = sizes[0]! * strides[0]!;
  const buffer = context.allocate(plan.slices * whole * bytesOf(p.dtype), p.dtype);
  const to: Access = { buffer, offset: 0, strides };
  const plain: Product = { ...p, stores: [{ to, value: { op: "accumulator", dtype: p.dtype } }] };
  const part: Expr = load({ ...to, strides: [...strides, whole] }, p.dtype);
  const sum = plan.slices > 1 ? reduce("sum", [rank], part) : load({ ...to, strides: [...strides, 0] }, p.dtype);
  const finish: Rows = {
    kind: "rows",
    outer: sizes,
    inner: [plan.slices],
    guards: [],
    stores: storesOf(p, sum),
  };
  return { threadBytes: THREAD_BYTES, calls: [...inTiles(plain, plan, context, whole), ...lowerRows(finish, context).calls] };
}

/** @param sliceStride elements between the results of two slices, where there are several */
function inTiles(p: Product, plan: Plan, context: LoopContext, sliceStride = 0): LoweredCall[] {
  const { tile } = plan;
  const calls: LoweredCall[] = [];
  const pack = (operand: Operand, rows: number, shape: PanelShape): Packed => {
    const { packed, call } = packCall({ shape, operand, rows, steps: p.k[0]!, depth: plan.depth, batch: p.batch }, context);
    calls.push(call);
    return packed;
  };
  const { dtype, lanes } = tile;
  const a = pack(p.a, p.m, { dtype, lanes, width: tile.rows, fetch: plan.a.fetch });
  const strip: PanelShape = { dtype, lanes, width: columnsOf(tile), fetch: plan.b.fetch };
  const b = plan.b.packing === "before" ? pack(p.b, p.n, strip) : undefined;
  const code = new TileCode(p, plan, context, { a, b, strip, sliceStride });
  calls.push(code.call());
  return calls;
}

interface Sources {
  readonly a: Packed;
  /** Undefined: read where it stands, or packed inside the block. */
  readonly b: Packed | undefined;
  readonly strip: PanelShape;
  readonly sliceStride: number;
}

/** The ints of a block: what it covers of C and of k. */
interface BlockScope {
  readonly lines: Lines;
  readonly batch: readonly Int[];
  readonly m: readonly [Int, Int];
  readonly n: readonly [Int, Int];
  readonly k: readonly [Int, Int];
}

class TileCode {
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
    this.units = grid * plan.slices * p.batch.reduce((x, y) => x * y, 1);
    const work = p.m * p.n * p.k[0]! * p.batch.reduce((x, y) => x * y, 1);
    this.each = blockSize(this.units, work / 8 / this.units);
  }

  call(): LoweredCall {
    const module = this.module();
    const { p, sources } = this;
    const reads = [sources.a.buffer, sources.b?.buffer ?? p.b.buffer];
    for (const a of readsBelow(p.stores.map((s) => s.value))) reads.push(a.buffer);
    return {
      code: { key: keyOf(module), module },
      arguments: this.block.words,
      blocks: Math.ceil(this.units / this.each),
      work: 2 * p.m * p.n * p.k[0]! * p.batch.reduce((x, y) => x * y, 1),
      reads: [...new Set(reads)],
      writes: [...new Set(p.stores.map((s) => s.to.buffer))],
    };
  }

  private size(name: string, value: number): IntLocal {
    const known = this.sizes.get(name) ?? this.block.size(value, name);
    this.sizes.set(name, known);
    return known;
  }

  private module(): LoopModule {
    const { plan } = this;
    const [args, begin, end] = [int("arguments"), int("begin"), int("end")];
    const each = this.size("each", this.each);
    const lines = new Lines();
    const mine = this.block.privateScratch(this.thread);
    lines.loop("unit", imul(begin, each), imin(imul(end, each), this.size("units", this.units)), 1, (unit, body) => {
      this.overPasses(this.decode(unit, body), mine);
    });
    const helpers = [tileHelper(plan.tile), ...(plan.b.packing === "inside" ? [packHelper(this.sources.strip)] : [])];
    const entry = { name: "kernel", parameters: [args, begin, end, this.thread], body: [...this.block.prologue, ...lines.statements] };
    return { lanes: plan.tile.lanes, helpers, entry };
  }

  /** Which block a unit is: n runs fastest, then m, slices, batch. */
  private decode(unit: IntLocal, lines: Lines): BlockScope {
    const { p, plan } = this;
    let rest: Int = unit;
    const digit = (count: Int, name: string): Int => {
      const value = lines.int(irem(rest, count), name);
      rest = lines.int(idiv(rest, count), "rest");
      return value;
    };
    const range = (axis: "m" | "n"): [Int, Int] => {
      const blocks = Math.ceil(plan.tiles[axis] / plan.block[axis]);
      const each = this.size(`${axis}Block`, plan.block[axis]);
      const from = lines.int(imul(digit(this.size(`${axis}Blocks`, blocks), axis), each), `${axis}From`);
      return [from, lines.int(imin(iadd(from, each), this.size(`${axis}Tiles`, plan.tiles[axis])), `${axis}To`)];
    };
    const [n, m] = [range("n"), range("m")];
    const K = this.size("k", p.k[0]!);
    let k: [Int, Int] = [0, K];
    let slice: Int | undefined;
    if (this.sources.sliceStride) {
      slice = digit(this.size("slices", plan.slices), "slice");
      const each = this.size("slice", plan.slice);
      const from = lines.int(imul(slice, each), "kFrom");
      k = [from, lines.int(imin(iadd(from, each), K), "kTo")];
    }
    const batch = p.batch.map((size, d) => [d, size] as const).toReversed();
    const indices = batch.map(([d, size], i) => (i + 1 < batch.length ? digit(this.size(`batch${d}`, size), "i") : rest)).toReversed();
    this.epilogue.begin(lines, slice === undefined ? indices : [...indices, slice]);
    return { lines, batch: indices, m, n, k };
  }

  private overPasses(block: BlockScope, mine: IntLocal): void {
    const { plan, sources } = this;
    const [from, to] = block.k;
    const depth = this.size("depth", plan.depth);
    const sumBytes = plan.block.m * plan.block.n * tileBytes(plan.tile);
    const strip = this.size("strip", Math.ceil((plan.depth < plan.slice ? sumBytes : tileBytes(plan.tile)) / 64) * 64);
    const a = this.base(sources.a, block);
    const b = sources.b ? this.base(sources.b, block) : this.unpacked(block);
    block.lines.loop("kp", from, to, depth, (kp, pass) => {
      const count = pass.int(imin(isub(to, kp), depth), "count");
      const number = pass.int(idiv(kp, depth), "pass");
      const at = (base: Int, packed: Packed | undefined, name: string): Int =>
        packed ? pass.int(iadd(base, imul(number, this.size(`${name}Pass`, packed.passBytes))), name) : base;
      const place = { kp, count, mine, strip: pass.int(iadd(mine, strip), "strip"), a: at(a, sources.a, "a"), b: at(b, sources.b, "b") };
      if (plan.b.packing === "inside") this.packStrip(block, pass, place);
      pass.loop("nt", block.n[0], block.n[1], 1, (nt, columns) => {
        const panel = this.panelOf(nt, block, columns, place);
        columns.loop("mt", block.m[0], block.m[1], 1, (mt, body) => this.overTile(block, body, { ...place, nt, mt, panel }));
      });
    });
  }

  /** Address of a packed operand for the block's batch element. */
  private base(packed: Packed, { lines, batch }: BlockScope): Int {
    const which = packed === this.sources.a ? "a" : "b";
    const start = this.block.address(packed.buffer, 0, which);
    const terms = packed.batchStrides.map((s, d) => [batch[d]!, s === 0 ? 0 : this.size(`${which}Batch${d}`, s)] as const);
    return lines.int(along(start, terms), which);
  }

  /** Address of B itself. */
  private unpacked({ lines, batch }: BlockScope): Int {
    const { b } = this.p;
    const start = this.block.address(b.buffer, b.offset * this.bytes, "b");
    const terms = b.batchStrides.map((s, d) => [batch[d]!, s === 0 ? 0 : this.size(`bBatch${d}`, s * this.bytes)] as const);
    return lines.int(along(start, terms), "b");
  }

  private packStrip(block: BlockScope, pass: Lines, { kp, count, strip, b }: PassPlace): void {
    const { p, plan } = this;
    const columns = columnsOf(plan.tile);
    const rowStep = this.size("bRow", p.b.rowStride * this.bytes);
    const depthStep = this.size("bDepth", p.b.depthStrides[0]! * this.bytes);
    const n = pass.int(imul(block.n[0], columns), "n");
    const from = iadd(iadd(b, imul(kp, depthStep)), imul(n, rowStep));
    const rows = imin(isub(this.size("nSize", p.n), n), imul(isub(block.n[1], block.n[0]), columns));
    const panel = this.size("stripPanel", panelBytes(this.sources.strip, plan.depth));
    pass.statements.push({ do: "call", name: "pack", arguments: [from, strip, rows, count, rowStep, depthStep, panel] });
  }

  /** Where a tile's columns of B begin, and bytes from one step of k to the next. */
  private panelOf(nt: IntLocal, block: BlockScope, lines: Lines, { kp, strip, b }: PassPlace): { at: Int; step: Int } {
    const { p, plan, sources } = this;
    const columns = columnsOf(plan.tile) * this.bytes;
    if (sources.b) {
      const panel = this.size("bPanel", sources.b.panelBytes);
      return { at: lines.int(iadd(b, imul(nt, panel)), "panel"), step: columns };
    }
    if (plan.b.packing === "inside") {
      const panel = this.size("stripPanel", panelBytes(sources.strip, plan.depth));
      return { at: lines.int(iadd(strip, imul(isub(nt, block.n[0]), panel)), "panel"), step: columns };
    }
    const step = this.size("bDepth", p.b.depthStrides[0]! * this.bytes);
    return { at: lines.int(iadd(iadd(b, imul(nt, columns)), imul(kp, step)), "panel"), step };
  }

  private overTile(block: BlockScope, lines: Lines, { kp, count, mine, a, nt, mt, panel }: TilePass): void {
    const { p, plan, sources } = this;
    const { rows } = plan.tile;
    const columns = columnsOf(plan.tile);
    const apart = this.size("tileBytes", plan.depth < plan.slice ? tileBytes(plan.tile) : 0);
    const number = iadd(imul(isub(nt, block.n[0]), this.size("mBlock", plan.block.m)), isub(mt, block.m[0]));
    const sums = lines.int(iadd(mine, imul(number, apart)), "sums");
    const from = iadd(a, imul(mt, this.size("aPanel", sources.a.panelBytes)));
    lines.statements.push({ do: "call", name: "tile", arguments: [from, panel.at, count, panel.step, sums, ieq(kp, block.k[0])] });
    lines.when(ieq(iadd(kp, count), block.k[1]), (last) => {
      const [m, n] = [last.int(imul(mt, rows), "m"), last.int(imul(nt, columns), "n")];
      this.epilogue.finish(last, {
        m, n, sums,
        rows: last.int(present(this.size("mSize", p.m), m, rows), "rows"),
        columns: last.int(present(this.size("nSize", p.n), n, columns), "columns"),
      }); // biome-ignore format: one place
    });
  }
}

interface PassPlace {
  readonly kp: IntLocal;
  readonly count: Int;
  readonly mine: Int;
  readonly strip: Int;
  readonly a: Int;
  readonly b: Int;
}

interface TilePass extends PassPlace {
  readonly nt: IntLocal;
  readonly mt: IntLocal;
  readonly panel: { readonly at: Int; readonly step: Int };
}
