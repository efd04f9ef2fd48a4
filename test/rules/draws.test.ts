/** Draws; the numbers are those of ARCHITECTURE.md, "The rules". */
import { Generator, ones, type Tensor } from "gradus";
import { ArrayDataset } from "gradus/data";
import { crossEntropy, Dropout, init, Linear, Module, parameter, Sequential, training } from "gradus/nn";
import { sgd } from "gradus/optim";
import { fit as learn } from "gradus/train";
import { afterEach, describe, expect, test, vi } from "vitest";
import { WAYS } from "./ways.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const points = (count: number): ArrayDataset =>
  new ArrayDataset(
    { data: Float32Array.from({ length: 2 * count }, (_, i) => Math.sin(7.3 * i)), shape: [2] },
    { data: Int32Array.from({ length: count }, (_, i) => i % 2), shape: [] },
  );
const numbers = async (model: Module): Promise<number[]> =>
  (await Promise.all(model.parameters().map(async (p) => [...(await p.data())]))).flat();
const network = (): Sequential => new Sequential(new Linear(2, 4), new Dropout(0.5), new Linear(4, 2));

/** What tasks that are handed a generator make of it: equal numbers for equal draws. */
const TASKS: Record<string, (rng: Generator) => Promise<unknown>> = {
  init: async (rng) => numbers(init(network(), rng)),
  fit: async (rng) => {
    const model = init(network(), 3);
    await learn(model, points(20), {
      loss: crossEntropy,
      optimizer: sgd(model.parameters(), { lr: 0.1 }),
      rng,
      epochs: 2,
      batchSize: 5,
    });
    return numbers(model);
  },
  split: async (rng) => [...(await points(30).split(0.5, rng)[0].batches(15)[Symbol.iterator]().next().value!.x.data())],
  "a pass over batches": async (rng) => {
    const order: number[] = [];
    for (const { x } of points(30).batches(10, { rng })) order.push(...(await x.data()));
    return order;
  },
};

describe("R16 generators", () => {
  test.each(Object.entries(TASKS))("R16 what is handed one moves it on: %s", async (_, task) => {
    const rng = new Generator(7);
    const first = await task(rng);
    expect(rng.state).toEqual({ seed: 7, calls: 1 });
    const second = await task(rng);
    expect(rng.state).toEqual({ seed: 7, calls: 2 });
    expect(second).not.toEqual(first);
    // The state is all there is to it.
    const other = new Generator(0);
    other.restore(JSON.parse(JSON.stringify({ seed: 7, calls: 1 })));
    expect(await task(other)).toEqual(second);
    expect(await task(new Generator(7))).toEqual(first);
  });

  test("R16 there is no global one: nothing asks the host for chance, and equal seeds give equal bits", async () => {
    const host = vi.spyOn(Math, "random");
    const bytes = vi.spyOn(globalThis.crypto, "getRandomValues");
    for (const task of Object.values(TASKS)) expect(await task(new Generator(1))).toEqual(await task(new Generator(1)));
    expect([host.mock.calls.length, bytes.mock.calls.length]).toEqual([0, 0]);
  });

  test.each(WAYS)("R16 each draw comes from the generator that is named, and counts in its state alone ($way)", async ({ prepare }) => {
    const [a, b] = [new Generator(5), new Generator(6)];
    const draw = prepare(() => [a.normal([4]), b.uniform([4])]);
    const seen = new Set<string>();
    for (let call = 1; call <= 3; call++) {
      for (const x of draw()) seen.add(String(await (x as Tensor).array()));
      expect([a.state, b.state]).toEqual([
        { seed: 5, calls: call },
        { seed: 6, calls: call },
      ]);
    }
    expect(seen.size).toBe(6);
  });

  test.each(WAYS)("R16 a layer's noise is drawn from the generator of its mode ($way)", async ({ prepare }) => {
    const masks = async (rng: Generator): Promise<unknown> =>
      prepare((x: Tensor) => new Dropout(0.5).forward(x, training(rng)))(ones([40])).array();
    const rng = new Generator(2);
    const first = await masks(rng);
    expect(rng.state.calls).toBe(1);
    expect(await masks(rng)).not.toEqual(first);
    expect(await masks(new Generator(2))).toEqual(first);
  });
});

describe("R18 init", () => {
  class Two extends Module {
    readonly first = parameter([3], (rng, shape) => rng.normal(shape));
    readonly inner = { weight: parameter([2, 2], (rng, shape) => rng.uniform(shape)) };
  }

  test("R18 draws each parameter from the stream of its path", async () => {
    const model = init(new Two(), 9);
    expect(await model.first.array()).toEqual(await new Generator(9).fork("first").normal([3]).array());
    expect(await model.inner.weight.array()).toEqual(await new Generator(9).fork("inner.weight").uniform([2, 2]).array());
    const layers = init(new Sequential(new Linear(4, 3), new Linear(3, 3)), 9);
    const more = init(new Sequential(new Linear(4, 3), new Linear(3, 3), new Linear(3, 3)), 9);
    expect((await numbers(more)).slice(0, 27)).toEqual(await numbers(layers));
  });

  test("R18 leaves what has a value, and draws the others as if it had none", async () => {
    const model = new Two();
    model.first.assign([1, 2, 3]);
    init(model, 9);
    expect(await model.first.array()).toEqual([1, 2, 3]);
    expect(await model.inner.weight.array()).toEqual(await init(new Two(), 9).inner.weight.array());
    const before = await numbers(model);
    init(model, 10);
    expect(await numbers(model)).toEqual(before);
  });
});
