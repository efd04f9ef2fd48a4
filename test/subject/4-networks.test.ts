import { existsSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compile, Generator, maxPool2d, ones, type Tensor, tensor, zeros } from "gradus";
import { ArrayDataset, digits } from "gradus/data";
import * as nn from "gradus/nn";
import { adam } from "gradus/optim";
import { accuracy, fit as learnFrom, score, type TrainOutcome, trainRecipe } from "gradus/train";
import { describe, expect, test } from "vitest";
import alexnetRecipe from "../../recipes/alexnet.ts";
import cifarRecipe from "../../recipes/cifar-cnn.ts";
import fashionRecipe from "../../recipes/fashion-cnn.ts";
import lenetRecipe from "../../recipes/lenet.ts";

const DATA = process.env.GRADUS_DATA ?? new URL("../../../shared/data", import.meta.url).pathname;
const lacking = (name: string): string => (existsSync(`${DATA}/${name}`) ? "" : ` (no data set ${name})`);

const { inference, init, training } = nn;
const numbers = async (x: Tensor): Promise<number[]> => Array.from(await x.data());
const close = async (a: Tensor, b: Tensor): Promise<void> => expect(await a.sub(b).abs().max().item()).toBeLessThan(1e-5);
const sizes = (layer: nn.Module): number => layer.parameters().reduce((n, p) => n + (p.shape as number[]).reduce((a, b) => a * b, 1), 0);

