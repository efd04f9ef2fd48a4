import { describe, expect, test } from "vitest";
import { entryName, renderWasm } from "../../src/render/wasm.ts";
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
