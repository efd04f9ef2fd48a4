/** File systems that fail: what is whole stays whole, and the first error is the one that is told. */
import { link, mkdir, mkdtemp, readdir, readFile, symlink, truncate, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { FormatError } from "../../src/core/errors.ts";
import {
  CheckpointFolder,
  type FileCalls,
  LogFile,
  newestCheckpoint,
  nodeFiles,
  overwrite,
  readBytes,
  type StoredTensor,
  writeAtomically,
} from "../../src/io/index.ts";
import { makePipe } from "./pipe.ts";

let folder: string;
let warnings: string[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gradus-failures-"));
  warnings = [];
});
const warn = (line: string): void => void warnings.push(line);
const failing = async (): Promise<never> => {
  throw Object.assign(new Error("EIO: i/o error"), { code: "EIO" });
};
const tensors = new Map<string, StoredTensor>([["w", { dtype: "float32", shape: [1], data: Float32Array.of(1) }]]);

describe("after the file is whole", () => {
  test("a directory that cannot be made durable is a warning", async () => {
    const calls: FileCalls = { ...(await nodeFiles()), syncDirectory: failing };
    const path = join(folder, "a.txt");
    await writeAtomically(path, "new", { calls, warn });
    expect(await readFile(path, "utf8")).toBe("new");
    expect(warnings).toEqual([expect.stringMatching(/a\.txt is written, but might be gone.*the disk reported an error/)]);
  });

  test("old checkpoints that cannot be removed are a warning, and the new one is there", async () => {
    const calls: FileCalls = { ...(await nodeFiles()), remove: failing };
    const checkpoints = await CheckpointFolder.open(folder, { keep: 1, calls, warn });
    for (const step of [1, 2]) await checkpoints.save(step, tensors);
    expect((await newestCheckpoint(folder))?.step).toBe(2);
    expect(warnings).toEqual([expect.stringMatching(/old checkpoints in .* cannot be removed: the disk reported an error/)]);
    await checkpoints.close();
  });

  test("what was left of an old write and cannot be removed is a warning", async () => {
    await mkdir(join(folder, "step-000000001.safetensors.99-1-m0.tmp/inner"), { recursive: true });
    const checkpoints = await CheckpointFolder.open(folder, { warn });
    await checkpoints.save(2, tensors);
    expect(warnings).toEqual([expect.stringMatching(/cannot remove .*\.tmp/)]);
    await checkpoints.close();
  });
});

test("a write that fails is told, not the closing that fails after it", async () => {
  const real = await nodeFiles();
  const full = async (): Promise<never> => {
    throw Object.assign(new Error(), { code: "ENOSPC" });
  };
  const calls: FileCalls = { ...real, create: async (path) => ({ ...(await real.create(path)), write: full, close: failing }) };
  await expect(writeAtomically(join(folder, "a"), "x", { calls })).rejects.toThrow(/the disk is full/);
});

describe("locks", () => {
  test("giving one back needs no room and never throws, whatever became of the folder", async () => {
    const checkpoints = await CheckpointFolder.open(folder);
    expect(JSON.parse(await readFile(join(folder, "lock-1"), "utf8")).pid).toBe(process.pid);
    await checkpoints.close();
    await checkpoints.close();
    expect(await readFile(join(folder, "lock-1"), "utf8")).toBe("");
    expect(await readdir(folder)).toEqual(["lock-1"]);
  });

  test("temporary locks of processes that were killed go, those of living ones stay", async () => {
    const dead = JSON.stringify({ pid: 2 ** 22 + 1, host: hostname(), began: "1" });
    const alive = JSON.stringify({ pid: process.pid, host: hostname(), began: "" });
    const names = ["lock.4194305-1b2c.tmp", "lock.4194306-1b2c.tmp", "lock-3.5e1f.tmp", `lock.${process.pid}-77aa.tmp`];
    for (const [i, text] of [dead, "", '{"released":true}', alive].entries()) await writeFile(join(folder, names[i]!), text);
    await (await CheckpointFolder.open(folder)).close();
    expect((await readdir(folder)).sort()).toEqual(["lock-1", names[3]]);
  });

  test("a folder that is a file, or a link, is an error in words", async () => {
    await writeFile(join(folder, "file"), "");
    await expect(CheckpointFolder.open(join(folder, "file"))).rejects.toThrow(/file is no folder/);
    await symlink(folder, join(folder, "link"));
    await expect(CheckpointFolder.open(join(folder, "link"))).rejects.toThrow(/link is a link/);
    await expect(CheckpointFolder.open(join(folder, "file/inner"))).rejects.toThrow(/a part of the path is a file/);
  });
});

