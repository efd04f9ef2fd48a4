import { describe, expect, test } from "vitest";
import {
  chunk,
  circularPad,
  compile,
  gradients,
  maskedFill,
  ones,
  reflectPad,
  replicatePad,
  scatterAdd,
  scatterAddAlong,
  type Tensor,
  tensor,
  tril,
  triu,
  vmap,
  zeros,
} from "../../src/index.ts";

const ints = (values: number[] | number[][]): Tensor => tensor(values as number[], { dtype: "int32" });
const row = (...values: number[]): Tensor => tensor(values);

describe("tril and triu", () => {
  test("keep what is no number out of what they cut off, and out of its gradient", async () => {
    const x = tensor([[1, Number.NaN], [2, Number.POSITIVE_INFINITY]]).tracked(); // biome-ignore format: rows
    const y = tril(x, -1);
    expect(await y.array()).toEqual([[0, 0], [2, 0]]); // biome-ignore format: rows
    expect(await gradients(y.square().sum(), x).array()).toEqual([[0, 0], [4, 0]]); // biome-ignore format: rows
  });

  test("take integers and bools, and make a causal mask", async () => {
    expect(await triu(ints([[1, 2], [3, 4]])).array()).toEqual([[1, 2], [0, 4]]); // biome-ignore format: rows
    const mask = tril(ones([3, 3], { dtype: "bool" }));
    expect(mask.dtype).toBe("bool");
    expect(await mask.cast("int32").array()).toEqual([[1, 0, 0], [1, 1, 0], [1, 1, 1]]); // biome-ignore format: rows
  });

  test("under vmap cut each matrix", async () => {
    const x = ones([2, 3, 3]);
    expect(await vmap((m: Tensor) => triu(m, 1))(x).array()).toEqual(await triu(x, 1).array());
  });
});

describe("maskedFill", () => {
  test("takes a number or a scalar, keeps the dtype, and hides NaN from the gradient", async () => {
    const x = tensor([1, Number.NaN, 3]).tracked();
    const y = maskedFill(x, x.isNaN(), -1);
    expect(await y.array()).toEqual([1, -1, 3]);
    expect(await gradients(y.square().sum(), x).array()).toEqual([2, 0, 6]);
    expect(await maskedFill(ints([1, 2]), tensor([true, false]), 9).array()).toEqual([9, 2]);
    expect(maskedFill(ints([1, 2]), tensor([true, false]), 9).dtype).toBe("int32");
  });
});

describe("padding", () => {
  test("cuts off where a width is negative, after it has put elements at the other end", async () => {
    const x = row(0, 1, 2, 3);
    expect(await reflectPad(x, [[2, -1]]).array()).toEqual([2, 1, 0, 1, 2]);
    expect(await replicatePad(x, [[-3, 2]]).array()).toEqual([3, 3, 3]);
    expect(await circularPad(x, [[-1, 3]]).array()).toEqual([1, 2, 3, 0, 1, 2]);
    expect(await reflectPad(x, [[-1, -1]]).array()).toEqual([1, 2]);
  });

  test("of integers and bools keeps them", async () => {
    expect(await reflectPad(ints([1, 2, 3]), [[2, 2]]).array()).toEqual([3, 2, 1, 2, 3, 2, 1]);
    expect(replicatePad(tensor([true, false]), [[1, 1]]).dtype).toBe("bool");
  });

  test("of a gradient adds up what stands for one element, without reading or adding at computed places", async () => {
    const x = row(1, 2, 3).tracked();
    expect(await gradients(replicatePad(x, [[2, 1]]).sum(), x).array()).toEqual([3, 1, 2]);
    expect(await gradients(reflectPad(x, [[2, 2]]).sum(), x).array()).toEqual([2, 3, 2]);
  });
});

describe("scatterAdd", () => {
  test("adds what broadcasts, in the wider dtype, and leaves its tensor as it was", async () => {
    const x = zeros([4]);
    const counts = scatterAdd(x, ints([1, 3, 1]), 1);
    expect(await counts.array()).toEqual([0, 2, 0, 1]);
    expect(await x.array()).toEqual([0, 0, 0, 0]);
    expect(scatterAdd(ints([0, 0]), ints([0]), row(0.5)).dtype).toBe("float32");
  });

  test("takes positions of any shape, and its axis from the end", async () => {
    const x = zeros([2, 3]);
    const y = scatterAdd(x, ints([[0, 2], [2, 2]]), ones([2, 2, 2]), -1); // biome-ignore format: rows
    expect(await y.array()).toEqual([[1, 0, 3], [1, 0, 3]]); // biome-ignore format: rows
  });

  test("of a position outside the axis is an error when it runs, with the user's line", async () => {
    for (const bad of [3, -1]) {
      await expect(scatterAdd(zeros([3]), ints([bad]), 1).array()).rejects.toThrow(
        new RegExp(`^scatterAdd: index ${bad} is outside an axis of size 3 +at edges\\.test\\.ts`),
      );
      await expect(scatterAddAlong(zeros([3]), ints([bad]), 1).array()).rejects.toThrow(/^scatterAddAlong: index .* at edges\.test\.ts/);
    }
  });

  test("is what gather undoes in a gradient, compiled and under vmap", async () => {
    const x = ones([2, 3]);
    const each = vmap((r: Tensor, i: Tensor) => scatterAdd(r, i, row(1, 2)))(x, ints([[0, 0], [2, 1]])); // biome-ignore format: rows
    expect(await each.array()).toEqual([[4, 1, 1], [1, 3, 2]]); // biome-ignore format: rows
    const step = compile((r: Tensor, i: Tensor) => scatterAdd(r, i, row(1, 2)));
    expect(await step(row(0, 0, 0), ints([2, 2])).array()).toEqual([0, 0, 3]);
  });
});

