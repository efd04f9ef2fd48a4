/**
 * PNG (ISO/IEC 15948). Pixels are read by fast-png. What it is given was checked before: the chunks, their checksums, and how much is unpacked.
 */
import type { decode as Decode, DecodedPng } from "fast-png";
import { ArgumentError, FormatError, show } from "../core/errors.ts";
import { nodeModule } from "../core/host.ts";
import { MAX_PIXELS, type Picture } from "./picture.ts";
import { type PngParts, passesOf, pngParts } from "./png-chunks.ts";

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** True for what begins as a PNG does. */
export const isPng = (bytes: Uint8Array): boolean => SIGNATURE.every((byte, i) => bytes[i] === byte);

/**
 * A PNG of any kind: grey, RGB, with alpha or a palette (whose colours are put in), 1 to 16 bits (fewer than 8 become 8), interlaced. Of an animated one, its still picture.
 *
 * @throws FormatError for what is no PNG, is damaged or cut off, has more than 2²⁴ pixels, or unpacks to more or less than its size says
 * @example const { width, height, data } = await decodePng(await readFile("cat.png"), "cat.png");
 */
export async function decodePng(bytes: Uint8Array, who = "png"): Promise<Picture> {
  const parts = partsOf(bytes, who);
  const content = await inflated(parts, who);
  const { decode } = await import("fast-png");
  return pictureOf(decode, parts, content, who);
}

/** The same at once, in Node, with the `decode` of fast-png. */
export function decodePngNow(decode: typeof Decode, bytes: Uint8Array, who: string): Picture {
  const parts = partsOf(bytes, who);
  return pictureOf(decode, parts, inflatedNow(parts, who), who);
}

function partsOf(bytes: Uint8Array, who: string): PngParts {
  if (isPng(bytes)) return pngParts(bytes, who);
  throw new FormatError(`${who}: not a PNG image`, { help: "save it as PNG" });
}

// ---- unpacking, no further than the size says

const damaged = (who: string, cause: unknown): FormatError =>
  new FormatError(`${who}: damaged PNG`, { why: cause instanceof Error ? cause.message : String(cause), cause });

function inflatedNow({ packed, unpacked }: PngParts, who: string): Uint8Array {
  try {
    const { inflateSync } = nodeModule("node:zlib")!;
    // One piece of memory, a little larger than what should come: otherwise there are pieces, and then one more for all of them.
    return checkLength(inflateSync(packed, { maxOutputLength: unpacked, chunkSize: unpacked + 64 }), unpacked, who);
  } catch (cause) {
    throw cause instanceof FormatError ? cause : damaged(who, cause);
  }
}

async function inflated(parts: PngParts, who: string): Promise<Uint8Array> {
  if (nodeModule("node:zlib")) return inflatedNow(parts, who);
  const { packed, unpacked } = parts;
  const out = new Uint8Array(unpacked);
  let length = 0;
  try {
    const stream = new Blob([packed as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new DecompressionStream("deflate"));
    for (const reader = stream.getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) break;
      if (length + value.length > unpacked) {
        await reader.cancel();
        throw new RangeError("it unpacks to more than its size says");
      }
      out.set(value, length);
      length += value.length;
    }
  } catch (cause) {
    throw damaged(who, cause);
  }
  return checkLength(out.subarray(0, length), unpacked, who);
}

function checkLength(content: Uint8Array, wanted: number, who: string): Uint8Array {
  if (content.length === wanted) return content;
  throw new FormatError(`${who}: damaged PNG`, { why: `it unpacks to ${content.length} bytes, and its size needs ${wanted}` });
}

// ---- pixels

/** Blocks of this many bytes are stored as they are (RFC 1951, 3.2.4). */
const BLOCK = 65535;

/** A PNG file of these pixels, whose zlib data hold them as they are: unpacking them costs a copy. */
function storedPng(header: Uint8Array, content: Uint8Array): Uint8Array {
  const blocks = Math.max(1, Math.ceil(content.length / BLOCK));
  const packed = 2 + 5 * blocks + content.length + 4;
  const file = new Uint8Array(8 + 25 + 12 + packed + 12);
  const view = new DataView(file.buffer);
  const chunk = (at: number, type: string, length: number): void => {
    view.setUint32(at, length);
    for (let i = 0; i < 4; i++) file[at + 4 + i] = type.charCodeAt(i);
  };
  // Checksums, of chunks and at the end of the data, are left 0: what they are for was looked at before.
  file.set(SIGNATURE);
  chunk(8, "IHDR", 13);
  file.set(header, 16);
  chunk(33, "IDAT", packed);
  chunk(33 + 12 + packed, "IEND", 0);
  const out = file.subarray(41, 41 + packed);
  out.set([0x78, 0x01]);
  for (let i = 0, at = 2; i < blocks; i++) {
    const block = content.subarray(i * BLOCK, (i + 1) * BLOCK);
    const { length } = block;
    out.set([i === blocks - 1 ? 1 : 0, length & 255, length >> 8, ~length & 255, (~length >> 8) & 255], at);
    out.set(block, at + 5);
    at += 5 + length;
  }
  return file;
}

function pictureOf(decode: typeof Decode, parts: PngParts, content: Uint8Array, who: string): Picture {
  const { width, height, colour, depth, palette, transparency } = parts;
  let values: Picture["data"];
  try {
    values = valuesOf(decode, parts, content);
  } catch (cause) {
    throw damaged(who, cause);
  }
  if (palette) return { width, height, ...withPalette(values, palette, transparency, who) };
  const channels = CHANNELS[colour] as Picture["channels"];
  // Fewer bits become eight: the brightest is 255.
  const data = depth < 8 ? values.map((value) => (value * 255) / (2 ** depth - 1)) : values;
  return transparency ? { width, height, ...withClear({ values, data, channels }, transparency) } : { width, height, channels, data };
}

