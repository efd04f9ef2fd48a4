/**
 * Loops as C.
 *
 * @module-tag slow
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { iadd, imul, int, type LoopModule, type Statement, type Vec, vec } from "../../src/kernel/loop.ts";
import type { Code } from "../../src/kernel/program.ts";
import { renderC } from "../../src/render/c.ts";
import { NativeCache } from "../../src/runtime/native-cache.ts";
import { NativeCompiler, nativeAvailable } from "../../src/runtime/native-compiler.ts";
import { difference, expected, type LoopCase, loopCases, place } from "./loop-cases.ts";
import { CallAddon } from "./native-call.ts";

const directory = mkdtempSync(join(tmpdir(), "gradus-test-"));
const found = nativeAvailable(new NativeCache(directory));
const why = found.available ? "" : ` (skipped: ${found.reason})`;
const BASE = 65_536;

afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe.skipIf(!found.available).each([
  [16, false],
  [8, true],
  [4, true],
  [2, true],
  [1, true],
] as const)(`C kernels of %i lanes do what the evaluator does${why}`, (lanes, wide) => {
  const cases = loopCases(lanes, wide);
  let addon: CallAddon;
  let addresses: number[];
  beforeAll(() => {
    const compiler = new NativeCompiler(new NativeCache(directory));
    addon = new CallAddon(compiler);
    addresses = compiler.functions(cases.map((c) => c.code));
  }, 120_000);

  const runCase = (c: LoopCase, address: number): Uint8Array => {
    const memory = new WebAssembly.Memory({ initial: 2, maximum: 2, shared: true });
    const bytes = new Uint8Array(memory.buffer);
    place(c, bytes, BASE);
    addon.call(address, bytes, BASE, [c.begin, c.end, c.thread]);
    return bytes.slice(BASE, BASE + c.memory.length);
  };

  test.each(cases.map((c, i) => [c.title, c, i] as const))("%s", (_, c, i) => {
    expect(difference(c, runCase(c, addresses[i]!), expected(c, BASE))).toBe("");
  });
});

/** acc += a[i] · b[i] in four accumulators, as a product's innermost loop; what the assembly tests look at. */
function dot(lane: "f32" | "f64", lanes: number, combine: (a: Vec, b: Vec, c: Vec) => Vec): Code {
  const i = int("i");
  const bytes = lane === "f32" ? 4 : 8;
  const dtype = lane === "f32" ? "float32" : "float64";
  const at = (argument: number): Vec => ({
    op: "load",
    dtype,
    lane,
    form: "vector",
    at: iadd({ op: "argument", i: argument, as: "address" }, imul(i, bytes)),
  });
  const acc = vec("acc", lane);
  const body: Statement[] = [
    { do: "vec", local: acc, value: { op: "splat", value: 0, lane } },
    {
      do: "for",
      local: i,
      from: 0,
      to: { op: "argument", i: 2, as: "size" },
      step: lanes,
      body: [{ do: "vec", local: acc, value: combine(at(0), at(1), acc) }],
    },
    {
      do: "store",
      dtype,
      form: "vector",
      at: { op: "argument", i: 3, as: "address" },
      value: { op: "sqrt", args: [{ op: "floor", args: [acc], lane }], lane },
    },
  ];
  const module: LoopModule = { lanes, helpers: [], entry: { name: "dot", parameters: [int("a"), int("b"), int("e"), int("t")], body } };
  return { key: `dot ${lane} ${lanes}`, module };
}

/** Machine code of a kernel as text. */
function assembly(code: Code): string {
  const compiler = new NativeCompiler(new NativeCache(directory));
  const { command, flags } = compiler.toolchain;
  const [source, result] = [join(directory, "look.c"), join(directory, "look.s")];
  writeFileSync(source, renderC(code));
  const { status, stderr } = spawnSync(
    command[0]!,
    [...command.slice(1), ...flags.filter((f) => f !== "-shared"), "-S", "-o", result, source],
    { encoding: "utf8" },
  );
  expect(stderr).toBe("");
  expect(status).toBe(0);
  return readFileSync(result, "utf8");
}

const widest = found.available && process.arch === "x64" ? new NativeCompiler(new NativeCache(directory)).toolchain.vectorBytes : 0;
const hasAvx = widest >= 32;

