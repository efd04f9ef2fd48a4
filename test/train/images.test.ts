/** A recipe on a folder of images: what is measured is stored with the model, augmentation is of training alone, a run goes on to the bit. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ArrayDataset, type BatchOptions, channelMoments, type Dataset, imageFolder, type Labelled } from "../../src/data/index.ts";
import { Generator, tensor } from "../../src/index.ts";
import { decodeImage, encodePng } from "../../src/io/index.ts";
import {
  BatchNorm2d,
  Conv2d,
  crossEntropy,
  Flatten,
  inference,
  init,
  Linear,
  PcaColorShift,
  RandomCrop,
  RandomHorizontalFlip,
  relu,
  Sequential,
  Standardize,
} from "../../src/nn/index.ts";
import { adam } from "../../src/optim/index.ts";
import { accuracy, openRun, predict, type Recipe, recipe, score, trainRecipe } from "../../src/train/index.ts";
import { settingsOf } from "./fixtures.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gradus-recipe-"));
  for (const part of ["train", "test"])
    for (const [label, name] of ["blue", "red"].entries()) {
      await mkdir(join(folder, part, name), { recursive: true });
      for (let i = 0; i < 20; i++) {
        const colour = label === 0 ? [40, 60, 120 + 5 * i] : [120 + 5 * i, 60, 40];
        const data = Uint8Array.from({ length: 3 * 36 }, (_, k) => colour[k % 3]! + ((k * (i + 7)) % 30));
        await writeFile(join(folder, part, name, `${i}.png`), await encodePng({ width: 6, height: 6, channels: 3, data }));
      }
    }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const COLOURS: Recipe = recipe({
  options: { lr: 0.01 },
  epochs: 4,
  batchSize: 8,
  model: () =>
    new Sequential(
      new PcaColorShift(),
      new Standardize(3, { axis: 1 }),
      new RandomCrop(6, { padding: 1 }),
      new RandomHorizontalFlip(),
      new Conv2d(3, 4, 3),
      new BatchNorm2d(4),
      relu,
      new Flatten(),
      new Linear(64, 2),
    ),
  data: async (_, { dir }) => {
    const train = await imageFolder(`${dir}/train`);
    return { train, test: await imageFolder(`${dir}/test`, { classes: train.classes }) };
  },
  adapt: async (model, train: Dataset<Labelled>) => {
    const moments = await channelMoments(train, { count: 20, rng: new Generator(0) });
    (model.layers[0] as PcaColorShift).adapt(moments);
    (model.layers[1] as Standardize).adapt(moments);
  },
  loss: crossEntropy,
  optimizer: (model, o) => adam(model.parameters(), { lr: o.lr }),
  metrics: { accuracy },
});
const settings = settingsOf(COLOURS);

test("a run trains, scores its test set, and answers for an image file as it is", async () => {
  const out = join(folder, "run");
  const outcome = await trainRecipe(settings({ out, dir: folder }));
  expect(outcome.status).toBe("done");
  expect(outcome.scores.accuracy).toBe(1);
  const run = await openRun(out, async () => COLOURS);
  expect((await run.evaluate({ dir: folder })).accuracy).toBe(1);
  const { data } = await decodeImage(await readFile(join(folder, "test/red/3.png")), "3.png");
  const planes = Float32Array.from({ length: 108 }, (_, i) => data[3 * (i % 36) + Math.floor(i / 36)]! / 255);
  expect(
    await run.model
      .forward(tensor(planes, [1, 3, 6, 6]), inference)
      .argmax(-1)
      .array(),
  ).toEqual([1]);
});

test("a run that was stopped goes on to the bit", async () => {
  const [whole, half] = [join(folder, "whole"), join(folder, "half")];
  await trainRecipe(settings({ out: whole, dir: folder }));
  const stop = new AbortController();
  const stopped = await trainRecipe(settings({ out: half, dir: folder, signal: stop.signal }), {
    step: ({ step }) => void (step === 6 && stop.abort()),
  });
  expect(stopped.status).toBe("interrupted");
  await trainRecipe(settings({ resume: half }));
  const last = `checkpoints/step-${String(5 * 4).padStart(9, "0")}.safetensors`;
  expect((await readFile(join(half, last))).equals(await readFile(join(whole, last)))).toBe(true);
});

test("large inputs are scored and predicted in smaller batches, unless their size is said", async () => {
  const width = 2 ** 13;
  const data = new ArrayDataset({ data: new Float32Array(3 * width), shape: [width] }, { data: new Int32Array(3), shape: [] });
  const sizes: number[] = [];
  const counted = Object.assign(Object.create(data) as ArrayDataset, {
    batches: (size: number, options?: BatchOptions) => {
      sizes.push(size);
      return data.batches(size, options);
    },
  });
  const model = init(new Linear(width, 2), 0);
  await score(model, counted, { loss: crossEntropy });
  await predict(model, counted);
  await score(model, counted, { loss: crossEntropy, batchSize: 7 });
  expect(sizes).toEqual([512, 512, 7]);
});