/** The numbers of the pixels, as they stand in the file. */
function valuesOf(decode: typeof Decode, { header, width, height, depth, interlaced }: PngParts, content: Uint8Array): Picture["data"] {
  const read = (of: Uint8Array, rows: Uint8Array): DecodedPng["data"] => decode(storedPng(of, rows)).data;
  if (depth >= 8) return read(header, content) as Picture["data"];
  if (!interlaced) return unpackedBits(read(header, content), { width, height, depth });
  // fast-png reads interlaced pixels of whole bytes only. Each pass is a picture of its own, and read as one.
  const out = new Uint8Array(width * height);
  let from = 0;
  for (const { x, y, across, down, columns, rows, bytes } of passesOf(width, height, depth)) {
    const packed = read(headerOfPass(header, columns, rows), content.subarray(from, from + bytes));
    const pass = unpackedBits(packed, { width: columns, height: rows, depth });
    for (let j = 0; j < rows; j++) for (let i = 0; i < columns; i++) out[(y + down * j) * width + x + across * i] = pass[j * columns + i]!;
    from += bytes;
  }
  return out;
}

function headerOfPass(header: Uint8Array, columns: number, rows: number): Uint8Array {
  const out = header.slice();
  const view = new DataView(out.buffer);
  view.setUint32(0, columns);
  view.setUint32(4, rows);
  out[12] = 0;
  return out;
}

/** The numbers of a pixel by colour type (11.2.2). */
const CHANNELS = [1, 0, 3, 1, 2, 0, 4] as const;

/** Pixels of 1, 2 or 4 bits, whose rows begin at whole bytes, as numbers. */
function unpackedBits(bytes: ArrayLike<number>, { width, height, depth }: { width: number; height: number; depth: number }): Uint8Array {
  const row = Math.ceil((width * depth) / 8);
  const out = new Uint8Array(width * height);
  const mask = 2 ** depth - 1;
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const bit = x * depth;
      out[y * width + x] = (bytes[y * row + (bit >> 3)]! >> (8 - depth - (bit & 7))) & mask;
    }
  return out;
}

type Pixels = Pick<Picture, "channels" | "data">;

function withPalette(indices: Picture["data"], palette: Uint8Array, alphas: Uint8Array | undefined, who: string): Pixels {
  const channels = alphas?.some((alpha) => alpha !== 255) ? 4 : 3;
  const data = new Uint8Array(indices.length * channels);
  for (let i = 0; i < indices.length; i++) {
    const colour = indices[i]!;
    if (3 * colour >= palette.length)
      throw new FormatError(`${who}: damaged PNG`, { why: `a pixel has colour ${colour} of a palette of ${palette.length / 3}` });
    for (let c = 0; c < 3; c++) data[i * channels + c] = palette[3 * colour + c]!;
    if (channels === 4) data[i * channels + 3] = alphas![colour] ?? 255;
  }
  return { channels, data };
}

/** One colour is transparent, told by its numbers as they stand in the file (11.3.2.1): its pixels get alpha 0, the others full alpha. */
function withClear({ values, data, channels }: Pixels & { readonly values: Picture["data"] }, clear: Uint8Array): Pixels {
  const more = (channels + 1) as 2 | 4;
  const count = data.length / channels;
  const wide = data instanceof Uint16Array;
  const out = wide ? new Uint16Array(count * more) : new Uint8Array(count * more);
  for (let i = 0; i < count; i++) {
    let same = true;
    for (let c = 0; c < channels; c++) {
      same &&= values[i * channels + c] === clear[2 * c]! * 256 + clear[2 * c + 1]!;
      out[i * more + c] = data[i * channels + c]!;
    }
    out[i * more + channels] = same ? 0 : wide ? 65535 : 255;
  }
  return { channels: more, data: out };
}

/**
 * A picture as a PNG file: 8 bits a number, or 16 where the data are.
 *
 * @throws ArgumentError for sizes that do not fit the data, or more than 2²⁴ pixels
 * @example await writeFile("ramp.png", await encodePng({ width: 256, height: 1, channels: 1, data: Uint8Array.from({ length: 256 }, (_, i) => i) }));
 */
export async function encodePng(picture: Picture): Promise<Uint8Array> {
  const { width, height, channels, data } = picture;
  const isSide = (n: number): boolean => Number.isSafeInteger(n) && n >= 1;
  if (!isSide(width) || !isSide(height) || width * height > MAX_PIXELS)
    throw new ArgumentError(`png: a picture of ${show(width)} × ${show(height)}`, {
      help: `whole numbers ≥ 1, at most ${MAX_PIXELS} pixels`,
    });
  if (![1, 2, 3, 4].includes(channels))
    throw new ArgumentError(`png: ${show(channels)} channels`, { help: "1 grey, 3 RGB; 2 and 4 with alpha" });
  if (!(data instanceof Uint8Array || data instanceof Uint16Array) || data.length !== width * height * channels)
    throw new ArgumentError(`png: ${(data as ArrayLike<number> | undefined)?.length ?? show(data)} numbers`, {
      why: `a picture of ${width} × ${height} pixels with ${channels} ${channels === 1 ? "number" : "numbers"} each has ${width * height * channels}`,
      help: "a Uint8Array, or a Uint16Array for 16 bits",
    });
  const { encode } = await import("fast-png");
  return encode({ width, height, channels, data, depth: data instanceof Uint16Array ? 16 : 8 });
}
