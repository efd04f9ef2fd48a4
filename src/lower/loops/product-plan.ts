/** How a product is cut: which operand is which, how each is read, the register tile, passes over k, blocks. By shape and strides only. */

import { bytesOf } from "../../core/dtype.ts";
import { sizeOf } from "../../core/shape.ts";
import { type Access, type Expr, rewrite, withAccess } from "../../kernel/expr.ts";
import { accessesOf, nodesOf, type Operand, type Product } from "../../kernel/kernel.ts";
import { mergeAxes } from "../../kernel/merge.ts";
import { THREAD_BYTES } from "./block.ts";
import type { LoopContext, Machine } from "./machine.ts";
import { clipsAlong, type DepthAxis, depthAxes, depthOf, isWhole, mergedDepth } from "./product-depth.ts";
import { type Fetch, fetchOf, TOGETHER } from "./product-panel.ts";
import { columnsOf, type Tile, tileBytes, type Walk } from "./product-tile.ts";

/** How much of a thread's scratch holds sums between passes, and how much panels of B and of A. */
const SUM_BYTES = 192 * 1024;
const STRIP_BYTES = THREAD_BYTES - SUM_BYTES;
/** A block's panels of A stay in the second cache, and so do panels of B that several batch elements use. */
const BLOCK_BYTES = 128 * 1024;
const SHARED_BYTES = 448 * 1024;
/** Multiplications of a block that make it worth handing out. */
const BLOCK_PRODUCTS = 1 << 18;
const BLOCKS = 16;
/** Rows this far apart compete for the same lines of the first cache, which keeps eight of them. */
const WAY_BYTES = 4096;
const WAYS = 8;

/** Where the panels of an operand come from: a call of their own, the block that uses them, or nowhere: it is read where it stands. */
export type Packing = "before" | "inside" | "none";

export interface Reading {
  readonly packing: Packing;
  readonly fetch: Fetch;
}

export interface Plan {
  readonly tile: Tile;
  readonly walk: Walk;
  /** Whether the tile runs over two axes of k. */
  readonly nested: boolean;
  /** Tiles along m and n, and how many of them a block takes. */
  readonly tiles: { readonly m: number; readonly n: number };
  readonly block: { readonly m: number; readonly n: number };
  readonly a: Reading;
  readonly b: Reading;
  /** The axes of k as the tile runs through them, steps in bytes. */
  readonly axes: readonly DepthAxis[];
  /** A pass takes `chunk` positions of axis `split` and all of those inside it; axis 0 is cut into `slices` that are summed at the end. */
  readonly split: number;
  readonly chunk: number;
  readonly slices: number;
  readonly slice: number;
  /** Whether blocks that share columns of B follow each other. */
  readonly columnsLast: boolean;
  /** So many batch axes, the innermost ones, are run through within each pass: what a pass reads, it reads from near caches for all of them. */
  readonly within: number;
}

export const spread = (count: number, most: number): number => Math.ceil(count / Math.ceil(count / Math.max(1, most)));

/** Steps of a pass: all that is inside the axis that is split. */
export const passSteps = ({ axes, split, chunk }: Plan): number => chunk * depthOf(axes.slice(split + 1));