describe("4.6 to 4.9 the stages of a layer, and what pools are blind to", () => {
  const shifted = (x: Tensor, down: number, right: number): Tensor => x.pad([[0, 0], [0, 0], [down, -down], [right, -right]]); // biome-ignore format: pairs

  test("4.6 LeNet-5 is twice a convolution, a detector and a pool, and learns to tell nine of ten drawn digits from 3,000 of them", async () => {
    const layers = (lenetRecipe.model(lenetRecipe.options) as nn.Sequential).layers as readonly unknown[];
    expect(layers.slice(1, 7)).toEqual([
      expect.any(nn.Conv2d),
      nn.tanh,
      expect.any(nn.AvgPool2d),
      expect.any(nn.Conv2d),
      nn.tanh,
      expect.any(nn.AvgPool2d),
    ]);
    expect(sizes(lenetRecipe.model(lenetRecipe.options) as nn.Sequential)).toBe(61_706);
    const model = init(lenetRecipe.model(lenetRecipe.options) as nn.Sequential, 0);
    const optimizer = adam(model.parameters(), { lr: 0.003 });
    await learnFrom(model, await digits({ count: 3000 }), { loss: nn.crossEntropy, optimizer, epochs: 3, batchSize: 32, rng: 0 });
    const scores = await score(model, await digits({ train: false, count: 500 }), { loss: nn.crossEntropy, metrics: { accuracy } });
    expect(scores.accuracy).toBeGreaterThan(0.9);
  }, 120_000);

  test("4.7 the largest, the mean, the L2 norm and the mean weighted by the distance from the centre, of windows that overlap", async () => {
    const rows = [[1, -2, 3], [0, 5, -6], [7, 8, 2]]; // biome-ignore format: rows
    const windows = [0, 1].flatMap((i) => [0, 1].map((j) => [rows[i]![j]!, rows[i]![j + 1]!, rows[i + 1]![j]!, rows[i + 1]![j + 1]!]));
    const pooled = (layer: { forward(x: Tensor): Tensor }): Promise<number[]> => numbers(layer.forward(tensor([[rows]]) as Tensor));
    const near = (got: number[], wanted: number[]): void => wanted.forEach((value, i) => { expect(got[i]).toBeCloseTo(value, 5); }); // biome-ignore format: one line
    near(await pooled(new nn.MaxPool2d(2, { stride: 1 })), windows.map((w) => Math.max(...w))); // biome-ignore format: one line
    near(await pooled(new nn.AvgPool2d(2, { stride: 1 })), windows.map((w) => w.reduce((a, b) => a + b) / 4)); // biome-ignore format: one line
    near(await pooled(new nn.LPPool2d(2, 2, { stride: 1 })), windows.map((w) => Math.hypot(...w))); // biome-ignore format: one line
    // Of three by three: the centre at distance 0, four at 1, four at √2.
    const weight = (i: number, j: number): number => 1 / (1 + Math.hypot(i - 1, j - 1));
    const [sum, weights] = rows.flatMap((row, i) => row.map((x, j) => [x * weight(i, j), weight(i, j)])).reduce(([a, b], [x, w]) => [a! + x!, b! + w!]) as [number, number]; // biome-ignore format: one line
    near(await pooled(new nn.WeightedAvgPool2d(3, { weights: "inverse" })), [sum / weights]);
  });

  test("4.8 where the largest of each window stays in its window, a pool does not change under a shift", async () => {
    const spots = zeros([1, 1, 12, 12]).add(tensor([[5, 5], [2, 8]]).reshape([1, 1, 2, 2]).pad([[0, 0], [0, 0], [4, 6], [4, 6]])); // biome-ignore format: pairs
    const pooled = (x: Tensor): Tensor => maxPool2d(x, 4);
    await close(pooled(spots), pooled(shifted(spots, 1, 1)));
    expect(
      await spots
        .sub(shifted(spots, 1, 1))
        .abs()
        .max()
        .item(),
    ).toBeGreaterThan(1);
  });

  test("4.8 a maxout unit learns to be invariant to turns, which one filter cannot", async () => {
    const part = async (train: boolean): Promise<ArrayDataset> => {
      const all = await digits({ train, count: train ? 3000 : 1000 });
      const labels = await numbers(all.gather(all.rows).y);
      const fives = [...labels.keys()].filter((i) => labels[i] === 5);
      const rows = Uint32Array.from([...fives, ...[...labels.keys()].filter((i) => labels[i] !== 5).slice(0, fives.length)]);
      const turned = nn.rotate(all.gather(rows).x.reshape([-1, 1, 28, 28]), new Generator(train ? 0 : 1).uniform([rows.length], -180, 180));
      const y = Float32Array.from(rows, (row) => (labels[row] === 5 ? 1 : 0));
      return new ArrayDataset({ data: await turned.data(), shape: [1, 28, 28] }, { data: y, shape: [1] });
    };
    const [train, held] = [await part(true), await part(false)];
    const learnt = async (pieces: number): Promise<number> => {
      const model = init(new nn.Sequential(new nn.Flatten(), new nn.Linear(784, pieces), new nn.Maxout(pieces)), 0);
      await learnFrom(model, train, { loss: nn.bceWithLogits, optimizer: adam(model.parameters(), { lr: 0.003 }), epochs: 40, rng: 0 });
      return (await score(model, held, { loss: nn.bceWithLogits, metrics: { accuracy } })).accuracy;
    };
    expect((await learnt(6)) - (await learnt(1))).toBeGreaterThan(0.1);
  }, 120_000);

  test("4.9 a network with an adaptive pool takes images of any size, and answers the same to a larger one of the same colour", async () => {
    const model = init(
      new nn.Sequential(new nn.Conv2d(1, 4, 3), nn.relu, new nn.AdaptiveAvgPool2d([2, 2]), new nn.Flatten(), new nn.Linear(16, 3)),
      0,
    );
    const answer = (height: number, width: number): Tensor => model.forward(ones([1, 1, height, width]).mul(0.7)) as Tensor;
    for (const [height, width] of [[40, 60], [7, 31], [4, 4]] as const) await close(answer(height, width), answer(12, 12)); // biome-ignore format: pairs
  });
});

