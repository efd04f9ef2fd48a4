/** The chunks of a PNG file, looked at before anything is unpacked: a small file can claim or become gigabytes. */
import { FormatError } from "../core/errors.ts";
import { nodeModule } from "../core/host.ts";
import { MAX_PIXELS } from "./picture.ts";

/** Most bytes that the pixels may take unpacked: an image is held a few times while it is read. */
const MAX_CONTENT = 2 ** 26;

/** What matters of a PNG file. */
export interface PngParts {
  readonly width: number;
  readonly height: number;
  /** Bits of a number. */
  readonly depth: number;
  readonly colour: number;
  /** Whether the pixels come in the seven passes of Adam7. */
  readonly interlaced: boolean;
  /** The bytes of the header. */
  readonly header: Uint8Array;
  /** Red, green and blue of each colour, where pixels are numbers of colours. */
  readonly palette: Uint8Array | undefined;
  /** The alpha of each of them; or the numbers, of two bytes each, of the one colour that is transparent. */
  readonly transparency: Uint8Array | undefined;
  readonly packed: Uint8Array;
  /** Bytes that the pixels take unpacked, with the number of the filter before each row. */
  readonly unpacked: number;
}

interface PngChunk {
  readonly type: string;
  readonly data: Uint8Array;
}

/** Depths by colour type, and the numbers of a pixel (11.2.2). */
const COLOURS: ReadonlyMap<number, { readonly depths: readonly number[]; readonly channels: number }> = new Map([
  [0, { depths: [1, 2, 4, 8, 16], channels: 1 }],
  [2, { depths: [8, 16], channels: 3 }],
  [3, { depths: [1, 2, 4, 8], channels: 1 }],
  [4, { depths: [8, 16], channels: 2 }],
  [6, { depths: [8, 16], channels: 4 }],
]);

/** The seven passes of an interlaced picture: where each begins, and its steps (8.2). */
const ADAM7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;

