/**
 * Packing: a matrix as panels that a register tile reads from front to back. A panel is `width` rows (or columns) of the operand,
 * for each k next to each other. Where fewer are left, others stand in: nobody stores what comes of them.
 */
import { bytesOf } from "../../core/dtype.ts";
import type { Operand } from "../../kernel/kernel.ts";
import {
  type Int,
  type IntLocal,
  iadd,
  ilt,
  imin,
  imul,
  int,
  isub,
  type LoopFunction,
  type Statement,
  type Vec,
  type VecLocal,
} from "../../kernel/loop.ts";
import { Lines } from "./lines.ts";
import { laneOf } from "./scalar.ts";

/** How elements are fetched: vectors across the panel, vectors along k that are transposed, or one by one. */
export type Fetch = "across" | "along" | "apart";

/** Steps of k that are copied together. */
export const TOGETHER = 4;

export interface PanelShape {
  readonly dtype: "float32" | "float64";
  readonly lanes: number;
  readonly width: number;
  readonly fetch: Fetch;
  /** Whether only some rows are there for each step, and zeros stand for the others. */
  readonly clipped?: boolean;
}

export function fetchOf(operand: Operand, depth: number, lanes: number): Fetch {
  if (operand.rowStride === 1 && depth >= TOGETHER) return "across";
  return operand.depthStrides.at(-1) === 1 && depth >= lanes && lanes >= 2 ? "along" : "apart";
}

/** Bytes from panel to panel; a panel narrower than a vector is written in whole ones, and the last of them runs over. */
export function panelBytes({ dtype, lanes, width }: Omit<PanelShape, "fetch">, depth: number): number {
  const elements = depth * width + (width < lanes ? lanes - width : 0);
  const bytes = Math.ceil((elements * bytesOf(dtype)) / 64) * 64;
  // Panels a power of two apart would compete for the same lines of the cache.
  return bytes % 1024 === 0 ? bytes + 64 : bytes;
}

/** Where vectors begin that cover a panel: the last one overlaps the one before rather than run over. */
const starts = ({ lanes, width }: PanelShape): number[] =>
  Array.from({ length: Math.ceil(width / lanes) }, (_, g) => Math.max(0, Math.min(g * lanes, width - lanes)));

type Parameters = readonly [
  from: IntLocal,
  to: IntLocal,
  rows: IntLocal,
  depth: IntLocal,
  rowStep: IntLocal,
  depthStep: IntLocal,
  panelBytes: IntLocal,
  low: IntLocal,
  high: IntLocal,
];

/**
 * pack(from, to, rows, depth, rowStep, depthStep, panelBytes, low, high): as many panels as `rows` fill, `panelBytes` apart; steps in bytes.
 * Where the shape is clipped, rows from `low` to `high` are there: 0 ≤ low, high ≤ rows.
 */
export function packHelper(shape: PanelShape, name: string): LoopFunction {
  const all = ["from", "to", "rows", "depth", "rowStep", "depthStep", "panelBytes", "low", "high"].map(int) as unknown as Parameters;
  const body = { across: acrossPanels, along: transposedPanels, apart: gatheredPanels }[shape.fetch](shape, all);
  return { name, parameters: all, body };
}

const add = (local: IntLocal, by: Int): Statement => ({ do: "int", local, value: iadd(local, by) });

/**
 * k outside, so that what is next to each other in memory is read one after the other; several steps at a time, so that several lines are
 * on their way. The last of them overlap the ones before: depth is at least `TOGETHER`.
 */
function acrossPanels(shape: PanelShape, [from, to, rows, depth, , depthStep, panelBytes]: Parameters): Statement[] {
  const { dtype, width } = shape;
  const bytes = bytesOf(dtype);
  const lines = new Lines();
  lines.loop("k", 0, depth, TOGETHER, (k, step) => {
    const at = step.int(imin(k, isub(depth, TOGETHER)), "at");
    const sources = Array.from({ length: TOGETHER }, (_, q) => int(`source${q}`));
    const target = int("target");
    sources.forEach((local, q) => {
      step.statements.push({ do: "int", local, value: q === 0 ? iadd(from, imul(at, depthStep)) : iadd(sources[q - 1]!, depthStep) });
    });
    step.statements.push({ do: "int", local: target, value: iadd(to, imul(at, width * bytes)) });
    step.loop("row", 0, rows, width, (_row, body) => {
      sources.forEach((source, q) => {
        for (const start of starts(shape)) {
          const value: Vec = { op: "load", dtype, at: iadd(source, start * bytes), form: "vector", lane: laneOf(dtype) };
          body.statements.push({ do: "store", dtype, at: iadd(target, (q * width + start) * bytes), value, form: "vector" });
        }
      });
      body.statements.push(...sources.map((source) => add(source, width * bytes)), add(target, panelBytes));
    });
  });
  return lines.statements;
}

