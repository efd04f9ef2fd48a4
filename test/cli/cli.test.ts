import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { encode } from "fast-png";
import pc from "picocolors";
import { beforeAll, describe, expect, test } from "vitest";
import { recipeIn, recipeOptions } from "../../src/cli/arguments.ts";
import { clock, duration, type Output, sparkline } from "../../src/cli/output.ts";
import { reportTraining } from "../../src/cli/progress.ts";
import { BUILT_IN, builtIn } from "../../src/cli/recipes.ts";
import { FormatError } from "../../src/core/errors.ts";
import { built } from "../built.ts";
import { imageOf } from "./image-of.ts";
import { inFolder, inProcess, SOURCE_RECIPE } from "./in-process.ts";
import { COMMAND, type Ended, environment, RECIPE } from "./start.ts";

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gradus-cli-"));
});

function start(words: readonly string[]): { child: ChildProcess; ended: Promise<Ended>; text(): string } {
  const child = spawn(COMMAND[0], [...COMMAND.slice(1), ...words], { cwd: folder, env: environment() });
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (out += chunk));
  child.stderr.on("data", (chunk: Buffer) => (err += chunk));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, out, err }));
  });
  return { child, ended, text: () => out };
}
const gradus = (...words: string[]): Promise<Ended> => start(words).ended;
/** Where it does not matter that it is a process. */
const within = (...words: string[]): Promise<Ended> => inFolder(folder, ...words);
const events = (out: string): Record<string, unknown>[] =>
  out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe("a whole session", () => {
  test("early stopping says which epoch it kept, in words and as an event", async () => {
    const words = ["train", SOURCE_RECIPE, "--patience", "2", "--epochs", "80", "--lr", "3"];
    const said = await within(...words, "--out", "said");
    const told = await within(...words, "--out", "told", "--json");
    const end = events(told.out).at(-1) as { status: string; bestEpoch: number };
    expect(end.status).toBe("stopped early");
    const losses = events(told.out)
      .filter(({ event }) => event === "epoch")
      .map(({ validation }) => (validation as { loss: number }).loss);
    expect(end.bestEpoch).toBe(1 + losses.indexOf(Math.min(...losses)));
    expect(said.out).toContain(`stopped early: epoch ${end.bestEpoch} of ${losses.length} was the best and is kept, validation: loss`);
  }, 60_000);

  test("train, evaluate, predict and explain a recipe of one's own", async () => {
    const train = await gradus("train", RECIPE, "--hidden", "6", "--seed", "3", "--out", "own");
    expect(train.err).toBe("");
    expect(train.code).toBe(0);
    expect(train.out).toMatch(/180 examples and 20 for validation/);
    expect(train.out).toMatch(/epoch 3\/3 {2}loss 0\.\d+, accuracy [\d.]+ % {2}validation: loss/);
    expect(train.out).toMatch(/loss [▁▂▃▄▅▆▇█]+\n/);
    expect(train.out).toMatch(/test: loss .*error \d/);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: no colours in a pipe
    expect(train.out).not.toMatch(/\x1b|\r/);
    const info = JSON.parse(await readFile(join(folder, "own/run.json"), "utf8"));
    expect(info).toMatchObject({ seed: 3, options: { hidden: 6, lr: 0.2, slow: false }, status: "done" });

    const evaluate = await gradus("evaluate", "own", "--recipe", RECIPE, "--json");
    expect(evaluate.code).toBe(0);
    const [scores] = events(evaluate.out);
    expect(scores).toMatchObject({ event: "scores", accuracy: info.scores.accuracy, loss: info.scores.loss });

    await writeFile(join(folder, "rows.csv"), "0.9,-0.9\n-0.9,0.9\n");
    const predict = await gradus("predict", "own", "rows.csv", "0.8,-0.5", "--recipe", RECIPE, "--json", "--test", "2");
    expect(predict.err).toBe("");
    expect(
      events(predict.out)
        .map((e) => e.class)
        .slice(0, 3),
    ).toEqual(["above", "below", "above"]);
    expect(events(predict.out)).toHaveLength(5);

    const dot = await gradus("explain", "own", "--recipe", RECIPE, "--dot");
    expect(dot.code).toBe(0);
    expect(dot.out).toMatch(/^digraph[\s\S]*0\.weight[\s\S]*\}\n$/);
  }, 60_000);

  test("--json gives lines for machines and nothing else", async () => {
    const { code, out } = await within("train", SOURCE_RECIPE, "--json", "--epochs", "2", "--out", "json");
    expect(code).toBe(0);
    const kinds = events(out).map((e) => e.event);
    expect(kinds[0]).toBe("plan");
    expect(kinds.filter((kind) => kind === "epoch")).toHaveLength(2);
    expect(events(out).at(-1)).toMatchObject({ event: "end", status: "done", path: "json" });
  });

  test("runs without --out get folders of their own", async () => {
    await Promise.all([gradus("train", RECIPE, "--epochs", "1"), gradus("train", RECIPE, "--epochs", "1")]);
    const names = await readdir(join(folder, "runs"));
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) expect(name).toMatch(/^recipe-for-tests-\d{4}-\d\d-\d\d-\d{6}(-\d+)?$/);
  });
});

