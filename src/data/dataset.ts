import { ShapeError } from "../core/errors.ts";
import { showShape, sizeOf } from "../core/shape.ts";
import type { Generator, Tensor } from "../index.ts";
import { type CheckedColumn, type Column, checkColumn, gatherColumn, type Moments, momentsOf } from "./column.ts";
import { type BatchOptions, batchesOfRows, countOfBatches, splitRows } from "./order.ts";

/** A batch: inputs and targets, the first axis counts the examples. */
export type Labelled = { x: Tensor; y: Tensor };

export interface Dataset<B> {
  readonly size: number;
  /** Two parts of a random order, disjoint: the first has `fraction` of the examples. */
  split(fraction: number, rng: Generator): [Dataset<B>, Dataset<B>];
  /** One pass. Data that are at hand can be iterated over at once too, without `await`. */
  batches(size: number, options?: BatchOptions): AsyncIterable<B>;
  /** A batch of the shapes that batches have, whatever its numbers: what is made before anything is read, as graphs, follows it. Unless there is one, `batches` can be iterated over at once. */
  example?(size: number): B;
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
    const [first, second] = splitRows(this.rows, fraction, rng);
    return [this.select(first), this.select(second)];
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
    return countOfBatches(this.size, size, last);
  }

  batches(size: number, options: BatchOptions = {}): Iterable<Labelled> & AsyncIterable<Labelled> {
    const pass = batchesOfRows(this.rows, size, options);
    const each = (): Pass => this.pass(pass());
    return {
      [Symbol.iterator]: each,
      async *[Symbol.asyncIterator]() {
        yield* each();
      },
    };
  }

  private *pass(batches: Iterable<Uint32Array>): Pass {
    for (const rows of batches) yield this.gather(rows);
  }

  /** The first examples. */
  example(size: number): Labelled {
    return this.gather(this.rows.subarray(0, size));
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

const countOf = ({ data, shape }: CheckedColumn): number => data.length / sizeOf(shape);