/** Element by element, the last row again where there are no more. */
function gatheredPanels(shape: PanelShape, [from, to, rows, depth, rowStep, depthStep, panelBytes, low, high]: Parameters): Statement[] {
  const { dtype, width } = shape;
  const bytes = bytesOf(dtype);
  const lines = new Lines();
  if (shape.clipped) return clippedPanels(shape, [from, to, rows, depth, rowStep, depthStep, panelBytes, low, high]);
  const last: Vec = { op: "splatInt", value: isub(rows, 1), lane: "i32" };
  lines.loop("row", 0, rows, width, (row, panel) => {
    const indices = starts(shape).map((start) => ({
      start,
      index: panel.vec({ op: "pmin", args: [{ op: "ramp", value: iadd(row, start), lane: "i32" }, last], lane: "i32" }, "row"),
    }));
    panel.loop("k", 0, depth, 1, (k, body) => {
      const source = body.int(iadd(from, imul(k, depthStep)), "source");
      const target = body.int(iadd(to, imul(k, width * bytes)), "target");
      for (const { start, index } of indices) {
        const value: Vec = { op: "gather", dtype, at: source, index, step: rowStep, lane: laneOf(dtype) };
        body.statements.push({ do: "store", dtype, at: iadd(target, start * bytes), value, form: "vector" });
      }
    });
    panel.statements.push(add(to, panelBytes));
  });
  return lines.statements;
}

/** Element by element, zeros for the rows that are not there. */
function clippedPanels(shape: PanelShape, [from, to, rows, depth, rowStep, depthStep, panelBytes, low, high]: Parameters): Statement[] {
  const { dtype, width } = shape;
  const bytes = bytesOf(dtype);
  const lines = new Lines();
  const int32 = (value: Int): Vec => ({ op: "splatInt", value, lane: "i32" });
  const zero: Vec = { op: "splat", value: 0, lane: laneOf(dtype) };
  lines.loop("row", 0, rows, width, (row, panel) => {
    const groups = starts(shape).map((start) => {
      const own = panel.vec({ op: "ramp", value: iadd(row, start), lane: "i32" }, "row");
      const known: Vec = { op: "pmin", args: [{ op: "pmax", args: [own, int32(low)], lane: "i32" }, int32(isub(high, 1))], lane: "i32" };
      const index = panel.vec(known, "known");
      const there: Vec = { op: "eq", args: [own, index], lane: "mask32" };
      const mask = panel.vec(dtype === "float64" ? { op: "convert", args: [there], lane: "mask64" } : there, "there");
      return { start, index, mask };
    });
    panel.loop("k", 0, depth, 1, (k, body) => {
      const source = body.int(iadd(from, imul(k, depthStep)), "source");
      const target = body.int(iadd(to, imul(k, width * bytes)), "target");
      const store = (value: (g: (typeof groups)[number]) => Vec): Statement[] =>
        groups.map((g) => ({ do: "store", dtype, at: iadd(target, g.start * bytes), value: value(g), form: "vector" }));
      const read = ({ index, mask }: (typeof groups)[number]): Vec => {
        const element: Vec = { op: "gather", dtype, at: source, index, step: rowStep, lane: laneOf(dtype) };
        return { op: "select", args: [mask, element, zero], lane: laneOf(dtype) };
      };
      body.statements.push({ do: "if", test: ilt(low, high), then: store(read), else: store(() => zero) });
    });
    panel.statements.push(add(to, panelBytes));
  });
  return lines.statements;
}

/** Squares of W rows and W steps, the last one of k overlapping the one before: depth is at least W. */
function transposedPanels({ dtype, lanes, width }: PanelShape, [from, to, count, depth, rowStep, , panelBytes]: Parameters): Statement[] {
  const bytes = bytesOf(dtype);
  const lane = laneOf(dtype);
  const lines = new Lines();
  lines.loop("first", 0, count, width, (first, panel) => {
    panel.loop("group", 0, width, lanes, (group, outer) => {
      const start = outer.int(imin(group, Math.max(0, width - lanes)), "start");
      const row = outer.int(iadd(first, start), "row");
      const rows = Array.from({ length: lanes }, (_, l) => outer.int(iadd(from, imul(imin(iadd(row, l), isub(count, 1)), rowStep)), "row"));
      const target = outer.int(iadd(to, imul(start, bytes)), "target");
      outer.loop("k", 0, depth, lanes, (k, body) => {
        const at = body.int(imin(k, isub(depth, lanes)), "at");
        const offset = body.int(imul(at, bytes), "offset");
        const square = rows.map((r) => body.vec({ op: "load", dtype, at: iadd(r, offset), form: "vector", lane }));
        const here = body.int(iadd(target, imul(at, width * bytes)), "here");
        transpose(square, body).forEach((value, c) => {
          body.statements.push({ do: "store", dtype, at: iadd(here, c * width * bytes), value, form: "vector" });
        });
      });
    });
    panel.statements.push(add(to, panelBytes));
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
