/** The table of edge conventions: what happens at kinks, at NaN and ±inf, and where there is nothing. */
import { describe, expect, test } from "vitest";
import type { Value } from "../../src/graph/op.ts";
import { evaluate } from "../../src/interpret/evaluate.ts";
import * as o from "../../src/ops/index.ts";
import { gradients } from "../../src/transform/gradients.ts";

const inf = Number.POSITIVE_INFINITY;
const vector = (...numbers: number[]): Value => o.constant(Float64Array.from(numbers), [numbers.length], "float64");
const ints = (...numbers: number[]): Value => o.constant(Int32Array.from(numbers), [numbers.length], "int32");
const rows = (...list: number[][]): Value => o.constant(Float64Array.from(list.flat()), [list.length, list[0]!.length], "float64");
const numbers = (v: Value): number[] => [...evaluate([v])[0]!];
/** dΣy/dx at x. */
const slope = (f: (x: Value) => Value, x: Value): number[] => {
  const y = f(x);
  const [g] = gradients(o.sum(y, [...y.shape.keys()]), [x]);
  return numbers(g!);
};

describe("At a kink the gradient", () => {
  test("of abs and relu at 0 is 0.", () => {
    expect(slope(o.abs, vector(-1, 0, 1))).toEqual([-1, 0, 1]);
    expect(slope(o.relu, vector(-1, 0, 1))).toEqual([0, 0, 1]);
  });
  test("of maximum and minimum is shared by two equals.", () => {
    const [a, b] = [vector(1, 2, 3, 0), vector(2, 2, 2, -0)];
    const [da, db] = gradients(o.sum(o.maximum(a, b), [0]), [a, b]);
    expect([numbers(da!), numbers(db!)]).toEqual([[0, 0.5, 1, 0.5], [1, 0.5, 0, 0.5]]); // biome-ignore format: pairs
    const [ma, mb] = gradients(o.sum(o.minimum(a, b), [0]), [a, b]);
    expect([numbers(ma!), numbers(mb!)]).toEqual([[1, 0.5, 0, 0.5], [0, 0.5, 1, 0.5]]); // biome-ignore format: pairs
  });
  test("of maximum and minimum goes to both if one is NaN.", () => {
    const [a, b] = [vector(Number.NaN, 1), vector(1, Number.NaN)];
    for (const f of [o.maximum, o.minimum])
      expect(gradients(o.sum(f(a, b), [0]), [a, b]).map((g) => numbers(g!))).toEqual([[1, 1], [1, 1]]); // biome-ignore format: pairs
  });
  test("of max over axes goes to the first of equals, or to a NaN.", () => {
    expect(slope((x) => o.max(x, [1]), rows([1, 3, 3], [5, Number.NaN, 9]))).toEqual([0, 1, 0, 0, 1, 0]);
    expect(slope((x) => o.max(x, [0, 1]), rows([1, 7], [7, 2]))).toEqual([0, 1, 0, 0]);
    expect(slope((x) => o.min(x, [0, 1]), rows([7, 1], [1, 2]))).toEqual([0, 1, 0, 0]);
  });
  test("of a square root at 0 is inf, and of a square root that was not chosen NaN.", () => {
    expect(slope(o.sqrt, vector(0, 4))).toEqual([inf, 0.25]);
    const trap = (x: Value): Value => o.select(o.gt(x, o.zerosLike(x)), o.sqrt(x), o.zerosLike(x));
    expect(slope(trap, vector(0, 4))).toEqual([Number.NaN, 0.25]);
  });
  test("of x⁰ is 0, also at 0, and again.", () => {
    const cube = (k: number) => (x: Value) => o.pow(x, o.scalarLike(x, k));
    expect(slope(cube(0), vector(0, 2))).toEqual([0, 0]);
    expect(slope((x) => gradients(o.sum(cube(2)(x), [0]), [x])[0]!, vector(0, 3))).toEqual([2, 2]);
    expect(slope((x) => gradients(o.sum(cube(1)(x), [0]), [x])[0]!, vector(0, 3))).toEqual([0, 0]);
  });
  test("of a product is right where factors are 0, and the second derivative too.", () => {
    expect(slope((x) => o.product(x, [0]), vector(0, 2, 3))).toEqual([6, 0, 0]);
    expect(slope((x) => o.product(x, [0]), vector(0, 2, 0, 5))).toEqual([0, 0, 0, 0]);
    const second = (x: Value): Value => gradients(o.product(x, [0]), [x])[0]!;
    expect(slope(second, vector(0, 2, 0))).toEqual([2, 0, 2]);
    expect(slope((x) => o.cumprod(x, 0), vector(2, 0, 3, 4))).toEqual([1, 32, 0, 0]);
  });
  test("of steps is none.", () => {
    const x = vector(0.5);
    for (const f of [o.floor, o.ceil, o.trunc, o.round, o.sign]) expect(gradients(o.sum(f(x), [0]), [x])).toEqual([null]);
  });
});

