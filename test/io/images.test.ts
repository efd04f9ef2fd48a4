import { readFileSync } from "node:fs";
import { deflateSync } from "node:zlib";
import fc from "fast-check";
import { decode } from "fast-png";
import { describe, expect, test } from "vitest";
import { FormatError, GradusError } from "../../src/core/errors.ts";
import {
  checkPlanes,
  decodeImage,
  decodeJpeg,
  decodePng,
  decodePngNow,
  encodePng,
  type Picture,
  type Planes,
  planesOf,
} from "../../src/io/index.ts";
import { CHANNELS, chunk, content, header, joined, type PngSpec, png, SIGNATURE } from "./png-writer.ts";

/** Colour types with the depths they may have. */
const KINDS = [
  [0, 1],
  [0, 2],
  [0, 4],
  [0, 8],
  [0, 16],
  [2, 8],
  [2, 16],
  [3, 1],
  [3, 2],
  [3, 4],
  [3, 8],
  [4, 8],
  [4, 16],
  [6, 8],
  [6, 16],
] as const;

const anyPng = (): fc.Arbitrary<PngSpec> =>
  fc
    .record({
      kind: fc.constantFrom(...KINDS),
      width: fc.integer({ min: 1, max: 19 }),
      height: fc.integer({ min: 1, max: 11 }),
      interlaced: fc.boolean(),
      filters: fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 5 }),
      seed: fc.nat(),
    })
    .map(({ kind: [colour, depth], seed, ...rest }) => {
      let state = seed;
      const next = (below: number): number => {
        state = (Math.imul(state, 1103515245) + 12345) >>> 0;
        return (state >>> 8) % below;
      };
      const values = Array.from({ length: rest.width * rest.height * CHANNELS[colour]! }, () => next(2 ** depth));
      const palette = colour === 3 ? { palette: Uint8Array.from({ length: 3 * 2 ** depth }, () => next(256)) } : {};
      return { ...rest, colour, depth, values, ...palette };
    });

/** What a picture of such a PNG holds. */
function wanted({ colour, depth, values, palette }: PngSpec): number[] {
  if (palette) return Array.from(values).flatMap((index) => [...palette.subarray(3 * index, 3 * index + 3)]);
  return Array.from(values, (value) => (depth < 8 ? (value * 255) / (2 ** depth - 1) : value)).slice(
    0,
    (values.length / CHANNELS[colour]!) * CHANNELS[colour]!,
  );
}

