import { describe, expect, test } from "vitest";
import { ArgumentError, DTypeError, OutOfRangeError, ShapeError } from "../../src/core/errors.ts";
import { withSite } from "../../src/core/site.ts";
import type { Value } from "../../src/graph/op.ts";
import { evaluate } from "../../src/interpret/evaluate.ts";
import * as o from "../../src/ops/index.ts";

const floats = (...shape: number[]): Value => o.filled(1, shape, "float32");
const indices = (...numbers: number[]): Value => o.constant(Int32Array.from(numbers), [numbers.length], "int32");

/** The error a call throws. */
function errorOf(f: () => unknown): Error {
  try {
    f();
  } catch (error) {
    return error as Error;
  }
  throw new Error("nothing was thrown");
}

describe("A shape that does not fit is explained:", () => {
  test.each([
    ["add", () => o.add(floats(2, 3), floats(3)), "add: shapes differ: [2, 3] and [3]"],
    ["matmul", () => o.matmul(floats(8, 784), floats(10, 784)), "matmul: inner sizes differ: [8, 784] × [10, 784]"],
    ["matmul of a vector", () => o.matmul(floats(8), floats(8, 2)), "matmul: [8] × [8, 2]"],
    ["reshape", () => o.reshape(floats(2, 3), [4, 2]), "reshape: [2, 3] to [4, 2]"],
    ["broadcast", () => o.broadcastTo(floats(2), [2, 3]), "broadcast: [2] does not stretch to [2, 3]"],
    ["transpose", () => o.transpose(floats(2, 3), [0, 0]), "transpose: axis 0 is named twice"],
    [
      "slice",
      () => o.slice(floats(5), { starts: [3], steps: [1], sizes: [3] }),
      "slice: elements 3 to 5 of axis 0 of [5] do not all exist",
    ],
    [
      "windows",
      () => o.windows(floats(5), { axis: 0, size: 3, stride: 1, dilation: 3 }),
      "windows: a window of 7 elements does not fit into axis 0 of [5]",
    ],
    ["concat", () => o.concat([floats(2, 3), floats(3, 2)], 0), "concat: [2, 3] and [3, 2] differ outside axis 0"],
    ["concat of nothing", () => o.concat([], 0), "concat: nothing to join"],
    ["max of nothing", () => o.max(floats(3, 0), [1]), "max: axis 1 of [3, 0] is empty"],
    ["argmax of nothing", () => o.argmax(floats(0), 0), "argmax: axis 0 of [0] is empty"],
    ["sum", () => o.sum(floats(3), [1]), "sum: there is no axis 1"],
    [
      "gather",
      () => o.gather(floats(2, 3), o.reshape(indices(1, 2, 0), [3, 1]), { batch: 1 }),
      "gather: the first 1 axes of [2, 3] and of the indices [3, 1] differ",
    ],
    ["scatterAdd", () => o.scatterAdd(floats(2, 3), indices(0), floats(3)), "scatterAdd: the updates are [3], must be [1, 3]"],
    ["takeAlong", () => o.takeAlong(floats(2, 3), indices(0), 1), "takeAlong: [2, 3] and its indices [1] differ outside axis 1"],
    ["einsum", () => o.einsum("ij,jk->ik", floats(2, 3), floats(4, 5)), 'einsum: "j" is 3 in one operand and 4 in the other'],
    ["cumsum of a scalar", () => o.cumsum(floats(), 0), "cumsum: there is no axis 0"],
    ["constant", () => o.constant(new Float32Array(3), [2], "float32"), "constant: 3 numbers do not fill [2]"],
  ])("%s", (_, build, message) => {
    const error = errorOf(build);
    expect(error).toBeInstanceOf(ShapeError);
    expect(error.message).toContain(message);
  });
});

