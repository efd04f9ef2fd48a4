import { ArgumentError } from "../core/errors.ts";
import type { Tensor } from "../index.ts";
import type { Module } from "../nn/index.ts";
import { largerIsBetter } from "./metrics.ts";

export interface EarlyStoppingOptions {
  /** Epochs without an improvement after which training stops. */
  readonly patience: number;
  /** Which validation score decides; "loss" unless said. */
  readonly metric?: string;
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
  private best: number | null = null;
  private bestEpoch = 0;
  private waited = 0;
  bestParameters: Record<string, Tensor> | undefined;

  constructor({ patience, metric = "loss" }: EarlyStoppingOptions) {
    if (!Number.isSafeInteger(patience) || patience < 1)
      throw new ArgumentError(`earlyStopping: patience ${patience}`, { help: "a whole number of epochs ≥ 1" });
    this.patience = patience;
    this.metric = metric;
  }

  /** Takes the scores of an epoch. */
  observe(scores: Readonly<Record<string, number>>, epoch: number, model: Module): void {
    const value = scores[this.metric];
    if (value === undefined)
      throw new ArgumentError(`earlyStopping: there is no validation score ${JSON.stringify(this.metric)}`, {
        help: `one of ${Object.keys(scores).join(", ")}`,
      });
    const better = this.best === null || (largerIsBetter(this.metric) ? value > this.best : value < this.best);
    if (better) {
      this.best = value;
      this.bestEpoch = epoch;
      this.bestParameters = model.stateDict();
    }
    this.waited = better ? 0 : this.waited + 1;
  }

  /** True if training should stop. */
  get exhausted(): boolean {
    return this.waited >= this.patience;
  }

  /** Puts the best parameters back; answers their epoch. */
  restoreBest(model: Module): number {
    if (this.bestParameters) model.loadStateDict(this.bestParameters);
    return this.bestEpoch;
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
