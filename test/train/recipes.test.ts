import { existsSync } from "node:fs";
import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import digitsRecipe from "../../recipes/digits-mlp.ts";
import fashionRecipe from "../../recipes/fashion-cnn.ts";
import irisRecipe from "../../recipes/iris.ts";
import { sizesOf } from "../../recipes/layers.ts";
import lenetRecipe from "../../recipes/lenet.ts";
import mnistRecipe from "../../recipes/mnist-mlp.ts";
import pendulumRecipe from "../../recipes/pendulum.ts";
import regressionRecipe from "../../recipes/regression.ts";
import wineRecipe from "../../recipes/wine.ts";
import xorRecipe, { learntNet } from "../../recipes/xor.ts";
import { hiddenOf, outputOf, TEXTBOOK, viewOf } from "../../recipes/xor-picture.ts";
import { sizeOf } from "../../src/core/shape.ts";
import { digits } from "../../src/data/index.ts";
import { tensor } from "../../src/index.ts";
import { crossEntropy, inference, init, Linear, Sequential, summary } from "../../src/nn/index.ts";
import { sgd } from "../../src/optim/index.ts";
import { accuracy, fit as learn, prepare, type Recipe, type TrainOutcome, type TrainSettings, trainRecipe } from "../../src/train/index.ts";

const DATA = process.env.GRADUS_DATA ?? new URL("../../../shared/data", import.meta.url).pathname;

async function run(recipe: Recipe, more: Partial<TrainSettings> = {}): Promise<TrainOutcome> {
  const out = join(await mkdtemp(join(tmpdir(), "gradus-recipe-")), "run");
  return trainRecipe({ recipe, name: "recipe", signal: new AbortController().signal, version: "test", out, ...more });
}
const error = ({ scores }: TrainOutcome): number => 1 - scores.accuracy!;

describe("the digits are a real task", () => {
  test("one hidden layer errs on at most 3 %", async () => {
    expect(error(await run(digitsRecipe, { epochs: 6 }))).toBeLessThanOrEqual(0.03);
  }, 120_000);

  test("a linear classifier errs on at least 8 %, however long it learns", async () => {
    const model = init(new Sequential(new Linear(784, 10)), 0) as Sequential;
    const records = await learn(model, await digits(), {
      loss: crossEntropy,
      optimizer: sgd(model.parameters(), { lr: 0.05, momentum: 0.9 }),
      rng: 0,
      epochs: 12,
      batchSize: 64,
      metrics: { accuracy },
      validation: await digits({ train: false }),
    });
    for (const { validation } of records) expect(1 - validation!.accuracy!).toBeGreaterThanOrEqual(0.08);
    expect(records.at(-1)!.metrics.accuracy).toBeGreaterThan(0.88);
  }, 120_000);
});

