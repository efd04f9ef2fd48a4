import { mkdtemp, readdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { ArgumentError } from "../../src/core/errors.ts";
import { HostRandom } from "../../src/data/index.ts";
import type { Tensor } from "../../src/index.ts";
import { crossEntropy, Linear, Sequential, tanh } from "../../src/nn/index.ts";
import { sgd } from "../../src/optim/index.ts";
import { accuracy, openRun, recipe, type SearchSettings, search, trainRecipe } from "../../src/train/index.ts";
import { parseAxes, parseAxis, settingsOf } from "../../src/train/search-space.ts";
import { circle } from "./fixtures.ts";

const KNOWN = { lr: 0.1, hidden: 16, dropout: 0, activation: "relu", bias: true };
const CHOICES = { activation: ["relu", "tanh"] };
const axis = (text: string) => parseAxis(text, KNOWN, CHOICES);

describe("what to try", () => {
  test("values have the type of the option's default, and each counts once", () => {
    expect(axis("lr=0.1, 0.3,1e-1")).toEqual({ name: "lr", values: [0.1, 0.3] });
    expect(axis("activation=tanh,relu")).toEqual({ name: "activation", values: ["tanh", "relu"] });
    expect(axis("bias=true,false")).toEqual({ name: "bias", values: [true, false] });
  });

  test("a range is logarithmic, linear where it reaches 0, whole for whole bounds of a whole option", () => {
    expect(axis("lr=0.001..1")).toMatchObject({ low: 0.001, high: 1, scale: "log" });
    expect(axis("lr=1..10")).toMatchObject({ scale: "log" });
    expect(axis("lr=-1..1")).toMatchObject({ low: -1, scale: "linear" });
    expect(axis("hidden=16..256")).toMatchObject({ low: 16, high: 256, scale: "whole" });
    expect(axis("dropout=0..0.5")).toMatchObject({ scale: "linear" });
    expect(axis("lr=.1...9")).toMatchObject({ low: 0.1, high: 0.9 });
  });

  test.each([
    ["lr", "says not what to try"],
    ["=1", "says not what to try"],
    ["lr=", "empty value"],
    ["lr=0.1,,0.3", "empty value"],
    ["lr=1..0.1", "is empty"],
    ["lr=1..1", "is empty"],
    ["lr=a", "is not a number"],
    ["lr=0.1..", "is not a number"],
    ["lrr=1", "did you mean lr?"],
    ["__proto__=1", "unknown option"],
    ["activation=sine", "is not one of relu, tanh"],
    ["bias=0..1", "is not true or false"],
    ["bias=maybe", "is not true or false"],
  ])("%s is refused, with a reason", (text, reason) => {
    expect(() => axis(text)).toThrow(ArgumentError);
    expect(() => axis(text)).toThrow(reason);
  });

  test("text has no ranges, and no option is tried twice or both fixed and tried", () => {
    expect(() => parseAxis("hidden=16..256", { hidden: "300" })).toThrow("has no range");
    expect(() => parseAxes(["lr=1", "lr=2"], KNOWN, [])).toThrow("tried twice");
    expect(() => parseAxes(["lr=1"], KNOWN, ["lr"])).toThrow("both fixed and to be tried");
  });

  test("values make a grid, whose last axis changes fastest", () => {
    const axes = parseAxes(["lr=0.1,0.3", "hidden=4,8"], KNOWN, []);
    const grid = [
      { lr: 0.1, hidden: 4 },
      { lr: 0.1, hidden: 8 },
      { lr: 0.3, hidden: 4 },
      { lr: 0.3, hidden: 8 },
    ];
    expect(settingsOf(axes, undefined, new HostRandom(0))).toEqual(grid);
    expect(settingsOf(axes, 9, new HostRandom(0))).toEqual(grid);
    const some = settingsOf(axes, 3, new HostRandom(0));
    expect(new Set(some.map((s) => JSON.stringify(s))).size).toBe(3);
    for (const setting of some) expect(grid).toContainEqual(setting);
  });

  test("draws lie in their ranges, differ, and are the same for the same seed", () => {
    const axes = parseAxes(["lr=0.001..1", "hidden=4..7", "dropout=0..0.5"], KNOWN, []);
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 50 }), (seed, trials) => {
        const drawn = settingsOf(axes, trials, new HostRandom(seed));
        expect(drawn).toHaveLength(trials);
        expect(new Set(drawn.map((s) => JSON.stringify(s))).size).toBe(trials);
        for (const { lr, hidden, dropout } of drawn) {
          expect(lr).toBeGreaterThanOrEqual(0.001);
          expect(lr).toBeLessThanOrEqual(1);
          expect([4, 5, 6, 7]).toContain(hidden);
          expect(dropout).toBeLessThanOrEqual(0.5);
        }
        expect(settingsOf(axes, trials, new HostRandom(seed))).toEqual(drawn);
      }),
      { numRuns: 20 },
    );
  });

  test("a logarithmic range gives each decade its share, a whole range both its ends", () => {
    const drawn = settingsOf(parseAxes(["lr=0.001..1", "hidden=1..3"], KNOWN, []), 900, new HostRandom(1));
    for (const decade of [0.001, 0.01, 0.1]) {
      const inside = drawn.filter(({ lr }) => (lr as number) >= decade && (lr as number) < 10 * decade).length;
      expect(inside).toBeGreaterThan(250);
      expect(inside).toBeLessThan(350);
    }
    expect(new Set(drawn.map(({ hidden }) => hidden))).toEqual(new Set([1, 2, 3]));
  });

  test("a whole range that holds fewer than asked for gives all it has", () => {
    expect(settingsOf(parseAxes(["hidden=1..3"], KNOWN, []), 50, new HostRandom(0))).toHaveLength(3);
  });

  test("ten draws from ranges unless said, and never more than a thousand trials", () => {
    expect(settingsOf(parseAxes(["lr=0.1..1"], KNOWN, []), undefined, new HostRandom(0))).toHaveLength(10);
    const many = Array.from({ length: 40 }, (_, i) => i + 1).join(",");
    const axes = parseAxes([`hidden=${many}`, `lr=${many}`], KNOWN, []);
    expect(() => settingsOf(axes, undefined, new HostRandom(0))).toThrow("1600 trials are too many");
    expect(settingsOf(axes, 7, new HostRandom(0))).toHaveLength(7);
    expect(() => settingsOf(axes, 1001, new HostRandom(0))).toThrow("1001 trials are too many");
  });
});