export function planProduct(p: Product, context: LoopContext): Plan {
  const { machine } = context;
  const whole = { a: isWhole(p, "m", context.sizeOf(p.a.buffer)), b: isWhole(p, "n", context.sizeOf(p.b.buffer)) };
  const tile = chooseTile(p, machine);
  const columns = columnsOf(tile);
  const bytes = bytesOf(p.dtype);
  const tiles = { m: Math.ceil(p.m / tile.rows), n: Math.ceil(p.n / columns) };
  const batch = sizeOf(p.batch);
  const depth = sizeOf(p.k);
  const { walk, ...a } = readingOfA(p, tile, whole.a);
  const shared = batch > 1 && p.b.batchStrides.every((s) => s === 0);
  const direct = p.b.rowStride === 1 && tiles.m * (shared ? batch : 1) <= DIRECT_TILES;
  const few = tiles.m <= FEW_TILES && a.packing !== "inside" && depth * columns * bytes <= SHARED_BYTES / 2;
  const longest = few || depth <= 1.5 * machine.depth ? depth : spread(depth, machine.depth);
  const strip = STRIP_BYTES - (a.packing === "inside" ? BLOCK_BYTES : 0);
  const most = limits(tile, longest + tile.lanes, { passes: longest < depth, strip });
  // Few large blocks and much to sum: cutting k reads the operands once, smaller blocks would read them again and again.
  const wanted = Math.max(1, Math.min(BLOCKS, Math.floor((p.m * p.n * depth * batch) / BLOCK_PRODUCTS)));
  const largest = Math.ceil(tiles.m / most.m) * Math.ceil(tiles.n / most.n) * batch;
  const slices = depth >= LONG ? Math.max(1, Math.min(Math.ceil(wanted / largest), Math.floor(depth / (LONG / 4)))) : 1;
  const needed = Math.ceil(wanted / (batch * slices));
  const inside = !whole.b || (tiles.m <= most.m && !shared && tiles.n >= needed);
  // Where B is the same at every run, packing it by a call of its own costs nothing.
  const packing = direct ? "none" : inside && !(whole.b && context.isSettled(p.b.buffer)) ? "inside" : "before";
  const all = { m: Math.min(tiles.m, most.m), n: spread(tiles.n, Math.min(most.n, Math.ceil(tiles.n / needed))) };
  const block = inside || direct ? all : cut(tiles, most, needed);
  const columnsLast = shared && tiles.n > 1;
  const panels = Math.max(1, Math.floor(SHARED_BYTES / (depth * columns * bytes)));
  const axes = axesOf(p, tile, a.packing, packing);
  const { split, chunk } = cutPasses(axes, longest, Math.max(tile.lanes, TOGETHER));
  const slice = spread(axes[0]!.size, Math.ceil(axes[0]!.size / slices));
  const step = split === 0 && chunk < slice ? Math.ceil(slice / chunk) * chunk : slice;
  const plan: Plan = {
    tile, walk, nested: machine.tile.nested && split < axes.length - 1, tiles, axes, split, chunk, a, columnsLast, within: 0,
    block: { m: block.m, n: columnsLast ? Math.min(block.n, panels) : block.n },
    b: { packing, fetch: fetchIn(p, "b", packing, tile.lanes) },
    slices: Math.ceil(axes[0]!.size / step),
    slice: step,
  }; // biome-ignore format: one object
  return { ...plan, ...batchWithin(p, plan, wanted) };
}

type Within = Pick<Plan, "block" | "within">;

/** The batch axes that a pass runs through, and the block for which it then reads least from far away. They move B not at all, and A a little, as taps of a window do. */
function batchWithin(p: Product, plan: Plan, wanted: number): Within {
  const { tile, tiles, axes, split, chunk } = plan;
  let best: Within = { block: plan.block, within: 0 };
  const passes = split > 0 || chunk < axes[0]!.size;
  if (!passes || plan.a.packing !== "none" || plan.b.packing === "inside" || plan.slices > 1) return best;
  // Without panels of its own, a block may fill more of the scratch with sums.
  const most = Math.floor((2 * SUM_BYTES) / tileBytes(tile));
  const rows = Math.min(tiles.m, Math.floor(BLOCK_BYTES / (passSteps(plan) * tile.rows * bytesOf(tile.dtype))));
  const taps = (within: number): number => sizeOf(p.batch.slice(p.batch.length - within));
  const units = ({ block: { m, n }, within }: Within): number =>
    (Math.ceil(tiles.m / m) * Math.ceil(tiles.n / n) * sizeOf(p.batch)) / taps(within);
  // An element of A is used `n` times for each tap, one of B `m` times.
  const cost = ({ block: { m, n }, within }: Within): number => (1 / m + 1 / n) / taps(within);
  const needed = Math.min(wanted, units(best));
  const clips = axes.slice(0, split + 1).flatMap((x) => x.clips);
  const stays = (axis: number): boolean => p.b.batchStrides[axis] === 0 && clips.every((c) => c.strides[axis] === 0);
  for (let within = 1; within <= p.batch.length && stays(p.batch.length - within); within++)
    for (let m = 1; m <= rows; m++)
      for (let n = 1; n <= Math.min(tiles.n, most / (m * taps(within))); n++) {
        const next: Within = { block: { m, n }, within };
        if (units(next) >= needed && cost(next) < cost(best)) best = next;
      }
  return best;
}

/** With so few tiles along m, panels of B in the first cache are not used again: one pass takes all of k. */
const FEW_TILES = 4;

/** The axis of which a pass takes some positions, `longest` steps at most; the last pass along the innermost axis is `least` steps long too. */
function cutPasses(axes: readonly DepthAxis[], longest: number, least: number): Pick<Plan, "split" | "chunk"> {
  if (depthOf(axes) <= longest) return { split: 0, chunk: axes[0]!.size };
  const split = axes.findIndex((_, d) => depthOf(axes.slice(d + 1)) <= longest);
  const { size } = axes[split]!;
  const inside = depthOf(axes.slice(split + 1));
  let chunk = spread(size, Math.floor(longest / inside));
  if (split === axes.length - 1) while (((size - 1) % chunk) + 1 < Math.min(size, least)) chunk++;
  return { split, chunk };
}