test("xor: the textbook's weights are exact, a linear model ends at w = 0 and b = ½, 20 of 20 starts are solved within 200 steps", async () => {
  const said: string[] = [];
  const out = join(await mkdtemp(join(tmpdir(), "gradus-xor-")), "run");
  const { signal } = new AbortController();
  const outcome = await trainRecipe(
    { recipe: xorRecipe, name: "xor", signal, version: "test", out },
    { say: (line) => void said.push(line) },
  );
  expect(outcome.status).toBe("done");
  expect(outcome.scores).toMatchObject({ textbookExact: 1, solved: 20, seeds: 20 });
  expect(outcome.scores.linearDistance).toBeLessThan(1e-5);
  expect(said.join("\n")).toMatch(/give 0, 1, 1, 0 for/);
  expect(outcome.summary).toMatch(/^20 of 20 random starts learnt it within 200 steps, the slowest in \d+$/);
  const svg = await readFile(join(out, "hidden-space.svg"), "utf8");
  expect(svg).toMatch(/^<svg[\s\S]*Learnt: 8 tanh units, random start 19[\s\S]*The book's weights[\s\S]*01, 10[\s\S]*<\/svg>\n$/);
}, 60_000);

describe("the picture of xor", () => {
  const learn = async (seed: number, hidden = 8) => {
    const files: string[] = [];
    const { model } = await xorRecipe.run!(
      { ...xorRecipe.options, hidden, seeds: 1 },
      { seed, signal: new AbortController().signal, say: () => undefined, write: async (_, text) => void files.push(text) },
    );
    return { model, net: await learntNet(model), svg: files[0]! };
  };
  const points = [0, 1, 2, 3].map((i) => [i >> 1, i & 1]);

  test("shows the network that was learnt: another seed is another picture, and its answers are those of the model", async () => {
    const [a, b] = [await learn(0), await learn(1)];
    expect(a.svg).not.toBe(b.svg);
    expect((await learn(0)).svg).toBe(a.svg);
    for (const { model, net } of [a, b]) {
      const logits = await model.forward(tensor(points), inference).data();
      points.forEach((x, i) => {
        expect(outputOf(net, x)).toBeCloseTo(logits[i]!, 4);
        expect(outputOf(net, x) > 0).toBe(i === 1 || i === 2);
      });
    }
  });

  test("keeps each point's side of the boundary and its distance from it, in whatever number of dimensions", async () => {
    for (const hidden of [2, 8]) {
      const { net } = await learn(4, hidden);
      const view = viewOf(net);
      const dot = (p: readonly number[], q: readonly number[]): number => p.reduce((sum, x, i) => sum + x * q[i]!, 0);
      expect(dot(view.across, view.up)).toBeCloseTo(0, 6);
      for (const unit of [view.across, view.up]) expect(dot(unit, unit)).toBeCloseTo(1, 6);
      const [vx, vy] = [dot(net.v, view.across), dot(net.v, view.up)];
      for (const x of points) {
        const h = hiddenOf(net, x);
        expect(vx * dot(h, view.across) + vy * dot(h, view.up) + net.b).toBeCloseTo(outputOf(net, x), 6);
      }
    }
  });

  test("the book's weights give 0, 1, 1, 0", () => {
    expect(points.map((x) => outputOf(TEXTBOOK, x) + TEXTBOOK.threshold)).toEqual([0, 1, 1, 0]);
  });
});

test("a recipe that does not reach what it should fails", async () => {
  expect((await run(xorRecipe, { options: { steps: 1, seeds: 3 } })).status).toBe("failed");
});

test.skipIf(!existsSync(`${DATA}/tabular/iris.csv`))(
  "iris: at most 7 % error",
  async () => {
    expect(error(await run(irisRecipe, { dir: `${DATA}/tabular` }))).toBeLessThanOrEqual(0.07);
  },
  60_000,
);

test.skipIf(!existsSync(`${DATA}/mnist`))(
  "MNIST: one epoch of the 300 unit network errs on less than 5 %",
  async () => {
    expect(error(await run(mnistRecipe, { dir: `${DATA}/mnist`, epochs: 1 }))).toBeLessThan(0.05);
  },
  120_000,
);

describe("regression", () => {
  test("the pendulum's period is found to the stopwatch's error, nearly; a linear model is far from it", async () => {
    const { scores } = await run(pendulumRecipe, { epochs: 20 });
    expect(scores.rSquared).toBeGreaterThan(0.995);
    expect(scores.rootMeanSquaredError).toBeLessThan(0.1);
    const linear = await run(pendulumRecipe, { epochs: 20, options: { hidden: "0" } });
    expect(linear.scores.rSquared).toBeGreaterThan(0.6);
    expect(linear.scores.rSquared).toBeLessThan(0.9);
  }, 60_000);

  test.skipIf(!existsSync(`${DATA}/tabular/winequality-red.csv`))(
    "a wine's quality: more than three tenths of the variance, off by half a point",
    async () => {
      const { scores } = await run(wineRecipe, { dir: `${DATA}/tabular`, epochs: 30 });
      expect(scores.rSquared).toBeGreaterThan(0.3);
      expect(scores.rootMeanSquaredError).toBeLessThan(0.68);
      expect(scores.meanAbsoluteError).toBeLessThan(0.55);
    },
    60_000,
  );

  test.skipIf(!existsSync(`${DATA}/tabular/abalone.csv`))(
    "the rings of an abalone, with a column of words: more than half of the variance",
    async () => {
      const options = { csv: `${DATA}/tabular/abalone.csv`, header: "no", categorical: "0" };
      const { scores } = await run(regressionRecipe, { options, epochs: 10 });
      expect(scores.rSquared).toBeGreaterThan(0.5);
      expect(scores.rootMeanSquaredError).toBeLessThan(2.4);
    },
    60_000,
  );
});

const parametersOf = (recipe: Recipe, options: Record<string, unknown> = {}): number =>
  prepare(recipe, options, 0)
    .model.parameters()
    .reduce((n, p) => n + sizeOf(p.shape), 0);

describe("LeNet-5", () => {
  test("has 61,706 parameters, layer by layer 156, 2,416, 48,120, 10,164, 850", () => {
    expect(parametersOf(lenetRecipe)).toBe(61_706);
    const text = summary(prepare(lenetRecipe, {}, 0).model as Sequential, [1, 784]);
    expect(text.match(/\S+\)\s+\[1, .*\]\s+[\d,]+$/gm)!.map((line) => line.replace(/^.*\]\s+/, ""))).toEqual([
      "156",
      "2,416",
      "48,120",
      "10,164",
      "850",
    ]);
    for (const shape of ["[1, 6, 28, 28]", "[1, 6, 14, 14]", "[1, 16, 10, 10]", "[1, 16, 5, 5]", "[1, 120, 1, 1]", "[1, 84]"])
      expect(text).toContain(shape);
  });

  test("errs on at most 3 % of drawn digits after three epochs, and draws its first filters and what its layers make of a digit", async () => {
    const out = join(await mkdtemp(join(tmpdir(), "gradus-lenet-")), "run");
    const outcome = await run(lenetRecipe, { epochs: 3, out });
    expect(error(outcome)).toBeLessThanOrEqual(0.03);
    expect(outcome.pictures).toEqual(["predictions.svg", "confusion.svg", "filters.svg", "feature-maps.svg"]);
    expect(await readFile(join(out, "filters.svg"), "utf8")).toContain("recipe: the 6 filters of the first layer");
    const maps = await readFile(join(out, "feature-maps.svg"), "utf8");
    for (const row of ["1 Conv2d → 2 tanh", "3 AvgPool2d", "4 Conv2d → 5 tanh", "6 AvgPool2d", "16 maps of 5 × 5"])
      expect(maps).toContain(row);
    // The last convolution's maps have one pixel, and are no picture.
    expect(maps).not.toContain("8 tanh");
  }, 180_000);
});

