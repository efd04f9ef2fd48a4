/** Every primitive, as `addOp`, `subOp` …, and all builders. */
export * from "./batch.ts";
export * from "./cond.ts";
export * from "./contract.ts";
export * from "./convolution.ts";
export * from "./custom.ts";
export * from "./einsum.ts";
export * from "./elementwise.ts";
export * from "./factorisations.ts";
export * from "./indexed.ts";
export * from "./leaf.ts";
export * from "./linear-algebra.ts";
export * from "./logic.ts";
export * from "./loop.ts";
export * from "./maths.ts";
export * from "./move.ts";
/** @internal For tests. */
export { resultOp } from "./nested.ts";
export * from "./place.ts";
export * from "./random.ts";
export * from "./reduce.ts";
export * from "./rules.ts";
export * from "./serial.ts";
export * from "./trigonometry.ts";