describe("4.10 and 4.11 AlexNet", () => {
  test("4.10 has 60,965,224 parameters in groups, 62,378,344 without, 61,100,840 in one tower", () => {
    const count = (variant: string): number => sizes(alexnetRecipe.model({ ...alexnetRecipe.options, variant }) as nn.Sequential);
    expect(["grouped", "ungrouped", "one-tower"].map(count)).toEqual([60_965_224, 62_378_344, 61_100_840]);
  });

  test("4.10 makes of 224 × 224 the paper's shapes: five convolutions, three pools whose windows overlap, three dense layers", () => {
    const model = alexnetRecipe.model(alexnetRecipe.options) as nn.Sequential;
    const shapes = [...nn.summary(model, [1, 3, 224, 224]).matchAll(/\((Conv2d|MaxPool2d|Linear)\)\s+\[1, (.*?)\]/g)].map(([, kind, shape]) => `${kind} ${shape}`); // biome-ignore format: one line
    expect(shapes).toEqual([
      ...["Conv2d 96, 55, 55", "MaxPool2d 96, 27, 27", "Conv2d 256, 27, 27", "MaxPool2d 256, 13, 13"],
      ...["Conv2d 384, 13, 13", "Conv2d 384, 13, 13", "Conv2d 256, 13, 13", "MaxPool2d 256, 6, 6"],
      ...["Linear 4096", "Linear 4096", "Linear 1000"],
    ]);
    const layers = model.layers as readonly unknown[];
    for (const pool of layers.filter((layer) => layer instanceof nn.MaxPool2d))
      expect([pool.kernelSize, pool.options.stride]).toEqual([3, 2]);
    expect(layers.flatMap((layer) => (layer instanceof nn.Conv2d ? [layer.weight.shape[1]] : []))).toEqual([3, 48, 256, 192, 192]);
    expect(layers.filter((layer) => layer instanceof nn.LocalResponseNorm)).toHaveLength(2);
    expect(layers.flatMap((layer) => (layer instanceof nn.Dropout ? [layer.p] : []))).toEqual([0.5, 0.5]);
  });

  test("4.11 changes images inside the compiled step: other ones each time, none in use", async () => {
    const options = { ...alexnetRecipe.options, size: 32, dense: 8, crop: 4 };
    const layers = (alexnetRecipe.model(options) as nn.Sequential).layers as readonly object[];
    const before = layers.slice(
      0,
      layers.findIndex((layer) => layer instanceof nn.Standardize),
    );
    expect(before.map((layer) => layer.constructor.name)).toEqual(["RandomHorizontalFlip", "RandomCrop", "PcaColorShift"]);
    const inputs = init(new nn.Sequential(...(before as nn.RandomCrop[])), 0) as nn.Sequential;
    (before[2] as nn.PcaColorShift).adapt({ covariance: [[0.06, 0.05, 0.04], [0.05, 0.06, 0.05], [0.04, 0.05, 0.07]] }); // biome-ignore format: rows
    const rng = new Generator(0);
    const step = compile((x: Tensor) => inputs.forward(x, training(rng)) as Tensor);
    const x = new Generator(1).uniform([2, 3, 32, 32]);
    const [once, twice] = [await numbers(step(x)), await numbers(step(x))];
    expect(once).not.toEqual(twice);
    expect(await numbers(inputs.forward(x, inference) as Tensor)).toEqual(await numbers(x));
  });
});

describe("networks trained on data sets", () => {
  const run = async (recipe: Parameters<typeof trainRecipe>[0]["recipe"], dir: string, more: object): Promise<TrainOutcome> => {
    const out = join(await mkdtemp(join(tmpdir(), "gradus-subject-")), "run");
    return trainRecipe({
      recipe,
      name: "subject",
      dir,
      validation: 0,
      signal: new AbortController().signal,
      version: "test",
      out,
      ...more,
    });
  };

  test.skipIf(lacking("mnist") !== "")(
    `4.6 LeNet-5 errs on at most 2.5 % of MNIST after one epoch${lacking("mnist")}`,
    async () => {
      const { scores } = await run(lenetRecipe, `${DATA}/mnist`, { epochs: 1 });
      expect(1 - scores.accuracy!).toBeLessThanOrEqual(0.025);
    },
    300_000,
  );

  test.skipIf(lacking("fashion-mnist") !== "")(
    `4.7 two convolutions with pools err on at most 20 % of Fashion-MNIST after 15,000 images${lacking("fashion-mnist")}`,
    async () => {
      const { scores } = await run(fashionRecipe, `${DATA}/fashion-mnist`, { epochs: 1, validation: 0.75 });
      expect(1 - scores.accuracy!).toBeLessThanOrEqual(0.2);
    },
    300_000,
  );

  test.skipIf(lacking("cifar10-jpeg-subset") !== "")(
    `4.11 three convolutions with overlapping pools are right on at least 35 % of CIFAR's subset after one epoch${lacking("cifar10-jpeg-subset")}`,
    async () => {
      const { scores } = await run(cifarRecipe, `${DATA}/cifar10-jpeg-subset`, { epochs: 1 });
      expect(scores.accuracy!).toBeGreaterThanOrEqual(0.35);
    },
    300_000,
  );
});
