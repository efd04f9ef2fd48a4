/** Small kernels for every operation of the loop IR, with memory to run them on: one conformance suite for all printers. */
import { bytesOf, type DType, viewOf } from "../../src/core/dtype.ts";
import {
  type Int, 
  iadd, idiv, ieq, ile, ilt, imin, imul, int, irem, isub, type Lane, type LoopFunction, type Statement, type Vec, type VecBinary, type VecCompare, type VecUnary,vec,
} from "../../src/kernel/loop.ts"; // biome-ignore format: two lines
import type { Code } from "../../src/kernel/program.ts";
import { LoopEvaluator } from "./loop-evaluator.ts";

/** Elements of each operand; a multiple of all lane counts. */
const COUNT = 32;
/** Bytes of one region; elements of `step` 12 bytes fit as well. */
const REGION = 512;
/** Regions of an image: operands a, b, c, result, scratch. */
const REGIONS = 5;
const RESULT = 3 * REGION;
const [A, B, C] = [0, REGION, 2 * REGION];
/** The argument block stands in front of the image. */
const IMAGE = 64;

export interface LoopCase {
  readonly title: string;
  readonly code: Code;
  /** How the result region is compared. */
  readonly dtype: DType;
  /** Memory before: the argument block (with addresses relative to the image), then the regions. */
  readonly memory: Uint8Array;
  /** Words of the argument block that are addresses. */
  readonly addresses: readonly number[];
  readonly begin: number;
  readonly end: number;
  readonly thread: number;
}

/** Memory as the evaluator leaves it, with the case's memory at address `base`. */
export function expected(test: LoopCase, base: number): Uint8Array {
  const memory = new Uint8Array(base + test.memory.length + 256);
  place(test, memory, base);
  new LoopEvaluator(test.code.module, memory.buffer).run(base, test.begin, test.end, test.thread);
  return memory.slice(base, base + test.memory.length);
}

/** Writes a case's memory at an address: its argument block is what the entry gets. */
export function place(test: LoopCase, memory: Uint8Array, base: number): void {
  memory.set(test.memory, base);
  const view = new DataView(memory.buffer, memory.byteOffset);
  for (const i of test.addresses) view.setUint32(base + 4 * i, view.getUint32(base + 4 * i, true) + base + IMAGE, true);
}

/** What differs between two memories of a case, or "": results compare as numbers, all other bytes must be equal. */
export function difference(test: LoopCase, actual: Uint8Array, wanted: Uint8Array): string {
  const at = IMAGE + RESULT;
  const length = REGION / bytesOf(test.dtype);
  const results = (bytes: Uint8Array) => viewOf(test.dtype, bytes.slice(at, at + REGION).buffer, 0, length);
  const [x, y] = [results(actual), results(wanted)];
  for (let i = 0; i < length; i++) if (!Object.is(x[i], y[i])) return `result ${i} is ${x[i]}, not ${y[i]}`;
  for (let i = 64; i < wanted.length; i++)
    if ((i < at || i >= at + REGION) && actual[i] !== wanted[i]) return `byte ${i - IMAGE} was written: ${actual[i]}, not ${wanted[i]}`;
  return "";
}

const DTYPE: Record<Lane, DType> = { f32: "float32", f64: "float64", i32: "int32", u32: "uint32", mask32: "bool", mask64: "bool" };

const FLOATS = [
  0,
  -0,
  1,
  -1,
  1.5,
  -2.5,
  2.5,
  0.5,
  -0.5,
  3e9,
  -3e9,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  123456.75,
  7,
];
const OTHER_FLOATS = [1, 0, -2, 0.25, 3, Number.NaN, 2.5, -0, 8, 3e9, 5e9, 1, 2, -0.125, 0.5, Number.NEGATIVE_INFINITY];
const INTS = [0, 1, -1, 7, -7, 8, 2147483647, -2147483648, 100, -100, 255, 256, 12345, -54321, 3, 2];
const OTHER_INTS = [3, 0, -1, 2, 2, -3, 7, -1, -7, 7, 16, 5, 100, 9, -2147483648, 1];