describe("NaN and infinities", () => {
  test("survive sign, relu, maximum, minimum, max and argmax.", () => {
    expect(numbers(o.sign(vector(Number.NaN, -inf, -0)))).toEqual([Number.NaN, -1, -0]);
    expect(numbers(o.relu(vector(Number.NaN, -inf, inf)))).toEqual([Number.NaN, 0, inf]);
    expect(numbers(o.maximum(vector(Number.NaN, 1), vector(1, Number.NaN)))).toEqual([Number.NaN, Number.NaN]);
    expect(numbers(o.minimum(vector(Number.NaN, 1), vector(1, Number.NaN)))).toEqual([Number.NaN, Number.NaN]);
    expect(numbers(o.max(rows([1, Number.NaN, 2]), [1]))).toEqual([Number.NaN]);
    expect(numbers(o.argmax(rows([1, Number.NaN, inf, Number.NaN]), 1))).toEqual([1]);
    expect(numbers(o.argmin(rows([1, 0, 0]), 1))).toEqual([1]);
  });
  test("are found by isNaN and isFinite.", () => {
    expect(numbers(o.isNaN(vector(Number.NaN, inf, 1)))).toEqual([1, 0, 0]);
    expect(numbers(o.isFinite(vector(Number.NaN, inf, -inf, 1)))).toEqual([0, 0, 0, 1]);
  });
  test("are sorted last, or first when descending; equals keep their order.", () => {
    expect(numbers(o.argsort(vector(3, Number.NaN, 1, 1, -inf), 0))).toEqual([4, 2, 3, 0, 1]);
    expect(numbers(o.argsort(vector(3, Number.NaN, 1, 1, -inf), 0, { descending: true }))).toEqual([1, 0, 2, 3, 4]);
  });
});

