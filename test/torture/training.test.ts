/** Settings, data and rates that training should survive or refuse. */
import { mkdtemp, readdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ArgumentError, compile, Generator, NonFiniteError, ones, type Tensor, tensor, variable } from "gradus";
import { ArrayDataset } from "gradus/data";
import { crossEntropy, Dropout, inference, init, Linear, mse, relu, Sequential, tanh, training } from "gradus/nn";
import { adam, sgd } from "gradus/optim";
import { recipe, type TrainSettings, fit as train, trainRecipe } from "gradus/train";
import { describe, expect, test } from "vitest";
import { COMPILED, DEVICES, errorOf, numbers, refused } from "./harness.ts";

const loose = (x: unknown): any => x;
const network = (): Sequential => init(new Sequential(new Linear(2, 6), tanh, new Linear(6, 2)), 1) as Sequential;
const points = (count: number, classOf: (i: number) => number = (i) => i % 2): ArrayDataset =>
  new ArrayDataset(
    { data: Float32Array.from({ length: 2 * count }, (_, i) => Math.sin(7.3 * i)), shape: [2] },
    { data: Int32Array.from({ length: count }, (_, i) => classOf(i)), shape: [] },
  );
const learn = async (more: Record<string, unknown> = {}, data = points(20)): Promise<number> => {
  const model = network();
  const records = await train(
    model,
    data,
    loose({ loss: crossEntropy, optimizer: sgd(model.parameters(), { lr: 0.1 }), rng: 1, epochs: 2, batchSize: 8, ...more }),
  );
  return records.at(-1)?.step ?? 0;
};

