/** What grows wide, not deep: kernels of many axes, sums of many reductions, weights of many uses, many products inside each other. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bytesOf, viewOf } from "../../src/core/dtype.ts";
import { sizeOf } from "../../src/core/shape.ts";
import type { Value } from "../../src/graph/op.ts";
import { type Expr, load, reduce, scalar } from "../../src/kernel/expr.ts";
import * as o from "../../src/ops/index.ts";
import { gradients } from "../../src/transform/gradients.ts";
import { type GraphRunner, loadGraph } from "../schedule/run.ts";
import { expectSame, type TargetCase } from "./harness.ts";
import { onTarget } from "./suite.ts";

const WIDTHS = [31, 32, 33, 40, 64, 65, 100];

export function wideSuite(target: TargetCase): void {
  const widths = target.slow ? [32, 100] : WIDTHS;
  onTarget({ ...target, quick: false }, (device, compare) => {
    describe("A kernel", () => {
      test.each(widths)("of %i reductions, each over an axis of its own, adds up the right elements.", (count) => {
        const { got, wanted } = sumOfSums(device(), count);
        expect(got).toEqual(wanted);
      });

      test.each(widths)("of a result with %i axes reads and writes the right elements.", (count) => {
        const { got, wanted } = manyAxes(device(), count);
        expect(got).toEqual(wanted);
      });
    });

    describe("A program", () => {
      test("of 70 gathers says which of them had an index outside its axis.", () => {
        const count = 70;
        const at = o.argument(0, { shape: [count], dtype: "int32" });
        const gathers = Array.from({ length: count }, (_, i) => o.gather(o.iota([i + 2], 0), o.sliceAxis(at, 0, i, 1)));
        const loaded = loadGraph(device(), [o.concat(gathers, 0)]);
        try {
          for (const bad of [0, 31, 32, 69]) {
            loaded.set(
              0,
              Array.from({ length: count }, (_, i) => (i === bad ? i + 2 : i + 1)),
            );
            const status = loaded.run();
            expect(status).toMatchObject({ ok: false, value: bad + 2 });
            expect(loaded.program.checks[(status as { check: number }).check]!.bound).toBe(bad + 2);
          }
        } finally {
          loaded.dispose();
        }
      });

      test.for([2, 3])("whose tensors lie above %i GiB gives the interpreter's numbers.", (gigabytes, context) => {
        const fresh = target.open();
        try {
          const { heap } = fresh;
          if (heap.maximumBytes < 4 * 2 ** 30) context.skip(`only ${heap.maximumBytes} bytes can be reserved here`);
          heap.allocate(gigabytes * 2 ** 30 - heap.used, "a filler");
          expect(heap.allocate(1)).toBeGreaterThan(gigabytes * 2 ** 30);
          expectSame(fresh, everyKindOfKernel(), numbers(kinds), { threads: target.threads, levels: target.levels, slack: 16 });
        } finally {
          fresh.close();
        }
      });
    });

    describe("A graph", () => {
      test.each(widths)(
        "that adds up the column sums of %i matrices has the interpreter's numbers, and so have its gradients.",
        (count) => {
          const list = matrices(count);
          const sum = list.map((w, i) => o.sum(w, [i % 2])).reduce(o.add);
          const loss = o.sum(o.mul(sum, sum), [0]);
          compare([sum, ...slopes(loss, list)], numbers(list), 16);
        },
      );

      test.each(widths)("that adds up %i sums of one matrix, each of something else, has the interpreter's numbers.", (count) => {
        const [w] = matrices(1) as [Value];
        const part = (i: number): Value => o.sum(o.mul(w, o.filled(i + 1, w.shape, w.dtype)), [i % 2]);
        compare([Array.from({ length: count }, (_, i) => part(i)).reduce(o.add)], numbers([w]), 16);
      });

      test.each(target.slow ? [60] : [33, 60, 100])(
        "that uses one weight %i times has the interpreter's numbers and gradient.",
        (count) => {
          const [w, ...list] = matrices(count + 1) as [Value, ...Value[]];
          const loss = list.map((x) => o.sum(o.tanh(o.matmul(x, w)), [0, 1])).reduce(o.add);
          compare([loss, ...slopes(loss, [w])], numbers([w, ...list]), 16);
        },
      );

      test.each(target.slow ? [60] : [33, 60])("of %i products inside each other has the interpreter's numbers and gradients.", (count) => {
        const [x, w, u] = matrices(3) as [Value, Value, Value];
        let h = x;
        for (let i = 0; i < count; i++) h = o.add(o.matmul(h, w), o.scalarLike(h, 0.1));
        for (let i = 0; i < count; i++) h = o.tanh(o.add(o.matmul(h, u), x));
        const loss = o.mean(o.mul(h, h), [0, 1]);
        compare([h, ...slopes(loss, [x, w, u])], numbers([x, w, u]), 64);
      });

      test("that goes 35 steps through time has the interpreter's gradients.", () => {
        const [B, H, T] = [4, 8, 35];
        const at = (shape: readonly number[], i: number): Value => o.argument(i, { shape, dtype: "float64" });
        const leaves = [at([T, B, H], 0), at([H, H], 1), at([H, H], 2), at([B, H], 3)];
        const [xs, w, u, b] = leaves as [Value, Value, Value, Value];
        let h = b;
        for (let t = 0; t < T; t++) {
          const x = o.reshape(o.sliceAxis(xs, 0, t, 1), [B, H]);
          h = o.tanh(o.add(o.add(o.matmul(x, u), o.matmul(h, w)), b));
        }
        compare(slopes(o.mean(o.mul(h, h), [0, 1]), [w, u, b]), numbers(leaves), 64);
      });

      test("of many results over one domain writes each of them.", () => {
        const list = matrices(8);
        const rows = (v: Value): Value => o.broadcastTo(o.sum(v, [1]), v.shape, [0]);
        const results = Array.from({ length: 70 }, (_, i) =>
          o.mul(list[i % 8]!, o.add(rows(list[(i * 3 + 1) % 8]!), o.scalarLike(list[0]!, i))),
        );
        compare(results, numbers(list), 16);
      });

      test("grown wide at random has the interpreter's numbers and gradients.", () => {
        fc.assert(
          fc.property(pieces(target.slow ? 50 : 120), (list) => {
            const leaves = matrices(6);
            const parts = list.map((piece) => build(piece, leaves));
            const y = tree(parts, (a, b, i) => (i % 3 === 0 ? o.maximum(a, b) : o.add(a, b)));
            compare([y, ...slopes(o.sum(o.tanh(y), [0]), leaves)], numbers(leaves), 64);
          }),
          { numRuns: target.slow ? 3 : 25, seed: 31 },
        );
      }, 120_000);
    });
  });
}

const SIDE = 5;

const matrices = (count: number): Value[] =>
  Array.from({ length: count }, (_, i) => o.argument(i, { shape: [SIDE, SIDE], dtype: "float64" }));

const numbers = (leaves: readonly Value[]): Map<Value, Float64Array> =>
  new Map(leaves.map((v, k) => [v, Float64Array.from({ length: sizeOf(v.shape) }, (_, i) => Math.sin(i * 1.37 + k * 2.1) * 0.4)]));

const slopes = (loss: Value, leaves: readonly Value[]): Value[] => gradients(loss, leaves).filter((g) => g !== null);

const KIND_SHAPES = [[40, 48], [48, 56], [7, 5]] as const; // biome-ignore format: a list
const kinds = KIND_SHAPES.map((shape, i) => o.argument(i, { shape, dtype: "float64" }));

/** Products, maps, reductions over rows and columns, gathers, scatters, serial kernels, strided reads and writes. */
function everyKindOfKernel(): Value[] {
  const [a, b, x] = kinds as [Value, Value, Value];
  const at = o.argsort(o.sum(x, [1]), 0);
  return [
    o.tanh(o.matmul(a, b)),
    o.softmax(a, 1),
    o.sum(a, [0]),
    o.sum(o.flip(o.transpose(x, [1, 0]), [0]), [1]),
    o.gather(x, at),
    o.scatterAdd(x, at, o.mul(x, x)),
    o.cumsum(x, 0),
    o.concat([x, o.neg(x)], 1),
    o.sliceAxis(o.flip(x, [1]), 1, 1, 3),
  ];
}

