/** Who may put code into the cache: nobody but this user and root. */
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync, chownSync, copyFileSync, existsSync, lchownSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync,
} from "node:fs"; // biome-ignore format: two lines
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { NativeCache } from "../../src/runtime/native-cache.ts";
import { findToolchain } from "../../src/runtime/native-toolchain.ts";
import { faultOfFolder, readTrusted } from "../../src/runtime/native-trust.ts";
import { use, useFresh } from "./native-kernels.ts";

const root = realpathSync(mkdtempSync(join(tmpdir(), "gradus-test-")));
const toolchain = findToolchain(new NativeCache(join(root, "probe")));
const compiler = typeof toolchain === "string" ? "" : toolchain.command[0]!;
const why = typeof toolchain === "string" ? ` (skipped: ${toolchain})` : "";
const isRoot = process.geteuid?.() === 0;
const unlessRoot = isRoot ? "" : " (skipped: only root can make what other users make)";
// Temporary folders too are made there, and go with it.
beforeEach(() => void vi.stubEnv("TMPDIR", root));
afterEach(() => void vi.unstubAllEnvs());
const [ALICE, MALLORY] = [64_001, 64_002];
afterAll(() => rmSync(root, { recursive: true, force: true }));

let counter = 0;
function folder(...path: string[]): string {
  const made = join(root, `f${counter++}`, ...path);
  mkdirSync(made, { recursive: true, mode: 0o700 });
  return made;
}

describe("a folder is trusted", () => {
  test("where only we can write it and all above it", () => {
    expect(faultOfFolder(folder("a", "b"))).toBeUndefined();
    expect(faultOfFolder("/")).toBeUndefined();
  });

  test.each([0o777, 0o775, 0o757, 0o722])("not with the mode %o, be it the last or above", (mode) => {
    const loose = folder("loose");
    mkdirSync(join(loose, "inside"), { mode: 0o700 });
    chmodSync(loose, mode);
    expect(faultOfFolder(loose)).toBe(`${loose} can be written by other users`);
    expect(faultOfFolder(join(loose, "inside"))).toBe(`${loose} can be written by other users`);
  });

  test("below one like /tmp, but not itself one", () => {
    const sticky = folder("sticky");
    mkdirSync(join(sticky, "inside"), { mode: 0o700 });
    chmodSync(sticky, 0o1777);
    expect(faultOfFolder(join(sticky, "inside"))).toBeUndefined();
    expect(faultOfFolder(sticky)).toBe(`${sticky} can be written by other users`);
    expect(faultOfFolder(sticky, { sticky: true })).toBeUndefined();
  });

  test("through links of our own, where what they lead to is trusted", () => {
    const [safe, loose, place] = [folder("safe"), folder("loose"), folder()];
    chmodSync(loose, 0o777);
    symlinkSync(safe, join(place, "absolute"));
    symlinkSync(join("..", safe.slice(root.length + 1)), join(place, "relative"));
    symlinkSync(loose, join(place, "bad"));
    symlinkSync("turn", join(place, "turn"));
    expect(faultOfFolder(join(place, "absolute"))).toBeUndefined();
    expect(faultOfFolder(join(place, "bad"))).toBe(`${loose} can be written by other users`);
    expect(faultOfFolder(join(place, "turn"))).toMatch(/too many links/);
    expect(faultOfFolder(join(place, "relative"))).toBeUndefined();
    expect(() => faultOfFolder(join(place, "nothing"))).toThrow(/ENOENT/);
  });

  test("not where it is a file, or no absolute path", () => {
    const file = join(folder(), "file");
    writeFileSync(file, "");
    expect(faultOfFolder(file)).toBe(`${file} is no folder`);
    for (const path of ["", "here", "./here", "../here"]) expect(faultOfFolder(path)).toBe(`${JSON.stringify(path)} is no absolute path`);
  });

  test.runIf(isRoot)(`not where it, one above it or a link to it belongs to somebody else${unlessRoot}`, () => {
    const [above, safe, place] = [folder("above"), folder("safe"), folder()];
    mkdirSync(join(above, "inside"));
    chownSync(above, MALLORY, MALLORY);
    expect(faultOfFolder(above)).toBe(`${above} belongs to another user (${MALLORY})`);
    expect(faultOfFolder(join(above, "inside"))).toBe(`${above} belongs to another user (${MALLORY})`);
    symlinkSync(safe, join(place, "link"));
    lchownSync(join(place, "link"), MALLORY, MALLORY);
    expect(faultOfFolder(join(place, "link"))).toBe(`${join(place, "link")} belongs to another user (${MALLORY})`);
  });

  test("when it was made, which lets nobody else in", () => {
    const place = folder();
    expect(faultOfFolder(join(place, "new", "folder"), { make: true })).toBeUndefined();
    expect([join(place, "new"), join(place, "new", "folder")].map((path) => statSync(path).mode & 0o777)).toEqual([0o700, 0o700]);
  });
});

