/** What a program computes of variables that it does not write is kept, and made anew when one of them has changed: never stale. */
import fc from "fast-check";
import { compile, explain, type Tensor, tensor, type Variable, variable, zeros } from "gradus";
import { inference, Linear, relu, Sequential } from "gradus/nn";
import { afterAll, describe, expect, test } from "vitest";
import { sizeOf } from "../../src/core/shape.ts";
import { reapply, type Value } from "../../src/graph/op.ts";
import { topological } from "../../src/graph/walk.ts";
import { evaluate } from "../../src/interpret/evaluate.ts";
import { printMemory, printProgram } from "../../src/kernel/print.ts";
import * as o from "../../src/ops/index.ts";
import { Executable, numbersOf } from "../../src/run/executable.ts";
import { Heap } from "../../src/runtime/heap.ts";
import { nativeAvailable } from "../../src/runtime/native-compiler.ts";
import { NativeRunner } from "../../src/runtime/native-runner.ts";
import type { LoadedProgram, Runner } from "../../src/runtime/runner.ts";
import { WasmRunner } from "../../src/runtime/wasm-runner.ts";
import { buildGraph, choices, numbersFor } from "../schedule/graphs.ts";

const native = nativeAvailable();

/** Runners that say how often setups and programs ran. */
interface Counted extends Runner {
  readonly counts: { setups: number; runs: number };
}

function counted(runner: Runner): Counted {
  const counts = { setups: 0, runs: 0 };
  const load: Runner["load"] = (program, addresses, options): LoadedProgram => {
    const loaded = runner.load(program, addresses, options);
    const which = program.setup && program.steps === program.setup.steps ? "setups" : "runs";
    return {
      run: () => {
        counts[which]++;
        return loaded.run();
      },
      dispose: () => loaded.dispose(),
    };
  };
  return {
    name: runner.name,
    target: runner.target,
    heap: runner.heap,
    threads: runner.threads,
    counts,
    load,
    close: () => runner.close(),
  };
}

const heapOf = (maximumBytes = 2 ** 26): Heap => new Heap({ maximumBytes });
const runners: Runner[] = [];
const wasm = (threads = 1, heap = heapOf()): Counted => {
  const runner = counted(new WasmRunner({ heap, threads }));
  runners.push(runner);
  return runner;
};
const nativeOf = (threads: number, heap = heapOf()): Counted => {
  const runner = counted(new NativeRunner({ heap, threads }));
  runners.push(runner);
  return runner;
};
afterAll(() => {
  for (const runner of runners) runner.close();
});

const ramp = (shape: readonly number[], scale = 0.01): Tensor =>
  tensor(
    Float32Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(i * 1.7) * scale * 100),
    shape,
  );
const leafOf = (cell: Variable): Value => o.variable(cell, { shape: cell.shape as number[], dtype: cell.dtype });

/** x · wᵀ, which packs w. */
const times = (x: Value, w: Variable): Value => o.matmul(x, o.transpose(leafOf(w), [1, 0]));

/** x · wᵀ for this many rows of x. */
function dense(runner: Runner, w: Variable, rows: number, keep?: number): Executable {
  const x = o.argument(0, { shape: [rows, w.shape[1] as number], dtype: "float32" });
  return new Executable(runner, { outputs: [times(x, w)], assignments: [], guards: [] }, keep);
}

const feedOf = (rows: number, depth: number): Float32Array => Float32Array.from({ length: rows * depth }, (_, i) => Math.cos(i * 0.3));

/** A program's first output. */
const answer = (program: Executable, ...feeds: Float32Array[]): number[] => Array.from(numbersOf(program.run(feeds)[0]!));

/** Σ_k x[i, k] · w[j, k] in float64. */
async function product(x: Float32Array, w: Variable): Promise<number[]> {
  const [columns, depth] = w.shape as [number, number];
  const numbers = await w.value.data();
  return Array.from({ length: (x.length / depth) * columns }, (_, at) => {
    let sum = 0;
    for (let k = 0; k < depth; k++) sum += x[Math.floor(at / columns) * depth + k]! * (numbers[(at % columns) * depth + k] as number);
    return sum;
  });
}

async function expectProduct(program: Executable, x: Float32Array, w: Variable): Promise<void> {
  const wanted = await product(x, w);
  answer(program, x).forEach((y, i) => {
    expect(y).toBeCloseTo(wanted[i]!, 3);
  });
}

const MACHINES: readonly (readonly [name: string, open: (heap?: Heap) => Counted])[] = [
  ["wasm, one thread", (heap?: Heap) => wasm(1, heap)],
  ["wasm, two threads", (heap?: Heap) => wasm(2, heap)],
  ...(native.available
    ? ([
        ["native, one thread", (heap?: Heap) => nativeOf(1, heap)],
        ["native, two threads", (heap?: Heap) => nativeOf(2, heap)],
      ] as const)
    : []),
];