describe("Angles, lengths and logarithms", () => {
  const { PI } = Math;
  test("atan2 knows all quadrants, signs of zeros and infinities.", () => {
    const [y, x] = [vector(1, 1, -1, -1, 0, -0, 0, -0, inf, -inf, 1, -1), vector(1, -1, -1, 1, -0, -0, 0, 0, inf, -inf, -inf, inf)];
    const wanted = [1, 3, -3, -1, 4, -4, 0, -0, 1, -3, 4, -0].map((quarters) => (quarters * PI) / 4);
    expect(numbers(o.atan2(y, x))).toEqual(wanted.map((w) => (w === 0 ? w : expect.closeTo(w, 14))));
  });
  test("atan2, hypot and xlogy have a gradient of 0 at (0, 0), and finite ones again.", () => {
    for (const f of [o.atan2, o.hypot, o.xlogy]) {
      const [a, b] = [vector(0), vector(0)];
      const first = gradients(o.sum(f(a, b), [0]), [a, b]).map((g) => g!);
      expect(first.flatMap(numbers).map(Math.abs)).toEqual([0, 0]);
      const second = gradients(o.sum(o.add(first[0]!, first[1]!), [0]), [a, b]);
      for (const g of second) expect(numbers(g!)).toEqual([expect.any(Number)]);
      for (const g of second) expect(Number.isFinite(numbers(g!)[0])).toBe(true);
    }
  });
  test("the slope of an angle so near the origin that its length has no inverse is no NaN.", () => {
    const [y, x] = [vector(5e-324), vector(0)];
    expect(gradients(o.sum(o.atan2(y, x), [0]), [y, x]).map((g) => numbers(g!))).toEqual([[0], [-inf]]);
  });
  test("hypot does not overflow, and is infinite beside NaN.", () => {
    expect(numbers(o.hypot(vector(3e200, inf, Number.NaN, 0), vector(4e200, Number.NaN, 1, -0)))).toEqual([
      expect.closeTo(5e200, -186),
      inf,
      Number.NaN,
      0,
    ]);
  });
  test("xlogy is 0 where x is, unless y is NaN; its slope in x is log y.", () => {
    expect(numbers(o.xlogy(vector(0, 0, 0, 2), vector(0, -1, Number.NaN, 0)))).toEqual([0, 0, Number.NaN, -inf]);
    expect(slope((x) => o.xlogy(x, vector(1, 0, -1)), vector(0, 0, 0))).toEqual([0, 0, 0]);
    expect(slope((x) => o.xlogy(x, vector(Math.E)), vector(0))).toEqual([1]);
  });
  test("log2 is exact at every power of two.", () => {
    const exponents = Array.from({ length: 2098 }, (_, i) => i - 1074);
    expect(numbers(o.log2(vector(...exponents.map((k) => 2 ** k))))).toEqual(exponents);
  });
  test("inverse functions end where they do, with infinite slopes.", () => {
    expect(slope(o.asin, vector(1, 2))).toEqual([inf, Number.NaN]);
    expect(slope(o.acos, vector(-1))).toEqual([-inf]);
    expect(slope(o.acosh, vector(1))).toEqual([inf]);
    expect(numbers(o.atanh(vector(1, -1, 2)))).toEqual([inf, -inf, Number.NaN]);
    // Where squares overflow, slopes do not vanish before their time.
    expect(slope(o.asinh, vector(1e200))[0]).toBeCloseTo(1e-200, 210);
    expect(slope(o.acosh, vector(1e200))[0]).toBeCloseTo(1e-200, 210);
  });
  test("fmod has the sign of a, for integers too, and its slope in b is the quotient cut toward 0.", () => {
    expect(numbers(o.fmod(vector(5.5, -5.5, 5.5, -0, inf), vector(3, 3, -3, 2, 1)))).toEqual([2.5, -2.5, 2.5, -0, Number.NaN]);
    expect(numbers(o.fmod(ints(7, -7, 7, -6, 5), ints(3, 3, -3, 3, 0)))).toEqual([1, -1, 1, 0, 0]);
    expect(slope((b) => o.fmod(vector(-7, 1), b), vector(2, 0.1))).toEqual([3, -9]);
  });
});

describe("Log-sum-exp and softmax", () => {
  test("neither overflow at ±1000.", () => {
    expect(numbers(o.logSumExp(vector(1000, 1000), [0]))[0]).toBeCloseTo(1000 + Math.log(2), 12);
    expect(numbers(o.softmax(vector(1000, -1000), 0))).toEqual([1, 0]);
    expect(numbers(o.logSoftmax(vector(1000, -1000), 0))).toEqual([0, -2000]);
  });
  test("give a weight of 0 to −inf.", () => {
    expect(numbers(o.softmax(vector(0, -inf, 0), 0))).toEqual([0.5, 0, 0.5]);
    expect(slope((x) => o.logSumExp(x, [0]), vector(0, -inf, 0))).toEqual([0.5, 0, 0.5]);
  });
  test("of nothing but −inf are −inf with a gradient of 0, and NaN.", () => {
    expect(numbers(o.logSumExp(rows([-inf, -inf], [0, 0]), [1]))).toEqual([-inf, Math.log(2)]);
    expect(slope((x) => o.logSumExp(x, [1]), rows([-inf, -inf], [0, 0]))).toEqual([0, 0, 0.5, 0.5]);
    expect(numbers(o.softmax(vector(-inf, -inf), 0))).toEqual([Number.NaN, Number.NaN]);
  });
  test("keep inf and NaN.", () => {
    expect(numbers(o.logSumExp(rows([inf, 1], [Number.NaN, 1]), [1]))).toEqual([inf, Number.NaN]);
  });
});

describe("Of nothing", () => {
  const nothing = o.constant(new Float64Array(0), [2, 0], "float64");
  test("the sum is 0, the product 1, the mean NaN, log-sum-exp −inf.", () => {
    expect(numbers(o.sum(nothing, [1]))).toEqual([0, 0]);
    expect(numbers(o.product(nothing, [1]))).toEqual([1, 1]);
    expect(numbers(o.mean(nothing, [1]))).toEqual([Number.NaN, Number.NaN]);
    expect(numbers(o.logSumExp(nothing, [1]))).toEqual([-inf, -inf]);
  });
  test("a matrix product over an inner size of 0 is zeros.", () => {
    expect(numbers(o.matmul(nothing, o.constant(new Float64Array(0), [0, 3], "float64")))).toEqual([0, 0, 0, 0, 0, 0]);
  });
  test("softmax keeps the shape.", () => {
    expect(o.softmax(nothing, 1).shape).toEqual([2, 0]);
  });
});