function operand(dtype: DType, other: boolean): number[] {
  const values = dtype === "float32" || dtype === "float64" ? (other ? OTHER_FLOATS : FLOATS) : other ? OTHER_INTS : INTS;
  // The second half pairs the values differently.
  const paired = other ? [...values.slice(5), ...values.slice(0, 5)] : values;
  const all = [...values, ...paired];
  return dtype === "bool" ? all.map((x) => x & 1) : all;
}

interface Parts {
  readonly a?: DType;
  readonly b?: DType;
  readonly c?: DType;
  readonly result: DType;
  readonly helpers?: readonly LoopFunction[];
  readonly begin?: number;
  readonly end?: number;
  readonly thread?: number;
}

const block = int("arguments");
const i = int("i");
const PARAMETERS = [block, int("begin"), int("end"), int("thread")];
const region = (word: number): Int => ({ op: "argument", i: word, as: "address" });
const [a, b, c, out, scratch] = [0, 1, 2, 3, 4].map(region) as [Int, Int, Int, Int, Int];
/** A size in the argument block: COUNT. */
const size: Int = { op: "argument", i: 5, as: "size" };
/** A negative size: −3. */
const negative: Int = { op: "argument", i: 6, as: "size" };

function makeCase(lanes: number, title: string, body: readonly Statement[], parts: Parts): LoopCase {
  const memory = new Uint8Array(IMAGE + REGIONS * REGION);
  const words = new Int32Array(memory.buffer, 0, 16);
  words.set([A, B, C, RESULT, 4 * REGION, COUNT, -3]);
  memory.fill(0xa5, IMAGE);
  const fill = (dtype: DType | undefined, at: number, other: boolean): void => {
    if (dtype) viewOf(dtype, memory.buffer, IMAGE + at, COUNT).set(operand(dtype, other));
  };
  fill(parts.a, A, false);
  fill(parts.b, B, true);
  fill(parts.c, C, false);
  const entry: LoopFunction = { name: "entry", parameters: PARAMETERS, body };
  return {
    title: `${title}, ${lanes} lanes`,
    code: { key: `${title} ${lanes}`, module: { lanes, helpers: parts.helpers ?? [], entry } },
    dtype: parts.result,
    memory,
    addresses: [0, 1, 2, 3, 4],
    begin: parts.begin ?? 0,
    end: parts.end ?? 1,
    thread: parts.thread ?? 0,
  };
}

/** The address of vector i of a region. */
const nth = (base: Int, dtype: DType): Int => iadd(base, imul(i, bytesOf(dtype)));
const loadFrom = (base: Int, lane: Lane, dtype = DTYPE[lane]): Vec => ({ op: "load", dtype, at: nth(base, dtype), form: "vector", lane });
const storeTo = (value: Vec, dtype = DTYPE[value.lane]): Statement => ({ do: "store", dtype, at: nth(out, dtype), value, form: "vector" });
const each = (lanes: number, body: readonly Statement[]): Statement => ({ do: "for", local: i, from: 0, to: size, step: lanes, body });
const splat = (value: number, lane: Lane): Vec => ({ op: "splat", value, lane });

const FLOAT: readonly Lane[] = ["f32", "f64"];
const NUMBER: readonly Lane[] = ["f32", "f64", "i32", "u32"];
const WHOLE: readonly Lane[] = ["i32", "u32"];
const MASK: readonly Lane[] = ["mask32", "mask64"];
const ALL: readonly Lane[] = [...NUMBER, ...MASK];
const BITS: readonly Lane[] = [...WHOLE, ...MASK];

const UNARY_LANES: Record<VecUnary, readonly Lane[]> = {
  neg: NUMBER, abs: NUMBER, sqrt: FLOAT, floor: FLOAT, ceil: FLOAT, trunc: FLOAT, nearest: FLOAT, not: BITS,
}; // biome-ignore format: a table
const BINARY_LANES: Record<VecBinary, readonly Lane[]> = {
  add: NUMBER, sub: NUMBER, mul: NUMBER, div: FLOAT, pmin: NUMBER, pmax: NUMBER, floordiv: WHOLE, mod: WHOLE, and: BITS, or: BITS, xor: BITS,
}; // biome-ignore format: a table
const COMPARES: readonly VecCompare[] = ["eq", "ne", "lt", "le"];