describe("a search", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "gradus-search-"));
  });

  /** How often data was loaded, and batches of the test set were taken. */
  const seen = { loads: 0, tests: 0 };
  const mine = recipe({
    options: { hidden: 6, lr: 0.3, points: 100 },
    epochs: 4,
    batchSize: 10,
    model: (o) => new Sequential(new Linear(2, o.hidden), tanh, new Linear(o.hidden, 2)),
    data: async (o, { seed }) => {
      seen.loads++;
      const test = circle(50, seed + 7);
      const batches = test.batches.bind(test);
      test.batches = (...given) => {
        seen.tests++;
        return batches(...given);
      };
      return { train: circle(o.points, seed), test };
    },
    loss: crossEntropy,
    optimizer: (model, o) => sgd(model.parameters(), { lr: o.lr }),
    metrics: { accuracy },
  });
  const settings = (out: string, more: Partial<SearchSettings> = {}): SearchSettings => ({
    recipe: mine,
    name: "mine",
    out: join(folder, out),
    device: "wasm",
    threads: 1,
    signal: new AbortController().signal,
    version: "test",
    ...more,
  });
  const read = async (...path: string[]): Promise<string> => readFile(join(folder, ...path), "utf8");

  test("ranks the trials by their validation score and never looks at the test set", async () => {
    Object.assign(seen, { loads: 0, tests: 0 });
    const outcome = await search(settings("ranked", { tries: ["lr=0.0001,1,0.01"], by: "loss", retrain: false }));
    const losses = outcome.trials.map(({ validation }) => validation.loss!);
    expect(losses).toEqual(losses.toSorted((a, b) => a - b));
    expect(outcome.best).toBe(outcome.trials[0]);
    expect(outcome.best!.setting).toEqual({ lr: 1 });
    expect(outcome.retrained).toBeUndefined();
    expect(seen).toEqual({ loads: 1, tests: 0 });
    expect((await readdir(join(folder, "ranked"))).sort()).toEqual(["search.json", "trial-01.jsonl", "trial-02.jsonl", "trial-03.jsonl"]);
    const lines = (await read("ranked", "trial-02.jsonl")).trim().split("\n");
    expect(lines).toHaveLength(4);
    expect(JSON.parse(lines[3]!)).toMatchObject({ epoch: 4, step: 32, validation: { loss: losses[0] } });
    expect(JSON.parse(await read("ranked", "search.json"))).toMatchObject({ status: "done", by: "loss", planned: 3, best: { trial: 2 } });
  });

  test("a trial is the training with the same validation share, the retraining that without, to the bit", async () => {
    Object.assign(seen, { loads: 0, tests: 0 });
    const outcome = await search(settings("same", { tries: ["lr=0.5", "batch=20"], seed: 5, epochs: 3 }));
    expect(seen.tests).toBe(1);
    const both = { options: { lr: 0.5 }, batchSize: 20, seed: 5, epochs: 3 };
    const trial = await trainRecipe({ ...settings("trial"), ...both, validation: 0.2 });
    expect(outcome.best!.validation).toEqual(trial.records.at(-1)!.validation);
    expect(outcome.best!.training.loss).toBe(trial.records.at(-1)!.loss);
    const whole = await trainRecipe({ ...settings("whole"), ...both, validation: 0 });
    expect(outcome.retrained!.scores).toEqual(whole.scores);
    const tensors = async (path: string) => (await openRun(join(folder, path), () => Promise.resolve(mine))).checkpoint.tensors;
    expect(await tensors("same/best")).toEqual(await tensors("whole"));
  });

  test("a trial ends with the parameters of the training with the same settings, to the bit", async () => {
    const models: ReturnType<typeof mine.model>[] = [];
    const kept = recipe({
      ...mine,
      model: (o) => {
        models.push(mine.model(o));
        return models.at(-1)!;
      },
    });
    const both = { recipe: kept, seed: 3, epochs: 1, batchSize: 7, validation: 0.25 };
    await search(settings("trial-parameters", { ...both, tries: ["lr=0.5"], retrain: false }));
    await trainRecipe({ ...settings("run-parameters"), ...both, options: { lr: 0.5 } });
    const [trial, run, ...more] = await Promise.all(
      models.map((model) => Promise.all(model.parameters().map(async ({ value }) => Array.from(await value.data())))),
    );
    expect(more).toEqual([]);
    expect(trial!.flat().every((value) => Number.isFinite(value))).toBe(true);
    expect(trial).toEqual(run);
  });

  test("without anything to try, the learning rate is tried at 0.3, 1 and 3 times its value", async () => {
    const outcome = await search(settings("usual", { options: { lr: 0.1 }, epochs: 1, retrain: false }));
    expect(outcome.trials.map(({ setting }) => setting.lr).sort()).toEqual([0.03, 0.1, 0.3]);
  });

  test("data that depends on a tried option is loaded for each of its values", async () => {
    Object.assign(seen, { loads: 0, tests: 0 });
    await search(settings("points", { tries: ["points=50,100", "lr=0.1,0.2"], epochs: 1, retrain: false }));
    expect(seen.loads).toBe(2);
  });

  test("a setting that diverges or is refused is a result, ranked last", async () => {
    const outcome = await search(settings("failing", { tries: ["hidden=-1,4", "lr=1e38,0.1"], retrain: false, epochs: 2 }));
    expect(outcome.best!.setting).toEqual({ hidden: 4, lr: 0.1 });
    expect(outcome.trials.map(({ failed }) => failed === undefined)).toEqual([true, false, false, false]);
    await expect(search(settings("none", { tries: ["lr=1e38"], epochs: 2 }))).rejects.toThrow("none of 1 trials got a score");
    expect(JSON.parse(await read("none", "search.json")).status).toBe("failed");
  });

  test("when it is stopped, the present trial is the last, and nothing is trained again", async () => {
    const stop = new AbortController();
    const outcome = await search(settings("stopped", { tries: ["lr=0.1,0.2,0.3"], signal: stop.signal }), { epoch: () => stop.abort() });
    expect(outcome).toMatchObject({ status: "interrupted", best: { trial: 1, epochs: 4 } });
    expect(outcome.trials).toHaveLength(1);
    expect(outcome.retrained).toBeUndefined();
    expect((await read("stopped", "trial-01.jsonl")).trim().split("\n")).toHaveLength(4);
    expect(JSON.parse(await read("stopped", "search.json")).status).toBe("interrupted");
  });

  test.each<[string, Partial<SearchSettings>]>([
    ["a validation share of 0", { validation: 0 }],
    ["0 trials", { trials: 0 }],
    ['no validation score "acuracy"', { by: "acuracy" }],
    ["lr is both fixed and to be tried", { tries: ["lr=1"], options: { lr: 2 } }],
    ["trains in a way of its own", { recipe: { ...mine, run: () => Promise.reject(new Error("never")) } }],
    ["nothing to try", { recipe: { ...mine, options: { hidden: 3 } } }],
  ])("%s is refused before anything is written", async (reason, more) => {
    await expect(search(settings("refused", more))).rejects.toThrow(reason);
    expect(await readdir(folder)).not.toContain("refused");
  });

  test("a metric that does not say which way is better is asked for, unless another score decides", async () => {
    const plain = { ...mine, metrics: { share: (o: Tensor, t: Tensor) => o.argmax(-1).eq(t).mean() as Tensor<[]> } };
    const refused = search(settings("refused", { recipe: plain, tries: ["lr=0.1"] }));
    await expect(refused).rejects.toThrow(/larger share better, or a smaller one/);
    expect(await readdir(folder)).not.toContain("refused");
    expect((await search(settings("by-loss", { recipe: plain, tries: ["lr=0.1"], by: "loss", epochs: 1, retrain: false }))).by).toBe(
      "loss",
    );
  });

  test("what is not a setting, or not a part of a recipe, is refused with a suggestion", async () => {
    await expect(search({ ...settings("refused"), epoch: 3 } as never)).rejects.toThrow(/"epoch"[\s\S]*did you mean epochs/);
    await expect(trainRecipe({ ...settings("refused"), patient: 3 } as never)).rejects.toThrow(/did you mean patience/);
    expect(() => recipe({ ...mine, metric: {} } as never)).toThrow(/did you mean metrics/);
    const { path } = await trainRecipe({ ...settings("misspelt"), epochs: 1 });
    await expect(openRun(path, async () => mine).then((run) => run.evaluate({ dirs: "." } as never))).rejects.toThrow(/did you mean dir/);
  });

  test("a folder that holds something is not written over", async () => {
    await search(settings("twice", { tries: ["lr=0.1"], epochs: 1, retrain: false }));
    await expect(search(settings("twice"))).rejects.toThrow("exists and is not empty");
  });
});
