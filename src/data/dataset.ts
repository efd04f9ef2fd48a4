import { ArgumentError, ShapeError, show } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { showShape, sizeOf } from "../core/shape.ts";
import type { Generator, Tensor } from "../index.ts";
import { type CheckedColumn, type Column, checkColumn, gatherColumn, type Moments, momentsOf } from "./column.ts";
import { HostRandom } from "./random.ts";

/** A batch: inputs and targets, the first axis counts the examples. */
export type Labelled = { x: Tensor; y: Tensor };

export interface BatchOptions {
  /** A new order for each pass; without it, the order of the data. Each pass takes one call of the generator. */
  readonly rng?: Generator;
  /** What becomes of a last batch that is not full. A new size is a new program; training often drops it. Default "keep". */
  readonly last?: "keep" | "drop";
  /** Leaves out this many batches at the start of the order: where an interrupted pass goes on. */
  readonly from?: number;
}

export interface Dataset<B> {
  readonly size: number;
  /** Two parts of a random order, disjoint: the first has `fraction` of the examples. */
  split(fraction: number, rng: Generator): [Dataset<B>, Dataset<B>];
  batches(size: number, options?: BatchOptions): Iterable<B> & AsyncIterable<B>;
}

/**
 * Examples in typed arrays. A part of it is a list of rows; the numbers are shared and never change.
 *
 * @throws ShapeError if the two sides have not equally many examples; DTypeError or ArgumentError for a number that its dtype cannot hold
 * @example
 * new ArrayDataset({ data: images, shape: [784], scale: 1 / 255 }, { data: labels, shape: [] });  // bytes: classes, int32
 * new ArrayDataset({ data: Float32Array.of(1, 2), shape: [1] }, { data: Float32Array.of(0.5, 1), shape: [1] });  // regression
 */
export class ArrayDataset implements Dataset<Labelled> {
  readonly x: CheckedColumn;
  readonly y: CheckedColumn;
  /** Which examples, in order. */
  readonly rows: Uint32Array;

  constructor(x: Column, y: Column, rows?: Uint32Array) {
    this.x = checkColumn(x, "inputs");
    this.y = checkColumn(y, "targets");
    const count = countOf(this.x);
    const targets = countOf(this.y);
    if (count !== targets)
      throw new ShapeError(`data: ${count} inputs and ${targets} targets`, {
        why: "every example needs both",
        help: "check that the two files belong together",
      });
    this.rows = rows ?? Uint32Array.from({ length: count }, (_, i) => i);
  }

  get size(): number {
    return this.rows.length;
  }

  toString(): string {
    return `ArrayDataset(${this.size} examples, x ${showShape(this.x.shape)}, y ${showShape(this.y.shape)})`;
  }
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }

  split(fraction: number, rng: Generator): [ArrayDataset, ArrayDataset] {
    const first = Math.round(this.size * fraction);
    if (!(fraction > 0 && fraction < 1) || first === 0 || first === this.size)
      throw new ArgumentError(`split: ${fraction} of ${this.size} examples leaves a part empty`, {
        help: "a fraction such as 0.8, of enough examples",
      });
    const order = hostRandom(rng).shuffle(this.rows.slice());
    return [this.select(order.subarray(0, first)), this.select(order.subarray(first))];
  }

  /** These rows of the underlying arrays. */
  select(rows: Uint32Array): ArrayDataset {
    return new ArrayDataset(this.x, this.y, rows);
  }

  /** The first `count` examples, or all. */
  take(count: number): ArrayDataset {
    return this.select(this.rows.subarray(0, count));
  }

  /** How many batches one pass has. */
  batchCount(size: number, last: "keep" | "drop" = "keep"): number {
    return last === "drop" ? Math.floor(this.size / size) : Math.ceil(this.size / size);
  }

  batches(size: number, options: BatchOptions = {}): Iterable<Labelled> & AsyncIterable<Labelled> {
    checkOptions("batches", options, ["rng", "last", "from"]);
    const { last = "keep", from = 0 } = options;
    if (last !== "keep" && last !== "drop") throw new ArgumentError(`batches: last is ${show(last)}`, { help: '"keep" or "drop"' });
    if (!Number.isSafeInteger(from) || from < 0) throw new ArgumentError(`batches: from is ${show(from)}`, { help: "a whole number ≥ 0" });
    if (!Number.isSafeInteger(size) || size < 1) throw new ArgumentError(`batches: a batch of ${size}`, { help: "a whole number ≥ 1" });
    if (this.size > 0 && last === "drop" && size > this.size)
      throw new ArgumentError(`batches: ${size} examples a batch, but there are only ${this.size}`, {
        why: "incomplete batches are dropped, so there would be none",
        help: `use a batch of at most ${this.size}, or last: "keep"`,
      });
    const each = (): Pass => this.pass(size, last, from, options.rng);
    return {
      [Symbol.iterator]: each,
      async *[Symbol.asyncIterator]() {
        yield* each();
      },
    };
  }

  private *pass(size: number, last: "keep" | "drop", from: number, rng: Generator | undefined): Pass {
    const order = rng ? hostRandom(rng).shuffle(this.rows.slice()) : this.rows;
    const count = this.batchCount(size, last);
    for (let i = from; i < count; i++) yield this.gather(order.subarray(i * size, (i + 1) * size));
  }

  /** One batch of these rows. */
  gather(rows: Uint32Array): Labelled {
    return { x: gatherColumn(this.x, rows), y: gatherColumn(this.y, rows) };
  }

  /**
   * Mean and standard deviation of each input ("x") or target ("y") over the examples of this part: what `Standardize` is given. Take them of
   * the training part only.
   *
   * @throws ArgumentError for no examples, or a number that is not finite
   */
  moments(side: "x" | "y" = "x"): Moments {
    return momentsOf(this[side], this.rows, `moments of ${side}`);
  }
}

type Pass = globalThis.Generator<Labelled, void, undefined>;

/** A stream on the host that stands for one call of the generator: draws stay with their generator (its state counts them). */
export function hostRandom(rng: Generator): HostRandom {
  const { seed, calls } = rng.state;
  rng.restore({ seed, calls: calls + 1 });
  return new HostRandom(seed, calls);
}

const countOf = ({ data, shape }: CheckedColumn): number => data.length / sizeOf(shape);
