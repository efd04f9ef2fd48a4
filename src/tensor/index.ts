/** What users hold. */
export type { DType, TypedArray } from "../core/dtype.ts";
export type { Nested, Shape } from "../core/shape-types.ts";
export * from "../core/errors.ts";
export { type Device } from "./context.ts";
export * from "./create.ts";
export { toDot, toText } from "./dot.ts";
export { evaluate } from "./evaluate-tree.ts";
export * from "./functions.ts";
export type { CumulateOptions, NormOptions, ReduceOptions, SortOptions, VarianceOptions } from "./operators-reduce.ts";
export { print } from "./print.ts";
export { Generator, type GeneratorState } from "./random.ts";
export { Tensor, type TensorOptions } from "./tensor.ts";
export type { Index, Operand, OperandShape, TensorLike } from "./tensor-types.ts";
export * from "./transformations.ts";
export { vmap, type VmapOptions } from "./transformations-vmap.ts";
export type { Like, Tree } from "./tree.ts";
export { Variable, type VariableOptions, variable, withContents } from "./variable.ts";
