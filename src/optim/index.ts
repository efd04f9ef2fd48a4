/** Optimisers and learning-rate schedules: `gradus/optim`. */
export type { Common, MinimizeOptions, Optimizer } from "./optimizer.ts";
export * from "./optimizers.ts";
export {
  type CosineOptions,
  constant,
  cosine,
  exponential,
  linear,
  type OneCycleOptions,
  oneCycle,
  type Schedule,
  step,
  warmup,
} from "./schedules.ts";
