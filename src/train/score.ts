import { ArgumentError } from "../core/errors.ts";
import type { Dataset, Labelled } from "../data/index.ts";
import { compile, type Device, type Tensor } from "../index.ts";
import { inference, type Mode, type Module } from "../nn/index.ts";
import type { Loss, Metric } from "./metrics.ts";

/** A module that gives outputs for inputs. */
export type Trainable = Module & { forward(x: any, mode: Mode): Tensor };

export interface ScoreOptions {
  readonly loss: Loss;
  readonly metrics?: Readonly<Record<string, Metric>> | undefined;
  readonly batchSize?: number;
  readonly device?: Device | undefined;
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export type Scores = { loss: number } & Record<string, number>;

/** The options of `compile` that were given. */
export const placement = ({
  device,
  threads,
}: {
  device?: Device | undefined;
  threads?: number | undefined;
}): { device?: Device; threads?: number } => ({
  ...(device === undefined ? {} : { device }),
  ...(threads === undefined ? {} : { threads }),
});

/** A function that scores data sets with one compiled program. */
export function scorer(model: Trainable, options: ScoreOptions): (data: Dataset<Labelled>) => Promise<Scores> {
  const { loss, metrics = {}, batchSize = 1000, signal } = options;
  const batch = compile((x: Tensor, y: Tensor) => {
    const output = model.forward(x, inference);
    return { loss: loss(output, y), ...mapValues(metrics, (metric) => metric(output, y)) };
  }, placement(options));
  return async (data) => {
    if (data.size === 0) throw new ArgumentError("score: the data set is empty", { why: "a mean over no examples is not a number" });
    const sums: Record<string, number> = Object.create(null) as Record<string, number>;
    let count = 0;
    const yielding = new Yielding();
    for (const { x, y } of data.batches(batchSize)) {
      const n = x.shape[0] as number;
      const values = batch(x, y) as Record<string, Tensor<[]>>;
      for (const [name, value] of Object.entries(values)) sums[name] = (sums[name] ?? 0) + n * (await value.item());
      count += n;
      await yielding.now();
      signal?.throwIfAborted();
    }
    return { ...mapValues(sums, (sum) => sum / count) } as Scores;
  };
}

/** Loss and metrics over a whole data set, each example counted once. */
export const score = (model: Trainable, data: Dataset<Labelled>, options: ScoreOptions): Promise<Scores> => scorer(model, options)(data);

export const mapValues = <A, B>(record: Readonly<Record<string, A>>, f: (value: A, key: string) => B): Record<string, B> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, f(value, key)]));

/**
 * Gives the event loop a turn about every 30 ms: awaiting a promise that is resolved already does not let signals, timers or
 * requests in, a macrotask does.
 */
export class Yielding {
  private last = performance.now();

  async now(): Promise<void> {
    if (performance.now() - this.last < 30) return;
    await macrotask();
    this.last = performance.now();
  }
}

export function macrotask(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === "function") return void setImmediate(resolve);
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(0);
  });
}