const is64 = (lane: Lane): boolean => lane === "f64" || lane === "mask64";
const maskOf = (lane: Lane): "mask32" | "mask64" => (is64(lane) ? "mask64" : "mask32");

/** All cases for a lane count; `wide` says whether 64-bit lanes fit the target's vector. */
export function loopCases(lanes: number, wide: boolean): LoopCase[] {
  const fits = (lane: Lane): boolean => wide || !is64(lane);
  const make = (title: string, body: readonly Statement[], parts: Parts): LoopCase => makeCase(lanes, title, body, parts);
  return [
    ...elementwise(lanes, fits, make),
    ...conversions(lanes, fits, make),
    ...memoryCases(lanes, fits, make),
    ...acrossCases(lanes, fits, make),
    ...control(lanes, make),
  ];
}

type Make = (title: string, body: readonly Statement[], parts: Parts) => LoopCase;
type Fits = (lane: Lane) => boolean;

function elementwise(lanes: number, fits: Fits, make: Make): LoopCase[] {
  const cases: LoopCase[] = [];
  for (const [op, table] of Object.entries(UNARY_LANES) as [VecUnary, readonly Lane[]][])
    for (const lane of table.filter(fits)) {
      const value: Vec = { op, args: [loadFrom(a, lane)], lane };
      cases.push(make(`${op} of ${lane}`, [each(lanes, [storeTo(value)])], { a: DTYPE[lane], result: DTYPE[lane] }));
    }
  for (const [op, table] of Object.entries(BINARY_LANES) as [VecBinary, readonly Lane[]][])
    for (const lane of table.filter(fits)) {
      const value: Vec = { op, args: [loadFrom(a, lane), loadFrom(b, lane)], lane };
      cases.push(make(`${op} of ${lane}`, [each(lanes, [storeTo(value)])], { a: DTYPE[lane], b: DTYPE[lane], result: DTYPE[lane] }));
    }
  for (const op of COMPARES)
    for (const lane of ALL.filter(fits)) {
      const value: Vec = { op, args: [loadFrom(a, lane), loadFrom(b, lane)], lane: maskOf(lane) };
      cases.push(make(`${op} of ${lane}`, [each(lanes, [storeTo(value)])], { a: DTYPE[lane], b: DTYPE[lane], result: "bool" }));
    }
  for (const lane of ALL.filter(fits)) {
    const mask = loadFrom(c, maskOf(lane), "bool");
    const chosen: Vec = { op: "select", args: [mask, loadFrom(a, lane), loadFrom(b, lane)], lane };
    cases.push(
      make(`select of ${lane}`, [each(lanes, [storeTo(chosen)])], { a: DTYPE[lane], b: DTYPE[lane], c: "bool", result: DTYPE[lane] }),
    );
  }
  for (const lane of NUMBER.filter(fits)) {
    const fused: Vec = { op: "fma", args: [loadFrom(a, lane), splat(2, lane), splat(-3, lane)], lane };
    cases.push(make(`fma of ${lane}`, [each(lanes, [storeTo(fused)])], { a: DTYPE[lane], result: DTYPE[lane] }));
  }
  for (const op of ["shl", "shr"] as const)
    for (const lane of WHOLE)
      for (const by of [0, 1, 13, 31]) {
        const value: Vec = { op, args: [loadFrom(a, lane)], by, lane };
        cases.push(make(`${op} of ${lane} by ${by}`, [each(lanes, [storeTo(value)])], { a: DTYPE[lane], result: DTYPE[lane] }));
      }
  return cases;
}

