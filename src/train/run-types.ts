/** What a training of a recipe is told, tells on its way, and answers. */
import type { DownloadProgress } from "../data/index.ts";
import type { Device } from "../index.ts";
import type { Damaged } from "../io/index.ts";
import type { CheckedOn } from "./held-out.ts";
import type { Recipe } from "./recipe.ts";
import type { RunInfo } from "./stored.ts";
import type { Progress } from "./training-state.ts";

/** What a training and a search are both told. */
export interface RunSettings {
  readonly recipe: Recipe;
  /** What `run.json` or `search.json` calls the recipe. */
  readonly name: string;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly seed?: number | undefined;
  readonly epochs?: number | undefined;
  readonly batchSize?: number | undefined;
  /**
   * The share of the training data that is held out, and scores each epoch of a training (0.1 unless said; 0: none) or each trial of a search
   * (0.2 unless said). The test set is scored once, at the end.
   */
  readonly validation?: number | undefined;
  readonly dir?: string | undefined;
  readonly device?: Device | undefined;
  readonly threads?: number | undefined;
  readonly out?: string | undefined;
  /** Ends a training after the present step, a search after the present trial. */
  readonly signal: AbortSignal;
  /** Of gradus. */
  readonly version: string;
}
export const RUN_SETTINGS = [
  "recipe",
  "name",
  "options",
  "seed",
  "epochs",
  "batchSize",
  "validation",
  "dir",
  "device",
  "threads",
  "out",
  "signal",
  "version",
] as const satisfies readonly (keyof RunSettings)[];

/** How long a training is: what was asked for, or what the recipe has. */
export const lengthOf = ({ recipe, epochs, batchSize }: RunSettings): { epochs: number; batchSize: number } => ({
  epochs: epochs ?? recipe.epochs ?? 10,
  batchSize: batchSize ?? recipe.batchSize ?? 32,
});

export interface TrainSettings extends RunSettings {
  readonly patience?: number | undefined;
  readonly resume?: string | undefined;
  /** Seconds between checkpoints within an epoch; there is one after each epoch in any case. Default 60. */
  readonly checkpointSeconds?: number | undefined;
  readonly nonFinite?: "stop" | "skip" | undefined;
}
/** What a training has beside the settings of every run. */
export const TRAIN_SETTINGS = ["patience", "resume", "checkpointSeconds", "nonFinite"] as const satisfies readonly (keyof TrainSettings)[];

/** What a training is about to do. */
export interface TrainPlan {
  readonly path: string;
  readonly name: string;
  readonly parameters: number;
  readonly trainExamples: number;
  /** Held out for validation. */
  readonly validationExamples: number;
  readonly testExamples: number;
  readonly epochs: number;
  readonly batchesPerEpoch: number;
  readonly batchSize: number;
  /** Steps made before this start. */
  readonly startStep: number;
  readonly checkedOn: CheckedOn;
}

export interface TrainEvents {
  /** The data are about to be read or made, which may take a while. */
  data?(): void;
  plan?(plan: TrainPlan): void;
  download?(progress: DownloadProgress): void;
  step?(progress: Progress): void;
  epoch?(progress: Progress): void;
  damaged?(damaged: Damaged): void;
  say?(line: string): void;
  /** Something went wrong that the run survives. Default: to the console. */
  warn?(line: string): void;
}

export interface TrainOutcome {
  readonly path: string;
  readonly status: RunInfo["status"];
  readonly records: readonly Progress[];
  readonly scores: Readonly<Record<string, number>>;
  /** With early stopping: the epoch whose parameters the run has. */
  readonly bestEpoch?: number | undefined;
  /** Of a recipe with a `run` of its own: what came out, in words. */
  readonly summary?: string | undefined;
  /** Files of what a model of images has learnt, drawn into the run's folder. */
  readonly pictures?: readonly string[];
  readonly seconds: number;
}

/** What came out, of either way to train. */
export type Result = Pick<TrainOutcome, "status" | "records" | "scores" | "summary" | "pictures" | "bestEpoch">;
