/** Run folders that were cut off at any moment, damaged, or made by a stranger. */
import { cp, link, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { FormatError, GradusError } from "../../src/core/errors.ts";
import type { Dataset, Labelled } from "../../src/data/index.ts";
import { decodeSafetensors, encodeSafetensors, type StoredTensor } from "../../src/io/index.ts";
import { crossEntropy, init, Linear, Sequential, tanh } from "../../src/nn/index.ts";
import { adam } from "../../src/optim/index.ts";
import { accuracy, openRun, type Recipe, recipe, type TrainSettings, trainRecipe } from "../../src/train/index.ts";
import { makePipe } from "../io/pipe.ts";
import { circle, settingsOf } from "./fixtures.ts";

const RECIPE: Recipe = recipe({
  options: { hidden: 6, lr: 0.05 },
  epochs: 3,
  batchSize: 8,
  model: (o) => new Sequential(new Linear(2, o.hidden), tanh, new Linear(o.hidden, 2)),
  data: async (_, { seed }) => ({ train: circle(64, seed), test: circle(20, seed + 1) }),
  loss: crossEntropy,
  optimizer: (model, o) => adam(model.parameters(), { lr: o.lr }),
  metrics: { accuracy },
});

const settings = settingsOf(RECIPE);

let folder: string;
/** A finished run, and one that was interrupted after 10 of 24 steps. */
let whole: string;
let half: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gradus-runs-"));
  [whole, half] = [join(folder, "whole"), join(folder, "half")];
  await trainRecipe(settings({ out: whole }));
  const stop = new AbortController();
  await trainRecipe(settings({ out: half, signal: stop.signal }), { step: ({ step }) => void (step === 10 && stop.abort()) });
}, 60_000);

let run: string;
let warnings: string[];
let names = 0;
beforeEach(async () => {
  run = join(folder, `run-${++names}`);
  warnings = [];
  await cp(half, run, { recursive: true });
});
const resume = (more: Partial<TrainSettings> = {}) =>
  trainRecipe(settings({ resume: run, ...more }), { warn: (line) => void warnings.push(line), damaged: () => undefined });
const text = (path: string, name: string): Promise<string> => readFile(join(path, name), "utf8");
const expectWhole = async (): Promise<void> => {
  for (const name of ["metrics.jsonl", "curves.svg", "checkpoints/step-000000024.safetensors"])
    expect(await text(run, name)).toBe(await text(whole, name));
};

