import type { Tensor } from "gradus";
import { IRIS_CLASSES, iris } from "gradus/data";
import { crossEntropy, Linear, Sequential, tanh } from "gradus/nn";
import { adam } from "gradus/optim";
import { accuracy, recipe } from "gradus/train";
import { WEIGHT_DECAY } from "./layers.ts";

/** Centimetres to numbers about 0 of about size 1, by eye: no statistics of the flowers are used. */
const scale = (x: Tensor): Tensor => x.sub([6, 3, 4, 1]).div([1, 0.5, 2, 1]);

/** Three species of iris from four lengths (Fisher 1936). */
export default recipe({
  description: "three species of iris from four lengths",
  options: { hidden: 16, lr: 0.01, weightDecay: 0.0001 },
  describe: { hidden: "units of the hidden layer", lr: "learning rate of Adam", weightDecay: WEIGHT_DECAY },
  epochs: 60,
  batchSize: 15,
  input: { kind: "row", columns: 4 },
  classes: IRIS_CLASSES,
  model: (o) => new Sequential(scale, new Linear(4, o.hidden), tanh, new Linear(o.hidden, 3)),
  data: async (_, where) => ({ train: await iris(where), test: await iris({ ...where, train: false }) }),
  loss: crossEntropy,
  optimizer: (model, o) => adam(model.parameters(), { lr: o.lr, weightDecay: o.weightDecay }),
  metrics: { accuracy },
});
