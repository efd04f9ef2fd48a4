/** What a metric is: a function, and what is known of it: which way is better, and how scores of parts of the data make one. */
import { ArgumentError, DTypeError, show } from "../core/errors.ts";
import { isExampleMean } from "../core/example-mean.ts";
import { checkOptions } from "../core/options.ts";
import { full, Tensor } from "../index.ts";

/** Which of two scores is the better one. */
export type Direction = "larger" | "smaller";

/** Named statistics of some examples. */
export type Sums = Readonly<Record<string, Tensor>>;

/** A score put together from statistics that add up: those of a data set are the sums of its batches'. */
export interface Additive {
  /** The statistics of some examples; their shapes do not depend on how many there are. */
  sums(output: Tensor, target: Tensor): Sums;
  /** What the statistics of all examples say. */
  value(sums: Sums): Tensor<[]>;
  /** Throws where the statistics of all examples show that the score means nothing, and says why. */
  check?(sums: Readonly<Record<string, ArrayLike<number>>>): void;
}

/**
 * A number that says how good outputs are: (output, target) → scalar, with all outputs and targets of a data set, never a batch's. So any
 * function is right whatever the batch size, and all outputs are kept until they are scored. What is `additive` needs only its sums.
 */
export interface Metric {
  (output: Tensor, target: Tensor): Tensor<[]>;
  /** Which way is better; never guessed. */
  readonly better?: Direction | undefined;
  readonly additive?: Additive | undefined;
}

/** What training makes small. As a metric, the smaller the better. */
export interface Loss {
  (output: Tensor, target: Tensor): Tensor<[]>;
  readonly additive?: Additive | undefined;
}

export type Metrics = Readonly<Record<string, Metric>>;
export type NoMetrics = Readonly<Record<never, Metric>>;

export interface MetricOptions {
  readonly better: Direction;
  /** True: the function is a mean over examples, so that outputs need not be kept: a batch counts as its number of examples. */
  readonly mean?: boolean;
}

/**
 * A metric of your own, with what `fit`, `score` and `search` have to know of it. From a function: which way is better, and whether it is a mean
 * over the examples. From sums: what is added up over the batches, and what the sums mean.
 *
 * @throws ArgumentError if it does not say which way is better
 * @example
 * const brier = metric((output, target) => output.sigmoid().sub(target).square().mean(), { better: "smaller", mean: true });
 * const share = metric({ better: "larger", sums: (o, t) => ({ hits: o.mul(t).sum(), all: t.sum() }), value: ({ hits, all }) => hits.div(all) });
 */
export function metric(f: (output: Tensor, target: Tensor) => Tensor, options: MetricOptions): Metric;
export function metric<K extends string>(parts: {
  readonly better: Direction;
  sums(output: Tensor, target: Tensor): Readonly<Record<K, Tensor>>;
  value(sums: Readonly<Record<K, Tensor>>): Tensor;
  check?(sums: Readonly<Record<K, ArrayLike<number>>>): void;
}): Metric;
export function metric(first: unknown, options?: MetricOptions): Metric {
  if (typeof first === "function") {
    checkOptions("metric", options, ["better", "mean"]);
    const f = first as Loss;
    return declare(f, checkDirection(options?.better), options?.mean ? meanOver(f) : undefined);
  }
  checkOptions("metric", first, ["better", "sums", "value", "check"]);
  const { better, ...additive } = first as Additive & { better: Direction };
  for (const part of ["sums", "value"] as const)
    if (typeof additive[part] !== "function")
      throw new ArgumentError(`metric: ${part} is ${show(additive[part])}`, {
        why: "a metric is a function of outputs and targets, or sums and what they mean",
        help: 'metric(f, { better: "larger" }), or metric({ better, sums, value })',
      });
  return declare((output, target) => additive.value(additive.sums(output, target)), checkDirection(better), additive);
}

/** A new function each time, so that the caller's stays as it is. */
const declare = (f: Loss, better: Direction, additive: Additive | undefined): Metric =>
  Object.assign((output: Tensor, target: Tensor) => f(output, target), { better, ...(additive ? { additive } : {}) });

function checkDirection(better: unknown): Direction {
  if (better === "larger" || better === "smaller") return better;
  throw new ArgumentError(`metric: better is ${show(better)}`, {
    why: "which of two scores is the better one cannot be told from a function",
    help: '{ better: "larger" } or { better: "smaller" }',
  });
}

/** The mean of means over examples: Σ n·f / Σ n. */
const meanOver = (f: Loss): Additive => ({
  sums: (output, target) => {
    const n = output.shape[0] ?? 1;
    return { total: f(output, target).mul(n), count: full([], n) };
  },
  value: ({ total, count }) => total!.div(count!) as Tensor<[]>,
});

/** How a score is put together from batches; undefined for what has to see everything at once. */
export const additiveOf = (f: Metric | Loss): Additive | undefined => f.additive ?? (isExampleMean(f) ? meanOver(f) : undefined);

/** Which way is better, if it was said: of a loss, smaller. */
export const directionOf = (name: string, f: Metric | undefined): Direction | undefined =>
  f?.better ?? (name === "loss" || isExampleMean(f) ? "smaller" : undefined);

/** Which way is better, or an error that asks. `who` is what needs to know. */
export function needDirection(who: string, name: string, f: Metric | undefined): Direction {
  const better = directionOf(name, f);
  if (better) return better;
  throw new ArgumentError(`${who}: is a larger ${name} better, or a smaller one?`, {
    why: "its function does not say, and a guess from its name could keep the worst",
    help: `metrics: { ${name}: metric(f, { better: "larger" }) }, or "smaller"`,
  });
}

/** Refuses what is no loss or no metric, and names that mean something else. */
export function checkMeasures(
  who: string,
  { loss, metrics = {} }: { readonly loss?: unknown; readonly metrics?: Metrics | undefined } = {},
): void {
  if (typeof loss !== "function")
    throw new ArgumentError(`${who}: the loss is ${show(loss)}`, {
      help: "a function of outputs and targets, such as crossEntropy or mse",
    });
  if (typeof metrics !== "object" || metrics === null || Array.isArray(metrics))
    throw new ArgumentError(`${who}: the metrics are ${Array.isArray(metrics) ? "a list" : show(metrics)}`, {
      why: "each has a name, under which its scores are found",
      help: "metrics: { accuracy }",
    });
  for (const [name, f] of Object.entries(metrics)) {
    if (name === "loss")
      throw new ArgumentError(`${who}: a metric cannot be called loss`, { why: "the loss has that name among the scores" });
    if (typeof f !== "function")
      throw new ArgumentError(`${who}: the metric ${name} is ${show(f)}`, { help: "a function of outputs and targets, such as accuracy" });
  }
}

/** @throws DTypeError unless outputs and targets are tensors */
export function checkPair(who: string, output: unknown, target: unknown): void {
  for (const [what, x] of Object.entries({ outputs: output, targets: target }))
    if (!(x instanceof Tensor))
      throw new DTypeError(`${who}: ${what}: ${show(x)} is no tensor`, {
        help: `${who}(output, target), as predict gives them: const { output, target } = await predict(model, data)`,
      });
}
