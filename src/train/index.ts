/** Training: `fit`, metrics, recipes, and runs that can be interrupted: `gradus/train`. */

export { type Answers, answersOf } from "./answers.ts";
export type { LabelOptions } from "./class-labels.ts";
export { accuracy, type ClassScoreOptions, confusionMatrix, f1, precision, recall } from "./classification-metrics.ts";
export { curvesSvg } from "./curves.ts";
export type { EarlyStoppingOptions } from "./early-stopping.ts";
export { drawGraph, exampleBatch } from "./graph.ts";
export { type Additive, type Direction, type Loss, type Metric, type MetricOptions, type Metrics, metric } from "./metric.ts";
export { type LoadedModel, loadModel, type ModelFile, readModelFile, saveModel } from "./model-file.ts";
export { openRun, type Run } from "./open-run.ts";
export { type Options, resolveOptions } from "./options.ts";
export { type Predictions, predict } from "./predict.ts";
export { completeOptions, prepare } from "./prepare.ts";
export {
  type DataPlace,
  type OfOptions,
  ofOptions,
  type Recipe,
  type RecipeInput,
  type RecipeValue,
  type RunContext,
  type RunResult,
  recipe,
} from "./recipe.ts";
export { meanAbsoluteError, meanSquaredError, rootMeanSquaredError, rSquared } from "./regression-metrics.ts";
export { RunFolder, readInfo } from "./run-folder.ts";
export type { RunSettings, TrainEvents, TrainOutcome, TrainPlan, TrainSettings } from "./run-types.ts";
export { type PassOptions, type ScoreOptions, type Scores, score, scorer, type Trainable } from "./score.ts";
export { type SearchEvents, type SearchOutcome, type SearchPlan, type SearchSettings, search, type Trial } from "./search.ts";
export type { Setting } from "./search-space.ts";
export type { RunInfo } from "./stored.ts";
export { trainRecipe } from "./train-recipe.ts";
export { type FitOptions, fit, type Progress, Trainer } from "./trainer.ts";
export type { Position, TrainingState } from "./training-state.ts";
