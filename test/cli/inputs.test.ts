import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encode } from "fast-png";
import { beforeAll, describe, expect, test } from "vitest";
import { readImages } from "../../src/cli/images.ts";
import { readInputs } from "../../src/cli/inputs.ts";
import { FormatError } from "../../src/core/errors.ts";
import { imageOf } from "./image-of.ts";

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

describe("colour images", () => {
  const COLOURS = { kind: "image", side: 8, channels: 3 } as const;
  /** Red on the left half, blue on the right. */
  const halves = (width: number, height: number): Uint8Array =>
    encode({
      width,
      height,
      channels: 3,
      data: Uint8Array.from({ length: 3 * width * height }, (_, i) =>
        Math.floor(i / 3) % width < width / 2 === (i % 3 === 0) && i % 3 !== 1 ? 255 : 0,
      ),
    });

  test("keep their colours, red, green and blue in planes, and are scaled and cut around their middle; what was done is said", async () => {
    const [exact, wide] = [join(folder, "exact.png"), join(folder, "wide.png")];
    await writeFile(exact, halves(8, 8));
    await writeFile(wide, halves(40, 16));
    const { x, notes } = await readInputs([exact, wide], COLOURS);
    expect(x.shape).toEqual([2, 3, 8, 8]);
    expect(notes).toEqual([`${wide}: 40 × 16: scaled and cut around its middle to 8 × 8`]);
    const [fits, cut] = (await x.array()) as number[][][][];
    for (const [red, green, blue] of [fits!, cut!]) {
      expect([red![0]![0], red![7]![7], green![3]![3], blue![0]![0], blue![7]![7]]).toEqual([1, 0, 0, 0, 1]);
    }
  });

  test("become grey for a network of one channel, and that is said; one that wants exact images refuses them", async () => {
    const path = join(folder, "grey.png");
    await writeFile(path, halves(8, 8));
    const { x, notes } = await readInputs([path], { kind: "image", side: 8, channels: 1 });
    expect([x.shape, notes]).toEqual([[1, 1, 8, 8], [`${path}: 8 × 8: colours made grey`]]);
    expect((await x.data())[0]).toBeCloseTo(0.299, 3);
    await expect(readInputs([path], { kind: "image", side: 8, channels: 1, exact: true })).rejects.toThrow(/8 × 8 in colours/);
    await expect(readInputs([path], { ...COLOURS, side: 9, exact: true })).rejects.toThrow(/takes only them \(--exact\)/);
  });
});

describe("folders of images", () => {
  test("are all images in them, by name; other files are passed over, and an empty one is an error", async () => {
    const album = await mkdtemp(join(folder, "album-"));
    await mkdir(join(album, "inner"));
    for (const name of ["b.png", "a.PNG", "inner/c.png", ".hidden.png"]) await writeFile(join(album, name), stroke(28, [255], [0]));
    await writeFile(join(album, "notes.txt"), "no image");
    const { names, x } = await readInputs([`${album}/`], { kind: "image", side: 28 });
    expect(names).toEqual(["a.PNG", "b.png", "inner/c.png"].map((name) => `${album}/${name}`));
    expect(x.shape).toEqual([3, 784]);
    const empty = await mkdtemp(join(folder, "empty-"));
    await expect(readInputs([empty], { kind: "image", side: 28 })).rejects.toThrow(/there are no images in it/);
  });

  test("of several files each that cannot be read is told by its name", async () => {
    const [good, bad] = [join(folder, "good.png"), join(folder, "bad.png")];
    await writeFile(good, stroke(28, [255], [0]));
    await writeFile(bad, "words");
    const { names, failures, x } = await readImages([bad, good, join(folder, "none.png")], { kind: "image", side: 28 });
    expect([names, x.shape]).toEqual([[good], [1, 784]]);
    expect(failures.map(({ name, error }) => [name, error.message.includes(name)])).toEqual([
      [bad, true],
      [join(folder, "none.png"), true],
    ]);
    expect(failures[0]!.error).toBeInstanceOf(FormatError);
    await expect(readInputs([good, bad], { kind: "image", side: 28 })).rejects.toThrow(/bad\.png: neither a PNG nor a JPEG/);
  });
});
