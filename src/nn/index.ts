/** Layers, activations, initialisers, losses: `gradus/nn`. */
export * from "./activations.ts";
export * from "./adaptive-pooling.ts";
export * from "./augmentation/index.ts";
export { BatchNorm1d, BatchNorm2d, BatchNorm3d } from "./batch-norm.ts";
export type { ChannelNormOptions } from "./channel-norm.ts";
export { ConvTranspose1d, ConvTranspose2d, ConvTranspose3d, type ConvTransposeOptions } from "./conv-transpose.ts";
export { Conv1d, Conv2d, Conv3d, type ConvOptions } from "./convolution.ts";
export { type CosineSimilarityOptions, cosineSimilarity, type PairwiseDistanceOptions, pairwiseDistance } from "./distances.ts";
export { Dropout } from "./dropout.ts";
export { Embedding, type EmbeddingOptions } from "./embedding.ts";
export { functionalCall } from "./functional-call.ts";
export { GroupNorm, type GroupNormOptions } from "./group-norm.ts";
export { init } from "./init.ts";
export {
  constant,
  type Initializer,
  type KaimingOptions,
  kaimingNormal,
  kaimingUniform,
  normal,
  ones,
  symmetricByFan,
  uniform,
  type XavierOptions,
  xavierNormal,
  xavierUniform,
  zeros,
} from "./initializers.ts";
export { InstanceNorm1d, InstanceNorm2d, InstanceNorm3d } from "./instance-norm.ts";
export { LayerNorm, type LayerNormOptions } from "./layer-norm.ts";
export { Linear, type LinearOptions, linear } from "./linear.ts";
export { LocalResponseNorm } from "./local-response-norm.ts";
export { LocallyConnected1d, LocallyConnected2d, type LocallyConnectedOptions } from "./locally-connected.ts";
export * from "./losses.ts";
export { Maxout } from "./maxout.ts";
export { inference, type Mode, training } from "./mode.ts";
export { Module } from "./module.ts";
export { type ParameterOptions, parameter } from "./parameter.ts";
export * from "./pooling.ts";
export type { LossOptions, Reduced, Reduction, WeightedOptions } from "./reduction.ts";
export { RMSNorm, type RMSNormOptions } from "./rms-norm.ts";
export { Sequential } from "./sequential.ts";
export type { Layer, LayerLike } from "./shapes.ts";
export { Flatten, Identity } from "./simple.ts";
export { Standardize, type StandardizeOptions, standardized } from "./standardize.ts";
export type { LoadOptions, LoadReport } from "./state.ts";
export { type SummaryOptions, summary } from "./summary.ts";
export { Fold, Unfold } from "./unfold.ts";
export * from "./weighted-pooling.ts";
