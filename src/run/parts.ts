/**
 * An open graph as programs. Most are one program; a very long one is cut into stretches of about PART values, because what a loop made is cut
 * into stretches of one structure, which share a program: 100,000 operations are then compiled once in a thousand.
 */
import { bytesOf } from "../core/dtype.ts";
import { InternalError, type Site } from "../core/errors.ts";
import { sizeOf } from "../core/shape.ts";
import { withSite } from "../core/site.ts";
import { encode, identityOf } from "../graph/key.ts";
import { apply, type OpBase, type Value } from "../graph/op.ts";
import { argument } from "../ops/index.ts";
import type { Feed, Runnable } from "./executable.ts";
import { holderOf } from "./holder.ts";
import type { OpenGraph } from "./open-graph.ts";
import type { Storage } from "./storage.ts";

/** Graphs of up to this many values are one program: an ordinary step, whose values are then planned, fused and shared as a whole. */
const MOST_WHOLE = 16_000;
/** Values of a part, about: a quarter more where fewer bytes cross the cut. */
const PART = 1000;

/** What a graph's parts gave. */
export type Results = ReadonlyMap<Value, Storage>;

/** Runs the parts of a graph one after another, with `programFor` to get a program for each; answers what its roots are. */
export function runParts(graph: OpenGraph, programFor: (part: Part) => Runnable): Results {
  const roots = new Set(graph.roots());
  const results = new Map<Value, Storage>();
  const run = (values: readonly Value[], wanted: readonly Value[]): void => {
    const part = new Part(graph, values, wanted, results);
    part.run(programFor(part)).forEach((storage, i) => results.set(wanted[i]!, storage));
  };
  if (graph.order.length <= MOST_WHOLE) {
    run(graph.order, [...roots]);
    return results;
  }
  const order = inOrderOfMaking(graph.order);
  const lastUse = lastUses(graph, order);
  let start = 0;
  for (const end of endsOf(order, lastUse)) {
    const values = order.slice(start, end);
    const crossing = values.filter((v) => roots.has(v) || lastUse.get(v)! >= end);
    // Roots that nothing computes, numbers and constants, are results of the last part.
    const given = end === order.length ? [...roots].filter((v) => graph.sources(v).length === 0) : [];
    run(values, [...crossing, ...given]);
    for (const v of results.keys()) if (!roots.has(v) && lastUse.get(v)! < end) results.delete(v);
    start = end;
  }
  return results;
}

/**
 * As the user's program made them, turn by turn: a walk from the results may meet all that later turns read beside their chain first.
 * Inputs are made before what reads them, and what a cell is to hold before who reads the cell.
 */
const inOrderOfMaking = (order: readonly Value[]): Value[] => order.toSorted((a, b) => a.id - b.id);

/** For each value the position of the last one that reads it. */
function lastUses(graph: OpenGraph, order: readonly Value[]): Map<Value, number> {
  const last = new Map<Value, number>();
  order.forEach((v, at) => {
    last.set(v, at);
    for (const x of graph.sources(v)) last.set(x, at);
  });
  return last;
}

/** Where parts end: where the fewest bytes cross, the first of equal places, so that a loop is cut at the same line each time. */
function endsOf(order: readonly Value[], lastUse: ReadonlyMap<Value, number>): number[] {
  const crossing = bytesCrossing(order, lastUse);
  const ends: number[] = [];
  for (let start = 0; start < order.length; start = ends.at(-1)!) {
    let end = Math.min(start + PART, order.length);
    for (let at = end; at < Math.min(start + PART * 1.25, order.length); at++) if (crossing[at]! < crossing[end]!) end = at;
    ends.push(end);
  }
  return ends;
}

/** For each position the bytes of what is computed before it and read at it or after it. */
function bytesCrossing(order: readonly Value[], lastUse: ReadonlyMap<Value, number>): Float64Array {
  const bytes = new Float64Array(order.length + 2);
  order.forEach((v, at) => {
    const own = sizeOf(v.shape) * bytesOf(v.dtype);
    bytes[at + 1]! += own;
    bytes[lastUse.get(v)! + 1]! -= own;
  });
  for (let at = 1; at < bytes.length; at++) bytes[at]! += bytes[at - 1]!;
  return bytes;
}

/** A position in a part: where an error belongs to, in whichever graph of the part's structure is running. */
class Position implements Site {
  readonly at: number;
  constructor(at: number) {
    this.at = at;
  }
  toString(): string {
    return "";
  }
}

/** A stretch of an open graph as a program: its structure as text, what it is fed with, and what it gives. */
export class Part {
  /** Equal keys, equal programs. */
  readonly key: string;
  readonly results: readonly Value[];
  private readonly graph: OpenGraph;
  private readonly known: Results;
  /** Inputs, constants and computed values, in the order in which they are met. */
  private readonly members: Value[] = [];
  private readonly number = new Map<Value, number>();
  private readonly inputs = new Map<Value, number>();
  private readonly storages = new Map<Storage, number>();
  private readonly feeds: Feed[] = [];

  /** @param known the results of the parts before */
  constructor(graph: OpenGraph, values: readonly Value[], results: readonly Value[], known: Results) {
    this.graph = graph;
    this.known = known;
    this.results = results;
    const lines: string[] = [];
    for (const v of values) {
      const from = graph.sources(v).map((x) => this.numberOf(x, lines));
      lines.push(`${holderOf(v) || v.op.kind === "custom" ? "" : `${identityOf(v.op)} ${encode(v.attributes)}`} ${from}`);
      this.add(v);
    }
    const outputs = results.map((v) => this.numberOf(v, lines));
    this.key = `${lines.join("\n")}\n→ ${outputs}`;
  }

  private add(v: Value): number {
    const n = this.members.push(v) - 1;
    this.number.set(v, n);
    return n;
  }

  /** The number of what a member reads; what was computed before or needs no computing becomes a member itself. */
  private numberOf(x: Value, lines: string[]): number {
    const known = this.number.get(x);
    if (known !== undefined) return known;
    const feed = this.graph.feedOf(x) ?? this.known.get(x);
    if (!feed && this.graph.sources(x).length > 0) throw new InternalError(`%${x.id} (${x.op.name}) is read before it is computed`);
    lines.push(feed ? `in ${this.input(x, feed)} ${x.dtype}[${x.shape}]` : `${identityOf(x.op)} ${encode(x.attributes)}`);
    return this.add(x);
  }

  private input(x: Value, feed: Feed): number {
    const isStorage = !ArrayBuffer.isView(feed);
    const index = (isStorage ? this.storages.get(feed as Storage) : undefined) ?? this.feeds.push(feed) - 1;
    if (isStorage) this.storages.set(feed as Storage, index);
    this.inputs.set(x, index);
    return index;
  }

  /** The part over arguments. */
  build(): Value[] {
    const made = new Map<Value, Value>();
    this.members.forEach((v, at) => {
      const input = this.inputs.get(v);
      const from = this.graph.sources(v).map((x) => made.get(x)!);
      if (input !== undefined) made.set(v, argument(input, v));
      else if (holderOf(v) || v.op.kind === "custom") made.set(v, from[0]!);
      else if (from.length === 0) made.set(v, v);
      else
        made.set(
          v,
          withSite(new Position(at), () => apply(v.op as OpBase<any, unknown>, from, v.attributes)),
        );
    });
    return this.results.map((v) => made.get(v)!);
  }

  /** Runs a program of this structure; an error about an index names the line of this graph. */
  run(program: Runnable): Storage[] {
    return program.run(this.feeds, (site) => (site instanceof Position ? this.members[site.at]!.site : site));
  }
}
