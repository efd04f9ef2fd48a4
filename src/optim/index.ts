/** Optimisers and learning-rate schedules: `gradus/optim`. */
export type { Common, Optimizer } from "./optimizer.ts";
export * from "./optimizers.ts";
export { constant, cosine, type CosineOptions, exponential, linear, oneCycle, type OneCycleOptions, type Schedule, step, warmup } from "./schedules.ts";
