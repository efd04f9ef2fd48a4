/** How a product is cut: which operand is which, the register tile, depth of passes, blocks. By shape and strides only. */

import { bytesOf } from "../../core/dtype.ts";
import { sizeOf } from "../../core/shape.ts";
import { type Access, type Expr, rewrite, withAccess } from "../../kernel/expr.ts";
import { accessesOf, nodesOf, type Operand, type Product } from "../../kernel/kernel.ts";
import { mergeAxes } from "../../kernel/merge.ts";
import { THREAD_BYTES } from "./block.ts";
import type { Machine } from "./machine.ts";
import { type Fetch, fetchOf, TOGETHER } from "./product-pack.ts";
import { columnsOf, type Tile, tileBytes } from "./product-tile.ts";

/** How much of a thread's scratch holds sums between passes, and how much panels of B. */
const SUM_BYTES = 192 * 1024;
const STRIP_BYTES = THREAD_BYTES - SUM_BYTES;
/** A block's panels of A stay in the second cache. */
const BLOCK_BYTES = 128 * 1024;
/** Multiplications of a block that make it worth handing out. */
const BLOCK_PRODUCTS = 1 << 18;
const BLOCKS = 16;

export interface Plan {
  readonly tile: Tile;
  /** Tiles along m and n, and how many of them a block takes. */
  readonly tiles: { readonly m: number; readonly n: number };
  readonly block: { readonly m: number; readonly n: number };
  /** k is cut into passes of `depth`, and into `slices` of whole passes that are summed at the end. */
  readonly slices: number;
  readonly slice: number;
  readonly depth: number;
  readonly a: { readonly fetch: Fetch };
  /** Panels of B are made by a call of their own, by the block that uses them, or not at all. */
  readonly b: { readonly fetch: Fetch; readonly packing: "before" | "inside" | "none" };
}

const spread = (count: number, most: number): number => Math.ceil(count / Math.ceil(count / Math.max(1, most)));

/** @param settled whether B is the same at every run, so that packing it by a call of its own costs nothing */
export function planProduct(p: Product, machine: Machine, settled = false): Plan {
  const tile = chooseTile(p, machine);
  const tiles = { m: Math.ceil(p.m / tile.rows), n: Math.ceil(p.n / columnsOf(tile)) };
  const batch = sizeOf(p.batch);
  const work = p.m * p.n * p.k[0]! * batch;
  const wanted = Math.max(1, Math.min(BLOCKS, Math.floor(work / BLOCK_PRODUCTS)));
  let depth = p.k[0]! <= 1.5 * machine.depth ? p.k[0]! : spread(p.k[0]!, machine.depth);
  // Packing takes several steps of k at a time and needs as many of them in the last pass too.
  while (((p.k[0]! - 1) % depth) + 1 < Math.min(p.k[0]!, Math.max(tile.lanes, TOGETHER))) depth++;
  const most = limits(tile, depth, depth < p.k[0]!);
  // Few large blocks and much to sum: cutting k reads the operands once, smaller blocks would read them again and again.
  const largest = Math.ceil(tiles.m / most.m) * Math.ceil(tiles.n / most.n) * batch;
  const slices = p.k[0]! >= LONG ? Math.max(1, Math.min(Math.ceil(wanted / largest), Math.floor(p.k[0]! / (LONG / 4)))) : 1;
  const slice = Math.ceil(Math.ceil(p.k[0]! / depth) / slices) * depth;
  const fetch = { a: fetchOf(p.a, p.k[0]!, tile.lanes), b: fetchOf(p.b, p.k[0]!, tile.lanes) };
  const needed = Math.ceil(wanted / (batch * slices));
  const shared = batch > 1 && p.b.batchStrides.every((s) => s === 0);
  const inside = tiles.m <= most.m && !shared && tiles.n >= needed;
  const direct = fetch.b === "across" && tiles.m <= DIRECT_TILES;
  const block =
    inside || direct
      ? { m: Math.min(tiles.m, most.m), n: spread(tiles.n, Math.min(most.n, Math.ceil(tiles.n / needed))) }
      : cut(tiles, most, needed);
  const packing = direct ? "none" : inside && !settled ? "inside" : "before";
  return { tile, tiles, block, slices: Math.ceil(p.k[0]! / slice), slice, depth, a: { fetch: fetch.a }, b: { fetch: fetch.b, packing } };
}
/** Sums worth cutting into slices. */
const LONG = 8192;
/** With so few tiles along m, reading B where it stands costs less than packing it. */
const DIRECT_TILES = 1;

