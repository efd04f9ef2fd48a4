import { describe, expect, test } from "vitest";
import { gradients, ones, stopGradient, type Tensor, tensor, type Variable, variable, zeros } from "../../src/index.ts";
import { init, Linear, mse, relu, Sequential } from "../../src/nn/index.ts";
import { adagrad, adam, adamW, type Common, cosine, type Optimizer, rmsprop, sgd, warmup } from "../../src/optim/index.ts";

type Make = (ps: readonly Variable[], options: Common) => Optimizer;
const all: [string, Make][] = Object.entries({ sgd, adagrad, rmsprop, adam, adamW });

describe.each(all)("%s", (name, make) => {
  test("descends on a small problem", async () => {
    const w = variable([3, -2]);
    const optimizer = make([w], { lr: 0.05 });
    const loss = (): Tensor<[]> => w.square().sum();
    const before = await loss().item();
    for (let i = 0; i < 10; i++) optimizer.minimize(loss());
    expect(await loss().item()).toBeLessThan(before);
  });

  test("refuses rates that are none; a rate of 0 changes nothing", async () => {
    for (const lr of [-1, Number.NaN, Number.POSITIVE_INFINITY, 1e308, "0.1" as unknown as number])
      expect(() => make([variable([1])], { lr })).toThrow(new RegExp(`${name}: lr is`));
    const w = variable([3]);
    const optimizer = make([w], { lr: 0 });
    optimizer.minimize(w.square().sum());
    expect(await w.item()).toBe(3);
  });

  test("refuses lists that are none", () => {
    const w = variable([1]);
    expect(() => make([], { lr: 1 })).toThrow(/no parameters/);
    expect(() => make([w], { lr: 1, momentun: 0.9 } as never)).toThrow(
      /there is no option "momentun" {3}at optimizers\.test\.ts:\d+\n {2}help: (did you mean momentum\? )?there are lr, /,
    );
    expect(() => make([w], undefined as never)).toThrow(/the options are undefined/);
    expect(() => make([w, w], { lr: 1 })).toThrow(/same variable/);
    expect(() => make([tensor([1]) as Variable], { lr: 1 })).toThrow(/parameter 0 is no variable/);
    expect(() => make([variable([1], { trainable: false })], { lr: 1 })).toThrow(/not trainable/);
    expect(() => make([variable([1], { dtype: "int32" })], { lr: 1 })).toThrow(/int32/);
    for (const bound of [0, -1, Number.NaN]) {
      expect(() => make([w], { lr: 1, clipNorm: bound })).toThrow(/clipNorm/);
      expect(() => make([w], { lr: 1, clipValue: bound })).toThrow(/clipValue/);
    }
    expect(() => make([w], { lr: 1, weightDecay: -1 })).toThrow(/weightDecay/);
  });

  test("resumed from its state goes on as if it had never stopped, bit for bit", async () => {
    const train = async (steps: number[], restart: boolean): Promise<number[]> => {
      const model = init(new Sequential(new Linear(2, 3), relu, new Linear(3, 1)), 3);
      let optimizer = make(model.parameters(), { lr: cosine({ peak: 0.1, steps: 10, warmup: 3 }) });
      for (const n of steps) {
        for (let i = 0; i < n; i++)
          optimizer.minimize(
            mse(
              model.forward(
                tensor([
                  [1, 2],
                  [0, -1],
                ]),
              ),
              tensor([[1], [0]]),
            ),
          );
        if (!restart) continue;
        const state = optimizer.stateDict();
        optimizer = make(model.parameters(), { lr: cosine({ peak: 0.1, steps: 10, warmup: 3 }) });
        optimizer.loadStateDict(state);
      }
      return (await Promise.all(model.parameters().map(async (p) => [...(await p.data())]))).flat();
    };
    expect(await train([3, 4], true)).toEqual(await train([7], false));
  });
});

