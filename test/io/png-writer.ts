/** PNG files written by hand, of every kind, right and wrong. */
import { deflateSync, crc32 as nodeCrc32 } from "node:zlib";

export const crc32 = (bytes: Uint8Array): number => nodeCrc32(bytes);

export interface PngSpec {
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  /** Colour type. */
  readonly colour: number;
  readonly interlaced?: boolean;
  /** Numbers of the pixels, row by row, each below 2^depth. */
  readonly values: ArrayLike<number>;
  /** The filter of each row, in turn; default none. */
  readonly filters?: readonly number[];
  readonly palette?: Uint8Array;
  readonly transparency?: Uint8Array;
}

export const CHANNELS: Record<number, number> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

export function chunk(type: string, data: Uint8Array = new Uint8Array(0)): Uint8Array {
  const out = new Uint8Array(12 + data.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, data.length);
  for (let i = 0; i < 4; i++) out[4 + i] = type.charCodeAt(i);
  out.set(data, 8);
  view.setUint32(8 + data.length, crc32(out.subarray(4, 8 + data.length)));
  return out;
}

export const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
export const joined = (...parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

export function header({ width, height, depth, colour, interlaced }: Omit<PngSpec, "values">): Uint8Array {
  const data = new Uint8Array(13);
  new DataView(data.buffer).setUint32(0, width);
  new DataView(data.buffer).setUint32(4, height);
  data.set([depth, colour, 0, 0, interlaced ? 1 : 0], 8);
  return chunk("IHDR", data);
}

export function png(spec: PngSpec): Uint8Array {
  const { palette, transparency } = spec;
  return joined(
    SIGNATURE,
    header(spec),
    ...(palette ? [chunk("PLTE", palette)] : []),
    ...(transparency ? [chunk("tRNS", transparency)] : []),
    chunk("IDAT", deflateSync(content(spec))),
    chunk("IEND"),
  );
}

const PASSES = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;

/** Filtered rows, as they are packed. */
export function content(spec: PngSpec): Uint8Array {
  const { width, height, depth, colour, interlaced, values, filters = [0] } = spec;
  const channels = CHANNELS[colour]!;
  const size = Math.max(1, (depth * channels) / 8);
  const out: number[] = [];
  let count = 0;
  for (const [x0, y0, dx, dy] of interlaced ? PASSES : [[0, 0, 1, 1] as const]) {
    if (x0 >= width) continue;
    let before: number[] = [];
    for (let y = y0; y < height; y += dy) {
      const row: number[] = [];
      let bits = 0;
      for (let x = x0; x < width; x += dx)
        for (let c = 0; c < channels; c++) {
          const value = values[(y * width + x) * channels + c]!;
          if (depth === 16) row.push(value >> 8, value & 255);
          else if (depth === 8) row.push(value);
          else {
            if (bits % 8 === 0) row.push(0);
            row[row.length - 1]! |= value << (8 - depth - (bits % 8));
            bits += depth;
          }
        }
      const filter = filters[count++ % filters.length]!;
      out.push(
        filter,
        ...row.map((byte, i) => (byte - predicted(filter, row[i - size] ?? 0, before[i] ?? 0, before[i - size] ?? 0)) & 255),
      );
      before = row;
    }
  }
  return Uint8Array.from(out);
}

function predicted(filter: number, left: number, up: number, corner: number): number {
  if (filter === 1) return left;
  if (filter === 2) return up;
  if (filter === 3) return (left + up) >> 1;
  if (filter !== 4) return 0;
  const p = left + up - corner;
  const [a, b, c] = [Math.abs(p - left), Math.abs(p - up), Math.abs(p - corner)];
  return a <= b && a <= c ? left : b <= c ? up : corner;
}
