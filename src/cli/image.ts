import { FormatError } from "../core/errors.ts";
import type { Picture } from "../io/index.ts";

/** What a network gets for an image, and what was done to the image that nobody asked for. */
export interface ReadImage {
  /** side × side, 0 paper to 1 ink. */
  readonly values: Float32Array;
  readonly notes: readonly string[];
}

/**
 * A picture as side × side numbers, 0 paper to 1 ink: colours become grey, dark ink on light paper is turned over, another size is cropped to the ink
 * and scaled, and each of these is said. With `exact`, an image of another size or in colours is refused, and none is turned over.
 *
 * @throws FormatError for what is not exactly what is wanted
 */
export function inkOf(picture: Picture, name: string, side: number, { exact = false } = {}): ReadImage {
  const { width, height, grey, coloured, transparent } = greyOf(picture);
  const fits = width === side && height === side;
  if (exact && !(fits && !coloured && !transparent))
    throw new FormatError(`${name}: ${width} × ${height}${coloured ? " in colours" : transparent ? ", partly transparent" : ""}`, {
      why: `the network was made for ${side} × ${side} grey pixels, and takes only them (--exact)`,
      help: "make it so; without --exact it would be made grey, cropped to its ink and scaled",
    });
  const done = [...(coloured ? ["colours made grey"] : []), ...(transparent ? ["transparent parts made white"] : [])];
  if (!exact && borderMean(grey, width, height) > 0.5) {
    for (let i = 0; i < grey.length; i++) grey[i] = 1 - grey[i]!;
    done.push("dark on light turned over");
  }
  if (!fits) done.push(`cropped to its ink and scaled to ${side} × ${side}`);
  const values = fits ? grey : fitInk(grey, width, height, side);
  if (!fits && !values.some((value) => value > 0)) done.push("no ink was found: it is blank");
  return { values, notes: done.length > 0 ? [`${name}: ${width} × ${height}: ${done.join(", ")}`] : [] };
}

interface Grey {
  readonly width: number;
  readonly height: number;
  readonly grey: Float32Array;
  /** Whether a pixel is more than grey. */
  readonly coloured: boolean;
  readonly transparent: boolean;
}

function greyOf({ width, height, channels, data }: Picture): Grey {
  const grey = new Float32Array(width * height);
  const full = data instanceof Uint16Array ? 65535 : 255;
  let [coloured, transparent] = [false, false];
  const alphaAt = channels % 2 === 0 ? channels - 1 : -1;
  for (let i = 0; i < grey.length; i++) {
    const at = (channel: number): number => data[i * channels + channel]! / full;
    const colour = channels >= 3 ? [at(0), at(1), at(2)] : [at(0), at(0), at(0)];
    const alpha = alphaAt < 0 ? 1 : at(alphaAt);
    coloured ||= alpha > 0 && (colour[0] !== colour[1] || colour[1] !== colour[2]);
    transparent ||= alpha < 1;
    // ITU-R BT.601; what is transparent shows white paper.
    grey[i] = alpha * (0.299 * colour[0]! + 0.587 * colour[1]! + 0.114 * colour[2]!) + (1 - alpha);
  }
  return { width, height, grey, coloured, transparent };
}

function borderMean(grey: Float32Array, width: number, height: number): number {
  let [sum, count] = [0, 0];
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      if (x === 0 || y === 0 || x === width - 1 || y === height - 1) {
        sum += grey[y * width + x]!;
        count++;
      }
  return sum / count;
}

/** The ink's box scaled to 5/7 of the side (20 of 28, as in MNIST), in the middle. Each pixel is the mean of what it covers. */
function fitInk(ink: Float32Array, width: number, height: number, side: number): Float32Array {
  let [left, top, right, bottom] = [width, height, -1, -1];
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      if (ink[y * width + x]! > 0.3) {
        left = Math.min(left, x);
        right = Math.max(right, x);
        top = Math.min(top, y);
        bottom = Math.max(bottom, y);
      }
  const out = new Float32Array(side * side);
  if (right < 0) return out;
  const scale = Math.max(right - left + 1, bottom - top + 1) / ((5 / 7) * side);
  const [cx, cy] = [(left + right + 1) / 2, (top + bottom + 1) / 2];
  for (let y = 0; y < side; y++)
    for (let x = 0; x < side; x++)
      out[y * side + x] = areaMean(ink, width, height, [cx + (x - side / 2) * scale, cy + (y - side / 2) * scale, scale]);
  return out;
}

/** Mean over the square of this size at [x, y], by 4 × 4 samples or one per pixel, whichever are more; outside is paper. */
function areaMean(ink: Float32Array, width: number, height: number, [x, y, size]: readonly [number, number, number]): number {
  const n = Math.max(4, Math.ceil(size));
  let sum = 0;
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) {
      const column = Math.floor(x + ((j + 0.5) / n) * size);
      const row = Math.floor(y + ((i + 0.5) / n) * size);
      if (column >= 0 && column < width && row >= 0 && row < height) sum += ink[row * width + column]!;
    }
  return sum / (n * n);
}
