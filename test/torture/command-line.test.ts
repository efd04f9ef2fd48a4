/** `gradus train` with settings that cannot go well: an exit code, words on standard error, nothing half done. */
import { mkdtemp, readdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { inFolder, SOURCE_RECIPE as RECIPE } from "../cli/in-process.ts";
import type { Ended } from "../cli/start.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gradus-torture-"));
  process.env.GRADUS_DEVICE = "wasm";
});

const gradus = (...words: string[]): Promise<Ended> => inFolder(folder, ...words);

describe("torture 22, 23, 53 and 54 on the command line", () => {
  test("torture 22: gradus train --lr 1e30 ends with 1, the step, the last good checkpoint or that there is none, and a run marked as failed", async () => {
    const { code, err, out } = await gradus("train", RECIPE, "--lr", "1e30", "--out", "wild", "--json");
    expect(code).toBe(1);
    expect(err).toMatch(/step \d+ \(epoch 1, batch \d+\)[\s\S]*finite[\s\S]*checkpoint/);
    for (const line of out.trim().split("\n")) JSON.parse(line);
    expect(JSON.parse(await readFile(join(folder, "wild/run.json"), "utf8")).status).toBe("failed");
  }, 60_000);

  test("torture 22: gradus train --skip-non-finite does not call a model a success that every step failed", async () => {
    const { code, err } = await gradus("train", RECIPE, "--lr", "1e38", "--skip-non-finite", "--out", "skipped");
    expect(code).toBe(1);
    expect(err).toMatch(/left out|not finite any more/);
  }, 60_000);

  test.each<[string, string[], number, RegExp]>([
    ["torture 23: a rate that no float32 holds", ["--lr", "1e308"], 1, /lr is 1e\+308/],
    ["torture 23: a rate that is none", ["--lr", "NaN"], 2, /should be a number/],
    ["torture 53: 1e12 units", ["--hidden", "1e12"], 1, /2000000000000 elements[\s\S]*about 7450 GiB/],
    ["torture 53: negative units", ["--hidden=-1"], 1, /outFeatures is -1/],
    ["torture 53: units in words", ["--hidden", "many"], 2, /should be a number/],
    ["torture 54: an unknown flag", ["--hiden", "3"], 2, /unknown option '--hiden'[\s\S]*--hidden/],
    ["torture 54: a value that is missing", ["--epochs"], 2, /argument missing/],
  ])(
    "%s is refused with words on standard error",
    async (title, words, expected, message) => {
      const name = title.replace(/\W/g, "");
      const { code, out, err } = await gradus("train", RECIPE, "--out", name, ...words);
      expect(err).toMatch(message);
      expect(err).not.toMatch(/ at .*\.ts:\d+:\d+\)/);
      expect(out).toBe("");
      expect(code).toBe(expected);
      if (expected === 2) expect(await readdir(folder)).not.toContain(name);
    },
    60_000,
  );
});
