/** Sums down columns, statistics of channels, convolutions channel by channel: what vectors across the results compute. */
import { afterAll, describe, expect, test } from "vitest";
import { sizeOf } from "../../src/core/shape.ts";
import type { Value } from "../../src/graph/op.ts";
import { lower } from "../../src/lower/index.ts";
import { jam } from "../../src/lower/loops/jam.ts";
import * as o from "../../src/ops/index.ts";
import { optimise } from "../../src/passes/index.ts";
import { nativeAvailable } from "../../src/runtime/native-compiler.ts";
import { NativeRunner } from "../../src/runtime/native-runner.ts";
import { WasmRunner } from "../../src/runtime/wasm-runner.ts";
import { schedule } from "../../src/schedule/index.ts";
import { gradients } from "../../src/transform/gradients.ts";
import { expectSame } from "../targets/harness.ts";
import { wave } from "./against.ts";
import { runGraph } from "./run.ts";

const [one, two] = [new WasmRunner({ threads: 1 }), new WasmRunner({ threads: 2 })];
const natives = nativeAvailable().available ? [new NativeRunner({ threads: 1 }), new NativeRunner({ threads: 2 })] : [];
afterAll(() => [one, two, ...natives].forEach((device) => device.close()));

const inputs = (leaves: readonly Value[]): Map<Value, Float64Array> => new Map(leaves.map((x, k) => [x, wave(sizeOf(x.shape), k)]));
const kernelsOf = (outputs: readonly Value[]): number =>
  schedule({ outputs: optimise(outputs), assignments: [] }).steps.filter((step) => step.do === "kernels").length;

/** The same values as the interpreter's, and the same bits on one thread and on two. */
function expectRight(outputs: readonly Value[], leaves: readonly Value[]): void {
  const data = leaves.map((_, k) => wave(sizeOf(leaves[k]!.shape), k));
  for (const [first, second] of [[one, two], natives] as const) {
    if (!first || !second) continue;
    expectSame(first, outputs, inputs(leaves), { threads: "all", slack: 64 });
    expect(runGraph(second, outputs, data, { threads: "all" })).toEqual(runGraph(first, outputs, data, { threads: "all" }));
  }
}

/** y = relu((x − mean) / √(variance + ε) · a + b) along axis 1, from sums of x less a first guess. */
function normalised(x: Value, a: Value, b: Value): Value {
  const axes = [0, 2, 3];
  const mean = (v: Value): Value => o.mean(v, axes);
  const along = (v: Value): Value => o.spread(v, x, axes);
  const guess = o.stopGradient(mean(o.sliceAxis(x, 0, 0, 1)));
  const shifted = o.sub(x, along(guess));
  const offset = mean(shifted);
  const variance = o.sub(mean(o.square(shifted)), o.square(offset));
  const scale = o.reciprocal(o.sqrt(o.add(variance, o.scalarLike(variance, 1e-3))));
  return o.relu(o.add(o.mul(o.mul(o.sub(shifted, along(offset)), along(scale)), along(a)), along(b)));
}

describe("Sums of columns", () => {
  test.each([[16_384, 40], [16_390, 9], [16_400, 33], [20_011, 17], [16_384, 7], [5, 3], [1, 70], [0, 4]] as const)(
    "of %i rows of %i are right, and have the same bits on two threads.",
    (rows, columns) => {
      const x = o.argument(0, { shape: [rows, columns], dtype: "float32" });
      expectRight([o.sum(x, [0]), o.sum(o.square(x), [0]), ...(rows > 0 ? [o.max(x, [0])] : [])], [x]);
    },
  ); // biome-ignore format: a table

  test("are cut into blocks of rows that threads share.", () => {
    const x = o.argument(0, { shape: [48_400, 64], dtype: "float32" });
    const program = lower(schedule({ outputs: optimise([o.sum(x, [0])]), assignments: [] }), one.target);
    const blocks = program.steps.flatMap((s) => (s.do === "section" ? s.steps : [s])).map((s) => (s.do === "call" ? s.blocks : 0));
    expect(Math.max(...blocks)).toBeGreaterThanOrEqual(16);
  });

  test("of a tensor, of its squares and of a part of it are one kernel.", () => {
    const [x, y] = [0, 1].map((i) => o.argument(i, { shape: [37, 65], dtype: "float32" })) as [Value, Value];
    const sums = [o.sum(x, [0]), o.sum(o.square(x), [0]), o.sum(o.mul(x, y), [0])];
    expect(kernelsOf(sums)).toBe(1);
    expectRight(sums, [x, y]);
  });
});

describe("Statistics of channels", () => {
  test.each([[9, 33, 7, 11], [8, 5, 55, 55], [2, 1, 3, 3]] as const)("of [%i, %i, %i, %i] store nothing as large as the input, and have gradients.", (...shape) => {
    const x = o.argument(0, { shape, dtype: "float32" });
    const [a, b] = [1, 2].map((i) => o.argument(i, { shape: [shape[1]], dtype: "float32" })) as [Value, Value];
    const y = normalised(x, a, b);
    const dy = o.argument(3, y);
    const outputs = [y, ...(gradients(y, [x, a, b], dy) as Value[])];
    const made = schedule({ outputs: optimise([y]), assignments: [] });
    const large = made.buffers.filter((buffer) => buffer.place === "scratch" && buffer.bytes >= 4 * sizeOf(shape) && sizeOf(shape) > 1000);
    expect(large.length).toBe(0);
    for (const device of [one, ...natives.slice(1)]) expectSame(device, outputs, inputs([x, a, b, dy]), { threads: "all", slack: 64 });
  }); // biome-ignore format: a table
});

describe("A convolution channel by channel", () => {
  test.each([[9, 40, 12, 3], [2, 17, 9, 2], [16, 8, 20, 3], [1, 1, 5, 3]] as const)(
    "of %i images of %i channels, %i wide, with taps %i wide, is right with its gradients, on one thread and on two.",
    (n, c, h, k) => {
      const [x, w] = [o.argument(0, { shape: [n, h, h, c], dtype: "float32" }), o.argument(1, { shape: [c, k, k], dtype: "float32" })];
      const side = [0, 1, 1, 0];
      const padded = o.pad(x, { low: side, high: side, interior: [0, 0, 0, 0], value: 0 });
      const windows = { size: k, stride: 1, dilation: 1 };
      const seen = o.windows(o.windows(padded, { axis: 2, ...windows }), { axis: 1, ...windows });
      const y = o.labelled([["n", "h", "i", "w", "j", "c"], ["c", "i", "j"]], ["n", "h", "w", "c"], [seen, w], "contract");
      const dy = o.argument(2, y);
      expectRight([y, ...(gradients(y, [x, w], dy) as Value[])], [x, w, dy]);
    },
  ); // biome-ignore format: a table
});

test("Loops side by side become one where they go through the same, and stay apart where they do not.", () => {
  const int = (name: string) => ({ kind: "int", name }) as const;
  const loop = (name: string, to: number) => ({ do: "for", local: int(name), from: 0, to, step: 1, body: [{ do: "int", local: int(`${name}p`), value: int(name) }] }) as const; // biome-ignore format: one object
  expect(jam([[loop("i", 5)], [loop("j", 5)]])).toEqual([{ ...loop("i", 5), body: [...loop("i", 5).body, { do: "int", local: int("jp"), value: int("i") }] }]); // biome-ignore format: one call
  expect(jam([[loop("i", 5)], [loop("j", 6)]])).toEqual([loop("i", 5), loop("j", 6)]);
});
