/** Which examples stand in which batch of a pass: the same for every kind of data set. */
import { ArgumentError, show } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import type { Generator } from "../index.ts";
import { HostRandom } from "./random.ts";

export interface BatchOptions {
  /** A new order for each pass; without it, the order of the data. Each pass takes one call of the generator. */
  readonly rng?: Generator;
  /** What becomes of a last batch that is not full. A new size is a new program; training often drops it. Default "keep". */
  readonly last?: "keep" | "drop";
  /** Leaves out this many batches at the start of the order: where an interrupted pass goes on. */
  readonly from?: number;
}

/**
 * A function that begins a pass over the rows: one list of rows for each batch.
 *
 * @throws ArgumentError for sizes and options that mean nothing, before the first pass
 */
export function batchesOfRows(rows: Uint32Array, size: number, options: BatchOptions = {}): () => Iterable<Uint32Array> {
  checkOptions("batches", options, ["rng", "last", "from"]);
  const { last = "keep", from = 0, rng } = options;
  if (last !== "keep" && last !== "drop") throw new ArgumentError(`batches: last is ${show(last)}`, { help: '"keep" or "drop"' });
  if (!Number.isSafeInteger(from) || from < 0) throw new ArgumentError(`batches: from is ${show(from)}`, { help: "a whole number ≥ 0" });
  if (!Number.isSafeInteger(size) || size < 1) throw new ArgumentError(`batches: a batch of ${size}`, { help: "a whole number ≥ 1" });
  if (rows.length > 0 && last === "drop" && size > rows.length)
    throw new ArgumentError(`batches: ${size} examples a batch, but there are only ${rows.length}`, {
      why: "incomplete batches are dropped, so there would be none",
      help: `use a batch of at most ${rows.length}, or last: "keep"`,
    });
  return function* () {
    const order = rng ? hostRandom(rng).shuffle(rows.slice()) : rows;
    const count = countOfBatches(rows.length, size, last);
    for (let i = from; i < count; i++) yield order.subarray(i * size, (i + 1) * size);
  };
}

/** How many batches one pass has. */
export const countOfBatches = (examples: number, size: number, last: "keep" | "drop"): number =>
  last === "drop" ? Math.floor(examples / size) : Math.ceil(examples / size);

/**
 * Two parts of a random order of the rows, disjoint: the first has `fraction` of them.
 *
 * @throws ArgumentError if one were empty
 */
export function splitRows(rows: Uint32Array, fraction: number, rng: Generator): [Uint32Array, Uint32Array] {
  const first = Math.round(rows.length * fraction);
  if (!(fraction > 0 && fraction < 1) || first === 0 || first === rows.length)
    throw new ArgumentError(`split: ${fraction} of ${rows.length} examples leaves a part empty`, {
      help: "a fraction such as 0.8, of enough examples",
    });
  const order = hostRandom(rng).shuffle(rows.slice());
  return [order.subarray(0, first), order.subarray(first)];
}

/** A stream on the host that stands for one call of the generator: draws stay with their generator (its state counts them). */
export function hostRandom(rng: Generator): HostRandom {
  const { seed, calls } = rng.state;
  rng.restore({ seed, calls: calls + 1 });
  return new HostRandom(seed, calls);
}
