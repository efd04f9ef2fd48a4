/** The pictures that a run of a model of images leaves in its folder: what they show is looked up in the pictures themselves. */
import { mkdir, mkdtemp, readdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decode } from "fast-png";
import { beforeAll, describe, expect, test } from "vitest";
import irisRecipe from "../../recipes/iris.ts";
import { ArrayDataset, digits } from "../../src/data/index.ts";
import { Generator } from "../../src/index.ts";
import { crossEntropy, Linear, Sequential } from "../../src/nn/index.ts";
import { sgd } from "../../src/optim/index.ts";
import {
  accuracy,
  openRun,
  predict,
  type Recipe,
  recipe,
  type TrainOutcome,
  type TrainSettings,
  trainRecipe,
} from "../../src/train/index.ts";
import { settingsOf } from "./fixtures.ts";

const COUNT = 240;

/** A linear classifier on digits: as good as it gets in a second, with errors to show. */
const LINEAR = recipe({
  options: { lr: 0.05 },
  epochs: 2,
  batchSize: 16,
  input: { kind: "image", side: 28 },
  model: () => new Sequential(new Linear(784, 10)),
  data: async () => ({ train: await digits({ count: 800 }), test: await digits({ train: false, count: COUNT }) }),
  loss: crossEntropy,
  optimizer: (model, o) => sgd(model.parameters(), { lr: o.lr }),
  metrics: { accuracy },
});

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gradus-pictures-"));
});

const trained = (
  of: Recipe,
  name: string,
  more: Partial<TrainSettings> = {},
  warn: (line: string) => void = () => undefined,
): Promise<TrainOutcome> => trainRecipe({ ...settingsOf(of)(), out: join(folder, name), ...more }, { warn });
const svg = (run: string, file: string): Promise<string> => readFile(join(folder, run, file), "utf8");

/** The images inside a picture, as pixels. */
const imagesIn = (text: string) =>
  [...text.matchAll(/href="data:image\/png;base64,([^"]+)"/g)].map(([, base64]) => decode(Buffer.from(base64!, "base64")));
const textsIn = (text: string): string[] => [...text.matchAll(/<text[^>]*>([^<]*)</g)].map(([, words]) => words!);

