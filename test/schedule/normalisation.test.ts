/** What normalisation costs in passes over memory: kernels that read something as large as the input. */
import { afterAll, describe, expect, test } from "vitest";
import { sizeOf } from "../../src/core/shape.ts";
import type { Value } from "../../src/graph/op.ts";
import { type Kernel, readsOf } from "../../src/kernel/kernel.ts";
import * as o from "../../src/ops/index.ts";
import { optimise } from "../../src/passes/index.ts";
import { WasmRunner } from "../../src/runtime/wasm-runner.ts";
import { schedule } from "../../src/schedule/index.ts";
import * as surface from "../../src/surface/index.ts";
import { gradients } from "../../src/transform/gradients.ts";
import { wave } from "./against.ts";
import { runGraph } from "./run.ts";

const f32 = (index: number, ...shape: number[]): Value => o.argument(index, { shape, dtype: "float32" });
const [weight, bias, mean, variance, kernel] = [f32(1, 32), f32(2, 32), f32(3, 32), f32(4, 32), f32(5, 32, 16, 3, 3)] as const;

/** The kernels that read a buffer of at least so many float32. */
function passes(outputs: readonly (Value | null)[], elements: number): Kernel[] {
  const made = schedule({ outputs: optimise(outputs.filter((v) => v !== null)), assignments: [] });
  const kernels = made.steps.flatMap((step) => (step.do === "kernels" ? step.kernels : []));
  return kernels.filter((k) => readsOf(k).some(({ buffer }) => made.buffers[buffer]!.bytes >= 4 * elements));
}

/** Outputs of a training step's forward half, and what its gradients are taken of. */
function trained(x: Value): { forward: Value[]; loss: Value } {
  const y = o.relu(surface.batchNorm(x, { weight, bias }));
  const statistics = surface.batchStatistics(x);
  const loss = o.sum(o.mul(y, f32(6, ...x.shape)), [...x.shape.keys()]);
  return { forward: [y, statistics.mean, statistics.variance], loss };
}

describe.each([
  [64, 32, 24, 24],
  [4096, 32],
  [5, 32, 7, 9, 3],
])("A batch norm of [%i, %i, …] in training", (...shape) => {
  // biome-ignore format: shapes
  const x = f32(0, ...shape.filter((d) => d !== undefined));
  const { forward, loss } = trained(x);
  const size = sizeOf(x.shape);

  test("reads its input at most three times forward: a part of it, for the statistics, and for the result", () => {
    expect(passes(forward, size).length).toBeLessThanOrEqual(3);
  });

  test("reads it at most three times backward, with the relu that follows: for two sums, and for the gradient", () => {
    const there = passes([...forward, loss], size).length;
    const all = passes([...forward, loss, ...gradients(loss, [x, weight, bias])], size).length;
    expect(all - there).toBeLessThanOrEqual(3);
    expect(all).toBeLessThanOrEqual(6);
  });
});

describe("A batch norm after a convolution", () => {
  const images = f32(0, 16, 16, 14, 14);
  const x = surface.convolution({ who: "conv2d", axes: 2, x: images, weight: kernel }, { padding: 1 });

  test("in use is computed of each element as the product leaves it: nothing of its size is read again", () => {
    const y = o.relu(surface.batchNorm(x, { weight, bias, mean, variance }));
    expect(passes([y], sizeOf(images.shape)).map((k) => k.kind)).toEqual(["product"]);
  });

  test("and before a pool in training is stored nowhere: the pool takes the largest of what it normalises itself", () => {
    const y = surface.maxPool(o.relu(surface.batchNorm(x, { weight, bias })), { who: "maxPool2d", axes: 2, kernelSize: 2 });
    const kernels = passes([o.sum(o.square(y), [0, 1, 2, 3])], sizeOf(x.shape));
    expect(kernels.length).toBeLessThanOrEqual(3);
  });
});

test("Layer and group norms read each row once, and again from the cache: one kernel forward", () => {
  const rows = f32(0, 512, 64);
  expect(passes([surface.layerNorm(rows, 64)], 512 * 64).length).toBe(1);
  const groups = f32(0, 64, 32, 8, 8);
  expect(passes([surface.groupNorm(groups, 8)], sizeOf(groups.shape)).length).toBe(1);
});

describe("One thread and two give the same bits", () => {
  const [one, two] = [new WasmRunner({ threads: 1 }), new WasmRunner({ threads: 2 })];
  afterAll(() => {
    one.close();
    two.close();
  });
  const pool = { who: "pool", axes: 2, kernelSize: 3, options: { stride: 2, padding: 1 } };
  const layers: Record<string, (x: Value) => Value> = {
    "batch norm": (x) => surface.batchNorm(x, { weight, bias }),
    "group norm": (x) => surface.groupNorm(x, 4, { weight, bias }),
    "instance norm": (x) => surface.instanceNorm(x, { weight, bias }),
    "local response norm": (x) => surface.localResponseNorm(x, 5),
    "max-pool": (x) => surface.maxPool(x, pool),
    "mean pool": (x) => surface.avgPool(x, pool),
    "pool of lengths": (x) => surface.lpPool(x, 2, pool),
    "weighted pool": (x) => surface.weightedAvgPool(x, pool),
    "adaptive pool": (x) => surface.adaptiveAvgPool(x, { who: "pool", axes: 2, outputSize: [5, 3] }),
  };
  test.each(Object.entries(layers))("of a %s and its gradients.", (_, layer) => {
    const x = f32(0, 33, 32, 13, 11);
    const y = layer(x);
    const loss = o.sum(o.square(y), [0, 1, 2, 3]);
    const wrt = [x, weight, bias];
    const outputs = [y, ...gradients(loss, wrt).map((g, i) => g ?? o.zerosLike(wrt[i]!))];
    const data = wrt.map((v, i) => wave(sizeOf(v.shape), i));
    const [a, b] = [one, two].map((device) => runGraph(device, outputs, data, { threads: "all" }));
    expect(a!.flat().every(Number.isFinite)).toBe(true);
    expect(b).toEqual(a);
  });
});
