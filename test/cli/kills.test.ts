/** The command line, killed at any moment from the first millisecond on, and gone on with. GRADUS_KILLS=200 kills it that often. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { COMMAND, environment, recipeFile } from "./start.ts";

const RECIPE = recipeFile("recipe-for-kills.ts");
const KILLS = Number(process.env.GRADUS_KILLS ?? 6);
/** A run that was killed this often may come to its end. */
const KILLS_OF_A_RUN = 5;

let folder: string;
/** How long a training takes from its start, with saving after each step. */
let milliseconds: number;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gradus-kills-"));
  await train("--out", "whole");
  const begun = performance.now();
  await train("--out", "again");
  milliseconds = performance.now() - begun;
}, 120_000);

/** Trains, and kills it after a while. True if it came to its end before. */
function train(way: "--out" | "--resume", name: string, killAfter?: number): Promise<boolean> {
  const words = ["train", RECIPE, way, name, "--checkpoint", "0", ...(way === "--out" ? ["--patience", "3", "--device", "wasm"] : [])];
  const child = spawn(COMMAND[0], [...COMMAND.slice(1), ...words], {
    cwd: folder,
    env: environment(),
    stdio: ["ignore", "ignore", "pipe"],
  });
  const timer = killAfter === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), killAfter);
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => (said += chunk));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      if (signal === "SIGKILL") resolve(false);
      else if (code === 0) resolve(true);
      else reject(new Error(`${words.join(" ")} ended with ${code}: ${said}`));
    });
  });
}

/** What a run leaves that says nothing of time. */
async function bytesOf(name: string): Promise<Record<string, string>> {
  const path = join(folder, name);
  const last = (await readdir(join(path, "checkpoints")))
    .filter((file) => file.startsWith("step"))
    .sort()
    .at(-1)!;
  const files = ["metrics.jsonl", "curves.svg", "graph.dot", `checkpoints/${last}`];
  const { status, scores, options, epochs } = JSON.parse(await readFile(join(path, "run.json"), "utf8"));
  const entries = await Promise.all(files.map(async (file) => [file, await readFile(join(path, file), "latin1")] as const));
  return { ...Object.fromEntries(entries), info: JSON.stringify({ status, scores, options, epochs }) };
}

test(
  `${KILLS} kills at random times: every run goes on, or begins where nothing was written, and ends byte-equal to an uninterrupted one`,
  async () => {
    const whole = await bytesOf("whole");
    let [kills, resumed] = [0, 0];
    for (let run = 1; kills < KILLS; run++) {
      const name = `run-${run}`;
      for (let own = 0; ; own++) {
        const way = existsSync(join(folder, name, "run.json")) ? "--resume" : "--out";
        const kill = own < KILLS_OF_A_RUN && kills < KILLS;
        const ended = await train(way, name, kill ? Math.random() * milliseconds : undefined);
        if (way === "--resume") resumed++;
        if (ended) break;
        kills++;
      }
      expect(await bytesOf(name)).toEqual(whole);
      const left = await readdir(join(folder, name), { recursive: true });
      expect(left.filter((file) => file.endsWith(".tmp"))).toEqual([]);
      await rm(join(folder, name), { recursive: true });
    }
    if (KILLS >= 50) expect(resumed).toBeGreaterThan(KILLS / 5);
  },
  120_000 + KILLS * 15_000,
);
