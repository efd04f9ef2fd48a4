import { afterAll, describe, expect, test } from "vitest";
import type { Value } from "../../src/graph/op.ts";
import * as o from "../../src/ops/index.ts";
import { WasmRunner } from "../../src/runtime/wasm-runner.ts";
import { gradients } from "../../src/transform/gradients.ts";
import { loadGraph, runGraph } from "./run.ts";

const device = new WasmRunner({ threads: 1 });
afterAll(() => device.close());

const x = o.argument(0, { shape: [3], dtype: "float32" });
const c = o.argument(1, { shape: [3], dtype: "float32" });
const INPUTS = [[1, 2, -3], [1, 1, 1]]; // biome-ignore format: a pair

/** n nodes, one after another; values stay as they are when c is 1. */
function chain(n: number): Value {
  let y = x;
  for (let i = 0; i < n; i++) y = i % 2 === 0 ? o.mul(y, c) : o.neg(y);
  return y;
}

describe("A long chain", { tags: ["slow"] }, () => {
  test("of 100,000 nodes and its gradient are one program, which quadratic time would not come to the end of.", () => {
    const y = chain(100_000);
    const [dx] = gradients(o.sum(y, [0]), [x]) as [Value];
    expect(runGraph(device, [y, dx], INPUTS)).toEqual([[1, 2, -3], [1, 1, 1]]); // biome-ignore format: rows
  }, 120_000);

  test("may be needed node by node by its gradient.", () => {
    const n = 24_000;
    const [dc] = gradients(o.sum(chain(n), [0]), [c]) as [Value];
    expect(runGraph(device, [dc], INPUTS)[0]).toEqual([n / 2, n, (-3 * n) / 2]);
  }, 120_000);

  test("of steps that write to a variable read the one before.", () => {
    const cell = {};
    const v = o.variable(cell, { shape: [3], dtype: "float32" });
    let y = v;
    for (let i = 0; i < 20_000; i++) y = o.add(y, c);
    const loaded = loadGraph(device, [], { assignments: [{ cell, value: y }] });
    loaded.set(cell, [0, 1, 2]);
    loaded.set(1, [1, 1, 1]);
    loaded.run();
    expect(loaded.variable(cell)).toEqual([20_000, 20_001, 20_002]);
    loaded.dispose();
  }, 60_000);
});

describe("A ladder, where each rung uses the one below twice,", () => {
  test("of 60 rungs is as much work as 60 nodes.", () => {
    let y = x;
    for (let i = 0; i < 60; i++) y = o.mul(o.add(y, y), o.scalarLike(y, 0.5));
    expect(runGraph(device, [y], INPUTS.slice(0, 1))[0]).toEqual([1, 2, -3]);
    const [dx] = gradients(o.sum(y, [0]), [x]) as [Value];
    expect(runGraph(device, [dx], INPUTS.slice(0, 1))[0]).toEqual([1, 1, 1]);
  });

  test("through different functions has a gradient, and a second one.", () => {
    let y = x;
    for (let i = 0; i < 60; i++) y = o.tanh(o.add(o.sin(y), o.mul(y, y)));
    const loss = o.sum(y, [0]);
    const [dx] = gradients(loss, [x]) as [Value];
    const [dxx] = gradients(o.sum(dx, [0]), [x]) as [Value];
    for (const v of [loss, dx, dxx]) expect(runGraph(device, [v], INPUTS.slice(0, 1))[0]!.every(Number.isFinite)).toBe(true);
  });
});
