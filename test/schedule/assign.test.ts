import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import type { Value } from "../../src/graph/op.ts";
import { evaluate } from "../../src/interpret/evaluate.ts";
import * as o from "../../src/ops/index.ts";
import { WasmRunner } from "../../src/runtime/wasm-runner.ts";
import { type Loaded, loadGraph } from "./run.ts";

const device = new WasmRunner({ threads: 2 });
afterAll(() => device.close());

const SHAPE = [6, 5];
const CELLS = 4;

/** One statement: cell `to` gets `build` of what cells `a` and `b` hold by then. */
interface Statement {
  readonly to: number;
  readonly a: number;
  readonly b: number;
  readonly build: number;
}

const LEAST = o.constant(Float64Array.of(0.5), [], "float64");
const BUILDERS: readonly ((a: Value, b: Value) => Value)[] = [
  (a) => a,
  (a) => a,
  (a, b) => o.add(a, b),
  (a, b) => o.sub(o.mul(a, o.broadcastTo(LEAST, a.shape, [])), b),
  (a) => o.flip(a, [0]),
  (a) => o.reshape(o.transpose(a, [1, 0]), a.shape),
  (a, b) => o.concat([o.sliceAxis(a, 0, 0, 2), o.sliceAxis(b, 0, 2, 4)], 0),
  (a) => o.concat([o.sliceAxis(a, 0, 1, 5), o.sliceAxis(a, 0, 0, 1)], 0),
  (a, b) => o.add(a, o.broadcastTo(o.mean(b, [0]), a.shape, [1])),
  (a) => o.softmax(a, 1),
  (a, b) => o.tanh(o.einsum("ik,jk,jl->il", a, b, b)),
  (a, b) => o.select(o.lt(a, b), b, a),
  (a, b) => o.gather(a, o.argsort(o.reshape(o.sliceAxis(b, 1, 2, 1), [6]), 0)),
  (a) => o.cumsum(a, 0),
  (a, b) => o.sub(a, o.broadcastTo(o.sum(o.mul(a, b), [0, 1]), a.shape, [])),
  (a) => o.scatterAdd(a, o.iota([3], 0), o.sliceAxis(a, 0, 2, 3)),
  (a) => o.zerosLike(a),
];

const statements = fc.array(
  fc.record({ to: fc.nat(CELLS - 1), a: fc.nat(CELLS - 1), b: fc.nat(CELLS - 1), build: fc.nat(BUILDERS.length - 1) }),
  { minLength: 1, maxLength: 10 },
);

interface Program {
  readonly cells: readonly object[];
  readonly variables: readonly Value[];
  readonly outputs: Value[];
  readonly final: readonly Value[];
}

/** The program in the form a trace has: each read after an assignment is of the value assigned. */
function trace(list: readonly Statement[]): Program {
  const cells = Array.from({ length: CELLS }, () => ({}));
  const variables = cells.map((cell) => o.variable(cell, { shape: SHAPE, dtype: "float64" }));
  const now: Value[] = [...variables];
  const outputs: Value[] = [];
  for (const { to, a, b, build } of list) {
    now[to] = BUILDERS[build]!(now[a]!, now[b]!);
    if (build % 5 === 2) outputs.push(o.sum(now[a]!, [0]), now[to]);
  }
  return { cells, variables, outputs, final: now };
}

const start = (): number[][] =>
  Array.from({ length: CELLS }, (_, c) => Array.from({ length: 30 }, (_, i) => Math.sin(i * 1.7 + c) + c / 3));

function near(got: readonly number[], wanted: ArrayLike<number>, what: string): void {
  const off = got.findIndex((g, i) => !(g === wanted[i] || Math.abs(g - wanted[i]!) <= 1e-9 * (1 + Math.abs(wanted[i]!))));
  expect(off < 0 ? "same" : `${what}, element ${off}: ${got[off]} instead of ${wanted[off]}`).toBe("same");
}

function runThrice(program: Program, optimize: 0 | 1): void {
  const { cells, variables, outputs, final } = program;
  const assigned = cells.flatMap((cell, i) => (final[i] === variables[i] ? [] : [{ cell, value: final[i]! }]));
  const loaded = loadGraph(device, outputs, { assignments: assigned, optimize, threads: "all" });
  let state = start();
  const read = new Set(loaded.scheduled.variables.map((v) => v.cell));
  cells.forEach((cell, i) => loaded.set(cell, state[i]!));
  for (let turn = 0; turn < 3; turn++) {
    const inputs = new Map(variables.map((v, i) => [v, state[i]!]));
    const wanted = evaluate([...outputs, ...final], inputs);
    expect(loaded.run()).toEqual({ ok: true });
    loaded.outputs().forEach((got, i) => near(got, wanted[i]!, `output ${i} at optimize ${optimize}, turn ${turn}`));
    state = wanted.slice(outputs.length).map((x) => [...x]);
    cells.forEach((cell, i) => read.has(cell) && near(loaded.variable(cell), state[i]!, `cell ${i} at optimize ${optimize}, turn ${turn}`));
  }
  loaded.dispose();
}

