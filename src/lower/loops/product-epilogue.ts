/** What happens to a finished tile of a product: each element goes through the kernel's stores, in vectors along n. */
import { bytesOf } from "../../core/dtype.ts";
import { InternalError } from "../../core/errors.ts";
import { type Access, accessKey, type Expr, operands } from "../../kernel/expr.ts";
import type { Product, Store } from "../../kernel/kernel.ts";
import { type Int, type IntLocal, iadd, imin, imul, irem, isub, type Vec } from "../../kernel/loop.ts";
import type { ArgumentBlock } from "./block.ts";
import { loadLanes, type Spacing, storeLanes } from "./lanes.ts";
import type { Lines } from "./lines.ts";
import type { LoopContext } from "./machine.ts";
import { columnsOf, type Tile } from "./product-tile.ts";
import { operationToVec } from "./repeat.ts";
import { asLane, laneOf } from "./scalar.ts";

/** Where an expression can be computed: once for a batch element, once a row, or at each vector. */
const [UNIT, ROW, VECTOR] = [0, 1, 2] as const;
type Level = typeof UNIT | typeof ROW | typeof VECTOR;

/** True for stores that can be computed on a tile; others read the product back from memory. */
export function fitsTile(p: Product, context: LoopContext): boolean {
  const narrow = (buffer: number): boolean => p.dtype === "float64" || context.dtypeOf(buffer) !== "float64";
  const seen = new Set<Expr>();
  const fits = (e: Expr): boolean => {
    if (seen.has(e)) return true;
    seen.add(e);
    if (e.op === "loadAt" || e.op === "inRange" || e.op === "reduce" || (e.dtype === "float64" && p.dtype !== "float64")) return false;
    return (e.op !== "load" || narrow(e.from.buffer)) && operands(e).every(fits);
  };
  return p.stores.every((s) => narrow(s.to.buffer) && fits(s.value));
}

interface Place {
  readonly lines: Lines;
  readonly values: Map<Expr, Vec>;
  readonly addresses: Map<string, Int>;
}

/** Where in the result a tile lies. */
export interface TilePlace {
  readonly m: Int;
  readonly n: Int;
  readonly rows: Int;
  readonly columns: Int;
  /** The sums, row by row. */
  readonly sums: Int;
}

/** An access in words of the argument block: where it begins, and bytes from one position to the next. */
interface Moving {
  readonly key: string;
  readonly base: IntLocal;
  readonly bytes: number;
  readonly batch: readonly Int[];
  readonly m: Int;
  readonly n: Int;
}

export class Epilogue {
  private readonly tile: Tile;
  private readonly stores: readonly Store[];
  private readonly context: LoopContext;
  private readonly rank: number;
  private readonly accesses = new Map<string, Moving>();
  private readonly levels = new Map<Expr, Level>();
  private unit!: Place;
  private batch: readonly Int[] = [];

  /** Takes the words it needs from the argument block. */
  constructor(p: Product, tile: Tile, context: LoopContext, block: ArgumentBlock) {
    this.tile = tile;
    this.stores = p.stores;
    this.context = context;
    this.rank = p.batch.length + 2;
    const strides = new Map<number, Int>();
    const word = (bytes: number, unit: number): Int => {
      if (bytes === 0 || bytes === unit) return bytes;
      const known = strides.get(bytes) ?? block.size(bytes, "stride");
      strides.set(bytes, known);
      return known;
    };
    const add = (a: Access): void => {
      const key = accessKey(a);
      if (this.accesses.has(key)) return;
      const bytes = bytesOf(context.dtypeOf(a.buffer));
      const base = block.address(a.buffer, a.offset * bytes, "p");
      const [m, n] = [a.strides[this.rank - 2]!, a.strides[this.rank - 1]!];
      const batch = a.strides.slice(0, -2).map((s) => (s === 0 ? 0 : block.size(s * bytes, "stride")));
      this.accesses.set(key, { key, base, bytes, batch, m: m === 0 ? 0 : block.size(m * bytes, "stride"), n: word(n * bytes, bytes) });
    };
    for (const s of this.stores) {
      this.visit(s.value, add);
      add(s.to);
    }
  }

  private visit(e: Expr, add: (a: Access) => void): Level {
    const known = this.levels.get(e);
    if (known !== undefined) return known;
    let level: Level = UNIT;
    for (const x of operands(e)) level = Math.max(level, this.visit(x, add)) as Level;
    if (e.op === "accumulator" || (e.op === "index" && e.axis === this.rank - 1)) level = VECTOR;
    else if (e.op === "index" && e.axis === this.rank - 2) level = ROW;
    else if (e.op === "load") {
      add(e.from);
      level = e.from.strides[this.rank - 1] ? VECTOR : e.from.strides[this.rank - 2] ? ROW : UNIT;
    }
    this.levels.set(e, level);
    return level;
  }

