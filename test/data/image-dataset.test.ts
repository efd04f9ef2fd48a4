import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ArgumentError, FormatError } from "../../src/core/errors.ts";
import {
  type BatchOptions,
  channelMoments,
  type ImageDataset,
  type ImageFolderOptions,
  type ImageTableOptions,
  imageFiles,
  imageFolder,
  imageTable,
} from "../../src/data/index.ts";
import { Generator, type Tensor } from "../../src/index.ts";
import { encodePng } from "../../src/io/index.ts";
import { crossEntropy, Flatten, init, Linear, RandomCrop, RandomHorizontalFlip, Sequential, Standardize } from "../../src/nn/index.ts";
import { sgd } from "../../src/optim/index.ts";
import { accuracy, fit as learn, predict, score, Trainer } from "../../src/train/index.ts";

const DATA = process.env.GRADUS_DATA ?? new URL("../../../shared/data", import.meta.url).pathname;
const SAMPLE = `${DATA}/cifar10-png-sample`;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gradus-images-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A grey picture of one shade; its red, green and blue are that. */
async function write(name: string, shade: number, [height, width] = [2, 3]): Promise<void> {
  const path = join(folder, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(
    path,
    await encodePng({ width: width!, height: height!, channels: 1, data: new Uint8Array(width! * height!).fill(shade) }),
  );
}

/** Two classes, twelve pictures, whose shades are their numbers. */
async function animals(): Promise<void> {
  for (let i = 0; i < 7; i++) await write(`cat/${i}.png`, i);
  for (let i = 0; i < 5; i++) await write(`dog/${i}.PNG`, 100 + i);
}

/** [label, shade] of each picture, in batches. */
async function shadesOf(data: ImageDataset, size: number, options?: BatchOptions): Promise<[number, number][][]> {
  const found: [number, number][][] = [];
  for await (const { x, y } of data.batches(size, options)) {
    const [pixels, labels] = [await x.data(), await y.data()];
    const each = pixels.length / labels.length;
    found.push(Array.from(labels, (label, i) => [label, Math.round(255 * pixels[i * each]!)] as [number, number]));
  }
  return found;
}

const open = (options: ImageFolderOptions = {}): Promise<ImageDataset> => imageFolder(folder, { ...options });

describe("a folder of images", () => {
  test("has a class for each folder, sorted, and its images in the order of their names", async () => {
    await animals();
    const data = await open();
    expect(data.classes).toEqual(["cat", "dog"]);
    expect([data.size, ...data.shape]).toEqual([12, 3, 2, 3]);
    expect((await shadesOf(data, 5)).flat()).toEqual([
      ...[0, 1, 2, 3, 4, 5, 6].map((i) => [0, i]),
      ...[0, 1, 2, 3, 4].map((i) => [1, 100 + i]),
    ]);
    expect(inspect({ data })).toBe("{ data: ImageDataset(12 images [3, 2, 3], 2 classes) }");
  });

  test("gives batches as every data set does: shuffled by a generator, from a place on, the last one kept or dropped", async () => {
    await animals();
    const data = await open({ ahead: 1 });
    const shuffled = await shadesOf(data, 5, { rng: new Generator(3) });
    expect(shuffled.map((batch) => batch.length)).toEqual([5, 5, 2]);
    expect(shuffled.flat().toSorted((a, b) => a[1] - b[1])).toEqual((await shadesOf(data, 12)).flat());
    expect(await shadesOf(data, 5, { rng: new Generator(3), from: 1 })).toEqual(shuffled.slice(1));
    expect(await shadesOf(data, 5, { rng: new Generator(3), last: "drop" })).toEqual(shuffled.slice(0, 2));
    expect(() => data.batches(0)).toThrow(ArgumentError);
    expect(() => data.batches(13, { last: "drop" })).toThrow(/only 12/);
    const rng = new Generator(3);
    const batches = data.batches(5, { rng });
    for (const _ of [1, 2]) for await (const { x } of batches) expect(x.shape[1]).toBe(3);
    expect(rng.state.calls).toBe(2);
  });

  test("has disjoint parts, and the first few", async () => {
    await animals();
    const data = await open();
    const [most, rest] = data.split(0.75, new Generator(1));
    expect([most.size, rest.size, data.take(2).size]).toEqual([9, 3, 2]);
    const all = [...(await shadesOf(most, 4)), ...(await shadesOf(rest, 4))].flat().map(([, shade]) => shade);
    expect(all.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 100, 101, 102, 103, 104]);
    expect(most.classes).toEqual(data.classes);
  });

  test("reads no more than the batches ahead, and nothing before a batch is asked for", async () => {
    await animals();
    for (const i of [3, 4, 5, 6]) await writeFile(join(folder, `cat/${i}.png`), "no image");
    const data = await open({ ahead: 1 });
    let count = 0;
    // The third batch is damaged; the first one ends the pass before it is asked for.
    for await (const { x } of data.batches(1)) {
      expect(x.shape).toEqual([1, 3, 2, 3]);
      if (++count === 2) break;
    }
    const seen: number[] = [];
    const pass = async (): Promise<void> => {
      for await (const { y } of data.batches(2)) seen.push(...(await y.data()));
    };
    await expect(pass()).rejects.toThrow(/cat\/3\.png: neither a PNG nor a JPEG/);
    expect(seen).toEqual([0, 0]);
  });

  test("holds no more images than the batch in use and those ahead", async () => {
    const bytes = (await encodePng({ width: 1, height: 1, channels: 1, data: Uint8Array.of(5) })) as Uint8Array<ArrayBuffer>;
    let read = 0;
    class Counted extends Blob {
      override arrayBuffer(): Promise<ArrayBuffer> {
        read++;
        return super.arrayBuffer();
      }
    }
    const files = Array.from({ length: 40 }, () => new Counted([bytes]));
    for (const ahead of [0, 1, 3]) {
      const data = await imageFiles(files, new Array(40).fill(0), { ahead, workers: 1 });
      read = 0;
      let used = 0;
      for await (const { x } of data.batches(4)) {
        used += x.shape[0];
        // Time enough for more to be read, if anything were waiting to be.
        await new Promise((later) => setTimeout(later, 20));
        expect(read).toBeLessThanOrEqual(Math.min(40, used + 4 * ahead));
      }
      expect([used, read]).toEqual([40, 40]);
    }
  });

  test("scales to a size, and makes grey", async () => {
    await animals();
    await write("cat/large.png", 50, [20, 30]);
    await expect(shadesOf(await open(), 13)).rejects.toThrow(
      /large\.png: 20 × 30 pixels[\s\S]*the first image has 2 × 3[\s\S]*size: \[2, 3\]/,
    );
    const data = await open({ size: [4, 5], channels: 1 });
    expect(data.shape).toEqual([1, 4, 5]);
    expect((await shadesOf(data, 13)).flat()).toContainEqual([0, 50]);
  });

  test("is told by what the files hold, not by their endings", async () => {
    await write("cat/really.png", 3);
    await rename(join(folder, "cat/really.png"), join(folder, "cat/called.jpg"));
    expect(await shadesOf(await open(), 1)).toEqual([[[0, 3]]]);
  });

  test("with the classes of another set counts as that one does, and may lack some", async () => {
    await write("dog/a.png", 7);
    const data = await open({ classes: ["ant", "cat", "dog"] });
    expect(data.classes).toEqual(["ant", "cat", "dog"]);
    expect(await shadesOf(data, 1)).toEqual([[[2, 7]]]);
    await expect(open({ classes: ["cat"] })).rejects.toThrow(/dog: no such class/);
    await expect(open({ classes: ["dog", "dog"] })).rejects.toThrow(/given twice/);
  });

  test("passes over hidden names, and files that are no images, and says so", async () => {
    await animals();
    for (const name of [".DS_Store", ".hidden/x.png", "notes.txt", "cat/.thumb.png", "cat/labels.csv"]) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), "x");
    }
    let ignored: readonly string[] = [];
    const data = await open({
      onIgnored: (paths) => {
        ignored = paths;
      },
    });
    expect(data.size).toBe(12);
    expect(ignored).toEqual([join(folder, "notes.txt"), join(folder, "cat/labels.csv")]);
  });

  test.each<[string, () => Promise<unknown>, RegExp]>([
    ["a class without an image", () => mkdir(join(folder, "cow")), /class cow has no image/],
    ["a folder in a class", () => write("cat/more/1.png", 1), /cat\/more: a folder in the folder of a class/],
    ["an image beside the classes", () => write("stray.png", 1), /stray\.png: an image beside the folders/],
    ["an image in a format that is not read", () => writeFile(join(folder, "cat/x.webp"), "x"), /x\.webp: only PNG and JPEG/],
    ["a link to a file", () => symlink(join(folder, "cat/1.png"), join(folder, "cat/link.png")), /link\.png is a link/],
    ["a link to a folder", () => symlink(join(folder, "cat"), join(folder, "linked")), /linked is a link/],
    ["a link that leads nowhere", () => symlink("nowhere", join(folder, "cat/link.png")), /link\.png is a link/],
    [
      "a name that is not UTF-8",
      () => writeFile(Buffer.concat([Buffer.from(`${folder}/cat/`), Buffer.from([0xff, 0xfe]), Buffer.from(".png")]), "x"),
      /is not UTF-8/,
    ],
  ])("%s is refused", async (_, add, message) => {
    await animals();
    await add();
    await expect(open()).rejects.toThrow(FormatError);
    await expect(open()).rejects.toThrow(message);
  });

  test("links are followed where that is asked for", async () => {
    await animals();
    await symlink(join(folder, "cat/1.png"), join(folder, "cat/link.png"));
    await symlink(join(folder, "dog"), join(folder, "wolf"));
    const data = await open({ links: "follow" });
    expect([data.size, ...data.classes]).toEqual([18, "cat", "dog", "wolf"]);
    expect((await shadesOf(data, 18)).flat()).toContainEqual([2, 104]);
    await symlink("nowhere", join(folder, "cat/lost.png"));
    await expect(open({ links: "follow" })).rejects.toThrow(/cannot follow the link/);
  });

  test("that is not there, is a file, or is empty, is refused", async () => {
    await expect(imageFolder(join(folder, "none"))).rejects.toThrow(/cannot read the folder/);
    await writeFile(join(folder, "file"), "x");
    await expect(imageFolder(join(folder, "file"))).rejects.toThrow(/cannot read the folder/);
    await rm(join(folder, "file"));
    await expect(open()).rejects.toThrow(/no folder in it/);
    await mkdir(join(folder, "cat"));
    await expect(open({ classes: ["cat"] })).rejects.toThrow(/there are no images/);
  });

  test("a picture that becomes a pipe, a link or nothing after the folder was looked at is an error", async () => {
    await animals();
    const data = await open();
    await rm(join(folder, "cat/2.png"));
    await expect(shadesOf(data, 12)).rejects.toThrow(/cat\/2\.png: there is no such file/);
    await symlink("1.png", join(folder, "cat/2.png"));
    await expect(shadesOf(data, 12)).rejects.toThrow(/it is a link/);
  });

  test.each<[ImageFolderOptions, RegExp]>([
    [{ ahead: -1 }, /ahead is -1/],
    [{ workers: 0 }, /workers is 0/],
    [{ links: "yes" as never }, /links is "yes"/],
    [{ sizes: 3 } as never, /did you mean size/],
    [{ channels: 4 as never }, /4 channels/],
  ])("the options %j are refused", async (options, message) => {
    await animals();
    await expect(open(options)).rejects.toThrow(message);
  });
});

