/** What is decided about kernels, where a wrong decision once gave wrong numbers. */
import { afterAll, describe, expect, test } from "vitest";
import { MemoryError } from "../../src/core/errors.ts";
import type { Value } from "../../src/graph/op.ts";
import { lower } from "../../src/lower/index.ts";
import { axisSet, hasAxis } from "../../src/lower/loops/axis-set.ts";
import { ArgumentBlock, keyOf } from "../../src/lower/loops/block.ts";
import * as o from "../../src/ops/index.ts";
import { WasmRunner } from "../../src/runtime/wasm-runner.ts";
import { schedule } from "../../src/schedule/index.ts";
import { gradients } from "../../src/transform/gradients.ts";
import { expectSame } from "../targets/harness.ts";
import { againstInterpreter } from "./against.ts";
import { runGraph } from "./run.ts";

const device = new WasmRunner({ threads: 1 });
afterAll(() => device.close());

describe("Kernels", () => {
  test("count in 31 bits: a larger size or stride, or one that is no whole number, is refused.", () => {
    const block = new ArgumentBlock();
    for (const size of [0, -4, 2 ** 31 - 1, 1 - 2 ** 31]) expect(() => block.size(size, "n")).not.toThrow();
    for (const size of [2 ** 31, -(2 ** 31), 2 ** 32 + 5, 0.5, Number.NaN]) expect(() => block.size(size, "n")).toThrow(MemoryError);
  });

  test("name the axes of a set from 0 on, however many.", () => {
    const set = axisSet([0, 31, 32, 1000]);
    expect([0, 1, 31, 32, 33, 999, 1000].filter((axis) => hasAxis(set, axis))).toEqual([0, 31, 32, 1000]);
    for (const axis of [-1, 1.5, Number.NaN]) expect(() => axisSet([axis])).toThrow(/no axis of a kernel/);
  });

  test("grow to a bound only: what adds up more reductions is cut, and the parts share their code.", () => {
    const sums = (count: number) => Array.from({ length: count }, (_, i) => o.sum(o.argument(i, { shape: [8, 5], dtype: "float32" }), [0]));
    const { codes } = lower(schedule({ outputs: [sums(200).reduce(o.add)], assignments: [] }), device.target);
    expect(codes.length).toBeLessThan(8);
    for (const { key } of codes) expect(key.match(/"do":"for"/g)?.length ?? 0).toBeLessThan(40);
  });

  test("that differ in an infinity, NaN or the sign of a zero have keys of their own.", () => {
    const values = [0, -0, 1, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    expect(new Set(values.map((value) => keyOf({ op: "splat", value, lane: "f32" }))).size).toBe(values.length);
    for (const value of values) expect(runGraph(device, [o.filled(value, [5], "float32")])[0]).toEqual(Array(5).fill(value));
  });

  // In each type other axes run over the lanes.
  test.each(["float32", "float64"] as const)(
    "of %s read nothing that a pass keeps before that pass has run, however deep the reduction that asks.",
    (dtype) => {
      const [x, v, w] = [0, 1, 2].map((i) => o.argument(i, { shape: [2, 3, 2], dtype })) as [Value, Value, Value];
      const inputs = new Map([x, v, w].map((leaf, k) => [leaf, Float64Array.from({ length: 12 }, (_, i) => Math.sin(i * 1.7 + k))]));
      const e = o.tanh(o.einsum("abc,dbc->ad", x, v));
      const h = o.mul(o.add(o.broadcastTo(o.sum(e, [1]), x.shape, [0]), x), o.scalarLike(x, 0.4));
      const loss = o.sum(o.mul(o.mul(o.add(h, o.relu(h)), o.scalarLike(h, 0.7)), w), [0, 1, 2]);
      expectSame(device, gradients(loss, [x]) as Value[], inputs, { slack: 4 });
    },
  );

  // Fewer than a vector, one, and one with a rest: a rest has rows of its own, whatever a loop inside the one before it asked for.
  test.each(["float32", "float64"].flatMap((dtype) => [3, 8, 11].map((n) => [dtype, n] as const)))(
    "of %s keep for the rest of a row what a loop inside it asks for, where the row has %i elements.",
    (dtype, n) => {
      const shapes = [[n, 2], [n], [n], [2]];
      const leaves = shapes.map((shape, i) => o.argument(i, { shape, dtype: dtype as "float32" })) as [Value, Value, Value, Value];
      const [w, b, v, x] = leaves;
      const y = o.dot(o.tanh(o.add(o.einsum("nk,k->n", w, x), b)), v);
      const off = o.sub(y, o.scalarLike(y, 1));
      const [first] = gradients(o.mul(off, off), [w]) as [Value];
      const second = gradients(o.sum(o.mul(first, first), [0, 1]), leaves) as Value[];
      const inputs = new Map(leaves.map((leaf, k) => [leaf, Float64Array.from({ length: 2 * n }, (_, i) => Math.sin(i * 1.7 + k)).slice(0, shapes[k]!.reduce((p, d) => p * d, 1))])); // biome-ignore format: one expression
      for (const g of second) expectSame(device, [g], inputs, { slack: 16 });
    },
  );

  test("do not run a reduction over an axis of the result inside a reduction over another.", () => {
    const x = o.argument(0, { shape: [250, 3], dtype: "float64" });
    const rows = o.broadcastTo(o.sum(x, [1]), x.shape, [0]);
    const columns = o.softmax(x, 0);
    const inputs = new Map([[x, Float64Array.from({ length: 750 }, (_, i) => Math.sin(i))]]);
    expectSame(device, [o.max(o.add(rows, x), [0])], inputs);
    expectSame(device, [o.sum(o.transpose(columns, [1, 0]), [0])], inputs);
  });

  test("that look for an extreme find its position in the same pass, unless one of them waits for the other.", () => {
    const x = o.argument(0, { shape: [4, 9, 3], dtype: "float64" });
    const both = [o.max(x, [1]), o.argmax(x, [1]), o.min(x, [0, 2]), o.argmin(x, [0, 2]), o.max(x, [2]), o.argmin(x, [2])];
    const kernelsOf = (outputs: readonly Value[]): number =>
      schedule({ outputs, assignments: [] }).steps.filter((step) => step.do === "kernels").length;
    expect(kernelsOf(both.slice(0, 2))).toBe(1);
    // What goes through the same in the same way is one kernel.
    expect(kernelsOf(both)).toBe(3);
    againstInterpreter(device, both, [x]);
    // The largest is wanted where it has been found that the first row has it.
    const first = o.argument(1, { shape: [4, 3], dtype: "float64" });
    const waits = o.add(o.max(x, [1]), o.cumsum(o.add(o.cast(o.argmax(x, [1]), "float64"), first), 0));
    againstInterpreter(device, [waits, o.argmax(x, [1])], [x, first]);
    const apart = o.mul(o.max(x, [1]), o.exp(first));
    againstInterpreter(device, [apart, o.cast(o.argmax(x, [1]), "float64"), o.sum(apart, [0])], [x, first]);
  });

  test("read nothing through what stands in memory behind the last index.", () => {
    const x = o.argument(0, { shape: [2, 5], dtype: "float32" });
    const at = o.argument(1, { shape: [2, 3], dtype: "int32" });
    const inputs = new Map([[x, Float64Array.from({ length: 10 }, (_, i) => i)], [at, Float64Array.of(0, 4, 2, 1, 1, 3)]]); // biome-ignore format: a pair
    for (let turn = 0; turn < 20; turn++) {
      // Rubbish in the arena: the lanes behind the third index hold it.
      runGraph(device, [o.exp(o.broadcastTo(o.argument(0, { shape: [], dtype: "float32" }), [4096], []))], [[80]], { optimize: 0 });
      expectSame(device, [o.gather(x, at, { batch: 1 })], inputs, { levels: [0] });
    }
  });

  test("turn floats above 255 into the byte 255, and integers into their low bits.", () => {
    const [f, i] = [o.argument(0, { shape: [4], dtype: "float32" }), o.argument(1, { shape: [4], dtype: "int32" })];
    const got = runGraph(device, [o.cast(f, "uint8"), o.cast(i, "uint8")], [[-3, 254.9, 256, 1e9], [-1, 255, 256, 300]]); // biome-ignore format: rows
    expect(got).toEqual([[0, 254, 255, 255], [255, 255, 0, 44]]); // biome-ignore format: rows
  });
});
