/** Images in a page, as a bundler makes it: no module of Node, no sharp; what a person chooses there is a data set. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkPlanes, decodeImage, encodePng, planesOf } from "../../src/io/index.ts";
import { chunk, header, joined, png, SIGNATURE } from "../io/png-writer.ts";

const CHROMIUM = process.env.GRADUS_CHROMIUM ?? "/usr/bin/chromium";
const root = fileURLToPath(new URL("../..", import.meta.url));
const why = existsSync(CHROMIUM) ? "" : ` (skipped: there is no ${CHROMIUM}; GRADUS_CHROMIUM may name another)`;

/** Runs in the page: a batch of the files, or what was said about them. */
const CONTENTS = `
  import { imageFiles } from "./src/data/index.ts";
  globalThis.batch = async (files, options) => {
    const blobs = files.map(({ name, base64 }) => new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name));
    try {
      const data = await imageFiles(blobs, blobs.map((_, i) => i), options);
      for await (const { x } of data.batches(blobs.length)) return { shape: x.shape, values: Array.from(await x.data()) };
    } catch (error) {
      return { error: error.message };
    }
  };`;

interface Answer {
  readonly shape?: number[];
  readonly values?: number[];
  readonly error?: string;
}

describe.skipIf(why)(`Chromium${why}`, () => {
  let browser: Browser;
  let page: Page;
  let warnings: unknown[];
  beforeAll(async () => {
    const bundled = await build({
      stdin: { contents: CONTENTS, resolveDir: root, loader: "ts" },
      bundle: true,
      format: "iife",
      platform: "browser",
      write: false,
      logLevel: "silent",
    });
    warnings = bundled.warnings;
    browser = await chromium.launch({
      executablePath: CHROMIUM,
      headless: true,
      args: ["--no-sandbox", "--disable-gpu", "--no-first-run"],
    });
    page = await browser.newPage();
    await page.addScriptTag({ content: bundled.outputFiles[0]!.text });
  }, 120_000);
  afterAll(() => browser?.close());

  const batch = (files: Record<string, Uint8Array>, options: object = {}): Promise<Answer> => {
    const list = Object.entries(files).map(([name, bytes]) => ({ name, base64: Buffer.from(bytes).toString("base64") }));
    return page.evaluate(([list, options]) => (globalThis as any).batch(list, options), [list, options] as const);
  };

  test("reads PNG files to the numbers that Node reads", async () => {
    expect(warnings).toEqual([]);
    const values = Array.from({ length: 7 * 5 * 3 }, (_, i) => (i * 37) % 256);
    const files = {
      "plain.png": await encodePng({ width: 7, height: 5, channels: 3, data: Uint8Array.from(values) }),
      "interlaced.png": png({ width: 7, height: 5, depth: 8, colour: 2, interlaced: true, values, filters: [4, 3, 1] }),
      "few bits.png": png({ width: 7, height: 5, depth: 2, colour: 0, values: values.slice(0, 35).map((v) => v % 4) }),
    };
    for (const options of [{}, { size: [3, 4] as const, channels: 1 as const }]) {
      const wanted: number[] = [];
      for (const bytes of Object.values(files)) wanted.push(...planesOf(await decodeImage(bytes), checkPlanes("test", options)).data);
      const answer = await batch(files, options);
      expect(answer.shape).toEqual("size" in options ? [3, 1, 3, 4] : [3, 3, 5, 7]);
      expect(answer.values).toEqual(wanted);
    }
  });

  test("stops at a bomb, and names a file that is damaged", async () => {
    const zeros = await page.evaluate(async () => {
      const stream = new Blob([new Uint8Array(50_000_000)]).stream().pipeThrough(new CompressionStream("deflate"));
      return Array.from(new Uint8Array(await new Response(stream).arrayBuffer()));
    });
    const bomb = joined(
      SIGNATURE,
      header({ width: 3, height: 3, depth: 8, colour: 0 }),
      chunk("IDAT", Uint8Array.from(zeros)),
      chunk("IEND"),
    );
    expect((await batch({ "bomb.png": bomb })).error).toMatch(/bomb\.png: damaged PNG[\s\S]*more than its size says/);
    expect((await batch({ "mine.png": bomb.subarray(0, 40) })).error).toMatch(/mine\.png: the PNG is cut off/);
    expect((await batch({ "mine.jpg": Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 4) })).error).toMatch(/mine\.jpg: damaged JPEG/);
  });

  test("reads JPEG files by what the browser has", async () => {
    const base64 = await page.evaluate(() => {
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [16, 8];
      const context = canvas.getContext("2d")!;
      context.fillStyle = "rgb(200, 100, 50)";
      context.fillRect(0, 0, 16, 8);
      return canvas.toDataURL("image/jpeg", 1).split(",")[1]!;
    });
    const answer = await batch({ "plain.jpg": new Uint8Array(Buffer.from(base64, "base64")) });
    expect(answer.shape).toEqual([1, 3, 8, 16]);
    [200, 100, 50].forEach((value, c) => {
      expect(Math.abs(255 * answer.values![c * 128 + 70]! - value)).toBeLessThan(4);
    });
  });
});