describe("a list of images", () => {
  test("may be of files, and of bytes as a page has them", async () => {
    await write("a.png", 9);
    const bytes = await encodePng({ width: 3, height: 2, channels: 1, data: new Uint8Array(6).fill(200) });
    const data = await imageFiles([join(folder, "a.png"), new Blob([bytes as Uint8Array<ArrayBuffer>])], [1, 0]);
    expect(await shadesOf(data, 2)).toEqual([
      [
        [1, 9],
        [0, 200],
      ],
    ]);
    const broken = await imageFiles([join(folder, "a.png"), new File(["x"], "mine.png")], [1, 0]);
    await expect(shadesOf(broken, 2)).rejects.toThrow(/mine\.png: neither/);
  });

  test.each<[string, number[], object, RegExp]>([
    ["too few labels", [0], {}, /2 files and 1 labels/],
    ["a label that is none", [0, 0.5], {}, /label 0.5 of/],
    ["a label beyond the classes", [0, 2], { classes: ["a", "b"] }, /label 2 of[\s\S]*2 classes/],
  ])("with %s is refused", async (_, labels, options, message) => {
    await write("a.png", 9);
    await expect(imageFiles([join(folder, "a.png"), join(folder, "a.png")], labels, options)).rejects.toThrow(message);
  });

  test("of no files is refused", async () => {
    await expect(imageFiles([], [])).rejects.toThrow(/no files/);
  });
});