describe.each(MACHINES)("A program that packs weights it does not write, on %s,", (_, open) => {
  test("packs them once, and again when the variable was given another content", async () => {
    const runner = open();
    const w = variable(ramp([90, 70]));
    const program = dense(runner, w, 40);
    expect(program.program.setup).toBeDefined();
    const x = feedOf(40, 70);
    await expectProduct(program, x, w);
    await expectProduct(
      program,
      feedOf(40, 70).map((v) => v + 1),
      w,
    );
    expect(runner.counts).toEqual({ setups: 1, runs: 2 });
    w.assign(ramp([90, 70], 0.03).add(1));
    await w.value.data();
    await expectProduct(program, x, w);
    expect(runner.counts).toEqual({ setups: 2, runs: 3 });
    w.assign(w.value);
    await expectProduct(program, x, w);
    program.dispose();
  });

  test("packs them again when another program has written them, and not when that one failed", async () => {
    const runner = open();
    const w = variable(ramp([90, 70]));
    const program = dense(runner, w, 40);
    const x = feedOf(40, 70);
    const before = answer(program, x);
    const rate = o.argument(0, { shape: [1, 1], dtype: "float32" });
    const next = o.mul(leafOf(w), o.broadcastTo(rate, [90, 70], [0, 1]));
    const step = new Executable(runner, {
      outputs: [],
      assignments: [{ cell: w, value: next }],
      guards: [{ value: rate, label: "the rate" }],
    });
    expect(() => step.run([Float32Array.of(Number.NaN)])).toThrow("the rate is not a finite number");
    expect(answer(program, x)).toEqual(before);
    step.run([Float32Array.of(2)]);
    expect(answer(program, x)).toEqual(before.map((y) => 2 * y));
    for (let i = 0; i < 3; i++) {
      step.run([Float32Array.of(0.5)]);
      expect(answer(program, x)).toEqual(before.map((y) => 2 ** -i * y));
    }
    program.dispose();
    step.dispose();
  });

  test("shares the packed weights with other programs over the same variable, and gives them back with the last", async () => {
    const heap = heapOf();
    const runner = open(heap);
    const w = variable(ramp([200, 150]));
    answer(dense(runner, w, 40), feedOf(40, 150));
    const programs = [40, 48, 56, 64, 120].map((rows) => dense(runner, w, rows));
    const packed = programs.map(({ program }) => program.buffers.filter((b) => b.place === "kept").reduce((n, b) => n + b.bytes, 0));
    expect(Math.min(...packed)).toBeGreaterThanOrEqual(150 * 200 * 4);
    const before = heap.used;
    const more = [41, 49, 57, 65, 121].map((rows) => dense(runner, w, rows));
    expect(heap.used - before).toBeLessThan(packed[0]! + more.reduce((n, { bytes }, i) => n + bytes - packed[i]!, 0));
    runner.counts.setups = 0;
    for (const [i, rows] of [40, 48, 56, 64, 120].entries()) await expectProduct(programs[i]!, feedOf(rows, 150), w);
    expect(runner.counts.setups).toBe(0);
    w.assign(ramp([200, 150], 0.02));
    for (const [i, rows] of [41, 49, 57, 65, 121].entries()) await expectProduct(more[i]!, feedOf(rows, 150), w);
    expect(runner.counts.setups).toBe(1);
    for (const program of programs) program.dispose();
    await expectProduct(more[0]!, feedOf(41, 150), w);
    w.assign(ramp([200, 150], 0.04));
    await expectProduct(more[1]!, feedOf(49, 150), w);
    for (const program of more) program.dispose();
    const used = heap.used;
    const again = dense(runner, w, 40);
    await expectProduct(again, feedOf(40, 150), w);
    again.dispose();
    expect(heap.used).toBe(used);
  });
});

