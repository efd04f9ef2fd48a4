import { ArgumentError } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { type Shape, sizeOf } from "../core/shape.ts";
import { pause } from "../core/yield.ts";
import type { Dataset, Labelled } from "../data/index.ts";
import { compile, type Device, type Tensor } from "../index.ts";
import { callLayer } from "../nn/call.ts";
import { inference, type Mode, type Module } from "../nn/index.ts";
import { checkMeasures, type Loss, type Metrics, type NoMetrics } from "./metric.ts";
import { checkData, checkModel } from "./operands.ts";
import { Tally } from "./tally.ts";

/** A module that gives outputs for inputs. */
export type Trainable = Module & { forward(x: any, mode: Mode): Tensor };

/** What the model answers to the inputs of a batch. */
export const outputOf = (model: Trainable, x: Tensor, mode: Mode): Tensor =>
  callLayer(model, [x], mode, "data sets give one tensor x: a model of several takes them apart, as in x.split([3, 4], -1)");

/** Where a model runs over a data set, and how much of it at once. */
export interface PassOptions {
  /** Examples at once; decides speed and memory, not the result. Default 1000; fewer of large inputs, as images, so that a batch has at most 4 Mi numbers. */
  readonly batchSize?: number;
  readonly device?: Device | undefined;
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}
export const PASS_OPTIONS = ["batchSize", "device", "threads", "signal"] as const satisfies readonly (keyof PassOptions)[];

export interface ScoreOptions<M extends Metrics = Metrics> extends PassOptions {
  readonly loss: Loss;
  readonly metrics?: M | undefined;
}
export const SCORE_OPTIONS = ["loss", "metrics", ...PASS_OPTIONS] as const satisfies readonly (keyof ScoreOptions)[];

/** A score for each metric, and the loss. */
export type Scores<M extends Metrics = Metrics> = { readonly loss: number } & { readonly [name in keyof M]: number };

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

/** Inputs of a batch, in numbers, unless its size is said: what layers make of more would take memory, and no less time. */
const MOST_INPUTS = 2 ** 22;

/** How many inputs of this shape are taken at once, unless it is said. */
export const usualBatchSize = (shape: Shape): number => Math.max(1, Math.min(1000, Math.floor(MOST_INPUTS / Math.max(1, sizeOf(shape)))));

/** The shape of one input, as far as the data set tells before it is read. */
export const inputShape = (data: Dataset<Labelled>): Shape => (data.example?.(1).x.shape as Shape | undefined)?.slice(1) ?? [];

/** A function that scores data sets with one compiled program. */
export function scorer<M extends Metrics = NoMetrics>(
  model: Trainable,
  options: ScoreOptions<M>,
): (data: Dataset<Labelled>) => Promise<Scores<M>> {
  checkOptions("score", options, SCORE_OPTIONS);
  checkMeasures("score", options);
  checkModel("score", model);
  const { loss, metrics, batchSize, signal } = options;
  const measures = { loss, ...metrics };
  const measuring = new Tally("score", measures, 0);
  const batch = compile((x: Tensor, y: Tensor) => measuring.measure(outputOf(model, x, inference), y), placement(options));
  return async (data) => {
    checkData("score", "the data", data);
    if (data.size === 0) throw new ArgumentError("score: the data set is empty", { why: "a mean over no examples is not a number" });
    const tally = new Tally("score", measures, data.size);
    for await (const { x, y } of data.batches(batchSize ?? usualBatchSize(inputShape(data)))) {
      await tally.add(batch(x, y), x.shape[0] as number);
      await pause();
      signal?.throwIfAborted();
    }
    return (await tally.scores()) as Scores<M>;
  };
}

/**
 * Loss and metrics of a whole data set: the same numbers whatever the batch size, but for rounding. Loss functions of `gradus/nn` and metrics that
 * are `additive` are summed batch by batch; any other function gets all outputs and targets at once.
 *
 * @throws ArgumentError for no examples, unknown options, or labels that a metric cannot read
 * @example
 * const { loss, accuracy: share } = await score(model, test, { loss: crossEntropy, metrics: { accuracy } });
 */
export const score = <M extends Metrics = NoMetrics>(
  model: Trainable,
  data: Dataset<Labelled>,
  options: ScoreOptions<M>,
): Promise<Scores<M>> => scorer(model, options)(data);

export const mapValues = <A, B>(record: Readonly<Record<string, A>>, f: (value: A, key: string) => B): Record<string, B> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, f(value, key)]));
