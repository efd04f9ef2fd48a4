/** Sizes, axes, indices and element types that nobody should pass. */

import fc from "fast-check";
import {
  ArgumentError,
  arange,
  concat,
  DTypeError,
  einsum,
  eye,
  full,
  Generator,
  GradusError,
  InternalError,
  linspace,
  MemoryError,
  oneHot,
  ones,
  ShapeError,
  stack,
  type Tensor,
  tensor,
  variable,
  where,
  zeros,
} from "gradus";
import { Linear } from "gradus/nn";
import { describe, expect, test } from "vitest";
import { numbers, refused, USER_LINE } from "./harness.ts";

/** Calls that the types forbid. */
const loose = (x: unknown): any => x;
const make = { zeros, ones, full, eye, linspace, arange, tensor, oneHot } as Record<keyof any, (...args: any[]) => any>;
const ints = (...values: number[]): Tensor => tensor(values, { dtype: "int32" });

describe("torture 1: more elements than can exist", () => {
  const many = 2 ** 20;
  test.each<[string, () => unknown]>([
    ["zeros", () => zeros([2 ** 31, 2 ** 31])],
    ["bytes that 31 bits cannot count", () => zeros([2 ** 31 - 2 ** 24 + 1], { dtype: "uint8" })],
    ["ones whose count wraps in 32 bits", () => ones([2 ** 16, 2 ** 16, 2 ** 16])],
    ["full", () => full([1e9, 1e9], 3)],
    ["arange", () => arange(1e12)],
    ["arange of 16 GB of float64", () => arange(0, 1e9, 0.5, { dtype: "float64" })],
    ["linspace", () => linspace(0, 1, 1e12)],
    ["eye", () => eye(1e6)],
    ["one-hot", () => oneHot(ints(1), 1e12)],
    ["broadcastTo", () => ones([1]).broadcastTo([many, many])],
    ["repeat", () => ones([4]).repeat(1e12)],
    ["pad", () => ones([4]).pad([[1e14, 1]])],
    ["an outer sum", () => ones([many, 1]).add(ones([1, many]))],
    ["an outer product", () => ones([many, 1]).matmul(ones([1, many]))],
    ["einsum", () => einsum("i,j->ij", ones([many]), ones([many]))],
    ["concat", () => concat([ones([2 ** 30, 1]), ones([2 ** 30, 1]), ones([2 ** 30, 1])], 0)],
    ["stack", () => stack([ones([2 ** 30]), ones([2 ** 30]), ones([2 ** 30])])],
    ["gather", () => ones([1, many]).gather(zeros([many], { dtype: "int32" }))],
    ["random numbers", () => new Generator(1).normal([many, many])],
  ])("torture 1: %s is refused when the graph is built, before anything is allocated", (_, build) => {
    const before = process.memoryUsage().rss;
    const error = refused(build);
    expect(error).toBeInstanceOf(MemoryError);
    expect(error.message).toMatch(/elements/);
    expect(error.message).toMatch(/GiB/);
    expect(error.message).toMatch(USER_LINE);
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 2 ** 20);
  });

  test("torture 1: what passes as a tensor but not into memory is an error with both sizes when it is run", async () => {
    const error = await ones([2 ** 15, 2 ** 14, 3]).data().catch((e: unknown) => e); // biome-ignore format: one line
    expect(error).toBeInstanceOf(MemoryError);
    expect((error as Error).message).toMatch(/6 GiB do not fit[\s\S]*4 GiB/);
  });

  test("torture 1: an empty axis divides into any number of parts, but not into a billion tensors", () => {
    expect(refused(() => zeros([0]).split(1e9))).toBeInstanceOf(ArgumentError);
    expect(zeros([0]).split(3)).toHaveLength(3);
  });
});

