import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test, vi } from "vitest";
import { defaultCacheDirectory } from "../../src/core/cache-folder.ts";
import { DeviceError } from "../../src/core/errors.ts";
import { Heap } from "../../src/runtime/heap.ts";
import { openNative } from "../../src/runtime/native.ts";
import { NativeCache } from "../../src/runtime/native-cache.ts";
import { NativeCompiler, nativeAvailable } from "../../src/runtime/native-compiler.ts";
import { findToolchain } from "../../src/runtime/native-toolchain.ts";
import { use } from "./native-kernels.ts";

const root = mkdtempSync(join(tmpdir(), "gradus-test-"));
const found = nativeAvailable(new NativeCache(join(root, "probe")));
const why = found.available ? "" : ` (skipped: ${found.reason})`;
afterAll(() => rmSync(root, { recursive: true, force: true }));

const kernels = (directory: string): string[] => readdirSync(directory).filter((name) => name.startsWith("gradus_"));
let counter = 0;
const fresh = (): string => join(root, `cache-${counter++}`);

describe.skipIf(!found.available)(`the cache of compiled kernels${why}`, () => {
  test("keeps each kernel under a name of its own, and only compiles what is missing", () => {
    const directory = fresh();
    expect(use(directory, [1, 2, 3, 2])).toEqual({ written: [1, 2, 3, 2], compiled: 3 });
    expect(kernels(directory)).toHaveLength(3);
    expect(use(directory, [3, 4, 1])).toEqual({ written: [3, 4, 1], compiled: 1 });
    expect(use(directory, [4, 2])).toEqual({ written: [4, 2], compiled: 0 });
    expect(readdirSync(directory).filter((name) => name.startsWith("."))).toEqual([]);
  });

  const flipped = (bytes: Uint8Array): Uint8Array => bytes.map((byte, i) => (i === 2000 ? byte ^ 1 : byte));
  const damages: [string, (bytes: Uint8Array) => Uint8Array][] = [
    ["cut off", (bytes) => bytes.subarray(0, 5000)],
    ["empty", () => new Uint8Array()],
    ["overwritten", (bytes) => bytes.map(() => 120)],
    ["changed in one bit", flipped],
  ];
  test.each(damages)("compiles a kernel again whose file is %s", (_, damage) => {
    const directory = fresh();
    const value = 100 + counter;
    expect(use(directory, [value]).compiled).toBe(1);
    for (const name of kernels(directory)) {
      const bytes = readFileSync(join(directory, name));
      // A new file: this process still has the old one mapped.
      rmSync(join(directory, name));
      writeFileSync(join(directory, name), damage(bytes));
    }
    expect(use(directory, [value])).toEqual({ written: [value], compiled: 1 });
    expect(use(directory, [value])).toEqual({ written: [value], compiled: 0 });
  });

  test.skipIf(!found.available || found.vectorBytes < 64)(
    "measures once which vectors are the fastest, and believes only what it could have written",
    () => {
      const directory = fresh();
      const compiler = new NativeCompiler(new NativeCache(directory));
      const fastest = compiler.vectorBytes;
      expect([32, 64]).toContain(fastest);
      expect(compiler.compiled).toBe(2);
      const name = readdirSync(directory).find((entry) => entry.startsWith("vectors-"))!;
      for (const [kept, taken] of [
        ["32", 32],
        ["64", 64],
        ["4096", undefined],
        ["", undefined],
        ["16", undefined],
      ] as const) {
        new NativeCache(directory).keep(name, Buffer.from(kept));
        const chosen = new NativeCompiler(new NativeCache(directory)).vectorBytes;
        if (taken) expect(chosen).toBe(taken);
        else expect([32, 64]).toContain(chosen);
      }
      writeFileSync(join(directory, name), "32");
      new NativeCompiler(new NativeCache(directory)).vectorBytes;
      expect(readFileSync(join(directory, name)).subarray(0, -32).toString()).toMatch(/^(32|64)$/);
    },
  );

  test("works uncached where the directory cannot be written", () => {
    vi.stubEnv("TMPDIR", root);
    expect(use("/dev/null/cache", [7, 8])).toEqual({ written: [7, 8], compiled: 2 });
    vi.unstubAllEnvs();
  });

  test("is shared by processes that compile the same kernels at once", async () => {
    const directory = fresh();
    const script = join(root, "process.mjs");
    const source = (path: string): string => new URL(`../../src/${path}`, import.meta.url).href;
    writeFileSync(
      script,
      `import { NativeCache } from ${JSON.stringify(source("runtime/native-cache.ts"))};
import { NativeCompiler } from ${JSON.stringify(source("runtime/native-compiler.ts"))};
const code = (value) => ({ key: String(value), module: { lanes: 8, helpers: [], entry: { name: "w", parameters: [], body: [{ do: "word", at: 64, value }] } } });
const compiler = new NativeCompiler(new NativeCache(${JSON.stringify(directory)}));
const pool = compiler.shim.openPool(1);
const memory = new Int32Array(32);
compiler.shim.setHeap(pool, new Uint8Array(memory.buffer));
const values = Array.from({ length: 12 }, (_, i) => i + 1);
compiler.functions(values.map(code)).forEach((kernel, i) => {
  compiler.shim.callOnce(pool, kernel, 0, 0, 1, 0);
  if (memory[16] !== values[i]) throw new Error("wrong kernel");
});
console.log("fine");`,
    );
    const run = (): Promise<string> =>
      new Promise((resolve) => {
        const child = spawn(process.execPath, ["--import", "tsx", script], { cwd: new URL("../..", import.meta.url).pathname });
        let said = "";
        child.stdout.on("data", (text) => (said += text));
        child.stderr.on("data", (text) => (said += text));
        child.on("close", () => resolve(said.trim()));
      });
    expect(await Promise.all([run(), run(), run()])).toEqual(["fine", "fine", "fine"]);
    expect(kernels(directory)).toHaveLength(12);
  });
});