describe("a table of images", () => {
  const table = async (text: string, options: ImageTableOptions = {}): Promise<ImageDataset> => {
    await writeFile(join(folder, "labels.csv"), text);
    return imageTable(folder, join(folder, "labels.csv"), options);
  };
  beforeEach(async () => {
    for (let i = 1; i <= 3; i++) await write(`${i}.png`, 10 * i);
  });

  test("names files and classes, with or without names of columns and endings", async () => {
    const data = await table("2.png,frog\n1.png,cat\n3.png,frog\n");
    expect(data.classes).toEqual(["cat", "frog"]);
    expect(await shadesOf(data, 3)).toEqual([[[1, 20], [0, 10], [1, 30]]]); // biome-ignore format: pairs
    const named = await table("label,id\nfrog,2\ncat,1\n", { file: "id", label: "label", ending: ".png", classes: ["frog", "cat", "dog"] });
    expect(await shadesOf(named, 3)).toEqual([[[0, 20], [1, 10]]]); // biome-ignore format: pairs
  });

  test.each<[string, string, ImageTableOptions, RegExp]>([
    ["a row without a class", "1.png,\n", {}, /line 1: there is no class/],
    ["one column", "1.png\n", {}, /line 1: there is no class/],
    ["a name that leads out of the folder", "1.png,a\n../../etc/passwd,a\n", {}, /line 2: "\.\.\/\.\.\/etc\/passwd" leads out/],
    ["an absolute name", "/etc/passwd,a\n", {}, /leads out/],
    ["a class that is not given", "1.png,a\n2.png,b\n", { classes: ["a"] }, /line 2: no such class: "b"/],
    ["a column that is missing", "id,label\n1,a\n", { file: "name", label: "label" }, /no column "name"[\s\S]*id, label/],
    ["half of the columns", "id,label\n1,a\n", { file: "id" }, /name both columns/],
    ["a file that is missing", "9.png,a\n", {}, /9\.png: there is no such file/],
    ["no rows", "", {}, /no files/],
  ])("with %s is refused", async (_, text, options, message) => {
    await expect(table(text, options)).rejects.toThrow(message);
  });

  test.skipIf(!existsSync(SAMPLE))("reads real ones", async () => {
    const data = await imageTable(`${SAMPLE}/train`, `${SAMPLE}/trainLabels.csv`);
    expect([data.size, data.classes.length, ...data.shape]).toEqual([200, 10, 3, 32, 32]);
    const { mean, std } = await channelMoments(data);
    // CIFAR-10's are 0.491, 0.482, 0.447 and 0.247, 0.243, 0.262.
    [0.491, 0.482, 0.447].forEach((value, c) => {
      expect(Math.abs(mean[c]! - value)).toBeLessThan(0.04);
    });
    for (const value of std) expect(value).toBeCloseTo(0.25, 1);
  });
});

