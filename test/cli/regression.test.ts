import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Generator } from "gradus";
import { tableFrom } from "gradus/data";
import { openRun } from "gradus/train";
import { beforeAll, describe, expect, test } from "vitest";
import type { Regressor } from "../../recipes/tabular.ts";
import { builtIn } from "../../src/cli/recipes.ts";
import { inProcess as gradus } from "./in-process.ts";
import { type Ended, gradus as spawned } from "./start.ts";

const events = ({ out }: Ended): any[] =>
  out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

/** Prices of flats: 2,000 € a square metre, 15,000 a room, a tenth more in the old town. */
const price = (sqm: number, rooms: number, town: string): number => (2000 * sqm + 15_000 * rooms) * (town === "old" ? 1.1 : 1);
const rows = Array.from({ length: 300 }, (_, i) => {
  const [sqm, rooms, town] = [30 + ((37 * i) % 120), 1 + (i % 5), i % 3 === 0 ? "old" : "new"];
  return `${i};${sqm};${rooms};${town};${price(sqm, rooms, town)}`;
});
const csv = ["id;sqm;rooms;town;price", ...rows].join("\n");

let file = "";
let run = "";
let trained: Ended;
beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), "gradus-regression-"));
  [file, run] = [join(folder, "flats.csv"), join(folder, "run")];
  await writeFile(file, csv);
  const words = ["--csv", file, "--delimiter", ";", "--ignore", "id", "--categorical", "town", "--unit", "€", "--lr", "0.01"];
  // As a process, whose run others then use.
  trained = await spawned(tmpdir(), "train", "regression", ...words, "--epochs", "40", "--validation", "0.2", "--out", run);
}, 60_000);

describe("a regression from a CSV file of one's own", () => {
  test("says what it reads, learns, and ends with scores of numbers", async () => {
    expect(trained.err).toBe("");
    expect(trained.code).toBe(0);
    expect(trained.out).toMatch(/300 rows; price from sqm, rooms, town/);
    expect(trained.out).toMatch(/the first line is read as names/);
    expect(JSON.parse(await readFile(join(run, "run.json"), "utf8")).scores.rSquared).toBeGreaterThan(0.99);
  });

  test("evaluate says how far off the numbers are, in their unit", async () => {
    const { out, code } = await gradus("evaluate", run);
    expect(code).toBe(0);
    expect(out).toMatch(/price: off by [\d.]+ € on average, root mean square [\d.]+ €, R² 0\.99\d/);
    const [scores] = events(await gradus("evaluate", run, "--json"));
    expect(scores.values.price).toMatchObject({ unit: "€", rSquared: expect.closeTo(scores.rSquared, 4) });
    expect(scores.values.price.meanAbsoluteError).toBeCloseTo(scores.meanAbsoluteError, 0);
  });

  test("predict takes cells, rows of the file, named columns in any order, and JSON, and answers the same number", async () => {
    const folder = join(file, "..");
    await writeFile(join(folder, "named.csv"), "town;rooms;sqm\nold;3;72\n");
    await writeFile(join(folder, "whole.csv"), "7;72;3;old;0\n");
    await writeFile(join(folder, "rows.json"), '[{"sqm": 72, "rooms": 3, "town": "old"}, [72, 3, "old"]]');
    const words = ["72,3,old", join(folder, "named.csv"), join(folder, "whole.csv"), join(folder, "rows.json")];
    const found = events(await gradus("predict", run, ...words, '{"sqm": 72, "rooms": 3, "town": "old"}', "--json"));
    expect(found).toHaveLength(6);
    for (const { values, units } of found) expect([values, units]).toEqual([found[0].values, { price: "€" }]);
    expect(Math.abs(found[0].values.price / price(72, 3, "old") - 1)).toBeLessThan(0.05);
    expect((await gradus("predict", run, "72,3,old")).out).toMatch(/^72,3,old {2}price \d{6}(\.\d+)? €\n$/);
  });

  test("--test shows what it should have been", async () => {
    const { out } = await gradus("predict", run, "--test", "2");
    expect(out).toMatch(/^test 0, truly price \d+(\.\d)? € +price \d+/);
    expect(events(await gradus("predict", run, "--test", "1", "--json"))[0].truth.price).toBeGreaterThan(0);
  });

  test("mean and deviation are those of the examples that were trained on, without validation and test", async () => {
    const opened = await openRun(run, builtIn);
    const options = { target: "price", task: "regression", delimiter: ";", ignore: ["id"], categorical: ["town"] } as const;
    const { data } = tableFrom(csv, "flats.csv", options);
    const [rest, test] = data.split(0.8, new Generator(0).fork("test"));
    const [train] = rest.split(0.8, new Generator(0).fork("validation"));
    const model = opened.model as Regressor;
    const kept = Array.from(await model.inputs.mean.data());
    train.moments("x").mean.forEach((mean, i) => {
      expect(kept[i]).toBeCloseTo(mean, 4);
    });
    expect(kept[0]).not.toBeCloseTo(data.moments("x").mean[0]!, 4);
    expect((await opened.test()).size).toBe(test.size);
  });

  test.each<[string, string, RegExp]>([
    ["a number beyond float32", "1e39,3,old", /1e39,3,old, sqm: 1e39 does not fit into float32/],
    ["a word for a number", "many,3,old", /sqm: "many" is not a number/],
    ["an unknown word", "72,3,Old", /town: "Old"[\s\S]*new, old/],
    ["a cell too few", "72,3", /2 numbers[\s\S]*takes 3: sqm, rooms, town/],
    ["JSON without a column", '{"sqm": 72, "rooms": 3}', /town is missing/],
    ["JSON with a column too many", '{"sqm": 72, "rooms": 3, "town": "old", "room": 4}', /no input "room"[\s\S]*rooms/],
    ["JSON beyond float32", '{"sqm": 1e39, "rooms": 3, "town": "old"}', /sqm: 1e\+39 is not a number of float32/],
    ["damaged JSON", '{"sqm": 72', /not valid JSON/],
    ["a file that is not there", "none.csv", /none\.csv/],
  ])("%s is refused with its place", async (_, word, message) => {
    const { code, out, err } = await gradus("predict", run, word);
    expect(err).toMatch(message);
    expect([code, out]).toEqual([1, ""]);
  });

  test("a file that changed is not tested on: its test part would hold rows that were trained on", async () => {
    await writeFile(file, `${csv}\n300;50;2;old;143000\n`);
    const { code, err } = await gradus("evaluate", run);
    await writeFile(file, csv);
    expect([code, err]).toEqual([1, expect.stringMatching(/is not the file the run began with/)]);
  });

  test("what the run keeps of the file is no flag, and a file has to be named", async () => {
    expect((await gradus("train", "regression", "--schema", "x")).err).toMatch(/unknown option '--schema'/);
    expect((await gradus("train", "regression", "--out", `${run}-none`)).err).toMatch(/which file\? say --csv FILE/);
  });

  test("a training step on a file is explained as one on a run of it is", async () => {
    const words = ["--csv", file, "--delimiter", ";", "--ignore", "id", "--categorical", "town"];
    const { out, err } = await gradus("explain", "regression", ...words);
    expect(err).toBe("");
    expect(out).toMatch(/one training step on a batch of 32, \[32, 4\]/);
    expect(out).toBe((await gradus("explain", run)).out);
    expect((await gradus("explain", "regression")).err).toMatch(/which file\? say --csv FILE/);
  });

  test("what is asked about the file is asked in the words of the command line", async () => {
    const ask = async (...words: string[]): Promise<string> =>
      (await gradus("train", "regression", "--csv", file, "--out", `${run}-none`, ...words)).err;
    expect(await ask()).toMatch(/help: --delimiter ";" reads it so, --delimiter "," as it is/);
    expect(await ask("--delimiter", ";")).toMatch(/help: --categorical "town" makes an input of each word, --ignore "town" leaves/);
    const doubtful = join(file, "..", "doubtful.csv");
    await writeFile(doubtful, "0,1,2\n3.5,1,2\n1.5,3,4\n");
    expect(await ask("--csv", doubtful)).toMatch(/help: --header yes if it holds names, --header no if it is data/);
  });
});