describe("the pictures of a model of images", () => {
  let outcome: TrainOutcome;
  let taken: number[];
  let actual: number[];
  beforeAll(async () => {
    outcome = await trained(LINEAR, "linear");
    const run = await openRun(join(folder, "linear"), async () => LINEAR);
    const { output, target } = await predict(run.model, await run.test());
    [taken, actual] = [Array.from(await output.argmax(-1).data()), Array.from(await target.data())];
  });

  test("are in its folder, and named in what training answers", async () => {
    expect(outcome.pictures).toEqual(["predictions.svg", "confusion.svg", "filters.svg"]);
    expect(await readdir(join(folder, "linear"))).toEqual(
      expect.arrayContaining(["predictions.svg", "confusion.svg", "filters.svg", "curves.svg"]),
    );
    for (const name of outcome.pictures!) expect(await svg("linear", name)).toMatch(/^<svg[\s\S]*<\/svg>\n$/);
  });

  test("the confusion matrix counts every test image once, in the row of what it is and the column of what it was taken for", async () => {
    const text = await svg("linear", "confusion.svg");
    const cells = [...text.matchAll(/<rect[^>]*fill-opacity="[^"]*"[^>]*\/><text[^>]*>([^<]*)</g)].map(([, count]) =>
      count === "·" ? 0 : Number(count),
    );
    const counted = new Array<number>(100).fill(0);
    actual.forEach((label, i) => counted[10 * label + taken[i]!]!++);
    expect(cells).toEqual(counted);
    const right = actual.filter((label, i) => label === taken[i]).length;
    expect(text).toContain(`${right} of ${COUNT} right (${((100 * right) / COUNT).toFixed(2)} %)`);
    expect(right / COUNT).toBeCloseTo(outcome.scores.accuracy!, 6);
  });

  test("what was confused most stands below it", async () => {
    const pairs = new Map<string, number>();
    actual.forEach((label, i) => {
      if (label !== taken[i]) pairs.set(`${label} taken for ${taken[i]}`, (pairs.get(`${label} taken for ${taken[i]}`) ?? 0) + 1);
    });
    const most = Math.max(...pairs.values());
    const [first] = textsIn(await svg("linear", "confusion.svg")).filter((text) => text.includes("taken for"));
    expect(pairs.get(first!.split(":")[0]!)).toBe(most);
    expect(first).toMatch(new RegExp(`: ${most} times?$`));
  });

  test("the test images stand in order with what they were taken for, and errors are framed", async () => {
    const text = await svg("linear", "predictions.svg");
    const [first] = text.split("the errors it was surest of");
    const captions = textsIn(first!).filter((words) => /^\d$/.test(words));
    expect(captions).toEqual(taken.slice(0, 50).map(String));
    const wrong = [...taken.keys()].slice(0, 50).filter((i) => taken[i] !== actual[i]);
    expect(wrong.length).toBeGreaterThan(0);
    expect(textsIn(first!).filter((words) => /^is \d$/.test(words))).toEqual(wrong.map((i) => `is ${actual[i]}`));
    expect(first!.match(/stroke-width="3"/g)).toHaveLength(wrong.length);
  });

  test("the images are those of the test set, pixel by pixel", async () => {
    const [sheet] = imagesIn(await svg("linear", "predictions.svg"));
    const { x } = (await digits({ train: false, count: COUNT })).batches(3)[Symbol.iterator]().next().value!;
    const pixels = await x.data();
    // Each of the first row is drawn twice as large, in the middle of a tenth of 680.
    for (let i = 0; i < 3; i++)
      for (const [row, column] of [
        [14, 14],
        [8, 17],
        [20, 11],
      ] as const) {
        const at = sheet!.width * 2 * row + Math.floor(68 * i + 6) + 2 * column;
        expect(sheet!.data[3 * at]).toBe(Math.round(255 * pixels[784 * i + 28 * row + column]!));
      }
  });

  test("the errors it was surest of come in order", async () => {
    const [, errors] = (await svg("linear", "predictions.svg")).split("the errors it was surest of");
    const shares = textsIn(errors!)
      .flatMap((words) => /^(\d+) %$/.exec(words)?.[1] ?? [])
      .map(Number);
    expect(shares.length).toBeGreaterThan(9);
    expect(shares).toEqual(shares.toSorted((a, b) => b - a));
    expect(errors!.match(/stroke-width="3"/g)).toHaveLength(shares.length);
  });

  test("the filters are the weights: white at 0, blue below and orange above", async () => {
    const [sheet] = imagesIn(await svg("linear", "filters.svg"));
    const run = await openRun(join(folder, "linear"), async () => LINEAR);
    const weights = await run.model.parameters()[0]!.data();
    expect(sheet!.width).toBe(10 * 56 + 9 * 8);
    for (const unit of [0, 7]) {
      const own = weights.subarray(784 * unit, 784 * (unit + 1));
      const most = Math.max(...own.map(Math.abs));
      for (const pixel of [100, 400, 500]) {
        const at = 3 * (sheet!.width * 2 * Math.floor(pixel / 28) + 64 * unit + 2 * (pixel % 28));
        const share = Math.abs(own[pixel]!) / most;
        const blue = own[pixel]! < 0 ? 178 : 0;
        expect(sheet!.data[at + 2]).toBe(Math.round(255 + share * (blue - 255)));
      }
    }
  });

  test("the same run draws the same pictures, and a resumed one draws them at its end", async () => {
    await trained(LINEAR, "again");
    for (const name of outcome.pictures!) expect(await svg("again", name)).toBe(await svg("linear", name));
    const stop = new AbortController();
    const settings = { ...settingsOf(LINEAR)(), out: join(folder, "parts"), signal: stop.signal };
    const half = await trainRecipe(settings, { step: ({ step }) => void (step === 40 && stop.abort()) });
    expect([half.status, half.pictures]).toEqual(["interrupted", undefined]);
    expect(await readdir(join(folder, "parts"))).not.toContain("predictions.svg");
    const whole = await trainRecipe({ ...settingsOf(LINEAR)(), resume: join(folder, "parts") });
    expect(whole.pictures).toEqual(outcome.pictures);
    expect(await svg("parts", "predictions.svg")).toBe(await svg("linear", "predictions.svg"));
  });
});