/** @throws FormatError for a file that is cut off, has a wrong checksum, or claims more than is read */
export function pngParts(bytes: Uint8Array, who: string): PngParts {
  const chunks = chunksOf(bytes, who);
  const header = headerOf(chunks[0]!, who);
  const { colour } = header;
  const at = (type: string): PngChunk[] => chunks.filter((chunk) => chunk.type === type);
  const refuse = (why: string): never => {
    throw new FormatError(`${who}: damaged PNG`, { why });
  };
  const unknown = chunks.find(({ type }) => /^[A-Z]/.test(type) && !["IHDR", "PLTE", "IDAT", "IEND"].includes(type));
  if (unknown) refuse(`it has a chunk ${JSON.stringify(unknown.type)}, which must be understood and is not known`);
  for (const type of ["IHDR", "PLTE", "tRNS"]) if (at(type).length > 1) refuse(`it has ${at(type).length} chunks ${type}`);
  const place = (type: string): number => chunks.findIndex((chunk) => chunk.type === type);
  const first = place("IDAT");
  const data = at("IDAT");
  if (first < 0) refuse("it has no pixels");
  if (chunks.slice(first, first + data.length).some(({ type }) => type !== "IDAT")) refuse("its pixels are not in one place");
  const [palette, clear] = [at("PLTE")[0], at("tRNS")[0]];
  if (palette && (place("PLTE") > first || palette.data.length % 3 !== 0 || palette.data.length === 0 || palette.data.length > 3 * 2 ** 8))
    refuse(`its palette is of ${palette.data.length} bytes${place("PLTE") > first ? ", after the pixels" : ""}`);
  if (colour === 3 && !palette) refuse("it has no palette");
  if (clear) {
    const wanted = [2, undefined, 6][colour];
    const fits =
      colour === 3 ? place("tRNS") > place("PLTE") && clear.data.length <= palette!.data.length / 3 : clear.data.length === wanted;
    if (!fits || place("tRNS") > first) refuse(`its transparency, of ${clear.data.length} bytes, does not fit its colours`);
  }
  const packed = data.length === 1 ? data[0]!.data : joined(data.map((chunk) => chunk.data));
  // A palette beside true colours is a suggestion for poor screens.
  return { ...header, header: chunks[0]!.data, palette: colour === 3 ? palette!.data : undefined, transparency: clear?.data, packed };
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function headerOf(
  { type, data }: PngChunk,
  who: string,
): Pick<PngParts, "width" | "height" | "depth" | "colour" | "interlaced" | "unpacked"> {
  if (type !== "IHDR" || data.length !== 13)
    throw new FormatError(`${who}: damaged PNG`, {
      why: `it begins with ${JSON.stringify(type)} of ${data.length} bytes, not with its header`,
    });
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const [width, height, depth, colour] = [view.getUint32(0), view.getUint32(4), data[8]!, data[9]!];
  const [packing, filter, interlace] = [data[10]!, data[11]!, data[12]!];
  const kind = COLOURS.get(colour);
  if (!kind?.depths.includes(depth) || packing !== 0 || filter !== 0 || interlace > 1)
    throw new FormatError(`${who}: damaged PNG`, {
      why: `there are no PNG images of colour type ${colour}, ${depth} bits, compression ${packing}, filter ${filter}, interlace ${interlace}`,
    });
  const bits = depth * kind.channels;
  const content = width === 0 || height === 0 ? 0 : interlace === 0 ? passBytes(width, height, bits) : interlacedBytes(width, height, bits);
  if (content === 0 || width * height > MAX_PIXELS || content > MAX_CONTENT)
    throw new FormatError(`${who}: an image of ${width} × ${height}${content > 0 ? ` takes ${content} bytes` : ""}`, {
      why: content === 0 ? "each side has at least one pixel" : `at most ${MAX_CONTENT} bytes and ${MAX_PIXELS} pixels are read`,
      help: content === 0 ? undefined : "make it smaller",
    });
  return { width, height, depth, colour, interlaced: interlace === 1, unpacked: content };
}

/** A row begins at a byte, with the number of its filter. */
const passBytes = (width: number, height: number, bits: number): number => (Math.ceil((width * bits) / 8) + 1) * height;

/** A pass of an interlaced picture: its pixels are a picture of `columns` × `rows`, and stand at x + across · i, y + down · j in the whole one. */
interface PngPass {
  readonly x: number;
  readonly y: number;
  readonly across: number;
  readonly down: number;
  readonly columns: number;
  readonly rows: number;
  readonly bytes: number;
}

/** The passes that have pixels, in the order of the file. */
export const passesOf = (width: number, height: number, bits: number): PngPass[] =>
  ADAM7.flatMap(([x, y, across, down]) => {
    const [columns, rows] = [Math.ceil((width - x) / across), Math.ceil((height - y) / down)];
    return columns > 0 && rows > 0 ? [{ x, y, across, down, columns, rows, bytes: passBytes(columns, rows, bits) }] : [];
  });

const interlacedBytes = (width: number, height: number, bits: number): number =>
  passesOf(width, height, bits).reduce((sum, { bytes }) => sum + bytes, 0);

/** All chunks up to the last one. */
function chunksOf(bytes: Uint8Array, who: string): PngChunk[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const chunks: PngChunk[] = [];
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    if (length > bytes.length - at - 12) break;
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (!/^[A-Za-z]{4}$/.test(type)) throw new FormatError(`${who}: damaged PNG`, { why: `at byte ${at} there is no chunk` });
    if (crc32(bytes.subarray(at + 4, at + 8 + length)) !== view.getUint32(at + 8 + length))
      throw new FormatError(`${who}: damaged PNG`, {
        why: `the checksum of its chunk ${type} is wrong`,
        help: "copy or download the file again",
      });
    chunks.push({ type, data: bytes.subarray(at + 8, at + 8 + length) });
    if (type === "IEND") return chunks;
    at += 12 + length;
  }
  throw new FormatError(`${who}: the PNG is cut off`, { help: "copy or download the file again" });
}

let table: Uint32Array | undefined;

/** CRC-32 (annex D): by the host where it can, which is quicker. */
function crc32(bytes: Uint8Array): number {
  const zlib = nodeModule("node:zlib");
  if (zlib?.crc32) return zlib.crc32(bytes);
  table ??= Uint32Array.from({ length: 256 }, (_, n) => {
    for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
    return n;
  });
  let c = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) c = table[(c ^ bytes[i]!) & 255]! ^ (c >>> 8);
  return ~c >>> 0;
}
