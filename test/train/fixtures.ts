import { ArrayDataset } from "../../src/data/index.ts";
import { Generator } from "../../src/index.ts";
import { crossEntropy, Dropout, init, Linear, Sequential, tanh } from "../../src/nn/index.ts";
import { adam, cosine, type Optimizer } from "../../src/optim/index.ts";
import { accuracy, type FitOptions, type Recipe, Trainer, type TrainSettings } from "../../src/train/index.ts";

/** 2-D points of two classes that a circle divides: small, not linear. */
export function circle(count: number, seed = 0): ArrayDataset {
  const x = new Float32Array(count * 2);
  const y = new Int32Array(count);
  let state = seed * 2 + 1;
  const next = (): number => (state = (state * 48271) % 2147483647) / 2147483647;
  for (let i = 0; i < count; i++) {
    x[2 * i] = 2 * next() - 1;
    x[2 * i + 1] = 2 * next() - 1;
    y[i] = x[2 * i]! ** 2 + x[2 * i + 1]! ** 2 < 0.6 ? 1 : 0;
  }
  return new ArrayDataset({ data: x, shape: [2] }, { data: y, shape: [], dtype: "int32" });
}

export interface Setup {
  readonly model: Sequential;
  readonly optimizer: Optimizer;
  readonly trainer: Trainer;
}

/** A network with dropout, momentum and a schedule: everything that a resumed run could forget. */
export function setUp(options: Partial<FitOptions> = {}, data = circle(48)): Setup {
  const model = init(new Sequential(new Linear(2, 6), tanh, new Dropout(0.25), new Linear(6, 2)), 5) as Sequential;
  const optimizer = adam(model.parameters(), { lr: cosine({ peak: 0.05, steps: 30, warmup: 3 }) });
  const trainer = new Trainer(model, data, {
    loss: crossEntropy,
    optimizer,
    rng: new Generator(11),
    epochs: 3,
    batchSize: 8,
    metrics: { accuracy },
    ...options,
  });
  return { model, optimizer, trainer };
}

/** Runs of a recipe that hold nothing out and save after every step. */
export const settingsOf =
  (recipe: Recipe) =>
  (more: Partial<TrainSettings> = {}): TrainSettings => ({
    recipe,
    name: "circle",
    signal: new AbortController().signal,
    version: "test",
    checkpointSeconds: 0,
    validation: 0,
    ...more,
  });