describe("every beginning of a run can be gone on with", () => {
  test("the first checkpoint is of step 0, before anything is trained", async () => {
    const stop = new AbortController();
    stop.abort();
    run = join(folder, "at once");
    expect((await trainRecipe(settings({ out: run, signal: stop.signal }))).status).toBe("interrupted");
    expect((await readdir(join(run, "checkpoints"))).filter((name) => name.startsWith("step"))).toEqual(["step-000000000.safetensors"]);
    await resume();
    await expectWhole();
  });

  test("killed before its first checkpoint, a run begins again when it is resumed", async () => {
    for (const name of await readdir(join(run, "checkpoints"))) if (name.startsWith("step")) await rm(join(run, "checkpoints", name));
    await rm(join(run, "graph.dot"));
    await resume();
    await expectWhole();
    expect(await text(run, "graph.dot")).toBe(await text(whole, "graph.dot"));
    run = join(folder, "without checkpoints");
    await cp(half, run, { recursive: true });
    await rm(join(run, "checkpoints"), { recursive: true });
    await rm(join(run, "metrics.jsonl"));
    await resume();
    await expectWhole();
  });

  test("killed before its run.json was written, a run is begun by the same command", async () => {
    await rm(run, { recursive: true });
    await mkdir(join(run, "checkpoints"), { recursive: true });
    await writeFile(join(run, "checkpoints/lock.999999999-0b6e.tmp"), "");
    await writeFile(join(run, "checkpoints/lock-1"), '{"pid":999999999,"host":"');
    await writeFile(join(run, "metrics.jsonl"), "");
    await writeFile(join(run, "run.json.999999999-1-m0.tmp"), '{"ver');
    await trainRecipe(settings({ out: run }));
    await expectWhole();
    expect((await readdir(run)).sort()).toEqual(["checkpoints", "curves.svg", "graph.dot", "metrics.jsonl", "run.json"]);
    expect((await readdir(join(run, "checkpoints"))).filter((name) => !name.startsWith("step"))).toEqual(["lock-2"]);
  });

  test("a finished run whose checkpoints are gone keeps its log", async () => {
    run = join(folder, "emptied");
    await cp(whole, run, { recursive: true });
    await rm(join(run, "checkpoints"), { recursive: true });
    await expect(resume()).rejects.toThrow(/its checkpoints are gone/);
    expect(await text(run, "metrics.jsonl")).toBe(await text(whole, "metrics.jsonl"));
  });

  test("a folder whose name would steer the terminal cannot do so by a warning", async () => {
    const named = `${run}-\u001b[31m`;
    await rename(run, named);
    await truncate(join(named, "metrics.jsonl"), 3);
    const said = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    await trainRecipe(settings({ resume: named }));
    expect(said.mock.calls.flat()).toEqual([expect.stringMatching(/^gradus: .*-\\u001b\[31m\/metrics\.jsonl was cut short/)]);
    said.mockRestore();
  });

  test("lines after the checkpoint are cut, and a torn one is said", async () => {
    const log = join(run, "metrics.jsonl");
    await writeFile(log, `${await readFile(log, "utf8")}{"step":11,"loss":9}\n{"ste`);
    await resume();
    await expectWhole();
    expect(warnings).toEqual([`${log} ends in half a line: cut`]);
  });

  test.each<[string, (log: string) => Promise<void>, RegExp]>([
    ["missing", (log) => rm(log), /missing or empty.*lines of steps are lost/],
    ["empty", (log) => truncate(log, 0), /missing or empty/],
    ["short by half a line", async (log) => truncate(log, (await readFile(log)).length - 7), /cut short or changed.*9 lines of steps kept/],
    ["overwritten with zeros", async (log) => writeFile(log, Buffer.alloc((await readFile(log)).length)), /cut short or changed/],
  ])("a log that is %s is written again as far as the checkpoint knows it, and that is said", async (_, damage, said) => {
    await damage(join(run, "metrics.jsonl"));
    expect((await resume()).status).toBe("done");
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(said);
    const lines = (await text(run, "metrics.jsonl")).trimEnd().split("\n");
    const expected = (await text(whole, "metrics.jsonl")).trimEnd().split("\n");
    // Nothing that is there is wrong: every line stands in the whole log, in the same order, and no epoch is missing.
    expect(lines).toEqual(expected.filter((line) => lines.includes(line)));
    expect(lines.filter((line) => line.includes('"epoch"'))).toEqual(expected.filter((line) => line.includes('"epoch"')));
    expect(await text(run, "checkpoints/step-000000024.safetensors").then((t) => t.length)).toBeGreaterThan(0);
  });

  /** The data set; giving its batches stops the run. */
  const stopping = <D extends Dataset<Labelled>>(data: D, stop: AbortController): D =>
    Object.assign(Object.create(data) as D, {
      async *batches(...given: Parameters<D["batches"]>) {
        stop.abort();
        yield* data.batches(given[0], given[1]);
      },
    });

  test("stopped while an epoch is scored or while the test set is, a run is interrupted, not failed, and goes on from there", async () => {
    const asked = { validation: 0.25, patience: 9 };
    await trainRecipe(settings({ out: join(folder, "scored"), ...asked }));
    for (const part of ["validation", "test"]) {
      const stop = new AbortController();
      const data: Recipe["data"] = async (o, where) => {
        const parts = await RECIPE.data(o, where);
        if (part === "test") return { ...parts, test: stopping(parts.test, stop) };
        const split: typeof parts.train.split = (share, rng) => {
          const [train, validation] = parts.train.split(share, rng);
          return [train, stopping(validation, stop)];
        };
        return { ...parts, train: Object.assign(Object.create(parts.train), { split }) };
      };
      run = join(folder, `stopped in ${part}`);
      const recipe = { ...RECIPE, data };
      expect((await trainRecipe(settings({ recipe, out: run, signal: stop.signal, ...asked }))).status).toBe("interrupted");
      expect(JSON.parse(await text(run, "run.json")).status).toBe("interrupted");
      await resume(asked);
      for (const name of ["metrics.jsonl", "curves.svg", "checkpoints/step-000000018.safetensors"])
        expect(await text(run, name)).toBe(await text(join(folder, "scored"), name));
    }
  });

  test("stopped while its data load, a run leaves nothing behind and gives the reason", async () => {
    const stop = new AbortController();
    const data: Recipe["data"] = async (_, { signal }) => {
      stop.abort();
      throw signal!.reason;
    };
    const out = join(folder, "stopped in loading");
    await expect(trainRecipe(settings({ recipe: { ...RECIPE, data }, out, signal: stop.signal }))).rejects.toThrow("aborted");
    expect(await readdir(folder)).not.toContain("stopped in loading");
  });

  test("a picture that cannot be drawn or written fails no run", async () => {
    await rm(join(run, "curves.svg"), { force: true });
    await mkdir(join(run, "curves.svg"));
    expect((await resume()).status).toBe("done");
    expect(warnings).toEqual([expect.stringMatching(/there is no new curves\.svg/)]);
  });

  test("what becomes of steps that are not finite holds when a run goes on", async () => {
    run = join(folder, "asked");
    const stop = new AbortController();
    const seen = { step: ({ step }: { step: number }) => void (step === 10 && stop.abort()) };
    await trainRecipe(settings({ out: run, signal: stop.signal, nonFinite: "skip" }), seen);
    await resume();
    expect(JSON.parse(await text(run, "run.json")).nonFinite).toBe("skip");
    await expectWhole();
  });

  test("a run of a recipe with its own run() begins again if it was cut off, and stays as it is if it has ended", async () => {
    const own: Recipe = { ...RECIPE, run: async (o) => ({ model: init(RECIPE.model(o), 0), scores: { answer: 42 } }) };
    const more = { recipe: own, validation: undefined, checkpointSeconds: undefined };
    run = join(folder, "own");
    await trainRecipe(settings({ ...more, out: run }));
    await expect(resume(more)).rejects.toThrow(/in a way of its own/);
    const info = JSON.parse(await text(run, "run.json")) as object;
    await writeFile(join(run, "run.json"), JSON.stringify({ ...info, status: "running" }));
    expect((await resume(more)).scores).toEqual({ answer: 42 });
    expect(await text(run, "metrics.jsonl")).toBe('{"answer":42}\n');
  });
});

describe("a stranger's run folder", () => {
  const outside = async (content: string): Promise<string> => {
    const path = join(folder, `outside-${names}`);
    await writeFile(path, content);
    return path;
  };
  const use = () => openRun(run, async () => RECIPE);

  test("a log that is a link, or another name of a file outside, is not written to", async () => {
    const content = "precious\n".repeat(1000);
    for (const make of [symlink, link]) {
      const target = await outside(content);
      await rm(join(run, "metrics.jsonl"), { force: true });
      await make(target, join(run, "metrics.jsonl"));
      await expect(resume()).rejects.toThrow(make === symlink ? /metrics\.jsonl: it is a link/ : /metrics\.jsonl has 2 names/);
      expect(await readFile(target, "utf8")).toBe(content);
      await rm(target);
    }
  });

  test("checkpoints that are a link are neither written nor read", async () => {
    const target = join(folder, `elsewhere-${names}`);
    await rename(join(run, "checkpoints"), target);
    await symlink(target, join(run, "checkpoints"));
    const before = await readdir(target);
    await expect(resume()).rejects.toThrow(/checkpoints is a link/);
    await expect(use()).rejects.toThrow(/checkpoints is a link/);
    expect(await readdir(target)).toEqual(before);
  });

  test("a checkpoint, a lock or a run.json that is a link, a pipe or a device is not opened", async () => {
    const newest = join(run, "checkpoints/step-000000010.safetensors");
    const place = join(folder, `moved-${names}`);
    await rename(newest, place);
    await symlink(place, newest);
    expect((await use()).checkpoint.step).toBe(9);
    await rm(newest);
    makePipe(newest);
    expect((await use()).checkpoint.step).toBe(9);
    await symlink("/dev/zero", join(run, "checkpoints/lock-7"));
    expect((await resume()).status).toBe("done");
    await rm(join(run, "run.json"));
    await symlink("/dev/zero", join(run, "run.json"));
    for (const attempt of [resume, use]) await expect(attempt()).rejects.toThrow(/run\.json: it is a link/);
    await rm(join(run, "run.json"));
    makePipe(join(run, "run.json"));
    for (const attempt of [resume, use]) await expect(attempt()).rejects.toThrow(/run\.json: it is a pipe/);
  });

  test("pictures and run.json replace a link, and leave its target", async () => {
    const target = await outside("mine");
    for (const name of ["curves.svg", "graph.dot"]) {
      await rm(join(run, name), { force: true });
      await symlink(target, join(run, name));
    }
    await resume();
    await expectWhole();
    expect(await readFile(target, "utf8")).toBe("mine");
  });

  type Tensors = Map<string, StoredTensor>;
  /** The newest checkpoint with other notes or tensors, its checksum right. */
  async function withNotes(change: (training: any, log: any, tensors: Tensors) => unknown): Promise<void> {
    const path = join(run, "checkpoints/step-000000010.safetensors");
    const { tensors: before, metadata } = await decodeSafetensors(await readFile(path));
    const tensors = new Map(before);
    const training = JSON.parse(metadata.get("training")!);
    const log = JSON.parse(metadata.get("log")!);
    change(training, log, tensors);
    await writeFile(path, await encodeSafetensors(tensors, { training: JSON.stringify(training), log: JSON.stringify(log) }));
  }

  const numbers = (shape: number[], data = new Float64Array(shape.reduce((a, b) => a * b, 1))): StoredTensor => ({
    dtype: "float64",
    shape,
    data,
  });
  const RIGHT = "tally.sums/accuracy/right";
  test.each<[string, (training: any, log: any, tensors: Tensors) => unknown, RegExp]>([
    [
      "a metric's sum of another shape",
      (_, __, tensors) => tensors.set(RIGHT, numbers([3])),
      /tally\.sums\/accuracy\/right is \[3\] float64[\s\S]*\[\]/,
    ],
    [
      "a metric's sum of another type",
      (_, __, tensors) => tensors.set(RIGHT, { dtype: "bool", shape: [], data: new Uint8Array(1) }),
      /accuracy\/right is \[\] bool/,
    ],
    ["a metric's sum left out", (_, __, tensors) => tensors.delete(RIGHT), /tally\.sums\/accuracy\/right is missing/],
    [
      "sums of no metric",
      (_, __, tensors) => tensors.set("tally.sums/mine/right", numbers([])),
      /tally\.sums\/mine\/right is \[\] float64/,
    ],
    [
      "outputs that no metric keeps",
      (_, __, tensors) => tensors.set("tally.output", numbers([2 ** 10, 2])),
      /tally\.output is \[1024, 2\]/,
    ],
    [
      "best parameters of no epoch",
      (_, __, tensors) => tensors.set("best.0.bias", numbers([6])),
      /best epoch 0[\s\S]*there are parameters/,
    ],
    ["a best epoch that has no score", (t) => (t.records[0].bestEpoch = 1), /record 1 has 1 as the best epoch/],
    ["a sum of losses that is no number", (t) => (t.sums.loss = null), /training state is damaged[\s\S]*sums\.loss/],
    ["more steps since a line than there are between two", (_, log) => (log.count = 1e15), /1000000000000000 steps since the last line/],
    ["a batch beyond the epoch", (t) => (t.batch = 1e6), /batch 1000000[\s\S]*an epoch has 8/],
    ["an epoch beyond all records", (t) => (t.epoch = 1e15), /epoch 1000000000000000[\s\S]*records are of 1/],
    ["a step that the place does not have", (t) => Object.assign(t, { step: 10, skipped: 3 }), /3 left out/],
    ["more sums than batches", (t) => (t.sums.count = 99), /99 steps in the sums/],
    ["other metrics", (t) => (t.records[0].metrics = { distance: 1 }), /metrics distance/],
    ["records out of order", (t) => (t.records[0].epoch = 7), /record 1 is of epoch 7/],
    ["a negative batch", (t) => (t.batch = -1), /training state is damaged[\s\S]*batch/],
    ["a batch that is text", (t) => (t.batch = "2"), /batch/],
    ["an unknown entry", (t) => (t.code = "x"), /code/],
    ["another step than its name", (t) => Object.assign(t, { batch: 1, step: 9, sums: { ...t.sums, count: 1 } }), /it is of step 9/],
    ["a log of −1 bytes", (_, log) => (log.bytes = -1), /of the log[\s\S]*bytes/],
    ["a log of 2^60 bytes", (_, log) => (log.bytes = 2 ** 60), /of the log[\s\S]*bytes/],
    ["a sum of losses that is text", (_, log) => (log.loss = "1"), /of the log[\s\S]*loss/],
  ])("a checkpoint with %s is refused by name, and nothing is trained", async (_, change, message) => {
    await withNotes(change);
    const before = [await text(run, "metrics.jsonl"), await text(run, "run.json")];
    const error = await resume().catch((e: unknown) => e as FormatError);
    expect(error).toBeInstanceOf(FormatError);
    expect((error as FormatError).message).toMatch(message);
    expect((error as FormatError).message).toContain("step-000000010.safetensors");
    expect([await text(run, "metrics.jsonl"), await text(run, "run.json")]).toEqual(before);
  });

  const mutations = Number(process.env.GRADUS_MUTATIONS ?? 60);
  test(
    "random mutations of a run's files end in a typed error or in a finished run, never in anything else",
    async () => {
      const files = ["run.json", "metrics.jsonl", "checkpoints/step-000000010.safetensors"];
      const edit = fc.record({ at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), byte: fc.nat(255), cut: fc.boolean() });
      await fc.assert(
        fc.asyncProperty(fc.constantFrom(...files), fc.array(edit, { minLength: 1, maxLength: 4 }), async (name, edits) => {
          run = join(folder, `run-${++names}`);
          await cp(half, run, { recursive: true });
          let bytes = await readFile(join(run, name));
          for (const { at, byte, cut } of edits) {
            const place = Math.floor(at * bytes.length);
            if (cut) bytes = bytes.subarray(0, place);
            else bytes[place] = byte;
          }
          await writeFile(join(run, name), bytes);
          const outcome = await resume().catch((error: unknown) => error);
          if (outcome instanceof Error) expect(outcome).toBeInstanceOf(GradusError);
          await rm(run, { recursive: true });
        }),
        { numRuns: mutations },
      );
    },
    60_000 + 400 * mutations,
  );

  test("a file of a newer gradus says so, and no older checkpoint is used in its place", async () => {
    const path = join(run, "checkpoints/step-000000010.safetensors");
    const newer = Buffer.from((await readFile(path, "latin1")).replace('"gradus.format":"1"', '"gradus.format":"9"'), "latin1");
    const at = newer.indexOf('"gradus.sha256":"') + 17;
    newer.fill("0", at, at + 64);
    const sum = Buffer.from(await crypto.subtle.digest("SHA-256", newer)).toString("hex");
    newer.write(sum, at, "latin1");
    await writeFile(path, newer);
    for (const attempt of [resume, use]) await expect(attempt()).rejects.toThrow(/step-000000010.*newer gradus \(format 9\)/);
    await writeFile(join(run, "run.json"), (await text(run, "run.json")).replace('"version": 1', '"version": 2'));
    for (const attempt of [resume, use]) await expect(attempt()).rejects.toThrow(/run\.json: written by a newer gradus/);
  });
});
