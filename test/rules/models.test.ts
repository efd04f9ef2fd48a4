/** Layers and their state; the numbers are those of ARCHITECTURE.md, "The rules". */
import { Generator, ones, type Tensor, tensor, type Variable, variable, zeros } from "gradus";
import { ArrayDataset } from "gradus/data";
import { Dropout, inference, init, Linear, type Mode, Module, mse, relu, Sequential, training } from "gradus/nn";
import { sgd } from "gradus/optim";
import { fit as learn, predict, score } from "gradus/train";
import { describe, expect, test } from "vitest";
import { WAYS } from "./ways.ts";

/** Subtracts a running mean of what it has seen in training. */
class Centre extends Module {
  readonly mean = variable([0, 0], { trainable: false });

  forward(x: Tensor, mode: Mode): Tensor {
    if (mode.training) this.mean.assign(this.mean.mul(0.5).add(x.mean(0).mul(0.5)) as Tensor<[2]>);
    return x.sub(this.mean);
  }
}

class Everything extends Module {
  private readonly first = new Linear(2, 3);
  readonly list = [new Linear(3, 3, { bias: false }), { inner: variable([1, 2]) }] as const;
  readonly map = new Map<string, Variable>([["a", variable([1])]]);
  readonly again = { of: this.list[1].inner, layer: this.first };
  readonly statistics = new Centre();
  readonly plain = tensor([1, 2, 3]);
  readonly rng = new Generator(1);
}
const NAMES = ["first.weight", "first.bias", "list.0.weight", "list.1.inner", "map.a", "statistics.mean"];

describe.each(WAYS)("$way", ({ prepare }) => {
  test("R19 a layer whose training differs does as its mode says, alone and in a chain", async () => {
    const x = ones([200]);
    for (const layer of [new Dropout(0.5), new Sequential(relu, new Dropout(0.5)), new Sequential(new Sequential(new Dropout(0.5)))]) {
      const forward = (mode: Mode): Promise<unknown> => prepare((t: Tensor) => layer.forward(t as never, mode) as Tensor)(x).array();
      expect(new Set((await forward(training(new Generator(1)))) as number[])).toEqual(new Set([0, 2]));
      expect(new Set((await forward(inference)) as number[])).toEqual(new Set([1]));
    }
  });

  test("R19 it requires the mode, and a layer whose training is its use takes none", async () => {
    // @ts-expect-error the mode is required
    const forgetful = prepare((x: Tensor) => new Dropout(0.5).forward(x));
    expect(() => forgetful(ones([2]))).toThrow(/Dropout: forward needs a mode[\s\S]*training\(rng\) or inference/);
    const chain = new Sequential(new Dropout(0.5)) as Sequential;
    expect(() => prepare((x: Tensor) => (chain as any).forward(x))(ones([2]))).toThrow(/layer 0 \(Dropout\): forward needs a mode/);
    const linear = init(new Linear(2, 1, { bias: false }), 0);
    linear.weight.assign([[2, 3]]);
    expect(await prepare((x: Tensor<[1, 2]>) => linear.forward(x))(ones([1, 2])).array()).toEqual([[5]]);
  });

  test("R20 running statistics are assigned in training, and read in use", async () => {
    const layer = new Centre();
    const train = prepare((x: Tensor) => layer.forward(x, training(new Generator(0))));
    const use = prepare((x: Tensor) => layer.forward(x, inference));
    const x = tensor([[2, 4], [6, 8]]); // biome-ignore format: rows
    expect(await train(x).array()).toEqual([[0, 1], [4, 5]]); // biome-ignore format: rows
    expect(await layer.mean.array()).toEqual([2, 3]);
    await train(x).array();
    expect(await layer.mean.array()).toEqual([3, 4.5]);
    expect(await use(x).array()).toEqual([[-1, -0.5], [3, 3.5]]); // biome-ignore format: rows
    await use(zeros([2, 2])).array();
    expect(await layer.mean.array()).toEqual([3, 4.5]);
  });

  test("R25 a model's state is found as it stands there, traced or not", () => {
    const model = new Everything();
    let found: string[] = [];
    prepare(() => {
      found = [...model.namedVariables().keys()];
    })();
    expect(found).toEqual(NAMES);
  });

  test("R26 a snapshot is not changed by later steps, and brings them back", async () => {
    const model = init(new Sequential(new Linear(2, 1)), 0);
    const [weight] = model.parameters() as [Variable];
    const step = prepare(() => weight.assign(weight.mul(2)));
    step();
    const before = model.stateDict();
    const expected = await weight.array();
    step();
    step();
    expect(await before["0.weight"]!.array()).toEqual(expected);
    expect(await weight.array()).not.toEqual(expected);
    model.loadStateDict(before);
    step();
    expect(await weight.array()).toEqual(await before["0.weight"]!.mul(2).array());
    expect(await before["0.weight"]!.array()).toEqual(expected);
  });
});