describe("torture 2: sizes that are none", () => {
  const BAD: readonly unknown[] = [
    -2,
    Number.NaN,
    3.5,
    "3",
    null,
    undefined,
    Number.POSITIVE_INFINITY,
    2 ** 53,
    [3],
    3n,
    Symbol("three"),
    {},
  ];
  const BUILD: Record<string, (size: any) => unknown> = {
    zeros: (d) => make.zeros!([2, d]),
    full: (d) => make.full!([2, d], 1),
    tensor: (d) => make.tensor!(new Float32Array(6), [2, d]),
    reshape: (d) => ones([2, 3]).reshape(loose([2, d])),
    broadcastTo: (d) => ones([1]).broadcastTo(loose([2, d])),
    repeat: (d) => ones([2, 3]).repeat(2, d),
    eye: (d) => d !== undefined && make.eye!(d),
    linspace: (d) => make.linspace!(0, 1, d),
    normal: (d) => new Generator(1).normal(loose([2, d])),
    split: (d) => ones([4]).split(loose([2, d])),
  };
  test.each(Object.keys(BUILD))("torture 2: %s names the axis and shows what it was given", (who) => {
    for (const bad of BAD) {
      if (who === "eye" && bad === undefined) continue;
      const error = refused(() => BUILD[who]!(bad));
      expect(error).toBeInstanceOf(ShapeError);
      expect(error.message).toMatch(/of axis \d is not a whole number ≥ 0/);
      expect(error.message).toMatch(USER_LINE);
      if (Number.isNaN(bad)) expect(error.message).toContain("size NaN");
      if (typeof bad === "bigint") expect(error.message).toContain("size 3n");
    }
  });

  test("torture 2: holes, things that are no arrays and arrays that contain themselves are errors too", () => {
    expect(refused(() => make.zeros!(new Array(3))).message).toMatch(/undefined of axis 0/);
    expect(refused(() => make.zeros!(Int32Array.of(2, 3)))).toBeInstanceOf(ShapeError);
    expect(refused(() => make.zeros!(null))).toBeInstanceOf(ShapeError);
    const holes = [1, 2, 3];
    delete holes[1];
    expect(refused(() => make.tensor!(holes)).message).toContain("undefined at [1]");
    const endless: unknown[] = [];
    endless.push(endless);
    expect(refused(() => make.tensor!(endless)).message).toMatch(/nested deeper/);
    expect(refused(() => make.tensor!([[1], endless]))).toBeInstanceOf(Error);
  });

  test("torture 2: whatever is passed as numbers, sizes or options, the error is one of ours", () => {
    const anything = fc.oneof(
      fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true, withTypedArray: true }),
      fc.constant(Symbol("s")),
    );
    const attempt = (build: () => unknown): void => {
      try {
        build();
      } catch (error) {
        expect(error, (error as Error).stack).toBeInstanceOf(GradusError);
        expect(error, (error as Error).stack).not.toBeInstanceOf(InternalError);
      }
    };
    fc.assert(
      fc.property(anything, anything, (a, b) => {
        attempt(() => make.tensor!(a));
        attempt(() => make.zeros!(a));
        attempt(() => make.tensor!([1, 2], b));
        attempt(() => ones([2, 3]).reshape(loose(a)));
        attempt(() => ones([2, 3]).sum(loose(a)));
        attempt(() => ones([2, 3]).add(loose(a)));
        attempt(() => ones([2, 3]).at(loose(a)));
        attempt(() => ones([2, 3]).transpose(loose(a), loose(b)));
        attempt(() => ones([2, 3]).cast(loose(a)));
      }),
      { numRuns: 300 },
    );
  });
});

describe("torture 4: ranks", () => {
  const SCALAR =
    "neg abs sign exp log sqrt square tanh sigmoid relu gelu softplus erf sin floor round isNaN sum product mean max min logSumExp variance norm argmax argmin softmax logSoftmax cumsum sort argsort squeeze flatten flip repeat".split(
      " ",
    );
  test.each(SCALAR)("torture 4: a scalar has a %s", async (method) => {
    const result = loose(tensor(0.5))[method]() as Tensor;
    expect((await result.data()).length).toBe(1);
    expect(result.shape).toEqual(method === "flatten" ? [1] : []);
  });

  test("torture 4: axes that a scalar lacks are errors", () => {
    for (const build of [
      (x: any) => x.transpose(),
      (x: any) => x.topK(1, 1),
      (x: any) => x.at(0),
      (x: any) => x.gather(ints(0)),
      (x: any) => x.sum(1),
    ])
      expect(refused(() => build(tensor(0.5))).message).toMatch(USER_LINE);
  });

  test("torture 4: more axes than the limit are refused by whatever would make them", () => {
    const wide = loose(ones(new Array(16).fill(1)));
    for (const build of [
      () => zeros(new Array(17).fill(1)),
      () => wide.unsqueeze(0),
      () => stack([wide, wide]),
      () => oneHot(wide.cast("int32"), 3),
    ])
      expect(refused(build).message).toMatch(/17 axes; at most 16/);
    expect(
      refused(() => einsum("abcdefghi,jklmnopqr->abcdefghijklmnopqr", ones(new Array(9).fill(1)), ones(new Array(9).fill(1)))).message,
    ).toMatch(/18 axes/);
  });
});

