import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { type Int, iadd, imul, int, type LoopModule, type Statement, type Vec } from "../../src/kernel/loop.ts";
import type { Argument, Buffer, Code, Program, Step } from "../../src/kernel/program.ts";
import { Heap } from "../../src/runtime/heap.ts";
import { NativeCache } from "../../src/runtime/native-cache.ts";
import { nativeAvailable } from "../../src/runtime/native-compiler.ts";
import { NativeRunner } from "../../src/runtime/native-runner.ts";
import { deviceSuite } from "./device-suite.ts";

const directory = mkdtempSync(join(tmpdir(), "gradus-test-"));
const found = nativeAvailable(new NativeCache(directory));
const why = found.available ? "" : ` (skipped: ${found.reason})`;
const BLOCK = 64;

const open: NativeRunner[] = [];
function device(threads: number): NativeRunner {
  const made = new NativeRunner({ heap: new Heap({ maximumBytes: 2 ** 26 }), threads, cache: new NativeCache(directory) });
  open.push(made);
  return made;
}
afterEach(() => {
  for (const made of open.splice(0)) made.close();
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const address = (i: number): Int => ({ op: "argument", i, as: "address" });
const size = (i: number): Int => ({ op: "argument", i, as: "size" });
const [block, begin, end, thread, e] = [int("arguments"), int("begin"), int("end"), int("thread"), int("e")];
const f32 = (at: Int): Vec => ({ op: "load", dtype: "float32", at, form: "vector", lane: "f32" });
const store = (at: Int, value: Vec): Statement => ({ do: "store", dtype: "float32", at, value, form: "vector" });
const splat = (value: number): Vec => ({ op: "splat", value, lane: "f32" });
const plus = (a: Vec, b: Vec): Vec => ({ op: "add", args: [a, b], lane: "f32" });
const code = (key: string, body: readonly Statement[]): Code => {
  const module: LoopModule = { lanes: 8, helpers: [], entry: { name: key, parameters: [block, begin, end, thread], body } };
  return { key, module };
};
/** Over the elements of the blocks that the call is to do, in steps of 8 (bytes: 32). */
const overBlocks = (body: readonly Statement[]): Statement => ({
  do: "for",
  local: e,
  from: imul(begin, 4 * BLOCK),
  to: imul(end, 4 * BLOCK),
  step: 32,
  body,
});

/** to[e] = 2 · from[e] + 1. */
const DOUBLE = code("double", [
  overBlocks([store(iadd(address(1), e), { op: "fma", args: [f32(iadd(address(0), e)), splat(2), splat(1)], lane: "f32" })]),
]);
/** to[0 … 7] = to · 2 + from: order matters. */
const FOLD = code("fold", [store(address(1), plus(plus(f32(address(1)), f32(address(1))), f32(address(0))))]);
/** to[e] += 1 for the blocks. */
const BUMP = code("bump", [overBlocks([store(iadd(address(0), e), plus(f32(iadd(address(0), e)), splat(1)))])]);
/** Reports elements of a block that are below word 1, by their position. */
const CHECK = code("check", [
  overBlocks([
    { do: "report", cell: address(2), count: 8,
      bad: { op: "lt", args: [{ op: "load", dtype: "int32", at: iadd(address(0), e), form: "vector", lane: "i32" }, { op: "splatInt", value: size(1), lane: "i32" }], lane: "mask32" },
      position: { op: "ramp", value: { op: "div", a: e, b: 4 }, lane: "i32" },
      value: { op: "load", dtype: "int32", at: iadd(address(0), e), form: "vector", lane: "i32" } },
  ]),
]); // biome-ignore format: one kernel
const CODES = [DOUBLE, FOLD, BUMP, CHECK];

const at = (buffer: number, offset = 0): Argument => ({ buffer, offset });
const call = (which: Code, blocks: number, args: readonly Argument[], more: Partial<Extract<Step, { do: "call" }>> = {}): Step => ({
  do: "call", code: CODES.indexOf(which), arguments: args, blocks, label: which.key, ...more,
}); // biome-ignore format: one step

interface Plan {
  readonly buffers: readonly (Omit<Buffer, "id"> & { fill?: readonly number[] })[];
  readonly steps: readonly Step[];
  readonly checks?: number;
  readonly scratchBytes?: number;
  readonly work?: number;
}

/** A program on a device with its buffers filled, and views of them. */
function build(on: NativeRunner, plan: Plan) {
  const buffers = plan.buffers.map(({ fill: _, ...buffer }, id) => ({ id, ...buffer }));
  const addresses = new Map(buffers.filter((b) => b.place !== "scratch").map((b) => [b.id, on.heap.allocate(b.bytes)]));
  const view = (id: number) => on.heap.view(buffers[id]!.dtype, addresses.get(id)!, buffers[id]!.bytes / 4);
  plan.buffers.forEach(({ fill, place }, id) => {
    if (place !== "scratch") view(id).set(fill ?? new Array(buffers[id]!.bytes / 4).fill(0));
  });
  const program: Program = {
    codes: CODES,
    buffers,
    steps: plan.steps,
    checks: Array.from({ length: plan.checks ?? 0 }, () => ({ what: "index", label: "x", bound: 1 })),
    scratchBytes: plan.scratchBytes ?? 0,
    threadBytes: 0,
    work: plan.work ?? 1e6,
  };
  return { loaded: on.load(program, (b) => addresses.get(b.id)!), view, addresses };
}

const floats = (bytes: number, fill?: readonly number[]): Plan["buffers"][number] => ({
  dtype: "float32",
  bytes,
  place: "variable",
  ...(fill ? { fill } : {}),
});
const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i % 97);

if (found.available) {
  const cache = new NativeCache(directory);
  deviceSuite("native", (threads) => new NativeRunner({ threads, cache }));
}

describe.skipIf(!found.available)(`the native device${why}`, () => {
  test.each([1, 2, 3, 8])("runs every block once and in the order of barriers on %i threads", (threads) => {
    const on = device(threads);
    expect(on.threads).toBe(threads);
    const blocks = 101;
    const bytes = blocks * BLOCK * 4;
    const { loaded, view } = build(on, {
      buffers: [floats(bytes, numbers(blocks * BLOCK)), { dtype: "float32", bytes, place: "scratch", offset: 128 }, floats(bytes)],
      scratchBytes: bytes + 128,
      steps: [call(DOUBLE, blocks, [at(0), at(1)]), { do: "barrier" }, call(DOUBLE, blocks, [at(1), at(2)])],
    });
    for (let run = 0; run < 50; run++) {
      view(2).fill(0);
      expect(loaded.run()).toEqual({ ok: true });
      expect([...view(2)]).toEqual(numbers(blocks * BLOCK).map((x) => 4 * x + 3));
    }
  });

  test("calls with no barrier between them do each of their blocks once", () => {
    const on = device(4);
    const blocks = 7;
    const buffers = Array.from({ length: 6 }, () => floats(blocks * BLOCK * 4));
    const { loaded, view } = build(on, { buffers, steps: buffers.map((_, i) => call(BUMP, blocks, [at(i)])) });
    for (let run = 0; run < 500; run++) loaded.run();
    for (const i of buffers.keys()) expect(new Set(view(i))).toEqual(new Set([500]));
  });

  test.each([1, 2, 4])("loops move arguments, forwards and backwards, on %i threads", (threads) => {
    const rows = 5;
    const fold = (to: number): Step => call(FOLD, 1, [at(0), at(to)], { perTurn: [32, 0] });
    const { loaded, view } = build(device(threads), {
      buffers: [floats(rows * 32, numbers(rows * 8)), floats(32), floats(32)],
      steps: [
        { do: "loop", times: rows, reverse: false, steps: [fold(1), { do: "barrier" }] },
        { do: "loop", times: rows, reverse: true, steps: [{ do: "section", steps: [fold(2)] }] },
        { do: "loop", times: 0, reverse: false, steps: [fold(2)] },
      ],
    });
    expect(loaded.run()).toEqual({ ok: true });
    const wanted = (order: readonly number[]): number[] =>
      Array.from({ length: 8 }, (_, l) => order.reduce((sum, row) => 2 * sum + row * 8 + l, 0));
    expect([...view(1)]).toEqual(wanted([0, 1, 2, 3, 4]));
    expect([...view(2)]).toEqual(wanted([4, 3, 2, 1, 0]));
  });

  test("arguments move with loops inside loops", () => {
    const inner: Step = call(FOLD, 1, [at(0), at(1)], { perTurn: [32, 0], perOuterTurn: [[96, 32]] });
    const { loaded, view } = build(device(2), {
      buffers: [floats(192, numbers(48)), floats(64)],
      steps: [
        { do: "loop", times: 2, reverse: false, steps: [{ do: "loop", times: 3, reverse: false, steps: [inner, { do: "barrier" }] }] },
      ],
    });
    loaded.run();
    const wanted = (first: number, l: number): number => [0, 1, 2].reduce((sum, row) => 2 * sum + (first + row) * 8 + l, 0);
    expect([...view(1)]).toEqual([0, 3].flatMap((first) => Array.from({ length: 8 }, (_, l) => wanted(first, l))));
  });

  test.each([1, 3])("a failed check stops at the commit and names the smallest position, on %i threads", (threads) => {
    const blocks = 20;
    const values = new Array(blocks * BLOCK).fill(5);
    const { loaded, view } = build(device(threads), {
      buffers: [{ dtype: "int32", bytes: blocks * BLOCK * 4, place: "argument", fill: values }, floats(BLOCK * 4)],
      checks: 2,
      steps: [call(CHECK, blocks, [at(0), 0, { check: 1 }]), { do: "commit" }, call(BUMP, 1, [at(1)])],
    });
    expect(loaded.run()).toEqual({ ok: true });
    view(0)[777] = -3;
    view(0)[1003] = -4;
    for (let run = 0; run < 20; run++) expect(loaded.run()).toEqual({ ok: false, check: 1, position: 777, value: -3 });
    expect(view(1)[0]).toBe(1);
    view(0)[777] = 5;
    view(0)[1003] = 5;
    expect(loaded.run()).toEqual({ ok: true });
    expect(view(1)[0]).toBe(2);
  });

  test("scratch grows with the largest program, and those linked before still run", () => {
    const on = device(2);
    const twice = (bytes: number): Plan => ({
      buffers: [floats(bytes, numbers(bytes / 4)), { dtype: "float32", bytes, place: "scratch", offset: 0 }, floats(bytes)],
      scratchBytes: bytes,
      steps: [call(DOUBLE, bytes / 4 / BLOCK, [at(0), at(1)]), { do: "barrier" }, call(DOUBLE, bytes / 4 / BLOCK, [at(1), at(2)])],
    });
    const small = build(on, twice(BLOCK * 4));
    small.loaded.run();
    const large = build(on, twice(BLOCK * 4 * 1000));
    small.view(2).fill(0);
    expect(large.loaded.run()).toEqual({ ok: true });
    expect(small.loaded.run()).toEqual({ ok: true });
    expect(small.view(2)[10]).toBe(43);
    expect(large.view(2)[1000]).toBe(4 * (1000 % 97) + 3);
  });

  test("the heap may grow between runs", () => {
    const on = device(2);
    const { loaded, view } = build(on, { buffers: [floats(BLOCK * 4)], steps: [call(BUMP, 1, [at(0)])] });
    loaded.run();
    on.heap.allocate(2 ** 25);
    loaded.run();
    expect(view(0)[0]).toBe(2);
  });

  test("10,000 small runs, one after another, each do their work", () => {
    const { loaded, view } = build(device(2), { buffers: [floats(BLOCK * 4)], steps: [call(BUMP, 1, [at(0)])], work: 64 });
    for (let run = 0; run < 10_000; run++) loaded.run();
    expect(view(0)[5]).toBe(10_000);
  });

  test("a program that was disposed of does not run", () => {
    const { loaded } = build(device(1), { buffers: [floats(BLOCK * 4)], steps: [call(BUMP, 1, [at(0)])] });
    loaded.dispose();
    loaded.dispose();
    expect(() => loaded.run()).toThrow("disposed");
  });
});
