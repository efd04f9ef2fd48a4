/** Kernels for tests of the compiler and its cache, and compilers that misbehave. */
import { chmodSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { vi } from "vitest";
import { int, type LoopModule } from "../../src/kernel/loop.ts";
import type { Code } from "../../src/kernel/program.ts";
import { NativeCache } from "../../src/runtime/native-cache.ts";
import { type Limits, NativeCompiler } from "../../src/runtime/native-compiler.ts";

/** A kernel that writes a number at the address in its first argument. */
export function writes(value: number): Code {
  const entry: LoopModule["entry"] = {
    name: "w",
    parameters: [int("a"), int("b"), int("e"), int("t")],
    body: [{ do: "word", at: { op: "argument", i: 0, as: "address" }, value }],
  };
  return { key: `writes ${value}`, module: { lanes: 8, helpers: [], entry } };
}

/** What the kernels write, as compiled by a new compiler on this cache; and how many it had to compile. */
export function use(
  directory: string,
  values: readonly number[],
  limits?: Limits,
  { Cache = NativeCache, Compiler = NativeCompiler } = {},
): { written: number[]; compiled: number } {
  const compiler = new Compiler(new Cache(directory), limits);
  const pool = compiler.shim.openPool(1);
  const memory = new Int32Array(16);
  memory[0] = 32;
  compiler.shim.setHeap(pool, new Uint8Array(memory.buffer));
  const written = compiler.functions(values.map(writes)).map((kernel) => {
    compiler.shim.callOnce(pool, kernel, 0, 0, 1, 0);
    return memory[8]!;
  });
  compiler.shim.closePool(pool);
  return { written, compiled: compiler.compiled };
}

/** `use` in a process that has just started, and the warnings it says. */
export async function useFresh(
  directory: string,
  values: readonly number[],
  limits?: Limits,
): Promise<ReturnType<typeof use> & { warnings: string[] }> {
  vi.resetModules();
  // A process of another number would not find this one's temporary folder.
  vi.stubEnv("TMPDIR", mkdtempSync(join(tmpdir(), "gradus-test-")));
  const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
  try {
    const { NativeCache: Cache } = await import("../../src/runtime/native-cache.ts");
    const { NativeCompiler: Compiler } = await import("../../src/runtime/native-compiler.ts");
    const used = use(directory, values, limits, { Cache, Compiler });
    return { ...used, warnings: warn.mock.calls.map(([text]) => String(text)) };
  } finally {
    warn.mockRestore();
  }
}

/** A program for GRADUS_CC: a shell script, in which "$real" is a compiler that works. */
export function script(path: string, real: string, body: string): string {
  writeFileSync(path, `#!/bin/sh\nreal='${real}'\n${body}\n`);
  chmodSync(path, 0o755);
  return path;
}
