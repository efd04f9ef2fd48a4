import { inspect } from "node:util";
import { einsum, evaluate, gradients, print, ShapeError, stopGradient, tensor, toDot, toText, variable, zeros } from "gradus";
import { afterEach, describe, expect, test, vi } from "vitest";
import { ownPlaces, userLine } from "../../src/core/site.ts";
import { showElements } from "../../src/tensor/show.ts";
import { flatten, structureKey, unflatten } from "../../src/tensor/tree.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

describe("printing", () => {
  test("rows are aligned, big tensors are cut in the middle, and bools are words", () => {
    expect(showElements([1, -2.5, 1000, 1 / 3], [2, 2], "float32")).toBe("[[      1.,     -2.5],\n [   1000., 0.333333]]");
    expect(showElements([1, 0], [2], "bool")).toBe("[ true, false]");
    expect(showElements([3], [], "int32")).toBe("3");
    expect(showElements([], [2, 0], "float32")).toBe("[[],\n []]");
    expect(showElements(new Float32Array(2000), [2000], "float32")).toBe("[0., 0., 0., …, 0., 0., 0.]");
    expect(showElements([1e-9, Number.NaN, -Infinity], [3], "float64")).toBe("[     1e-9,       NaN, -Infinity]");
  });

  test("print names what it shows", async () => {
    const log = vi.spyOn(console, "log").mockImplementation(() => {});
    await print({ w: variable([1, 2], { name: "W" }), rest: [tensor(3)] });
    await tensor([1]).print("x");
    expect(log.mock.calls.map(([text]) => text)).toEqual(["w: float32 [2]\n[1., 2.]", "rest[0]: float32 []\n3.", "x: float32 [1]\n[1.]"]);
  });

  test("a tap reports when the program has run, and answers its tensor", async () => {
    const log = vi.spyOn(console, "log").mockImplementation(() => {});
    const told: unknown[] = [];
    const x = tensor([1, 2]).add(1);
    expect(x.tap((v) => told.push(v))).toBe(x);
    const y = x.tap("hidden").mul(2);
    expect(told).toEqual([]);
    await y.array();
    expect(told).toEqual([[2, 3]]);
    expect(log).toHaveBeenCalledWith("hidden: float32 [2]\n[2., 3.]");
  });

  test("inspecting shows a description", () => {
    expect(inspect({ x: zeros([2, 3]) })).toBe("{ x: Tensor(float32 [2, 3]) }");
  });

  test("graphs are drawn and written with the names of their variables", () => {
    const w = variable([1, 2], { name: "weight" });
    const drawing = toDot({ loss: w.square().sum() });
    expect(drawing).toMatch(/^digraph/);
    expect(drawing).toContain("weight");
    expect(drawing).toContain("loss");
    expect(drawing).not.toContain("fillcolor");
    expect(toText({ loss: w.square().sum() })).toContain("mul");
  });
});

test("drawings name products, computed tensors and stopped gradients, and shade what is asked for", () => {
  const w = variable([1, 2], { name: "w" });
  const x = tensor([[3, 4]]);
  const loss = x.matmul(w).sub(stopGradient(w.sum())).square().sum();
  const d = gradients(loss, { w });
  const drawing = toDot({ loss, d }, { highlight: d });
  const lines = (label: string): string[] => drawing.split("\n").filter((line) => line.includes(`label="${label}\\n`));
  expect(lines("tensor")).toHaveLength(1);
  expect(lines("stopGradient")).toHaveLength(1);
  expect(lines("matmul").map((line) => line.includes("fillcolor"))).toEqual([false, true]);
  expect(drawing).not.toContain("contract");
  expect(lines("loss")[0]).not.toContain("fillcolor");
  const named = toDot({ loss, "∂loss/∂w": d.w }, { names: { x } });
  expect(named).toContain('label="x\\nfloat32 [1, 2]"');
  expect(named).toContain('label="∂loss/∂w\\n');
  expect(named).not.toContain('label="tensor');
  expect(toDot({ outer: einsum("i,j->ij", w, w) })).toContain("contract");
});