describe("the rate", () => {
  test("is a cell: assigning takes effect at the next step", async () => {
    const w = variable([1]);
    const optimizer = sgd([w], { lr: 0.5 });
    optimizer.lr.assign(0.25);
    optimizer.minimize(w.sum());
    expect(await w.item()).toBe(0.75);
    for (const lr of [-1, Number.NaN, Number.POSITIVE_INFINITY]) expect(() => optimizer.lr.assign(lr)).toThrow(/lr is/);
    optimizer.lr.assign(tensor(0.5));
    optimizer.minimize(w.sum());
    expect(await w.item()).toBe(0.25);
  });

  test("follows its schedule, shows the last one used, and cannot be assigned then", async () => {
    const w = variable([0]);
    const optimizer = sgd([w], { lr: warmup(1, { steps: 4 }) });
    expect(await optimizer.lr.item()).toBe(0.25);
    const path: number[] = [];
    for (let i = 0; i < 6; i++) {
      optimizer.minimize(w.sum());
      path.push(await w.item());
    }
    expect(path).toEqual([-0.25, -0.75, -1.5, -2.5, -3.5, -4.5]);
    expect(await optimizer.lr.item()).toBe(1);
    expect(() => optimizer.lr.assign(0.1)).toThrow(/follows a schedule/);
  });

  test("may be any function of the step", async () => {
    const w = variable([0]);
    const optimizer = sgd([w], { lr: (step) => step.add(1).reciprocal() as Tensor<[]> });
    optimizer.minimize(w.sum());
    optimizer.minimize(w.sum());
    expect(await w.item()).toBe(-1.5);
    expect(() => sgd([w], { lr: () => ones([2]) as unknown as Tensor<[]> })).toThrow(/scalar tensor[\s\S]*\[2\]/);
  });

  test("schedules refuse options that make no sense", () => {
    expect(() => cosine({ peak: -1, steps: 10 })).toThrow(/peak/);
    expect(() => cosine({ peak: 1, steps: 0 })).toThrow(/steps/);
    expect(() => cosine({ peak: 1, steps: 5, warmup: 5 })).toThrow(/warm-up/);
    expect(() => warmup(0.1, { steps: 1.5 })).toThrow(/whole number/);
  });
});

test("outside programs the count is a number at once: no chain of additions piles up", () => {
  const w = variable([1]);
  const optimizer = sgd([w], { lr: 0.1 });
  for (let i = 0; i < 3; i++) optimizer.minimize(w.sum());
  expect(optimizer.step.content().storage).toBeDefined();
});

describe("minimize", () => {
  test("throws for parameters the loss does not reach, by name, and changes nothing", async () => {
    const [used, unused] = [variable([1], { name: "used" }), variable([1], { name: "unused" })];
    const optimizer = sgd([used, unused], { lr: 1 });
    expect(() => optimizer.minimize(used.sum())).toThrow(/unused/);
    expect(await used.item()).toBe(1);
    expect(await optimizer.step.item()).toBe(0);
  });

  test('unused: "skip" leaves them and their memory alone, also behind a cut gradient', async () => {
    const [used, unused, cut] = [variable([1]), variable([1]), variable([1])];
    const optimizer = adam([used, unused, cut], { lr: 0.5, weightDecay: 0.1 });
    optimizer.minimize(used.mul(stopGradient(cut)).sum() as Tensor<[]>, { unused: "skip" });
    expect(await used.item()).not.toBe(1);
    expect([await unused.item(), await cut.item()]).toEqual([1, 1]);
    expect(() => optimizer.minimize(variable(1) as Tensor<[]>, { unused: "skip" })).toThrow(
      /depends on none of the 3 parameters of this adam/,
    );
    expect(() => optimizer.minimize(used.sum(), { unused: "zero" as "skip" })).toThrow(/"error" or "skip"/);
  });

  test("two run one after the other: the second sees what the first assigned", async () => {
    const w = variable([1]);
    const optimizer = sgd([w], { lr: 1 });
    optimizer.minimize(w.square().sum().mul(0.25));
    optimizer.minimize(w.square().sum().mul(0.25));
    expect(await w.item()).toBe(0.25);
  });

  test("scales all gradients together to the norm, and leaves smaller ones", async () => {
    const [a, b] = [variable([0]), variable([0])];
    sgd([a, b], { lr: 1, clipNorm: 1 }).minimize(a.mul(3).add(b.mul(4)).sum());
    expect(await a.item()).toBeCloseTo(-0.6, 5);
    expect(await b.item()).toBeCloseTo(-0.8, 5);
    const c = variable([0]);
    sgd([c], { lr: 1, clipNorm: 10 }).minimize(c.mul(3).sum());
    expect(await c.item()).toBe(-3);
  });
});