interface Piece {
  readonly kind: number;
  readonly first: number;
  readonly second: number;
}

const pieces = (most: number): fc.Arbitrary<Piece[]> =>
  fc.array(fc.record({ kind: fc.nat(KINDS.length - 1), first: fc.nat(5), second: fc.nat(5) }), {
    minLength: Math.floor(most / 2),
    maxLength: most,
  });

/** A vector of two matrices. */
const KINDS: readonly ((x: Value, y: Value) => Value)[] = [
  (x) => o.sum(x, [0]),
  (x, y) => o.sum(o.mul(x, y), [1]),
  (x, y) => o.sum(o.matmul(x, y), [0]),
  (x) => o.max(x, [1]),
  (x) => o.sum(o.softmax(x, 0), [1]),
  (x, y) => o.mean(o.sub(x, o.broadcastTo(o.mean(y, [0]), x.shape, [1])), [1]),
  (x, y) => o.einsum("ij,kj->i", x, y),
  (x) => o.reshape(o.sliceAxis(x, 0, 2, 1), [SIDE]),
  (x, y) => o.einsum("ij,j->i", x, o.sum(y, [0])),
  (x, y) => o.gather(o.sum(x, [1]), o.argsort(o.sum(y, [0]), 0)),
];

const build = ({ kind, first, second }: Piece, leaves: readonly Value[]): Value => KINDS[kind]!(leaves[first]!, leaves[second]!);