describe("finding a compiler", () => {
  test("without one, opening the device says why and what to do", () => {
    const before = process.env.GRADUS_CC;
    process.env.GRADUS_CC = "/no/such/compiler";
    try {
      const opened = openNative(new Heap({ maximumBytes: 2 ** 24 }));
      if (!("reason" in opened)) throw new Error("it was opened");
      expect(opened.reason).toContain("/no/such/compiler");
      expect(opened.error()).toBeInstanceOf(DeviceError);
      expect(opened.error().message).toContain("help: install a C compiler");
    } finally {
      if (before === undefined) delete process.env.GRADUS_CC;
      else process.env.GRADUS_CC = before;
    }
  });

  test("says what GRADUS_CC should have been", () => {
    const cache = new NativeCache(fresh());
    expect(findToolchain(cache, { GRADUS_CC: "/no/such/compiler" })).toBe(
      'GRADUS_CC is "/no/such/compiler", which is no working C compiler',
    );
    expect(findToolchain(cache, { GRADUS_CC: "/bin/true" })).toContain("no working C compiler");
    expect(findToolchain(cache, { PATH: "/nowhere" })).toBe("no C compiler (cc, gcc or clang) is on the PATH");
  });

  test.skipIf(!found.available)("takes a compiler with arguments", () => {
    const toolchain = findToolchain(new NativeCache(fresh()), { GRADUS_CC: "cc -pipe", PATH: process.env.PATH });
    expect(toolchain).toMatchObject({ command: [expect.stringMatching(/\/cc$/), "-pipe"] });
  });

  test("the cache stands where the environment says", () => {
    expect(defaultCacheDirectory({ GRADUS_CACHE: "/a", XDG_CACHE_HOME: "/b" })).toBe("/a");
    expect(defaultCacheDirectory({ XDG_CACHE_HOME: "/b" })).toBe("/b/gradus");
    expect(defaultCacheDirectory({})).toMatch(/\.cache\/gradus$/);
  });
});
