/** Small programs for tests of devices. */
import { type Int, type IntLocal, iadd, imin, imul, int, type LoopFunction, type Statement, type Vec, vec } from "../../src/kernel/loop.ts";
import type { Argument, Buffer, Check, Code, Program, Step } from "../../src/kernel/program.ts";
import type { Runner } from "../../src/runtime/runner.ts";

export const BLOCK = 64;

const PARAMETERS: readonly IntLocal[] = [int("arguments"), int("begin"), int("end"), int("thread")];
const address = (i: number): Int => ({ op: "argument", i, as: "address" });
const size = (i: number): Int => ({ op: "argument", i, as: "size" });

/** A code of 4-lane vectors, which all devices have. */
export function code(key: string, body: readonly Statement[]): Code {
  const entry: LoopFunction = { name: "entry", parameters: PARAMETERS, body };
  return { key, module: { lanes: 4, helpers: [], entry } };
}

const [i, limit, from, to] = [int("i"), int("limit"), int("from"), int("to")];
const at = (base: Int, index: Int): Int => iadd(base, imul(index, 4));

/** out[i] = x[i] · scale + shift for `count` floats, in blocks of 64. Arguments: x, out, count. */
export function affine(scale: number, shift: number): Code {
  const x: Vec = { op: "load", dtype: "float32", at: at(from, i), form: "vector", lane: "f32" };
  const value: Vec = { op: "add", args: [{ op: "mul", args: [x, { op: "splat", value: scale, lane: "f32" }], lane: "f32" }, { op: "splat", value: shift, lane: "f32" }], lane: "f32" }; // biome-ignore format: one value
  return code(`affine ${scale} ${shift}`, [
    { do: "int", local: from, value: address(0) },
    { do: "int", local: to, value: address(1) },
    { do: "int", local: limit, value: imin(imul(int("end"), BLOCK), size(2)) },
    {
      do: "for", local: i, from: imul(int("begin"), BLOCK), to: limit, step: 4,
      body: [{ do: "store", dtype: "float32", at: at(to, i), value, form: "partial", count: imin({ op: "sub", a: limit, b: i }, 4) }],
    },
  ]); // biome-ignore format: a table
}

/** Adds its second argument to the word at its first. */
export const addWord: Code = code("add word", [{ do: "word", at: address(0), value: iadd({ op: "word", at: address(0) }, size(1)) }]);

/** Sum of the first `count` words of x goes to out: x, out, count. */
export const sumWords: Code = code("sum words", [
  { do: "int", local: int("sum"), value: 0 },
  { do: "for", local: i, from: 0, to: size(2), step: 1, body: [{ do: "int", local: int("sum"), value: iadd(int("sum"), { op: "word", at: at(address(0), i) }) }] },
  { do: "word", at: address(1), value: int("sum") },
]); // biome-ignore format: a table

/** Block b writes its thread's number plus 1 to its private scratch and from there to out[b]. Arguments: private scratch, bytes for each thread, out. */
export const whoDid: Code = code("who did", [
  { do: "int", local: to, value: iadd(address(0), imul(int("thread"), size(1))) },
  { do: "word", at: to, value: iadd(int("thread"), 1) },
  { do: "word", at: at(address(2), int("begin")), value: { op: "word", at: to } },
]);

/** Reports words of x that are below 0, four in each block. Arguments: x, cell. */
export const refuseNegative: Code = code("refuse negative", [
  { do: "int", local: from, value: imul(int("begin"), 4) },
  { do: "vec", local: vec("x", "i32"), value: { op: "load", dtype: "int32", at: at(address(0), from), form: "vector", lane: "i32" } },
  {
    do: "report", cell: address(1), position: { op: "ramp", value: from, lane: "i32" }, value: vec("x", "i32"), count: 4,
    bad: { op: "lt", args: [vec("x", "i32"), { op: "splat", value: 0, lane: "i32" }], lane: "mask32" },
  },
]); // biome-ignore format: a table

/** Block 0 writes behind the end of all memory. */
export const trap: Code = code("trap", [
  { do: "if", test: { op: "eq", a: int("begin"), b: 0 }, then: [{ do: "word", at: iadd(-8, 0), value: 1 }] },
]);

/** Never ends on threads but the first. */
export const hang: Code = code("hang", [
  { do: "if", test: { op: "lt", a: 0, b: int("thread") }, then: [{ do: "for", local: i, from: 0, to: 1, step: size(0), body: [] }] },
  { do: "for", local: i, from: 0, to: 100_000_000, step: 1, body: [] },
]);

/** A buffer of 32-bit elements, numbered as it stands in the program. */
export const buffer = (id: number, count: number, place: Buffer["place"] = "variable", offset?: number): Buffer => ({
  id, dtype: "float32", bytes: 4 * count, place, ...(offset === undefined ? {} : { offset }),
}); // biome-ignore format: short

export const of = (id: number, offset = 0): Argument => ({ buffer: id, offset });

export const callStep = (codeNumber: number, args: readonly Argument[], blocks = 1, more: Partial<Step> = {}): Step =>
  ({ do: "call", code: codeNumber, arguments: args, blocks, label: "a call", ...more }) as Step;

export const check = (label: string): Check => ({ what: "index", label, bound: 1 });

export function program(parts: Partial<Program> & Pick<Program, "codes" | "buffers" | "steps">): Program {
  return { checks: [], scratchBytes: 0, threadBytes: 0, work: 1_000_000, ...parts };
}

/** Addresses of a program's buffers that are not scratch. */
export function place(device: Runner, { buffers }: Program): Map<number, number> {
  return new Map(buffers.filter((b) => b.place !== "scratch").map((b) => [b.id, device.heap.allocate(b.bytes)]));
}
