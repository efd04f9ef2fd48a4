/** The cause of a number that is not finite reaches the person: the input that held it, or the operation and line it came from. */
import { compile, type Device, ones, type Tensor, tensor, type Variable, variable } from "gradus";
import { ArrayDataset } from "gradus/data";
import { inference, init, Linear, mse, Sequential } from "gradus/nn";
import { adam, sgd } from "gradus/optim";
import * as train from "gradus/train";
import { describe, expect, test } from "vitest";
import { errorOf } from "./error-of.ts";

const devices: Device[] = ["wasm", "interpreter"];

describe("a step whose loss is not finite", () => {
  test.each(devices)("names the argument that held NaN, where, and the line of the loss on %s", async (device) => {
    const w = variable([[1], [1]]);
    const optimizer = sgd([w], { lr: 0.1 });
    const step = compile(
      (x: Tensor, batch: { target: Tensor }) => {
        const loss = mse(x.matmul(w), batch.target);
        optimizer.minimize(loss);
        return loss;
      },
      { device },
    );
    const [x, target] = [ones([2, 2]), ones([2, 1])];
    const inX = await errorOf(() => step(tensor([[1, 2], [3, Number.NaN]]), { target }).item()); // biome-ignore format: a matrix
    expect(inX.message).toMatch(
      /^the loss is not a finite number {3}at non-finite\.test\.ts:\d+\n {2}why: argument 0 \(x\) held NaN at \[1, 1\] before/,
    );
    const inTarget = await errorOf(() => step(x, { target: tensor([[1], [Number.POSITIVE_INFINITY]]) }).item());
    expect(inTarget.message).toContain("argument 1 (batch.target) held Infinity at [1, 0] before the step began");
    expect(await w.array()).toEqual([[1], [1]]);
  });

  test.each(devices)("names the variable, or says that it was a tensor from outside on %s", async (device) => {
    const outside = tensor([1, Number.NaN]);
    const w = variable([1, 1], { name: "scale" });
    const optimizer = sgd([w], { lr: 0.1 });
    const make = (f: () => Tensor): (() => Tensor) =>
      compile(
        () => {
          const loss = f();
          optimizer.minimize(loss);
          return loss;
        },
        { device },
      ) as () => Tensor;
    expect((await errorOf(() => make(() => w.mul(outside).sum())().item())).message).toContain(
      "a tensor from outside the function held NaN at [1]",
    );
    w.assign([Number.NaN, 1]);
    expect((await errorOf(() => make(() => w.square().sum())().item())).message).toContain("variable scale held NaN at [0]");
  });

  test.each(devices)("names the operation, in the part of the graph that matters on %s", async (device) => {
    const w = variable([0, 1], { name: "w" });
    const mask = variable([Number.NEGATIVE_INFINITY, 0], { trainable: false, name: "mask" });
    const optimizer = sgd([w], { lr: 0.1 });
    const step = compile(
      () => {
        const harmless = w.add(mask).softmax().sum();
        const loss = w.log().sum().add(harmless);
        optimizer.minimize(loss);
        return loss;
      },
      { device },
    );
    const error = await errorOf(() => step().item());
    expect(error.message).toMatch(/why: the first such number came from log \[2\], from finite ones/);
    expect(error.message).toMatch(/at non-finite\.test\.ts:\d+/);
  });

  test("names the operation in graphs that are too large for the interpreter too", async () => {
    const model = init(
      new Sequential(new Linear(600, 600), new Linear(600, 600), (h: Tensor) => h.mul(1e30).matmul(h.transpose().mul(1e30))),
      0,
    );
    const optimizer = adam(model.parameters(), { lr: 0.1 });
    const step = compile((x: Tensor) => {
      const loss = model.forward(x, inference).square().mean();
      optimizer.minimize(loss);
      return loss;
    });
    expect((await errorOf(() => step(ones([64, 600])).item())).message).toMatch(
      /the first such number came from matmul \[64, 64\], from finite ones/,
    );
    const x = new Float32Array(64 * 600).fill(1);
    x[700] = Number.NaN;
    expect((await errorOf(() => step(tensor(x, [64, 600])).item())).message).toContain("argument 0 (x) held NaN at [1, 100]");
  });

  test("says so through fit as well", async () => {
    const model = init(new Sequential(new Linear(2, 1)), 0);
    const x = Float32Array.of(1, 2, 3, Number.NaN, 5, 6, 7, 8);
    const data = new ArrayDataset({ data: x, shape: [2] }, { data: new Float32Array(4), shape: [1] });
    const optimizer = sgd(model.parameters(), { lr: 0.1 });
    const error = await errorOf(() => train.fit(model, data, { loss: mse, optimizer, rng: 0, epochs: 1, batchSize: 4 }));
    expect(error.message).toMatch(
      /step 1 \(epoch 1, batch 1\)[\s\S]*why: argument 0 \(x\) held NaN at \[\d, 1\] before the step began; all parameters are still finite/,
    );
  });
});

describe("an optimiser of another model", () => {
  test("is named as that, not as a parameter without a path", () => {
    const [one, other] = [init(new Sequential(new Linear(2, 1)), 0), init(new Sequential(new Linear(2, 1)), 1)];
    const optimizer = adam(other.parameters(), { lr: 0.1 });
    const loss = mse(one.forward(ones([1, 2]), inference), ones([1, 1]));
    for (const unused of ["error", "skip"] as const)
      expect(() => optimizer.minimize(loss, { unused })).toThrow(
        /^minimize: the loss depends on none of the 2 parameters of this adam: 0\.weight, 0\.bias {3}at non-finite\.test\.ts:\d+\n {2}why: the optimiser was made for another model/,
      );
    expect(() => compile(() => optimizer.minimize(loss))()).toThrow(/made for another model/);
  });

  test("parts that the loss does not reach are listed with what to do", () => {
    const cells: Variable[] = [1, 2, 3].map((v) => variable(v, { name: `p${v}` }));
    const optimizer = sgd(cells, { lr: 0.1 });
    expect(() => optimizer.minimize(cells[0]!.square())).toThrow(
      /minimize: the loss does not depend on p2, p3[\s\S]*2 of the 3 parameters of this sgd[\s\S]*unused: "skip"/,
    );
  });
});
