import { digits } from "gradus/data";
import { crossEntropy, Linear, relu, Sequential } from "gradus/nn";
import { cosine, sgd } from "gradus/optim";
import { accuracy, recipe } from "gradus/train";
import { MOMENTUM } from "./layers.ts";

/** One hidden layer on digits that are drawn when they are needed: nothing to download. */
export default recipe({
  description: "a network with one hidden layer on generated handwritten-like digits",
  options: { hidden: 300, lr: 0.1, momentum: 0.9 },
  describe: {
    hidden: "units of the hidden layer",
    lr: "learning rate at the start; it falls to 0 along half a cosine",
    momentum: MOMENTUM,
  },
  epochs: 20,
  batchSize: 64,
  input: { kind: "image", side: 28 },
  model: (o) => new Sequential(new Linear(784, o.hidden), relu, new Linear(o.hidden, 10)),
  data: async (_, { seed }) => ({ train: await digits({ seed }), test: await digits({ seed, train: false }) }),
  loss: crossEntropy,
  optimizer: (model, o, steps) => sgd(model.parameters(), { lr: cosine({ peak: o.lr, steps }), momentum: o.momentum }),
  metrics: { accuracy },
});