describe("the user's line", () => {
  test("errors when building and when running name the line that called", async () => {
    const build = (): unknown => tensor([1, 2]).matmul(zeros([3]) as never);
    expect(build).toThrow(/matmul: inner sizes differ: \[2\] × \[3\] {3}at looking\.test\.ts:\d+/);
    const bad = tensor([1, 2]).gather(tensor([7], { dtype: "int32" }));
    await expect(bad.array()).rejects.toThrow(/index 7 is outside an axis of size 2 {3}at looking\.test\.ts:\d+/);
    expect(build).toThrow(ShapeError);
  });

  test("frames of the library, of Node and without a place are passed over", () => {
    const own = new URL("../../src/core/x.ts", import.meta.url);
    const stack = [
      "Error",
      `    at f (${own.href}:1:2)`,
      `    at g (${own.pathname}:3:4)`,
      "    at node:internal/process:5:6",
      "    at <anonymous>",
      "    at train (/home/me/train.ts:14:7)",
    ];
    expect(userLine(stack.join("\n"))).toBe("train.ts:14");
    expect(userLine("Error\n    at file:///home/me/a%20b.ts?t=1:2:3")).toBe("a%20b.ts:2");
    expect(userLine("Error")).toBe("");
    // Lines of other packages are nobody's: who called them is told.
    const packages = ["Error", "    at parse (/home/me/node_modules/commander/lib/command.js:12:3)", "    at main (/home/me/train.ts:5:1)"];
    expect(userLine(packages.join("\n"))).toBe("train.ts:5");
    expect(userLine(packages.slice(0, 2).join("\n"))).toBe("");
    expect(userLine("Error\n    at C:\\me\\node_modules\\x\\y.js:1:2")).toBe("");
  });

  test("frames of the built library that source maps have moved to its sources are its own, too", () => {
    const own = ownPlaces("file:///home/me/gra%20dus/dist/src/core/site.js");
    expect(own).toContain("/home/me/gra dus/dist/src/");
    expect(own).toContain("/home/me/gra dus/src/");
    expect(own).toContain("file:///home/me/gra%20dus/src/");
    // The recipes that come with the library are its own too.
    expect(own).toContain("/home/me/gra dus/dist/recipes/");
    expect(own).toContain("/home/me/gra dus/recipes/");
    expect(ownPlaces("/home/me/gra dus/src/core/site.ts")).toContain("file:///home/me/gra%20dus/src/");
    expect(own).toContain("/home/me/gra dus/bin/gradus.js");
    expect(ownPlaces("https://here/src/parts/core-AB12.js")).toContain("https://here/src/");
  });

  test("in a bundle the file that holds everything is its own, and no file beside it", () => {
    expect(ownPlaces("https://here/assets/index-AB12.js")).toEqual(["https://here/assets/index-AB12.js"]);
    expect(ownPlaces("")).toEqual([]);
  });

  test("frames of installed packages are passed over: a line there is nobody's own", () => {
    expect(userLine("Error\n    at f (/home/me/node_modules/other/x.js:1:2)\n    at g (/home/me/app.js:3:4)")).toBe("app.js:3");
  });

  test("taking it makes no text of a stack, which takes a hundred times as long, before somebody looks", () => {
    const x = tensor([1, 2]);
    const before = Error.prepareStackTrace;
    let texts = 0;
    Error.prepareStackTrace = (error, frames) => {
      texts++;
      return [error, ...frames.map((frame) => `    at ${frame}`)].join("\n");
    };
    try {
      const made = Array.from({ length: 1000 }, () => x.add(1));
      expect(texts).toBe(0);
      expect(String(made[0]!.node().site)).toMatch(/^looking\.test\.ts:\d+$/);
      expect(texts).toBe(1);
    } finally {
      Error.prepareStackTrace = before;
    }
  });
});

describe("trees", () => {
  const x = tensor([1]);
  test("arrays and records come back as they were, keys in order", () => {
    const tree = { b: [x, { a: x }], a: x };
    const flat = flatten(tree, "test");
    expect(flat.paths).toEqual(["b[0]", "b[1].a", "a"]);
    expect(unflatten(flat.structure, flat.leaves)).toEqual(tree);
    expect(structureKey(flat.structure)).toBe('{"b":[*,{"a":*}],"a":*}');
  });

  test("a key called __proto__ stays a key and pollutes nothing", () => {
    const tree = JSON.parse('{"__proto__": null}') as Record<string, unknown>;
    Object.defineProperty(tree, "__proto__", { value: x, enumerable: true });
    const flat = flatten(tree, "test");
    const back = unflatten(flat.structure, flat.leaves);
    expect(Object.keys(back)).toEqual(["__proto__"]);
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype);
  });

  test("what has no meaning in a tree is an error that names its place", async () => {
    expect(() => flatten({ a: [1] }, "compile")).toThrow(/compile: a\[0\] is a number, not a tensor/);
    expect(() => flatten([Promise.resolve(x)], "compile")).toThrow(/\[0\] is a promise/);
    expect(() => flatten(new Map(), "compile")).toThrow(/a Map, not a tensor/);
    expect(() => flatten({ f: () => x }, "compile")).toThrow(/f is a function/);
    expect(() => flatten([null], "compile")).toThrow(/null/);
    const loop: unknown[] = [];
    loop.push(loop);
    expect(() => flatten(loop, "compile")).toThrow(/contains itself/);
    await expect(evaluate({ a: "b" } as never)).rejects.toThrow(/a is a string/);
  });

  test("strings and booleans can be part of the structure", () => {
    const flat = flatten([x, "a", true, undefined], "compile", { statics: true });
    expect(structureKey(flat.structure)).toBe('[*,"a",true,undefined]');
    expect(unflatten(flat.structure, flat.leaves)).toEqual([x, "a", true, undefined]);
  });
});