/** Tiles of a block at most: panels of A in the second cache, sums between passes and panels of B in scratch. */
function limits(tile: Tile, depth: number, passes: boolean): { m: number; n: number } {
  const bytes = bytesOf(tile.dtype);
  const m = Math.max(4, Math.min(32, Math.floor(BLOCK_BYTES / (depth * tile.rows * bytes))));
  const sums = passes ? Math.floor(SUM_BYTES / (tileBytes(tile) * m)) : 32;
  const strip = Math.floor(STRIP_BYTES / (depth * columnsOf(tile) * bytes + 128));
  return { m, n: Math.max(1, Math.min(16, sums, strip)) };
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

/** The target's tile, or one with fewer rows where few rows would leave it half empty. */
function chooseTile(p: Product, machine: Machine): Tile {
  const { rows, vectors } = machine.tile;
  const lanes = machine.vectorBytes / bytesOf(p.dtype);
  const whole = { dtype: p.dtype, lanes, rows, vectors };
  if (p.m > 3 * rows) return whole;
  let best = whole;
  let least = Number.POSITIVE_INFINITY;
  for (let r = rows; r >= 1; r--) {
    const v = r <= 2 && p.n >= 2 * vectors * lanes ? 2 * vectors : vectors;
    // Fewer sums than two multipliers with a latency of four take leave them idle.
    const cost = (Math.ceil(p.m / r) * Math.max(r * v, 8)) / v;
    if (cost < least) [best, least] = [{ ...whole, rows: r, vectors: v }, cost];
  }
  return best;
}

/** The product with A and B in each other's place where that makes stores contiguous, or tiles much fuller. */
export function oriented(p: Product, machine: Machine): Product {
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
  const access = (a: Access): Access => ({ ...a, strides: [...a.strides.slice(0, -2), a.strides[rank - 1]!, a.strides[rank - 2]!] });
  const axis = (d: number): number => (d === rank - 1 ? rank - 2 : d === rank - 2 ? rank - 1 : d);
  return {
    ...p,
    m: p.n,
    n: p.m,
    a: p.b,
    b: p.a,
    stores: withAccesses(p, access, (e) => (e.op === "index" ? { ...e, axis: axis(e.axis) } : e)),
  };
}

function withAccesses(p: Product, access: (a: Access) => Access, rule: (e: Expr) => Expr = (e) => e): Product["stores"] {
  const values = rewrite(p.stores.map((s) => s.value), (e) => rule(withAccess(e, access))); // biome-ignore format: one call
  return p.stores.map((s, i) => ({ to: access(s.to), value: values[i]! }));
}

/** Batch axes of size 1 vanish, neighbours that everything runs through as one are merged. */
export function simplerBatch(p: Product): Product {
  if (nodesOf(p).some((e) => e.op === "index")) return p;
  const strides = [p.a.batchStrides, p.b.batchStrides, ...accessesOf(p).map((a) => a.strides)];
  const groups = mergeAxes([...p.batch.keys()], { sizes: p.batch, strides }).filter((g) => g.size !== 1);
  if (groups.length === p.batch.length) return p;
  const kept = (steps: readonly number[]): number[] => groups.map((g) => steps[g.axis]!);
  const operand = (o: Operand): Operand => ({ ...o, batchStrides: kept(o.batchStrides) });
  const stores = withAccesses(p, (a) => ({ ...a, strides: [...kept(a.strides), ...a.strides.slice(-2)] }));
  return { ...p, batch: groups.map((g) => g.size), a: operand(p.a), b: operand(p.b), stores };
}
