import { describe, expect, test } from "vitest";
import { ArgumentError, NonFiniteError } from "../../src/core/errors.ts";
import { ArrayDataset } from "../../src/data/index.ts";
import { Generator, type Tensor } from "../../src/index.ts";
import { bceWithLogits, crossEntropy, Dropout, init, Linear, mse, Sequential, tanh } from "../../src/nn/index.ts";
import { adam, sgd } from "../../src/optim/index.ts";
import { accuracy, type FitOptions, fit as learn, type Progress, recall, score } from "../../src/train/index.ts";
import { circle, setUp } from "./fixtures.ts";

const network = () => init(new Sequential(new Linear(2, 12), tanh, new Linear(12, 2)), 3) as Sequential;

function options(model: Sequential, more: Partial<FitOptions> = {}): FitOptions {
  return {
    loss: crossEntropy,
    optimizer: adam(model.parameters(), { lr: 0.05 }),
    rng: 1,
    epochs: 15,
    batchSize: 16,
    metrics: { accuracy },
    ...more,
  };
}

describe("fit", () => {
  test("a network learns what is inside a circle, and the records say so", async () => {
    const model = network();
    const steps: number[] = [];
    const epochs: Progress[] = [];
    const records = await learn(
      model,
      circle(320),
      options(model, { validation: circle(100, 7), onStep: ({ step }) => void steps.push(step), onEpoch: (p) => void epochs.push(p) }),
    );
    expect(records).toEqual(epochs);
    expect(records).toHaveLength(15);
    expect(steps).toEqual(Array.from({ length: 300 }, (_, i) => i + 1));
    expect(records.at(-1)!.step).toBe(300);
    expect(records.at(-1)!.loss).toBeLessThan(records[0]!.loss / 3);
    expect(records.at(-1)!.metrics.accuracy).toBeGreaterThan(0.93);
    const again = await score(model, circle(100, 7), { loss: crossEntropy, metrics: { accuracy }, batchSize: 30 });
    expect(again.accuracy).toBeCloseTo(records.at(-1)!.validation!.accuracy!, 6);
    expect(again.loss).toBeCloseTo(records.at(-1)!.validation!.loss!, 5);
  });

  test("the same seed gives the same bits, another seed others", async () => {
    const weights = async (seed: number): Promise<unknown> => {
      const { model, trainer } = setUp({ rng: seed });
      await trainer.run();
      return Promise.all(model.parameters().map((p) => p.data()));
    };
    expect(await weights(4)).toEqual(await weights(4));
    expect(await weights(4)).not.toEqual(await weights(5));
  });

  test("a signal ends training after the present step", async () => {
    const stop = new AbortController();
    const { trainer } = setUp({ signal: stop.signal, onStep: ({ step }) => void (step === 8 && stop.abort()) });
    expect(await trainer.run()).toHaveLength(1);
    expect([trainer.ended, trainer.step, trainer.epoch, trainer.batch]).toEqual(["aborted", 8, 2, 2]);
  });

  /** Which examples each batch had, in order. */
  class Spy extends ArrayDataset {
    readonly seen: string[] = [];
    override gather(rows: Uint32Array) {
      this.seen.push(String(rows));
      return super.gather(rows);
    }
  }
  /** Orders of the examples and sums of the dropout masks, for several calls of fit with what `rng` answers. */
  async function calls(rng: () => Generator | number, fresh = false): Promise<{ orders: string[]; masks: number[] }> {
    const ones = { data: new Float32Array(64).fill(1), shape: [8] };
    const data = new Spy(ones, { data: new Float32Array(8), shape: [1], dtype: "float32" });
    const model = init(new Sequential(new Dropout(0.5), new Linear(8, 1)), 0) as Sequential;
    const make = () => sgd(model.parameters(), { lr: 0 });
    let optimizer = make();
    const losses: number[] = [];
    for (let call = 0; call < 3; call++) {
      if (fresh) optimizer = make();
      const onStep = ({ loss }: Progress): void => void losses.push(loss);
      await learn(model, data, { loss: mse, optimizer, rng: rng(), epochs: 1, batchSize: 4, onStep });
    }
    return { orders: [0, 2, 4].map((i) => data.seen.slice(i, i + 2).join()), masks: losses };
  }

  test("called again with one generator it goes on: another order, other masks, and the generator has moved", async () => {
    const rng = new Generator(7);
    const { orders, masks } = await calls(() => rng);
    expect(new Set(orders).size).toBe(3);
    expect(new Set(masks).size).toBe(6);
    expect(rng.state).toEqual({ seed: 7, calls: 3 });
    const again = new Generator(7);
    expect(await calls(() => again)).toEqual({ orders, masks });
  });

  test("called again with one seed it goes on as far as the optimiser has come; a new optimiser begins anew", async () => {
    const { orders, masks } = await calls(() => 7);
    expect(new Set(orders).size).toBe(3);
    expect(new Set(masks).size).toBe(6);
    expect(await calls(() => 7)).toEqual({ orders, masks });
    const fresh = await calls(() => 7, true);
    expect(new Set(fresh.orders)).toEqual(new Set([orders[0]]));
  });

  test("one generator for several models gives each its own parameters, the first those of the seed", async () => {
    const rng = new Generator(3);
    const weights = async (from: Generator | number) => String(await init(new Linear(2, 2), from).weight.data());
    const [first, second, third] = [await weights(rng), await weights(rng), await weights(rng)];
    expect(first).toBe(await weights(3));
    expect(new Set([first, second, third]).size).toBe(3);
  });

  test("timers run while it trains", async () => {
    const stop = new AbortController();
    let ticks = 0;
    const timer = setInterval(() => ++ticks === 5 && stop.abort(), 5);
    const { trainer } = setUp({ epochs: 100_000, signal: stop.signal });
    await trainer.run();
    clearInterval(timer);
    expect(trainer.ended).toBe("aborted");
    expect(trainer.step).toBeGreaterThan(0);
  });

  test("early stopping stops after its patience, and the best parameters stay", async () => {
    const model = network();
    const held = circle(60, 3);
    let best = Number.POSITIVE_INFINITY;
    const records = await learn(
      model,
      circle(32),
      options(model, {
        optimizer: sgd(model.parameters(), { lr: 2.5, momentum: 0.9 }),
        epochs: 60,
        validation: held,
        earlyStopping: { patience: 3 },
      }),
    );
    for (const { validation } of records) best = Math.min(best, validation!.loss!);
    expect(records.length).toBeLessThan(60);
    expect(records.slice(-3).every(({ validation }) => validation!.loss! > best)).toBe(true);
    expect((await score(model, held, { loss: crossEntropy })).loss).toBeCloseTo(best, 5);
  });

  test("early stopping can watch a metric, and names those it knows", async () => {
    const model = network();
    const validation = circle(20, 3);
    const records = await learn(
      model,
      circle(32),
      options(model, { epochs: 40, validation, earlyStopping: { patience: 2, metric: "accuracy" } }),
    );
    expect(records.length).toBeGreaterThan(2);
    await expect(learn(model, circle(32), options(model, { validation, earlyStopping: { patience: 2, metric: "f1" } }))).rejects.toThrow(
      /f1[\s\S]*loss, accuracy/,
    );
    await expect(learn(model, circle(32), options(model, { earlyStopping: { patience: 2 } }))).rejects.toThrow(/needs validation/);
    await expect(learn(model, circle(32), options(model, { validation, earlyStopping: { patience: 0 } }))).rejects.toThrow(ArgumentError);
  });

  test("a loss that is not finite stops training with the step's number and advice", async () => {
    const model = init(new Sequential(new Linear(1, 1)), 0) as Sequential;
    const data = new ArrayDataset(
      { data: Float32Array.of(1, 2, 3, 1e30), shape: [1] },
      { data: Float32Array.of(1, 2, 3, 4), shape: [1], dtype: "float32" },
    );
    const run = learn(model, data, { loss: mse, optimizer: sgd(model.parameters(), { lr: 1e6 }), rng: 0, epochs: 9, batchSize: 1 });
    const error = await run.catch((e: unknown) => e);
    expect(error).toBeInstanceOf(NonFiniteError);
    expect((error as Error).message).toMatch(/step \d+ \(epoch \d+, batch \d+\)[\s\S]*learning rate/);
  });

  test("a loss that is not finite names the operation and the line, and parameters that have grown beyond reason", async () => {
    const model = network();
    const log = (o: Tensor, t: Tensor): Tensor<[]> => crossEntropy(o.sub(1000).log(), t);
    const error = await learn(model, circle(16), options(model, { loss: log, metrics: {} })).catch((e: Error) => e);
    expect(error).toBeInstanceOf(NonFiniteError);
    expect((error as Error).message).toMatch(/^step 1 [^\n]* at fit\.test\.ts:\d+\n {2}why: the first such number came from log \[16, 2\]/);
    const wild = network();
    const rate = { optimizer: sgd(wild.parameters(), { lr: 1e37 }) };
    await expect(learn(wild, circle(64), options(wild, rate))).rejects.toThrow(/diverges: \S+ has grown to -?\d\.\de\+\d/);
  });

  test("a batch that held NaN is named as the cause, whatever the metrics were", async () => {
    const model = init(new Sequential(new Linear(1, 1)), 0) as Sequential;
    const data = new ArrayDataset(
      { data: Float32Array.of(1, 2, Number.NaN, 4), shape: [1] },
      { data: Float32Array.of(0, 0, 0, 0), shape: [1] },
    );
    const more = { loss: bceWithLogits, optimizer: sgd(model.parameters(), { lr: 0.1 }), rng: 0, epochs: 1, batchSize: 4 };
    await expect(learn(model, data, { ...more, metrics: { recall } })).rejects.toThrow(
      /x\) held NaN at \[\d, 0\][\s\S]*help: the batch itself holds it/,
    );
  });

  test("nonFinite: skip leaves such steps out and goes on", async () => {
    const model = init(new Sequential(new Linear(1, 1)), 0) as Sequential;
    const data = new ArrayDataset(
      { data: Float32Array.of(1, 2, 3, 1e30), shape: [1] },
      { data: Float32Array.of(1, 2, 3, 4), shape: [1], dtype: "float32" },
    );
    const records = await learn(model, data, {
      loss: mse,
      optimizer: sgd(model.parameters(), { lr: 0.01 }),
      rng: 0,
      epochs: 20,
      batchSize: 1,
      nonFinite: "skip",
    });
    expect(records.at(-1)!.step).toBe(60);
    expect(Number.isFinite(records.at(-1)!.loss)).toBe(true);
  });

  test("a batch larger than the data is the whole data", async () => {
    const model = network();
    const records = await learn(model, circle(5), options(model, { epochs: 2, batchSize: 100 }));
    expect(records.map(({ step }) => step)).toEqual([1, 2]);
  });

  test("what is missing is named", async () => {
    const model = network();
    for (const [name, said] of [
      ["loss", /the loss is undefined/],
      ["optimizer", /the optimizer is undefined/],
      ["epochs", /undefined epochs/],
      ["rng", /seed/],
    ] as const) {
      const { [name]: _, ...rest } = options(model);
      await expect(learn(model, circle(8), rest as FitOptions)).rejects.toThrow(said);
    }
    await expect((async () => score(model, circle(8), {} as never))()).rejects.toThrow(/the loss is undefined/);
  });

  test("no epochs is no training; nonsense is refused", async () => {
    const model = network();
    expect(await learn(model, circle(8), options(model, { epochs: 0 }))).toEqual([]);
    for (const bad of [{ epochs: -1 }, { epochs: 1.5 }, { epochs: Number.NaN }, { batchSize: 0 }, { batchSize: Number.NaN }])
      await expect((async () => learn(model, circle(8), options(model, bad)))()).rejects.toThrow(ArgumentError);
    await expect((async () => learn(model, circle(8).take(0), options(model)))()).rejects.toThrow(/empty/);
  });

  test("one class only is learnt without harm", async () => {
    const model = network();
    const data = new ArrayDataset(
      { data: new Float32Array(20), shape: [2] },
      { data: new Int32Array(10).fill(1), shape: [], dtype: "int32" },
    );
    const records = await learn(model, data, options(model, { epochs: 30 }));
    expect(records.at(-1)!.metrics.accuracy).toBe(1);
  });
});

describe("accuracy", () => {
  const rng = new Generator(0);
  test("classes, one-hot targets and single logits", async () => {
    const { tensor } = await import("../../src/index.ts");
    const outputs = tensor([
      [1, 2],
      [3, 0],
      [0, 1],
    ]) as Tensor;
    expect(await accuracy(outputs, tensor([1, 0, 0], { dtype: "int32" })).item()).toBeCloseTo(2 / 3, 6);
    expect(
      await accuracy(
        outputs,
        tensor([
          [0, 1],
          [1, 0],
          [0, 1],
        ]),
      ).item(),
    ).toBe(1);
    expect(await accuracy(tensor([[2], [-1]]) as Tensor, tensor([[1], [1]])).item()).toBe(0.5);
    expect(rng.state.calls).toBe(0);
  });
});
