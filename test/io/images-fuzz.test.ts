/**
 * Mutated image files: a typed error or a picture of the size that its header says, nothing else. The mutations are those of one seed, so that a failure is found again;
 * `npm run fuzz` makes a million, `GRADUS_FUZZ_SEED=n` others.
 */
import { deflateSync } from "node:zlib";
import { expect, test } from "vitest";
import { GradusError } from "../../src/core/errors.ts";
import { decodeCifar10, HostRandom } from "../../src/data/index.ts";
import { decodeImage, filesOfTar } from "../../src/io/index.ts";
import { CHANNELS, chunk, content, crc32, header, joined, type PngSpec, png, SIGNATURE } from "./png-writer.ts";

/** Against what hangs; a million take an hour on a slow machine. */
const LONG = { timeout: 10_000_000 };

const COUNT = Number(process.env.GRADUS_FUZZ ?? 4000);
const SEED = Number(process.env.GRADUS_FUZZ_SEED ?? 1);

const random = new HostRandom(SEED, 47);
const below = (n: number): number => random.below(n);
const oneOf = <T>(list: readonly T[]): T => list[below(list.length)]!;

function spec(colour: number, depth: number, interlaced = false): PngSpec {
  const [width, height] = [1 + below(9), 1 + below(9)];
  const values = Array.from({ length: width * height * CHANNELS[colour]! }, () => below(2 ** depth));
  const palette =
    colour === 3 ? { palette: Uint8Array.from({ length: 3 * 2 ** depth }, () => below(256)), transparency: Uint8Array.of(3) } : {};
  const clear = colour === 0 ? { transparency: Uint8Array.of(0, below(2 ** Math.min(depth, 8))) } : {};
  return { width, height, depth, colour, interlaced, values, filters: [below(5), below(5)], ...palette, ...clear };
}

/** Whole files of each kind. */
function corpus(): Uint8Array[] {
  const kinds = [
    spec(0, 1),
    spec(0, 4),
    spec(0, 2, true),
    spec(3, 4, true),
    spec(0, 8, true),
    spec(0, 16),
    spec(2, 8),
    spec(2, 16, true),
    spec(3, 2),
    spec(3, 8),
    spec(4, 8),
    spec(6, 8),
    spec(6, 16),
  ];
  const parts = spec(2, 8);
  const packed = deflateSync(content(parts));
  const inParts = joined(
    SIGNATURE,
    header(parts),
    chunk("gAMA", Uint8Array.of(0, 0, 1, 2)),
    chunk("IDAT", packed.subarray(0, 5)),
    chunk("IDAT", packed.subarray(5)),
    chunk("tEXt", Uint8Array.of(65, 0, 66)),
    chunk("IEND"),
  );
  return [...kinds.map(png), inParts];
}

const EXTREMES = [0, 1, 127, 128, 254, 255];

function mutated(file: Uint8Array, other: Uint8Array): Uint8Array {
  let bytes: Uint8Array = file.slice();
  for (let times = 1 + below(4); times > 0; times--) {
    const at = below(bytes.length + 1);
    const length = below(12);
    const ways: (() => Uint8Array)[] = [
      () => bytes.map((byte, i) => (i === at ? byte ^ (1 << below(8)) : byte)),
      () => bytes.map((byte, i) => (i === at ? oneOf(EXTREMES) : byte)),
      () => bytes.map((byte, i) => (i >= at && i < at + 4 ? oneOf([0, 255]) : byte)),
      () => bytes.slice(0, at),
      () => joined(bytes.subarray(0, at), bytes.subarray(at + length)),
      () => joined(bytes.subarray(0, at), bytes.subarray(Math.max(0, at - 3 * length))),
      () =>
        joined(
          bytes.subarray(0, at),
          Uint8Array.from({ length }, () => below(256)),
          bytes.subarray(at),
        ),
      () => joined(bytes.subarray(0, at), other.subarray(below(other.length))),
    ];
    bytes = oneOf(ways)();
  }
  return bytes;
}

/** The checksums put right, so that what is behind them is reached. */
function mended(bytes: Uint8Array): Uint8Array {
  const out = bytes.slice();
  out.set(SIGNATURE.subarray(0, out.length));
  const view = new DataView(out.buffer);
  for (let at = 8; at + 12 <= out.length; ) {
    const length = view.getUint32(at);
    if (at + 12 + length > out.length) break;
    view.setUint32(at + 8 + length, crc32(out.subarray(at + 4, at + 8 + length)));
    at += 12 + length;
  }
  return out;
}

/** A picture, or a typed error that names the file. */
async function survives(bytes: Uint8Array): Promise<"picture" | "error"> {
  try {
    const { width, height, channels, data } = await decodeImage(bytes, "fuzz.bin");
    expect(data.length).toBe(width * height * channels);
    return "picture";
  } catch (error) {
    if (!(error instanceof GradusError) || !error.message.includes("fuzz.bin"))
      throw new Error(`after ${Buffer.from(bytes).toString("base64")}`, { cause: error });
    return "error";
  }
}

test("of PNG files, with checksums that are wrong and that are right", LONG, async () => {
  const files = corpus();
  for (const file of files) expect(await survives(file)).toBe("picture");
  const found = { picture: 0, error: 0 };
  for (let i = 0; i < COUNT; i++) {
    const bytes = mutated(oneOf(files), oneOf(files));
    found[await survives(below(4) === 0 ? bytes : mended(bytes))]++;
  }
  // Both are reached: otherwise the mutations would show nothing.
  expect(found.picture).toBeGreaterThan(COUNT / 100);
  expect(found.error).toBeGreaterThan(COUNT / 3);
});

const sharp = await import("sharp").then(
  (module) => module.default as any,
  () => undefined,
);

test.skipIf(!sharp)("of JPEG files", LONG, async () => {
  const raw = { raw: { width: 9, height: 7, channels: 3 } };
  const pixels = Uint8Array.from({ length: 189 }, () => below(256));
  const files: Uint8Array[] = [];
  for (const options of [{}, { progressive: true }, { chromaSubsampling: "4:4:4" }])
    files.push(new Uint8Array(await sharp(pixels, raw).jpeg(options).toBuffer()));
  const found = { picture: 0, error: 0 };
  for (let i = 0; i < COUNT / 4; i++) found[await survives(mutated(oneOf(files), oneOf(files)))]++;
  expect(found.error).toBeGreaterThan(COUNT / 40);
});

test("of archives and of CIFAR-10's records", LONG, () => {
  const block = new Uint8Array(1536);
  const put = (text: string, at: number): void => block.set(new TextEncoder().encode(text), at);
  put("a", 0);
  put("00000000010", 124);
  put("0", 156);
  put("        ", 148);
  put(
    `${block
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, "0")}\0 `,
    148,
  );
  const record = new Uint8Array(3073).fill(7);
  for (let i = 0; i < COUNT; i++)
    for (const read of [() => filesOfTar(mutated(block, record), ["a"], "x.tar"), () => decodeCifar10([["x.bin", mutated(record, block)]])])
      try {
        read();
      } catch (error) {
        expect(error).toBeInstanceOf(GradusError);
      }
});
