import fc from "fast-check";
import { add, DTypeError, maximum, relu, ShapeError, sub, type Tensor, tensor, where, zeros } from "gradus";
import { describe, expect, test } from "vitest";

const int = (x: number | number[]): Tensor => tensor(x as never, { dtype: "int32" });
const floats = (x: readonly number[]): Tensor => tensor(x as number[], { dtype: "float64" });

describe("elementwise operations", () => {
  test("shapes broadcast from the right", async () => {
    expect(
      await tensor([[1], [2]])
        .add([10, 20])
        .array(),
    ).toEqual([
      [11, 21],
      [12, 22],
    ]);
    expect(zeros([5, 1, 3]).add(zeros([4, 3])).shape).toEqual([5, 4, 3]);
    expect(zeros([0, 3]).add(zeros([1])).shape).toEqual([0, 3]);
    expect(() => tensor([1, 2]).add([1, 2, 3] as never)).toThrow("add: cannot broadcast [2] with [3]");
  });

  test("dtypes promote to the wider, and a lone number never promotes", () => {
    expect(int([1]).add(tensor([0.5])).dtype).toBe("float32");
    expect(tensor([true]).mul(tensor([0.5])).dtype).toBe("float32");
    expect(tensor([1]).add(floats([1])).dtype).toBe("float64");
    expect(() => int([1]).add(0.5)).toThrow(/0\.5 is not an integer, but the tensor is int32/);
    expect(() => int([1]).add([0.5])).toThrow(DTypeError);
    expect(() => int([1]).add(2 ** 31)).toThrow(/does not fit into int32/);
    expect(() => int([1]).add(tensor([1], { dtype: "uint32" }))).toThrow(/no common type/);
  });

  test("integers are told how to become floats", () => {
    expect(() => int([1]).exp()).toThrow(/exp: needs float32 or float64, not int32[\s\S]*x\.cast\("float32"\)\.exp/);
    expect(() => int([7]).div(2)).toThrow(/floorDiv/);
    expect(() => int([7]).mean()).toThrow(/mean: needs float32/);
    expect(() => tensor([true]).add(true)).toThrow(/bool is not a number/);
    expect(() => tensor([1], { dtype: "uint8" }).add(1)).toThrow(/uint8 is for storage/);
  });

  test("integer division and remainder round toward minus infinity, and give 0 for a divisor of 0", async () => {
    expect(
      await int([7, -7, 7, 5])
        .floorDiv(int([2, 2, -2, 0]))
        .array(),
    ).toEqual([3, -4, -4, 0]);
    expect(
      await int([7, -7, 7, 5])
        .mod(int([2, 2, -2, 0]))
        .array(),
    ).toEqual([1, 1, -1, 0]);
    expect(await tensor([1, -1, 0]).div(0).array()).toEqual([Infinity, -Infinity, Number.NaN]);
  });

  test("comparisons give bool, also of bool and uint8", async () => {
    expect(await tensor([1, 2, Number.NaN]).ge(2).array()).toEqual([false, true, false]);
    expect(await tensor([1, Number.NaN]).ne([1, Number.NaN]).array()).toEqual([false, true]);
    expect(await tensor([true, false]).eq(true).array()).toEqual([true, false]);
    expect(await tensor([1, 200], { dtype: "uint8" }).gt(100).array()).toEqual([false, true]);
    expect(await tensor([true, true]).logicalAnd([true, false]).array()).toEqual([true, false]);
  });

  test("whole powers are products, exact for integers", async () => {
    expect(await int([-3, 2]).pow(3).array()).toEqual([-27, 8]);
    expect(await tensor([2, 9]).pow(0.5).array()).toEqual([Math.fround(Math.SQRT2), 3]);
    expect(
      await tensor([2])
        .pow(tensor([10]))
        .array(),
    ).toEqual([1024]);
    expect(await floats([1.5]).pow(7).item()).toBeCloseTo(1.5 ** 7, 12);
  });

  test("NaN survives maximum, minimum, relu and clip", async () => {
    const x = tensor([Number.NaN, -1, 3]);
    for (const y of [x.maximum(0), x.minimum(0), x.relu(), x.clip(0, 1)]) expect((await y.array())[0]).toBeNaN();
    expect(await x.clip(0, 1).at("1:").array()).toEqual([0, 1]);
    expect(await int([5, -5]).clip(-Infinity, 3).array()).toEqual([3, -5]);
    expect(() => x.clip(1, 0)).toThrow(/no range/);
  });

  test("functions take numbers on either side", async () => {
    expect(await sub(1, tensor([0.25])).array()).toEqual([0.75]);
    expect(await add([1, 2], 1).array()).toEqual([2, 3]);
    expect(await maximum(0, int([-1, 1])).array()).toEqual([0, 1]);
    expect(await relu(-2).item()).toBe(0);
  });

  test("where broadcasts all three and wants a bool", async () => {
    expect(await where(tensor([true, false]), 1, [[0], [5]]).array()).toEqual([
      [1, 0],
      [1, 5],
    ]);
    expect(() => where(tensor([1]), 1, 0)).toThrow(/the condition is float32, not bool/);
  });

  const formulas: Record<string, [(x: Tensor) => Tensor, (x: number) => number]> = {
    softplus: [(x) => x.softplus(), (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))],
    softsign: [(x) => x.softsign(), (x) => x / (1 + Math.abs(x))],
    silu: [(x) => x.silu(), (x) => x / (1 + Math.exp(-x))],
    logSigmoid: [(x) => x.logSigmoid(), (x) => Math.min(x, 0) - Math.log1p(Math.exp(-Math.abs(x)))],
    mish: [(x) => x.mish(), (x) => x * Math.tanh(Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))))],
    elu: [(x) => x.elu(2), (x) => (x > 0 ? x : 2 * Math.expm1(x))],
    leakyRelu: [(x) => x.leakyRelu(0.1), (x) => (x > 0 ? x : 0.1 * x)],
    rsqrt: [(x) => x.square().add(1).rsqrt(), (x) => 1 / Math.sqrt(x * x + 1)],
    gelu: [(x) => x.gelu("tanh"), (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))],
  };
  for (const [name, [build, formula]] of Object.entries(formulas))
    test(`${name} is its formula, without overflow at ±1000`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(fc.double({ min: -30, max: 30, noNaN: true }), { minLength: 1, maxLength: 8 }), async (xs) => {
          const found: number[] = await build(floats(xs)).array();
          xs.forEach((x, i) => {
            expect(Math.abs(found[i]! - formula(x))).toBeLessThan(1e-9 * (1 + Math.abs(formula(x))));
          });
        }),
        { numRuns: 20 },
      );
      for (const y of await build(floats([1000, -1000])).array()) expect(y).not.toBeNaN();
    });
});

