import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { ArrayDataset } from "../../src/data/index.ts";
import { crossEntropy, Linear, Sequential, tanh } from "../../src/nn/index.ts";
import { adam, cosine } from "../../src/optim/index.ts";
import { accuracy, openRun, recipe, type TrainPlan, type TrainSettings, trainRecipe } from "../../src/train/index.ts";
import { circle } from "./fixtures.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gradus-held-out-"));
});

/** How often batches of the test set were taken. */
let tested = 0;
function watched(data: ArrayDataset): ArrayDataset {
  const batches = data.batches.bind(data);
  data.batches = (...given) => {
    tested++;
    return batches(...given);
  };
  return data;
}
const mine = recipe({
  options: { points: 60, lr: 0.05 },
  epochs: 3,
  batchSize: 6,
  model: () => new Sequential(new Linear(2, 6), tanh, new Linear(6, 2)),
  data: async (o, { seed }) => ({ train: circle(o.points, seed), test: watched(circle(20, seed + 7)) }),
  loss: crossEntropy,
  optimizer: (model, o, steps) => adam(model.parameters(), { lr: cosine({ peak: o.lr, steps }) }),
  metrics: { accuracy },
});
const settings = (name: string, more: Partial<TrainSettings> = {}): TrainSettings => ({
  ...{ recipe: mine, name: "mine", out: join(folder, name), version: "test", device: "wasm", threads: 1 },
  signal: new AbortController().signal,
  ...more,
});
async function run(name: string, more: Partial<TrainSettings> = {}) {
  let plan: TrainPlan | undefined;
  tested = 0;
  const outcome = await trainRecipe(settings(name, more), { plan: (p) => void (plan = p) });
  return { outcome, plan: plan! };
}
const text = (name: string, file: string): Promise<string> => readFile(join(folder, name, file), "utf8");
const lines = async (name: string): Promise<Record<string, unknown>[]> =>
  (await text(name, "metrics.jsonl")).trim().split("\n").map((line) => JSON.parse(line)); // biome-ignore format: one line

describe("what a run holds out", () => {
  test("a tenth of the training data scores each epoch, and the test set is scored once, at the end", async () => {
    const { outcome, plan } = await run("usual");
    expect(tested).toBe(1);
    expect(plan).toMatchObject({ trainExamples: 54, validationExamples: 6, testExamples: 20, checkedOn: "validation" });
    const epochs = (await lines("usual")).filter(({ epoch }) => epoch);
    expect(epochs.map(({ validation }) => validation)).toEqual(outcome.records.map(({ validation }) => validation));
    expect(epochs.every((line) => !("test" in line))).toBe(true);
    const opened = await openRun(join(folder, "usual"), async () => mine);
    expect(await opened.evaluate()).toEqual(outcome.scores);
  });

  test("with a share of 0 all examples are trained on and no epoch is scored", async () => {
    const { outcome, plan } = await run("all", { validation: 0 });
    expect(tested).toBe(1);
    expect(plan).toMatchObject({ trainExamples: 60, validationExamples: 0, checkedOn: "nothing" });
    expect(outcome.records.every(({ validation }) => validation === undefined)).toBe(true);
    expect(outcome.scores.accuracy).toBeGreaterThan(0);
    expect(await text("all", "curves.svg")).not.toContain("validation");
  });

  test("a few examples cannot spare any, unless it is asked for", async () => {
    const { plan } = await run("few", { options: { points: 4 }, batchSize: 2 });
    expect(plan).toMatchObject({ trainExamples: 4, validationExamples: 0, checkedOn: "nothing" });
    expect(JSON.parse(await text("few", "run.json")).validation).toBe(0);
    await expect(run("asked", { options: { points: 4 }, validation: 0.1 })).rejects.toThrow(/leaves a part empty/);
  });

  test("early stopping never looks at the test set, and says which epoch it kept", async () => {
    const { outcome } = await run("stopping", { epochs: 60, patience: 2, options: { lr: 0.5 } });
    expect(tested).toBe(1);
    const losses = outcome.records.map(({ validation }) => validation!.loss);
    expect(outcome.bestEpoch).toBe(1 + losses.indexOf(Math.min(...losses)));
    expect(await text("stopping", "curves.svg")).toContain(`epoch ${outcome.bestEpoch} kept`);
    await expect(run("none", { patience: 2, validation: 0 })).rejects.toThrow(/early stopping without validation/);
    await expect(run("none", { validation: 1 })).rejects.toThrow(/validation share of 1/);
  });

  test("a run made when the test set scored each epoch goes on as it began", async () => {
    const { checkedOn: _, ...old } = JSON.parse(await text("all", "run.json")) as Record<string, unknown>;
    const began = async (name: string, epochs: number): Promise<void> => {
      // As such a run began: interrupted before its first step, its run.json says nothing of what scores an epoch.
      const stop = new AbortController();
      stop.abort();
      await trainRecipe(settings(name, { validation: 0, epochs, signal: stop.signal }));
      await writeFile(join(folder, name, "run.json"), JSON.stringify({ ...old, epochs, status: "interrupted" }));
    };
    const goOn = (name: string, epochs: number) => {
      const { out, ...rest } = settings(name, { epochs });
      return trainRecipe({ ...rest, resume: out });
    };
    await began("old", 3);
    const whole = await goOn("old", 3);
    expect(whole.records.map(({ validation }) => typeof validation?.accuracy)).toEqual(["number", "number", "number"]);
    expect((await lines("old")).filter(({ epoch }) => epoch).every((line) => "test" in line)).toBe(true);
    expect(await text("old", "curves.svg")).toContain("test set");
  });
});

describe("the picture of a run", () => {
  test("names its axes, shows the learning rate where it changes, and marks the epoch with the lowest validation loss", async () => {
    await run("picture");
    const svg = await text("picture", "curves.svg");
    for (const part of [">step (an epoch has 9)<", ">loss<", ">accuracy<", ">learning rate<", ">training<", ">validation<"])
      expect(svg).toContain(part);
    expect(svg).toMatch(/>epoch \d: lowest validation loss</);
    const rates = (await lines("picture")).flatMap(({ lr }) => (lr === undefined ? [] : [lr as number]));
    expect(rates).toHaveLength(27);
    expect(rates[0]).toBeGreaterThan(rates.at(-1)!);
  });
});
