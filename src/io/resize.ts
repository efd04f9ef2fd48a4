/** Scaling of pictures. */

interface Source {
  /** [channels, height, width]. */
  readonly data: Float32Array;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** For each pixel along an axis of the result: the first pixel of the source that it reads, and the weights of that and those after it. */
interface Taps {
  readonly first: Int32Array;
  readonly count: Int32Array;
  /** `most` numbers for each pixel. */
  readonly weights: Float64Array;
  readonly most: number;
}

/**
 * The picture in another size, [channels, size...]: each pixel is the mean of those near it, weighted by a triangle as wide as a pixel of the coarser
 * side, so that nothing is skipped when it shrinks (as Pillow's BILINEAR and torch's antialiased bilinear do). The axes are scaled one after the other.
 */
export function resized(source: Source, size: readonly [height: number, width: number], fit: "cover" | "stretch"): Float32Array {
  const { data, height, width, channels } = source;
  // The part of the source that is shown: all of it, or the largest of the wanted proportions in its middle.
  const scale = fit === "cover" ? Math.min(height / size[0], width / size[1]) : undefined;
  const [tall, wide] = [scale === undefined ? height : size[0] * scale, scale === undefined ? width : size[1] * scale];
  const across = tapsOf(width, size[1], (width - wide) / 2, wide);
  const down = tapsOf(height, size[0], (height - tall) / 2, tall);
  const narrow = new Float32Array(channels * height * size[1]);
  for (let row = 0; row < channels * height; row++) alongRow(data, row * width, across, narrow, row * size[1]);
  const out = new Float32Array(channels * size[0] * size[1]);
  for (let c = 0; c < channels; c++)
    for (let i = 0; i < size[0]; i++) {
      const row = out.subarray((c * size[0] + i) * size[1], (c * size[0] + i + 1) * size[1]);
      for (let k = 0; k < down.count[i]!; k++) {
        const from = (c * height + down.first[i]! + k) * size[1];
        const weight = down.weights[i * down.most + k]!;
        for (let j = 0; j < row.length; j++) row[j]! += weight * narrow[from + j]!;
      }
    }
  return out;
}

function alongRow(data: Float32Array, from: number, { first, count, weights, most }: Taps, out: Float32Array, to: number): void {
  for (let i = 0; i < first.length; i++) {
    const [at, taps, own] = [from + first[i]!, count[i]!, i * most];
    let sum = 0;
    for (let k = 0; k < taps; k++) sum += weights[own + k]! * data[at + k]!;
    out[to + i] = sum;
  }
}

/** Weights for `size` pixels that cover [start, start + length) of an axis of `from` pixels. */
function tapsOf(from: number, size: number, start: number, length: number): Taps {
  const scale = length / size;
  const reach = Math.max(1, scale);
  const most = Math.ceil(2 * reach) + 1;
  const taps = { first: new Int32Array(size), count: new Int32Array(size), weights: new Float64Array(size * most), most };
  for (let i = 0; i < size; i++) {
    const centre = start + (i + 0.5) * scale;
    const first = Math.max(0, Math.floor(centre - reach + 0.5));
    const end = Math.min(from, Math.floor(centre + reach + 0.5));
    taps.first[i] = first;
    taps.count[i] = end - first;
    let sum = 0;
    for (let k = first; k < end; k++) {
      const weight = Math.max(0, 1 - Math.abs((k + 0.5 - centre) / reach));
      taps.weights[i * most + k - first] = weight;
      sum += weight;
    }
    for (let k = 0; k < end - first; k++) taps.weights[i * most + k]! /= sum;
  }
  return taps;
}
