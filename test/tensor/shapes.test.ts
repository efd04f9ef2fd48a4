import fc from "fast-check";
import { arange, concat, einsum, grad, split, stack, type Tensor, tensor, zeros } from "gradus";
import { describe, expect, test } from "vitest";

const m = tensor([
  [1, 2, 3],
  [4, 5, 6],
]);

describe("shapes and places", () => {
  test("reshape takes one -1, and says both shapes where it cannot", async () => {
    expect(await m.reshape([3, -1]).array()).toEqual([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    expect(() => m.reshape([-1, -1] as never)).toThrow(/only one size may be -1: \[2, 3\] to \[-1, -1\]/);
    expect(() => m.reshape([4, 2])).toThrow("reshape: [2, 3] has 6 elements, [4, 2] has 8");
    expect(() => m.reshape([4, -1])).toThrow(/not a multiple of 4/);
    expect(zeros([0, 3]).reshape([3, 0]).shape).toEqual([3, 0]);
    expect(() => zeros([0, 3]).reshape([0, -1])).toThrow(/not a multiple of 0/);
  });

  test("axes that do not exist, or stand twice, are errors", () => {
    expect(() => m.sum(2 as never)).toThrow(/sum: there is no axis 2/);
    expect(() => m.sum([0, -2])).toThrow(/named twice/);
    expect(() => m.permute([0, 0])).toThrow(/named twice/);
    expect(() => m.transpose(0, 5 as never)).toThrow(/no axis 5/);
    expect(() => tensor(1).sum(1 as never)).toThrow(/there is no axis 1/);
    expect(() => m.softmax(2)).toThrow(/no axis 2/);
    expect(() => m.unsqueeze(3.5)).toThrow(/no axis 3.5/);
  });

  test("a scalar counts as [1] where an axis is named, and stays a scalar", async () => {
    const x = tensor(2.5);
    for (const axis of [0, -1] as const) {
      for (const y of [x.sum(axis), x.mean(axis), x.max(axis), x.min(axis), x.product(axis), x.logSumExp(axis), x.norm(axis)]) {
        expect(y.shape).toEqual([]);
        expect(await y.item()).toBe(2.5);
      }
      for (const y of [x.sort(axis), x.cumsum(axis), x.squeeze(axis), x.flip(axis), x.topK(1, axis).values])
        expect(await y.item()).toBe(2.5);
      for (const y of [x.argmax(axis), x.argmin(axis), x.argsort(axis), x.topK(1, axis).indices, x.logSoftmax(axis)])
        expect(await y.item()).toBe(0);
      expect(await x.softmax(axis).item()).toBe(1);
      expect(await x.std(axis).item()).toBeNaN();
      expect(await x.variance(axis, { correction: 0 }).item()).toBe(0);
      expect(await x.gt(0).any(axis).array()).toBe(true);
      expect(x.sum(axis, { keepDims: true }).shape).toEqual([]);
      expect(x.argmax(axis, { keepDims: true }).shape).toEqual([]);
    }
    expect(await x.sum([0]).item()).toBe(2.5);
    expect(await grad((v: Tensor) => v.logSumExp(0).add(v.max(-1)))(x).item()).toBe(2);
    const wrong: ((v: Tensor) => Tensor)[] = [(v) => v.sum(1), (v) => v.argmax(-2), (v) => v.softmax(1), (v) => v.squeeze(1), (v) => v.flip(-2), (v) => v.topK(1, 1).values]; // biome-ignore format: a list
    for (const f of wrong) expect(() => f(x)).toThrow(/there is no axis/);
    expect(() => x.topK(2)).toThrow(/axis -1 has 1 elements/);
  });

  test("transpose, permute, squeeze, unsqueeze and flatten move no numbers about wrongly", async () => {
    expect(await m.transpose().array()).toEqual([
      [1, 4],
      [2, 5],
      [3, 6],
    ]);
    expect(zeros([2, 3, 4]).permute([2, 0, 1]).shape).toEqual([4, 2, 3]);
    expect(m.unsqueeze(-1).shape).toEqual([2, 3, 1]);
    expect(m.unsqueeze(0).squeeze(0).shape).toEqual([2, 3]);
    expect(zeros([1, 2, 1]).squeeze().shape).toEqual([2]);
    expect(() => m.squeeze(0)).toThrow(/has size 2, not 1/);
    expect(zeros([2, 3, 4]).flatten(1).shape).toEqual([2, 12]);
    expect(tensor(1).flatten().shape).toEqual([1]);
    expect(() => tensor([1, 2]).transpose()).toThrow(/no axis -2/);
  });

  test("pad, flip, repeat and broadcastTo", async () => {
    expect(
      await tensor([1, 2])
        .pad([[1, 2]], 9)
        .array(),
    ).toEqual([9, 1, 2, 9, 9]);
    expect(
      await tensor([1, 2, 3])
        .pad([[-1, 1]])
        .array(),
    ).toEqual([2, 3, 0]);
    expect(m.pad([[1, 1]]).shape).toEqual([2, 5]);
    expect(await m.flip(1).array()).toEqual([
      [3, 2, 1],
      [6, 5, 4],
    ]);
    expect(await m.flip().array()).toEqual([
      [6, 5, 4],
      [3, 2, 1],
    ]);
    expect(await tensor([1, 2]).repeat(2, 2).array()).toEqual([
      [1, 2, 1, 2],
      [1, 2, 1, 2],
    ]);
    expect(await tensor([1, 2]).broadcastTo([2, 2]).array()).toEqual([
      [1, 2],
      [1, 2],
    ]);
    expect(() => m.broadcastTo([3])).toThrow(/does not stretch/);
    expect(() => tensor([1]).pad([[-1, -1]])).toThrow(/cuts more/);
  });

  test("concat, stack and split are each other's inverses", async () => {
    const parts = split(m, [1, 2], 1);
    expect(parts.map((p) => p.shape)).toEqual([
      [2, 1],
      [2, 2],
    ]);
    expect(await concat(parts, 1).array()).toEqual(await m.array());
    expect(await stack([tensor([1, 2]), tensor([3, 4])], 1).array()).toEqual([
      [1, 3],
      [2, 4],
    ]);
    expect(concat([tensor([1]), arange(2)], 0).dtype).toBe("float32");
    expect(() => concat([] as never, 0)).toThrow(/empty list/);
    expect(() => split(m, 2, 1)).toThrow(/does not divide/);
    expect(() => split(m, [1, 1], 1)).toThrow(/does not add up/);
    expect(() => stack([tensor([1]), tensor([1, 2])])).toThrow(/shapes differ/);
  });

  test("einsum multiplies equal letters and sums the rest", async () => {
    expect(await einsum("ij,kj->ik", m, m).array()).toEqual([
      [14, 32],
      [32, 77],
    ]);
    expect(await einsum("ij->", m).item()).toBe(21);
  });

  test("a stated shape is checked where its sizes are given", () => {
    expect(m.as([2, -1]).shape).toEqual([2, 3]);
    expect(() => m.as([3, -1])).toThrow("as: [2, 3] is not [3, -1]");
  });
});

describe("Python's brackets", () => {
  test("numbers drop an axis, slices keep it, and several entries may stand in one text", async () => {
    expect(await m.at(0).array()).toEqual([1, 2, 3]);
    expect(await m.at(-1, -1).item()).toBe(6);
    expect(await m.at(":, ::-1").array()).toEqual([
      [3, 2, 1],
      [6, 5, 4],
    ]);
    expect(await m.at("1:").array()).toEqual([[4, 5, 6]]);
    expect(await m.at("...", 0).array()).toEqual([1, 4]);
    expect(m.at("None").shape).toEqual([1, 2, 3]);
    expect(m.at("..., None").shape).toEqual([2, 3, 1]);
    expect(await m.at("0, 1").item()).toBe(2);
  });

  test("slices follow Python's rules for every start, stop and step", async () => {
    const python = (n: number, start: number | undefined, stop: number | undefined, step: number): number[] => {
      const clamp = (i: number): number => Math.min(step > 0 ? n : n - 1, Math.max(step > 0 ? 0 : -1, i < 0 ? i + n : i));
      const from = start === undefined ? (step > 0 ? 0 : n - 1) : clamp(start);
      const to = stop === undefined ? (step > 0 ? n : -1) : clamp(stop);
      const out: number[] = [];
      for (let i = from; step > 0 ? i < to : i > to; i += step) out.push(i);
      return out;
    };
    const bound = fc.option(fc.integer({ min: -8, max: 8 }), { nil: undefined });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 6 }), bound, bound, fc.integer({ min: -3, max: 3 }), async (n, start, stop, step) => {
        fc.pre(step !== 0);
        expect(
          await arange(n)
            .at(`${start ?? ""}:${stop ?? ""}:${step}`)
            .array(),
        ).toEqual(python(n, start, stop, step));
      }),
      { numRuns: 150 },
    );
  });

  test("int32 tensors pick rows; two side by side pick elements together", async () => {
    const rows = tensor([1, 0, -1], { dtype: "int32" });
    expect(await m.at(rows).array()).toEqual([
      [4, 5, 6],
      [1, 2, 3],
      [4, 5, 6],
    ]);
    expect(await m.at(":", rows).array()).toEqual([
      [2, 1, 3],
      [5, 4, 6],
    ]);
    expect(await m.at(tensor([0, 1, 1], { dtype: "int32" }), rows).array()).toEqual([2, 4, 6]);
    expect(m.at(0, rows.reshape([3, 1])).shape).toEqual([3, 1]);
    await expect(m.at(tensor([2], { dtype: "int32" })).array()).rejects.toThrow("at: index 2 is outside an axis of size 2");
    await expect(m.at(tensor([0], { dtype: "int32" }), tensor([-4], { dtype: "int32" })).array()).rejects.toThrow(
      "index -4 is outside an axis of size 3",
    );
    expect(() => m.at(tensor([true, false]))).toThrow(/bool tensor is no index/);
  });

  test("tensors that do not stand side by side pick together, and their axes come first, as in NumPy", async () => {
    const x = arange(24).reshape([2, 3, 4]);
    const int = (list: number | number[] | number[][]) => tensor(list as number[], { dtype: "int32" });
    const pair = int([0, 1]);
    expect(await x.at(pair, ":", int([3, 0])).array()).toEqual([[3, 7, 11], [12, 16, 20]]); // biome-ignore format: rows
    expect(await x.at(pair, "...", int([3, 0])).array()).toEqual(await x.at(pair, ":", int([3, 0])).array());
    expect(x.at(int([[0], [1]]), ":", int([0, 1, 2])).shape).toEqual([2, 3, 3]);
    expect(await x.at(int([[0], [1]]), "::2", int([-1, 0])).array()).toEqual([[[3, 11], [0, 8]], [[15, 23], [12, 20]]]); // biome-ignore format: rows
    expect(x.at("None", pair, ":", pair).shape).toEqual([2, 1, 3]);
    expect(x.at(pair, "None", pair).shape).toEqual([2, 1, 4]);
    // A number drops its axis first: then the tensors are neighbours, or there is but one.
    expect(await x.at(pair, 0, pair).array()).toEqual([0, 13]);
    expect(x.at(0, ":", pair).shape).toEqual([3, 2]);
    const slope = grad((v: Tensor) => v.at(pair, ":", int([3, 3])).sum())(x.cast("float32"));
    expect(await slope.sum(1).array()).toEqual([[0, 0, 0, 3], [0, 0, 0, 3]]); // biome-ignore format: rows
    await expect(x.at(pair, ":", int([0, 4])).array()).rejects.toThrow("at: index 4 is outside an axis of size 4");
    expect(() => x.at(pair, ":", int([0, 1, 2]))).toThrow(/cannot broadcast \[2\] with \[3\]/);
    expect(() => m.at(tensor([0.5]))).toThrow(/positions are int32/);
  });

  test("what is no index is explained", () => {
    expect(() => m.at(2)).toThrow("at (axis 0): index 2 is outside an axis of size 2");
    expect(() => m.at(0, 0, 0)).toThrow(/3 indices for \[2, 3\]/);
    expect(() => m.at("a:b")).toThrow(/"a:b" is no slice/);
    expect(() => m.at("::0")).toThrow(/the step/);
    expect(() => m.at("..., ...")).toThrow(/may stand once/);
    expect(() => m.at(0.5)).toThrow(/not a whole number/);
    expect(() => m.at({} as never)).toThrow(/a Object is no index/);
  });

  test("gather and takeAlong read by number along any axis", async () => {
    const i = tensor([[2, 0]], { dtype: "int32" });
    expect(await m.gather(i, 1).array()).toEqual([[[3, 1]], [[6, 4]]]);
    expect(await m.takeAlong(tensor([[2], [0]], { dtype: "int32" }), 1).array()).toEqual([[3], [4]]);
    expect(zeros([4, 5, 6]).gather(tensor([0, 1], { dtype: "int32" }), 2).shape).toEqual([4, 5, 2]);
  });
});