test("the network for Fashion-MNIST has 32 and 64 maps, and 421,642 parameters", () => {
  expect(parametersOf(fashionRecipe)).toBe(32 * 10 + 64 * (32 * 9 + 1) + 128 * (64 * 49 + 1) + 10 * 129);
  expect(parametersOf(fashionRecipe)).toBe(421_642);
});

describe("dense networks from the command line", () => {
  test("sizes are read from text", () => {
    expect(sizesOf("300")).toEqual([300]);
    expect(sizesOf("256-128-100")).toEqual([256, 128, 100]);
    expect(sizesOf("0")).toEqual([]);
    for (const bad of ["300-", "a", "3x0", "-3", "0-3", "1e3", "9999999"]) expect(() => sizesOf(bad)).toThrow(/sizes of layers/);
  });

  test("300-100 has the parameters it should, 784·300 + 300 + 300·100 + 100 + 100·10 + 10", () => {
    const { model } = prepare(mnistRecipe, { hidden: "300-100", activation: "tanh", loss: "mse" }, 0);
    expect(model.parameters().reduce((n, p) => n + (p.shape as number[]).reduce((a, b) => a * b, 1), 0)).toBe(266_610);
  });

  test("without hidden layers it is the linear classifier", () => {
    const { model } = prepare(mnistRecipe, { hidden: "0" }, 0);
    expect(model.parameters().map((p) => p.shape)).toEqual([[10, 784], [10]]);
  });
});