describe("An element type that does not fit is explained:", () => {
  test.each([
    ["add of two", () => o.add(floats(2), indices(1, 2)), "add: element types differ: float32 and int32"],
    ["exp of int32", () => o.exp(indices(1)), "exp: needs float32 or float64, not int32"],
    ["div of int32", () => o.div(indices(1), indices(1)), "div: needs float32 or float64"],
    ["add of bools", () => o.add(o.eq(floats(2), floats(2)), o.eq(floats(2), floats(2))), "add: bool is not a number"],
    ["add of uint8", () => o.neg(o.cast(floats(2), "uint8")), "neg: uint8 is for storage only"],
    ["select", () => o.select(floats(2), floats(2), floats(2)), "select: the mask is float32, not bool"],
    ["gather", () => o.gather(floats(2), floats(1)), "gather: indices must be int32, not float32"],
    ["logicalAnd", () => o.logicalAnd(floats(2), floats(2)), "logicalAnd: needs bool, int32 or uint32, not float32"],
    ["mean of int32", () => o.mean(indices(1), [0]), "mean: needs float32 or float64"],
  ])("%s", (_, build, message) => {
    const error = errorOf(build);
    expect(error).toBeInstanceOf(DTypeError);
    expect(error.message).toContain(message);
  });
});

describe("A setting without meaning is explained:", () => {
  test.each([
    ["a stride of 0", () => o.windows(floats(5), { axis: 0, size: 2, stride: 0, dilation: 1 }), "windows: the stride is 0"],
    ["a window of 0", () => o.windows(floats(5), { axis: 0, size: 0, stride: 1, dilation: 1 }), "windows: the size is 0"],
    ["a dilation of −1", () => o.windows(floats(5), { axis: 0, size: 2, stride: 1, dilation: -1 }), "windows: the dilation is -1"],
    ["a step of 0", () => o.slice(floats(5), { starts: [0], steps: [0], sizes: [1] }), "slice: the step along axis 0 is 0"],
    ["padding of −1", () => o.pad(floats(5), { low: [-1], high: [0], interior: [0], value: 0 }), "pad: low is -1"],
    ["a letter that is none", () => o.einsum("i1->i", floats(2, 2)), 'labels are letters, not "i1"'],
    ["too few operands", () => o.einsum("ij,jk", floats(2, 2)), "it names 2 operands, 1 are given"],
    ["an unknown letter", () => o.einsum("ij->k", floats(2, 2)), '"k" of the result is in no operand'],
  ])("%s", (_, build, message) => {
    const error = errorOf(build);
    expect(error).toBeInstanceOf(ArgumentError);
    expect(error.message).toContain(message);
  });
});

test("An error names the user's line.", () => {
  const site = { toString: () => "train.ts:14" };
  expect(errorOf(() => withSite(site, () => o.add(floats(2), floats(3)))).message).toContain("at train.ts:14");
});

test("An index outside its axis is an error with the index and the size, whoever asks.", () => {
  const x = floats(5, 2);
  for (const [bad, build] of [
    [5, (i: Value) => o.gather(x, i)],
    [-1, (i: Value) => o.gather(x, i)],
    [-6, (i: Value) => o.gather(x, i, { fromEnd: true })],
    [-1, (i: Value) => o.oneHot(i, 5, "float32")],
    [5, (i: Value) => o.scatterAdd(x, i, floats(2, 2))],
    [7, (i: Value) => o.oneHot(i, 5, "float32")],
  ] as const) {
    const error = errorOf(() => evaluate([build(indices(0, bad))]));
    expect(error).toBeInstanceOf(OutOfRangeError);
    expect(error.message).toContain(`: index ${bad} is outside an axis of size 5`);
  }
  expect([...evaluate([o.gather(o.iota([5], 0), indices(-1, -5, 4), { fromEnd: true })])[0]!]).toEqual([4, 0, 4]);
});

test("Indices that were checked once are not checked again.", () => {
  const i = o.bounded(indices(0, 1), { bound: 5, label: "embedding" });
  expect(o.gather(floats(5, 2), i).inputs[1]).toBe(i);
});
