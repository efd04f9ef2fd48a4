/** gradus: deep learning in TypeScript. Layers are in gradus/nn, optimisers in gradus/optim, data in gradus/data, training in gradus/train. */
export type { DType, TypedArray } from "./core/dtype.ts";
export {
  ArgumentError,
  DeviceError,
  DTypeError,
  type ErrorDetails,
  FormatError,
  GradusError,
  GraphError,
  InternalError,
  MatrixError,
  MemoryError,
  NonFiniteError,
  OutOfRangeError,
  ShapeError,
  type Site,
} from "./core/errors.ts";
export type { AvgPoolOptions, OutputSize, PoolOptions, WeightedAvgPoolOptions } from "./core/pool-window.ts";
export type { Nested, Shape } from "./core/shape-types.ts";
export * from "./derive/derivatives.ts";
export { type CheckOptions, type GradcheckReport, gradcheck, gradgradcheck } from "./derive/gradcheck.ts";
export { type VmapOptions, vmap } from "./derive/vmap.ts";
export { type Compiled, type CompileOptions, compile, type FeedOf as Feed } from "./program/compile.ts";
export type { ExplainedContraction } from "./program/contractions.ts";
export { type ExplainedNode, type Explanation, explain, type StepCosts } from "./program/explain.ts";
export { configure, type Device, describe, type EngineOptions, type HostDescription } from "./run/engine.ts";
export type { CumulateOptions, NormOptions, ReduceOptions, SortOptions, VarianceOptions } from "./surface/index.ts";
export * from "./tensor/convolution.ts";
export { type Cost, cost } from "./tensor/cost.ts";
export {
  arange,
  type DTypeOption,
  eye,
  full,
  linspace,
  oneHot,
  ones,
  onesLike,
  tensor,
  zeros,
  zerosLike,
} from "./tensor/create.ts";
export { type DrawOptions, toDot, toText } from "./tensor/drawing.ts";
export { evaluate } from "./tensor/evaluate-tree.ts";
export * from "./tensor/functions.ts";
export { Generator, type GeneratorState } from "./tensor/generator.ts";
export type { TensorOptions } from "./tensor/handle.ts";
export * from "./tensor/linear-algebra.ts";
export * from "./tensor/mathematics.ts";
export * from "./tensor/normalisation.ts";
export * from "./tensor/places.ts";
export * from "./tensor/pooling.ts";
export { print } from "./tensor/print.ts";
export { Tensor } from "./tensor/tensor.ts";
export type { Index, Operand, OperandShape, TensorLike } from "./tensor/tensor-types.ts";
export type { Like, Tree } from "./tensor/tree.ts";
export { Variable, type VariableOptions, variable, withContents } from "./tensor/variable.ts";
