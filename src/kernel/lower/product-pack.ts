/**
 * Packing: a matrix as panels that a register tile reads from front to back. A panel is `width` rows (or columns) of the operand,
 * for each k next to each other. Where fewer are left, others stand in: nobody stores what comes of them.
 */
import { bytesOf } from "../../core/dtype.ts";
import type { LoweredCall, LoweringContext, Operand } from "../kernel.ts";
import { iadd, idiv, imin, imul, int, type IntLocal, irem, isub, type Int, type LoopFunction, type LoopModule, type Statement, type Vec, type VecLocal } from "../loop.ts";
import { ArgumentBlock, blockSize, keyOf } from "./block.ts";
import { Lines } from "./product-tile.ts";
import { laneOf } from "./scalar.ts";

/** How elements are fetched: vectors across the panel, vectors along k that are transposed, or one by one. */
export type Fetch = "across" | "along" | "apart";

export interface PanelShape {
  readonly dtype: "float32" | "float64";
  readonly lanes: number;
  readonly width: number;
  readonly fetch: Fetch;
}

export function fetchOf(operand: Operand, depth: number, lanes: number): Fetch {
  if (operand.rowStride === 1) return "across";
  return operand.depthStride === 1 && depth >= lanes && lanes >= 2 ? "along" : "apart";
}

/** Bytes from panel to panel; a panel narrower than a vector is written in whole ones, and the last of them runs over. */
export function panelBytes({ dtype, lanes, width }: Omit<PanelShape, "fetch">, depth: number): number {
  const elements = depth * width + (width < lanes ? lanes - width : 0);
  return Math.ceil((elements * bytesOf(dtype)) / 64) * 64;
}

/** Where vectors begin that cover a panel: the last one overlaps the one before rather than run over. */
const starts = ({ lanes, width }: PanelShape): number[] =>
  Array.from({ length: Math.ceil(width / lanes) }, (_, g) => Math.max(0, Math.min(g * lanes, width - lanes)));

/** pack(from, to, valid, depth, rowStep, depthStep): one panel, of which the first `valid` rows exist; steps in bytes. */
export function packHelper(shape: PanelShape): LoopFunction {
  const [from, to, valid, depth, rowStep, depthStep] = ["from", "to", "valid", "depth", "rowStep", "depthStep"].map(int) as [
    IntLocal, IntLocal, IntLocal, IntLocal, IntLocal, IntLocal,
  ]; // biome-ignore format: one line
  const parameters = [from, to, valid, depth, rowStep, depthStep];
  const body = shape.fetch === "along" ? transposed(shape, parameters) : copied(shape, parameters);
  return { name: "pack", parameters, body };
}

function copied(shape: PanelShape, [from, to, valid, depth, rowStep, depthStep]: readonly IntLocal[]): Statement[] {
  const { dtype, width, fetch } = shape;
  const bytes = bytesOf(dtype);
  const lane = laneOf(dtype);
  const lines = new Lines();
  const last: Vec = { op: "splatInt", value: isub(valid!, 1), lane: "i32" };
  const row = (start: number): Vec => ({ op: "pmin", args: [{ op: "ramp", value: start, lane: "i32" }, last], lane: "i32" });
  const rows = starts(shape).map((start) => ({ start, index: fetch === "apart" ? lines.vec(row(start), "row") : undefined }));
  lines.loop("k", 0, depth!, 1, (_, body) => {
    for (const { start, index } of rows) {
      const value: Vec = index
        ? { op: "gather", dtype, at: from!, index, step: rowStep!, lane }
        : { op: "load", dtype, at: iadd(from!, start * bytes), form: "vector", lane };
      body.statements.push({ do: "store", dtype, at: iadd(to!, start * bytes), value, form: "vector" });
    }
    body.statements.push(
      { do: "int", local: from!, value: iadd(from!, depthStep!) },
      { do: "int", local: to!, value: iadd(to!, width * bytes) },
    );
  });
  return lines.statements;
}

/** Squares of W rows and W steps, the last one of k overlapping the one before: depth is at least W. */
function transposed({ dtype, lanes, width }: PanelShape, [from, to, valid, depth, rowStep]: readonly IntLocal[]): Statement[] {
  const bytes = bytesOf(dtype);
  const lane = laneOf(dtype);
  const lines = new Lines();
  lines.loop("group", 0, width, lanes, (group, outer) => {
    const start = outer.int(imin(group, Math.max(0, width - lanes)), "start");
    const rows = Array.from({ length: lanes }, (_, l) => outer.int(iadd(from!, imul(imin(iadd(start, l), isub(valid!, 1)), rowStep!)), "row"));
    const target = outer.int(iadd(to!, imul(start, bytes)), "target");
    outer.loop("k", 0, depth!, lanes, (k, body) => {
      const at = body.int(imin(k, isub(depth!, lanes)), "at");
      const offset = body.int(imul(at, bytes), "offset");
      const square = rows.map((r) => body.vec({ op: "load", dtype, at: iadd(r, offset), form: "vector", lane }));
      const here = body.int(iadd(target, imul(at, width * bytes)), "here");
      transpose(square, body).forEach((value, c) => {
        body.statements.push({ do: "store", dtype, at: iadd(here, c * width * bytes), value, form: "vector" });
      });
    });
  });
  return lines.statements;
}