function conversions(lanes: number, fits: Fits, make: Make): LoopCase[] {
  const cases: LoopCase[] = [];
  for (const from of ALL.filter(fits))
    for (const to of ALL.filter(fits)) {
      const value: Vec = { op: "convert", args: [loadFrom(a, from)], lane: to };
      cases.push(make(`convert ${from} to ${to}`, [each(lanes, [storeTo(value)])], { a: DTYPE[from], result: DTYPE[to] }));
    }
  for (const from of ["f32", "i32", "u32"] as const)
    for (const to of ["f32", "i32", "u32"] as const) {
      const value: Vec = { op: "bitcast", args: [loadFrom(a, from)], lane: to };
      // Compared as integers: a NaN's bits count too.
      const shown: Vec = to === "f32" ? { op: "bitcast", args: [value], lane: "i32" } : value;
      cases.push(make(`bitcast ${from} to ${to}`, [each(lanes, [storeTo(shown)])], { a: DTYPE[from], result: DTYPE[shown.lane] }));
    }
  const bits: Vec = { op: "bitcast", args: [loadFrom(a, "mask32")], lane: "i32" };
  cases.push(make("bitcast mask32 to i32", [each(lanes, [storeTo(bits)])], { a: "bool", result: "int32" }));
  if (!fits("f64")) return cases;
  for (const op of ["low", "high"] as const) {
    const value: Vec = { op, args: [loadFrom(b, "f64")], lane: "u32" };
    cases.push(make(`${op} of f64`, [each(lanes, [storeTo(value)])], { b: "float64", result: "uint32" }));
  }
  const x = vec("x", "f64");
  const again: Vec = { op: "pair", args: [{ op: "low", args: [x], lane: "u32" }, { op: "high", args: [x], lane: "u32" }], lane: "f64" }; // biome-ignore format: one value
  const body = [each(lanes, [{ do: "vec", local: x, value: loadFrom(a, "f64") }, storeTo(again)])] as const;
  cases.push(make("pair puts low and high together again", body, { a: "float64", result: "float64" }));
  return cases;
}

function memoryCases(lanes: number, fits: Fits, make: Make): LoopCase[] {
  const cases: LoopCase[] = [];
  const stored: readonly [DType, Lane][] = [
    ["float32", "f32"], ["float64", "f64"], ["int32", "i32"], ["uint32", "u32"], ["uint8", "u32"], ["bool", "mask32"], ["bool", "mask64"],
  ]; // biome-ignore format: a table
  for (const [dtype, lane] of stored.filter(([, lane]) => fits(lane))) {
    const bytes = bytesOf(dtype);
    const parts: Parts = { a: dtype, b: "int32", result: dtype };
    const from = (form: "vector" | "splat"): Vec => ({ op: "load", dtype, at: nth(a, dtype), form, lane });
    const name = `${dtype} as ${lane}`;
    cases.push(make(`load and store ${name}`, [each(lanes, [storeTo(from("vector"), dtype)])], parts));
    cases.push(make(`splat load of ${name}`, [each(lanes, [storeTo(from("splat"), dtype)])], parts));
    const first: Statement = { do: "store", dtype, at: nth(out, dtype), value: from("vector"), form: "first" };
    cases.push(make(`store of the first lane of ${name}`, [each(lanes, [first])], parts));
    for (const step of [2 * bytes, { op: "mul", a: bytes, b: int("three") } as const]) {
      const value: Vec = { op: "load", dtype, at: iadd(a, bytes), form: "strided", step, lane };
      const body: Statement[] = [{ do: "int", local: int("three"), value: 3 }, { do: "int", local: i, value: 2 }, storeTo(value, dtype)];
      const kind = typeof step === "number" ? "a literal" : "a computed";
      cases.push(make(`load of ${name} with ${kind} step`, body, parts));
      const back: Statement = {
        do: "store",
        dtype,
        at: iadd(out, bytes),
        value: from("vector"),
        form: "strided",
        step,
        count: Math.max(1, lanes - 1),
      };
      cases.push(
        make(
          `store of ${name} with ${kind} step`,
          [{ do: "int", local: int("three"), value: 3 }, { do: "int", local: i, value: 0 }, back],
          parts,
        ),
      );
    }
    for (let count = 1; count <= lanes; count++) {
      const partial: Statement = {
        do: "store",
        dtype,
        at: nth(out, dtype),
        value: from("vector"),
        form: "partial",
        count: iadd(int("zero"), count),
      };
      const apart: Statement = {
        do: "store",
        dtype,
        at: nth(out, dtype),
        value: from("vector"),
        form: "strided",
        step: 3 * bytes,
        count: iadd(int("zero"), count),
      };
      const start: Statement[] = [
        { do: "int", local: int("zero"), value: 0 },
        { do: "int", local: i, value: 1 },
      ];
      cases.push(make(`store of ${count} lanes of ${name}`, [...start, partial], parts));
      cases.push(make(`store of ${count} lanes of ${name} apart`, [...start, apart], parts));
    }
    const wrapped: Vec = { op: "and", args: [{ op: "load", dtype: "int32", at: nth(b, "int32"), form: "vector", lane: "i32" }, splat(15, "i32")], lane: "i32" }; // biome-ignore format: one value
    const gathered: Vec = { op: "gather", dtype, at: iadd(a, bytes), index: wrapped, step: bytes, lane };
    cases.push(make(`gather of ${name}`, [each(lanes, [storeTo(gathered, dtype)])], parts));
    const backward: Vec = { op: "load", dtype, at: iadd(a, 20 * bytes), form: "strided", step: imul(negative, bytes), lane };
    if (lanes <= 4)
      cases.push(make(`load of ${name} with a negative step`, [{ do: "int", local: i, value: 0 }, storeTo(backward, dtype)], parts));
  }
  return cases;
}