describe("torture 22: losses and models that are not finite", () => {
  const blowsUp = recipe({
    options: { lr: 0.1, factor: 1 },
    model: () => new Sequential(new Linear(1, 4), relu, new Linear(4, 1)),
    data: async () => ({ train: line(40), test: line(8) }),
    // Well behaved for 15 steps; what comes then is far beyond float32.
    loss: mse,
    optimizer: (model, o) => sgd(model.parameters(), { lr: (step) => step.gt(14).cast("float64").mul(o.factor).add(o.lr) }),
  });
  const line = (count: number): ArrayDataset =>
    new ArrayDataset(
      { data: Float32Array.from({ length: count }, (_, i) => i / count), shape: [1] },
      { data: Float32Array.from({ length: count }, (_, i) => 1 + i / count), shape: [1], dtype: "float32" },
    );
  const settings = async (options: Record<string, unknown>, more: Partial<TrainSettings> = {}): Promise<TrainSettings> => ({
    recipe: loose(blowsUp),
    name: "blows-up",
    options,
    epochs: 5,
    batchSize: 4,
    out: join(await mkdtemp(join(tmpdir(), "gradus-torture-")), "run"),
    signal: new AbortController().signal,
    version: "test",
    checkpointSeconds: 0,
    ...more,
  });

  test("torture 22: training stops with step, tensor names and the last good checkpoint, which holds finite numbers", async () => {
    const given = await settings({ factor: 1e38 });
    const error = await errorOf(() => trainRecipe(given));
    expect(error).toBeInstanceOf(NonFiniteError);
    expect(error.message).toMatch(/step 1[67] \(epoch 2, batch \d\)|step 1[67] \(the last/);
    const [, step] = /last good checkpoint is .*checkpoints\/step-0*(\d+)\.safetensors/.exec(error.message)!;
    expect(Number(step)).toBeGreaterThanOrEqual(15);
    expect(JSON.parse(await readFile(join(given.out!, "run.json"), "utf8")).status).toBe("failed");
    const resumed = await errorOf(() => trainRecipe({ ...given, out: undefined, resume: given.out, options: {} }));
    expect(resumed.message).toMatch(/step 1[67]/);
  });

  test("torture 22: with nothing saved before, that is said", async () => {
    const error = await errorOf(async () => trainRecipe(await settings({ lr: 1e30 }, { checkpointSeconds: 60 })));
    expect(error.message).toMatch(/no checkpoint was written before/);
  });

  test("torture 22: leaving steps out goes on, until a whole epoch is left out", async () => {
    const spoilt = points(40);
    loose(spoilt.x.data)[10] = Number.NaN;
    expect(await learn({ nonFinite: "skip", epochs: 4, batchSize: 4 }, spoilt)).toBe(36);
    await expect(learn({ epochs: 4, batchSize: 4 }, spoilt)).rejects.toThrow(/step \d+ \(epoch 1, batch \d+\)/);
    const model = network();
    const all = train(model, points(16), {
      loss: (x, y) => crossEntropy(x, y).mul(Number.NaN) as Tensor<[]>,
      optimizer: sgd(model.parameters(), { lr: 0.1 }),
      rng: 1,
      epochs: 3,
      batchSize: 8,
      nonFinite: "skip",
    });
    await expect(all).rejects.toThrow(/every step of the epoch was left out/);
    expect((await Promise.all(model.parameters().map(numbers))).flat().every(Number.isFinite)).toBe(true);
  });

  test("torture 22: an update that overflows in the last step is no success, and names the tensors", async () => {
    const model = init(new Sequential(new Linear(1, 1)), 0) as Sequential;
    const data = new ArrayDataset(
      { data: Float32Array.of(1e20, 1e20), shape: [1] },
      { data: Float32Array.of(-1, -1), shape: [1], dtype: "float32" },
    );
    const run = train(model, data, {
      loss: (x, y) => mse(x.mul(1e-20), y),
      optimizer: sgd(model.parameters(), { lr: 3e38 }),
      rng: 0,
      epochs: 1,
      batchSize: 2,
    });
    await expect(run).rejects.toThrow(/not finite any more: 0\.(weight|bias)/);
  });

  test.each(DEVICES)("torture 22: a step that is refused leaves every cell as it was on %s", async (device) => {
    const w = variable([1, 2], { name: "w" });
    const optimizer = adam([w], { lr: 0.1 });
    const step = compile((x: Tensor) => {
      const loss = w.mul(x).log().sum() as Tensor<[]>;
      optimizer.minimize(loss);
      return loss;
    }, { device }); // biome-ignore format: one call
    await step(tensor([1, 1])).item();
    const before = await Promise.all(
      Object.values(optimizer.stateDict())
        .concat(w.value as Tensor)
        .map(numbers),
    );
    expect((await errorOf(() => step(tensor([-1, 1])))).message).toMatch(/loss is not a finite number/);
    expect(
      await Promise.all(
        Object.values(optimizer.stateDict())
          .concat(w.value as Tensor)
          .map(numbers),
      ),
    ).toEqual(before);
  });
});

describe("torture 23: rates, epochs and batches", () => {
  test("torture 23: a rate of 0 changes nothing; one that is negative, none or too large for float32 is refused", async () => {
    for (const make of [sgd, adam]) {
      const w = variable([1, 2]);
      const optimizer = make([w], { lr: 0 });
      const step = compile(() => optimizer.minimize(w.square().sum() as Tensor<[]>));
      step();
      step();
      expect(await numbers(w)).toEqual([1, 2]);
      for (const lr of [-1, Number.NaN, Number.POSITIVE_INFINITY, 1e308, "0.1", null, 1n])
        expect(refused(() => make([w], { lr: loose(lr) }))).toBeInstanceOf(ArgumentError);
    }
  });

  test("torture 23: epochs 0, batches of 1, larger than the data, and a last short one are fine; others are refused", async () => {
    expect(await learn({ epochs: 0 })).toBe(0);
    expect(await learn({ batchSize: 1, epochs: 1 })).toBe(20);
    expect(await learn({ batchSize: 1e12 })).toBe(2);
    expect(await learn({ batchSize: 8 })).toBe(4);
    for (const bad of [
      { epochs: -1 },
      { epochs: "3" },
      { epochs: 0.5 },
      { batchSize: 0 },
      { batchSize: -1 },
      { batchSize: Number.NaN },
      { rng: -1 },
      { rng: "x" },
      { nonFinite: "maybe" },
    ])
      await expect((async () => learn(bad))()).rejects.toThrow(ArgumentError);
  });
});

describe("torture 24: data", () => {
  test("torture 24: an empty set is refused, one class only is learnt, a label that does not exist is an error with the number", async () => {
    await expect((async () => learn({}, points(0)))()).rejects.toThrow(/empty/);
    expect(
      await learn(
        {},
        points(20, () => 0),
      ),
    ).toBe(4);
    await expect(
      learn(
        {},
        points(20, (i) => (i === 3 ? 2 : 0)),
      ),
    ).rejects.toThrow(/index 2 is outside an axis of size 2/);
    expect(() => new ArrayDataset({ data: new Float32Array(4), shape: [2] }, { data: new Int32Array(3), shape: [] })).toThrow(
      /2 inputs and 3 targets/,
    );
  });
});

describe("torture 25: dropout", () => {
  test("torture 25: p outside [0, 1] is refused; in use it is the identity; in training the expectation stays", async () => {
    for (const p of [-0.1, 1.1, Number.NaN, "0.5", null, Number.POSITIVE_INFINITY])
      expect(refused(() => new Dropout(loose(p)))).toBeInstanceOf(ArgumentError);
    const x = ones([1000]);
    expect(new Dropout(0.3).forward(x, inference)).toBe(x);
    expect(new Dropout(0).forward(x, training(new Generator(1)))).toBe(x);
    expect(Math.max(...(await numbers(new Dropout(1).forward(x, training(new Generator(1))))))).toBe(0);
    expect(
      await new Dropout(0.3)
        .forward(ones([1_000_000]), training(new Generator(1)))
        .mean()
        .item(),
    ).toBeCloseTo(1, 2);
  });
});

test("torture 26: when all targets are masked the mean is NaN and the sum 0, with gradients of the same kind", async () => {
  const none = tensor([-100, -100], { dtype: "int32" });
  const logits = tensor([[1, 2, 3], [4, 5, 6]]); // biome-ignore format: rows
  expect(await crossEntropy(logits, none, { ignoreIndex: -100 }).item()).toBeNaN();
  expect(await crossEntropy(logits, none, { ignoreIndex: -100, reduction: "sum" }).item()).toBe(0);
  expect(await numbers(crossEntropy(logits, none, { ignoreIndex: -100, reduction: "none" }))).toEqual([0, 0]);
});

/** Weights after 20 steps with dropout, clipping and Adam, and the last loss. */
async function twenty(device: (typeof DEVICES)[number], threads = 1, seed = 3): Promise<{ weights: number[]; losses: number[] }> {
  const model = init(new Sequential(new Linear(20, 16), relu, new Dropout(0.2), new Linear(16, 4)), seed) as Sequential;
  const optimizer = adam(model.parameters(), { lr: 1e-2, clipNorm: 1 });
  const rng = new Generator(5);
  const step = compile((x: Tensor, y: Tensor) => {
    const loss = crossEntropy(model.forward(loose(x), training(rng)), y);
    optimizer.minimize(loss);
    return loss;
  }, { device, threads }); // biome-ignore format: one call
  const x = new Generator(9).normal([64, 20]);
  const y = tensor(Int32Array.from({ length: 64 }, (_, i) => i % 4));
  const losses: number[] = [];
  for (let i = 0; i < 20; i++) losses.push(await step(x, y).item());
  return { weights: (await Promise.all(model.parameters().map(numbers))).flat(), losses };
}

describe("torture 27 and 28: again, and elsewhere", () => {
  test.each(COMPILED)("torture 27: the same seed gives the same bits on %s, with any number of threads", async (device) => {
    const first = await twenty(device, 1);
    for (const threads of [1, 2, 3]) expect(await twenty(device, threads)).toEqual(first);
    expect((await twenty(device, 1, 4)).weights).not.toEqual(first.weights);
  });

  test("torture 28: after 20 steps the losses on all devices are within 1e-4 of each other", async () => {
    const all = await Promise.all(DEVICES.map((device) => twenty(device)));
    for (const { losses } of all) losses.forEach((loss, i) => expect(Math.abs(loss - all[0]!.losses[i]!)).toBeLessThan(1e-4));
  });
});

test("torture 55: a run with many log lines keeps to its few checkpoints", async () => {
  const out = join(await mkdtemp(join(tmpdir(), "gradus-torture-")), "run");
  const small = recipe({
    options: { lr: 0.1 },
    model: () => new Sequential(new Linear(2, 2)),
    data: async () => ({ train: points(40), test: points(8) }),
    loss: crossEntropy,
    optimizer: (model, o) => sgd(model.parameters(), o),
  });
  await trainRecipe({
    recipe: loose(small),
    name: "small",
    epochs: 30,
    batchSize: 4,
    out,
    signal: new AbortController().signal,
    version: "test",
    checkpointSeconds: 0,
  });
  expect((await readdir(join(out, "checkpoints"))).filter((name) => name.endsWith(".safetensors")).length).toBeLessThanOrEqual(3);
});
