import { readFileSync, writeFileSync } from "node:fs";
import { decode, encode } from "fast-png";
import { expect, test } from "vitest";
import { drawDigits, HostRandom } from "../../src/data/index.ts";

const PICTURE = new URL("../../docs/images/digits.png", import.meta.url);
const COLUMNS = 20;
const CELL = 30;

/** The first 20 training images of each class, dark on light, a row for each class. */
function contactSheet(): { width: number; height: number; data: Uint8Array } {
  const { images, labels } = drawDigits(8000, new HostRandom(0, 1));
  const [width, height] = [COLUMNS * CELL, 10 * CELL];
  const data = new Uint8Array(width * height).fill(255);
  const placed = new Array<number>(10).fill(0);
  labels.forEach((label, i) => {
    const column = placed[label]!++;
    if (column >= COLUMNS) return;
    for (let y = 0; y < 28; y++)
      for (let x = 0; x < 28; x++) data[(label * CELL + 1 + y) * width + column * CELL + 1 + x] = 255 - images[i * 784 + y * 28 + x]!;
  });
  return { width, height, data };
}

test("the picture of the digits in the docs shows what the code draws (GRADUS_UPDATE=1 draws it anew)", () => {
  const sheet = contactSheet();
  if (process.env.GRADUS_UPDATE) writeFileSync(PICTURE, encode({ ...sheet, channels: 1 }));
  const kept = decode(readFileSync(PICTURE));
  expect([kept.width, kept.height]).toEqual([sheet.width, sheet.height]);
  expect(Buffer.from(kept.data as Uint8Array).equals(Buffer.from(sheet.data))).toBe(true);
});
