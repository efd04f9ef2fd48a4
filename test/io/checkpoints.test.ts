import { spawn } from "node:child_process";
import { mkdtemp, readdir, truncate, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeEach, describe, expect, test } from "vitest";
import { ArgumentError } from "../../src/core/errors.ts";
import { CheckpointFolder, type Damaged, newestCheckpoint, type StoredTensor } from "../../src/io/index.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gradus-checkpoints-"));
});

const tensors = (value: number): Map<string, StoredTensor> =>
  new Map([["w", { dtype: "float32", shape: [2], data: Float32Array.of(value, value) }]]);
const files = async (): Promise<string[]> => (await readdir(folder)).filter((name) => name.endsWith(".safetensors")).sort();

describe("a folder of checkpoints", () => {
  test("the newest comes back, older ones go", async () => {
    const checkpoints = await CheckpointFolder.open(folder, { keep: 2 });
    for (const step of [1, 5, 20]) await checkpoints.save(step, tensors(step), { note: `s${step}` });
    await checkpoints.close();
    expect(await files()).toEqual(["step-000000005.safetensors", "step-000000020.safetensors"]);
    const newest = await newestCheckpoint(folder);
    expect(newest?.step).toBe(20);
    expect(newest?.tensors).toEqual(tensors(20));
    expect([...newest!.metadata]).toEqual([["note", "s20"]]);
  });

  test("a damaged newest one is passed over and reported", async () => {
    const checkpoints = await CheckpointFolder.open(folder);
    await checkpoints.save(1, tensors(1));
    await truncate(await checkpoints.save(2, tensors(2)), 100);
    const damaged: Damaged[] = [];
    expect((await newestCheckpoint(folder, (d) => damaged.push(d)))?.step).toBe(1);
    expect(damaged.map(({ path }) => path)).toEqual([join(folder, "step-000000002.safetensors")]);
    await checkpoints.close();
  });

  test("retention keeps the only good one when the newest is damaged", async () => {
    const checkpoints = await CheckpointFolder.open(folder, { keep: 1 });
    await checkpoints.save(3, tensors(3));
    await writeFile(join(folder, "step-000000009.safetensors"), "rubbish");
    await checkpoints.save(5, tensors(5));
    expect((await newestCheckpoint(folder))?.step).toBe(5);
    await checkpoints.close();
  });

  test("an empty or missing folder has no newest", async () => {
    expect(await newestCheckpoint(folder)).toBeUndefined();
    expect(await newestCheckpoint(join(folder, "none"))).toBeUndefined();
  });

  test("a second writer is told who holds the folder, and gets it afterwards", async () => {
    const first = await CheckpointFolder.open(folder);
    await expect(CheckpointFolder.open(folder)).rejects.toThrow(ArgumentError);
    await expect(CheckpointFolder.open(folder)).rejects.toThrow(`in use by process ${process.pid}`);
    await first.close();
    await (await CheckpointFolder.open(folder)).close();
    expect(await readdir(folder)).toEqual(["lock-2"]);
  });

  test("the lock of a process that has ended is taken over by exactly one", async () => {
    await writeFile(join(folder, "lock-1"), JSON.stringify({ pid: 2 ** 22 + 1, host: hostname(), began: "1" }));
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => CheckpointFolder.open(folder)));
    const opened = outcomes.filter((o) => o.status === "fulfilled");
    expect(opened).toHaveLength(1);
    await opened[0]!.value.close();
  });

  test("a lock from another machine is respected", async () => {
    await writeFile(join(folder, "lock-1"), JSON.stringify({ pid: 1, host: "elsewhere", began: "" }));
    await expect(CheckpointFolder.open(folder)).rejects.toThrow(/elsewhere[\s\S]*delete/);
  });
});

const CHILD = fileURLToPath(new URL("save-loop.ts", import.meta.url));

/** Runs the saving process; resolves with the steps it reported when it is dead. */
function saveUntilKilled(first: number, kill: { afterMilliseconds: number } | { atCall: number }): Promise<number[]> {
  const dieAt = "atCall" in kill ? [String(kill.atCall)] : [];
  const child = spawn(process.execPath, ["--import", "tsx", CHILD, folder, String(first), ...dieAt], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  let armed = false;
  child.stdout.on("data", (chunk: Buffer) => {
    text += chunk.toString();
    if (!armed && "afterMilliseconds" in kill) setTimeout(() => child.kill("SIGKILL"), kill.afterMilliseconds);
    armed = true;
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", () => resolve(text.split("\n").filter(Boolean).map(Number)));
  });
}

async function expectGood(reported: number): Promise<number> {
  const damaged: Damaged[] = [];
  const newest = await newestCheckpoint(folder, (d) => damaged.push(d));
  expect(damaged).toEqual([]);
  expect(newest!.step).toBeGreaterThanOrEqual(reported);
  expect(newest!.tensors.get("w")!.data).toEqual(new Float32Array(5000).fill(newest!.step));
  expect(newest!.metadata.get("step")).toBe(String(newest!.step));
  return newest!.step;
}

describe("crashes", () => {
  const kills = Number(process.env.GRADUS_KILLS ?? 10);

  test(
    `${kills} kills at random times: each start finds the newest complete checkpoint`,
    async () => {
      let step = 0;
      for (let i = 0; i < kills; i++) {
        const reported = await saveUntilKilled(step + 1, { afterMilliseconds: Math.random() * 40 });
        step = await expectGood(reported.at(-1) ?? step);
      }
      expect((await readdir(folder)).filter((name) => name.startsWith("lock-"))).toHaveLength(1);
    },
    kills * 12_000,
  );

  test("a kill between any two file system calls of a save loses nothing that was reported", async () => {
    // Opening the folder and each save make the calls create, write, sync, close, rename, sync directory; the third save removes too.
    const points = process.env.GRADUS_KILLS ? Array.from({ length: 21 }, (_, i) => i + 1) : [7, 8, 9, 10, 11, 12, 19];
    let step = (await saveUntilKilled(1, { atCall: 13 })).at(-1)!;
    for (const atCall of points) {
      const reported = await saveUntilKilled(step + 1, { atCall });
      step = await expectGood(reported.at(-1) ?? step);
    }
  }, 120_000);
});
