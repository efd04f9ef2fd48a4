import { describe, expect, test } from "vitest";
import { NonFiniteError } from "../../src/core/errors.ts";
import { ArrayDataset } from "../../src/data/index.ts";
import { type Tensor, tensor } from "../../src/index.ts";
import { bceWithLogits, init, Linear, Sequential } from "../../src/nn/index.ts";
import { adam } from "../../src/optim/index.ts";
import {
  type EarlyStoppingOptions,
  f1,
  fit as learn,
  type Metric,
  meanSquaredError,
  metric,
  type Progress,
  score,
} from "../../src/train/index.ts";

const n = 60;
const data = new ArrayDataset(
  { data: Float32Array.from({ length: n }, (_, i) => (2 * i + 1) / n - 1), shape: [1] },
  { data: Float32Array.from({ length: n }, (_, i) => Number(i >= n / 2)), shape: [1], dtype: "float32" },
);
const start = (bias = 0): Sequential => {
  const model = new Sequential(new Linear(1, 1)) as Sequential;
  model.loadStateDict({ "0.weight": tensor([[0]]), "0.bias": tensor([bias]) });
  return model;
};

async function run(f: Metric, stopping: Partial<EarlyStoppingOptions> = {}, model = start()) {
  const records: Progress[] = await learn(model, data, {
    loss: bceWithLogits,
    optimizer: adam(model.parameters(), { lr: 0.1 }),
    rng: 0,
    epochs: 15,
    metrics: { f },
    validation: data,
    earlyStopping: { patience: 3, metric: "f", ...stopping },
  });
  const kept = (await score(model, data, { loss: bceWithLogits, metrics: { f } })).f;
  return { records, kept, scores: records.map(({ validation }) => validation!.f!) };
}

/** Falls in every epoch of this training. */
const falling = (o: Tensor, t: Tensor): Tensor<[]> => bceWithLogits(o, t);

describe("which way a score is better", () => {
  test("is never guessed: a function that does not say it is asked for", async () => {
    await expect(run(falling)).rejects.toThrow(/larger f better, or a smaller one[\s\S]*metric\(f, \{ better: "larger" \}\)/);
  });

  const ways: [string, Metric, Partial<EarlyStoppingOptions>][] = [
    ["by the metric", metric(falling, { better: "smaller" }), {}],
    ["by early stopping", falling, { better: "smaller" }],
    ["by a metric of the library", meanSquaredError, {}],
    ["by a loss of the library", bceWithLogits as Metric, {}],
  ];
  test.each(ways)("said %s, a falling score is improved to the end and its best parameters stay", async (_, f, stopping) => {
    const { records, kept, scores } = await run(f, stopping);
    expect(scores.length).toBeGreaterThan(10);
    expect(kept).toBeCloseTo(Math.min(...scores), 6);
    expect(records.at(-1)!.bestEpoch).toBe(1 + scores.indexOf(Math.min(...scores)));
  });

  test("what is larger when better stops a falling score after its patience, and the first epoch is kept", async () => {
    const { records, kept, scores } = await run(metric(falling, { better: "larger" }));
    expect(records).toHaveLength(4);
    expect(records.map(({ bestEpoch }) => bestEpoch)).toEqual([1, 1, 1, 1]);
    expect(kept).toBeCloseTo(scores[0]!, 6);
  });
});

describe("a score that is not finite", () => {
  test("is never the best: the first number replaces it", async () => {
    // Every output is below 0 at first, so nothing is found, and 0/0 is NaN.
    const { records, kept, scores } = await run(f1Or0of0, { patience: 14 }, start(-0.7));
    expect(scores[0]).toBeNaN();
    expect(records[0]!.bestEpoch).toBe(0);
    expect(kept).toBeGreaterThan(0.5);
    expect(kept).toBeCloseTo(Math.max(...scores.filter(Number.isFinite)), 6);
  });

  test("in every epoch is an error that says so, and the model stays as it was left", async () => {
    const never = metric((o, t) => o.sum().mul(0).div(t.sum().mul(0)), { better: "larger" });
    const model = init(new Sequential(new Linear(1, 1)), 0) as Sequential;
    const error = await run(never, { patience: 2 }, model).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(NonFiniteError);
    expect((error as Error).message).toMatch(/no epoch had a score: f was not finite in 2 epochs/);
    expect(Number.isFinite(await model.parameters()[0]!.item())).toBe(true);
  });

  test("infinite is not the best either", async () => {
    const infinite = metric((o) => o.sum().mul(0).add(1).div(0), { better: "larger" });
    await expect(run(infinite, { patience: 2 })).rejects.toThrow(/not finite in 2 epochs/);
  });
});

/** As people write F1: 0/0 while nothing is found. */
const f1Or0of0 = metric(
  (o, t) => {
    const p = o.gt(0).cast("float32");
    const hits = p.mul(t).sum();
    const [a, b] = [hits.div(p.sum()), hits.div(t.sum())];
    return a.mul(b).mul(2).div(a.add(b));
  },
  { better: "larger" },
);

test("options of early stopping are checked before anything is trained", async () => {
  await expect(run(f1, { patience: 0 })).rejects.toThrow(/patience 0/);
  await expect(run(f1, { metric: "ff" })).rejects.toThrow(/"ff"[\s\S]*did you mean f\?/);
  await expect(run(f1, { patiense: 1 } as never)).rejects.toThrow(/did you mean patience/);
  await expect(run(f1, { better: "bigger" as never })).rejects.toThrow(/"larger" or "smaller"/);
});