/** Combined in pairs: as shallow as it can be. */
function tree(parts: readonly Value[], combine: (a: Value, b: Value, i: number) => Value): Value {
  if (parts.length === 1) return parts[0]!;
  const next: Value[] = [];
  for (let i = 0; i < parts.length; i += 2) next.push(i + 1 < parts.length ? combine(parts[i]!, parts[i + 1]!, i) : parts[i]!);
  return tree(next, combine);
}

/** One kernel, not what the scheduler would make of it: out[j] = Σ_k Σ_i in_k[i, j], each sum over an axis of its own. */
function sumOfSums(device: GraphRunner, count: number): { got: number[]; wanted: number[] } {
  const [length, width] = [2, 3];
  const strides = (k: number): number[] => [1, ...Array.from({ length: count }, (_, a) => (a === k ? width : 0))];
  const part = (k: number): Expr => reduce("sum", [k + 1], load({ buffer: 1, offset: k * length * width, strides: strides(k) }, "float64"));
  const value = Array.from({ length: count }, (_, k) => part(k)).reduce((a, b) => scalar("add", [a, b]));
  const input = Array.from({ length: count * length * width }, (_, i) => i + 1);
  const wanted = Array.from({ length: width }, (_, j) => input.reduce((sum, x, i) => (i % width === j ? sum + x : sum), 0));
  const sizes = { outer: [width], inner: new Array<number>(count).fill(length) };
  return { got: runRows(device, { ...sizes, strides: strides(-1), value }, input, width), wanted };
}

/** out[…] = Σ_i in[i, …] over a result of many axes, three of which are longer than 1 and read in another order than they are written. */
function manyAxes(device: GraphRunner, count: number): { got: number[]; wanted: number[] } {
  const [length, sizes] = [4, [2, 3, 5] as const];
  const places = [0, count >> 1, count - 1];
  const spread = (along: readonly number[], last: number): number[] => {
    const strides = new Array<number>(count + 1).fill(0).with(count, last);
    for (const [n, place] of places.entries()) strides[place] = along[n]!;
    return strides;
  };
  const outer = new Array<number>(count).fill(1);
  for (const [n, place] of places.entries()) outer[place] = sizes[n]!;
  const value = reduce("sum", [count], load({ buffer: 1, offset: 0, strides: spread([1, 2, 6], 30) }, "float64"));
  const input = Array.from({ length: length * 30 }, (_, i) => i * i);
  const wanted: number[] = [];
  for (let a = 0; a < 2; a++)
    for (let b = 0; b < 3; b++)
      for (let c = 0; c < 5; c++) wanted.push([0, 1, 2, 3].reduce((sum, i) => sum + input[i * 30 + a + 2 * b + 6 * c]!, 0));
  return { got: runRows(device, { outer, inner: [length], strides: spread([15, 5, 1], 0), value }, input, 30), wanted };
}

interface OneRows {
  readonly outer: readonly number[];
  readonly inner: readonly number[];
  /** Of what is stored in buffer 0. */
  readonly strides: readonly number[];
  readonly value: Expr;
}

/** Lowers a kernel that reads `input` (buffer 1), runs it, and gives what it wrote. */
function runRows(device: GraphRunner, { outer, inner, strides, value }: OneRows, input: readonly number[], length: number): number[] {
  const sizes = [length, input.length].map((n) => n * bytesOf("float64"));
  const addresses = sizes.map((bytes) => device.heap.allocate(bytes));
  const view = (buffer: number, n: number) => viewOf("float64", device.heap.memory.buffer, addresses[buffer]!, n);
  view(1, input.length).set(input as never);
  const { calls, threadBytes } = device.target.lower(
    { kind: "rows", outer, inner, stores: [{ to: { buffer: 0, offset: 0, strides }, value }], guards: [] },
    {
      dtypeOf: () => "float64",
      sizeOf: () => 0,
      isSettled: () => false,
      allocate: () => {
        throw new Error("this kernel needs no scratch");
      },
    },
  );
  const program = device.load(
    {
      codes: calls.map((c) => c.code),
      buffers: sizes.map((bytes, id) => ({ id, dtype: "float64" as const, bytes, place: "variable" as const })),
      steps: calls.map((c, i) => ({ do: "call" as const, code: i, arguments: c.arguments, blocks: c.blocks, label: "wide" })),
      checks: [],
      scratchBytes: 0,
      threadBytes,
      work: 1,
    },
    (buffer) => addresses[buffer.id]!,
    { threads: "all" },
  );
  program.run();
  const got = [...view(0, length)] as number[];
  program.dispose();
  for (const address of addresses) device.heap.free(address);
  return got;
}