describe("apply", () => {
  test("updates from gradients made elsewhere", async () => {
    const w = variable([1, 2]);
    sgd([w], { lr: 0.5 }).apply([tensor([2, 4])]);
    expect(await w.array()).toEqual([0, 0]);
  });

  test("refuses gradients that do not fit", () => {
    const optimizer = sgd([variable([1, 2])], { lr: 0.5 });
    expect(() => optimizer.apply([])).toThrow(/0 gradients for 1/);
    expect(() => optimizer.apply([zeros([3])])).toThrow(/gradient 0 is \[3\], its parameter \[2\]/);
    expect(() => optimizer.apply([zeros([2], { dtype: "float64" })])).toThrow(/float64/);
  });
});

describe("state", () => {
  test("has names for step, rate and memory, and loads all or nothing", async () => {
    const optimizer = adam([variable([1, 2]), variable(0)], { lr: 0.1 });
    expect(Object.keys(optimizer.stateDict())).toEqual(["step", "lr", "0.mean", "0.square", "1.mean", "1.square"]);
    const state = { ...optimizer.stateDict(), "0.mean": zeros([3]), step: tensor(5, { dtype: "float64" }) };
    expect(() => optimizer.loadStateDict(state)).toThrow(/adam\.loadStateDict[\s\S]*0\.mean is \[3\]/);
    expect(await optimizer.step.item()).toBe(0);
  });

  test("carries the rate, which can be assigned again afterwards", async () => {
    const make = (lr: number): Optimizer => sgd([variable([1])], { lr });
    const b = make(0.2);
    b.loadStateDict(make(0.1).stateDict());
    expect(await b.lr.item()).toBe(0.1);
    b.lr.assign(0.3);
    expect(await b.lr.item()).toBe(0.3);
  });
});

test("an L1 penalty as proximal step makes exact zeros where the gradient is weaker than it", async () => {
  const w = variable([0.5, -0.5, 1]);
  const target = tensor([0.01, -0.02, 2]);
  const optimizer = sgd([w], { lr: 0.1, l1: 0.1 });
  for (let i = 0; i < 100; i++) {
    optimizer.minimize(w.sub(target).square().sum().mul(0.5));
    await w.data();
  }
  const got = (await w.array()) as number[];
  expect(got.slice(0, 2)).toEqual([0, 0]);
  expect(got[2]).toBeCloseTo(1.9, 3);
});

test("options outside their ranges are refused", () => {
  const w = variable([1]);
  expect(() => sgd([w], { lr: 1, momentum: 1 })).toThrow(/momentum/);
  expect(() => sgd([w], { lr: 1, nesterov: true })).toThrow(/nesterov needs momentum/);
  expect(() => sgd([w], { lr: 1, l1: -1 })).toThrow(/l1/);
  expect(() => adam([w], { lr: 1, betas: [0.9, 1] })).toThrow(/betas\[1\]/);
  expect(() => adamW([w], { lr: 1, eps: -1 })).toThrow(/eps/);
  expect(() => rmsprop([w], { lr: 1, alpha: 2 })).toThrow(/alpha/);
  expect(() => adagrad([w], { lr: 1, lrDecay: -1 })).toThrow(/lrDecay/);
});

test("gradients with respect to the list are what minimize uses", async () => {
  const w = variable([1, -2]);
  const loss = w.square().sum();
  const [g] = gradients(loss, [w]);
  const expected = ((await g!.array()) as number[]).map((v, i) => [1, -2][i]! - v / 4);
  sgd([w], { lr: 0.25 }).minimize(loss);
  expect(await w.array()).toEqual(expected);
});
