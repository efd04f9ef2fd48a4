import { ArgumentError, NonFiniteError, show } from "../core/errors.ts";
import { checkOptions, suggestion } from "../core/options.ts";
import type { Tensor } from "../index.ts";
import type { Module } from "../nn/index.ts";
import { type Direction, type Metrics, needDirection } from "./metric.ts";

export interface EarlyStoppingOptions {
  /** Epochs without an improvement after which training stops. */
  readonly patience: number;
  /** Which validation score decides; "loss" unless said. */
  readonly metric?: string;
  /** Which way that score is better, where its metric does not say. */
  readonly better?: Direction;
}

/** What is kept of early stopping in a checkpoint, beside the best parameters. */
export interface EarlyStoppingState {
  readonly best: number | null;
  readonly bestEpoch: number;
  readonly waited: number;
}

/** Algorithm 7.1 of Goodfellow, Bengio and Courville 2016: keeps the parameters of the best validation score, and gives them back. */
export class EarlyStopping {
  readonly patience: number;
  readonly metric: string;
  private readonly better: Direction;
  private best: number | null = null;
  /** 0 before there was a score. */
  bestEpoch = 0;
  private waited = 0;
  bestParameters: Record<string, Tensor> | undefined;

  /** @throws ArgumentError for a metric that is not among `metrics`, or does not say which way is better */
  constructor(options: EarlyStoppingOptions, metrics: Metrics = {}) {
    checkOptions("earlyStopping", options, ["patience", "metric", "better"]);
    const { patience, metric = "loss", better } = options;
    if (!Number.isSafeInteger(patience) || patience < 1)
      throw new ArgumentError(`earlyStopping: patience ${patience}`, { help: "a whole number of epochs ≥ 1" });
    const names = ["loss", ...Object.keys(metrics)];
    if (!names.includes(metric))
      throw new ArgumentError(`earlyStopping: there is no validation score ${JSON.stringify(metric)}`, {
        why: `there are ${names.join(", ")}`,
        help: suggestion(metric, names),
      });
    if (better !== undefined && better !== "larger" && better !== "smaller")
      throw new ArgumentError(`earlyStopping: better is ${show(better)}`, { help: '"larger" or "smaller"' });
    this.patience = patience;
    this.metric = metric;
    this.better = better ?? needDirection("earlyStopping", metric, metrics[metric]);
  }

  /** Takes the scores of an epoch. What is no finite number is never the best. */
  observe(scores: Readonly<Record<string, number>>, epoch: number, model: Module): void {
    const value = scores[this.metric]!;
    const { best } = this;
    const improved = Number.isFinite(value) && (best === null || (this.better === "larger" ? value > best : value < best));
    if (improved) {
      this.best = value;
      this.bestEpoch = epoch;
      this.bestParameters = model.stateDict();
    }
    this.waited = improved ? 0 : this.waited + 1;
  }

  /** True if training should stop. */
  get exhausted(): boolean {
    return this.waited >= this.patience;
  }

  /**
   * Puts the best parameters back.
   *
   * @throws NonFiniteError if no epoch had a score
   */
  restoreBest(model: Module): void {
    if (this.bestParameters) model.loadStateDict(this.bestParameters);
    else if (this.waited > 0)
      throw new NonFiniteError(`earlyStopping: no epoch had a score: ${this.metric} was not finite in ${this.waited} epochs`, {
        why: "so none is the best; the model is as the last epoch left it",
        help: this.metric === "loss" ? "lower the learning rate" : "watch the loss, or wait longer with a larger patience",
      });
  }

  get state(): EarlyStoppingState {
    return { best: this.best, bestEpoch: this.bestEpoch, waited: this.waited };
  }

  restore(state: EarlyStoppingState, parameters: Record<string, Tensor> | undefined): void {
    this.best = state.best;
    this.bestEpoch = state.bestEpoch;
    this.waited = state.waited;
    this.bestParameters = parameters;
  }
}
