/** Pictures as they are in files, and as numbers for a network. */
import { ArgumentError, show } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { resized } from "./resize.ts";

/** Pixels as an image file holds them, row by row, the channels of a pixel side by side: 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 2 | 3 | 4;
  /** Bytes from 0 to 255, or 16-bit numbers from 0 to 65535. */
  readonly data: Uint8Array | Uint16Array;
}

/** Most pixels of an image that is read; a side may have as many. */
export const MAX_PIXELS = 2 ** 24;

/** How a picture becomes numbers. */
export interface Planes {
  /** 3: red, green, blue (grey three times); 1: grey, 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601). Default 3. */
  readonly channels?: 1 | 3;
  /** Height and width, or both in one number. Unless said, the picture keeps its own. */
  readonly size?: number | readonly [height: number, width: number];
  /**
   * "cover" (default) scales the picture until it covers the size, and cuts off what hangs over on both sides; "stretch" scales each side by itself.
   */
  readonly fit?: "cover" | "stretch";
}

export const PLANES_OPTIONS = ["channels", "size", "fit"] as const satisfies readonly (keyof Planes)[];

/** The same, checked and decided. */
export interface CheckedPlanes {
  readonly channels: 1 | 3;
  readonly size: readonly [height: number, width: number] | undefined;
  readonly fit: "cover" | "stretch";
}

/** @throws ArgumentError for channels, sizes and fits that there are not */
export function checkPlanes(who: string, options: Planes = {}): CheckedPlanes {
  checkOptions(who, options, PLANES_OPTIONS);
  const { channels = 3, size, fit = "cover" } = options;
  if (channels !== 1 && channels !== 3)
    throw new ArgumentError(`${who}: ${show(channels)} channels`, { help: "3 for colours, 1 for grey" });
  if (fit !== "cover" && fit !== "stretch") throw new ArgumentError(`${who}: fit is ${show(fit)}`, { help: '"cover" or "stretch"' });
  if (size === undefined) return { channels, size, fit };
  const sides = typeof size === "number" ? ([size, size] as const) : size;
  const isSide = (n: unknown): boolean => Number.isSafeInteger(n) && (n as number) >= 1;
  if (!Array.isArray(sides) || sides.length !== 2 || !sides.every(isSide) || sides[0]! * sides[1]! > MAX_PIXELS)
    throw new ArgumentError(`${who}: a size of ${show(size)}`, {
      help: `[height, width], or one number for both: whole numbers ≥ 1, at most ${MAX_PIXELS} pixels`,
    });
  return { channels, size: [sides[0]!, sides[1]!], fit };
}

/** Numbers from 0 (black) to 1 (white), one plane after the other: [channels, height, width]. */
export interface PlanesOfPicture {
  readonly height: number;
  readonly width: number;
  readonly data: Float32Array;
}

/** The planes of a picture, scaled if another size is wanted. What is transparent shows white behind it. */
export function planesOf(picture: Picture, { channels, size, fit }: CheckedPlanes): PlanesOfPicture {
  const { width, height } = picture;
  const data = (channels === 3 ? colours : greys)(picture);
  if (!size || (size[0] === height && size[1] === width)) return { height, width, data };
  return { height: size[0], width: size[1], data: resized({ data, height, width, channels }, size, fit) };
}

const fullOf = ({ data }: Picture): number => (data instanceof Uint16Array ? 65535 : 255);

function colours(picture: Picture): Float32Array {
  const count = picture.width * picture.height;
  const out = new Float32Array(3 * count);
  for (let c = 0; c < 3; c++) channelInto(picture, picture.channels < 3 ? 0 : c, out.subarray(c * count, (c + 1) * count));
  showWhite(picture, out);
  return out;
}

function greys(picture: Picture): Float32Array {
  const { width, height, channels, data } = picture;
  const out = new Float32Array(width * height);
  if (channels < 3) channelInto(picture, 0, out);
  else {
    const full = fullOf(picture);
    for (let i = 0, at = 0; i < out.length; i++, at += channels)
      out[i] = (0.299 * data[at]! + 0.587 * data[at + 1]! + 0.114 * data[at + 2]!) / full;
  }
  showWhite(picture, out);
  return out;
}

/** One channel of all pixels, v / full. */
function channelInto({ data, channels }: Picture, channel: number, out: Float32Array): void {
  if (data instanceof Uint16Array) for (let i = 0, at = channel; i < out.length; i++, at += channels) out[i] = data[at]! / 65535;
  else {
    // A look-up is quicker than a division.
    const values = Float32Array.from({ length: 256 }, (_, v) => v / 255);
    for (let i = 0, at = channel; i < out.length; i++, at += channels) out[i] = values[data[at]!]!;
  }
}

/** What is transparent shows white behind it, in each plane: v · α + (1 − α). */
function showWhite(picture: Picture, planes: Float32Array): void {
  const { width, height, channels, data } = picture;
  if (channels % 2 === 1) return;
  const [count, full] = [width * height, fullOf(picture)];
  for (let i = 0; i < planes.length; i++) {
    const opaque = data[(i % count) * channels + channels - 1]! / full;
    if (opaque < 1) planes[i] = planes[i]! * opaque + (1 - opaque);
  }
}
