import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encode } from "fast-png";
import { describe, expect, test } from "vitest";
import alexnetRecipe, { lastSide } from "../../recipes/alexnet.ts";
import cifarRecipe from "../../recipes/cifar-cnn.ts";
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
import { tensor, zeros } from "../../src/index.ts";
import { crossEntropy, inference, init, Linear, Sequential, summary } from "../../src/nn/index.ts";
import { sgd } from "../../src/optim/index.ts";
import {
  accuracy,
  fit as learn,
  openRun,
  prepare,
  type Recipe,
  type TrainOutcome,
  type TrainSettings,
  trainRecipe,
} from "../../src/train/index.ts";

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

describe("AlexNet", () => {
  /** Layers with parameters of their own that are trained, as the table shows them. */
  const rows = (options: Record<string, unknown>): [kind: string, output: string, parameters: string][] => {
    const model = prepare(alexnetRecipe, options, 0).model as Sequential;
    return [
      ...summary(model, [1, 3, Number(options.size ?? 224), Number(options.size ?? 224)]).matchAll(
        /\((Conv2d|Linear)\)\s+(\[.*?\])\s+([\d,]+)$/gm,
      ),
    ].map(([, kind, output, parameters]) => [kind!, output!, parameters!]);
  };

  test("has the paper's 60,965,224 parameters, layer by layer", () => {
    expect(rows({})).toEqual([
      ["Conv2d", "[1, 96, 55, 55]", "34,944"],
      ["Conv2d", "[1, 256, 27, 27]", "307,456"],
      ["Conv2d", "[1, 384, 13, 13]", "885,120"],
      ["Conv2d", "[1, 384, 13, 13]", "663,936"],
      ["Conv2d", "[1, 256, 13, 13]", "442,624"],
      ["Linear", "[1, 4096]", "37,752,832"],
      ["Linear", "[1, 4096]", "16,781,312"],
      ["Linear", "[1, 1000]", "4,097,000"],
    ]);
    expect(parametersOf(alexnetRecipe)).toBe(60_965_224);
  });

  test("has 62,378,344 without groups, and 61,100,840 in one tower", () => {
    expect(parametersOf(alexnetRecipe, { variant: "ungrouped" })).toBe(62_378_344);
    expect(parametersOf(alexnetRecipe, { variant: "one-tower" })).toBe(61_100_840);
    expect(rows({ variant: "one-tower" }).map(([, output]) => output)).toEqual([
      "[1, 64, 55, 55]",
      "[1, 192, 27, 27]",
      "[1, 384, 13, 13]",
      "[1, 256, 13, 13]",
      "[1, 256, 13, 13]",
      "[1, 4096]",
      "[1, 4096]",
      "[1, 1000]",
    ]);
  });

  test("looks at small images more closely, so that something is left of them at the last pool; smaller ones are refused", () => {
    expect([224, 128, 127, 64, 63, 32, 24].map(lastSide)).toEqual([6, 3, 6, 2, 6, 2, 1]);
    for (const size of [24, 32, 63, 64, 127, 128]) {
      const last = lastSide(size);
      const { model } = prepare(alexnetRecipe, { size, dense: 16, classes: '["a","b"]' }, 0);
      expect(model.forward(zeros([2, 3, size, size]), inference).shape).toEqual([2, 2]);
      expect(rows({ size, dense: 16 })[5]).toEqual(["Linear", "[1, 16]", (16 * (256 * last * last + 1)).toLocaleString("en-US")]);
    }
    for (const size of [20, 10, 33.5]) expect(() => prepare(alexnetRecipe, { size }, 0)).toThrow(/alexnet: images of/);
  });

  test("learns a folder of images, whose classes its run knows; its pictures are in colour", async () => {
    const folder = await mkdtemp(join(tmpdir(), "gradus-folder-"));
    await colourFolder(join(folder, "images"));
    const out = join(folder, "run");
    const options = { size: 24, dense: 16, dropout: 0, optimizer: "adam", lr: 0.001, test: 0.25 };
    const outcome = await run(alexnetRecipe, { options, dir: join(folder, "images"), epochs: 12, batchSize: 8, out, validation: 0 });
    expect(outcome.scores.accuracy).toBe(1);
    expect(outcome.pictures).toEqual(["predictions.svg", "confusion.svg", "filters.svg", "feature-maps.svg"]);
    expect(await readFile(join(out, "filters.svg"), "utf8")).toContain("11 × 11 in three colours");
    const opened = await openRun(out, async () => alexnetRecipe);
    expect([opened.options.classes, (await opened.evaluate()).accuracy]).toEqual(['["blue","green"]', 1]);
  }, 120_000);

  test("without a folder it can be looked at and not trained", async () => {
    await expect(run(alexnetRecipe, { options: { size: 32, dense: 8 } })).rejects.toThrow(/which images\? say --data DIR/);
    expect(alexnetRecipe.example!({ ...alexnetRecipe.options, size: 64 }, 5).x.shape).toEqual([5, 3, 64, 64]);
  });
});

/** Twenty pictures of each of two colours, of several sizes. */
async function colourFolder(folder: string): Promise<void> {
  for (const [k, name] of ["green", "blue"].entries()) {
    await mkdir(join(folder, name), { recursive: true });
    for (let i = 0; i < 20; i++) {
      const [width, height] = [24 + i, 40 - i];
      const data = Uint8Array.from({ length: 3 * width * height }, (_, at) =>
        at % 3 === k + 1 ? 160 + ((at * 7 + i) % 90) : (at * 5 + i) % 60,
      );
      await writeFile(join(folder, name, `${i}.png`), encode({ width, height, channels: 3, data }));
    }
  }
}

describe("the network for CIFAR-10", () => {
  test("has 32, 32 and 64 maps of 5 × 5, overlapping pools, and 85,098 parameters", () => {
    expect(parametersOf(cifarRecipe)).toBe(32 * (75 + 1) + 32 * (800 + 1) + 64 * (800 + 1) + 10 * 577);
    const text = summary(prepare(cifarRecipe, {}, 0).model as Sequential, [1, 3, 32, 32]);
    for (const shape of ["[1, 32, 32, 32]", "[1, 32, 15, 15]", "[1, 32, 7, 7]", "[1, 64, 7, 7]", "[1, 64, 3, 3]"])
      expect(text).toContain(shape);
  });

  test("changes images as its options say, in training only", () => {
    const first = (options: Record<string, unknown>): string[] =>
      (prepare(cifarRecipe, options, 0).model as Sequential).layers.slice(0, 4).map((layer: object) => layer.constructor.name);
    expect(first({})).toEqual(["RandomHorizontalFlip", "PcaColorShift", "Standardize", "Conv2d"]);
    expect(first({ crop: 4 })).toEqual(["RandomHorizontalFlip", "RandomCrop", "PcaColorShift", "Standardize"]);
    expect(first({ flip: false, colour: false }).slice(0, 2)).toEqual(["Standardize", "Conv2d"]);
  });
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
