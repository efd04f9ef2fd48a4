import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encode } from "fast-png";
import { beforeAll, describe, expect, test } from "vitest";
import { imageOf } from "../../src/cli/image.ts";
import { readInputs } from "../../src/cli/inputs.ts";
import { FormatError } from "../../src/core/errors.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gradus-inputs-"));
});

/** A vertical stroke on paper of these channels. */
function stroke(side: number, ink: readonly number[], paper: readonly number[]): Uint8Array {
  const channels = ink.length;
  const at = (i: number): readonly number[] => (i % side >= side / 2 - 2 && i % side < side / 2 + 2 ? ink : paper);
  const data = Uint8Array.from({ length: side * side * channels }, (_, i) => at(Math.floor(i / channels))[i % channels]!);
  return encode({ width: side, height: side, channels: channels as 1 | 3 | 4, data });
}

describe("images that are not what the network was made for", () => {
  test("a colour image of another size is made to fit, and each step is said", async () => {
    const path = join(folder, "photo.png");
    await writeFile(path, stroke(32, [200, 30, 30], [250, 250, 240]));
    const { x, names, notes } = await readInputs([path], { kind: "image", side: 28 });
    expect([x.shape, names]).toEqual([[1, 784], [path]]);
    expect(notes).toEqual([`${path}: 32 × 32: colours made grey, dark on light turned over, cropped to its ink and scaled to 28 × 28`]);
  });

  test("a network that wants exact images refuses others", async () => {
    const path = join(folder, "other.png");
    await writeFile(path, stroke(32, [255], [0]));
    await expect(readInputs([path], { kind: "image", side: 28, exact: true })).rejects.toThrow(/32 × 32/);
  });

  test("grey in three channels loses nothing, and nothing is said", () => {
    const grey = imageOf(stroke(28, [255], [0]), "a.png", 28);
    const three = imageOf(stroke(28, [255, 255, 255], [0, 0, 0]), "a.png", 28);
    expect(three.notes).toEqual([]);
    three.values.forEach((value, i) => {
      expect(value).toBeCloseTo(grey.values[i]!, 6);
    });
  });

  test("transparent paper is said, and so is an image without ink", () => {
    expect(imageOf(stroke(28, [0, 0, 0, 255], [0, 0, 0, 0]), "a.png", 28).notes.join()).toMatch(
      /transparent parts made white, dark on light/,
    );
    expect(imageOf(stroke(40, [0], [0]), "a.png", 28).notes.join()).toMatch(/no ink was found: it is blank/);
  });

  test.each<[string, Uint8Array, RegExp]>([
    ["another size", stroke(32, [255], [0]), /a\.png: 32 × 32\n.*28 × 28 grey pixels/],
    ["colours", stroke(28, [200, 30, 30], [0, 0, 0]), /a\.png: 28 × 28 in colours/],
    ["transparent parts", stroke(28, [0, 0, 0, 255], [0, 0, 0, 0]), /partly transparent/],
  ])("with --exact %s is refused", (_, file, message) => {
    expect(() => imageOf(file, "a.png", 28, { exact: true })).toThrow(FormatError);
    expect(() => imageOf(file, "a.png", 28, { exact: true })).toThrow(message);
  });

  test("with --exact an image that fits is taken as it is, dark on light too", () => {
    const { values, notes } = imageOf(stroke(28, [0], [255]), "a.png", 28, { exact: true });
    expect([values[0], values[14], notes]).toEqual([1, 0, []]);
  });
});

describe("rows", () => {
  const rows = (words: string[], more: object = {}, options: object = {}): Promise<number[][]> =>
    readInputs(words, { kind: "row", columns: 2, ...more }, options).then(async ({ x }) => (await x.array()) as number[][]);

  test("are cells, CSV and JSON, one after another", async () => {
    const [csv, json] = [join(folder, "a.csv"), join(folder, "a.json")];
    await writeFile(csv, "b,a\n3,4\n5,6\n");
    await writeFile(json, "[[7, 8]]");
    expect(await rows(["1,2", csv, json, "[9, 10]"])).toEqual([
      [1, 2],
      [3, 4],
      [5, 6],
      [7, 8],
      [9, 10],
    ]);
    expect(await rows([csv], { columns: ["a", "b"] })).toEqual([
      [4, 3],
      [6, 5],
    ]);
  });

  test("a guessed first line is said, and --header, --no-header and --delimiter decide", async () => {
    const path = join(folder, "b.csv");
    await writeFile(path, "a,b\n1,2\n");
    expect((await readInputs([path], { kind: "row", columns: 2 })).notes.join()).toMatch(/first line is read as names/);
    expect((await readInputs([path], { kind: "row", columns: 2 }, { header: true })).notes).toEqual([]);
    await expect(rows([path], {}, { header: false })).rejects.toThrow(/b\.csv:1, number 1: "a" is not a number/);
    await writeFile(path, "1;2\n");
    await expect(rows([path])).rejects.toThrow(/delimiter: ";"/);
    expect(await rows([path], {}, { delimiter: ";" })).toEqual([[1, 2]]);
    expect(await rows([path], { delimiter: ";" })).toEqual([[1, 2]]);
  });

  test.each<[string, RegExp]>([
    ["1,1e39", /1,1e39, number 2: 1e39 does not fit into float32/],
    ["1,2,3,4", /4 numbers[\s\S]*takes 2/],
    ["[1, 2, 3]", /3 values/],
    ["[1, 1e39]", /number 2: 1e\+39 is not a number of float32/],
    ['[1, "0x10"]', /"0x10" is not a number/],
    ["[1, null]", /null is not a number/],
  ])("%s is refused", async (word, message) => {
    await expect(rows([word])).rejects.toThrow(message);
  });
});