describe.skipIf(!hasAvx)(`machine code${why}`, () => {
  const short = [["f32", 8], ["f32", 4], ["f64", 4], ["f64", 2]] as const; // biome-ignore format: a table
  const long =
    widest === 64
      ? ([
          ["f32", 16],
          ["f64", 8],
        ] as const)
      : [];
  const sizes = [...short, ...long];

  test.each(sizes)("a fused multiply-add of %s × %i is one instruction, and nothing is called", (lane, lanes) => {
    const text = assembly(dot(lane, lanes, (a, b, c) => ({ op: "fma", args: [a, b, c], lane })));
    expect(text).toMatch(lane === "f32" ? /vfmadd\d+ps/ : /vfmadd\d+pd/);
    expect(text).toMatch(/v?sqrtp/);
    expect(text).toMatch(/round|vrndscale/);
    expect(text).not.toMatch(/\tcall\t/);
  });

  test("a product and a sum stay two roundings", () => {
    const text = assembly(dot("f32", 8, (a, b, c) => ({ op: "add", args: [{ op: "mul", args: [a, b], lane: "f32" }, c], lane: "f32" })));
    expect(text).not.toMatch(/vfn?m(add|sub)/);
    expect(text).toMatch(/vmulps/);
  });

  test("a vector of 8 lanes is one register of 32 bytes", () => {
    const text = assembly(dot("f32", 8, (a, b, c) => ({ op: "fma", args: [a, b, c], lane: "f32" })));
    expect(text).toMatch(/%ymm/);
    expect(text).not.toMatch(/%zmm/);
  });

  test.skipIf(widest < 64)("a vector of 16 lanes is one register of 64 bytes, and its tail is stored in one instruction", () => {
    const { key, module } = dot("f32", 16, (a, b, c) => ({ op: "fma", args: [a, b, c], lane: "f32" }));
    const body = module.entry.body.map((s): Statement => (s.do === "store" ? { ...s, form: "partial", count: { op: "argument", i: 4, as: "size" } } : s)); // biome-ignore format: one line
    const text = assembly({ key, module: { ...module, entry: { ...module.entry, body } } });
    expect(text.match(/vfmadd\d+ps\t.*%zmm/g)).toHaveLength(1);
    expect(text).toMatch(/vmovups\t%zmm\d+, .*\{%k\d\}/);
    expect(text.match(/^\tj\w+/gm)?.length ?? 0).toBeLessThan(5);
  });

  test.skipIf(widest < 64)("a choice between vectors of 16 lanes is a comparison and a blend", () => {
    const smaller = (a: Vec, b: Vec, c: Vec): Vec => ({
      op: "select",
      args: [{ op: "lt", args: [a, b], lane: "mask32" }, b, c],
      lane: "f32",
    });
    const text = assembly(dot("f32", 16, smaller));
    expect(text).toMatch(/vcmp\w*ps\t.*%zmm.*%k\d/);
    expect(text).toMatch(/blend|\{%k\d\}/);
    expect(text).not.toMatch(/vpternlog|vpand|vmovd2m/);
  });
});

describe("C text", () => {
  test("includes no header and says each helper once", () => {
    const code = dot("f32", 8, (a, b, c) => ({ op: "fma", args: [a, b, c], lane: "f32" }));
    const text = renderC([code, code], () => "twice");
    expect(text).not.toContain("#include");
    expect(text.match(/INLINE f32x8 fma_f32x8/g)).toHaveLength(1);
    expect(text.match(/^void twice\(/gm)).toHaveLength(2);
  });

  test("keeps the exact value of constants", () => {
    const values = [0.1, -0, Number.NaN, Number.POSITIVE_INFINITY, 1e-45, 3];
    const body = values.map(
      (value, i): Statement => ({ do: "vec", local: vec(`v${i}`, "f32"), value: { op: "splat", value, lane: "f32" } }),
    );
    const text = renderC({ key: "constants", module: { lanes: 4, helpers: [], entry: { name: "e", parameters: [], body } } });
    for (const literal of [
      "(0.10000000149011612f)",
      "(-0.0f)",
      '(__builtin_nanf(""))',
      "(__builtin_inff())",
      "(1.401298464324817e-45f)",
      "(3.0f)",
    ])
      expect(text).toContain(`splat_f32x4${literal}`);
  });
});