describe("training on images", () => {
  const network = (): Sequential =>
    init(
      new Sequential(
        new Standardize(3, { axis: 1 }),
        new RandomCrop([2, 3], { padding: 1 }),
        new RandomHorizontalFlip(),
        new Flatten(),
        new Linear(18, 2),
      ),
      0,
    );
  const settings = (model: Sequential, epochs: number) => ({
    loss: crossEntropy,
    optimizer: sgd(model.parameters(), { lr: 0.5 }),
    rng: new Generator(7),
    epochs,
    batchSize: 5,
  });
  const weights = (model: Sequential): Promise<number[][]> =>
    Promise.all(model.parameters().map(async (p: Tensor) => Array.from(await p.data())));

  test("fits, scores and predicts as on every data set", async () => {
    await animals();
    const data = await open();
    const model = network();
    const records = await learn(model, data, { ...settings(model, 60), metrics: { accuracy }, validation: data });
    expect(records.at(-1)!.validation!.accuracy).toBe(1);
    expect((await score(model, data, { loss: crossEntropy, metrics: { accuracy } })).accuracy).toBe(1);
    const { output, target } = await predict(model, data, { batchSize: 5 });
    expect(await output.argmax(-1).array()).toEqual(await target.array());
  });

  test("stopped in the middle of an epoch goes on to the bit", async () => {
    await animals();
    const data = await open({ ahead: 3 });
    const whole = network();
    await new Trainer(whole, data, settings(whole, 3)).run();
    const first = network();
    const stop = new AbortController();
    const stopped = new Trainer(first, data, {
      ...settings(first, 3),
      signal: stop.signal,
      onStep: ({ step }) => {
        if (step === 3) stop.abort();
      },
    });
    await stopped.run();
    const second = network();
    const resumed = new Trainer(second, await open({ ahead: 0 }), settings(second, 3));
    resumed.restore(await stopped.state());
    await resumed.run();
    expect(await weights(second)).toEqual(await weights(whole));
  });

  test("an image that cannot be read ends training with its name", async () => {
    await animals();
    const data = await open();
    await writeFile(join(folder, "dog/3.PNG"), "x");
    const model = network();
    await expect(learn(model, data, settings(model, 1))).rejects.toThrow(/dog\/3\.PNG: neither a PNG nor a JPEG/);
  });
});
