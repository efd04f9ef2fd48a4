/** Ioffe and Szegedy 2015, section 4.1 and figure 1: the same network learns faster with its activations normalised. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { compile, Generator, type Tensor } from "gradus";
import { mnist } from "gradus/data";
import { BatchNorm1d, crossEntropy, init, Linear, normal, Sequential, sigmoid, training, zeros } from "gradus/nn";
import { sgd } from "gradus/optim";
import { accuracy, score } from "gradus/train";
import { describe, expect, test } from "vitest";

const DATA = process.env.GRADUS_DATA ?? new URL("../../../shared/data", import.meta.url).pathname;
const why = existsSync(join(DATA, "mnist")) ? "" : ` (skipped: there is no MNIST in ${DATA}; GRADUS_DATA says where it is)`;

/** 784-100-100-100-10 with sigmoids, weights from N(0, 0.1²), each layer before its sigmoid normalised or not. */
function network(normalised: boolean, seed: number): Sequential {
  const rng = new Generator(seed);
  const widths = [784, 100, 100, 100];
  const hidden = widths.slice(1).flatMap((width, i) => {
    // A bias would be subtracted again with the mean.
    const layer = new Linear(widths[i]!, width, { bias: !normalised });
    return normalised ? [layer, new BatchNorm1d(width), sigmoid] : [layer, sigmoid];
  });
  const model = new Sequential(...hidden, new Linear(100, 10)) as Sequential;
  for (const [name, cell] of model.namedVariables()) {
    if (cell.shape.length === 2) cell.assign(normal(0, 0.1)(rng.fork(name), cell.shape));
    else if (name.endsWith("bias")) cell.assign(zeros(rng, cell.shape));
  }
  return init(model, rng);
}

/** Accuracies on the test set after so many steps of gradient descent, batch 60, rate 0.1. */
async function learnt(normalised: boolean, at: readonly number[], seed: number): Promise<number[]> {
  const model = network(normalised, seed);
  const optimizer = sgd(model.parameters(), { lr: 0.1 });
  const rng = new Generator(seed);
  const step = compile((x: Tensor, y: Tensor) => {
    const loss = crossEntropy(model.forward(x.reshape([60, 784]), training(rng)) as Tensor, y);
    optimizer.minimize(loss);
    return loss;
  });
  const [train, held] = [await mnist({ dir: DATA }), await mnist({ dir: DATA, train: false })];
  const found: number[] = [];
  for (let steps = 0; steps < at.at(-1)!; )
    for (const { x, y } of train.batches(60, { rng: rng.fork(`pass ${steps}`) })) {
      await step(x as Tensor, y as Tensor).item();
      steps++;
      if (!at.includes(steps)) continue;
      found.push((await score(model, held, { loss: crossEntropy, metrics: { accuracy } })).accuracy!);
      if (steps === at.at(-1)) break;
    }
  return found;
}

describe(`5.4 batch normalisation on MNIST${why}`, () => {
  test.skipIf(why !== "")(
    "5.4 is at least 5 points ahead of the plain network after 1,000 steps, by running statistics",
    async () => {
      const at = [500, 1000];
      const [plain, normalised] = [await learnt(false, at, 1), await learnt(true, at, 1)];
      expect(normalised[1]! - plain[1]!).toBeGreaterThanOrEqual(0.05);
      expect(normalised[1]!).toBeGreaterThan(0.9);
    },
    300_000,
  );
});