function acrossCases(lanes: number, fits: Fits, make: Make): LoopCase[] {
  const cases: LoopCase[] = [];
  for (const combine of ["add", "mul", "pmin", "pmax"] as const)
    for (const lane of NUMBER.filter(fits)) {
      const value: Vec = { op: "across", combine, args: [loadFrom(a, lane)], lane };
      cases.push(make(`across ${combine} of ${lane}`, [each(lanes, [storeTo(value)])], { a: DTYPE[lane], result: DTYPE[lane] }));
    }
  for (const combine of ["and", "or"] as const)
    for (const lane of BITS.filter(fits)) {
      const value: Vec = { op: "across", combine, args: [loadFrom(a, lane)], lane };
      cases.push(make(`across ${combine} of ${lane}`, [each(lanes, [storeTo(value)])], { a: DTYPE[lane], result: DTYPE[lane] }));
    }
  const reverse = Array.from({ length: lanes }, (_, l) => lanes - 1 - l);
  const zip = Array.from({ length: lanes }, (_, l) => (l % 2 === 0 ? l >> 1 : lanes + (l >> 1)));
  for (const [name, pick] of [
    ["reverses", reverse],
    ["zips", zip],
  ] as const)
    for (const lane of ["f32", "i32", "u32"] as const) {
      // biome-ignore format: short
      const value: Vec = { op: "shuffle", args: [loadFrom(a, lane), loadFrom(b, lane)], pick, lane };
      cases.push(make(`shuffle ${name} ${lane}`, [each(lanes, [storeTo(value)])], { a: DTYPE[lane], b: DTYPE[lane], result: DTYPE[lane] }));
    }
  return cases;
}