/** W vectors of W lanes as a matrix, transposed: by pairs and fours within 128 bits, then by ever larger halves. */
export function transpose(rows: readonly VecLocal[], lines: Lines): VecLocal[] {
  const W = rows.length;
  const all = Array.from({ length: W }, (_, l) => l);
  const pick = (a: VecLocal, b: VecLocal, choose: (l: number) => number): VecLocal =>
    lines.vec({ op: "shuffle", args: [a, b], pick: all.map(choose), lane: a.lane });
  let now = [...rows];
  let span = 1;
  if (W >= 4) {
    const paired = now.map((_, i) => {
      const [a, b] = [now[i & ~1]!, now[i | 1]!];
      const from = (i & 1) * 2;
      return pick(a, b, (l) => (l & ~3) + from + ((l & 3) >> 1) + (l & 1) * W);
    });
    now = now.map((_, i) => {
      const [a, b] = [paired[(i & ~3) + ((i & 2) >> 1)]!, paired[(i & ~3) + 2 + ((i & 2) >> 1)]!];
      const from = (i & 1) * 2;
      return pick(a, b, (l) => (l & ~3) + from + (l & 1) + ((l & 2) >> 1) * W);
    });
    span = 4;
  }
  for (let d = span; d < W; d *= 2) {
    now = now.map((_, i) => {
      const [a, b] = [now[i & ~d]!, now[i | d]!];
      return i & d ? pick(a, b, (l) => (l & d ? W + l : l + d)) : pick(a, b, (l) => (l & d ? W + l - d : l));
    });
  }
  return now;
}

/** A packed operand: where it is, and how far it is from panel to panel and along the batch axes, in bytes. */
export interface Packed {
  readonly buffer: number;
  readonly panelBytes: number;
  readonly batchStrides: readonly number[];
}

export interface PackOptions {
  readonly shape: PanelShape;
  readonly operand: Operand;
  /** Rows of the operand, and steps of k. */
  readonly rows: number;
  readonly depth: number;
  readonly batch: readonly number[];
}

/** The call that packs an operand, once for each batch element that differs. */
export function packCall({ shape, operand, rows, depth, batch }: PackOptions, context: LoweringContext): { packed: Packed; call: LoweredCall } {
  const panels = Math.ceil(rows / shape.width);
  const bytes = panelBytes(shape, depth);
  const axes = batch.map((_, d) => d).filter((d) => operand.batchStrides[d] !== 0);
  const batchStrides = batch.map(() => 0);
  let units = panels;
  for (const d of axes.toReversed()) {
    batchStrides[d] = units * bytes;
    units *= batch[d]!;
  }
  const buffer = context.allocate(units * bytes, shape.dtype);
  const each = blockSize(units, depth * shape.width * 2);
  const block = new ArgumentBlock();
  const module = packModule({ shape, operand, axes: axes.map((d) => ({ size: batch[d]!, stride: operand.batchStrides[d]! })) }, block, {
    rows, depth, panels, units, each, bytes, buffer,
  }); // biome-ignore format: sizes
  const call: LoweredCall = {
    code: { key: keyOf(module), module },
    arguments: block.words,
    blocks: Math.max(1, Math.ceil(units / each)),
    work: units * depth * shape.width,
    reads: [operand.buffer],
    writes: [buffer],
  };
  return { packed: { buffer, panelBytes: bytes, batchStrides }, call };
}

interface PackSource {
  readonly shape: PanelShape;
  readonly operand: Operand;
  readonly axes: readonly { readonly size: number; readonly stride: number }[];
}

function packModule({ shape, operand, axes }: PackSource, block: ArgumentBlock, sizes: Readonly<Record<string, number>>): LoopModule {
  const bytes = bytesOf(shape.dtype);
  const [args, begin, end, thread] = ["arguments", "begin", "end", "thread"].map(int) as [IntLocal, IntLocal, IntLocal, IntLocal];
  const size = (name: string): Int => block.size(sizes[name]!, name);
  const from = block.address(operand.buffer, operand.offset * bytes, "from");
  const to = block.address(sizes["buffer"]!, 0, "to");
  const [rows, depth, panels, units, each, panel] = ["rows", "depth", "panels", "units", "each", "bytes"].map(size) as [Int, Int, Int, Int, Int, Int];
  const rowStep = block.size(operand.rowStride * bytes, "rowStep");
  const depthStep = block.size(operand.depthStride * bytes, "depthStep");
  const strides = axes.map((a) => ({ size: block.size(a.size, "batch"), stride: block.size(a.stride * bytes, "stride") }));
  const lines = new Lines();
  lines.loop("unit", imul(begin, each), imin(imul(end, each), units), 1, (unit, body) => {
    const row = body.int(imul(irem(unit, panels), shape.width), "row");
    let source: Int = iadd(from, imul(row, rowStep));
    let rest = strides.length ? body.int(idiv(unit, panels), "rest") : 0;
    strides.toReversed().forEach(({ size: n, stride }, i) => {
      source = body.int(iadd(source, imul(irem(rest, n), stride)), "source");
      if (i + 1 < strides.length) rest = body.int(idiv(rest, n), "rest");
    });
    const valid = imin(isub(rows, row), shape.width);
    body.statements.push({ do: "call", name: "pack", arguments: [source, iadd(to, imul(unit, panel)), valid, depth, rowStep, depthStep] });
  });
  return {
    lanes: shape.lanes,
    helpers: [packHelper(shape)],
    entry: { name: "kernel", parameters: [args, begin, end, thread], body: [...block.prologue, ...lines.statements] },
  };
}
