import { ArrayDataset } from "gradus/data";
import { crossEntropy, Dropout, Linear, Sequential, tanh } from "gradus/nn";
import { adam, cosine } from "gradus/optim";
import { accuracy, recipe } from "gradus/train";

/** Two classes that a circle divides. */
function points(count: number, seed: number): ArrayDataset {
  const x = Float32Array.from({ length: 2 * count }, (_, i) => Math.sin(12.9898 * (i + 1 + 1000 * seed)));
  const y = Int32Array.from({ length: count }, (_, i) => (x[2 * i]! ** 2 + x[2 * i + 1]! ** 2 < 0.6 ? 1 : 0));
  return new ArrayDataset({ data: x, shape: [2] }, { data: y, shape: [] });
}

/** Everything that a resumed run could forget: momentum, a schedule, noise, an order, sums of an epoch, the best parameters. */
export default recipe({
  options: { lr: 0.02 },
  epochs: 4,
  batchSize: 10,
  model: () => new Sequential(new Linear(2, 6), tanh, new Dropout(0.2), new Linear(6, 2)),
  data: async (_, { seed }) => ({ train: points(150, seed), test: points(50, seed + 1) }),
  loss: crossEntropy,
  optimizer: (model, o, steps) => adam(model.parameters(), { lr: cosine({ peak: o.lr, steps, warmup: 5 }) }),
  metrics: { accuracy },
});
