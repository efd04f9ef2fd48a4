import { CIFAR10_CLASSES, cifar10 } from "gradus/data";
import { AvgPool2d, Conv2d, crossEntropy, Flatten, Linear, MaxPool2d, relu, Sequential } from "gradus/nn";
import { adam } from "gradus/optim";
import { accuracy, recipe } from "gradus/train";
import { adaptColours, COLOUR_DESCRIBE, colourInputs, exampleOf } from "./images.ts";

/** Windows of 3 × 3 two pixels apart, which overlap. */
const OVERLAPPING = [3, { stride: 2 }] as const;

/** Three convolutions of 5 × 5 with overlapping pools, after the small network of Krizhevsky 2010, "Convolutional deep belief networks on CIFAR-10", and of his cuda-convnet. */
export default recipe({
  description: "three convolutions with overlapping pools, on CIFAR-10",
  options: { flip: true, colour: true, crop: 0, lr: 1e-3 },
  describe: { ...COLOUR_DESCRIBE, lr: "learning rate of Adam" },
  epochs: 10,
  batchSize: 64,
  input: { kind: "image", side: 32, channels: 3 },
  classes: CIFAR10_CLASSES,
  model: (o) =>
    new Sequential(
      ...colourInputs(32, o),
      new Conv2d(3, 32, 5, { padding: 2 }),
      new MaxPool2d(...OVERLAPPING), // [32, 15, 15]
      relu,
      new Conv2d(32, 32, 5, { padding: 2 }),
      relu,
      new AvgPool2d(...OVERLAPPING), // [32, 7, 7]
      new Conv2d(32, 64, 5, { padding: 2 }),
      relu,
      new AvgPool2d(...OVERLAPPING), // [64, 3, 3]
      new Flatten(),
      new Linear(64 * 3 * 3, 10),
    ),
  data: async (_, { seed: _seed, ...where }) => ({ train: await cifar10(where), test: await cifar10({ ...where, train: false }) }),
  example: (_, size) => exampleOf([3, 32, 32], size),
  adapt: adaptColours,
  loss: crossEntropy,
  optimizer: (model, o) => adam(model.parameters(), { lr: o.lr }),
  metrics: { accuracy },
});