describe("PNG", () => {
  test("of every colour type, depth and filter, interlaced too, has its pixels", async () => {
    await fc.assert(
      fc.asyncProperty(anyPng(), async (spec) => {
        const bytes = png(spec);
        const picture = await decodePng(bytes, "a.png");
        expect([picture.width, picture.height]).toEqual([spec.width, spec.height]);
        expect(picture.channels).toBe(spec.palette ? 3 : CHANNELS[spec.colour]);
        expect(picture.data).toBeInstanceOf(spec.depth === 16 ? Uint16Array : Uint8Array);
        expect(Array.from(picture.data)).toEqual(wanted(spec));
        expect(decodePngNow(decode, bytes, "a.png")).toEqual(picture);
      }),
      { numRuns: 300 },
    );
  });

  test("whose colour or palette is transparent gets an alpha", async () => {
    const grey = png({ width: 3, height: 1, depth: 2, colour: 0, values: [0, 2, 3], transparency: Uint8Array.of(0, 2) });
    expect(await decodePng(grey)).toEqual({ width: 3, height: 1, channels: 2, data: Uint8Array.of(0, 255, 170, 0, 255, 255) });
    const rgb = png({ width: 1, height: 1, depth: 16, colour: 2, values: [1, 2, 3], transparency: Uint8Array.of(0, 1, 0, 2, 0, 3) });
    expect(await decodePng(rgb)).toEqual({ width: 1, height: 1, channels: 4, data: Uint16Array.of(1, 2, 3, 0) });
    const palette = Uint8Array.of(9, 8, 7, 1, 2, 3);
    const indexed = png({ width: 2, height: 1, depth: 1, colour: 3, values: [0, 1], palette, transparency: Uint8Array.of(40) });
    expect(await decodePng(indexed)).toEqual({ width: 2, height: 1, channels: 4, data: Uint8Array.of(9, 8, 7, 40, 1, 2, 3, 255) });
  });

  test("may have its pixels in several chunks, chunks that nobody knows, and something after its end", async () => {
    const spec: PngSpec = { width: 2, height: 2, depth: 8, colour: 0, values: [1, 2, 3, 4] };
    const packed = deflateSync(content(spec));
    const bytes = joined(
      SIGNATURE,
      header(spec),
      chunk("teXt", Uint8Array.of(1)),
      chunk("IDAT", packed.subarray(0, 3)),
      chunk("IDAT"),
      chunk("IDAT", packed.subarray(3)),
      chunk("IEND"),
      Uint8Array.of(7, 7),
    );
    expect((await decodePng(bytes)).data).toEqual(Uint8Array.of(1, 2, 3, 4));
    // A view into a larger buffer.
    const shifted = joined(Uint8Array.of(1, 2, 3), bytes).subarray(3);
    expect((await decodePng(shifted)).data).toEqual(Uint8Array.of(1, 2, 3, 4));
  });

  test("that is written is read again, 8 and 16 bits, 1 to 4 channels", async () => {
    for (const channels of [1, 2, 3, 4] as const)
      for (const Store of [Uint8Array, Uint16Array]) {
        const values = Array.from({ length: 15 * channels }, (_, i) => (i * 4099) % (Store === Uint8Array ? 256 : 65536));
        const picture: Picture = { width: 5, height: 3, channels, data: Store.from(values) };
        expect(await decodePng(await encodePng(picture))).toEqual(picture);
      }
  });

  test.each<[string, Partial<Picture>, RegExp]>([
    ["no pixels", { width: 0, data: new Uint8Array(0) }, /picture of 0 × 2/],
    ["other data", { data: new Uint8Array(3) }, /3 numbers[\s\S]*2 × 2 pixels with 1 number each has 4/],
    ["five channels", { channels: 5 as never }, /5 channels/],
    ["more pixels than are read", { width: 2 ** 20, height: 2 ** 20 }, /at most 16777216/],
  ])("with %s is not written", async (_, part, message) => {
    await expect(encodePng({ width: 2, height: 2, channels: 1, data: new Uint8Array(4), ...part })).rejects.toThrow(message);
  });
});

