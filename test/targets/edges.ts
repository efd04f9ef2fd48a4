/** NaN, infinities, signed zeros, halves and integers at their limits; and indices that are out of range. */
import { describe, expect, test } from "vitest";
import { type DType, store } from "../../src/core/dtype.ts";
import { outOfRange } from "../../src/core/errors.ts";
import type { Value } from "../../src/graph/op.ts";
import { evaluate } from "../../src/interpret/evaluate.ts";
import { readsOf } from "../../src/kernel/kernel.ts";
import * as o from "../../src/ops/index.ts";
import { schedule } from "../../src/schedule/index.ts";
import { gradients } from "../../src/transform/gradients.ts";
import { randomNumbers } from "../ops/samples.ts";
import { loadGraph } from "../schedule/run.ts";
import { compileAhead, runOn, type TargetCase } from "./harness.ts";
import { onTarget } from "./suite.ts";

const inf = Number.POSITIVE_INFINITY;
const FLOATS = [
  Number.NaN,
  inf,
  -inf,
  0,
  -0,
  1,
  -1,
  0.5,
  -0.5,
  1.5,
  -1.5,
  2.5,
  -2.5,
  0.1,
  -0.1,
  1e20,
  -1e20,
  3e38,
  1e-30,
  2147483520,
  -2147483648,
  4294967040,
  8388609,
  -7.25,
];
const INTS = [0, 1, -1, 2, -2, 7, -7, 255, 256, -300, 2 ** 31 - 1, -(2 ** 31), 65536, 12345];
const WORDS = [0, 1, 2, 7, 255, 256, 2 ** 31, 2 ** 32 - 1, 65536, 12345];

/** All pairs of a list as two columns. */
const pairs = (list: readonly number[]): [number[], number[]] => [list.flatMap((x) => list.map(() => x)), list.flatMap(() => list)];

interface Table {
  readonly title: string;
  readonly outputs: Value[];
  readonly inputs: Map<Value, Float64Array>;
}

function tableOf(
  title: string,
  columns: readonly (readonly number[])[],
  dtype: DType,
  build: (...xs: Value[]) => Value[],
  shape?: readonly number[],
): Table {
  const xs = columns.map((c, i) => o.argument(i, { shape: shape ?? [c.length], dtype }));
  return { title, outputs: build(...xs), inputs: new Map(xs.map((x, i) => [x, Float64Array.from(columns[i]!, (n) => store(n, dtype))])) };
}

const ROWS = [[1, 3, 3, 0], [5, Number.NaN, 9, inf], [-inf, -inf, -inf, -inf], [inf, 1, 2, 3], [-0, 0, 0, -0], [Number.NaN, Number.NaN, 1, 2]].flat(); // biome-ignore format: rows

function floatTables(dtype: "float32" | "float64"): Table[] {
  const exact = [o.neg, o.abs, o.sign, o.relu, o.floor, o.ceil, o.trunc, o.round, o.sqrt, o.isNaN, o.isFinite];
  const near = [o.exp, o.expm1, o.log, o.log1p, o.tanh, o.sigmoid, o.erf];
  const casts: DType[] = ["int32", "uint32", "uint8", "bool", "float32", "float64"];
  return [
    tableOf("functions of one number", [FLOATS], dtype, (x) => exact.map((f) => f(x))),
    tableOf("transcendental functions", [FLOATS], dtype, (x) => near.map((f) => f(x))),
    tableOf("casts", [FLOATS], dtype, (x) => casts.map((to) => o.cast(x, to))),
    tableOf("functions of two numbers", pairs(FLOATS), dtype, (a, b) => [
      o.add(a, b),
      o.sub(a, b),
      o.mul(a, b),
      o.div(a, b),
      o.maximum(a, b),
      o.minimum(a, b),
    ]),
    tableOf("comparisons", pairs(FLOATS), dtype, (a, b) => [
      o.eq(a, b),
      o.ne(a, b),
      o.lt(a, b),
      o.le(a, b),
      o.gt(a, b),
      o.ge(a, b),
      o.select(o.lt(a, b), a, b),
    ]),
    tableOf("powers", pairs([Number.NaN, inf, -inf, 0, 1, -1, 0.5, 2, -2, 3, -0.5]), dtype, (a, b) => [o.pow(a, b)]),
    tableOf(
      "reductions of rows",
      [ROWS],
      dtype,
      (x) => [o.sum(x, [1]), o.max(x, [1]), o.min(x, [1]), o.argmax(x, 1), o.argmin(x, 1), o.logSumExp(x, [1])],
      [6, 4],
    ),
    tableOf(
      "reductions of columns",
      [ROWS],
      dtype,
      (x) => [o.max(x, [0]), o.min(x, [0]), o.argmax(x, 0), o.argmin(x, 0), o.softmax(x, 0)],
      [6, 4],
    ),
    tableOf(
      "softmax and sorting of rows",
      [ROWS],
      dtype,
      (x) => [o.softmax(x, 1), o.argsort(x, 1), o.argsort(x, 1, { descending: true })],
      [6, 4],
    ),
    tableOf("gradients at kinks", [ROWS], dtype, (x) => gradientsAtKinks(x), [6, 4]),
    tableOf("products of infinities", [ROWS, ROWS], dtype, (a, b) => [o.einsum("ij,kj->ik", a, b)], [6, 4]),
  ];
}