describe("a run without pictures is whole", () => {
  test("where a picture cannot be written it is a warning, and the others are there", async () => {
    const out = join(folder, "blocked");
    const warnings: string[] = [];
    // A folder stands where a picture is to be, made once the run has begun.
    const blocking = recipe({
      ...LINEAR,
      data: async (o, where) => {
        await mkdir(join(out, "confusion.svg"));
        return LINEAR.data(o, where);
      },
    });
    const outcome = await trained(blocking, "blocked", {}, (line) => void warnings.push(line));
    expect([outcome.status, outcome.pictures]).toEqual(["done", ["predictions.svg", "filters.svg"]]);
    expect(warnings.join("\n")).toMatch(/no new confusion\.svg/);
    expect(JSON.parse(await svg("blocked", "run.json"))).toMatchObject({ status: "done", scores: outcome.scores });
  });

  test("stopped at its pictures, it is done: its scores are known and nothing is said", async () => {
    const stop = new AbortController();
    const warnings: string[] = [];
    let tested = 0;
    // The test set is passed over twice: to be scored, then to be drawn.
    const watched = recipe({
      ...LINEAR,
      data: async (o, where) => {
        const { train, test } = await LINEAR.data(o, where);
        const batches = (...given: Parameters<typeof test.batches>) => {
          if (++tested === 2) stop.abort();
          return test.batches(...given);
        };
        return { train, test: Object.assign(Object.create(test), { batches }) };
      },
    });
    const outcome = await trained(watched, "stopped", { signal: stop.signal }, (line) => void warnings.push(line));
    expect([tested, outcome.status, outcome.pictures, warnings]).toEqual([2, "done", [], []]);
    expect(outcome.scores.accuracy).toBeGreaterThan(0.5);
  });

  test("a model of rows has none, nor has one whose inputs are not the images that the recipe says", async () => {
    const rows = recipe({ ...irisRecipe, data: async () => points() });
    expect((await trained(rows as Recipe, "rows", { epochs: 1 })).pictures).toEqual([]);
    const other = recipe({ ...LINEAR, input: { kind: "image", side: 20 } });
    expect((await trained(other, "other", { epochs: 1 })).pictures).toEqual([]);
  });

  test("an untrained model is drawn too, and a test set of one", async () => {
    const one = recipe({
      ...LINEAR,
      data: async () => ({ train: await digits({ count: 40 }), test: await digits({ train: false, count: 1 }) }),
    });
    expect((await trained(one, "one", { epochs: 0 })).pictures).toEqual(["predictions.svg", "confusion.svg", "filters.svg"]);
    expect(await svg("one", "predictions.svg")).not.toMatch(/NaN|undefined|Infinity/);
    expect(await svg("one", "confusion.svg")).not.toMatch(/NaN|undefined|Infinity/);
  });
});

test("names of classes are text in a picture, whatever they are", async () => {
  const named = recipe({ ...LINEAR, classes: [..."012345678"].concat("<script>alert(1)</script>") });
  await trained(named, "named", { epochs: 1 });
  for (const name of ["predictions.svg", "confusion.svg"]) {
    expect(await svg("named", name)).not.toContain("<script");
    expect(await svg("named", name)).toContain("&#60;script&#62;");
  }
});

function points(): { train: ArrayDataset; test: ArrayDataset } {
  const all = new ArrayDataset(
    { data: Float32Array.from({ length: 160 }, (_, i) => (i * 37) % 7), shape: [4] },
    { data: Int32Array.from({ length: 40 }, (_, i) => i % 3), shape: [] },
  );
  const [train, test] = all.split(0.5, new Generator(0));
  return { train, test };
}
