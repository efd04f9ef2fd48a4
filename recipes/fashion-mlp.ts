import { FASHION_CLASSES, fashionMnist } from "gradus/data";
import { recipe } from "gradus/train";
import { denseNetwork, ON_MNIST, standardize } from "./layers.ts";

/** Mean and standard deviation of the training pixels. */
const SCALE = standardize(0.286, 0.353);

/** A dense network on pictures of clothes (Xiao, Rasul and Vollgraf 2017). */
export default recipe({
  ...ON_MNIST,
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
  batchSize: 64,
  classes: FASHION_CLASSES,
  model: (o) => denseNetwork(784, 10, SCALE, o),
  data: async (_, { seed: _seed, ...where }) => ({
    train: await fashionMnist(where),
    test: await fashionMnist({ ...where, train: false }),
  }),
});