function gradientsAtKinks(x: Value): Value[] {
  const of = (y: Value): Value => gradients(o.sum(y, [...y.shape.keys()]), [x])[0]!;
  return [
    of(o.abs(x)),
    of(o.relu(x)),
    of(o.max(x, [1])),
    of(o.min(x, [0, 1])),
    of(o.maximum(x, o.flip(x, [1]))),
    of(o.product(x, [1])),
    of(o.logSumExp(x, [1])),
  ];
}

const WHOLE: Table[] = [
  tableOf("int32 arithmetic", pairs(INTS), "int32", (a, b) => [
    o.add(a, b),
    o.sub(a, b),
    o.mul(a, b),
    o.floorDiv(a, b),
    o.mod(a, b),
    o.maximum(a, b),
    o.minimum(a, b),
    o.lt(a, b),
    o.le(a, b),
    o.eq(a, b),
  ]),
  tableOf("uint32 arithmetic", pairs(WORDS), "uint32", (a, b) => [
    o.add(a, b),
    o.sub(a, b),
    o.mul(a, b),
    o.floorDiv(a, b),
    o.mod(a, b),
    o.maximum(a, b),
    o.minimum(a, b),
    o.lt(a, b),
    o.le(a, b),
    o.ne(a, b),
  ]),
  tableOf("casts of int32", [INTS], "int32", (x) => [
    ...(["uint32", "uint8", "bool", "float32", "float64"] as const).map((to) => o.cast(x, to)),
    o.abs(x),
    o.neg(x),
    o.sign(x),
    o.logicalNot(x),
    o.shiftRight(x, 5),
  ]),
  tableOf("casts of uint32", [WORDS], "uint32", (x) => [
    ...(["int32", "uint8", "bool", "float32", "float64"] as const).map((to) => o.cast(x, to)),
    o.shiftRight(x, 31),
  ]),
  tableOf("casts of uint8", [[0, 1, 2, 127, 128, 255]], "uint8", (x) =>
    (["int32", "uint32", "bool", "float32", "float64"] as const).map((to) => o.cast(x, to)),
  ),
  tableOf("bools", pairs([0, 1]), "bool", (a, b) => [
    o.logicalAnd(a, b),
    o.logicalOr(a, b),
    o.logicalXor(a, b),
    o.logicalNot(a),
    o.eq(a, b),
    o.ne(a, b),
    o.cast(a, "float64"),
    o.cast(b, "int32"),
    o.select(a, b, a),
  ]),
];

/** Like `wanted`: NaN for NaN, infinite where that is, and within some ulp elsewhere. */
function like(got: number, wanted: number, dtype: DType): boolean {
  if (Number.isNaN(wanted)) return Number.isNaN(got);
  if (dtype !== "float32" && dtype !== "float64") return got === wanted;
  const rounded = store(wanted, dtype);
  if (rounded === got) return true;
  return (
    Number.isFinite(rounded) &&
    Math.abs(got - rounded) <=
      (dtype === "float32" ? 2 ** -20 : 2 ** -48) * Math.max(Math.abs(rounded), dtype === "float32" ? 1e-37 : 1e-300)
  );
}

