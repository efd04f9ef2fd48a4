/** What the command line says, to whom, and what it does when it cannot. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { toType, widthOf } from "../../src/cli/layout.ts";
import { message } from "../../src/cli/output.ts";
import { shellWord } from "../../src/cli/recipes.ts";
import { visible } from "../../src/core/visible.ts";
import { decodeSafetensors, encodeSafetensors } from "../../src/io/index.ts";
import { inFolder, SOURCE_RECIPE } from "./in-process.ts";
import { COMMAND, environment, gradus, inShell, RECIPE, recipeFile, run } from "./start.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gradus-output-"));
  await gradus(folder, "train", RECIPE, "--epochs", "1", "--out", "run");
}, 60_000);
const info = async (name: string): Promise<Record<string, unknown>> => JSON.parse(await readFile(join(folder, name, "run.json"), "utf8"));

describe.concurrent("output that cannot be written", () => {
  const full = existsSync("/dev/full");

  test.skipIf(!full)(
    "training on a full disk saves, says so, how to go on, and fails",
    async () => {
      const { code, err } = await inShell(folder, '"$@" >/dev/full', "train", RECIPE, "--out", "mute");
      expect(code).toBe(1);
      expect(err).toMatch(/go on with: gradus train .*recipe-for-tests\.ts --resume mute\n/);
      expect(err).toMatch(/cannot write to standard output: the disk is full/);
      expect(err).not.toMatch(/ at .*:\d+:\d+/);
      expect((await info("mute")).status).toBe("interrupted");
    },
    60_000,
  );

  test.skipIf(!full)(
    "evaluate and predict fail when their answer is lost, whoever else is told",
    async () => {
      const commands = [["evaluate", "run"], ["evaluate", "run", "--json"], ["predict", "run", "0.5,0.1"]]; // biome-ignore format: short
      for (const words of commands) {
        const { code, err } = await inShell(folder, '"$@" >/dev/full', ...words, "--recipe", RECIPE);
        expect(err).toMatch(/^error: cannot write to standard output: the disk is full\n/);
        expect(code).toBe(1);
      }
      expect((await inShell(folder, '"$@" 2>/dev/full', "evaluate", "run", "--recipe", RECIPE)).code).toBe(0);
    },
    60_000,
  );

  test.skipIf(!full)(
    "help that is lost is a failure, also that of the benchmarks",
    async () => {
      for (const words of [["--help"], ["--version"], ["train", "--help"], ["bench", "--help"]]) {
        const { code, err } = await inShell(folder, '"$@" >/dev/full', ...words);
        expect([code, err]).toEqual([1, expect.stringMatching(/^error: cannot write to standard output: the disk is full\n/)]);
      }
      const wrong = await gradus(folder, "bench", "--workloads", "\u001b[31m");
      expect([wrong.code, wrong.err]).toEqual([2, expect.stringContaining("There is no workload \\u001b[31m;")]);
    },
    60_000,
  );

  test("a reader that has gone is no error to speak of", async () => {
    const { code, err } = await inShell(folder, '"$@" | true; exit $PIPESTATUS', "evaluate", "run", "--recipe", RECIPE, "--json");
    expect(err).toBe("");
    expect([0, 141]).toContain(code);
  }, 60_000);
});

test("stopped while its data load, it says that nothing is kept, leaves nothing, and exits with 130", async () => {
  const recipe = recipeFile("recipe-that-waits.ts");
  for (const command of ["train", "search"]) {
    const child = spawn(COMMAND[0], [...COMMAND.slice(1), command, recipe, "--out", `waits-${command}`], {
      cwd: folder,
      env: environment(),
    });
    let [out, err] = ["", ""];
    child.stdout.on("data", (chunk: Buffer) => (out += chunk));
    child.stderr.on("data", (chunk: Buffer) => {
      err += chunk;
      if (err.endsWith("waits\n")) child.kill("SIGINT");
    });
    expect(await new Promise((resolve) => child.on("close", resolve))).toBe(130);
    expect(err).not.toMatch(/bug in gradus/);
    if (command === "train") expect(out).toMatch(/nothing is kept/);
    if (command === "train") expect(await readdir(folder)).not.toContain("waits-train");
  }
}, 60_000);

describe.concurrent("what it is asked", () => {
  test("to go on with a run of one's own recipe, the advice names it, and works", async () => {
    await cp(join(folder, "run"), join(folder, "own run"), { recursive: true });
    const first = await gradus(folder, "train", "--resume", "own run");
    expect(first.code).toBe(1);
    expect(first.err).toMatch(/not started by itself/);
    const command = /name it: gradus (train .*)\n/.exec(first.err)![1]!;
    const second = await inShell(folder, `words=("$@"); unset 'words[-1]'; "\${words[@]}" ${command}`, "last");
    expect(second.err).toBe("");
    expect(second.code).toBe(0);
  }, 60_000);

  test.skipIf(process.platform !== "linux")(
    "a name that is not UTF-8 is refused, one with U+FFFD in it is kept",
    async () => {
      for (const words of ['train "$RECIPE" --out', 'evaluate --recipe "$RECIPE"', 'predict --recipe "$RECIPE" run']) {
        const { code, err } = await inShell(folder, `RECIPE='${RECIPE}'; "$@" ${words} $'broken\\xff'`);
        expect(err).toMatch(/broken\ufffd is not UTF-8/);
        expect(code).toBe(1);
      }
      expect((await readdir(folder)).join()).not.toContain("broken");
      const { code } = await gradus(folder, "train", RECIPE, "--epochs", "0", "--out", "kept\ufffd");
      expect(code).toBe(0);
      expect(await readdir(folder)).toContain("kept\ufffd");
    },
    60_000,
  );
});

describe("what it is asked for that is not there", () => {
  test.each<[string, string[], number, RegExp]>([
    [
      "another folder for a run that goes on",
      ["train", SOURCE_RECIPE, "--resume", "run", "--out", "elsewhere"],
      2,
      /--resume <dir>.*--out <dir>/,
    ],
    ["epochs of a recipe that counts none", ["train", "xor", "--epochs", "3"], 1, /xor does not look at --epochs/],
    ["a folder of data for a recipe that reads none", ["train", SOURCE_RECIPE, "--data", "."], 1, /looks for no data files/],
    ["data that evaluating does not read", ["evaluate", "run", "--recipe", SOURCE_RECIPE, "--data", "."], 1, /looks for no data files/],
    [
      "data that predicting does not read",
      ["predict", "run", "1,2", "--recipe", SOURCE_RECIPE, "--data", "."],
      1,
      /only --test reads data/,
    ],
    ["a device without an end as input", ["predict", "run", "/dev/zero", "--recipe", SOURCE_RECIPE], 1, /\/dev\/zero: it is a device/],
    [
      "a folder that is a run, for a new one",
      ["train", SOURCE_RECIPE, "--out", "run"],
      1,
      /exists and is not empty[\s\S]*gradus train .*\.ts --resume run/,
    ],
  ])(
    "%s is refused and nothing is written",
    async (_, words, expected, said) => {
      const before = (await readdir(folder)).length;
      const { code, out, err } = await inFolder(folder, ...words);
      expect(err).toMatch(said);
      expect(code).toBe(expected);
      expect(out).toBe("");
      expect(await readdir(folder)).not.toContain("elsewhere");
      expect(before).toBeGreaterThan(0);
    },
    60_000,
  );

  test("0 epochs say what they do", async () => {
    const { code, out } = await inFolder(folder, "train", SOURCE_RECIPE, "--epochs", "0", "--out", "untrained");
    expect(code).toBe(0);
    expect(out).toMatch(/0 epochs train nothing: the model is saved and scored as it is/);
    expect(out).toMatch(/test, untrained: loss \d/);
  }, 60_000);
});

test("what comes out of a pipe has no colours and nothing that is drawn over, and errors go to standard error", async () => {
  const { code, out, err } = await gradus(folder, "train", RECIPE, "--epochs", "1", "--out", "piped");
  expect([code, err]).toEqual([0, ""]);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  expect(out).not.toMatch(/\x1b|\r/);
}, 60_000);

// A terminal of its own: `script` makes one where it is installed.
const terminal = spawnSync("sh", ["-c", "command -v script"]).status === 0;
test.skipIf(!terminal).each([
  [{}, true],
  [{ NO_COLOR: "1" }, false],
])(
  "on a terminal with %j there are colours: %s, and no line is wider than it is",
  async (variables, colours) => {
    const words = [...COMMAND, "evaluate", "run", "--recipe", RECIPE].map(shellWord).join(" ");
    const assign = Object.entries(variables)
      .map(([name, value]) => `${name}=${value} `)
      .join("");
    const { out } = await run(folder, ["script", "-qec", `stty cols 40; ${assign}${words}`, "/dev/null"]);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    expect(/\x1b\[\d+m/.test(out)).toBe(colours);
    const lines = out
      .split("\n")
      .map((line) => line.trimEnd())
      .filter((line) => !line.includes("/"));
    expect(lines.length).toBeGreaterThan(1);
    for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(40);
  },
  60_000,
);

describe("characters that steer a terminal", () => {
  test("are written as escapes: controls, other controls beyond ASCII, and turns of the direction", () => {
    expect(visible("a\x1b[2Jb\r\x07c\u009b31md\u202ee\tf\ng")).toBe("a\\u001b[2Jb\\u000d\\u0007c\\u009b31md\\u202ee\tf\ng");
    expect(visible("größe ☃ 👩‍🔬")).toBe("größe ☃ 👩‍🔬");
  });

  test("do not come out of a run's folder, a checkpoint or a data file", async () => {
    const evil = "\x1b]0;owned\x07\u009b2J";
    await cp(join(folder, "run"), join(folder, "evil"), { recursive: true });
    await writeFile(join(folder, "evil/run.json"), JSON.stringify({ ...(await info("run")), recipe: evil }));
    const name = (await readdir(join(folder, "evil/checkpoints")))
      .filter((file) => file.startsWith("step"))
      .sort()
      .at(-1)!;
    const path = join(folder, "evil/checkpoints", name);
    const { tensors, metadata } = await decodeSafetensors(await readFile(path));
    await writeFile(
      path,
      await encodeSafetensors(new Map([...tensors, [`model.${evil}`, tensors.values().next().value!]]), Object.fromEntries(metadata)),
    );
    await writeFile(join(folder, `rows${evil}.csv`), `1,${evil}\n`);
    const said: Awaited<ReturnType<typeof inFolder>>[] = [];
    for (const words of [
      ["evaluate", "evil", "--recipe", SOURCE_RECIPE],
      ["evaluate", "evil"],
      ["predict", "run", `rows${evil}.csv`, "--recipe", SOURCE_RECIPE],
      ["train", "--resume", "evil"],
      ["train", evil],
      [evil],
      ["train", SOURCE_RECIPE, "--epochs", "0", "--json", "--out", evil],
    ])
      said.push(await inFolder(folder, ...words));
    expect(said.map(({ code }) => code)).toEqual([1, 1, 1, 1, 1, 2, 0]);
    for (const { out, err } of said) {
      expect(out + err).toContain("owned");
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
      expect(out + err).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/);
    }
    expect(JSON.parse(said.at(-1)!.out.split("\n")[0]!).path).toBe(evil);
  }, 60_000);
});

test("messages break between words where standard error is narrow, with what goes on set in", () => {
  const before = process.stderr.columns;
  process.stderr.columns = 40;
  try {
    const lines = message(
      "error: cannot write to standard output: the disk is full\n  why: what was to be said there is lost for good",
    ).split("\n");
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(40);
    expect(lines).toHaveLength(5);
    expect(lines[3]).toMatch(/^ {4}\w/);
  } finally {
    process.stderr.columns = before;
  }
});

test("a command to be typed goes on where a shell lets it, and every line of it fits", () => {
  const words = ["gradus", "train", "./my-recipes/net.ts", "--resume", "runs/net-2026-01-01-120000"];
  const text = toType("go on with:", words, 40);
  for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(40);
  expect(text.split("\n").slice(1).join("\n").replaceAll(" \\\n  ", " ")).toBe(words.join(" "));
});
