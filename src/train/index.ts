/** Training: `fit`, metrics, recipes, and runs that can be interrupted: `gradus/train`. */
export { curvesSvg } from "./curves.ts";
export type { EarlyStoppingOptions } from "./early-stopping.ts";
export { drawGraph, exampleBatch } from "./graph.ts";
export { accuracy, largerIsBetter, type Loss, type Metric } from "./metrics.ts";
export { nearest, type Options, resolveOptions, suggestion } from "./options.ts";
export { type DataPlace, type Recipe, recipe, type RecipeInput, type RunContext, type RunResult } from "./recipe.ts";
export { readInfo, RunFolder, type RunInfo } from "./run-folder.ts";
export { openRun, prepare, type Run, trainRecipe, type TrainEvents, type TrainOutcome, type TrainPlan, type TrainSettings } from "./run.ts";
export { score, scorer, type ScoreOptions, type Scores, type Trainable } from "./score.ts";
export { fit, type FitOptions, type Progress, Trainer } from "./trainer.ts";
export type { Position, TrainingState } from "./training-state.ts";