export function edgeSuite(target: TargetCase): void {
  onTarget(target, (device) => {
    const tables = [...floatTables("float32"), ...floatTables("float64"), ...WHOLE].map((t) => ({
      ...t,
      title: `${t.title} (${[...t.inputs.keys()][0]!.dtype})`,
    }));
    describe("At the edges", () => {
      test(
        "the tables compile together.",
        () =>
          compileAhead(
            device(),
            tables.map((t) => t.outputs),
          ),
        60_000,
      );
      test.each(tables)("$title are what the interpreter says.", ({ outputs, inputs }) => {
        const wanted = evaluate(outputs, inputs);
        for (const optimize of target.levels) {
          const got = runOn(device(), outputs, inputs, { optimize, threads: target.threads, order: target.order });
          outputs.forEach((v, k) => {
            const bad = got[k]!.flatMap((g, i) =>
              like(g, wanted[k]![i]!, v.dtype) ? [] : [{ of: [...inputs.values()].map((c) => c[i]), got: g, wanted: wanted[k]![i] }],
            );
            expect({ output: `${k} ${v.op.name}`, optimize, bad: bad.slice(0, 6) }).toEqual({
              output: `${k} ${v.op.name}`,
              optimize,
              bad: [],
            });
          });
        }
      });

      test("zeros keep their signs through neg, abs, sign and rounding.", () => {
        const x = o.argument(0, { shape: [5], dtype: "float32" });
        const got = runOn(
          device(),
          [o.neg(x), o.abs(x), o.sign(x), o.round(x), o.ceil(x), o.trunc(x)],
          new Map([[x, [0, -0, -0.5, 0.25, -0.25]]]),
        );
        expect(got).toEqual([[-0, 0, 0.5, -0.25, 0.25], [0, 0, 0.5, 0.25, 0.25], [0, -0, -1, 1, -1], [0, -0, -0, 0, -0], [0, -0, -0, 1, -0], [0, -0, -0, 0, -0]]); // biome-ignore format: rows
      });

      test("what few numbers need is computed in the tiles of products too, and in sums.", () => {
        const random = randomNumbers(5);
        for (const dtype of ["float32", "float64"] as const) {
          const [n, k] = [67, 9];
          const [a, b] = [o.argument(0, { shape: [n, k], dtype }), o.argument(1, { shape: [k, n], dtype })];
          // Small whole numbers times 2¹⁷: sums are exact, and far from 0 as sines go.
          const whole = (size: number): Float64Array => new Float64Array(n * k).map(() => Math.round((random() - 0.5) * 6) * size);
          const inputs = new Map([[a, whole(2 ** 17)], [b, whole(1)]]); // biome-ignore format: pairs
          const product = o.matmul(a, b);
          const outputs = [
            o.sin(product),
            o.mod(product, o.scalarLike(product, 7)),
            o.sum(o.mod(o.add(product, o.scalarLike(product, 3)), o.scalarLike(product, 64)), [0]),
          ];
          const wanted = evaluate(outputs, inputs);
          for (const optimize of target.levels) {
            const got = runOn(device(), outputs, inputs, { optimize, threads: target.threads, order: target.order });
            expect(got[0]!.filter((g, i) => !(Math.abs(g - wanted[0]![i]!) <= (dtype === "float32" ? 2 ** -23 : 2 ** -52)))).toEqual([]);
            expect(got.slice(1)).toEqual(wanted.slice(1).map((column) => [...column]));
          }
        }
      });

      test("−0 is less than 0 in minimum and maximum, and neutral to a sum, however much is optimised.", () => {
        for (const dtype of ["float32", "float64"] as const) {
          const [x, y] = [0, 1].map((i) => o.argument(i, { shape: [4], dtype })) as [Value, Value];
          const zero = o.zerosLike(x);
          const minus = o.scalarLike(x, -0);
          const outputs = [
            o.maximum(x, y),
            o.minimum(x, y),
            o.maximum(x, zero),
            o.maximum(minus, x),
            o.minimum(x, zero),
            o.minimum(x, minus),
          ];
          const sums = [
            o.add(x, zero),
            o.add(x, minus),
            o.sub(x, zero),
            o.sub(x, minus),
            o.sub(zero, x),
            o.sub(minus, x),
            o.neg(o.sub(x, y)),
          ];
          for (const optimize of target.levels) {
            const inputs = new Map([[x, [0, 0, -0, -0]], [y, [0, -0, 0, -0]]]); // biome-ignore format: columns
            const got = runOn(device(), [...outputs, ...sums], inputs, { optimize, threads: target.threads, order: target.order });
            expect(got).toEqual([
              [0, 0, 0, -0], [0, -0, -0, -0], [0, 0, 0, 0], [0, 0, -0, -0], [0, 0, -0, -0], [-0, -0, -0, -0],
              [0, 0, 0, 0], [0, 0, -0, -0], [0, 0, -0, -0], [0, 0, 0, 0], [0, 0, 0, 0], [-0, -0, 0, 0], [-0, -0, 0, -0],
            ]); // biome-ignore format: rows
          }
        }
      });
    });
    indexTests(target, device);
  });
}

type DeviceOf = Parameters<Parameters<typeof onTarget>[1]>[0];

