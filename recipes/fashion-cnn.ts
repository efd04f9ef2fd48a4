import { FASHION_CLASSES, fashionMnist } from "gradus/data";
import { Conv2d, crossEntropy, Dropout, Flatten, Linear, MaxPool2d, relu, Sequential } from "gradus/nn";
import { adam } from "gradus/optim";
import { accuracy, recipe } from "gradus/train";
import { exampleOf, planes } from "./images.ts";

/** Mean and standard deviation of the training pixels. */
const IMAGE = planes(28, 0.286, 0.353);

/** Two convolutions with pools on pictures of clothes (Xiao, Rasul and Vollgraf 2017). */
export default recipe({
  description: "two convolutions with pools, on Fashion-MNIST",
  options: { hidden: 128, dropout: 0.25, lr: 1e-3 },
  describe: {
    hidden: "units of the dense layer",
    dropout: "share of its inputs that is left out in training",
    lr: "learning rate of Adam",
  },
  epochs: 10,
  batchSize: 64,
  input: { kind: "image", side: 28 },
  classes: FASHION_CLASSES,
  model: (o) =>
    new Sequential(
      IMAGE,
      new Conv2d(1, 32, 3, { padding: 1 }),
      relu,
      new MaxPool2d(2), // [32, 14, 14]
      new Conv2d(32, 64, 3, { padding: 1 }),
      relu,
      new MaxPool2d(2), // [64, 7, 7]
      new Flatten(),
      new Dropout(o.dropout),
      new Linear(64 * 7 * 7, o.hidden),
      relu,
      new Linear(o.hidden, 10),
    ),
  data: async (_, { seed: _seed, ...where }) => ({
    train: await fashionMnist(where),
    test: await fashionMnist({ ...where, train: false }),
  }),
  example: (_, size) => exampleOf([784], size),
  loss: crossEntropy,
  optimizer: (model, o) => adam(model.parameters(), { lr: o.lr }),
  metrics: { accuracy },
});