describe("files that are no good images", () => {
  const spec: PngSpec = { width: 3, height: 2, depth: 8, colour: 2, values: Array.from({ length: 18 }, (_, i) => i) };
  const good = png(spec);
  const packed = deflateSync(content(spec));
  const with_ = (...chunks: Uint8Array[]): Uint8Array => joined(SIGNATURE, ...chunks, chunk("IEND"));
  const wrongSum = good.slice();
  wrongSum[wrongSum.length - 20]! ^= 1;
  const claims = (part: Partial<PngSpec>): Uint8Array => with_(header({ ...spec, ...part }), chunk("IDAT", packed));
  const bomb = with_(
    header({ width: 4000, height: 4000, depth: 8, colour: 0 }),
    chunk("IDAT", deflateSync(new Uint8Array(80_000_000), { level: 1 })),
  );

  test.each<[string, Uint8Array, RegExp]>([
    ["a wrong checksum", wrongSum, /checksum of its chunk IDAT is wrong/],
    ["a width of 2³¹", claims({ width: 2 ** 31 }), /image of 2147483648 × 2 takes [\s\S]*at most/],
    ["2³² − 1 pixels each way", claims({ width: 2 ** 32 - 1, height: 2 ** 32 - 1 }), /at most/],
    ["no width", claims({ width: 0 }), /0 × 2[\s\S]*at least one pixel/],
    ["a size that its pixels do not fill", claims({ height: 3 }), /unpacks to 20 bytes, and its size needs 30/],
    ["more pixels than its size", claims({ height: 1 }), /damaged PNG/],
    ["a bomb", bomb, /damaged PNG/],
    ["depth 3", claims({ depth: 3 }), /no PNG images of colour type 2, 3 bits/],
    ["colour type 5", claims({ colour: 5 }), /colour type 5/],
    ["a palette that is missing", claims({ colour: 3, depth: 8 }), /no palette/],
    [
      "a colour beyond its palette",
      png({ width: 1, height: 1, depth: 8, colour: 3, values: [2], palette: new Uint8Array(6) }),
      /colour 2 of a palette of 2/,
    ],
    [
      "a filter that there is not",
      with_(header({ ...spec, colour: 0 }), chunk("IDAT", deflateSync(Uint8Array.of(9, 0, 0, 0, 0, 0, 0, 0)))),
      /damaged PNG/,
    ],
    ["no pixels", with_(header(spec)), /no pixels/],
    ["pixels that are no zlib data", with_(header(spec), chunk("IDAT", Uint8Array.of(1, 2, 3))), /damaged PNG/],
    [
      "pixels in two places",
      with_(header(spec), chunk("IDAT", packed.subarray(0, 4)), chunk("tEXt", Uint8Array.of(65, 0)), chunk("IDAT", packed.subarray(4))),
      /not in one place/,
    ],
    ["two headers", with_(header(spec), header({ ...spec, width: 2 ** 31 }), chunk("IDAT", packed)), /2 chunks IHDR/],
    ["no header", with_(chunk("IDAT", packed)), /begins with "IDAT"/],
    ["a chunk that must be understood", with_(header(spec), chunk("ABCD"), chunk("IDAT", packed)), /"ABCD"/],
    [
      "a transparency of another size",
      with_(header(spec), chunk("tRNS", Uint8Array.of(1)), chunk("IDAT", packed)),
      /transparency, of 1 bytes/,
    ],
    [
      "an interlaced picture of 1 bit that is too short",
      with_(header({ ...spec, depth: 1, colour: 0, interlaced: true }), chunk("IDAT", deflateSync(Uint8Array.of(0, 128)))),
      /damaged PNG[\s\S]*unpacks to 2 bytes/,
    ],
    ["a chunk longer than the file", joined(good.subarray(0, 33), Uint8Array.of(0x7f, 255, 255, 255), good.subarray(37)), /cut off/],
    ["nothing in it", new Uint8Array(0), /neither a PNG nor a JPEG image[\s\S]*it is empty/],
    ["a GIF in it, whatever its name", new TextEncoder().encode("GIF89a..."), /neither[\s\S]*it is a GIF, told by its first bytes/],
    ["text in it", new TextEncoder().encode("hello"), /it begins with 68 65 6c 6c/],
    ["a WebP in it", new TextEncoder().encode("RIFF....WEBPVP8 "), /it is a WebP/],
    ["the beginning of a JPEG", Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 4), /damaged JPEG|sharp/],
    [
      "a JPEG that claims 65535 × 65535",
      Uint8Array.of(0xff, 0xd8, 0xff, 0xc0, 0, 17, 8, 255, 255, 255, 255, 3, 0, 0, 0, 0, 0, 0, 0, 0),
      /65535 × 65535[\s\S]*at most/,
    ],
  ])("%s is an error with the file's name", async (_, bytes, message) => {
    const error = await decodeImage(bytes, "cat.png").catch((e: unknown) => e);
    expect(error).toBeInstanceOf(GradusError);
    expect((error as Error).message).toContain("cat.png");
    expect((error as Error).message).toMatch(message);
  });

  test("every beginning of a PNG is an error", async () => {
    for (let length = 0; length < good.length; length++)
      await expect(decodeImage(good.subarray(0, length), "cut.png"), String(length)).rejects.toBeInstanceOf(FormatError);
  });

  test("every bit that is flipped is an error, for the checksums see it", async () => {
    for (let bit = 0; bit < 8 * good.length; bit++) {
      const bytes = good.slice();
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      await expect(decodeImage(bytes, "flipped.png"), String(bit)).rejects.toBeInstanceOf(FormatError);
    }
  });

  test("a format says of itself that it is another's", async () => {
    await expect(decodePng(Uint8Array.of(0xff, 0xd8, 0xff), "a.jpg")).rejects.toThrow(/not a PNG/);
    await expect(decodeJpeg(good, "a.png")).rejects.toThrow(/not a JPEG/);
  });
});

