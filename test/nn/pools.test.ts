/** Pools, as functions and as layers: PyTorch's numbers, and what they promise besides. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as gradus from "../../src/index.ts";
import { gradients, type Tensor, tensor, vmap, zeros } from "../../src/index.ts";
import * as nn from "../../src/nn/index.ts";
import { type Case, checkCase, fixture } from "./fixtures.ts";

const { cases } = fixture("pools.json") as { cases: Case[] };
const title = ({ name, options, inputs }: Case): string => `${name} ${JSON.stringify(options)} of ${JSON.stringify(inputs.x!.shape)}`;

type Pool = (x: Tensor, ...settings: unknown[]) => Tensor;
type PoolLayer = new (...settings: unknown[]) => nn.Module & { forward(x: Tensor): Tensor };

/** What a pool is called with besides its input. */
function settings({ p, kernelSize, outputSize, ...options }: Case["options"]): unknown[] {
  return outputSize !== undefined ? [outputSize] : [...(p === undefined ? [] : [p]), kernelSize, options];
}

/** lpPool2d → LPPool2d, maxPool2d → MaxPool2d. */
const layerName = (name: string): string => name.replace(/^lp/, "LP").replace(/^[a-z]/, (letter) => letter.toUpperCase());

describe("pools have PyTorch's values and gradients, as functions and as layers", () => {
  for (const c of cases)
    test(title(c), async () => {
      const pool = (gradus as unknown as Record<string, Pool>)[c.name]!;
      const Layer = (nn as unknown as Record<string, PoolLayer>)[layerName(c.name)]!;
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

const rows = (data: readonly number[]): Tensor<[1, 1, number]> => tensor([...data], [1, 1, data.length]) as Tensor<[1, 1, number]>;

describe("pooling over space", () => {
  test("does not notice where in its window something is, and moves with what moves by a stride", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 2, max: 5 }),
        fc.nat(),
        fc.nat(),
        async (size, count, window, at) => {
          const spike = (place: number): Tensor<[1, 1, number]> =>
            rows(Array.from({ length: size * count }, (_, i) => (i === place ? 3 : 0)));
          const first = size * (window % (count - 1));
          const here = await gradus.maxPool1d(spike(first), size).data();
          expect(await gradus.maxPool1d(spike(first + (at % size)), size).data()).toEqual(here);
          expect(await gradus.avgPool1d(spike(first + (at % size)), size).data()).toEqual(
            await gradus.avgPool1d(spike(first), size).data(),
          );
          const moved = await gradus.maxPool1d(spike(first + size), size).data();
          expect([...moved].slice(1)).toEqual([...here].slice(0, -1));
        },
      ),
      { numRuns: 30 },
    );
  });

  test("is the same for each example of a batch, alone or mapped", async () => {
    const x = tensor(Array.from({ length: 2 * 3 * 5 * 6 }, (_, i) => (i * 37) % 11), [2, 3, 5, 6]) as Tensor<[2, 3, 5, 6]>; // biome-ignore format: one tensor
    const pools: ((x: any) => Tensor)[] = [
      (v) => gradus.maxPool2d(v, 3, { stride: 2, padding: 1 }),
      (v) => gradus.avgPool2d(v, 2, { ceilMode: true }),
      (v) => gradus.lpPool2d(v, 2, 2),
      (v) => gradus.weightedAvgPool2d(v, 3),
      (v) => gradus.adaptiveMaxPool2d(v, [2, 4]),
      (v) => gradus.adaptiveAvgPool2d(v, [3, 5]),
      (v) => gradus.maxout(v, 3, -3),
    ];
    for (const pool of pools) expect(await vmap(pool)(x).array()).toEqual(await pool(x).array());
  });
});

describe("an adaptive pool", () => {
  const sizes = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12];
  test.each(sizes)("of %i elements has the windows ⌊i · L / size⌋ … ⌈(i + 1) · L / size⌉ − 1, for every size", async (length) => {
    const data = Array.from({ length }, (_, i) => ((i * 7) % 5) - 2);
    const x = rows(data);
    for (const size of sizes) {
      const windows = Array.from({ length: size }, (_, i) =>
        data.slice(Math.floor((i * length) / size), Math.ceil(((i + 1) * length) / size)),
      );
      expect([...(await gradus.adaptiveMaxPool1d(x, size).data())]).toEqual(windows.map((w) => Math.max(...w)));
      const means = [...(await gradus.adaptiveAvgPool1d(x, size).data())];
      windows.forEach((w, i) => {
        expect(means[i]).toBeCloseTo(w.reduce((a, b) => a + b, 0) / w.length, 6);
      });
    }
  });

  test("keeps a NaN to the windows that hold it", async () => {
    const y = gradus.adaptiveAvgPool1d(rows([1, Number.NaN, 3, 4, 5, 6, 7]), 3);
    expect(await y.array()).toEqual([[[Number.NaN, 4, 6]]]);
    expect(await gradus.adaptiveMaxPool1d(rows([1, Number.NaN, 3, 4, 5]), 2).array()).toEqual([[[Number.NaN, 5]]]);
  });

  test("lets one network take images of several sizes", async () => {
    const model = nn.init(new nn.Sequential(new nn.Conv2d(1, 2, 3), nn.relu, new nn.AdaptiveAvgPool2d([2, 3]), new nn.Flatten(), new nn.Linear(12, 4)), 0); // biome-ignore format: a chain
    for (const [h, w] of [
      [28, 28],
      [5, 9],
      [17, 4],
    ] as const) {
      // biome-ignore format: sizes
      const y = model.forward(gradus.ones([2, 1, h, w]));
      expect(y.shape).toEqual([2, 4]);
      expect((await y.data()).every(Number.isFinite)).toBe(true);
    }
  });

  test("refuses sizes that are none, where it is made", () => {
    for (const size of [0, -1, 1.5, [1], [1, 0], "1", undefined])
      expect(() => new nn.AdaptiveAvgPool2d(size as number)).toThrow(/^AdaptiveAvgPool2d: the output size is .* at pools\.test\.ts/);
    expect(() => gradus.adaptiveMaxPool2d(zeros([1, 0, 3]), 1)).toThrow(/^adaptiveMaxPool2d: axis 1 of \[1, 0, 3\] is empty/);
    expect(gradus.adaptiveMaxPool2d(zeros([0, 2, 5, 3]), 2).shape).toEqual([0, 2, 2, 2]);
  });
});

