/** Training where nothing more can be written: the true error, a run marked as failed, and a run that goes on when there is room again. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { COMMAND, environment, gradus, inShell, RECIPE } from "./start.ts";

let folder: string;
/** A file system of 256 KiB, if one may be made. */
let small: string | undefined;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gradus-full-"));
  const place = await mkdtemp(join(tmpdir(), "gradus-small-"));
  if (spawnSync("sh", ["-c", 'mount -t tmpfs -o size=256k none "$1"', "sh", place]).status === 0) small = place;
});
afterAll(() => {
  if (small) spawnSync("sh", ["-c", 'umount "$1"', "sh", small]);
});

const status = async (run: string): Promise<string> => JSON.parse(await readFile(join(run, "run.json"), "utf8")).status;

test("a log that may not grow ends the run with the reason, and with room again it ends byte-equal", async () => {
  const run = join(folder, "limited");
  const limited = await inShell(folder, 'ulimit -f 4; "$@"', "train", RECIPE, "--epochs", "6", "--device", "wasm", "--out", run);
  expect(limited.code).toBe(1);
  expect(limited.err).toMatch(/^error: cannot write .*limited\/metrics\.jsonl: files may not become that large here\n/);
  expect(limited.err).not.toMatch(/bug in gradus/);
  expect(await status(run)).toBe("failed");
  expect(await readFile(join(run, "metrics.jsonl"), "utf8")).toMatch(/}\n$/);
  const resumed = await gradus(folder, "train", RECIPE, "--resume", run);
  expect(resumed).toMatchObject({ code: 0, err: "" });
  await gradus(folder, "train", RECIPE, "--epochs", "6", "--device", "wasm", "--out", "whole");
  // 200 examples, a tenth of them held out, in batches of 10: 18 steps an epoch.
  for (const name of ["metrics.jsonl", "curves.svg", "checkpoints/step-000000108.safetensors"])
    expect(await readFile(join(run, name))).toEqual(await readFile(join(folder, "whole", name)));
}, 120_000);

test("a disk that becomes full in the middle gives the true error, a run marked as failed, and its checkpoints", async (context) => {
  if (!small) return context.skip("no file system may be mounted here");
  const run = join(small, "run");
  const words = ["train", RECIPE, "--slow", "--batch", "100", "--epochs", "600", "--checkpoint", "0", "--device", "wasm", "--out", run];
  const child = spawn(COMMAND[0], [...COMMAND.slice(1), ...words], { env: environment(), stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => (said += chunk));
  const ended = new Promise((resolve) => child.on("close", resolve));
  const log = join(run, "metrics.jsonl");
  while (child.exitCode === null && !(existsSync(log) && statSync(log).size > 0)) await new Promise((resolve) => setTimeout(resolve, 50));
  await writeFile(join(small, "filler"), new Uint8Array(2 ** 20)).catch(() => undefined);
  expect(await ended).toBe(1);
  expect(said).toMatch(/^error: cannot write \S+: the disk is full\n/);
  expect(said).not.toMatch(/bug in gradus/);
  expect(await status(run)).toBe("failed");
  expect((await readdir(join(run, "checkpoints"))).some((name) => name.startsWith("step"))).toBe(true);
  const locked = await gradus(folder, "train", RECIPE, "--out", join(small, "second"));
  expect(locked.err).toMatch(/^error: cannot (lock|make|write) .*: the disk is full\n/);
  expect(locked.code).toBe(1);
  await rm(join(small, "filler"));
  expect((await gradus(folder, "evaluate", run, "--recipe", RECIPE)).code).toBe(0);
}, 120_000);
