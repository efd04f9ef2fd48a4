import { mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { ArgumentError, FormatError } from "../../src/core/errors.ts";
import type { Tensor } from "../../src/index.ts";
import { decodeSafetensors, encodeSafetensors } from "../../src/io/index.ts";
import { crossEntropy, Dropout, Linear, Sequential, tanh } from "../../src/nn/index.ts";
import { adam } from "../../src/optim/index.ts";
import { theHeap } from "../../src/run/engine.ts";
import { accuracy, f1, type Loss, openRun, type Recipe, recipe, type TrainSettings, trainRecipe } from "../../src/train/index.ts";
import { positionFromText } from "../../src/train/schemas.ts";
import { positionToText } from "../../src/train/training-state.ts";
import { circle, settingsOf, setUp } from "./fixtures.ts";

const everything = async (setup: ReturnType<typeof setUp>): Promise<unknown> => {
  const { tensors, position } = await setup.trainer.state();
  return { tensors: new Map([...tensors].map(([name, { data }]) => [name, data.slice()])), position };
};

/** Through bytes, as a checkpoint goes. */
async function throughFile(setup: ReturnType<typeof setUp>) {
  const { tensors, position } = await setup.trainer.state();
  const file = await decodeSafetensors(await encodeSafetensors(tensors, { training: positionToText(position) }), { checksum: "required" });
  return { tensors: file.tensors, position: positionFromText(file.metadata.get("training"), "test") };
}

describe("a trainer", () => {
  const more = { validation: circle(20, 3), earlyStopping: { patience: 5 } };

  test("interrupted at any step and resumed, it equals the uninterrupted one bit for bit", async () => {
    const whole = setUp(more);
    await whole.trainer.run();
    const expected = await everything(whole);
    for (const at of [0, 1, 5, 6, 7, 12, 17, 18]) {
      const stop = new AbortController();
      const first = setUp({ ...more, signal: stop.signal, onStep: ({ step }) => void (step === at && stop.abort()) });
      if (at === 0) stop.abort();
      await first.trainer.run();
      const second = setUp(more);
      second.trainer.restore(await throughFile(first));
      expect(second.trainer.step).toBe(at);
      const records = await second.trainer.run();
      expect(records).toHaveLength(3);
      expect(await everything(second)).toEqual(expected);
    }
  });

  test("interrupted within an epoch, metrics that need all outputs or sums have the same values", async () => {
    const share = (o: Tensor, t: Tensor): Tensor<[]> => o.argmax(-1).eq(t).mean().div(t.cast("float32").mean()) as Tensor<[]>;
    const metrics = { "f1/a": f1, share, accuracy };
    const whole = setUp({ metrics });
    await whole.trainer.run();
    const stop = new AbortController();
    const first = setUp({ metrics, signal: stop.signal, onStep: ({ step }) => void (step === 9 && stop.abort()) });
    await first.trainer.run();
    const second = setUp({ metrics });
    const state = await throughFile(first);
    const other = new Map(state.tensors).set("tally.target", { dtype: "int32", shape: [7], data: new Int32Array(7) });
    expect(() => second.trainer.restore({ ...state, tensors: other })).toThrow(/tally\.target is \[7\] int32[\s\S]*after \d+ examples/);
    second.trainer.restore(state);
    await second.trainer.run();
    expect(second.trainer.records).toEqual(whole.trainer.records);
  });

  test("a position as it was once written, with sums of batch means, is taken: that epoch's metrics begin anew", async () => {
    const stop = new AbortController();
    const first = setUp({ signal: stop.signal, onStep: ({ step }) => void (step === 9 && stop.abort()) });
    await first.trainer.run();
    const { tensors, position } = await throughFile(first);
    const { sums, ...rest } = position;
    const old = positionFromText(JSON.stringify({ ...rest, sums: { ...sums, metrics: { accuracy: 1.5 } } }), "test");
    const second = setUp();
    second.trainer.restore({ tensors: new Map([...tensors].filter(([name]) => !name.startsWith("tally."))), position: old });
    const whole = setUp();
    await whole.trainer.run();
    await second.trainer.run();
    const losses = ({ trainer }: typeof whole) => trainer.records.map(({ loss }) => loss);
    expect(losses(second)).toEqual(losses(whole));
    expect(second.trainer.records[2]).toEqual(whole.trainer.records[2]);
  });

  test("two interruptions, one of them across an epoch's end, change nothing either", async () => {
    const whole = setUp();
    await whole.trainer.run();
    let state: Awaited<ReturnType<typeof throughFile>> | undefined;
    for (const at of [4, 6, 13, 100]) {
      const stop = new AbortController();
      const part = setUp({ signal: stop.signal, onStep: ({ step }) => void (step === at && stop.abort()) });
      if (state) part.trainer.restore(state);
      await part.trainer.run();
      state = await throughFile(part);
      if (at === 100) expect(await everything(part)).toEqual(await everything(whole));
    }
  });

  test("taking the state changes nothing", async () => {
    const looked = setUp({ onStep: async () => void (await looked.trainer.state()) });
    await looked.trainer.run();
    const whole = setUp();
    await whole.trainer.run();
    expect(await everything(looked)).toEqual(await everything(whole));
  });

  test("another seed, batch size or data set is refused, and nothing changes", async () => {
    const saved = await throughFile(setUp());
    for (const other of [setUp({ rng: 12 }), setUp({ batchSize: 4 }), setUp({}, circle(56))]) {
      const before = await everything(other);
      expect(() => other.trainer.restore(saved)).toThrow(ArgumentError);
      expect(await everything(other)).toEqual(before);
    }
  });

  test("a checkpoint of another architecture is refused with all differences, and nothing changes", async () => {
    const { tensors, position } = await throughFile(setUp());
    const other = new Map([...tensors].filter(([name]) => name !== "model.0.bias"));
    other.set("model.9.weight", tensors.get("model.0.weight")!);
    other.set("model.3.weight", { ...tensors.get("model.3.weight")!, shape: [6, 2] });
    const setup = setUp();
    const before = await everything(setup);
    let message = "";
    try {
      setup.trainer.restore({ tensors: other, position });
    } catch (error) {
      expect(error).toBeInstanceOf(FormatError);
      message = (error as Error).message;
    }
    for (const name of ["0.bias", "9.weight", "3.weight"]) expect(message).toContain(name);
    expect(await everything(setup)).toEqual(before);
  });

  test("a damaged optimiser state leaves the model as it was", async () => {
    const trained = setUp({ epochs: 1 });
    await trained.trainer.run();
    const { tensors, position } = await throughFile(trained);
    const bad = new Map(tensors);
    bad.delete([...tensors.keys()].find((name) => name.startsWith("optimizer."))!);
    const setup = setUp();
    const before = await everything(setup);
    expect(() => setup.trainer.restore({ tensors: bad, position })).toThrow();
    expect(await everything(setup)).toEqual(before);
  });

  test("text that is no position is refused", () => {
    for (const text of [undefined, "", "{}", '{"epoch":-1}', "[]"]) expect(() => positionFromText(text, "x")).toThrow(FormatError);
  });
});

const RECIPE: Recipe = recipe({
  options: { hidden: 6, lr: 0.05 },
  epochs: 3,
  batchSize: 8,
  model: (o) => new Sequential(new Linear(2, o.hidden), tanh, new Dropout(0.2), new Linear(o.hidden, 2)),
  data: async (_, { seed }) => ({ train: circle(64, seed), test: circle(20, seed + 1) }),
  loss: crossEntropy,
  optimizer: (model, o) => adam(model.parameters(), { lr: o.lr }),
  metrics: { accuracy },
});

describe("a run's folder", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "gradus-run-"));
  });

  const settings = settingsOf(RECIPE);
  const interruptedAt = async (at: number, more: Partial<TrainSettings>): Promise<void> => {
    const stop = new AbortController();
    const { status } = await trainRecipe(settings({ ...more, signal: stop.signal }), {
      step: ({ step }) => void (step === at && stop.abort()),
    });
    expect(status).toBe("interrupted");
  };
  const read = (run: string, name: string): Promise<string> => readFile(join(folder, run, name), "utf8");

  test("it holds configuration, log, checkpoints, graph and curves", async () => {
    const outcome = await trainRecipe(settings({ out: join(folder, "a"), options: { hidden: "4" }, seed: 3 }));
    expect(outcome.status).toBe("done");
    const info = JSON.parse(await read("a", "run.json"));
    expect(info).toMatchObject({ recipe: "circle", options: { hidden: 4, lr: 0.05 }, seed: 3, epochs: 3, status: "done", gradus: "test" });
    expect(info.scores.accuracy).toBe(outcome.scores.accuracy);
    expect(info.machine.cores).toBeGreaterThan(0);
    const lines = (await read("a", "metrics.jsonl"))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.filter((line) => line.epoch)).toHaveLength(3);
    expect(lines.filter((line) => !line.epoch)).toHaveLength(24);
    expect(await read("a", "graph.dot")).toMatch(/^digraph/);
    expect(await read("a", "curves.svg")).toMatch(/^<svg[\s\S]*accuracy[\s\S]*<\/svg>\n$/);
    expect((await readdir(join(folder, "a", "checkpoints"))).filter((name) => name.endsWith(".safetensors"))).toHaveLength(3);
  });

  test("interrupted twice and resumed, its log and its last checkpoint have the same bytes as an uninterrupted run's", async () => {
    await trainRecipe(settings({ out: join(folder, "whole") }));
    await interruptedAt(5, { out: join(folder, "parts") });
    await interruptedAt(17, { resume: join(folder, "parts") });
    const { status } = await trainRecipe(settings({ resume: join(folder, "parts") }));
    expect(status).toBe("done");
    expect(await read("parts", "metrics.jsonl")).toBe(await read("whole", "metrics.jsonl"));
    const last = "checkpoints/step-000000024.safetensors";
    expect(await read("parts", last)).toBe(await read("whole", last));
    expect(await read("parts", "curves.svg")).toBe(await read("whole", "curves.svg"));
  });

  test("a run that was killed after its last checkpoint goes back to it, in the log too", async () => {
    await trainRecipe(settings({ out: join(folder, "whole") }));
    await interruptedAt(9, { out: join(folder, "killed") });
    // What a killed process leaves: lines that no checkpoint knows of, the last one torn.
    await writeFile(join(folder, "killed", "metrics.jsonl"), `${await read("killed", "metrics.jsonl")}{"step":10,"loss":99}\n{"st`);
    await trainRecipe(settings({ resume: join(folder, "killed") }));
    expect(await read("killed", "metrics.jsonl")).toBe(await read("whole", "metrics.jsonl"));
  });

  test("a finished run can be given more epochs", async () => {
    await trainRecipe(settings({ out: join(folder, "a"), epochs: 2 }));
    await trainRecipe(settings({ resume: join(folder, "a"), epochs: 3 }));
    await trainRecipe(settings({ out: join(folder, "b"), epochs: 3 }));
    expect(await read("a", "metrics.jsonl")).toBe(await read("b", "metrics.jsonl"));
  });

  test("other settings than the run's are refused when it is resumed", async () => {
    await trainRecipe(settings({ out: join(folder, "a"), epochs: 1 }));
    for (const other of [{ options: { hidden: 9 } }, { seed: 5 }, { batchSize: 9 }])
      await expect(trainRecipe(settings({ resume: join(folder, "a"), ...other }))).rejects.toThrow(/resumed run goes on as it began/);
  });

  test("a folder with something in it is never written to", async () => {
    await trainRecipe(settings({ out: join(folder, "a"), epochs: 1 }));
    const before = await read("a", "run.json");
    await expect(trainRecipe(settings({ out: join(folder, "a") }))).rejects.toThrow(/exists and is not empty[\s\S]*--resume/);
    expect(await read("a", "run.json")).toBe(before);
  });

  test("early stopping on a validation part: the best parameters are the run's", async () => {
    const outcome = await trainRecipe(
      settings({ out: join(folder, "a"), epochs: 40, validation: 0.25, patience: 2, options: { lr: 0.5 } }),
    );
    expect(outcome.status).toBe("stopped early");
    const run = await openRun(join(folder, "a"), async () => RECIPE);
    expect((await run.evaluate()).loss).toBeCloseTo(outcome.scores.loss!, 6);
  });

  test("a run that fails says the operation, the line and what the batch held, as fit does", async () => {
    const log: Loss = (o, t) => crossEntropy(o.sub(1000).log(), t);
    const failing = trainRecipe(settings({ out: join(folder, "a"), recipe: { ...RECIPE, loss: log } }));
    await expect(failing).rejects.toThrow(
      /^step 1 [^\n]* at resume\.test\.ts:\d+\n {2}why: the first such number came from log[\s\S]*checkpoint/,
    );
  });

  test("an opened run scores as the training said", async () => {
    const outcome = await trainRecipe(settings({ out: join(folder, "a") }));
    const run = await openRun(join(folder, "a"), async (name) => {
      expect(name).toBe("circle");
      return RECIPE;
    });
    expect(await run.evaluate()).toEqual(outcome.scores);
  });

  test("unknown options are refused with a suggestion, and reach no prototype", async () => {
    await expect(trainRecipe(settings({ out: join(folder, "a"), options: { hiden: 3 } }))).rejects.toThrow(
      /"hiden"[\s\S]*did you mean hidden/,
    );
    const hostile = JSON.parse('{"__proto__": {"polluted": 1}}') as Record<string, unknown>;
    await expect(trainRecipe(settings({ out: join(folder, "a"), options: hostile }))).rejects.toThrow(/__proto__/);
    await expect(trainRecipe(settings({ out: join(folder, "a"), options: { hidden: "many" } }))).rejects.toThrow(/not a number/);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
    expect(await readdir(folder)).toEqual([]);
  });

  test("a run.json that was tampered with is refused", async () => {
    await trainRecipe(settings({ out: join(folder, "a"), epochs: 1 }));
    const good = JSON.parse(await read("a", "run.json")) as Record<string, unknown>;
    const text = JSON.stringify(good);
    for (const bad of [
      "",
      "[]",
      "{",
      text.replace('"version":1', '"version":2'),
      text.replace("{", '{"extra":1,'),
      text.replace('"hidden":6', '"__proto__":{"polluted":1}'),
    ]) {
      await writeFile(join(folder, "a", "run.json"), bad);
      await expect(openRun(join(folder, "a"), async () => RECIPE)).rejects.toThrow(/run\.json|option/);
    }
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });

  test("layers of absurd sizes are refused before anything is allocated", async () => {
    const [heap, host] = [theHeap().used, process.memoryUsage().arrayBuffers];
    for (const hidden of [1e12, -3, 2.5])
      await expect(trainRecipe(settings({ out: join(folder, `a${hidden}`), options: { hidden } }))).rejects.toThrow(
        /Linear|shape|elements|size/i,
      );
    expect(theHeap().used).toBeLessThanOrEqual(heap);
    // The data set is drawn, 200 examples of two numbers.
    expect(process.memoryUsage().arrayBuffers - host).toBeLessThan(2 ** 24);
  });
});