describe("Minus zero", () => {
  test("stays what it is where it is padded and joined.", () => {
    const x = vector(-0, 0);
    expect(numbers(o.pad(x, { low: [1], high: [0], interior: [0], value: 3 }))).toEqual([3, -0, 0]);
    expect(numbers(o.concat([x, x], 0))).toEqual([-0, 0, -0, 0]);
  });
});

describe("Integers", () => {
  test("divide toward −∞, and by 0 to 0.", () => {
    const [a, b] = [ints(7, -7, 7, -7, 5), ints(2, 2, -2, -2, 0)];
    expect(numbers(o.floorDiv(a, b))).toEqual([3, -4, -4, 3, 0]);
    expect(numbers(o.mod(a, b))).toEqual([1, 1, -1, -1, 0]);
  });
  test("wrap.", () => {
    const big = ints(2 ** 31 - 1, -(2 ** 31));
    expect(numbers(o.add(big, ints(1, -1)))).toEqual([-(2 ** 31), 2 ** 31 - 1]);
    expect(numbers(o.mul(big, ints(3, 3)))).toEqual([2147483645, -(2 ** 31)]);
  });
  test("wrap in products and sums of products too, to the last bit.", () => {
    const [a, b] = [[2 ** 31 - 1, 123456789, -987654321, 65537], [2 ** 31 - 1, 987654321, 123456787, -77777777]]; // biome-ignore format: pairs
    for (const [dtype, wrapped] of [
      ["int32", BigInt.asIntN],
      ["uint32", BigInt.asUintN],
    ] as const) {
      // biome-ignore format: pairs
      const exact = (list: readonly number[]): bigint[] => list.map((n) => wrapped(32, BigInt(n)));
      const constant = (list: readonly number[]): Value =>
        o.constant(dtype === "int32" ? Int32Array.from(list) : Uint32Array.from(list), [4], dtype);
      const wrap = (n: bigint): number => Number(wrapped(32, n));
      const [x, y] = [exact(a), exact(b)];
      const [u, v] = [constant(a), constant(b)];
      const steps = x.map((_, i) => x.slice(0, i + 1).reduce((p, q) => p * q));
      expect(numbers(o.einsum("i,j->ij", u, v))).toEqual(x.flatMap((p) => y.map((q) => wrap(p * q))));
      expect(numbers(o.dot(u, v))).toEqual([wrap(x.reduce((sum, p, i) => sum + p * y[i]!, 0n))]);
      expect(numbers(o.product(u, [0]))).toEqual([wrap(steps.at(-1)!)]);
      expect(numbers(o.cumprod(u, 0))).toEqual(steps.map(wrap));
      expect(numbers(o.sum(u, [0]))).toEqual([wrap(x.reduce((p, q) => p + q))]);
      expect(numbers(o.cumsum(u, 0))).toEqual(x.map((_, i) => wrap(x.slice(0, i + 1).reduce((p, q) => p + q))));
    }
  });
  test("are made from floats by truncation, saturating, NaN to 0.", () => {
    expect(numbers(o.cast(vector(2.9, -2.9, 1e20, -inf, Number.NaN), "int32"))).toEqual([2, -2, 2 ** 31 - 1, -(2 ** 31), 0]);
    expect(numbers(o.cast(vector(-1, 1e20, 3.5), "uint32"))).toEqual([0, 2 ** 32 - 1, 3]);
    expect(numbers(o.cast(vector(0, 0.1, Number.NaN), "bool"))).toEqual([0, 1, 1]);
    expect(numbers(o.cast(ints(-1, 300), "uint8"))).toEqual([255, 44]);
  });
  test("are rounded to even from halves.", () => {
    expect(numbers(o.round(vector(0.5, 1.5, 2.5, -0.5, -1.5, 0.49999999999999994)))).toEqual([0, 2, 2, -0, -2, 0]);
  });
});