describe("a file is read", () => {
  const file = (mode: number): string => {
    const path = join(folder(), "file");
    writeFileSync(path, "content");
    chmodSync(path, mode);
    return path;
  };

  test.each([0o600, 0o644, 0o700, 0o755])("where only we can write it: mode %o", (mode) => {
    expect(readTrusted(file(mode))).toMatchObject({ bytes: Buffer.from("content") });
  });

  test.each([0o666, 0o664, 0o646, 0o777])("not where others can write it: mode %o", (mode) => {
    expect(readTrusted(file(mode))).toMatchObject({ fault: expect.stringContaining("can be written by other users"), foreign: true });
  });

  test("not where it is a link, a folder, a pipe or nothing", () => {
    const link = join(folder(), "link");
    symlinkSync(file(0o600), link);
    expect(readTrusted(link)).toEqual({ fault: `${link} is a link`, foreign: true });
    expect(readTrusted(folder())).toMatchObject({ fault: expect.stringContaining("is no file") });
    expect(readTrusted("/dev/zero")).toMatchObject({ fault: expect.any(String) });
    const pipe = join(folder(), "pipe");
    if (spawnSync("/bin/sh", ["-c", `mkfifo -m 600 ${pipe}`]).status === 0)
      expect(readTrusted(pipe)).toEqual({ fault: `${pipe} is no file`, foreign: false });
    expect(readTrusted(join(folder(), "nothing"))).toBeUndefined();
  });

  test.runIf(isRoot)(`not where it belongs to somebody else${unlessRoot}`, () => {
    const path = file(0o600);
    chownSync(path, MALLORY, MALLORY);
    expect(readTrusted(path)).toEqual({ fault: `${path} belongs to another user (${MALLORY})`, foreign: true });
  });
});