describe("torture 5 and 8: shapes and axes that do not fit", () => {
  test.each<[string, () => unknown, RegExp]>([
    ["broadcasting", () => ones([2, 3]).add(loose(ones([4]))), /\[2, 3\] with \[4\]/],
    ["where", () => where(tensor([true, false]), ones([3]), 0), /\[2\] with \[3\]/],
    ["two sizes left open", () => ones([4]).reshape(loose([-1, -1])), /\[4\] to \[-1, -1\]/],
    ["a size left open of nothing", () => zeros([0]).reshape([0, -1]), /\[0\] does not fit into \[0, -1\]/],
    ["another number of elements", () => ones([2, 3]).reshape([4, 2]), /\[2, 3\][\s\S]*\[4, 2\]/],
    ["a product", () => ones([2, 3]).matmul(loose(ones([2, 3]))), /\[2, 3\] × \[2, 3\]/],
  ])("torture 5: %s says both shapes and the user's line", (_, build, message) => {
    const error = refused(build);
    expect(error).toBeInstanceOf(ShapeError);
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(USER_LINE);
  });

  const ALONG: Record<string, (x: any, axis: any) => unknown> = {
    sum: (x, a) => x.sum(a),
    softmax: (x, a) => x.softmax(a),
    cumsum: (x, a) => x.cumsum(a),
    sort: (x, a) => x.sort(a),
    topK: (x, a) => x.topK(1, a),
    argmax: (x, a) => a !== undefined && x.argmax(a),
    squeeze: (x, a) => x.squeeze(a),
    flip: (x, a) => x.flip(a),
    transpose: (x, a) => x.transpose(a, 0),
    gather: (x, a) => x.gather(ints(0), a),
    split: (x, a) => x.split(1, a),
    concat: (x, a) => concat([x, x], a),
  };
  test.each(Object.keys(ALONG))("torture 8: %s refuses axes that are out of range or no axes", (who) => {
    for (const axis of [2, -3, Number.NaN, 0.5, "0", null, Number.POSITIVE_INFINITY, 1n, {}]) {
      const error = refused(() => ALONG[who]!(ones([2, 3]), axis));
      expect(error).toBeInstanceOf(ShapeError);
      expect(error.message).toMatch(/axis/);
    }
  });

  test("torture 8: an axis that is named twice is refused, from the end too", () => {
    expect(refused(() => ones([2, 3]).sum([0, 0])).message).toMatch(/named twice/);
    expect(refused(() => ones([2, 3]).sum([1, -1])).message).toMatch(/named twice/);
    expect(refused(() => ones([2, 3]).permute(loose([0, 0]))).message).toMatch(/named twice/);
    expect(refused(() => ones([2, 3]).permute(loose([0]))).message).toMatch(/2 axes, 1/);
  });
});

describe("torture 9 and 10: integers and element types", () => {
  test("torture 9: a quotient of integers is refused, floor division and remainder by 0 are 0, floats give ±∞ and NaN", async () => {
    expect(refused(() => ints(7).div(0))).toBeInstanceOf(DTypeError);
    expect(await numbers(ints(7, -7).floorDiv(0))).toEqual([0, 0]);
    expect(await numbers(ints(7, -7).mod(0))).toEqual([0, 0]);
    expect(await numbers(ints(-(2 ** 31)).floorDiv(-1))).toEqual([-(2 ** 31)]);
    expect(await numbers(tensor([7, -7, 0]).div(0))).toEqual([Infinity, -Infinity, Number.NaN]);
    expect(await numbers(tensor([7, -7, 0]).mod(0))).toEqual([Number.NaN, Number.NaN, Number.NaN]);
  });

  test("torture 10: mixed element types have the documented one, or are refused", async () => {
    expect(ints(1).add(tensor([0.5])).dtype).toBe("float32");
    expect(tensor([1]).add(tensor([0.1], { dtype: "float64" })).dtype).toBe("float64");
    expect(tensor([true]).add(tensor([0.5])).dtype).toBe("float32");
    for (const build of [
      () => ints(1).add(tensor([1], { dtype: "uint32" })),
      () => ints(1).add(0.5),
      () => tensor([true]).add(tensor([true])),
      () => tensor(Uint8Array.of(200)).add(1),
      () => make.tensor!([2n ** 60n]),
      () => make.tensor!(BigInt64Array.of(1n)),
      () => make.tensor!([1], { dtype: "int64" }),
      () => make.tensor!([1], { dtype: "__proto__" }),
      () => make.zeros!([1], { dtype: "constructor" }),
      () => make.tensor!([1], { dtype: Symbol("float32") }),
      () => ints(1).add(loose(3n)),
    ])
      expect(refused(build)).toBeInstanceOf(DTypeError);
    expect(refused(() => ints(2 ** 53))).toBeInstanceOf(ArgumentError);
    expect(await numbers(ints(2 ** 31 - 1).add(1))).toEqual([-(2 ** 31)]);
  });
});

describe("torture 53: layers of absurd sizes", () => {
  test.each([1e12, 2 ** 31, 1e9])(
    "torture 53: %s units are refused before anything is allocated, with the memory they would take",
    (units) => {
      const error = refused(() => new Linear(1000, units));
      expect(error).toBeInstanceOf(MemoryError);
      expect(error.message).toMatch(/about [\d.e+]+ GiB/);
    },
  );
  test.each([-5, 0, 2.5, Number.NaN, "32", null, 32n, [32]])("torture 53: %s is no number of units", (units) => {
    expect(refused(() => new Linear(10, units as number))).toBeInstanceOf(ArgumentError);
  });
});

test("torture 1: a variable beyond the heap says how much it would take when it is first needed", async () => {
  const huge = variable(zeros([2 ** 15, 3 * 2 ** 14]));
  const error = await huge.data().catch((e: unknown) => e);
  expect(error).toBeInstanceOf(MemoryError);
  expect((error as Error).message).toMatch(/6 GiB/);
});