/** Sums worth cutting into slices. */
const LONG = 8192;
/** Where so few tiles use it, reading B where it stands costs less than packing it. */
const DIRECT_TILES = 1;

/** Lines of each row for which the first cache should have a place, where its rows are read in place. */
const ROW_LINES = 3;

/** Where rows of A are next to each other, or k, it is read where it stands, unless its lines would put each other out of the cache. */
function readingOfA(p: Product, tile: Tile, whole: boolean): Reading & { readonly walk: Walk } {
  const bytes = bytesOf(p.dtype);
  if (clipsAlong(p, "m").length > 0) return { packing: "inside", fetch: "apart", walk: "across" };
  // Of a sum over several axes, as of windows that overlap, panels would be a multiple of the operand; of one axis they are made once.
  const windows = p.k.length > 1;
  const across = p.a.rowStride === 1 && p.m >= tile.rows && (windows || p.n <= FEW_TILES * columnsOf(tile));
  if (across) return { packing: "none", fetch: "apart", walk: "across" };
  const step = p.a.rowStride * bytes;
  const fits = windows ? tile.rows <= WAYS || step % WAY_BYTES !== 0 : stays(step, ROW_LINES * tile.rows);
  if (p.a.depthStrides.at(-1) === 1 && p.m >= tile.rows && fits) return { packing: "none", fetch: "apart", walk: "along" };
  const packing = whole ? "before" : "inside";
  return { packing, fetch: fetchIn(p, "a", packing, tile.lanes), walk: "across" };
}

/** Whether lines so far apart stay in the first cache, instead of competing for a few of its places. */
function stays(bytes: number, lines: number): boolean {
  let [a, b] = [WAY_BYTES, Math.abs(bytes)];
  while (b > 0) [a, b] = [b, a % b];
  return (WAY_BYTES / Math.max(64, a)) * WAYS >= lines;
}

/** Vectors along k need as many steps as they have lanes; what a clip cuts may have fewer. */
function fetchIn(p: Product, which: "a" | "b", packing: Packing, lanes: number): Fetch {
  const inner = p.k.length - 1;
  return packing === "inside" && p.clips.some((c) => c.k === inner) ? "apart" : fetchOf(p[which], p.k[inner]!, lanes);
}

/** The axes of k, in bytes, as they are after packing. */
function axesOf(p: Product, tile: Tile, a: Packing, b: Packing): readonly DepthAxis[] {
  const bytes = bytesOf(p.dtype);
  const steps = (o: Operand, packing: Packing, width: number): number[] =>
    packing === "none" ? o.depthStrides.map((s) => s * bytes) : dense(p.k, width * bytes);
  const axes = depthAxes(p, steps(p.a, a, tile.rows), steps(p.b, b, columnsOf(tile)));
  return a === "inside" || b === "inside" ? axes : mergedDepth(axes);
}

/** Steps along axes that lie one within the other, the innermost `unit` apart. */
export const dense = (sizes: readonly number[], unit: number): number[] =>
  sizes.map((_, d) => sizes.slice(d + 1).reduce((a, b) => a * b, unit));

/** Tiles of a block at most: panels of A in the second cache, sums between passes and panels of B in scratch. */
function limits(tile: Tile, depth: number, { passes, strip }: { passes: boolean; strip: number }): { m: number; n: number } {
  const bytes = bytesOf(tile.dtype);
  const m = Math.max(4, Math.min(32, Math.floor(BLOCK_BYTES / (depth * tile.rows * bytes))));
  const sums = passes ? Math.floor(SUM_BYTES / (tileBytes(tile) * m)) : 32;
  const panels = Math.floor(strip / (depth * columnsOf(tile) * bytes + 128));
  return { m, n: Math.max(1, Math.min(16, sums, panels)) };
}

/** Blocks as large as may be, then cut until there are enough: along n first, because a panel of B is read again for each tile along m. */
function cut(tiles: { m: number; n: number }, most: { m: number; n: number }, needed: number): { m: number; n: number } {
  let m = spread(tiles.m, most.m);
  let n = spread(tiles.n, most.n);
  const blocks = (): number => Math.ceil(tiles.m / m) * Math.ceil(tiles.n / n);
  while (blocks() < needed && (m > 1 || n > 1)) {
    if (n > 4 || (n > 1 && m <= 8)) n = Math.ceil(n / 2);
    else m = Math.ceil(m / 2);
  }
  return { m, n };
}