describe.skipIf(why !== "")(`the cache of compiled kernels${why}`, () => {
  /** A cache that is full, and what was done to it. */
  function cacheWith(change: (directory: string) => void): string {
    const directory = folder("cache");
    use(directory, [41]);
    change(directory);
    return directory;
  }

  test("that others can write is not used: nothing in it is read or written, and one warning says how to mend it", async () => {
    const directory = cacheWith((path) => chmodSync(path, 0o777));
    const before = readdirSync(directory);
    const { written, compiled, warnings } = await useFresh(directory, [41, 42]);
    expect({ written, compiled }).toEqual({ written: [41, 42], compiled: 2 });
    expect(warnings).toEqual([
      expect.stringMatching(
        /^gradus: the cache of compiled kernels \S+ is not used: \S+ can be written by other users; nothing in it is read.*to mend it/,
      ),
    ]);
    expect(readdirSync(directory)).toEqual(before);
  });

  const kernelIn = (directory: string): string => join(directory, readdirSync(directory).find((name) => name.startsWith("gradus_"))!);
  const TRICKS: [string, (file: string) => void][] = [
    ["can be written by others", (file) => chmodSync(file, 0o777)],
    [
      "is a link",
      (file) => {
        renameSync(file, `${file}.real`);
        symlinkSync(`${file}.real`, file);
      },
    ],
    ...(isRoot ? [["belongs to somebody else", (file) => chownSync(file, MALLORY, MALLORY)] as [string, (file: string) => void]] : []),
  ];
  test.each(TRICKS)("makes a kernel again whose file %s, with one warning", async (_, trick) => {
    const directory = cacheWith((path) => trick(kernelIn(path)));
    const { written, compiled, warnings } = await useFresh(directory, [41]);
    expect({ written, compiled }).toEqual({ written: [41], compiled: 1 });
    expect(warnings).toEqual([expect.stringContaining("it is not read, and made again")]);
    expect(await useFresh(directory, [41])).toEqual({ written: [41], compiled: 0, warnings: [] });
  });

  /** Runs gradus in a process of this user, which is to print the answer and its warnings. */
  function runAs(user: number, directory: string, before = ""): { said: string; complained: string } {
    const loader = fileURLToPath(import.meta.resolve("tsx"));
    const code = `${before}
const { compile, tensor } = await import(${JSON.stringify(new URL("../../src/index.ts", import.meta.url).href)});
console.log(await compile((x) => x.mul(2).sum(), { device: "native" })(tensor([1, 2, 3])).item());`;
    const home = folder();
    chmodSync(join(home, ".."), 0o755);
    chownSync(home, user, user);
    const { stdout, stderr } = spawnSync(process.execPath, ["--import", loader, "--input-type=module", "-e", code], {
      ...(isRoot ? { uid: user, gid: user } : {}),
      cwd: fileURLToPath(new URL("../..", import.meta.url)),
      env: { PATH: process.env.PATH, HOME: home, TMPDIR: home, GRADUS_CACHE: directory, GRADUS_THREADS: "1" },
      encoding: "utf8",
    });
    return { said: stdout.trim(), complained: stderr.trim() };
  }

  test("is made for this user alone, whatever the umask", { timeout: 60_000 }, () => {
    const directory = join(folder(), "new", "cache");
    expect(runAs(process.geteuid!(), directory, "process.umask(0);")).toEqual({ said: "12", complained: "" });
    const modes = [join(directory, ".."), directory].map((path) => statSync(path).mode & 0o777);
    expect(modes).toEqual([0o700, 0o700]);
    const names = readdirSync(directory);
    expect(names.length).toBeGreaterThan(2);
    for (const name of names) expect({ name, mode: statSync(join(directory, name)).mode & 0o077 }).toEqual({ name, mode: 0 });
  });

  const readable = isRoot && spawnSync("cat", [fileURLToPath(import.meta.url)], { uid: ALICE, gid: ALICE }).status === 0;
  const unlessReadable = isRoot ? (readable ? "" : " (skipped: other users cannot read these files)") : unlessRoot;
  test.skipIf(!readable)(`that another user has filled runs none of that user's code${unlessReadable}`, { timeout: 120_000 }, () => {
    chmodSync(root, 0o755);
    const shared = folder("shared");
    chmodSync(join(shared, ".."), 0o755);
    chmodSync(shared, 0o1777);
    const directory = join(shared, "cache");
    // What Alice would have compiled, made by Mallory: the right names, the right checksums, and a constructor that runs when it is loaded.
    expect(runAs(MALLORY, directory)).toEqual({ said: "12", complained: "" });
    const mark = join(shared, "alice-ran-it");
    const [source, evil] = [join(folder(), "evil.c"), join(root, "evil.so")];
    writeFileSync(
      source,
      `extern int creat(const char *, int); __attribute__((constructor)) static void run(void) { creat("${mark}", 0644); }`,
    );
    execFileSync(compiler, ["-shared", "-fPIC", "-o", evil, source]);
    for (const name of readdirSync(directory)) {
      const file = join(directory, name);
      if (!name.endsWith(".json")) {
        copyFileSync(evil, file);
        const bytes = readFileSync(file);
        writeFileSync(file, Buffer.concat([bytes, checksumOf(bytes)]));
      }
      chownSync(file, MALLORY, MALLORY);
      chmodSync(file, 0o755);
    }
    chmodSync(directory, 0o755);
    const { said, complained } = runAs(ALICE, directory);
    expect(existsSync(mark)).toBe(false);
    expect(said).toBe("12");
    expect(complained).toBe(
      `gradus: the cache of compiled kernels ${directory} is not used: ${directory} belongs to another user (${MALLORY}); nothing in it is read, and kernels are compiled again in each process (to mend it: let nobody else write there, or name another folder in GRADUS_CACHE)`,
    );
    // The trap works: it is sprung for whoever owns it.
    runAs(MALLORY, directory);
    expect(existsSync(mark)).toBe(true);
  });
});

const checksumOf = (bytes: Buffer): Buffer => createHash("sha256").update(bytes).digest();
