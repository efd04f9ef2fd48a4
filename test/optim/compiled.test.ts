import { describe, expect, test } from "vitest";
import { compile, Generator, gradients, hvp, ones, type Tensor, tensor, variable, vmap, zeros } from "../../src/index.ts";
import {
  bceWithLogits,
  crossEntropy,
  Dropout,
  functionalCall,
  inference,
  init,
  Linear,
  mse,
  relu,
  Sequential,
  tanh,
  training,
} from "../../src/nn/index.ts";
import { adam, cosine, sgd } from "../../src/optim/index.ts";

const x = new Generator(1).normal([12, 4]);
const y = x.argmax(-1).minimum(2);

test("a classifier with dropout, schedule and clipping learns, as one program", async () => {
  const rng = new Generator(0);
  const model = init(new Sequential(new Linear(4, 16), relu, new Dropout(0.1), new Linear(16, 3)), rng.fork("init"));
  const optimizer = adam(model.parameters(), { lr: cosine({ peak: 0.05, steps: 60, warmup: 5 }), clipNorm: 1 });
  const noise = rng.fork("dropout");
  const step = compile((x: Tensor, y: Tensor) => {
    const loss = crossEntropy(model.forward(x, training(noise)), y);
    optimizer.minimize(loss);
    return loss;
  });
  const losses: number[] = [];
  for (let i = 0; i < 60; i++) losses.push(await step(x, y).item());
  expect(losses.at(-1)).toBeLessThan(losses[0]! / 3);
  expect(step.programs).toBe(1);
  expect(await optimizer.step.item()).toBe(60);
});

test("dropout draws anew at every call", async () => {
  const rng = new Generator(3);
  const drop = compile((x: Tensor) => new Dropout(0.5).forward(x, training(rng)));
  const [a, b] = [await drop(ones([64])).array(), await drop(ones([64])).array()];
  expect(a).not.toEqual(b);
});

test("assigning the rate makes no new program", async () => {
  const w = variable([1]);
  const optimizer = sgd([w], { lr: 0.5 });
  const step = compile(() => optimizer.minimize(w.sum()));
  step();
  optimizer.lr.assign(0.25);
  step();
  expect(await w.item()).toBe(0.25);
  expect(step.programs).toBe(1);
});

test("a step whose loss is not finite changes nothing", async () => {
  const w = variable([1]);
  const optimizer = adam([w], { lr: 0.5 });
  const step = compile((x: Tensor) => {
    const loss = w.mul(x).sum() as Tensor<[]>;
    optimizer.minimize(loss);
    return loss;
  });
  await step(tensor([1])).item();
  const [before, count] = [await w.item(), await optimizer.step.item()];
  await expect((async () => step(tensor([Number.NaN])).item())()).rejects.toThrow(/loss/);
  expect([await w.item(), await optimizer.step.item()]).toEqual([before, count]);
});

describe("a generative adversarial pair", () => {
  test("updates run in program order, each on its own list", async () => {
    const noise = new Generator(5);
    const G = init(new Sequential(new Linear(2, 3), tanh), 1);
    const D = init(new Sequential(new Linear(3, 1)), 2);
    const [gOpt, dOpt] = [sgd(G.parameters(), { lr: 0.1 }), sgd(D.parameters(), { lr: 0.1 })];
    const step = compile((real: Tensor) => {
      const fake = G.forward(noise.normal([4, 2]), inference);
      const dLoss = bceWithLogits(D.forward(real, inference), ones([4, 1])).add(bceWithLogits(D.forward(fake, inference), zeros([4, 1])));
      dOpt.minimize(dLoss as Tensor<[]>);
      const gLoss = bceWithLogits(D.forward(fake, inference), ones([4, 1]));
      gOpt.minimize(gLoss);
      return { dLoss, gLoss };
    });
    const before = await Promise.all([...G.parameters(), ...D.parameters()].map((p) => p.data()));
    const { gLoss } = step(ones([4, 3]));
    expect(Number.isFinite(await gLoss.item())).toBe(true);
    const after = await Promise.all([...G.parameters(), ...D.parameters()].map((p) => p.data()));
    after.forEach((data, i) => {
      expect([...data]).not.toEqual([...before[i]!]);
    });
  });
});

describe("a model as a function of its parameters", () => {
  const model = init(new Sequential(new Linear(3, 4), tanh, new Linear(4, 1)), 0);
  const X = new Generator(2).normal([5, 3]);
  const Y = new Generator(4).normal([5, 1]);

  test("per-example gradients by vmap are those of a loop", async () => {
    const perExample = vmap((x: Tensor, y: Tensor) => gradients(mse(model.forward(x.unsqueeze(0)), y.unsqueeze(0)), model.parameters()));
    const batched = (await (perExample(X, Y) as Tensor[])[0]!.array()) as number[][][];
    for (let i = 0; i < 5; i++) {
      const [g] = gradients(mse(model.forward(X.at(`${i}:${i + 1}`)), Y.at(`${i}:${i + 1}`)), model.parameters());
      const one = (await g!.array()) as number[][];
      one.flat().forEach((v, j) => {
        expect(batched[i]!.flat()[j]).toBeCloseTo(v, 5);
      });
    }
  });

  test("a Hessian-vector product equals the difference of gradients", async () => {
    const loss = (state: Record<string, Tensor>) => functionalCall(model, state, () => mse(model.forward(X), Y));
    const state = model.stateDict();
    const v = Object.fromEntries(Object.entries(state).map(([k, t]) => [k, ones(t.shape)]));
    const product = compile((v: Record<string, Tensor>) => hvp(loss, state, v));
    const got = (await product(v)["0.weight"]!.array()) as number[][];
    const at = (h: number): Promise<number[][]> => {
      const moved = Object.fromEntries(Object.entries(state).map(([k, t]) => [k, t.add(h).tracked()]));
      return gradients(loss(moved), moved)["0.weight"]!.array() as Promise<number[][]>;
    };
    const [up, down] = [await at(0.01), await at(-0.01)];
    got.flat().forEach((value, j) => {
      expect(value).toBeCloseTo((up.flat()[j]! - down.flat()[j]!) / 0.02, 2);
    });
  });
});
