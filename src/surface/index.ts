/**
 * Every operator that users have, as a function of values: operands of different shapes are stretched, those of different dtypes cast, negative axes
 * counted from the end. Tensors are wrapped around these, and whoever builds graphs from elsewhere (a file, a pass) calls them as they are.
 */
export * from "./activations.ts";
export * from "./adaptive-pool.ts";
export * from "./at.ts";
export * from "./contract.ts";
export * from "./convolution.ts";
export * from "./convolve.ts";
export * from "./elementwise.ts";
export * from "./indexed.ts";
export * from "./linear-algebra.ts";
export * from "./locally-connected.ts";
export * from "./mask.ts";
export * from "./maths.ts";
export * from "./move.ts";
export * from "./normalise.ts";
export * from "./pad.ts";
export * from "./pool.ts";
export * from "./reduce.ts";
export * from "./unfold.ts";
