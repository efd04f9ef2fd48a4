export { backward } from "./backward.ts";
export { type DotOptions, toDot } from "./dot.ts";
export { type EvaluateOptions, evaluate, evaluateAll, type Inputs, type Numbers } from "./evaluate.ts";
export { inputSlots, naturalAxes, SLOTS, type SlotAxis, slotAxes, slotShape } from "./form.ts";
export * from "./op.ts";
export { printGraph, showAttributes } from "./print.ts";
export { computeScalar, SCALARS, type ScalarFunction } from "./scalars.ts";
export { verifyGraph } from "./verify.ts";
export { ancestors, consumers, descendants, topological } from "./walk.ts";
