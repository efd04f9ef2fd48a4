import { ArgumentError, oneHot, type Tensor } from "gradus";
import { crossEntropy, Linear, mse, relu, Sequential, sigmoid, tanh } from "gradus/nn";
import { adam, cosine, type Optimizer, sgd } from "gradus/optim";
import { accuracy, type Loss } from "gradus/train";

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

/** (x − mean) / deviation: pixels of about mean 0 and size 1, as tanh and ReLU like them. LeCun, Bottou, Orr and Müller 1998. */
export const standardize =
  (mean: number, deviation: number) =>
  (x: Tensor): Tensor =>
    x.sub(mean).div(deviation);

export interface DenseOptions {
  readonly hidden: string;
  readonly activation: string;
}

/** Dense layers of these widths, with the activation after each hidden one. */
export function dense(inputs: number, outputs: number, o: DenseOptions): (Linear | ((x: Tensor) => Tensor))[] {
  const sizes = [inputs, ...sizesOf(o.hidden)];
  const activation = ACTIVATIONS[o.activation as keyof typeof ACTIVATIONS];
  const hidden = sizes.slice(1).flatMap((size, i) => [new Linear(sizes[i]!, size), activation]);
  return [...hidden, new Linear(sizes.at(-1)!, outputs)];
}

export interface NetworkOptions extends DenseOptions {
  readonly loss: string;
}

/** Dense layers from scaled `inputs` to `classes`. Under mean squared error the outputs are tanh units. */
export const denseNetwork = (inputs: number, classes: number, scale: (x: Tensor) => Tensor, o: NetworkOptions): Sequential =>
  new Sequential(scale, ...dense(inputs, classes, o), ...(o.loss === "mse" ? [tanh] : []));

/** Softmax cross-entropy, or the mean squared error against +1 for the class and −1 for the others. */
const classLoss = (name: string, classes: number): Loss =>
  name === "mse" ? (output, target) => mse(output, oneHot(target, classes).cast(output.dtype).mul(2).sub(1)) : crossEntropy;

export interface OptimizerOptions {
  readonly optimizer: string;
  /** "constant", or "cosine": down to 0 along half a wave. Loshchilov and Hutter 2017. */
  readonly schedule: string;
  readonly lr: number;
  readonly momentum: number;
  readonly weightDecay: number;
}

function optimizerFor(model: Sequential, o: OptimizerOptions, steps: number): Optimizer {
  const lr = o.schedule === "cosine" ? cosine({ peak: o.lr, steps }) : o.lr;
  if (o.optimizer === "adam") return adam(model.parameters(), { lr, weightDecay: o.weightDecay });
  return sgd(model.parameters(), { lr, momentum: o.momentum, weightDecay: o.weightDecay });
}

export const ACTIVATION_CHOICES = Object.keys(ACTIVATIONS);

const CHOICES = {
  activation: ACTIVATION_CHOICES,
  loss: ["crossEntropy", "mse"],
  optimizer: ["sgd", "adam"],
  schedule: ["constant", "cosine"],
};

export const MOMENTUM = "share of the last step that the next one keeps (0 to 1)";
export const WEIGHT_DECAY = "how strongly weights are pulled towards 0";

/** What the options above are, for --help. */
export const DESCRIPTIONS = {
  hidden: "sizes of the hidden layers, from first to last: 300, 300-100, or 0 for none",
  activation: "after each hidden layer",
  loss: "cross-entropy of the softmax, or the mean squared error against ±1",
  optimizer: "rule that changes the weights",
  lr: "learning rate",
  momentum: `${MOMENTUM}; of sgd`,
  schedule: "learning rate over the training: always the same, or down to 0 along half a cosine",
  weightDecay: WEIGHT_DECAY,
};

/** What recipes of dense networks for the ten classes of MNIST's kind have in common. */
export const ON_MNIST = {
  describe: DESCRIPTIONS,
  choices: CHOICES,
  epochs: 10,
  input: { kind: "image", side: 28 },
  objective: (o: { loss: string }) => classLoss(o.loss, 10),
  optimizer: optimizerFor,
  metrics: { accuracy },
} as const;
