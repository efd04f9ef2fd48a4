/** Tensors are values: nothing that a program does to its own arrays, or to what it was given, changes one; and they leave nothing behind. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { compile, concat, full, Generator, ones, type Tensor, tensor, variable, zeros } from "gradus";
import { crossEntropy, Dropout, init, Linear, Sequential, tanh, training } from "gradus/nn";
import { adam } from "gradus/optim";
import { describe, expect, test } from "vitest";
import { eagerPrograms } from "../../src/run/eager.ts";
import { theHeap } from "../../src/run/engine.ts";
import { COMPILED, numbers } from "./harness.ts";

const loose = (x: unknown): any => x;
setFlagsFromString("--expose_gc");
const collect = runInNewContext("gc") as () => void;

describe("torture 14: nothing changes a tensor", () => {
  test("torture 14: arrays that were passed in may be written afterwards", async () => {
    const flat = Float32Array.of(1, 2);
    const nested = [[1, 2]];
    const cell = variable(zeros([2]));
    cell.assign(flat);
    const step = compile((x: Tensor) => x.add(loose(flat)), { device: "wasm" });
    const made = [
      tensor(flat),
      tensor(flat, [2, 1]),
      tensor(nested),
      tensor([0, 0]).add(loose(flat)),
      tensor(flat).mul(1),
      step(tensor([0, 0])),
    ];
    flat.fill(99);
    nested[0]![0] = 99;
    for (const x of [...made, cell, step(tensor([0, 0]))]) expect(await numbers(x)).toEqual([1, 2]);
  });

  test("torture 14: what data answered may be written, and so may shared memory that was passed", async () => {
    const x = tensor([1, 2]);
    const y = compile((t: Tensor) => t.mul(1), { device: "wasm" })(ones([1000]));
    const cell = variable([1, 2]);
    for (const each of [x, x.mul(2), y, cell]) {
      const before = await numbers(each);
      const data = await each.data();
      expect(data.buffer).not.toBeInstanceOf(SharedArrayBuffer);
      data.fill(77);
      expect(await numbers(each)).toEqual(before);
    }
    const shared = new Float32Array(new SharedArrayBuffer(8));
    const z = tensor(shared);
    shared.fill(9);
    expect(await numbers(z)).toEqual([0, 0]);
  });

  test("torture 14: shapes and axes that were passed in may be written afterwards, and a tensor's shape never", async () => {
    const sizes: number[] = [3, 2];
    const widths: [number, number][] = [[1, 1]];
    const parts = [tensor([1]), tensor([2])];
    const made: Tensor[] = [
      zeros(loose(sizes)),
      full(loose(sizes), 2),
      tensor(new Float32Array(6), loose(sizes)),
      ones([2, 3]).reshape(loose(sizes)),
      ones([2]).broadcastTo(loose(sizes)),
      new Generator(1).normal(loose(sizes)),
      ones([1, 1]).repeat(...sizes),
      ones([1]).pad(widths).reshape([3, 1]).broadcastTo([3, 2]),
      concat(parts, 0).broadcastTo([3, 2]),
      (variable(ones([3, 2])) as Tensor),
      new Linear(2, 3).weight.shape.length === 2 ? ones([3, 2]) : ones([1]),
    ]; // biome-ignore format: a list
    sizes[0] = 99;
    widths[0]![0] = 99;
    parts[0] = tensor([99]);
    for (const x of made) {
      expect(() => {
        loose(x.shape)[0] = 7;
      }).toThrow(TypeError);
      expect(x.shape).toEqual([3, 2]);
      expect(await x.data()).toHaveLength(6);
    }
    const axes = [1, 0];
    const turned = tensor([[1, 2], [3, 4]]).permute(loose(axes)); // biome-ignore format: rows
    axes[0] = 0;
    expect(await numbers(turned)).toEqual([1, 3, 2, 4]);
  });

  test("torture 14: a content that a program writes over stays what it was for who holds it", async () => {
    for (const device of COMPILED) {
      const cell = variable(ones([1000]));
      const step = compile(() => void cell.assign(cell.mul(2)), { device });
      step();
      const held = cell.value;
      const view = held.reshape([10, 100]).transpose();
      step();
      step();
      expect([(await held.data())[0], (await view.data())[999], (await cell.data())[0]]).toEqual([2, 2, 8]);
    }
  });
});

/** Bytes that live, after everything that can go has gone. */
async function liveBytes(): Promise<{ heap: number; host: number }> {
  for (let i = 0; i < 3; i++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return { heap: theHeap().used, host: process.memoryUsage().heapUsed };
}

test("torture 15: after 100,000 operations the heap, the number of programs and JavaScript's memory are what they were", async () => {
  const x = tensor([1, 2, 3]);
  const operations = async (count: number): Promise<void> => {
    for (let i = 0; i < count / 5; i++) await x.mul(i).add(1).relu().sub(i).sum().data();
  };
  await operations(1000);
  const before = { ...(await liveBytes()), programs: eagerPrograms().made };
  await operations(100_000);
  const after = { ...(await liveBytes()), programs: eagerPrograms().made };
  expect(after.heap).toBeLessThanOrEqual(before.heap);
  expect(after.programs).toBe(before.programs);
  expect(after.host - before.host).toBeLessThan(4e6);
}, 60_000);

test("torture 15: variables and compiled functions that nobody holds give their memory back", async () => {
  const once = async (): Promise<void> => {
    const cell = variable(ones([100_000]));
    const step = compile(() => void cell.assign(cell.add(1)), { device: "wasm" });
    step();
    await cell.data();
  };
  await once();
  const before = (await liveBytes()).heap;
  for (let i = 0; i < 30; i++) await once();
  expect((await liveBytes()).heap - before).toBeLessThan(3 * 400_000);
});

const STEPS = Number(process.env.GRADUS_SOAK ?? 100_000);

test(`torture 55: ${STEPS} training steps leave memory flat`, async () => {
  const model = init(new Sequential(new Linear(4, 8), tanh, new Dropout(0.1), new Linear(8, 2)), 0) as Sequential;
  const optimizer = adam(model.parameters(), { lr: 1e-3, clipNorm: 1 });
  const rng = new Generator(1);
  const step = compile((x: Tensor, y: Tensor) => {
    const loss = crossEntropy(model.forward(loose(x), training(rng)), y);
    optimizer.minimize(loss);
    return loss;
  });
  const inputs = Float32Array.from({ length: 32 }, (_, i) => Math.sin(i));
  const classes = Int32Array.from({ length: 8 }, (_, i) => i % 2);
  const run = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) await step(loose(tensor(inputs, [8, 4])), loose(tensor(classes))).item();
  };
  await run(1000);
  const before = { ...(await liveBytes()), rss: process.memoryUsage().rss };
  await run(STEPS);
  const after = { ...(await liveBytes()), rss: process.memoryUsage().rss };
  expect(after.heap).toBeLessThanOrEqual(before.heap);
  expect(after.rss - before.rss).toBeLessThan(64 * 2 ** 20);
  expect(after.host - before.host).toBeLessThan(4e6);
  expect([step.programs, rng.state.calls]).toEqual([1, STEPS + 1000]);
}, 600_000);