describe("pictures as numbers", () => {
  const numbers = (picture: Picture, options: Planes = {}): number[] => Array.from(planesOf(picture, checkPlanes("test", options)).data);
  const near = (found: readonly number[], wanted: readonly number[]): void => {
    expect(found).toHaveLength(wanted.length);
    found.forEach((value, i) => {
      expect(value).toBeCloseTo(wanted[i]!, 6);
    });
  };

  test("are planes from 0 to 1, colours or grey", () => {
    const rgb: Picture = { width: 2, height: 1, channels: 3, data: Uint8Array.of(255, 0, 51, 0, 255, 102) };
    near(numbers(rgb), [1, 0, 0, 1, 0.2, 0.4]);
    near(numbers(rgb, { channels: 1 }), [0.299 + 0.114 * 0.2, 0.587 + 0.114 * 0.4]);
    const grey: Picture = { width: 2, height: 1, channels: 1, data: Uint16Array.of(65535, 13107) };
    near(numbers(grey), [1, 0.2, 1, 0.2, 1, 0.2]);
    expect(numbers(grey, { channels: 1 })).toEqual([1, Math.fround(0.2)]);
  });

  test("show white where they are transparent", () => {
    const rgba: Picture = { width: 2, height: 1, channels: 4, data: Uint8Array.of(0, 0, 0, 0, 0, 51, 255, 102) };
    near(numbers(rgba), [1, 0.6, 1, 0.4 * 0.2 + 0.6, 1, 1]);
    const grey: Picture = { width: 1, height: 1, channels: 2, data: Uint8Array.of(0, 51) };
    near(numbers(grey, { channels: 1 }), [0.8]);
    near(numbers(grey), [0.8, 0.8, 0.8]);
  });

  test("of every byte are exactly byte / 255", () => {
    const data = Uint8Array.from({ length: 256 }, (_, i) => i);
    expect(numbers({ width: 256, height: 1, channels: 1, data }, { channels: 1 })).toEqual(Array.from(data, (v) => Math.fround(v / 255)));
  });

  const cases = JSON.parse(readFileSync(new URL("../fixtures/resize.json", import.meta.url), "utf8")) as {
    from: [number, number];
    size: [number, number];
    fit: "cover" | "stretch";
    x: number[];
    y: number[];
  }[];
  test.each(cases)("$from scaled to $size ($fit) are Pillow's", ({ from, size, fit, x, y }) => {
    const data = Uint16Array.from(x, (v) => Math.round(v * 65535));
    const found = numbers({ height: from[0], width: from[1], channels: 1, data }, { channels: 1, size, fit });
    expect(found).toHaveLength(y.length);
    found.forEach((value, i) => {
      expect(Math.abs(value - y[i]!)).toBeLessThan(2e-5);
    });
  });

  test("a plain picture stays plain in any size, and each plane is scaled by itself", () => {
    const data = Uint8Array.from({ length: 3 * 35 }, (_, i) => [10, 20, 30][i % 3]!);
    const { data: found } = planesOf({ width: 7, height: 5, channels: 3, data }, checkPlanes("test", { size: [3, 11] }));
    near(
      Array.from(found),
      [10, 20, 30].flatMap((v) => Array.from({ length: 33 }, () => v / 255)),
    );
  });

  test.each<[unknown, RegExp]>([
    [{ channels: 2 }, /2 channels/],
    [{ size: 0 }, /size of 0/],
    [{ size: [3] }, /size of \[3\]/],
    [{ size: 1e6 }, /size of 1000000/],
    [{ size: "32" }, /size of "32"/],
    [{ fit: "contain" }, /fit is "contain"/],
    [{ sise: 3 }, /did you mean size/],
  ])("%j is refused", (options, message) => {
    expect(() => checkPlanes("test", options as Planes)).toThrow(message);
  });
});

