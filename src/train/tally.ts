/** Scores of all examples seen so far, whatever the batches were: sums where a metric says what adds up, else all outputs. */
import { bytesOf, type DType } from "../core/dtype.ts";
import { ArgumentError, FormatError, GraphError, MemoryError, ShapeError, show } from "../core/errors.ts";
import { sameShape, showShape, sizeOf } from "../core/shape.ts";
import { Tensor, tensor } from "../index.ts";
import type { StoredTensor } from "../io/index.ts";
import { type Additive, additiveOf, type Loss, type Metric, type Sums } from "./metric.ts";
import { Rows } from "./rows.ts";

/** Outputs and targets kept for metrics that need all of them take at most this much. */
const MOST_BYTES = 2 ** 28;

/** What a program answers for a batch: plain records of tensors. */
export type Measured = {
  readonly sums: Readonly<Record<string, Sums>>;
  /** Outputs and targets, if something needs them. */
  readonly all: Readonly<Record<string, Tensor>>;
};

interface Added {
  readonly shape: readonly number[];
  readonly totals: Float64Array;
}

/** What a checkpoint calls the sum of a statistic. */
const sumName = (metric: string, statistic: string): string => `sums/${metric}/${statistic}`;

export class Tally {
  private readonly who: string;
  private readonly measures: Readonly<Record<string, Metric | Loss>>;
  private readonly additive: ReadonlyMap<string, Additive>;
  private readonly examples: number;
  /** By metric, then by the name of the statistic. */
  private added = new Map<string, Map<string, Added>>();
  private kept = new Map<string, Rows>();

  /** For a data set of so many examples. `who` stands in errors. */
  constructor(who: string, measures: Readonly<Record<string, Metric | Loss>>, examples: number) {
    this.who = who;
    this.measures = measures;
    this.examples = examples;
    const found = Object.entries(measures).map(([name, f]) => [name, additiveOf(f)] as const);
    this.additive = new Map(found.filter((entry): entry is readonly [string, Additive] => entry[1] !== undefined));
  }

  /** What has to be computed of a batch: called where the program is traced. */
  measure(output: Tensor, target: Tensor): Measured {
    const sums = Object.fromEntries([...this.additive].map(([name, additive]) => [name, additive.sums(output, target)]));
    return { sums, all: this.additive.size === Object.keys(this.measures).length ? {} : { output, target } };
  }

  /** Takes what the program answered for a batch of `count` examples. */
  async add({ sums, all }: Measured, count: number): Promise<void> {
    for (const [name, x] of Object.entries(all)) {
      // Rows may be parts of examples, as the words of texts are.
      const each = (x.shape[0] ?? 0) / count;
      if (!(Number.isInteger(each) && each > 0)) throw this.uneven(`${name} ${showShape(x.shape)} for ${count} examples`);
      if (!this.kept.has(name)) this.kept.set(name, this.room(x, each));
      const rows = this.kept.get(name)!;
      if (!sameShape(rows.shape, x.shape.slice(1))) throw this.uneven(`${name} ${showShape(x.shape)} after [n, ${rows.shape.join(", ")}]`);
      rows.append(await x.data());
    }
    for (const [name, statistics] of Object.entries(sums)) {
      const totals = this.added.get(name) ?? new Map<string, Added>();
      this.added.set(name, totals);
      for (const [key, x] of Object.entries(statistics)) {
        const values = await x.data();
        const total = totals.get(key) ?? { shape: [...x.shape], totals: new Float64Array(values.length) };
        totals.set(key, total);
        if (total.totals.length !== values.length)
          throw new ShapeError(`${this.who}: ${key} of ${name} is ${showShape(x.shape)} after ${showShape(total.shape)}`, {
            why: "the sums of a metric have the same shape for every batch",
          });
        for (let i = 0; i < values.length; i++) total.totals[i]! += values[i]!;
      }
    }
  }

  /** The scores of all that was added; NaN of nothing. Errors of the metrics come from here. */
  async scores(): Promise<Record<string, number>> {
    const scores: [string, number][] = [];
    for (const name of Object.keys(this.measures)) scores.push([name, await this.score(name)]);
    return Object.fromEntries(scores);
  }

  private async score(name: string): Promise<number> {
    const additive = this.additive.get(name);
    if (!additive) {
      const [output, target] = [this.kept.get("output"), this.kept.get("target")];
      return output && target ? this.whole(name, output.tensor(), target.tensor()) : Number.NaN;
    }
    const added = this.added.get(name);
    if (!added) return Number.NaN;
    additive.check?.(Object.fromEntries([...added].map(([key, { totals }]) => [key, totals])));
    return additive.value(Object.fromEntries([...added].map(([key, { shape, totals }]) => [key, tensor(totals, shape)]))).item();
  }

