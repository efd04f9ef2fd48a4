import { mnist } from "gradus/data";
import { recipe } from "gradus/train";
import { denseNetwork, ON_MNIST, standardize } from "./layers.ts";

/** Mean and standard deviation of the training pixels. */
const SCALE = standardize(0.1307, 0.3081);

/**
 * Dense networks on MNIST, after LeCun, Bottou, Bengio and Haffner 1998: `--hidden 300` with ReLU and cross-entropy, or as they had
 * it, `--hidden 300-100 --activation tanh --loss mse`; `--hidden 0 --lr 0.01` is the linear classifier.
 */
export default recipe({
  ...ON_MNIST,
  description: "dense networks on MNIST",
  options: {
    hidden: "300",
    activation: "relu",
    loss: "crossEntropy",
    optimizer: "sgd",
    lr: 0.1,
    momentum: 0,
    schedule: "constant",
    weightDecay: 0,
  },
  batchSize: 32,
  model: (o) => denseNetwork(784, 10, SCALE, o),
  data: async (_, { seed: _seed, ...where }) => ({ train: await mnist(where), test: await mnist({ ...where, train: false }) }),
});
