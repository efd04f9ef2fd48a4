/** A model of images on the command line: trained, with its pictures named, and asked for files and folders. */
import { mkdir, mkdtemp, readdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encode } from "fast-png";
import { beforeAll, describe, expect, test } from "vitest";
import { digits } from "../../src/data/index.ts";
import { inProcess } from "./in-process.ts";

let folder = "";
let run = "";
let trained: Awaited<ReturnType<typeof inProcess>>;
const events = (out: string): Record<string, unknown>[] =>
  out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gradus-images-"));
  run = join(folder, "run");
  trained = await inProcess("train", "lenet", "--epochs", "1", "--device", "wasm", "--out", run);
  const album = join(folder, "album");
  await mkdir(album);
  const { x, y } = (await digits({ train: false, count: 70 })).batches(70)[Symbol.iterator]().next().value!;
  const [pixels, labels] = [await x.data(), await y.data()];
  for (let i = 0; i < 70; i++) {
    const data = Uint8Array.from(pixels.subarray(784 * i, 784 * (i + 1)) as Float32Array, (v) => Math.round(255 * v));
    await writeFile(join(album, `${String(i).padStart(2, "0")}-${labels[i]}.png`), encode({ width: 28, height: 28, channels: 1, data }));
  }
});

describe("a model of images", () => {
  test("is trained by name, without data, and its pictures are named at the end", async () => {
    expect(trained.code).toBe(0);
    expect(trained.out).toContain("lenet: 61,706 parameters");
    expect(trained.out).toMatch(/pictures in it: curves\.svg, predictions\.svg, confusion\.svg, filters\.svg, feature-maps\.svg\n$/);
    expect((await readdir(run)).filter((name) => name.endsWith(".svg"))).toHaveLength(5);
  });

  test("predicts a folder of images, more than are held at once, each by its name, and mostly rightly", async () => {
    const { code, out, err } = await inProcess("predict", run, join(folder, "album"), "--device", "wasm", "--json");
    expect([code, err]).toEqual([0, ""]);
    const told = events(out);
    expect(told.map(({ input }) => input)).toEqual(
      (await readdir(join(folder, "album"))).sort().map((name) => join(folder, "album", name)),
    );
    const right = told.filter(({ input, class: taken }) => String(input).endsWith(`-${taken}.png`)).length;
    expect(right).toBeGreaterThan(50);
    for (const { probability } of told) expect(probability).toBeGreaterThan(0.1);
  });

  test("tells of each file that cannot be read, predicts the others, and ends with 1; of a single file it is the error", async () => {
    const bad = join(folder, "bad.png");
    await writeFile(bad, "words");
    const [good] = await readdir(join(folder, "album"));
    const { code, out, err } = await inProcess(
      "predict",
      run,
      bad,
      join(folder, "album", good!),
      join(folder, "none.png"),
      "--device",
      "wasm",
    );
    expect(code).toBe(1);
    expect(err).toMatch(/error: .*bad\.png: neither a PNG nor a JPEG image[\s\S]*none\.png/);
    expect(out.trim().split("\n")).toHaveLength(1);
    expect(out).toContain(good!);
    const alone = await inProcess("predict", run, bad);
    expect([alone.code, alone.out]).toEqual([1, ""]);
    expect(alone.err).toMatch(/^error: .*bad\.png: neither/);
    const json = events((await inProcess("predict", run, bad, join(folder, "album", good!), "--device", "wasm", "--json")).out);
    expect(json.map(({ event }) => event)).toEqual(["error", "prediction"]);
  });

  test("alexnet is explained without any image, with the paper's number of parameters", async () => {
    const { code, out } = await inProcess("explain", "alexnet", "--batch", "1", "--device", "wasm");
    expect(code).toBe(0);
    expect(out).toContain("60,965,224 trainable parameters");
    expect(out).toMatch(/\(Conv2d\) +\[1, 96, 55, 55\] +34,944 +211\.1 M +1\.162 M/);
    expect(out).toMatch(/forward +1\.458 billion/);
    for (const line of out.split("\ncontractions")[0]!.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  });
});