describe("products of tensors", () => {
  test("vectors are rows on the left and columns on the right", async () => {
    const m = tensor([
      [1, 2],
      [3, 4],
    ]);
    expect(await m.matmul(tensor([1, 1])).array()).toEqual([3, 7]);
    expect(await tensor([1, 1]).matmul(m).array()).toEqual([4, 6]);
    expect(
      await tensor([1, 2])
        .matmul(tensor([3, 4]))
        .array(),
    ).toBe(11);
    expect(
      await tensor([1, 2])
        .dot(tensor([3, 4]))
        .item(),
    ).toBe(11);
  });

  test("batches broadcast", async () => {
    const a = tensor(
      Float32Array.from({ length: 24 }, (_, i) => i),
      [2, 3, 4],
    );
    const b = tensor(
      Float32Array.from({ length: 8 }, (_, i) => i),
      [4, 2],
    );
    const both = await a.matmul(b).array();
    for (const i of [0, 1]) expect(both[i]).toEqual(await a.at(i).matmul(b).array());
    expect(zeros([8, 1, 2, 3]).matmul(zeros([7, 3, 5])).shape).toEqual([8, 7, 2, 5]);
    expect(zeros([7, 2, 3]).matmul(zeros([3])).shape).toEqual([7, 2]);
    expect(zeros([3]).matmul(zeros([7, 3, 5])).shape).toEqual([7, 5]);
  });

  test("an inner size of 0 gives zeros", async () => {
    expect(
      await zeros([2, 0])
        .matmul(zeros([0, 2]))
        .array(),
    ).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });

  test("sizes that differ are explained, with the transpose that would fit", () => {
    expect(() => zeros([8, 784]).matmul(zeros([10, 784]) as never)).toThrow(
      /inner sizes differ: \[8, 784\] × \[10, 784\][\s\S]*help: a\.matmul\(b\.transpose\(\)\) gives \[8, 10\]/,
    );
    expect(() => zeros([]).matmul(zeros([2]) as never)).toThrow(ShapeError);
  });
});
