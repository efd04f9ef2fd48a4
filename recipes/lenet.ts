import { digits, mnist } from "gradus/data";
import { AvgPool2d, Conv2d, crossEntropy, Flatten, Linear, Sequential, tanh } from "gradus/nn";
import { sgd } from "gradus/optim";
import { accuracy, recipe } from "gradus/train";
import { exampleOf, planes } from "./images.ts";
import { MOMENTUM } from "./layers.ts";

/** Mean and standard deviation of MNIST's training pixels; those of drawn digits are not far. */
const IMAGE = planes(28, 0.1307, 0.3081);

/**
 * LeNet-5 (LeCun, Bottou, Bengio and Haffner 1998) as it is usually built today: tanh, plain means as pools, C3 connected to all maps of S2, a softmax at the end.
 * Three times a convolution, what bends its result (the detector), and a pool; 61,706 parameters.
 */
export default recipe({
  description: "LeNet-5, a convolutional network, on generated digits, or on MNIST with --data or --mnist",
  options: { mnist: false, lr: 0.05, momentum: 0.9 },
  describe: {
    mnist: "MNIST's digits, downloaded once unless --data has them, in place of generated ones",
    lr: "learning rate",
    momentum: MOMENTUM,
  },
  epochs: 5,
  batchSize: 64,
  input: { kind: "image", side: 28 },
  model: () =>
    new Sequential(
      IMAGE,
      new Conv2d(1, 6, 5, { padding: 2 }), // C1: [6, 28, 28]
      tanh,
      new AvgPool2d(2), // S2: [6, 14, 14]
      new Conv2d(6, 16, 5), // C3: [16, 10, 10]
      tanh,
      new AvgPool2d(2), // S4: [16, 5, 5]
      new Conv2d(16, 120, 5), // C5: [120, 1, 1]
      tanh,
      new Flatten(),
      new Linear(120, 84), // F6
      tanh,
      new Linear(84, 10),
    ),
  data: async (o, { seed, ...where }) => {
    const read = o.mnist || where.dir !== undefined;
    const part = (train: boolean) => (read ? mnist({ ...where, train }) : digits({ seed, train }));
    return { train: await part(true), test: await part(false) };
  },
  example: (_, size) => exampleOf([784], size),
  loss: crossEntropy,
  optimizer: (model, o) => sgd(model.parameters(), { lr: o.lr, momentum: o.momentum }),
  metrics: { accuracy },
});
