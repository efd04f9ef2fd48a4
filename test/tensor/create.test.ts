import {
  arange,
  compile,
  eye,
  full,
  linspace,
  MemoryError,
  oneHot,
  ones,
  type Shape,
  ShapeError,
  type Tensor,
  tensor,
  variable,
  zeros,
  zerosLike,
} from "gradus";
import { describe, expect, test } from "vitest";

const bad =
  (shape: unknown): (() => unknown) =>
  () =>
    zeros(shape as Shape);

describe("tensors from numbers", () => {
  test("nested numbers become float32, booleans bool, and typed arrays keep their type", async () => {
    expect(tensor([[1, 2]]).dtype).toBe("float32");
    expect(tensor([true, false]).dtype).toBe("bool");
    expect(await tensor([true, false]).array()).toEqual([true, false]);
    expect(tensor(new Int32Array(3)).dtype).toBe("int32");
    expect(tensor(new Float64Array(6), [2, 3]).dtype).toBe("float64");
    expect(tensor(3).shape).toEqual([]);
    expect(tensor([]).shape).toEqual([0]);
    expect(tensor([[], []] as number[][]).shape).toEqual([2, 0]);
  });

  test("the numbers are copied, in and out", async () => {
    const source = new Float32Array([1, 2]);
    const x = tensor(source);
    source[0] = 9;
    const copy = await x.data();
    copy[1] = 9;
    expect(await x.array()).toEqual([1, 2]);
  });

  test("what the dtype cannot hold is an error that names the place", () => {
    expect(() =>
      tensor(
        [
          [1, 2],
          [3, 4.5],
        ],
        { dtype: "int32" },
      ),
    ).toThrow(/4\.5 at \[1\]\[1\] is not an integer/);
    expect(() => tensor([300], { dtype: "uint8" })).toThrow(/300 at \[0\] does not fit into uint8/);
    expect(() => tensor([1, "3"] as never)).toThrow(/"3" at \[1\] is not a number/);
    expect(() => tensor([1n] as never)).toThrow(/1n at \[0\] is not a number/);
    expect(() => tensor(null as never)).toThrow(/null is not a tensor/);
    expect(() => tensor([1, 2], { dtype: "float16" as never })).toThrow(/float16 is not an element type/);
  });

  test("a finite number never becomes infinite: what float32 cannot hold is refused, wherever numbers come in", async () => {
    const beyond = /1e\+39.* does not fit into float32[\s\S]*float64/;
    expect(() => tensor([1, 1e39])).toThrow(/1e\+39 at \[1\] does not fit/);
    expect(() => tensor(Float64Array.of(0, -1e39), { dtype: "float32" })).toThrow(/-1e\+39 at \[1\][\s\S]*become -Infinity/);
    expect(() => tensor([1e39], [1])).toThrow(beyond);
    expect(() => full([2], 1e39)).toThrow(beyond);
    expect(() => ones([1]).mul(1e39)).toThrow(beyond);
    expect(() => variable([1e39])).toThrow(beyond);
    expect(() => variable([1]).assign([1e39])).toThrow(beyond);
    expect(() => compile((x: Tensor) => x.mul(2))(1e39)).toThrow(beyond);
    expect(() => linspace(0, 1e39, 2)).toThrow(beyond);
    expect(() => ones([1]).leakyRelu(1e39)).toThrow(beyond);
    expect(() => ones([1]).elu(-1e39)).toThrow(/-1e\+39 does not fit/);
    expect(await tensor([1e39], { dtype: "float64" }).array()).toEqual([1e39]);
    expect(await tensor([Number.POSITIVE_INFINITY, Number.NaN, 3.4028235e38]).array()).toEqual([
      Number.POSITIVE_INFINITY,
      Number.NaN,
      Math.fround(3.4028235e38),
    ]);
  });

  test("64-bit integers are refused in typed arrays too, and whole ranges are checked, not their ends", () => {
    expect(() => tensor(BigInt64Array.of(1n) as never, { dtype: "float32" })).toThrow(/1n is not a number/);
    expect(() => linspace(0, 1, 3, { dtype: "int32" })).toThrow(/0\.5 at \[1\] is not an integer/);
    expect(() => arange(0, 1.5, 0.5, { dtype: "int32" })).toThrow(/0\.5 at \[1\] is not an integer/);
  });

  test("ragged rows are an error at run time too", () => {
    expect(() => tensor([[1, 2], [3]] as never)).toThrow(ShapeError);
    expect(() => tensor([[1, 2], 3] as never)).toThrow(/different lengths/);
    expect(() => tensor([1, 2, 3], [2, 2])).toThrow(/3 numbers do not fill \[2, 2\]/);
  });

  test("sizes that are no sizes are named with their axis", () => {
    for (const shape of [
      [2, -1],
      [2, Number.NaN],
      [2, 3.5],
      [2, "3"],
      [2, null],
      [2, undefined],
    ])
      expect(bad(shape)).toThrow(/of axis 1 is not a whole number/);
    // biome-ignore lint/suspicious/noSparseArray: it is what is tested
    expect(bad([2, , 3])).toThrow(/of axis 1/);
    expect(bad("3")).toThrow(/a shape is an array/);
    expect(bad(Array.from({ length: 17 }, () => 1))).toThrow(/at most 16/);
  });

  test("more elements than can exist are refused before anything is allocated", () => {
    expect(bad([2 ** 31, 2 ** 31])).toThrow(MemoryError);
    expect(bad([2 ** 52, 2 ** 52, 2 ** 52])).toThrow(MemoryError);
    expect(() => full([2 ** 20, 2 ** 20], 1)).toThrow(MemoryError);
    expect(() => arange(2 ** 40)).toThrow(MemoryError);
  });

  test("zeros, ones, full, eye, arange and linspace say what their names say", async () => {
    expect(await zeros([2, 2]).array()).toEqual([
      [0, 0],
      [0, 0],
    ]);
    expect(await ones([2], { dtype: "int32" }).array()).toEqual([1, 1]);
    expect(await full([2], true).array()).toEqual([true, true]);
    expect(await full([], 0.5).array()).toBe(0.5);
    expect(await eye(2).array()).toEqual([
      [1, 0],
      [0, 1],
    ]);
    expect(await eye(1, 3).array()).toEqual([[1, 0, 0]]);
    expect(await arange(3).array()).toEqual([0, 1, 2]);
    expect(await arange(5, 0, -2).array()).toEqual([5, 3, 1]);
    expect(arange(3).dtype).toBe("int32");
    expect(arange(0, 1, 0.25).dtype).toBe("float32");
    expect(await arange(0, 1, 0.25).array()).toEqual([0, 0.25, 0.5, 0.75]);
    expect(await linspace(0, 1, 3).array()).toEqual([0, 0.5, 1]);
    expect(await linspace(2, 1, 1).array()).toEqual([2]);
    expect(await zerosLike(tensor([1, 2], { dtype: "float64" })).array()).toEqual([0, 0]);
    expect(() => arange(0, 1, 0)).toThrow(/a step other than 0/);
  });

  test("one-hot rows are of the positions that there are, and others are refused, negative ones too", async () => {
    expect(await oneHot(tensor([0, 2, 1], { dtype: "int32" }), 3).array()).toEqual([
      [1, 0, 0],
      [0, 0, 1],
      [0, 1, 0],
    ]);
    await expect(oneHot(tensor([-1], { dtype: "int32" }), 3).array()).rejects.toThrow("oneHot: index -1 is outside an axis of size 3");
    const beyond = oneHot(tensor([2 ** 32 - 1], { dtype: "uint32" }), 3);
    await expect(beyond.array()).rejects.toThrow("oneHot: index 2147483647 is outside an axis of size 3");
    await expect(oneHot(tensor([3], { dtype: "int32" }), 3).array()).rejects.toThrow("oneHot: index 3 is outside an axis of size 3");
    expect(() => oneHot(tensor([0.5]), 3)).toThrow(/positions are int32/);
  });
});
