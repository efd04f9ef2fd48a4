/** Losses: functions of what the model gave and what it should have given. */
export {
  type BceOptions,
  bce,
  bceWithLogits,
  type ClassOptions,
  type CrossEntropyOptions,
  categoricalCrossEntropy,
  crossEntropy,
  type KlOptions,
  type KlReduction,
  klDivergence,
  multiLabelSoftMargin,
  nll,
} from "./classification-losses.ts";
export { type CtcOptions, ctc } from "./ctc.ts";
export * from "./margin-losses.ts";
export * from "./regression-losses.ts";