function indexTests(target: TargetCase, device: DeviceOf): void {
  const x = o.argument(0, { shape: [5, 3], dtype: "float32" });
  const i = o.argument(1, { shape: [9], dtype: "int32" });
  const cell = {};
  const variable = o.variable(cell, { shape: [9, 3], dtype: "float32" });
  const loss = o.add(o.gather(x, i, { label: "pick", fromEnd: true }), variable);
  const scattered = o.scatterAdd(x, i, variable, { label: "spread", fromEnd: true });
  const matrix = Float32Array.from({ length: 15 }, (_, k) => k);

  describe("An index outside its axis", () => {
    test.each([
      { title: "too large", at: 4, index: 5 },
      { title: "too far from the end", at: 8, index: -6 },
      { title: "the least number there is", at: 0, index: -(2 ** 31) },
    ])("$title is reported with its position, and nothing is committed.", ({ at, index }) => {
      for (const optimize of target.levels)
        for (const value of [loss, o.concat([scattered, o.sliceAxis(scattered, 0, 0, 4)], 0)]) {
          const loaded = loadGraph(device(), [o.sum(value, [0, 1])], { optimize, assignments: [{ cell, value }], threads: target.threads });
          loaded.set(0, matrix);
          loaded.set(1, [0, 1, 2, 3, 4, -1, -5, 0, 4].with(at, index));
          loaded.set(cell, new Float32Array(27).fill(2));
          const status = loaded.run();
          const check = loaded.program.checks[0]!;
          expect(status).toEqual({ ok: false, check: 0, position: at, value: index });
          const label = value === loss ? "pick" : "spread";
          expect(outOfRange(check, index).message).toBe(outOfRange({ label, bound: 5, fromEnd: true }, index).message);
          expect(new Set(loaded.variable(cell))).toEqual(new Set([2]));
          // With good indices the same program runs, and commits.
          loaded.set(1, [0, 1, 2, 3, 4, -1, -5, 0, 4]);
          expect(loaded.run()).toEqual({ ok: true });
          expect(new Set(loaded.variable(cell))).not.toEqual(new Set([2]));
          loaded.dispose();
        }
    });

    test("of an axis without elements is reported, and no row is read.", () => {
      const [nothing, some] = [o.argument(0, { shape: [0, 1000], dtype: "float32" }), o.argument(1, { shape: [3], dtype: "int32" })];
      const rows = o.tanh(o.gather(nothing, some, { label: "pick" }));
      const { steps, buffers } = schedule({ outputs: [rows], assignments: [] });
      const read = steps.flatMap((step) => (step.do === "commit" ? [] : step.kernels.flatMap(readsOf)));
      expect(read.map((from) => buffers[from.buffer]!.bytes)).not.toContain(0);
      for (const optimize of target.levels) {
        const loaded = loadGraph(device(), [rows], { optimize, threads: target.threads });
        loaded.set(1, [0, 7, -1]);
        expect(loaded.run()).toEqual({ ok: false, check: 0, position: 0, value: 0 });
        loaded.dispose();
      }
    });

    test("below 0 is outside where nobody asked to count from the end.", () => {
      const strict = o.concat([o.gather(x, i, { label: "pick" }), o.scatterAdd(x, i, variable, { label: "spread" })], 0);
      for (const optimize of target.levels) {
        const loaded = loadGraph(device(), [strict], { optimize, assignments: [{ cell, value: variable }], threads: target.threads });
        loaded.set(0, matrix);
        loaded.set(1, [0, 1, 2, 3, 4, -1, 0, 0, 4]);
        loaded.set(cell, new Float32Array(27));
        expect(loaded.run()).toMatchObject({ ok: false, position: 5, value: -1 });
        loaded.set(1, [0, 1, 2, 3, 4, 0, 0, 0, 4]);
        expect(loaded.run()).toEqual({ ok: true });
        loaded.dispose();
      }
    });

    test("of several, the smallest position is named, however many threads look.", () => {
      const many = o.argument(0, { shape: [40_000], dtype: "int32" });
      const table = o.argument(1, { shape: [7], dtype: "float32" });
      const loaded = loadGraph(device(), [o.gather(table, many)], { threads: target.threads });
      const indices = Int32Array.from({ length: 40_000 }, (_, k) => k % 7);
      for (const k of [39_999, 31_234, 17_003, 25_000]) indices[k] = 7 + k;
      loaded.set(0, indices);
      for (let turn = 0; turn < 5; turn++) expect(loaded.run()).toEqual({ ok: false, check: 0, position: 17_003, value: 17_010 });
      loaded.dispose();
    });

    test("in any of several axes and layouts is found at its row-major position.", () => {
      const table = o.argument(0, { shape: [4, 6], dtype: "float32" });
      const at = o.argument(1, { shape: [3, 5], dtype: "int32" });
      for (const y of [
        o.gather(table, at),
        o.gather(table, at, { axis: 1 }),
        o.transpose(o.gather(table, at), [2, 1, 0]),
        o.sum(o.gather(table, o.transpose(at, [1, 0])), [0]),
      ]) {
        const transposed = y.op.name === "sum";
        const loaded = loadGraph(device(), [y], { threads: target.threads });
        loaded.set(0, new Float32Array(24));
        loaded.set(1, new Int32Array(15).with(7, 100));
        expect(loaded.run()).toEqual({ ok: false, check: 0, position: transposed ? 2 * 3 + 1 : 7, value: 100 });
        loaded.dispose();
      }
    });
  });
}
