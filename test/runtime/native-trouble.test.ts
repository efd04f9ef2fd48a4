/** Compilers, disks and environments that misbehave. */
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { isAbsolute, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { defaultCacheDirectory } from "../../src/core/cache-folder.ts";
import { NativeCache } from "../../src/runtime/native-cache.ts";
import { NativeCompiler } from "../../src/runtime/native-compiler.ts";
import { sweep } from "../../src/runtime/native-sweep.ts";
import { findToolchain, NO_COMPILER } from "../../src/runtime/native-toolchain.ts";
import { script, use, useFresh } from "./native-kernels.ts";

const root = mkdtempSync(join(tmpdir(), "gradus-test-"));
const toolchain = findToolchain(new NativeCache(join(root, "probe")));
const real = typeof toolchain === "string" ? "" : toolchain.command[0]!;
const why = typeof toolchain === "string" ? ` (skipped: ${toolchain})` : "";
afterAll(() => rmSync(root, { recursive: true, force: true }));
// Temporary folders too are made there, and go with it.
beforeEach(() => void vi.stubEnv("TMPDIR", root));
afterEach(() => void vi.unstubAllEnvs());

let counter = 0;
const fresh = (): string => join(root, `cache-${counter++}`);
/** A compiler of this kind in the environment. */
function pretend(body: string): string {
  const path = script(join(root, `cc-${counter++}`), real, body);
  vi.stubEnv("GRADUS_CC", path);
  return path;
}
const PROBED = 'case "$*" in *-dM*) exec "$real" "$@";; esac';
const SHIM_PASSES = `${PROBED}\nfor last; do :; done\ngrep -q napi_register_module_v1 "$last" && exec "$real" "$@"`;
const LIMITS = { probe: 60_000, compile: 60_000, perByte: 0 };

/** Command lines of processes that hold this text. */
const running = (text: string): string[] =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((id) => {
      try {
        return readFileSync(`/proc/${id}/cmdline`, "utf8");
      } catch {
        return "";
      }
    })
    .filter((line) => line.includes(text));

describe.skipIf(why !== "")(`a compiler that misbehaves${why}`, () => {
  test.skipIf(process.platform !== "linux")("by never answering is given up, with all its children (looked for on Linux)", async () => {
    const seconds = `98${Math.floor(Math.random() * 1e6)}`;
    pretend(`sleep ${seconds} & sleep ${seconds}`);
    expect(findToolchain(new NativeCache(fresh()), process.env, 300)).toMatch(
      /GRADUS_CC is .*, which is no working C compiler: it did not end within 0.3 s$/,
    );
    // Killed, they still have to die.
    await vi.waitFor(() => expect(running(seconds)).toEqual([]), 10_000);
  });

  test("by never ending a compilation is given up", () => {
    const directory = fresh();
    const flag = join(root, `hang-${counter++}`);
    pretend(`[ -e ${flag} ] && sleep 1000\nexec "$real" "$@"`);
    expect(use(directory, [1])).toEqual({ written: [1], compiled: 1 });
    writeFileSync(flag, "");
    expect(() => use(directory, [1, 2], { ...LIMITS, compile: 300 })).toThrow(
      /could not compile a kernel\s+why: it did not end within 0.3 s/,
    );
    expect(readdirSync(directory).filter((name) => name.startsWith("."))).toEqual([]);
  });

  const KINDS: [string, string, RegExp][] = [
    ["fails on kernels alone", `${SHIM_PASSES}\necho "no kernels today" >&2; exit 1`, /why: no kernels today/],
    ["dies", `${SHIM_PASSES}\nkill -9 $$`, /why: (Killed|it wrote nothing)/],
    ["says nothing and makes nothing", `${SHIM_PASSES}\nexit 0`, /why: it wrote nothing and said nothing/],
    ["fails, but leaves a library", `${SHIM_PASSES}\n"$real" "$@"\nexit 3`, /why: it wrote nothing and said nothing/],
    [
      "writes nonsense and calls it a library",
      `${SHIM_PASSES}\nwhile [ "$1" != -o ]; do shift; done\necho nonsense > "$2"`,
      /cannot be loaded/,
    ],
    ["writes a shim that is none", `${PROBED}\nwhile [ "$1" != -o ]; do shift; done\necho nonsense > "$2"`, /cannot be loaded/],
    ["complains without end", `${SHIM_PASSES}\nexec yes complaint >&2`, /why: .*ENOBUFS/],
    ["answers without end", `exec yes answer`, /no working C compiler: .*ENOBUFS/],
    ["answers nonsense", `echo hello`, /no working C compiler: it does not answer like one/],
    ["refuses every question", `echo "licence expired" >&2; exit 1`, /no working C compiler: licence expired/],
    ["was made for another machine", `\0`, /no working C compiler: /],
  ];
  test.each(KINDS)("because it %s is an error with the true reason", (_, body, message) => {
    pretend(body);
    expect(() => use(fresh(), [1])).toThrow(message);
  });

  test("gets no time at all when it is another program on the PATH that works", () => {
    const folder = join(root, `path-${counter++}`);
    mkdirSync(folder);
    script(join(folder, "cc"), real, "exit 1");
    script(join(folder, "gcc"), real, 'exec "$real" "$@"');
    expect(findToolchain(new NativeCache(fresh()), { PATH: `${folder}:/usr/bin:/bin` })).toMatchObject({ command: [join(folder, "gcc")] });
  });

  /** The library as a process has it that has just started. */
  async function library(): Promise<typeof import("../../src/index.ts")> {
    vi.resetModules();
    vi.stubEnv("GRADUS_DEVICE", undefined);
    vi.stubEnv("GRADUS_CACHE", fresh());
    return import("../../src/index.ts");
  }

  test("never stops what chose its device itself: it runs on WebAssembly, with one warning", async () => {
    pretend(`${SHIM_PASSES}\necho "no kernels today" >&2; exit 1`);
    const { compile, tensor, variable } = await library();
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const w = variable([1, 2]);
    const step = compile((x: any) => w.assign(w.mul(x)));
    step(tensor(2));
    step(tensor(3));
    expect(await w.array()).toEqual([6, 12]);
    expect(await compile((x: any) => x.exp().sum())(tensor([0, 0])).item()).toBe(2);
    expect(warn.mock.calls.map(([text]) => text)).toEqual([
      expect.stringMatching(/^gradus: programs run on WebAssembly, without native code: .*could not compile a kernel: no kernels today$/),
    ]);
    const asked = compile((x: any) => x.mul(4), { device: "native" });
    expect(() => asked(tensor([1]))).toThrow(/could not compile a kernel\s+why: no kernels today/);
    warn.mockRestore();
  });

  test("after a training has begun leaves its programs where they are, and later ones run on WebAssembly", async () => {
    const flag = join(root, `fail-${counter++}`);
    pretend(`[ -e ${flag} ] && { echo "no more" >&2; exit 1; }\nexec "$real" "$@"`);
    const { compile, tensor, variable } = await library();
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const w = variable([1, 2, 3]);
    const double = compile(() => w.assign(w.mul(2)));
    double();
    writeFileSync(flag, "");
    const total = compile((x: any) => w.mul(x).sum());
    expect(await total(tensor(1)).item()).toBe(12);
    double();
    expect(await total(tensor(1)).item()).toBe(24);
    expect(await compile(() => w.add(1))().array()).toEqual([5, 9, 13]);
    expect(warn).toHaveBeenCalledTimes(1);
    warn.mockRestore();
  });

  test("by leaving no room on the cache's disk is asked again in a temporary folder", async () => {
    const directory = fresh();
    pretend(
      `${PROBED}\ncase "$*" in *${directory}*) echo "fatal error: error writing: No space left on device" >&2; exit 1;; esac\nexec "$real" "$@"`,
    );
    const { written, warnings } = await useFresh(directory, [5, 6]);
    expect(written).toEqual([5, 6]);
    expect(warnings).toEqual([expect.stringContaining(`cannot be kept in ${directory}: No space left on device`)]);
    expect(readdirSync(directory).filter((name) => !name.startsWith("compiler-"))).toEqual([]);
  });

  test("by leaving no room anywhere is an error that says so, and a single warning where the device was not asked for", async () => {
    pretend(`${PROBED}\necho "No space left on device" >&2; exit 1`);
    expect(() => use(fresh(), [5])).toThrow(/no room for compiled kernels\s+why: No space left on device\s+help: make room/);
    const { compile, tensor } = await library();
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    expect(await compile((x: any) => x.mul(2))(tensor([4])).array()).toEqual([8]);
    expect(warn.mock.calls).toEqual([[expect.stringMatching(/WebAssembly.*no room for compiled kernels: No space left on device$/)]]);
    warn.mockRestore();
  });
});

describe.skipIf(why !== "")(`what is kept${why}`, () => {
  test("is made again where a library of this name lacks the kernel", () => {
    const [elsewhere, directory] = [fresh(), fresh()];
    use(elsewhere, [7, 8]);
    use(directory, [9]);
    const shim = readdirSync(directory).find((name) => name.startsWith("shim_"))!;
    for (const name of readdirSync(elsewhere).filter((name) => name.startsWith("gradus_")))
      copyFileSync(join(directory, shim), join(directory, name));
    expect(use(directory, [7, 8])).toEqual({ written: [7, 8], compiled: 2 });
  });

  test.each([1, 2, 3])("is made again where a folder stands under its name (%i)", (value) => {
    const directory = fresh();
    use(directory, [value]);
    const names = readdirSync(directory);
    expect(names.length).toBe(3);
    for (const name of names) {
      rmSync(join(directory, name));
      mkdirSync(join(directory, name, "inside"), { recursive: true });
    }
    expect(use(directory, [value])).toEqual({ written: [value], compiled: 1 });
    expect(readdirSync(directory).sort()).toEqual(names.sort());
    expect(names.every((name) => statSync(join(directory, name)).isFile())).toBe(true);
  });

  const answerOf = (directory: string): string => join(directory, readdirSync(directory).find((name) => name.startsWith("compiler-"))!);
  /** Writes an answer with a right checksum, as only we or root could. */
  function forge(directory: string, change: (answer: Record<string, unknown>) => unknown): void {
    const file = answerOf(directory);
    const answer = JSON.parse(readFileSync(file).subarray(0, -32).toString());
    new NativeCache(directory).keep(file.slice(directory.length + 1), Buffer.from(JSON.stringify(change(answer))));
  }

  const FORGERIES: [string, (answer: Record<string, unknown>) => unknown][] = [
    ["has flags of its own", (answer) => ({ ...answer, machine: "-fplugin=/nowhere/evil.so" })],
    ["has a list of flags", (answer) => ({ ...answer, machine: ["-march=native", "-fplugin=/nowhere/evil.so"] })],
    ["names another compiler", (answer) => ({ ...answer, command: ["/nowhere/evil"] })],
    [
      "gives the compiler another argument",
      (answer) => ({ ...answer, command: [...(answer.command as string[]), "-fplugin=/nowhere/evil.so"] }),
    ],
    ["is of another family", (answer) => ({ ...answer, family: "constructor" })],
    ["has one field more", (answer) => ({ ...answer, flags: ["-fplugin=/nowhere/evil.so"] })],
    ["has a field less", ({ machine: _, ...answer }) => answer],
    ["has vectors that do not exist", (answer) => ({ ...answer, vectorBytes: 4096 })],
    ["is nothing", () => null],
    ["is a list", () => []],
  ];
  test.each(FORGERIES)("is asked again where an answer %s", (_, change) => {
    const directory = fresh();
    const log = join(root, `log-${counter++}`);
    const path = pretend(`echo "$*" >> ${log}\nexec "$real" "$@"`);
    const first = findToolchain(new NativeCache(directory));
    expect(first).toMatchObject({ command: [path] });
    forge(directory, change);
    rmSync(log);
    expect(findToolchain(new NativeCache(directory))).toEqual(first);
    expect(readFileSync(log, "utf8")).toMatch(/^\S+ -dM -E -x c \/dev\/null\n$/);
    rmSync(log);
    expect(findToolchain(new NativeCache(directory))).toEqual(first);
    expect(existsSync(log)).toBe(false);
  });

  const DAMAGES: [string, (text: string) => string][] = [
    ["cut off", (text) => text.slice(0, 40)],
    ["empty", () => ""],
    ["without its checksum", (text) => text.slice(0, -32)],
    ["no JSON", () => "{".repeat(5000)],
    ["changed", (text) => text.replace("-march", "-mtune")],
  ];
  test.each(DAMAGES)("is asked again where an answer is %s", (_, damage) => {
    const directory = fresh();
    const first = findToolchain(new NativeCache(directory));
    const file = answerOf(directory);
    writeFileSync(file, damage(readFileSync(file, "latin1")), "latin1");
    expect(findToolchain(new NativeCache(directory))).toEqual(first);
    expect(readFileSync(file, "latin1")).toMatch(/^\{"command":/);
  });
});

describe("the cache's size", () => {
  const name = (digit: number): string => `gradus_${String(digit).repeat(40)}.so`;
  const age = (file: string, days: number): void => utimesSync(file, Date.now() / 1000 - days * 86_400, Date.now() / 1000 - days * 86_400);
  function filled(): string {
    const directory = fresh();
    mkdirSync(join(directory, ".work-abcdef"), { recursive: true });
    mkdirSync(join(directory, ".work-fedcba"));
    writeFileSync(join(directory, ".work-abcdef/0.c"), "");
    age(join(directory, ".work-abcdef"), 1);
    for (const [digit, days] of [[1, 1], [2, 5], [3, 10], [4, 100]] as const) {
      writeFileSync(join(directory, name(digit)), Buffer.alloc(1000));
      age(join(directory, name(digit)), days);
    } // biome-ignore format: a table
    writeFileSync(join(directory, "notes.txt"), "not ours");
    age(join(directory, "notes.txt"), 1000);
    return directory;
  }

  test("is bounded by age: what nobody used for long goes, and what killed processes left, but nothing that is not its own", () => {
    const directory = filled();
    sweep(directory);
    expect(readdirSync(directory).sort()).toEqual([".work-fedcba", name(1), name(2), name(3), "notes.txt"]);
  });

  test("is bounded in bytes: the oldest go first", () => {
    const directory = filled();
    sweep(directory, { bytes: 2500 });
    expect(readdirSync(directory).sort()).toEqual([".work-fedcba", name(1), name(2), "notes.txt"]);
  });

  test.skipIf(why !== "")("shrinks when something is compiled, and what is used counts as new", () => {
    const directory = fresh();
    use(directory, [1]);
    const mine = readdirSync(directory);
    for (const file of mine) age(join(directory, file), 80);
    writeFileSync(join(directory, name(4)), Buffer.alloc(1000));
    age(join(directory, name(4)), 100);
    use(directory, [1, 2]);
    expect(existsSync(join(directory, name(4)))).toBe(false);
    for (const file of mine) expect(Date.now() - statSync(join(directory, file)).mtimeMs).toBeLessThan(86_400_000);
  });
});

describe("the environment", () => {
  test.each([{ HOME: "" }, { HOME: "home" }, { HOME: "/h", XDG_CACHE_HOME: "cache" }, { HOME: "/h", XDG_CACHE_HOME: "" }, {}])(
    "gives a cache folder that does not depend on where one is: %j",
    (environment) => {
      const directory = defaultCacheDirectory(environment);
      expect(isAbsolute(directory)).toBe(true);
      if (environment.HOME === "/h") expect(directory).toBe("/h/.cache/gradus");
    },
  );

  test.skipIf(why !== "")("with a relative GRADUS_CACHE gets a temporary folder and a warning", async () => {
    const { written, warnings } = await useFresh("some/cache", [3]);
    expect(written).toEqual([3]);
    expect(warnings).toEqual([expect.stringMatching(/some\/cache is not used: "some\/cache" is no absolute path; nothing in it is read/)]);
    expect(existsSync("some")).toBe(false);
  });

  test.each(["", ":", ":/nowhere", "/nowhere:", "/nowhere::/nowhere", ".", "bin"])(
    "with the PATH %j never runs a compiler from the present folder",
    (PATH) => {
      const folder = join(root, `here-${counter++}`);
      mkdirSync(join(folder, "bin"), { recursive: true });
      for (const path of ["cc", "gcc", "clang", "bin/cc"]) script(join(folder, path), real, `echo ran >> ${folder}/ran`);
      const module = JSON.stringify(new URL("../../src/runtime/native-toolchain.ts", import.meta.url).href);
      const cache = JSON.stringify(new URL("../../src/runtime/native-cache.ts", import.meta.url).href);
      const code = `const { findToolchain } = await import(${module}); const { NativeCache } = await import(${cache});
        console.log(findToolchain(new NativeCache(${JSON.stringify(fresh())})));`;
      const loader = fileURLToPath(import.meta.resolve("tsx"));
      const { stdout, stderr } = spawnSync(process.execPath, ["--import", loader, "--input-type=module", "-e", code], {
        cwd: folder,
        env: { PATH, HOME: root, TMPDIR: root },
        encoding: "utf8",
      });
      expect({ said: stdout.trim(), complained: stderr }).toEqual({ said: NO_COMPILER, complained: "" });
      expect(existsSync(join(folder, "ran"))).toBe(false);
    },
  );

  test.skipIf(why !== "")("with a relative GRADUS_CC means the file it names, and no other of that name", () => {
    const path = script(join(root, "gcc"), real, 'exec "$real" "$@"');
    const cache = new NativeCache(fresh());
    const { PATH } = process.env;
    expect(findToolchain(cache, { GRADUS_CC: relative(process.cwd(), path), PATH })).toMatchObject({ command: [path] });
    expect(findToolchain(cache, { GRADUS_CC: "./gcc", PATH })).toBe('GRADUS_CC is "./gcc", which is no working C compiler');
    expect(findToolchain(cache, { GRADUS_CC: "sub/gcc -O3", PATH })).toBe('GRADUS_CC is "sub/gcc -O3", which is no working C compiler');
  });

  test.skipIf(why !== "")("of a compiler has no folders on its PATH that depend on where it runs", () => {
    const log = join(root, `log-${counter++}`);
    pretend(`echo "$PATH" >> ${log}\npwd >> ${log}\nexec "$real" "$@"`);
    vi.stubEnv("PATH", `:.:${process.env.PATH}:bin`);
    const directory = fresh();
    new NativeCompiler(new NativeCache(directory));
    const lines = readFileSync(log, "utf8").trim().split("\n");
    expect(lines.filter((line) => line.split(":").some((folder) => !isAbsolute(folder)))).toEqual([]);
    expect(lines.filter((_, i) => i % 2 === 1)).toEqual(["/", expect.stringContaining(`${directory}/.work-`)]);
  });
});
