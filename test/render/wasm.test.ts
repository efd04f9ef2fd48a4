import { describe, expect, test } from "vitest";
import { entryName, renderWasm } from "../../src/render/wasm.ts";
import { i32, local, ModuleWriter, TYPE, v128 } from "../../src/render/wasm-encoder.ts";
import { wasmText } from "../../src/render/wasm-text.ts";
import { hasRelaxedSimd } from "../../src/runtime/wasm-features.ts";
import { difference, expected, type LoopCase, loopCases, place } from "./loop-cases.ts";

const BASE = 65_536;

function runCase(test: LoopCase, relaxed: boolean, shared: boolean): Uint8Array {
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 2, shared });
  const module = new WebAssembly.Module(renderWasm([test.code], { relaxed, shared }));
  const instance = new WebAssembly.Instance(module, { env: { memory } });
  place(test, new Uint8Array(memory.buffer), BASE);
  (instance.exports[entryName(0)] as (...values: number[]) => void)(BASE, test.begin, test.end, test.thread);
  return new Uint8Array(memory.buffer).slice(BASE, BASE + test.memory.length);
}

describe.each([4, 2, 1])("WebAssembly kernels of %i lanes do what the evaluator does", (lanes) => {
  test.each(loopCases(lanes, lanes <= 2).map((c) => [c.title, c] as const))("%s", (_, c) => {
    const wanted = expected(c, BASE);
    expect(difference(c, runCase(c, false, true), wanted)).toBe("");
    expect(difference(c, runCase(c, false, false), wanted)).toBe("");
    if (hasRelaxedSimd()) expect(difference(c, runCase(c, true, true), wanted)).toBe("");
  });
});

describe("WebAssembly as text", () => {
  test("names instructions, their operands, locals and exports", () => {
    const module = new ModuleWriter({ memory: { shared: false } });
    const writer = module.function([TYPE.i32], [TYPE.i32], "half");
    const v = writer.local(TYPE.v128);
    writer.emit(
      local.set(v, v128.load(local.get(0), 16)),
      [local.get(0), 0x04, 0x40, local.set(0, i32.const(-200)), 0x05, local.set(0, i32.shrU(local.get(0), i32.const(1))), 0x0b],
      local.get(0),
    );
    expect(wasmText(module.bytes())).toBe(
      [
        '(func $0 (export "half") (param i32) (result i32)',
        "  (local v128)",
        "  local.get 0",
        "  v128.load offset=16",
        "  local.set 1",
        "  local.get 0",
        "  if",
        "    i32.const -200",
        "    local.set 0",
        "  else",
        "    local.get 0",
        "    i32.const 1",
        "    i32.shr_u",
        "    local.set 0",
        "  end",
        "  local.get 0)",
      ].join("\n"),
    );
  });

  test("knows every instruction that kernels are made of", () => {
    for (const lanes of [4, 2, 1])
      for (const { code, title } of loopCases(lanes, lanes <= 2))
        for (const relaxed of [false, true]) {
          const text = wasmText(renderWasm([code], { relaxed, shared: true }));
          expect(text, title).toContain(`(export "${entryName(0)}")`);
          const count = (word: RegExp): number => text.match(word)?.length ?? 0;
          expect(count(/^ +(block|loop|if)$/gm), title).toBe(count(/^ +end\)?$/gm));
        }
  });
});
