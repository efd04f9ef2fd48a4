/** What users hold. */
import "./running.ts";

export type { DType, TypedArray } from "../core/dtype.ts";
export * from "../core/errors.ts";
export type { Nested, Shape } from "../core/shape-types.ts";
export { type Compiled, type CompileOptions, compile, type FeedOf as Feed } from "./compile.ts";
export type { Device } from "./context.ts";
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
} from "./create.ts";
export { type DrawOptions, toDot, toText } from "./dot.ts";
export { configure, describe, type EngineOptions, type HostDescription } from "./engine.ts";
export { evaluate } from "./evaluate-tree.ts";
export { type ExplainedNode, type Explanation, explain, type StepCosts } from "./explain.ts";
export * from "./functions.ts";
export { type CheckOptions, type GradcheckReport, gradcheck, gradgradcheck } from "./gradcheck.ts";
export type { CumulateOptions, NormOptions, ReduceOptions, SortOptions, VarianceOptions } from "./operators/reduce.ts";
export { print } from "./print.ts";
export { Generator, type GeneratorState } from "./random.ts";
export { Tensor, type TensorOptions } from "./tensor.ts";
export type { Index, Operand, OperandShape, TensorLike } from "./tensor-types.ts";
export * from "./transformations/derivatives.ts";
export { type VmapOptions, vmap } from "./transformations/vmap.ts";
export type { Like, Tree } from "./tree.ts";
export { Variable, type VariableOptions, variable, withContents } from "./variable.ts";