  private whole(name: string, output: Tensor, target: Tensor): Promise<number> {
    try {
      const score: unknown = this.measures[name]!(output, target);
      if (score instanceof Tensor) return score.item();
      throw new ArgumentError(`${this.who}: ${name} answered ${score instanceof Promise ? "a promise" : show(score)}`, {
        why: "a metric is a function of tensors, whose answer is a tensor with one element",
        help: "o.sub(t).abs().mean(), say, without item() or await",
      });
    } catch (error) {
      // A function that holds on to tensors of the forward pass cannot be computed after it.
      if (!(error instanceof GraphError)) throw error;
      throw new GraphError(`${this.who}: ${name} cannot be computed from the outputs alone: ${error.what}`, {
        why: "a function that does not say how it adds up gets the outputs and targets of all batches, once the model has run",
        help: `if it is a mean over examples, say so, and it is computed with the model: metric(${name}, { better: "smaller", mean: true })`,
        site: error.site,
        cause: error,
      });
    }
  }

  clear(): void {
    this.added = new Map();
    this.kept = new Map();
  }

  // ---- between two steps of a training

  /** All that was added, by name. */
  stored(): Map<string, StoredTensor> {
    const stored = new Map<string, StoredTensor>();
    for (const [name, totals] of this.added)
      for (const [key, { shape, totals: data }] of totals)
        stored.set(sumName(name, key), { dtype: "float64", shape: [...shape], data: data.slice() });
    for (const [name, rows] of this.kept) stored.set(name, rows.stored());
    return stored;
  }

  /**
   * Checks what `restore` is to take, after `seen` examples. The second argument is what a batch of `count` examples
   * measures.
   *
   * @throws FormatError that names the first tensor that is missing, left over, or of another type or shape
   */
  check(stored: ReadonlyMap<string, StoredTensor>, { sums, all }: Measured, { count, seen }: { count: number; seen: number }): void {
    const expected = new Map<string, { dtype: DType; shape: readonly number[] }>();
    for (const [name, statistics] of Object.entries(sums))
      for (const [key, { shape }] of Object.entries(statistics)) expected.set(sumName(name, key), { dtype: "float64", shape });
    for (const [name, { dtype, shape }] of Object.entries(all))
      expected.set(name, { dtype, shape: [((shape[0] ?? 0) / count) * seen, ...shape.slice(1)] });
    for (const name of new Set([...stored.keys(), ...expected.keys()])) {
      const [found, wanted] = [stored.get(name), seen > 0 ? expected.get(name) : undefined].map(
        (t) => t && `${showShape(t.shape)} ${t.dtype}`,
      );
      if (found === wanted) continue;
      throw new FormatError(`tally.${name} is ${found ?? "missing"}`, {
        why: `after ${seen} examples of the epoch ${wanted ? `it would be ${wanted}` : "there is no such tensor"}`,
      });
    }
  }

  /** Goes on from what `stored` answered, and `check` has seen. */
  restore(stored: ReadonlyMap<string, StoredTensor>): void {
    this.clear();
    for (const name of ["output", "target"]) {
      const { shape, dtype, data } = stored.get(name) ?? {};
      if (!shape || !dtype || !data) continue;
      const rows = new Rows(shape.slice(1), dtype, this.examples);
      rows.append(data);
      this.kept.set(name, rows);
    }
    for (const name of this.additive.keys()) {
      const prefix = `sums/${name}/`;
      const own = [...stored].filter(([path]) => path.startsWith(prefix));
      if (own.length > 0)
        this.added.set(
          name,
          new Map(own.map(([path, { shape, data }]) => [path.slice(prefix.length), { shape, totals: Float64Array.from(data) }])),
        );
    }
  }

  /** What sees all outputs. */
  private get needy(): string {
    return Object.keys(this.measures)
      .filter((name) => !this.additive.has(name))
      .join(", ");
  }

  private room(x: Tensor, rows: number): Rows {
    const each = rows * sizeOf(x.shape.slice(1)) * bytesOf(x.dtype);
    if (each * this.examples <= MOST_BYTES) return new Rows(x.shape.slice(1), x.dtype, rows * this.examples);
    throw new MemoryError(`${this.who}: the outputs of ${this.examples} examples are too many to keep, ${each} bytes each`, {
      why: `${this.needy} sees all outputs and targets at once`,
      help: "say how it adds up: metric({ better, sums, value }), or metric(f, { better, mean: true }) for a mean over examples",
    });
  }

  private uneven(what: string): ShapeError {
    return new ShapeError(`${this.who}: ${what}`, {
      why: `${this.needy} sees all outputs and targets at once, so every example needs one of the same shape`,
      help: "say how it adds up: metric({ better, sums, value }), or metric(f, { better, mean: true }) for a mean over examples",
    });
  }
}