describe("reductions", () => {
  test("all elements, one axis, several, with or without keepDims", async () => {
    expect(await m.sum().item()).toBe(21);
    expect(await m.sum(0).array()).toEqual([5, 7, 9]);
    expect(await m.mean(-1, { keepDims: true }).array()).toEqual([[2], [5]]);
    expect(await m.max([0, 1]).item()).toBe(6);
    expect(await m.sum([]).array()).toEqual(await m.array());
    expect(await m.product(0).array()).toEqual([4, 10, 18]);
    expect(await tensor(3).sum().item()).toBe(3);
  });

  test("bool is counted: its sum is an int32, its mean a float32", async () => {
    const mask = m.gt(2);
    expect(mask.sum().dtype).toBe("int32");
    expect(await mask.sum().item()).toBe(4);
    expect(await mask.mean().item()).toBeCloseTo(2 / 3, 6);
    expect(await mask.any(1).array()).toEqual([true, true]);
    expect(await mask.all(1).array()).toEqual([false, true]);
    expect(() => m.any()).toThrow(/needs bool/);
    expect(await mask.max().array()).toBe(true);
    expect(await tensor([200, 100], { dtype: "uint8" }).sum().item()).toBe(300);
  });

  test("empty axes: sum 0, product 1, mean NaN, softmax keeps the shape, extremes are errors", async () => {
    const empty = zeros([2, 0]);
    expect(await empty.sum(1).array()).toEqual([0, 0]);
    expect(await empty.product(1).array()).toEqual([1, 1]);
    expect(await empty.mean(1).array()).toEqual([Number.NaN, Number.NaN]);
    expect(empty.softmax().shape).toEqual([2, 0]);
    expect(await empty.softmax().array()).toEqual([[], []]);
    expect(() => empty.max(1)).toThrow(/empty/);
    expect(() => empty.argmax(1)).toThrow(/empty/);
    expect(zeros([0, 2]).max(1).shape).toEqual([0]);
  });

  test("argmax takes the first of equals and NaN for the extreme; max never drops NaN", async () => {
    expect(await tensor([1, 3, 3]).argmax().item()).toBe(1);
    expect(await m.argmax().item()).toBe(5);
    expect(await m.argmax(-1).array()).toEqual([2, 2]);
    expect(m.argmin(0, { keepDims: true }).shape).toEqual([1, 3]);
    expect(await m.argmax([0, 1]).item()).toBe(5);
    expect(m.argmin([0, -1], { keepDims: true }).shape).toEqual([1, 1]);
    const windows = tensor([[[4, 4], [5, 5]], [[0, 0], [0, 0]]]); // biome-ignore format: two windows
    expect(await windows.argmax([1, 2]).array()).toEqual([2, 0]);
    expect(await windows.argmin([0, 2]).array()).toEqual([2, 2]);
    expect(() => (m as Tensor).argmax([0, 2])).toThrow(/axis 2/);
    const x = tensor([1, Number.NaN, 3]);
    expect(await x.argmax().item()).toBe(1);
    expect(await x.max().item()).toBeNaN();
    expect(await x.min().item()).toBeNaN();
  });

  test("softmax, logSoftmax and logSumExp are stable at ±1000 and with −∞", async () => {
    const x = tensor([
      [1000, -1000, 0],
      [-Infinity, 0, 0],
    ]);
    expect(await x.softmax().array()).toEqual([
      [1, 0, 0],
      [0, 0.5, 0.5],
    ]);
    expect((await x.logSoftmax().array())[0]).toEqual([0, -2000, -1000]);
    expect(await tensor([-Infinity, -Infinity]).logSumExp().item()).toBe(-Infinity);
    expect(await tensor([1000, 1000]).logSumExp().item()).toBeCloseTo(1000 + Math.LN2, 3);
    expect(await tensor(5).softmax().item()).toBe(1);
  });

  test("variance divides by n − 1 unless said, and the norm of zeros has a gradient of zeros", async () => {
    const x = tensor([1, 2, 3, 4]);
    expect(await x.variance().item()).toBeCloseTo(5 / 3, 6);
    expect(await x.variance(0, { correction: 0 }).item()).toBeCloseTo(1.25, 6);
    expect(await x.std().item()).toBeCloseTo(Math.sqrt(5 / 3), 6);
    expect(await tensor([1]).variance().item()).toBeNaN();
    expect(await tensor([3, -4]).norm().item()).toBe(5);
    expect(await tensor([3, -4]).norm(0, { p: 1 }).item()).toBe(7);
    expect(await tensor([3, -4]).norm(0, { p: Infinity }).item()).toBe(4);
  });

  test("cumsum, sort, argsort and topK work along any axis", async () => {
    expect(await m.cumsum(0).array()).toEqual([
      [1, 2, 3],
      [5, 7, 9],
    ]);
    expect(await tensor([1, 2, 3]).cumsum(0, { reverse: true, exclusive: true }).array()).toEqual([5, 3, 0]);
    expect(await tensor([3, 1, 2]).sort().array()).toEqual([1, 2, 3]);
    expect(await tensor([3, 1, 2]).argsort(0, { descending: true }).array()).toEqual([0, 2, 1]);
    const { values, indices } = tensor([[1, 9, 5]]).topK(2);
    expect(await values.array()).toEqual([[9, 5]]);
    expect(await indices.array()).toEqual([[1, 2]]);
    expect(() => tensor([1]).topK(2)).toThrow(/axis -1 has 1 elements/);
  });

  test("rank 0 works wherever an axis is not needed", async () => {
    const s = tensor(2);
    const results: Tensor[] = [
      s.exp(),
      s.sum(),
      s.mean(),
      s.max(),
      s.argmax(),
      s.softmax(),
      s.cumsum(),
      s.sort(),
      s.flatten(),
      s.add(1),
      s.norm(),
      s.unsqueeze(0),
    ];
    for (const y of results) expect(await y.sum().item()).not.toBeNaN();
  });
});
