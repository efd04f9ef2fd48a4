/** Layers, activations, initialisers, losses: `gradus/nn`. */
export * from "./activations.ts";
export { Dropout } from "./dropout.ts";
export { Embedding, type EmbeddingOptions } from "./embedding.ts";
export { functionalCall } from "./functional-call.ts";
export { init } from "./init.ts";
export {
  constant,
  type Initializer,
  kaimingNormal,
  kaimingUniform,
  type KaimingOptions,
  normal,
  ones,
  symmetricByFan,
  uniform,
  xavierNormal,
  xavierUniform,
  zeros,
} from "./initializers.ts";
export { Linear, linear, type LinearOptions } from "./linear.ts";
export * from "./losses.ts";
export { inference, type Mode, training } from "./mode.ts";
export { Module } from "./module.ts";
export { parameter, type ParameterOptions } from "./parameter.ts";
export type { LossOptions, Reduced, Reduction } from "./reduction.ts";
export { Sequential } from "./sequential.ts";
export type { Layer, LayerLike } from "./shapes.ts";
export { Flatten, Identity } from "./simple.ts";
export type { LoadOptions } from "./state.ts";
export { summary, type SummaryOptions } from "./summary.ts";