describe("logs", () => {
  test("lines are added at the end, cut, and read without the file as a whole", async () => {
    const log = await LogFile.open(join(folder, "log"));
    for (let i = 0; i < 3000; i++) await log.append(`${"x".repeat(i % 100)} ${i} ü\n`);
    const lines: string[] = [];
    for await (const line of log.lines()) lines.push(line);
    expect(lines).toHaveLength(3000);
    expect(lines[2999]).toBe(`${"x".repeat(99)} 2999 ü`);
    expect(await log.endsLine(log.length)).toBe(true);
    await log.cut(log.length - 3);
    expect(await log.endsLine(log.length)).toBe(false);
    expect((await readFile(join(folder, "log"))).length).toBe(log.length);
    await log.close();
    await expect(log.append("x")).rejects.toThrow(/cannot write .*log/);
  });

  test("a line without an end is refused before it fills the memory", async () => {
    await writeFile(join(folder, "log"), "");
    await truncate(join(folder, "log"), 2 ** 30);
    const log = await LogFile.open(join(folder, "log"));
    await expect(log.lines().next()).rejects.toThrow(/a line of more than/);
    await log.close();
  });
});

test("writing over a file in place keeps its length, and never makes it longer", async () => {
  const path = join(folder, "run.json");
  await writeFile(path, '{"status": "running"}\n');
  await overwrite(path, '{"status": "failed"}\n');
  expect(await readFile(path, "utf8")).toBe('{"status": "failed"} \n');
  await expect(overwrite(path, '{"status": "interrupted"}\n')).rejects.toThrow(/cannot write/);
  await link(path, join(folder, "other"));
  await symlink(path, join(folder, "link"));
  await expect(overwrite(join(folder, "link"), "{}")).rejects.toThrow(/it is a link/);
});

describe("reads are bounded", () => {
  test.skipIf(process.platform === "win32").each<[string, (path: string) => unknown, RegExp]>([
    ["a pipe that nobody writes to", (path) => makePipe(path), /it is a pipe/],
    ["a device without an end", (path) => symlink("/dev/zero", path), /it is a device/],
    ["a folder", (path) => mkdir(path), /it is a folder/],
    ["nothing", () => undefined, /there is no such file/],
    ["links in a circle", (path) => symlink(path, path), /links lead in a circle/],
  ])("%s is refused at once", async (_, make, message) => {
    const path = join(folder, "input");
    await make(path);
    const error = await readBytes(path).catch((e: unknown) => e as Error);
    expect(error).toBeInstanceOf(FormatError);
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).toContain(path);
  });

  test("a file of more bytes than the limit is refused, told or not", async () => {
    await writeFile(join(folder, "a"), new Uint8Array(11));
    await expect(readBytes(join(folder, "a"), 10)).rejects.toThrow(/11 bytes, more than the 10/);
    expect(await readBytes(join(folder, "a"), 11)).toEqual(new Uint8Array(11));
    if (process.platform !== "linux") return;
    // The system says that this file has no bytes.
    const own = await readBytes("/proc/self/status");
    expect(own.length).toBeGreaterThan(100);
    await expect(readBytes("/proc/self/status", 100)).rejects.toThrow(/more than the 100 bytes/);
  });

  test("a link is followed where the user names it, and refused where a stranger may have put it", async () => {
    await writeFile(join(folder, "a"), "x");
    await symlink(join(folder, "a"), join(folder, "link"));
    expect(await readBytes(join(folder, "link"))).toHaveLength(1);
    await expect(readBytes(join(folder, "link"), 10, "refuse")).rejects.toThrow(/it is a link/);
  });
});