describe("A setup", () => {
  const layers = (): Sequential<any> => new Sequential(new Linear(50, 70), relu, new Linear(70, 60), relu, new Linear(60, 10));

  test.each(native.available ? (["wasm", "native"] as const) : (["wasm"] as const))(
    "of a compiled model on %s follows eager assignments, training steps, loaded states and the other device",
    async (device) => {
      const model = layers();
      const parameters = model.parameters() as Variable[];
      parameters.forEach((p, i) => {
        p.assign(ramp(p.shape as number[], 0.001 * (i + 1)));
      });
      const x = ramp([33, 50]);
      const forward = (input: Tensor): Tensor => model.forward(input, inference) as Tensor;
      const predict = compile(forward, { device });
      const predictMore = compile(forward, { device });
      const elsewhere = compile(forward, { device: "wasm" });
      const plain = compile(forward, { device, optimize: 0 });
      const step = compile(
        (rate: Tensor) => {
          for (const p of parameters) p.assign(p.sub(p.mul(rate)));
        },
        { device },
      );
      const agree = async (): Promise<void> => {
        const wanted = await plain(x).data();
        for (const f of [predict, predictMore, elsewhere]) {
          const got = await f(x).data();
          wanted.forEach((y, i) => {
            expect(got[i]).toBeCloseTo(y as number, 3);
          });
        }
      };
      await agree();
      await agree();
      parameters[2]!.assign(parameters[2]!.mul(1.5));
      await agree();
      step(0.25);
      await agree();
      step(0.5);
      step(0.125);
      await agree();
      const state = model.stateDict();
      step(0.75);
      await agree();
      model.loadStateDict(state);
      await agree();
      const other = layers();
      (other.parameters() as Variable[]).forEach((p, i) => {
        p.assign(ramp(p.shape as number[], 0.002 * (i + 1)));
      });
      model.loadStateDict(other.stateDict());
      await agree();
      const retained = await predict(x).data();
      parameters[0]!.assign(zeros(parameters[0]!.shape as number[]));
      await agree();
      expect(retained.some((y) => y !== 0)).toBe(true);
      const { text } = await explain(predict, x);
      expect(text).toMatch(/when a variable that is read here has changed:\n {2}/);
      expect(text).toMatch(/of them made by the setup: [1-9]\d* bytes/);
    },
  );

  test("is for what is never written: a training step has none of its own weights", async () => {
    const runner = wasm();
    const w = variable(ramp([70, 90]));
    const x = o.argument(0, { shape: [40, 70], dtype: "float32" });
    const y = o.matmul(x, leafOf(w));
    const step = new Executable(runner, { outputs: [y], assignments: [{ cell: w, value: o.add(leafOf(w), leafOf(w)) }], guards: [] });
    expect(step.program.setup).toBeUndefined();
    const first = answer(step, feedOf(40, 70));
    expect(answer(step, feedOf(40, 70))).toEqual(first.map((v) => 2 * v));
  });

  test("takes what is computed of weights alone, whatever it is, and keeps what the rest reads of it", async () => {
    const runner = wasm();
    const [w, scale] = [variable(ramp([70, 90])), variable(ramp([70], 0.02))];
    const x = o.argument(0, { shape: [40, 70], dtype: "float32" });
    const folded = o.tanh(o.cumsum(o.mul(leafOf(w), o.broadcastTo(leafOf(scale), [70, 90], [0])), 1));
    const program = new Executable(runner, { outputs: [o.matmul(x, folded)], assignments: [], guards: [] });
    const labels = printProgram(program.program).split("at every run:");
    expect(labels[0]).toContain("cumulate");
    expect(labels[1]).not.toContain("cumulate");
    const kept = program.program.buffers.filter((b) => b.place === "kept");
    expect(kept.length).toBe(1);
    expect(printMemory(program.program)).toContain(`of them made by the setup: ${kept[0]!.bytes} bytes`);
    const numbers = feedOf(40, 70);
    for (const next of [0.02, 0.05]) {
      scale.assign(ramp([70], next));
      await scale.value.data();
      const [wanted] = evaluate(
        [o.matmul(x, folded)],
        new Map<Value, ArrayLike<number>>([
          [x, numbers],
          ...(await Promise.all(
            [w, scale].map(async (cell) => [leaf(folded, cell), await cell.value.data()] as [Value, ArrayLike<number>]),
          )),
        ]),
      );
      answer(program, numbers).forEach((y, i) => {
        expect(y).toBeCloseTo(wanted![i]!, 3);
      });
    }
    expect(runner.counts).toEqual({ setups: 2, runs: 2 });
  });

  test("never holds what may fail: an index out of range is told at every run", () => {
    const runner = wasm();
    const [table, index] = [variable(ramp([9, 70])), variable(tensor([3, 99], { dtype: "int32" }))];
    const rows = o.gather(leafOf(table), leafOf(index));
    const x = o.argument(0, { shape: [40, 2], dtype: "float32" });
    const program = new Executable(runner, { outputs: [o.matmul(x, rows)], assignments: [], guards: [] });
    for (let i = 0; i < 3; i++) expect(() => program.run([feedOf(40, 2)])).toThrow(/99/);
    index.assign(tensor([3, 8], { dtype: "int32" }));
    expect(answer(program, feedOf(40, 2)).every(Number.isFinite)).toBe(true);
    index.assign(tensor([-20, 8], { dtype: "int32" }));
    expect(() => program.run([feedOf(40, 2)])).toThrow(/-20/);
  });

  test("keeps no more than it may, the smaller results first, to the same bits", () => {
    const runner = wasm();
    const [a, b] = [variable(ramp([90, 70])), variable(ramp([300, 90], 0.02))];
    const make = (keep?: number): Executable => {
      const x = o.argument(0, { shape: [40, 70], dtype: "float32" });
      return new Executable(runner, { outputs: [times(times(x, a), b)], assignments: [], guards: [] }, keep);
    };
    const keptBy = ({ program }: Executable): number[] => program.buffers.filter((x) => x.place === "kept").map((x) => x.bytes);
    const all = make();
    expect(keptBy(all)).toHaveLength(2);
    const some = make(Math.max(...keptBy(all)) - 1);
    expect(keptBy(some)).toEqual([Math.min(...keptBy(all))]);
    const none = make(0);
    expect(none.program.setup).toBeUndefined();
    const wanted = answer(none, feedOf(40, 70));
    for (const program of [all, some, all]) expect(answer(program, feedOf(40, 70))).toEqual(wanted);
  });

  test("is done without where the heap has no room for it", () => {
    const heap = heapOf(2 ** 22);
    const runner = wasm(1, heap);
    const weights = Array.from({ length: 6 }, (_, i) => variable(ramp([256, 256], 0.001 * (i + 1))));
    const taken = heap.allocate(800_000);
    const make = (keep: number): Executable => {
      const x = o.argument(0, { shape: [16, 256], dtype: "float32" });
      const y = weights.reduce((product, w) => times(product, w), x);
      return new Executable(runner, { outputs: [y], assignments: [], guards: [] }, keep);
    };
    const wanted = answer(make(0), feedOf(16, 256));
    const program = make(2 ** 24);
    expect(program.program.setup).toBeUndefined();
    expect(answer(program, feedOf(16, 256))).toEqual(wanted);
    heap.free(taken);
    const roomy = make(2 ** 24);
    expect(roomy.program.setup).toBeDefined();
    expect(answer(roomy, feedOf(16, 256))).toEqual(wanted);
    roomy.dispose();
    program.dispose();
  });

  test("gives back all it took when a program cannot be made", () => {
    const heap = heapOf(2 ** 22);
    const runner = wasm(1, heap);
    const w = variable(ramp([64, 64]));
    answer(dense(runner, w, 16), feedOf(16, 64));
    const before = heap.used;
    expect(() => dense(runner, w, 100_000)).toThrow(/no room|fit|memory/i);
    expect(heap.used).toBe(before);
  });

  test("changes no result: random graphs over arguments and variables, whose contents change", { timeout: 120_000 }, () => {
    const runner = wasm();
    let setups = 0;
    fc.assert(
      fc.property(choices(12), fc.array(fc.nat(7), { minLength: 1, maxLength: 6 }), (steps, assigned) => {
        const { leaves, outputs } = buildGraph(steps, "float32");
        const numbers = numbersFor(leaves);
        const cells = leaves.map((v) => variable(tensor(Float32Array.from(numbers.get(v)!), v.shape)));
        // Every other leaf is a variable.
        const became = new Map<Value, Value>(leaves.map((v, i) => [v, i % 2 ? leafOf(cells[i]!) : v]));
        for (const v of topological(outputs))
          if (!became.has(v))
            became.set(
              v,
              reapply(
                v,
                v.inputs.map((x) => became.get(x)!),
              ),
            );
        const spec = { outputs: outputs.map((v) => became.get(v)!), assignments: [], guards: [] };
        const [kept, plain] = [new Executable(runner, spec), new Executable(runner, spec, 0)];
        if (kept.program.setup) setups++;
        const feeds = leaves.map((v) => Float32Array.from(numbers.get(v)!));
        for (const which of assigned) {
          const results = [kept, plain, kept].map((program) => program.run(feeds).map((storage) => Array.from(numbersOf(storage))));
          expect(results[0]).toEqual(results[1]);
          expect(results[2]).toEqual(results[1]);
          const cell = cells[which]!;
          cell.assign(
            tensor(
              Float32Array.from(numbers.get(leaves[which]!)!, (x) => x * 0.5 + which),
              cell.shape as number[],
            ),
          );
        }
        kept.dispose();
        plain.dispose();
      }),
      { numRuns: 60, seed: 5 },
    );
    expect(setups).toBeGreaterThan(10);
  });
});

/** The leaf of a cell in a graph. */
const leaf = (graph: Value, cell: Variable): Value =>
  topological([graph]).find((v) => v.op.kind === "leaf" && (v.attributes as { cell?: unknown }).cell === cell)!;