test("R20 such cells are state and no parameters: fit moves them, nobody trains them, scoring leaves them", async () => {
  const data = new ArrayDataset(
    { data: Float32Array.from({ length: 16 }, (_, i) => i), shape: [2] },
    { data: Float32Array.from({ length: 8 }, (_, i) => i), shape: [1], dtype: "float32" },
  );
  const centre = new Centre();
  const model = init(new Sequential(centre as any, new Linear(2, 1) as any), 0) as Sequential;
  expect(Object.keys(model.stateDict())).toEqual(["0.mean", "1.weight", "1.bias"]);
  expect(model.parameters()).not.toContain(centre.mean);
  expect(() => sgd([centre.mean], { lr: 0.1 })).toThrow(/not trainable/);
  await learn(model, data, { loss: mse, optimizer: sgd(model.parameters(), { lr: 1e-3 }), rng: 0, epochs: 1, batchSize: 8 });
  // One step over all of the data, whose mean is [7, 8].
  expect(await centre.mean.array()).toEqual([3.5, 4]);
  await score(model, data, { loss: mse });
  await predict(model, data);
  expect(await centre.mean.array()).toEqual([3.5, 4]);
});

describe("R25 a model's state", () => {
  test("R25 is the cells in fields, arrays, records and Maps, in order, each once, under its first path", () => {
    const model = new Everything();
    expect([...model.namedVariables().keys()]).toEqual(NAMES);
    expect([...model.namedVariables().values()][3]).toBe(model.again.of);
    expect(model.parameters()).toEqual([...model.namedVariables().values()].slice(0, 5));
  });

  test("R25 of a shared cell may be loaded from any of its paths", async () => {
    const model = init(new Everything(), 0);
    model.loadStateDict({ "again.of": tensor([7, 8]) }, { strict: false });
    expect(await model.list[1].inner.array()).toEqual([7, 8]);
  });
});

test("R26 loadStateDict checks everything first, and assigns all or nothing", async () => {
  const model = init(new Sequential(new Linear(2, 3), relu, new Linear(3, 1)), 0);
  const values = async (): Promise<unknown> => Promise.all(Object.values(model.stateDict()).map((x) => x.array()));
  const before = await values();
  const good = { "0.weight": ones([3, 2]), "0.bias": ones([3]), "2.weight": ones([1, 3]), "2.bias": ones([1]) };
  const bad: Record<string, Record<string, Tensor>> = {
    "2.bias is \\[2\\], should be \\[1\\]": { ...good, "2.bias": ones([2]) },
    "2.bias is int32, should be float32": { ...good, "2.bias": ones([1], { dtype: "int32" }) },
    "unexpected: 3.bias": { ...good, "3.bias": ones([1]) },
    "missing: 2.bias": Object.fromEntries(Object.entries(good).slice(0, 3)),
  };
  for (const [message, state] of Object.entries(bad)) {
    expect(() => model.loadStateDict(state)).toThrow(new RegExp(message));
    expect(await values()).toEqual(before);
  }
  model.loadStateDict(good);
  expect(await values()).toEqual([[[1, 1], [1, 1], [1, 1]], [1, 1, 1], [[1, 1, 1]], [1]]); // biome-ignore format: a list
});
