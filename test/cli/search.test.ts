import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { recipeIn } from "../../src/cli/arguments.ts";
import { inFolder, SOURCE_RECIPE } from "./in-process.ts";
import { COMMAND, type Ended, environment, RECIPE } from "./start.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gradus-cli-search-"));
});

interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
}

function start(words: readonly string[], onText: (text: string) => void = () => undefined): Running {
  const child = spawn(COMMAND[0], [...COMMAND.slice(1), "search", ...words], { cwd: folder, env: environment() });
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => onText((out += chunk)));
  child.stderr.on("data", (chunk: Buffer) => (err += chunk));
  const ended = new Promise<Awaited<Running["ended"]>>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, out, err }));
  });
  return { child, ended };
}
const gradusSearch = (...words: string[]): Promise<Ended> => inFolder(folder, "search", ...words);

test("a grid is tried, shown as a table with the best marked, and the best is trained again", async () => {
  const words = ["--try", "lr=30,0.2", "--try", "hidden=4", SOURCE_RECIPE, "--epochs", "2", "--by", "loss", "--out", "grid"];
  const { code, out, err } = await gradusSearch(...words);
  expect(err).toBe("");
  expect(code).toBe(0);
  expect(out).toMatch(/2 trials over lr, hidden, each on 160 examples, scored by loss on 40 others/);
  expect(out).toMatch(/trial 1\/2 {2}lr 30, hidden 4 {2}validation: loss \d+\.\d+, accuracy/);
  expect(out).toMatch(/ {3}trial {3}lr {2}hidden {2}validation loss {2}training loss {2}seconds\n\* {6}2 {2}0\.2 {7}4 /);
  expect(out).toMatch(/on all 200 examples[\s\S]*epoch 2\/2[\s\S]*best: lr 0\.2, hidden 4, validation: loss[\s\S]*\ntest: loss 0\.\d+/);
  const info = JSON.parse(await readFile(join(folder, "grid/best/run.json"), "utf8"));
  expect(info).toMatchObject({ status: "done", options: { lr: 0.2, hidden: 4 }, epochs: 2, validation: 0 });
  const record = JSON.parse(await readFile(join(folder, "grid/search.json"), "utf8"));
  expect(record).toMatchObject({ status: "done", test: info.scores, best: { setting: { lr: 0.2, hidden: 4 } } });
}, 30_000);

test("--json gives lines for machines; draws are the same for the same seed", async () => {
  const words = [
    SOURCE_RECIPE,
    "--try",
    "lr=0.001..1",
    "--trials",
    "3",
    "--epochs",
    "1",
    "--seed",
    "4",
    "--hidden",
    "3",
    "--no-retrain",
    "--json",
  ];
  const runs = [await gradusSearch(...words, "--out", "a"), await gradusSearch(...words, "--out", "b")];
  const events = runs.map(({ out }) =>
    out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>),
  );
  expect(events[0]!.map(({ event }) => event)).toEqual(["search", "epoch", "trial", "epoch", "trial", "epoch", "trial", "end"]);
  const trials = events.map((list) => list.filter(({ event }) => event === "trial").map(({ seconds: _, ...rest }) => rest));
  expect(trials[0]).toEqual(trials[1]);
  expect(events[0]!.at(-1)).toMatchObject({ status: "done", test: null, run: null });
}, 30_000);

test("SIGINT ends the search after the present trial: the table is printed, the exit code is 130", async () => {
  let sent = false;
  const { child, ended } = start(
    [RECIPE, "--slow", "--batch", "1000", "--epochs", "1", "--try", "lr=0.1,0.2,0.3", "--out", "stopped"],
    (out) => {
      if (!sent && out.includes("search folder")) child.kill("SIGINT");
      sent ||= out.includes("search folder");
    },
  );
  const { code, out, err } = await ended;
  expect(err).toContain("the present trial ends first");
  expect(code).toBe(130);
  expect(out).toContain("trial 1/3");
  expect(out).not.toContain("trial 2/3");
  expect(out).toMatch(/\* {6}1 {2}0\.1/);
  expect(out).toContain("interrupted: other trials might have been better");
}, 30_000);

test("mistakes are explained before anything is trained", async () => {
  const unknown = await gradusSearch(SOURCE_RECIPE, "--try", "lrr=1");
  const flag = await gradusSearch(SOURCE_RECIPE, "--trails", "3");
  expect(unknown).toMatchObject({ code: 1, out: "", err: 'error: unknown option "lrr"\n  help: did you mean lr?\n' });
  expect(flag.code).toBe(2);
  expect(flag.err).toContain("--trials");
}, 30_000);

test("what is tried is never taken for the recipe", () => {
  expect(recipeIn(["--try", "file=a.ts", "iris"])).toBe("iris");
});