describe("cumprod", () => {
  test("runs from the end, leaves the element out, and takes integers", async () => {
    expect(await row(2, 3, 4).cumprod(0, { reverse: true }).array()).toEqual([24, 12, 4]);
    expect(await row(2, 3, 4).cumprod(0, { exclusive: true }).array()).toEqual([1, 2, 6]);
    expect(await ints([2, 3, 4]).cumprod().array()).toEqual([2, 6, 24]);
    expect(await tensor([true, true, false]).cumprod().array()).toEqual([1, 1, 0]);
    expect(await tensor(3).cumprod(0).item()).toBe(3);
  });

  test("has a gradient, and a gradient of it, where elements are 0", async () => {
    const x = row(2, 0, 3).tracked();
    const first = gradients(x.cumprod().sum(), x);
    expect(await first.array()).toEqual([1, 8, 0]);
    // ∂²(x₀ + x₀x₁ + x₀x₁x₂)/∂x₁∂xᵢ = [1 + x₂, 0, x₀].
    expect(await gradients(first.at(1) as Tensor<[]>, x).array()).toEqual([4, 0, 2]);
  });
});

describe("chunk", () => {
  test("gives parts of one size, the last one smaller, and fewer of them if they do not fill up, as in PyTorch", async () => {
    const parts = (n: number, count: number): number[] => chunk(zeros([n, 2]), count).map((part) => part.shape[0]);
    expect(parts(6, 3)).toEqual([2, 2, 2]);
    expect(parts(7, 3)).toEqual([3, 3, 1]);
    expect(parts(5, 4)).toEqual([2, 2, 1]);
    expect(parts(2, 5)).toEqual([1, 1]);
    expect(parts(0, 3)).toEqual([0, 0, 0]);
    expect(await chunk(tensor([[1, 2, 3]]), 2, -1)[1]!.array()).toEqual([[3]]);
  });
});

describe("what does not fit is refused, with the name of the function and the user's line", () => {
  const x = zeros([2, 3]);
  const wrong: readonly [f: () => unknown, said: RegExp][] = [
    [() => tril(zeros([3])), /^tril: \[3\] is no matrix/],
    [() => triu(x, 0.5), /^triu: diagonal is 0.5/],
    [() => tril([[1]] as never), /^tril: .* is not a tensor/],
    [() => maskedFill(x, ones([2, 3]), 0), /^maskedFill: the mask is float32, not bool/],
    [() => maskedFill(x, ones([4, 2, 3], { dtype: "bool" }), 0), /^maskedFill: the mask is \[4, 2, 3\], the tensor \[2, 3\]/],
    [() => maskedFill(x, ones([2, 3], { dtype: "bool" }), zeros([4, 2, 3])), /^maskedFill: the value is \[4, 2, 3\], the tensor \[2, 3\]/],
    [() => reflectPad(x, [[3, 0]]), /^reflectPad: \[3, 0\] on axis 1 of \[2, 3\][\s\S]*at most 2 on either side/],
    [() => reflectPad(x, [[2, 0], [0, 0]]), /^reflectPad: \[2, 0\] on axis 0 of \[2, 3\][\s\S]*at most 1/], // biome-ignore format: rows
    [() => replicatePad(zeros([0]), [[1, 0]]), /^replicatePad: \[1, 0\] on axis 0 of \[0\][\s\S]*empty axis/],
    [() => circularPad(x, [[0, 4]]), /^circularPad: \[0, 4\] on axis 1[\s\S]*at most 3/],
    [() => reflectPad(x, [[1, 1], [1, 1], [1, 1]]), /^reflectPad: 3 pairs for \[2, 3\]/], // biome-ignore format: rows
    [() => reflectPad(x, [1, 1] as never), /^reflectPad: 1 is not a pair/],
    [() => replicatePad(x, 1 as never), /^replicatePad: the widths are 1/],
    [() => replicatePad(x, [[-2, -2]]), /^replicatePad: .* cuts more than \[2, 3\] has/],
    [() => scatterAdd(x, row(1), 1), /^scatterAdd: positions are int32, not float32/],
    [() => scatterAdd(x, ints([1]), 1, 2), /^scatterAdd: there is no axis 2/],
    [() => scatterAdd(x, ints([1]), zeros([2, 3])), /^scatterAdd: the updates are \[2, 3\], must be \[1, 3\]/],
    [() => scatterAdd(zeros([2], { dtype: "bool" }), ints([1]), tensor([true])), /^scatterAdd: bool is not added up/],
    [() => scatterAdd(x, [1] as never, 1), /^scatterAdd: .* is not a tensor/],
    [() => scatterAddAlong(x, ints([1]), 1), /^scatterAddAlong: \[2, 3\] and its indices \[1\] differ outside axis 1/],
    [() => x.cumprod(2), /^cumprod: there is no axis 2/],
    [() => x.cumprod(0, { revers: true } as object), /^cumprod: there is no option "revers"/],
    [() => chunk(x, 0), /^chunk: 0 parts/],
    [() => chunk(x, 2, 5), /^chunk: there is no axis 5/],
  ];
  test.each(wrong.map(([f, said]) => [String(said), f, said] as const))("%s", (_, f, said) => {
    expect(f).toThrow(said);
    expect(f).toThrow(/ at edges\.test\.ts:\d+/);
  });
});