  /** Computes in `lines` what all tiles of a batch element share. */
  begin(lines: Lines, batch: readonly Int[]): void {
    this.batch = batch;
    this.unit = { lines, values: new Map(), addresses: new Map() };
    for (const a of this.accesses.values()) {
      const at = a.batch.reduce<Int>((sum, stride, d) => iadd(sum, imul(batch[d]!, stride)), a.base);
      this.unit.addresses.set(a.key, lines.int(at, "p"));
    }
    for (const [e, level] of this.levels) if (level === UNIT && e.op !== "const") this.emit(e, this.unit, this.unit, undefined);
  }

  /** A finished tile. `begin` has run in an enclosing scope. */
  finish(lines: Lines, place: TilePlace): void {
    const W = this.tile.lanes;
    const width = columnsOf(this.tile) * bytesOf(this.tile.dtype);
    const columns = lines.int(place.columns, "columns");
    lines.loop("r", 0, place.rows, 1, (r, inRow) => {
      const m = inRow.int(iadd(place.m, r), "m");
      const row: Place = { lines: inRow, values: new Map(), addresses: new Map() };
      for (const a of this.accesses.values()) {
        const at = iadd(iadd(this.unit.addresses.get(a.key)!, imul(m, a.m)), imul(place.n, a.n));
        row.addresses.set(a.key, inRow.int(at, "p"));
      }
      const sums = inRow.int(iadd(place.sums, imul(r, width)), "sums");
      const rest = inRow.int(irem(columns, W), "rest");
      const whole = inRow.int(isub(columns, rest), "whole");
      inRow.loop("j", 0, whole, W, (j, body) => this.vector(body, row, { m, n: place.n, j, sums, count: undefined }));
      inRow.when({ op: "lt", a: 0, b: rest }, (body) => this.vector(body, row, { m, n: place.n, j: whole, sums, count: rest }));
    });
  }

  private vector(lines: Lines, row: Place, at: At): void {
    const here: Place = { lines, values: new Map(), addresses: new Map() };
    for (const a of this.accesses.values()) {
      const address = a.n === 0 ? row.addresses.get(a.key)! : iadd(row.addresses.get(a.key)!, imul(at.j, a.n));
      here.addresses.set(a.key, lines.int(address, "p"));
    }
    const values = this.stores.map((s) => {
      const dtype = this.context.dtypeOf(s.to.buffer);
      const value = this.emit(s.value, here, row, at);
      return dtype === "bool" ? value : asLane(value, laneOf(dtype));
    });
    this.stores.forEach((s, i) => {
      const dtype = this.context.dtypeOf(s.to.buffer);
      const access = this.accesses.get(accessKey(s.to))!;
      const [address, value] = [here.addresses.get(access.key)!, values[i]!];
      lines.statements.push(storeLanes(dtype, address, value, spacing(access), at.count, this.tile.lanes));
    });
  }

  private emit(e: Expr, here: Place, row: Place, at: At | undefined): Vec {
    if (e.op === "const") return { op: "splat", value: e.value, lane: laneOf(e.dtype) };
    const level = this.levels.get(e)!;
    const place = level === UNIT ? this.unit : level === ROW ? row : here;
    const known = place.values.get(e);
    if (known) return known;
    const value = place.lines.vec(this.compute(e, level, place, (x) => this.emit(x, here, row, at), at));
    place.values.set(e, value);
    return value;
  }

  private compute(e: Exclude<Expr, { op: "const" }>, level: Level, place: Place, emit: (e: Expr) => Vec, at: At | undefined): Vec {
    switch (e.op) {
      case "accumulator": {
        const { dtype } = this.tile;
        return { op: "load", dtype, at: iadd(at!.sums, imul(at!.j, bytesOf(dtype))), form: "vector", lane: laneOf(dtype) };
      }
      case "index":
        if (level === VECTOR) return { op: "ramp", value: iadd(at!.n, at!.j), lane: "i32" };
        return { op: "splatInt", value: level === ROW ? at!.m : this.batch[e.axis]!, lane: "i32" };
      case "load":
        return this.load(e.from, level, place, at);
      case "loadAt":
      case "inside":
      case "inRange":
      case "reduce":
      case "parameter":
        throw new InternalError(`${e.op} in the epilogue of a product`);
      default:
        return operationToVec(e, e.args.map(emit), place.lines);
    }
  }

  private load(from: Access, level: Level, place: Place, at: At | undefined): Vec {
    const access = this.accesses.get(accessKey(from))!;
    const dtype = this.context.dtypeOf(from.buffer);
    return loadLanes(dtype, place.addresses.get(access.key)!, level === VECTOR ? spacing(access) : "one", at?.count);
  }
}

const spacing = ({ n, bytes }: Moving): Spacing => (n === bytes ? "next" : { step: n });

/** A vector of the tile: its row, the tile's first column, its own first column, and how many lanes count (all of them: undefined). */
interface At {
  readonly m: Int;
  readonly n: Int;
  readonly j: Int;
  readonly sums: Int;
  readonly count: Int | undefined;
}

/** Rows or columns of a tile that exist: `extent` at most, less where the matrix ends. */
export const present = (size: Int, start: Int, extent: number): Int => imin(isub(size, start), extent);