describe("interruptions", () => {
  /** Until the process has printed this; an error if it ends before. */
  const hasPrinted = async (running: ReturnType<typeof start>, text: string): Promise<void> => {
    while (!running.text().includes(text)) {
      if (running.child.exitCode !== null) throw new Error((await running.ended).err);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };

  test("SIGINT saves and exits with 130, --resume goes on, and the end is that of an uninterrupted run", async () => {
    const words = ["train", RECIPE, "--slow", "--batch", "500", "--epochs", "3", "--json"];
    const running = start([...words, "--out", "broken"]);
    await hasPrinted(running, '"event":"epoch"');
    running.child.kill("SIGINT");
    const ended = await running.ended;
    expect(ended.code).toBe(130);
    expect(ended.err).toContain("saving");
    expect(events(ended.out).at(-1)).toMatchObject({ event: "end", status: "interrupted" });
    const resumed = await gradus("train", RECIPE, "--resume", "broken", "--json");
    expect(resumed.err).toBe("");
    expect(resumed.code).toBe(0);
    await gradus(...words, "--out", "unbroken");
    const log = (run: string): Promise<string> => readFile(join(folder, run, "metrics.jsonl"), "utf8");
    expect(await log("broken")).toBe(await log("unbroken"));
    const last = "checkpoints/step-000000540.safetensors";
    expect(await readFile(join(folder, "broken", last))).toEqual(await readFile(join(folder, "unbroken", last)));
  }, 60_000);

  test("when who reads the output goes away, training saves and ends with 141", async () => {
    const running = start(["train", RECIPE, "--slow", "--epochs", "500", "--batch", "1000", "--json", "--out", "pipe"]);
    await hasPrinted(running, '"event":"epoch"');
    running.child.stdout!.destroy();
    expect((await running.ended).code).toBe(141);
    const info = JSON.parse(await readFile(join(folder, "pipe/run.json"), "utf8"));
    expect(info.status).toBe("interrupted");
  }, 60_000);
});

describe("mistakes", () => {
  test.each<[string, string[], number, RegExp]>([
    ["an unknown command", ["trian"], 2, /unknown command 'trian'[\s\S]*train/],
    ["an unknown flag", ["train", "--epohcs", "3"], 2, /unknown option '--epohcs'[\s\S]*--epochs/],
    ["a flag of another recipe", ["train", "iris", "--momentun", "1"], 2, /unknown option/],
    ["a missing value", ["train", "--epochs"], 2, /argument missing/],
    ["epochs that are no number", ["train", "--epochs", "many"], 2, /whole number/],
    ["a batch of 0", ["train", "--batch", "0"], 2, /whole number ≥ 1/],
    ["an unknown device", ["train", "--device", "gpu"], 2, /wasm, native, interpreter/],
    ["a choice that is not one", ["train", "mnist-mlp", "--loss", "hinge"], 2, /crossEntropy, mse/],
    ["an unknown recipe", ["train", "mnist-mpl"], 1, /"mnist-mpl"[\s\S]*did you mean mnist-mlp/],
    ["a recipe file that is not there", ["train", "./none.ts"], 1, /no file \.\/none\.ts/],
    ["a folder that is no run", ["evaluate", "nowhere"], 1, /nowhere is no run\n {2}why: there is no nowhere\/run\.json/],
    ["nothing to predict", ["predict"], 2, /missing required argument/],
    ["data that is not there", ["train", "mnist-mlp", "--data", "nowhere"], 1, /no train-images[\s\S]*nowhere/],
    ["a rate that is negative", ["train", "iris", "--lr=-1", "--data", "nowhere"], 1, /error/],
    ["hidden layers that are none", ["train", "mnist-mlp", "--hidden", "3x0", "--data", "nowhere"], 1, /no sizes of layers/],
    ["layers beyond all memory", ["train", "digits-mlp", "--hidden", "1e12"], 1, /Linear|elements|size/],
  ])("%s: an exit code, the error on standard error, nothing on standard output", async (_, words, code, message) => {
    const ended = await inProcess(...words);
    expect(ended.err).toMatch(message);
    expect(ended.out).toBe("");
    expect(ended.code).toBe(code);
  });

  test("a run that found no data leaves no folder behind", async () => {
    const { code } = await within("train", "mnist-mlp", "--data", "nowhere", "--out", "dataless");
    expect(code).toBe(1);
    expect(existsSync(join(folder, "dataless"))).toBe(false);
  });

  test("a finished run stays as it is when it is resumed with other settings, or as another recipe", async () => {
    await within("train", SOURCE_RECIPE, "--epochs", "1", "--out", "finished");
    const before = await readFile(join(folder, "finished/run.json"), "utf8");
    const seed = await within("train", SOURCE_RECIPE, "--resume", "finished", "--seed", "9");
    expect(seed.err).toMatch(/the run has seed 0, not 9/);
    const other = await within("train", "iris", "--resume", "finished");
    expect(other.err).toMatch(/the run is of .*, not of iris/);
    expect(await readFile(join(folder, "finished/run.json"), "utf8")).toBe(before);
  });

  test("a module whose default export is no recipe says what it lacks", async () => {
    await writeFile(join(folder, "bad.mjs"), "export default { options: {} };");
    const { code, err } = await within("train", "./bad.mjs");
    expect(code).toBe(1);
    expect(err).toMatch(/no recipe[\s\S]*model, data, optimizer/);
  });

  test("a run made with somebody's module is not started from its folder", async () => {
    await within("train", SOURCE_RECIPE, "--epochs", "0", "--out", "foreign");
    const { code, err } = await inProcess("evaluate", join(folder, "foreign"));
    expect(code).toBe(1);
    expect(err).toMatch(/not started by itself[\s\S]*--recipe/);
  });

  test("a folder that exists is not written over", async () => {
    await mkdir(join(folder, "full"));
    await writeFile(join(folder, "full/notes.txt"), "mine");
    const { code, err } = await within("train", SOURCE_RECIPE, "--out", "full");
    expect(code).toBe(1);
    expect(err).toMatch(/full exists and is not empty/);
    expect(await readdir(join(folder, "full"))).toEqual(["notes.txt"]);
  });

  test.skipIf(process.getuid?.() === 0)("a folder without permission is an error in words", async () => {
    await mkdir(join(folder, "locked"));
    await chmod(join(folder, "locked"), 0o500);
    const { code, err } = await within("train", SOURCE_RECIPE, "--out", "locked/run");
    expect(code).toBe(1);
    expect(err).toMatch(/locked\/run/);
  });

  test("a run whose checkpoints are all damaged says so", async () => {
    await within("train", SOURCE_RECIPE, "--epochs", "1", "--out", "damaged");
    for (const name of await readdir(join(folder, "damaged/checkpoints")))
      await writeFile(join(folder, "damaged/checkpoints", name), "rubbish");
    const { code, err } = await within("evaluate", "damaged", "--recipe", SOURCE_RECIPE);
    expect(code).toBe(1);
    expect(err).toMatch(/no checkpoint/);
  });

  test("help and version go to standard output with 0", async () => {
    const help = await inProcess("train", "--help");
    expect(help.code).toBe(0);
    expect(help.out).toMatch(/Options of the recipe:\n {2}--hidden <value> +units of the hidden layer\s+\(default: 300\)/);
    for (const flag of ["--data", "--epochs", "--batch", "--seed", "--device", "--threads", "--out", "--resume", "--json", "--momentum"])
      expect(help.out).toContain(flag);
    expect((await inProcess("--version")).out).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect((await inProcess()).out).toMatch(/train[\s\S]*evaluate[\s\S]*predict[\s\S]*explain[\s\S]*bench/);
  });

  test("an installation that was not built says what to do", async () => {
    await mkdir(join(folder, "bin"));
    await copyFile(here("../../bin/gradus.js"), join(folder, "bin/gradus.mjs"));
    const child = spawn(process.execPath, [join(folder, "bin/gradus.mjs")]);
    let err = "";
    child.stderr.on("data", (chunk: Buffer) => (err += chunk));
    expect(await new Promise((resolve) => child.on("close", resolve))).toBe(1);
    expect(err).toMatch(/not built[\s\S]*npm install/);
  });
});

describe("the built command", () => {
  test("a recipe in TypeScript outside any package trains with the same gradus", async () => {
    const project = await mkdtemp(join(tmpdir(), "gradus-project-"));
    await mkdir(join(project, "node_modules"));
    await symlink(built(), join(project, "node_modules/gradus"));
    const source = await readFile(RECIPE, "utf8");
    await writeFile(join(project, "mine.ts"), `enum Kind { Own = 1 }\nvoid Kind.Own;\n${source}`);
    const child = spawn(COMMAND[0], [...COMMAND.slice(1), "train", "./mine.ts", "--epochs", "1"], { cwd: project });
    let [out, err] = ["", ""];
    child.stdout.on("data", (chunk: Buffer) => (out += chunk));
    child.stderr.on("data", (chunk: Buffer) => (err += chunk));
    const code = await new Promise((resolve) => child.on("close", resolve));
    expect(err).toBe("");
    expect(code).toBe(0);
    expect(out).toMatch(/test: loss/);
  }, 60_000);
});

describe("pieces", () => {
  test("the recipe is found wherever it stands among the flags", () => {
    expect(recipeIn(["iris", "--lr", "0.1"])).toBe("iris");
    expect(recipeIn(["--lr", "0.1", "xor"])).toBe("xor");
    expect(recipeIn(["--json", "xor"])).toBe("xor");
    expect(recipeIn(["--lr=0.1", "--no-bias", "mnits"])).toBe("mnits");
    expect(recipeIn(["--out", "iris", "--seed", "1"])).toBeUndefined();
    expect(recipeIn(["--slow", "./mine.ts"])).toBe("./mine.ts");
  });

  test("a sparkline shows the course, whatever the number of values", () => {
    expect(sparkline([1, 2, 3, 4, 5, 6, 7, 8])).toBe("▁▂▃▄▅▆▇█");
    expect(
      sparkline(
        Array.from({ length: 1000 }, (_, i) => -i),
        4,
      ),
    ).toBe("█▆▃▁");
    expect(sparkline([3, 3])).toBe("▁▁");
    expect(sparkline([Number.NaN])).toBe("");
  });

  test("times are read at a glance", () => {
    expect([clock(5), clock(83.4), clock(3723), clock(-1)]).toEqual(["0:05", "1:23", "1:02:03", "0:00"]);
    const shown = [0.0234, 0.0996, 1.26, 21.4, 83, 3723].map(duration);
    expect(shown).toEqual(["23 ms", "0.1 s", "1.3 s", "21 s", "1:23 min", "1:02:03 h"]);
  });

  const png = (width: number, height: number, draw: (x: number, y: number) => number): Uint8Array =>
    encode({
      width,
      height,
      channels: 1,
      data: Uint8Array.from({ length: width * height }, (_, i) => draw(i % width, Math.floor(i / width))),
    });

  test("on a narrow terminal no line is too long, and the bar keeps its end", () => {
    const written: string[] = [];
    const plain = pc.createColors(false);
    const output = (columns: number): Output => ({
      json: false,
      live: true,
      columns,
      colour: plain,
      line: (text = "") => void written.push(text),
      event: () => undefined,
      redraw: (text) => void written.push(text),
      warn: () => undefined,
    });
    const plan = {
      path: "runs/x",
      name: "x",
      parameters: 1,
      trainExamples: 8000,
      validationExamples: 0,
      testExamples: 9,
      epochs: 20,
      batchesPerEpoch: 125,
      batchSize: 64,
      startStep: 0,
    };
    const progress = { epoch: 12, step: 1400, batch: 1, skipped: 0, loss: 0.003393, metrics: { accuracy: 1 } };
    for (const columns of [40, 80, 120]) {
      const report = reportTraining(output(columns));
      report.plan?.({ ...plan, checkedOn: "test" });
      written.length = 0;
      report.step?.(progress as never);
      report.epoch?.({ ...progress, validation: { loss: 0.05709, accuracy: 0.984 } } as never);
      expect(written).toHaveLength(2);
      if (columns > 40) expect(written[0]).toMatch(/^epoch 12\/20 {2}━+─+ {2}56 % {2}loss .*ETA \d/);
      else expect(written[0]).toBe("epoch 12/20  ━━─  56 %  loss 0.003393");
      if (columns > 40) expect(written[1]).toMatch(/test: loss 0\.05709, accuracy 98\.40 % {2}[\d.]+ m?s/);
      else expect(written[1]).toMatch(/^epoch 12\/20 {2}loss 0\.003393 {2}[\d.]+ m?s\n {2}test: loss 0\.05709, accuracy 98\.40 %$/);
      for (const line of written.flatMap((text) => text.split("\n"))) expect(line.length).toBeLessThan(columns);
    }
  });

  test("an image of the right size is taken as it is, dark ink on light paper is turned over", () => {
    const light = imageOf(
      png(28, 28, (x) => (x === 14 ? 255 : 0)),
      "a.png",
      28,
    );
    const dark = imageOf(
      png(28, 28, (x) => (x === 14 ? 0 : 255)),
      "a.png",
      28,
    );
    expect(dark.values).toEqual(light.values);
    expect([light.values[14], light.values[13]]).toEqual([1, 0]);
    expect([light.notes, dark.notes]).toEqual([[], ["a.png: 28 × 28: dark on light turned over"]]);
  });

  test("another size is cropped to the ink, scaled to 20 pixels and centred", () => {
    const { values: image, notes } = imageOf(
      png(200, 300, (x, y) => (x > 20 && x <= 40 && y > 50 && y <= 150 ? 0 : 255)),
      "a.png",
      28,
    );
    const rows = Array.from({ length: 28 }, (_, y) => image.subarray(y * 28, y * 28 + 28).reduce((a, b) => a + b, 0));
    expect(rows.filter((sum) => sum > 1)).toHaveLength(20);
    expect(rows[3]).toBe(0);
    expect(rows[4]).toBeGreaterThan(3);
    expect(image[14 * 28 + 14]).toBe(1);
    expect(notes).toEqual(["a.png: 200 × 300: dark on light turned over, cropped to its ink and scaled to 28 × 28"]);
  });

  test.each<[string, (file: Uint8Array) => Uint8Array]>([
    ["text", () => new TextEncoder().encode("not a picture at all, only words")],
    ["a cut file", (file) => file.subarray(0, file.length - 20)],
    ["a file cut in its header", (file) => file.subarray(0, 20)],
    ["a width of 2^31", (file) => file.with(16, 0x80)],
    ["a few bytes that claim 8192 × 8192 pixels", (file) => file.with(18, 0x20).with(19, 0).with(22, 0x20).with(23, 0)],
    ["a wrong checksum", (file) => file.with(29, file[29]! ^ 1)],
    ["interlacing", (file) => file.with(28, 1)],
    ["damaged data", (file) => file.with(50, file[50]! ^ 255)],
  ])("%s is refused as an image, by name", (_, damage) => {
    const file = png(64, 64, (x, y) => (x * y) & 255);
    expect(() => imageOf(damage(file), "a.png", 28)).toThrow(FormatError);
    expect(() => imageOf(damage(file), "a.png", 28)).toThrow("a.png");
  });
});

describe("the help", () => {
  const longest = (text: string): number => Math.max(...text.split("\n").map((line) => line.length));
  const columnsOf = Object.getOwnPropertyDescriptor(process.stdout, "columns");
  const isTTY = Object.getOwnPropertyDescriptor(process.stdout, "isTTY");
  const restore = (name: "columns" | "isTTY", was: PropertyDescriptor | undefined): void => {
    if (was) Object.defineProperty(process.stdout, name, was);
    else delete (process.stdout as Partial<typeof process.stdout>)[name];
  };

  test.each([80, 40])("of every command fits %i columns, and tells all there is", async (columns) => {
    Object.defineProperty(process.stdout, "columns", { value: columns, configurable: true });
    Object.defineProperty(process.stdout, "isTTY", { value: true, configurable: true });
    try {
      for (const words of [[], ["train"], ["train", "mnist-mlp"], ["search"], ["evaluate"], ["predict"], ["explain"]]) {
        const { out } = await inProcess(...words, "--help");
        expect(longest(out), words.join(" ")).toBeLessThanOrEqual(columns);
        expect(out).not.toMatch(/[a-z]\n\s+(?:\d|%)/);
      }
    } finally {
      restore("columns", columnsOf);
      restore("isTTY", isTTY);
    }
  });

  test.each(Object.keys(BUILT_IN))("of %s describes each option of the recipe", async (name) => {
    const recipe = await builtIn(name);
    for (const { key, option } of recipeOptions(recipe)) expect(option.description, key).toMatch(/^\w.*\w.* \(default: /);
  });
});
