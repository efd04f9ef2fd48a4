import type { Tensor } from "../index.ts";

/** A number that says how good the outputs of a batch are: a mean over its examples. */
export type Metric = (output: Tensor, target: Tensor) => Tensor<[]>;
export type Loss = (output: Tensor, target: Tensor) => Tensor<[]>;

/**
 * The share of examples whose largest output is at the class: output [n, classes], target [n] classes or [n, classes] one-hot.
 * A single output [n, 1] or [n] is a logit: its class is 1 where it is above 0.
 */
export const accuracy: Metric = (output, target) => {
  const single = output.shape.length === 1 || output.shape.at(-1) === 1;
  if (single) return output.flatten(0).gt(0).eq(target.flatten(0).gt(0.5)).mean() as Tensor<[]>;
  const classes = target.shape.length === output.shape.length ? target.argmax(-1) : target;
  return output.argmax(-1).eq(classes).mean() as Tensor<[]>;
};

/** True where larger values of a metric are better, judged by its name. */
export const largerIsBetter = (name: string): boolean => !/loss|error|mse|mae|distance|perplexity/i.test(name);
