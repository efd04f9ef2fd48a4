import { ArgumentError, oneHot, type Tensor } from "gradus";
import { crossEntropy, Linear, mse, relu, Sequential, sigmoid, tanh } from "gradus/nn";
import { adam, type Optimizer, sgd } from "gradus/optim";
import type { Loss } from "gradus/train";

const ACTIVATIONS = { relu, tanh, sigmoid } as const;

/** "300-100" → [300, 100]; "0" → []: no hidden layer. */
export function sizesOf(hidden: string): number[] {
  if (hidden === "0" || hidden === "") return [];
  const sizes = hidden.split("-").map(Number);
  if (/^\d+(-\d+)*$/.test(hidden) && sizes.every((n) => n >= 1 && n <= 1_000_000)) return sizes;
  throw new ArgumentError(`hidden: ${JSON.stringify(hidden)} are no sizes of layers`, {
    why: "each is a whole number from 1 to 1,000,000",
    help: '"300", "300-100", or "0" for none',
  });
}

/** Dense layers from `inputs` to `outputs`, with the activation after each hidden one. */
export function denseNetwork(inputs: number, hidden: string, outputs: number, activation: string): Sequential {
  const f = ACTIVATIONS[activation as keyof typeof ACTIVATIONS];
  const layers: (Linear | typeof f)[] = [];
  let width = inputs;
  for (const size of sizesOf(hidden)) {
    layers.push(new Linear(width, size), f);
    width = size;
  }
  return new Sequential(...(layers as any), new Linear(width, outputs) as any) as Sequential;
}

/** Mean square error against one-hot targets, or softmax cross-entropy. */
export const classLoss = (name: string, classes: number): Loss =>
  name === "mse" ? (output, target) => mse(output, oneHot(target, classes).cast(output.dtype) as Tensor) : crossEntropy;

export interface OptimizerOptions {
  readonly optimizer: string;
  readonly lr: number;
  readonly momentum: number;
  readonly weightDecay: number;
}

export function optimizerFor(model: Sequential, o: OptimizerOptions): Optimizer {
  if (o.optimizer === "adam") return adam(model.parameters(), { lr: o.lr, weightDecay: o.weightDecay });
  return sgd(model.parameters(), { lr: o.lr, momentum: o.momentum, weightDecay: o.weightDecay });
}

export const CHOICES = { activation: Object.keys(ACTIVATIONS), loss: ["crossEntropy", "mse"], optimizer: ["sgd", "adam"] };
