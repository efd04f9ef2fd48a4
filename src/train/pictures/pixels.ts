/** Images as pixels in colour: from numbers by a scale, to another size, into one PNG. */
import { encodePng } from "../../io/index.ts";

/** Red, green, blue, 0 to 255, row by row. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly rgb: Uint8ClampedArray;
}

/** How numbers are shown. */
export type Scale = (value: number) => readonly [red: number, green: number, blue: number];

/** Black at `low` to white at `high`. */
export const greys =
  (low: number, high: number): Scale =>
  (value) => {
    const grey = (255 * (value - low)) / (high - low || 1);
    return [grey, grey, grey];
  };

/** The blue and the orange of Okabe and Ito 2008. */
const NEGATIVE = [0, 114, 178] as const;
const POSITIVE = [213, 94, 0] as const;

/** White at 0, blue down to −`most`, orange up to `most`. */
export const signed =
  (most: number): Scale =>
  (value) => {
    const share = Math.min(1, Math.abs(value) / (most || 1));
    const [red, green, blue] = value < 0 ? NEGATIVE : POSITIVE;
    return [255 + share * (red - 255), 255 + share * (green - 255), 255 + share * (blue - 255)];
  };

/** One plane of numbers, each by the scale. */
export function plane(values: ArrayLike<number>, width: number, height: number, scale: Scale): Pixels {
  const rgb = new Uint8ClampedArray(3 * width * height);
  for (let i = 0; i < width * height; i++) rgb.set(scale(values[i]!), 3 * i);
  return { width, height, rgb };
}

/** Three planes, red, green and blue, whose numbers go from `low` to `high`. */
export function colours(values: ArrayLike<number>, width: number, height: number, [low, high]: readonly [number, number]): Pixels {
  const size = width * height;
  const rgb = new Uint8ClampedArray(3 * size);
  for (let i = 0; i < 3 * size; i++) rgb[3 * (i % size) + Math.floor(i / size)] = (255 * (values[i]! - low)) / (high - low || 1);
  return { width, height, rgb };
}

/** Smallest and largest number, of those that are finite; by a loop, because a call takes no million arguments. */
export function rangeOf(values: ArrayLike<number>): [low: number, high: number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (!Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return low <= high ? [low, high] : [0, 0];
}

/** Largest distance from 0. */
export function mostOf(values: ArrayLike<number>): number {
  const [low, high] = rangeOf(values);
  return Math.max(-low, high);
}

/** The same image `width` pixels wide: larger by repeating pixels, whole times; smaller by the means of what each new pixel covers. */
export function resized(image: Pixels, width: number): Pixels {
  const times = Math.floor(width / image.width);
  return times >= 1 ? enlarged(image, times) : reduced(image, width);
}

function enlarged({ width, height, rgb }: Pixels, times: number): Pixels {
  const out = new Uint8ClampedArray(3 * width * height * times * times);
  for (let y = 0; y < height * times; y++)
    for (let x = 0; x < width * times; x++) {
      const from = 3 * (Math.floor(y / times) * width + Math.floor(x / times));
      for (let c = 0; c < 3; c++) out[3 * (y * width * times + x) + c] = rgb[from + c]!;
    }
  return { width: width * times, height: height * times, rgb: out };
}

function reduced({ width, height, rgb }: Pixels, columns: number): Pixels {
  const rows = Math.max(1, Math.round((height * columns) / width));
  const out = new Uint8ClampedArray(3 * columns * rows);
  const part = (i: number, of: number, size: number): [number, number] => [
    Math.floor((i * size) / of),
    Math.max(Math.floor((i * size) / of) + 1, Math.floor(((i + 1) * size) / of)),
  ];
  for (let y = 0; y < rows; y++)
    for (let x = 0; x < columns; x++) {
      const [[top, bottom], [left, right]] = [part(y, rows, height), part(x, columns, width)];
      for (let c = 0; c < 3; c++) {
        let sum = 0;
        for (let i = top; i < bottom; i++) for (let j = left; j < right; j++) sum += rgb[3 * (i * width + j) + c]!;
        out[3 * (y * columns + x) + c] = sum / ((bottom - top) * (right - left));
      }
    }
  return { width: columns, height: rows, rgb: out };
}

/** Images at their places on a white ground. */
export function placed(
  width: number,
  height: number,
  images: readonly { readonly x: number; readonly y: number; readonly image: Pixels }[],
): Pixels {
  const rgb = new Uint8ClampedArray(3 * width * height).fill(255);
  for (const { x, y, image } of images)
    for (let row = 0; row < image.height; row++)
      rgb.set(image.rgb.subarray(3 * row * image.width, 3 * (row + 1) * image.width), 3 * ((y + row) * width + x));
  return { width, height, rgb };
}

/** The image as a PNG that stands in a picture's own text. */
export async function dataUrl({ width, height, rgb }: Pixels): Promise<string> {
  const bytes = await encodePng({ width, height, channels: 3, data: new Uint8Array(rgb.buffer) });
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return `data:image/png;base64,${btoa(text)}`;
}