function control(lanes: number, make: Make): LoopCase[] {
  const word = (at: number, value: Int): Statement => ({ do: "word", at: iadd(out, 4 * at), value });
  const set = (name: string, value: Int): Statement => ({ do: "int", local: int(name), value });
  const [x, y] = [int("x"), int("y")];
  const operations = [iadd, isub, imul, imin, ilt, ile, ieq, idiv, irem].map((f, n) => word(n, f(x, y)));
  const signed = [iadd, isub, imul, imin, ilt, ile, ieq].map((f, n) => word(16 + n, f(negative, x)));
  const ramp: Vec = { op: "ramp", value: i, lane: "i32" };
  const lanesSum: Vec = { op: "splatInt", value: imul(i, 3), lane: "i32" };
  const helper: LoopFunction = {
    name: "helper",
    parameters: [int("n"), int("to")],
    body: [{ do: "word", at: int("to"), value: imul(int("n"), 10) }],
  };
  const second: LoopFunction = {
    name: "second",
    parameters: [block, int("n")],
    body: [{ do: "call", name: "helper", arguments: [int("n"), iadd(out, imul(int("n"), 4))] }],
  };
  const nested: Statement = {
    do: "for",
    local: x,
    from: 0,
    to: imin(size, 5),
    step: 2,
    body: [
      {
        do: "for",
        local: y,
        from: x,
        to: 6,
        step: int("stride"),
        body: [{ do: "word", at: iadd(out, imul(iadd(imul(x, 8), y), 4)), value: iadd(x, y) }],
      },
    ],
  };
  const branch = (test: Int): Statement => ({
    do: "if",
    test,
    then: [word(0, 1), { do: "if", test: ilt(x, 2), then: [word(2, 7)] }],
    else: [word(1, 2)],
  });
  const picked: Int = { op: "lane", of: { op: "load", dtype: "int32", at: a, form: "vector", lane: "i32" }, lane: lanes - 1 };
  return [
    make(
      "integer operations",
      [set("x", { op: "word", at: iadd(a, 12) }), set("y", { op: "and", a: size, b: 36 }), ...operations, ...signed],
      { a: "int32", result: "int32" },
    ),
    make("ramps and splats of integers", [each(lanes, [storeTo({ op: "add", args: [ramp, lanesSum], lane: "i32" })])], { result: "int32" }),
    make("one lane as an integer", [word(0, picked), word(1, iadd(picked, 1))], { a: "int32", result: "int32" }),
    make("blocks and the thread's number reach the entry", [word(0, int("begin")), word(1, int("end")), word(2, int("thread"))], {
      result: "int32",
      begin: 3,
      end: 9,
      thread: 5,
    }),
    make("nested loops with computed bounds", [set("stride", 2), nested], { result: "int32" }),
    make(
      "loops that never run",
      [
        set("stride", 2),
        { do: "for", local: x, from: 5, to: 5, step: 1, body: [word(0, 1)] },
        { do: "for", local: x, from: size, to: 3, step: 1, body: [word(1, 1)] },
      ],
      { result: "int32" },
    ),
    make("the first branch", [set("x", 1), branch(ieq(x, 1))], { result: "int32" }),
    make("the other branch", [set("x", 1), branch(ieq(x, 2))], { result: "int32" }),
    make(
      "helpers that call helpers and read arguments",
      [{ do: "for", local: x, from: 0, to: 4, step: 1, body: [{ do: "call", name: "second", arguments: [block, x] }] }],
      { result: "int32", helpers: [helper, second] },
    ),
    ...reports(lanes, make),
  ];
}

function reports(lanes: number, make: Make): LoopCase[] {
  const cell: Statement[] = [
    { do: "word", at: scratch, value: -1 },
    { do: "word", at: iadd(scratch, 4), value: -1 },
  ];
  const values = loadFrom(a, "i32");
  const bad = (limit: number): Vec => ({ op: "lt", args: [values, splat(limit, "i32")], lane: "mask32" });
  const report = (limit: number, count: Int): Statement => ({
    do: "report",
    cell: scratch,
    bad: bad(limit),
    position: { op: "ramp", value: i, lane: "i32" },
    value: values,
    count,
  });
  const backward: Statement = {
    do: "for",
    local: int("n"),
    from: 0,
    to: size,
    step: lanes,
    body: [{ do: "int", local: i, value: isub(isub(size, lanes), int("n")) }, report(0, lanes)],
  };
  return [
    make("a report keeps the smallest position", [...cell, backward], { a: "int32", result: "int32" }),
    make("a report of nothing leaves the cell", [...cell, each(lanes, [report(-2147483648, lanes)])], { a: "int32", result: "int32" }),
    make("a report looks at the first lanes only", [...cell, { do: "int", local: int("one"), value: 1 }, each(lanes, [report(1000, imin(int("one"), i))])], { a: "int32", result: "int32" }),
  ]; // biome-ignore format: a table
}
