/** Errors of what users call speak of what users called: by its name, with their line, not of the operations that it is made of. */
import * as core from "gradus";
import * as nn from "gradus/nn";
import { describe, expect, test } from "vitest";

const { GradusError, ones, Tensor, tensor, zeros } = core;

const rows = [[1, 2, 3], [4, 5, 6]] as const; // biome-ignore format: a matrix
const TENSORS = {
  float: ones([2, 3]),
  int32: tensor(rows, { dtype: "int32" }),
  uint8: tensor(rows, { dtype: "uint8" }),
  uint32: tensor(rows, { dtype: "uint32" }),
  bool: tensor([[true, false, true], [true, true, false]]), // biome-ignore format: a matrix
  scalar: ones([]),
  vector: ones([4]),
  nothing: zeros([0, 3]),
};
const { float, int32, bool, vector } = TENSORS;
/** Arguments as people pass them by mistake. */
const ARGUMENTS: readonly (readonly unknown[])[] = [
  ...[[], [true], ["x"], [0], [9], [-1], [0.5], [Number.NaN], [null], [{}], [1e12]],
  ...[[[1, 2, 3]], [[9]], [[-1, -1]], [[2, 3]], [[0, 0]], [[[1, 2]]]],
  ...[
    [9, 9],
    [true, 0],
    [0, true],
    ["a", 1],
    [0, { keepDims: true }],
  ],
  ...[...Object.values(TENSORS).map((x) => [x]), [float, float], [int32, float], [bool, true], [float, "x"], [vector, int32]],
];
/** No operations, or such that compute, look, or belong to the library. */
const OTHERS = new Set(["constructor", "node", "ownNode", "recipe", "content", "keep", "elements", "untracked", "tracked", "detach"]);
const LOOKING = new Set(["data", "array", "item", "print", "tap", "toString", "toJSON"]);

/** Messages that do not begin with the name of what was called. */
function strangers(name: string, call: (...args: unknown[]) => unknown, first: readonly (readonly unknown[])[]): string[] {
  const found = new Set<string>();
  for (const front of first)
    for (const args of ARGUMENTS) {
      try {
        call(...front, ...args);
      } catch (error) {
        const said = error instanceof GradusError ? error.message.split("\n")[0]! : `no error of gradus: ${error}`;
        if (!new RegExp(`^${name}\\b`).test(said)) found.add(said);
      }
    }
  return [...found];
}

const methods = Object.entries(Object.getOwnPropertyDescriptors(Tensor.prototype)).flatMap(([name, { value }]) =>
  typeof value === "function" && !OTHERS.has(name) && !LOOKING.has(name) ? [name] : [],
);

describe("errors of methods name the method", () => {
  test.each(methods)("%s", (name) => {
    for (const x of Object.values(TENSORS)) expect(strangers(name, (...args) => (x as any)[name](...args), [[]])).toEqual([]);
  });
});

/** Functions whose first arguments are no tensors, or that run code of the user's. */
const NO_TENSORS = new Set([
  "configure",
  "compile",
  "evaluate",
  "explain",
  "print",
  "gradcheck",
  "gradgradcheck",
  "withContents",
  "functionalCall",
]);
const MAKERS = new Set([
  "constant",
  "zeros",
  "ones",
  "normal",
  "uniform",
  "xavierNormal",
  "xavierUniform",
  "kaimingNormal",
  "kaimingUniform",
]);
const isFunction = ([name, f]: [string, unknown]): boolean => typeof f === "function" && /^[a-z]/.test(name) && !NO_TENSORS.has(name);

describe("errors of functions name the function", () => {
  const given = [...Object.values(TENSORS), true, 0, "x", [1, 2], null, undefined].map((x) => [x]);
  const functions = [
    ...Object.entries(core).filter(isFunction),
    ...Object.entries(nn).filter(([name, f]) => isFunction([name, f]) && !MAKERS.has(name)),
  ];
  test.each(functions)("%s", (name, f) => {
    expect(strangers(name, f as (...args: unknown[]) => unknown, given)).toEqual([]);
  });

  test("where of numbers and booleans", async () => {
    const c = tensor([true, false]);
    expect(await core.where(c, true as any, 0).array()).toEqual([1, 0]);
    expect(() => core.where(c, true as any, "x" as any)).toThrow(/^where: a string is not a tensor {3}at messages\.test\.ts:\d+/);
    expect(() => core.where(c, vector, ones([3]))).toThrow(/^where: cannot broadcast/);
  });
});

describe("gelu", () => {
  test("says what it wanted", () => {
    expect(() => float.gelu("x" as "tanh")).toThrow(
      /^gelu: the approximation is "x" {3}at messages\.test\.ts:\d+\n.*\n {2}help: .*"none".*"tanh"/,
    );
    expect(() => nn.gelu("x" as any)).toThrow(/^gelu: "x" is no tensor {3}at messages\.test\.ts:\d+/);
  });
});

describe("arguments of functions that were made", () => {
  test("have the line of the call, not that of the making", () => {
    const add = core.compile((x: core.Tensor) => x.add(1));
    const line = Number(/test\.ts:(\d+)/.exec(new Error().stack!)![1]) + 1;
    expect(() => add(1e39)).toThrow(new RegExp(`^compile: 1e\\+39 does not fit into float32 {3}at messages\\.test\\.ts:${line}\n`));
    const pair = core.vmap((a: core.Tensor, b: core.Tensor) => a.add(b));
    expect(() => pair(core.zeros([2]), core.zeros([3]))).toThrow(/^vmap: the mapped axes differ: 2 and 3 {3}at messages\.test\.ts:\d+/);
  });
});

describe("errors in a chain", () => {
  const { Linear, Sequential, Dropout, inference } = nn;
  test("name the layer's index and class, with the user's line", () => {
    const model = nn.init(new Sequential(new Linear(3, 4), nn.relu, new Linear(5, 2) as any), 0) as any;
    expect(() => model.forward(float, inference)).toThrow(/^layer 2 \(Linear\): the input is \[2, 4\] {3}at messages\.test\.ts:\d+/);
  });

  test("name the whole path in chains of chains", () => {
    const inner = new Sequential(nn.tanh, new Linear(7, 2) as any);
    const model = nn.init(new Sequential(new Linear(3, 4), inner as any), 0) as any;
    expect(() => model.forward(float, inference)).toThrow(/^layer 1\.1 \(Linear\): the input is \[2, 4\]/);
  });

  test("name functions too, and keep the kind of error, its reason and the line of the function", () => {
    const model = new Sequential(nn.relu, ((h: core.Tensor) => h.matmul(vector as any)) as any) as any;
    const error = (() => {
      try {
        return model.forward(float);
      } catch (e) {
        return e;
      }
    })();
    expect(error).toBeInstanceOf(core.ShapeError);
    expect(error.message).toMatch(/^layer 1 \(a function\): matmul: inner sizes differ[\s\S]*why: the last axis of a \(3\)/);
    expect(() => (new Sequential(new Dropout(0.5)) as any).forward(float)).toThrow(
      /^layer 0 \(Dropout\): forward needs a mode {3}at messages\.test\.ts/,
    );
    expect(() => (new Sequential((() => 3) as any) as any).forward(float)).toThrow(/layer 0 \(.*\) answered 3 {3}at messages\.test\.ts/);
  });
});
