import { FASHION_CLASSES, fashionMnist } from "gradus/data";
import { accuracy, recipe } from "gradus/train";
import { CHOICES, classLoss, DESCRIPTIONS, denseNetwork, optimizerFor, standardize } from "./layers.ts";

/** Mean and standard deviation of the training pixels. */
const SCALE = standardize(0.286, 0.353);

/** A dense network on pictures of clothes (Xiao, Rasul and Vollgraf 2017). */
export default recipe({
  description: "a dense network on Fashion-MNIST",
  options: {
    hidden: "256-128-100",
    activation: "relu",
    loss: "crossEntropy",
    optimizer: "adam",
    lr: 1e-3,
    momentum: 0,
    schedule: "constant",
    weightDecay: 0,
  },
  describe: DESCRIPTIONS,
  choices: CHOICES,
  epochs: 10,
  batchSize: 64,
  input: { kind: "image", side: 28 },
  classes: FASHION_CLASSES,
  model: (o) => denseNetwork(784, 10, SCALE, o),
  data: async (_, { seed: _seed, ...where }) => ({
    train: await fashionMnist(where),
    test: await fashionMnist({ ...where, train: false }),
  }),
  objective: (o) => classLoss(o.loss, 10),
  optimizer: optimizerFor,
  metrics: { accuracy },
});
