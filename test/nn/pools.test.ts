/** Pools, as functions and as layers: PyTorch's numbers, and what they promise besides. */
import { describe, expect, test } from "vitest";
import * as gradus from "../../src/index.ts";
import { gradients, type Tensor, tensor, zeros } from "../../src/index.ts";
import * as nn from "../../src/nn/index.ts";
import { type Case, checkCase, fixture } from "./fixtures.ts";

const { cases } = fixture("pools.json") as { cases: Case[] };
const title = ({ name, options, inputs }: Case): string => `${name} ${JSON.stringify(options)} of ${JSON.stringify(inputs.x!.shape)}`;

type Pool = (x: Tensor, ...settings: unknown[]) => Tensor;
type PoolLayer = new (...settings: unknown[]) => nn.Module & { forward(x: Tensor): Tensor };

/** What a pool is called with besides its input. */
function settings({ kernelSize, ...options }: Case["options"]): unknown[] {
  return [kernelSize, options];
}

describe("pools have PyTorch's values and gradients, as functions and as layers", () => {
  for (const c of cases)
    test(title(c), async () => {
      const pool = (gradus as unknown as Record<string, Pool>)[c.name]!;
      const Layer = (nn as unknown as Record<string, PoolLayer>)[c.name[0]!.toUpperCase() + c.name.slice(1)]!;
      await checkCase(c, ({ x }) => pool(x!, ...settings(c.options)));
      const layer = new Layer(...settings(c.options));
      await checkCase(c, ({ x }) => layer.forward(x!));
    });
});

describe("a pool", () => {
  test("refuses windows that are none, where it is made", () => {
    const bad: [unknown, object, RegExp][] = [
      [0, {}, /the kernel size is 0/],
      [-2, {}, /the kernel size is -2/],
      [1.5, {}, /the kernel size is 1.5/],
      [[2, 2, 2], {}, /the kernel size is .2, 2, 2./],
      ["2", {}, /the kernel size/],
      [2, { stride: 0 }, /stride is 0/],
      [2, { stride: [1, -1] }, /stride/],
      [2, { dilation: 0 }, /dilation is 0/],
      [2, { padding: -1 }, /padding is -1/],
      [2, { padding: 2 }, /padding is 2[\s\S]*0 to 1 on either side/],
      [2, { padding: 2 ** 40 }, /padding/],
      [2, { ceilMode: 1 }, /ceilMode/],
      [2, { strides: 1 }, /no option "strides"[\s\S]*stride/],
    ];
    for (const [size, options, message] of bad) {
      expect(() => new nn.MaxPool2d(size as number, options), JSON.stringify(options)).toThrow(message);
      expect(() => new nn.MaxPool2d(size as number, options)).toThrow(/^MaxPool2d: .* at pools\.test\.ts:\d+/);
      expect(() => new nn.AvgPool2d(size as number, options)).toThrow(message);
      expect(() => gradus.maxPool2d(zeros([1, 1, 8, 8]), size as number, options)).toThrow(message);
      expect(() => gradus.avgPool2d(zeros([1, 1, 8, 8]), size as number, options)).toThrow(/^avgPool2d: /);
    }
    for (const divisorOverride of [0, Number.NaN, "2" as unknown as number])
      expect(() => new nn.AvgPool2d(2, { divisorOverride })).toThrow(/divisorOverride/);
  });

  test("refuses inputs of another rank, of whole numbers, and without a window's elements", () => {
    const layer = new nn.MaxPool2d(3, { padding: 1 });
    expect(() => layer.forward(zeros([4, 4]) as Tensor)).toThrow(/^MaxPool2d: the input is \[4, 4\][\s\S]*channels, height, width/);
    expect(layer.forward(zeros([1, 1, 1, 4, 4])).shape).toEqual([1, 1, 1, 2, 2]);
    expect(() => layer.forward(zeros([1, 4, 4], { dtype: "int32" }))).toThrow(/needs float32 or float64, not int32/);
    expect(() => new nn.MaxPool2d(5).forward(zeros([1, 4, 8]))).toThrow(/reaches over 5 does not fit into axis 1[\s\S]*4 elements/);
    expect(() => new nn.MaxPool2d(5, { padding: 2 }).forward(zeros([1, 0, 8]))).toThrow(/nothing to pool/);
    expect(() => new nn.AvgPool1d(2, { dilation: 2, padding: 1 }).forward(zeros([1, 1]))).toThrow(/window 0 .* holds padding only/);
  });

  test("of no examples and of no channels is empty, and so is its gradient", async () => {
    for (const shape of [
      [0, 3, 4, 4],
      [2, 0, 4, 4],
    ]) {
      // biome-ignore format: shapes
      const x = zeros(shape as [number, number, number, number]).tracked();
      const y = gradus.maxPool2d(x, 2);
      expect(y.shape).toEqual([shape[0], shape[1], 2, 2]);
      expect((await gradients(gradus.avgPool2d(y, 2).sum() as Tensor<[]>, x).data()).length).toBe(0);
    }
  });

  test("of one element is that element, whatever its window's padding", async () => {
    const x = tensor([[[-3]]]);
    expect(await gradus.maxPool1d(x, 3, { padding: 1 }).array()).toEqual([[[-3]]]);
    expect(await gradus.avgPool1d(x, 3, { padding: 1, countIncludePad: false }).array()).toEqual([[[-3]]]);
    expect(await gradus.avgPool1d(x, 3, { padding: 1 }).array()).toEqual([[[-1]]]);
  });
});