/** The target's tile, or one with fewer rows: where its last one would be half empty, and where rows of A lie far apart: few such streams are read ahead. */
function chooseTile(p: Product, machine: Machine): Tile {
  const { rows, vectors } = machine.tile;
  const lanes = machine.vectorBytes / bytesOf(p.dtype);
  const far = p.a.depthStrides.at(-1) === 1 && Math.abs(p.a.rowStride * bytesOf(p.dtype)) >= WAY_BYTES;
  let best: Tile = { dtype: p.dtype, lanes, rows, vectors };
  let least = Number.POSITIVE_INFINITY;
  for (let r = Math.min(far ? Math.min(rows, WAYS) : rows, p.m); r >= 1; r--) {
    const v = r <= 2 && p.n >= 2 * vectors * lanes ? 2 * vectors : vectors;
    // Fewer sums than two multipliers with a latency of four take leave them idle; each step of k loads its part of B once more.
    const cost = (Math.ceil(p.m / r) * (Math.max(r * v, 8) + LOADING * v)) / v;
    if (cost < least) [best, least] = [{ ...best, rows: r, vectors: v }, cost];
  }
  return best;
}
/** What loading a step's part of B costs, in rows. */
const LOADING = 1;

/** The product with A and B in each other's place where that makes stores contiguous, or tiles much fuller; clips may move along m, not n. */
export function oriented(p: Product, machine: Machine): Product {
  if (clipsAlong(p, "n").length > 0) return swap(p);
  if (clipsAlong(p, "m").length > 0) return p;
  const columns = machine.tile.vectors * (machine.vectorBytes / bytesOf(p.dtype));
  const { rows } = machine.tile;
  const filled = (m: number, n: number): number =>
    (n / (Math.ceil(n / columns) * columns)) * (m >= 3 * rows ? m / (Math.ceil(m / rows) * rows) : 1);
  let [asIs, swapped] = [filled(p.m, p.n), filled(p.n, p.m)];
  for (const { to } of p.stores) {
    const [m, n] = to.strides.slice(-2) as [number, number];
    if (n !== 1) asIs *= 0.7;
    if (m !== 1) swapped *= 0.7;
  }
  return swapped > asIs ? swap(p) : p;
}

function swap(p: Product): Product {
  const rank = p.batch.length + 2;
  const turned = (strides: readonly number[]): number[] => [...strides.slice(0, -2), strides[rank - 1]!, strides[rank - 2]!];
  const access = (a: Access): Access => ({ ...a, strides: turned(a.strides) });
  const axis = (d: number): number => (d === rank - 1 ? rank - 2 : d === rank - 2 ? rank - 1 : d);
  return {
    ...p,
    m: p.n,
    n: p.m,
    a: p.b,
    b: p.a,
    clips: p.clips.map((c) => ({ ...c, strides: turned(c.strides) })),
    stores: withAccesses(p, access, (e) => (e.op === "index" ? { ...e, axis: axis(e.axis) } : e)),
  };
}

function withAccesses(p: Product, access: (a: Access) => Access, rule: (e: Expr) => Expr = (e) => e): Product["stores"] {
  const values = rewrite(p.stores.map((s) => s.value), (e) => rule(withAccess(e, access))); // biome-ignore format: one call
  return p.stores.map((s, i) => ({ to: access(s.to), value: values[i]! }));
}

/** Whether tiles can make it: each clip leaves one of the operands alone, and moves along rows of the other at most. */
export function fitsTiles(p: Product, { sizeOf }: LoopContext): boolean {
  if (clipsAlong(p, "n").length > 0) return false;
  const clips = clipsAlong(p, "m");
  return clips.length === 0 || isWhole(p, "n", sizeOf(p.b.buffer), clips);
}

/** Batch axes of size 1 vanish, neighbours that everything runs through as one are merged. */
export function simplerBatch(p: Product): Product {
  if (nodesOf(p).some((e) => e.op === "index")) return p;
  const strides = [p.a.batchStrides, p.b.batchStrides, ...accessesOf(p).map((a) => a.strides), ...p.clips.map((c) => c.strides)];
  const groups = mergeAxes([...p.batch.keys()], { sizes: p.batch, strides }).filter((g) => g.size !== 1);
  if (groups.length === p.batch.length) return p;
  const kept = (steps: readonly number[]): number[] => groups.map((g) => steps[g.axis]!);
  const all = (steps: readonly number[]): number[] => [...kept(steps), ...steps.slice(-2)];
  const operand = (o: Operand): Operand => ({ ...o, batchStrides: kept(o.batchStrides) });
  const stores = withAccesses(p, (a) => ({ ...a, strides: all(a.strides) }));
  const clips = p.clips.map((c) => ({ ...c, strides: all(c.strides) }));
  return { ...p, batch: groups.map((g) => g.size), a: operand(p.a), b: operand(p.b), clips, stores };
}