test("several numbers are predicted together, each with its name and unit", async () => {
  const path = join(file, "..", "two.csv");
  await writeFile(
    path,
    ["a,b,sum,product", ...Array.from({ length: 200 }, (_, i) => `${i % 20},${i % 7},${(i % 20) + (i % 7)},${(i % 20) * (i % 7)}`)].join(
      "\n",
    ),
  );
  const out = `${run}-two`;
  await gradus(
    "train",
    "regression",
    "--csv",
    path,
    "--target",
    "sum,product",
    "--unit",
    "kg,m",
    "--epochs",
    "30",
    "--lr",
    "0.01",
    "--out",
    out,
  );
  const [found] = events(await gradus("predict", out, "10,5", "--json"));
  expect(found.units).toEqual({ sum: "kg", product: "m" });
  expect(Math.abs(found.values.sum - 15)).toBeLessThan(1);
  expect(Math.abs(found.values.product - 50)).toBeLessThan(8);
  expect((await gradus("evaluate", out)).out).toMatch(/sum: off by [\d.]+ kg on[\s\S]*product: off by [\d.]+ m on/);
}, 60_000);

test("search adapts each trial to its own training part, and the best run can be used", async () => {
  const out = `${run}-search`;
  const words = ["--csv", file, "--delimiter", ";", "--ignore", "id", "--categorical", "town", "--epochs", "5"];
  const { code, err } = await gradus("search", "regression", ...words, "--try", "lr=0.001,0.02", "--out", out);
  expect([code, err]).toEqual([0, ""]);
  const [found] = events(await gradus("predict", `${out}/best`, "72,3,old", "--json"));
  expect(found.values.price).toBeGreaterThan(100_000);
}, 60_000);

test("a class from a CSV file has its name and probabilities", async () => {
  const path = join(file, "..", "towns.csv");
  await writeFile(
    path,
    ["sqm,price,town", ...rows.map((row) => row.split(";")).map(([, sqm, , town, cost]) => `${sqm},${cost},${town}`)].join("\n"),
  );
  const out = `${run}-towns`;
  await gradus("train", "classification", "--csv", path, "--epochs", "5", "--out", out);
  const [found] = events(await gradus("predict", out, "72,190000", "--json"));
  expect(Object.keys(found.probabilities)).toEqual(["new", "old"]);
  expect(found.probabilities.new + found.probabilities.old).toBeCloseTo(1, 5);
}, 60_000);