describe("Assignments", () => {
  test("in any order leave what a sequential program leaves.", { tags: ["slow"] }, () => {
    fc.assert(
      fc.property(statements, (list) => {
        const program = trace(list);
        runThrice(program, 1);
        runThrice(program, 0);
      }),
      { numRuns: 250, seed: 3 },
    );
  });

  const vector = (cell: object, shape: readonly number[] = [3]): Value => o.variable(cell, { shape, dtype: "float32" });
  const load = (assignments: readonly { cell: object; value: Value }[], outputs: readonly Value[] = [], more = {}): Loaded =>
    loadGraph(device, outputs, { assignments, ...more });

  test("swap two variables, and turn three.", () => {
    const [a, b, c] = [{}, {}, {}];
    const [va, vb, vc] = [a, b, c].map((cell) => vector(cell)) as [Value, Value, Value];
    const loaded = load([{ cell: a, value: vb }, { cell: b, value: vc }, { cell: c, value: va }]); // biome-ignore format: a turn
    [a, b, c].forEach((cell, i) => loaded.set(cell, [i, i, i]));
    loaded.run();
    expect([a, b, c].map((cell) => loaded.variable(cell)[0])).toEqual([1, 2, 0]);
    loaded.run();
    expect([a, b, c].map((cell) => loaded.variable(cell)[0])).toEqual([2, 0, 1]);
    loaded.dispose();
  });

  test("of one value to two variables give it to both, and to an output.", () => {
    const [a, b] = [{}, {}];
    const y = o.exp(vector(a));
    const loaded = load([{ cell: a, value: y }, { cell: b, value: y }], [y]); // biome-ignore format: a pair
    loaded.set(a, [0, 1, 2]);
    loaded.run();
    expect(loaded.variable(a)).toEqual(loaded.variable(b));
    expect(loaded.outputs()[0]).toEqual(loaded.variable(a));
    expect(loaded.variable(a)[0]).toBe(1);
    loaded.dispose();
  });

  test("of an argument, a constant, a number and positions work, and the old content can still be an output.", () => {
    const [a, b, c, d] = [{}, {}, {}, {}];
    const given = o.argument(0, { shape: [3], dtype: "float32" });
    const table = o.constant(Float32Array.of(7, 8, 9), [3], "float32");
    const old = vector(a);
    const loaded = load(
      [{ cell: a, value: given }, { cell: b, value: table }, { cell: c, value: o.filled(4, [3], "float32") }, { cell: d, value: o.iota([3], 0, "float32") }],
      [old],
    ); // biome-ignore format: a list
    loaded.set(a, [1, 1, 1]);
    loaded.set(0, [2, 3, 4]);
    loaded.run();
    expect([a, b, c, d].map((cell) => loaded.variable(cell))).toEqual([[2, 3, 4], [7, 8, 9], [4, 4, 4], [0, 1, 2]]); // biome-ignore format: rows
    expect(loaded.outputs()).toEqual([[1, 1, 1]]);
    loaded.dispose();
  });

  test("of a product that reads the variable itself do not read what they write.", () => {
    const cell = {};
    const w = vector(cell, [48, 48]);
    const value = o.sub(w, o.mul(o.matmul(w, w), o.scalarLike(w, 0.01)));
    const numbers = Float32Array.from({ length: 48 * 48 }, (_, i) => Math.sin(i));
    const wanted = evaluate([value], new Map([[w, numbers]]))[0]!;
    for (const optimize of [1, 0] as const) {
      const loaded = load([{ cell, value }], [], { optimize, threads: "all" });
      loaded.set(cell, numbers);
      loaded.run();
      loaded.variable(cell).forEach((g, i) => expect(Math.abs(g - wanted[i]!)).toBeLessThan(1e-4));
      loaded.dispose();
    }
  });

  test("of nothing are no work.", () => {
    const cell = {};
    const w = vector(cell, [0, 3]);
    const loaded = load([{ cell, value: o.add(w, w) }]);
    expect(loaded.run()).toEqual({ ok: true });
    loaded.dispose();
  });
});

describe("A guard", () => {
  const cell = {};
  const other = {};
  const w = o.variable(cell, { shape: [40], dtype: "float32" });
  const x = o.argument(0, { shape: [40], dtype: "float32" });
  const loss = o.mean(o.mul(w, x), [0]);
  const assignments = [
    { cell, value: o.sub(w, x) },
    { cell: other, value: o.add(o.variable(other, { shape: [], dtype: "float32" }), o.scalarConstant(1, "float32")) },
  ];
  const ones = new Float32Array(40).fill(1);

  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    "on a loss that is %s leaves every variable as it was.",
    (bad) => {
      for (const optimize of [1, 0] as const) {
        const loaded = loadGraph(device, [loss], { assignments, guards: [{ value: loss, label: "loss" }], optimize, threads: "all" });
        loaded.set(cell, ones);
        loaded.set(other, [0]);
        loaded.set(0, ones.with(17, bad));
        const status = loaded.run();
        expect(status).toMatchObject({ ok: false, check: 0 });
        expect(loaded.program.checks[0]).toMatchObject({ what: "finite", label: "loss" });
        expect(new Set(loaded.variable(cell))).toEqual(new Set([1]));
        expect(loaded.variable(other)).toEqual([0]);
        loaded.set(0, ones);
        expect(loaded.run()).toEqual({ ok: true });
        expect(new Set(loaded.variable(cell))).toEqual(new Set([0]));
        expect(loaded.variable(other)).toEqual([1]);
        loaded.dispose();
      }
    },
  );

  test("on a gradient looks at all its elements.", () => {
    const gradient = o.mul(w, x);
    const loaded = loadGraph(device, [], {
      assignments: [{ cell, value: o.sub(w, gradient) }],
      guards: [{ value: gradient, label: "gradient" }],
    });
    loaded.set(cell, ones);
    for (const at of [0, 7, 39]) {
      loaded.set(0, ones.with(at, Number.NaN));
      expect(loaded.run()).toMatchObject({ ok: false, check: 0 });
      expect(new Set(loaded.variable(cell))).toEqual(new Set([1]));
    }
    loaded.set(0, new Float32Array(40));
    expect(loaded.run()).toEqual({ ok: true });
    loaded.dispose();
  });
});
