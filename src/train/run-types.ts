/** What a training is told, tells on its way, and answers. */
import type { DownloadProgress } from "../data/index.ts";
import type { Device } from "../index.ts";
import type { Damaged } from "../io/index.ts";
import type { CheckedOn } from "./held-out.ts";
import type { Recipe } from "./recipe.ts";
import type { RunInfo } from "./run-folder.ts";
import type { Progress } from "./trainer.ts";

export interface TrainSettings {
  readonly recipe: Recipe;
  /** What `run.json` calls the recipe. */
  readonly name: string;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly seed?: number | undefined;
  readonly epochs?: number | undefined;
  readonly batchSize?: number | undefined;
  /** The share of the training data that is held out and scores each epoch; 0: none. Default 0.1. The test set is scored once, at the end. */
  readonly validation?: number | undefined;
  readonly patience?: number | undefined;
  readonly dir?: string | undefined;
  readonly device?: Device | undefined;
  readonly threads?: number | undefined;
  readonly out?: string | undefined;
  readonly resume?: string | undefined;
  readonly signal: AbortSignal;
  /** Of gradus. */
  readonly version: string;
  /** Seconds between checkpoints within an epoch; there is one after each epoch in any case. Default 60. */
  readonly checkpointSeconds?: number | undefined;
  readonly nonFinite?: "stop" | "skip" | undefined;
}

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
  readonly seconds: number;
}

/** What came out, of either way to train. */
export type Result = Pick<TrainOutcome, "status" | "records" | "scores" | "summary" | "bestEpoch">;
