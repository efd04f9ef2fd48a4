import { ArrayDataset } from "gradus/data";
import { crossEntropy, Linear, relu, Sequential } from "gradus/nn";
import { sgd } from "gradus/optim";
import { accuracy, recipe } from "gradus/train";

/** Two classes that a line divides: x₀ > x₁. */
function points(count: number, seed: number): ArrayDataset {
  const x = Float32Array.from({ length: 2 * count }, (_, i) => Math.sin(12.9898 * (i + 1 + 1000 * seed)));
  const y = Int32Array.from({ length: count }, (_, i) => (x[2 * i]! > x[2 * i + 1]! ? 1 : 0));
  return new ArrayDataset({ data: x, shape: [2] }, { data: y, shape: [] });
}

export default recipe({
  options: { hidden: 4, lr: 0.2, slow: false },
  epochs: 3,
  batchSize: 10,
  input: { kind: "row", columns: 2 },
  classes: ["below", "above"],
  model: (o) => new Sequential(new Linear(2, o.hidden), relu, new Linear(o.hidden, 2)),
  data: async (o, { seed }) => ({ train: points(o.slow ? 100_000 : 200, seed), test: points(50, seed + 1) }),
  loss: crossEntropy,
  optimizer: (model, o) => sgd(model.parameters(), { lr: o.lr }),
  metrics: { accuracy },
});