describe("an Lp pool", () => {
  test("is the length for p = 2, the sum of sizes for p = 1 and the largest size for p = ∞, whatever the signs", async () => {
    const x = rows([3, -4, 0, -2]);
    const pooled = async (p: number): Promise<unknown> => (await gradus.lpPool1d(x, p, 2).array())[0]![0];
    expect(await pooled(2)).toEqual([5, 2]);
    expect(await pooled(1)).toEqual([7, 2]);
    expect(await pooled(Number.POSITIVE_INFINITY)).toEqual([4, 2]);
    expect(await pooled(3)).toEqual([Math.fround(Math.cbrt(91)), 2]);
  });

  test("has the slope 0 where all is 0, and no NaN", async () => {
    for (const p of [1, 2, 3, 2.5, Number.POSITIVE_INFINITY]) {
      const x = zeros([1, 1, 4]).tracked();
      expect(await gradients(gradus.lpPool1d(x, p, 2).sum(), x).array()).toEqual([[[0, 0, 0, 0]]]);
    }
  });

  test("refuses powers below 1", () => {
    for (const p of [0, 0.5, -2, Number.NaN, "2" as unknown as number])
      expect(() => new nn.LPPool2d(p, 2)).toThrow(/^LPPool2d: p is .* at pools\.test\.ts/);
  });
});

describe("a weighted average", () => {
  test("of equal numbers is that number, at borders too, where only elements count", async () => {
    for (const weights of ["gaussian", "inverse"] as const) {
      const y = gradus.weightedAvgPool2d(gradus.full([1, 1, 5, 4], 3), 3, { stride: 1, padding: 1, countIncludePad: false, weights });
      for (const v of await y.data()) expect(v).toBeCloseTo(3, 6);
    }
  });

  test("becomes the plain one for a wide Gaussian, and the middle for a narrow one", async () => {
    const x = rows([1, 5, 2, 8, 3, 3]);
    expect((await gradus.weightedAvgPool1d(x, 3, { sigma: 1e6 }).array())[0]![0]![0]).toBeCloseTo(8 / 3, 5);
    expect(await gradus.weightedAvgPool1d(x, 3, { sigma: 1e-3 }).array()).toEqual([[[5, 3]]]);
  });

  test("refuses weights and widths that are none", () => {
    for (const options of [
      { sigma: 0 },
      { sigma: [1] },
      { sigma: -1 },
      { sigma: Number.NaN },
      { weights: "cosine" },
      { divisorOverride: 2 },
    ])
      expect(() => new nn.WeightedAvgPool2d(3, options as object), JSON.stringify(options)).toThrow(/^WeightedAvgPool2d: /);
  });
});

describe("maxout", () => {
  test("takes the largest of neighbouring features, of examples and of images", async () => {
    expect(await gradus.maxout(tensor([[1, 4, 2, -1, -3, -2]]), 3).array()).toEqual([[4, -1]]);
    expect(await new nn.Maxout(2).forward(tensor([[[[1]], [[2]], [[4]], [[3]]]])).array()).toEqual([[[[2]], [[4]]]]);
  });

  test("of linear pieces is any convex function: here |x|, learnt by nobody", async () => {
    const x = tensor([[-3], [0.5], [2]]);
    const y = gradus.maxout(x.matmul(tensor([[1, -1]])), 2);
    expect(await y.array()).toEqual([[3], [0.5], [2]]);
  });

  test("refuses features that do not divide, and pieces that are none", () => {
    expect(() => new nn.Maxout(3).forward(zeros([2, 4]))).toThrow(/^Maxout: axis 1 of \[2, 4\] does not divide[\s\S]*4 features/);
    for (const pieces of [0, 1.5, -1]) expect(() => new nn.Maxout(pieces)).toThrow(/^Maxout: pieces is/);
    expect(() => gradus.maxout(zeros([4]), 2)).toThrow(/^maxout: there is no axis 1/);
  });
});
