/** Rules for index maps that write. */
import type { Value } from "../graph/op.ts";
import {
  add,
  addOp,
  axesOf,
  concat,
  concatOp,
  pad,
  padOp,
  type Slice,
  scalarLike,
  slice,
  sliceOp,
  windows,
  windowsOp,
} from "../ops/index.ts";
import { filledWith, match } from "./match.ts";
import type { Rule } from "./rewrite.ts";

const axisOf = (v: Value): number => (v.attributes as { axis: number }).axis;
const isConcatAlong = (x: Value, axis: number): boolean => x.op === concatOp && axisOf(x) === axis;
const plus = (a: readonly number[], b: readonly number[]): number[] => a.map((n, i) => n + b[i]!);

export const places: readonly Rule[] = [
  {
    name: "pad of pad",
    doc: "pad(pad(x)) → pad(x) with the same value",
    on: [padOp],
    apply(v) {
      const outer = match(v, padOp)!;
      const inner = match(outer.x, padOp);
      const { low, high, interior, value } = outer.attributes;
      if (!inner || !Object.is(inner.attributes.value, value) || interior.some((n) => n !== 0)) return null;
      return pad(inner.x, { ...inner.attributes, low: plus(low, inner.attributes.low), high: plus(high, inner.attributes.high) });
    },
  },
  {
    name: "pad of windows",
    doc: "pad(windows(x)) → windows(pad(x)) along other axes: x is padded, not its many copies",
    on: [padOp],
    apply(v) {
      const { x, attributes } = match(v, padOp)!;
      const seen = match(x, windowsOp);
      if (!seen) return null;
      const { axis } = seen.attributes;
      const { low, high, interior, value } = attributes;
      if ([low, high, interior].some((list) => list[axis] !== 0 || list[axis + 1] !== 0)) return null;
      const before = (list: readonly number[]): number[] => list.toSpliced(axis, 1);
      return windows(pad(seen.x, { low: before(low), high: before(high), interior: before(interior), value }), seen.attributes);
    },
  },
  {
    name: "slice of windows",
    doc: "slice(windows(x)) → windows(slice(x)) along other axes",
    on: [sliceOp],
    apply(v) {
      const { x, attributes } = match(v, sliceOp)!;
      const seen = match(x, windowsOp);
      if (!seen) return null;
      const { axis } = seen.attributes;
      const { starts, steps, sizes } = attributes;
      if ([axis, axis + 1].some((d) => starts[d] !== 0 || steps[d] !== 1 || sizes[d] !== x.shape[d])) return null;
      const before = (list: readonly number[], own: number): number[] => list.toSpliced(axis, 2, own);
      const whole: Slice = { starts: before(starts, 0), steps: before(steps, 1), sizes: before(sizes, seen.x.shape[axis]!) };
      return windows(slice(seen.x, whole), seen.attributes);
    },
  },
  {
    name: "pad with more of the same",
    doc: "pad(c everywhere, c) → c everywhere",
    on: [padOp],
    apply(v) {
      const { x, attributes } = match(v, padOp)!;
      return Object.is(filledWith(x), attributes.value) ? scalarLike(v, attributes.value) : null;
    },
  },
  {
    name: "concat of concat",
    doc: "concat(concat(a, b), c) → concat(a, b, c)",
    on: [concatOp],
    apply(v, uses) {
      const flat = v.inputs.flatMap((x) => (isConcatAlong(x, axisOf(v)) && uses.once(x) ? x.inputs : [x]));
      return flat.length > v.inputs.length ? concat(flat, axisOf(v)) : null;
    },
  },
  {
    name: "concat of nothing",
    doc: "concat(a, empty, b) → concat(a, b)",
    on: [concatOp],
    apply(v) {
      const full = v.inputs.filter((x) => x.shape[axisOf(v)] !== 0);
      return full.length > 0 && full.length < v.inputs.length ? concat(full, axisOf(v)) : null;
    },
  },
  {
    name: "sum of pads",
    doc: "pad(a) + pad(b) + … → concat(a, b, …), padded where they do not fill the whole, if no two overlap",
    on: [addOp],
    apply(v) {
      const segments = segmentsOf(v);
      if (!segments) return null;
      segments.sort((p, q) => p.begin - q.begin);
      if (segments.some((s, i) => i > 0 && segments[i - 1]!.end > s.begin)) return null;
      const runs = joinNeighbours(segments);
      return runs.length < segments.length ? runs.map((run) => place(run, v)).reduce(add) : null;
    },
  },
];

/** What a pad with zeros along one axis writes: `pieces` one after another into [begin, end) of the axis. */
interface Segment {
  readonly pieces: readonly Value[];
  readonly axis: number;
  readonly begin: number;
  readonly end: number;
}

/** Sums are looked through up to this many terms: each node of a chain looks at those below it. */
const MOST_TERMS = 64;

/** The terms of a sum, if all are pads along the same axis. */
function segmentsOf(v: Value): Segment[] | null {
  const segments: Segment[] = [];
  const waiting = [...v.inputs];
  while (waiting.length > 0) {
    const term = waiting.pop()!;
    if (term.op === addOp) waiting.push(...term.inputs);
    else {
      const segment = segmentOf(term);
      if (!segment || segment.axis !== (segments[0] ?? segment).axis) return null;
      segments.push(segment);
    }
    if (segments.length + waiting.length > MOST_TERMS) return null;
  }
  return segments;
}

function segmentOf(term: Value): Segment | null {
  const found = match(term, padOp);
  if (found?.attributes.value !== 0) return null;
  const { low, high, interior } = found.attributes;
  const padded = axesOf(low.length).filter((d) => low[d] !== 0 || high[d] !== 0 || interior[d] !== 0);
  const axis = padded[0]!;
  if (padded.length !== 1 || interior[axis] !== 0) return null;
  const pieces = isConcatAlong(found.x, axis) ? found.x.inputs : [found.x];
  return { pieces, axis, begin: low[axis]!, end: low[axis]! + found.x.shape[axis]! };
}

/** Segments in order; where one ends and the next begins, they are one. */
function joinNeighbours(segments: readonly Segment[]): Segment[] {
  const runs: { pieces: Value[]; axis: number; begin: number; end: number }[] = [];
  for (const { pieces, axis, begin, end } of segments) {
    const last = runs.at(-1);
    if (last?.end === begin) {
      last.pieces.push(...pieces);
      last.end = end;
    } else runs.push({ pieces: [...pieces], axis, begin, end });
  }
  return runs;
}

function place({ pieces, axis, begin, end }: Segment, whole: Value): Value {
  const none = whole.shape.map(() => 0);
  return pad(concat(pieces, axis), {
    low: none.with(axis, begin),
    high: none.with(axis, whole.shape[axis]! - end),
    interior: none,
    value: 0,
  });
}