const sharp = await import("sharp").then(
  (found) => found.default as any,
  () => undefined,
);

describe.skipIf(!sharp)("JPEG, by sharp", () => {
  const ramp = Uint8Array.from({ length: 3 * 48 * 32 }, (_, i) => [4 * (Math.floor(i / 3) % 48), 3 * Math.floor(i / 144), 90][i % 3]!);
  const raw = { raw: { width: 48, height: 32, channels: 3 } };
  const jpeg = async (options = {}): Promise<Uint8Array> =>
    new Uint8Array(
      await sharp(ramp, raw)
        .jpeg({ quality: 98, ...options })
        .toBuffer(),
    );

  test("has its pixels, but for what the format loses", async () => {
    const picture = await decodeImage(await jpeg(), "a.jpg");
    expect([picture.width, picture.height, picture.channels]).toEqual([48, 32, 3]);
    picture.data.forEach((value, i) => {
      expect(Math.abs(value - ramp[i]!)).toBeLessThan(12);
    });
  });

  test("of a camera is made smaller while it is read, where a small size is wanted, and looks the same", async () => {
    const [height, width] = [400, 640];
    const large = Uint8Array.from({ length: 3 * height * width }, (_, i) => 40 + Math.floor(i / 3 / width / 3) + 30 * (i % 3));
    const bytes = new Uint8Array(
      await sharp(large, { raw: { width, height, channels: 3 } })
        .jpeg({ quality: 98 })
        .toBuffer(),
    );
    const [whole, part] = [await decodeImage(bytes), await decodeImage(bytes, "a.jpg", { enough: [50, 50] })];
    expect([whole.width, whole.height, part.width, part.height]).toEqual([640, 400, 160, 100]);
    expect((await decodeImage(bytes, "a.jpg", { enough: [300, 300] })).width).toBe(640);
    const planes = checkPlanes("test", { size: 50 });
    const [a, b] = [planesOf(whole, planes).data, planesOf(part, planes).data];
    a.forEach((value, i) => {
      expect(Math.abs(value - b[i]!)).toBeLessThan(0.02);
    });
  });

  test("in grey, or turned by its camera, comes as people see it", async () => {
    const grey = await decodeImage(new Uint8Array(await sharp(ramp, raw).grayscale().jpeg().toBuffer()), "a.jpg");
    expect(planesOf(grey, checkPlanes("test")).data).toHaveLength(3 * 48 * 32);
    const turned = await decodeImage(new Uint8Array(await sharp(ramp, raw).withMetadata({ orientation: 6 }).jpeg().toBuffer()), "a.jpg");
    expect([turned.width, turned.height]).toEqual([32, 48]);
  });

  test("that is cut off is an error, wherever", async () => {
    const whole = await jpeg();
    for (let length = 3; length < whole.length - 2; length += 37) {
      const error = await decodeImage(whole.subarray(0, length), "cut.jpg").catch((e: unknown) => e);
      expect(error, String(length)).toBeInstanceOf(FormatError);
      expect((error as Error).message).toContain("cut.jpg");
    }
  });

  test("PNG files of sharp are read as sharp reads them", async () => {
    for (const options of [
      {},
      { progressive: true },
      { palette: true, colours: 16 },
      { palette: true, colours: 200 },
      { adaptiveFiltering: true },
    ]) {
      const bytes = new Uint8Array(await sharp(ramp, raw).png(options).toBuffer());
      const { data, info } = await sharp(bytes).toColourspace("srgb").raw().toBuffer({ resolveWithObject: true });
      const picture = await decodePng(bytes);
      expect([picture.width, picture.height, picture.channels]).toEqual([info.width, info.height, info.channels]);
      expect(Buffer.from(picture.data as Uint8Array).equals(data)).toBe(true);
    }
  });
});
