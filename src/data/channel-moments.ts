/** What is measured on the colours of pictures before training. */
import { ArgumentError, ShapeError, show } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { showShape, sizeOf } from "../core/shape.ts";
import type { Generator } from "../index.ts";
import type { Moments } from "./column.ts";
import type { Dataset, Labelled } from "./dataset.ts";

/** Mean and standard deviation of each channel, and how the channels vary together, over all pixels of the pictures. */
export interface ChannelMoments extends Moments {
  /** [channels][channels], symmetric; its diagonal is std². */
  readonly covariance: readonly (readonly number[])[];
}

export interface ChannelMomentsOptions {
  /** How many pictures are looked at; all, unless said. A few thousand tell the same of many. */
  readonly count?: number;
  /** Chooses them at random; without it they are the first ones, which of a folder are of one class. */
  readonly rng?: Generator;
}

/** Pictures that are read at once. */
const BATCH = 100;

/**
 * Mean μ, deviation σ and covariance C of the channels of pictures [n, channels, …], over all pixels: C = Σ(x − μ)(x − μ)ᵀ/n, in float64. What `Standardize(channels, { axis: 1 })`
 * and `PcaColorShift` are given. Take them of the training part only.
 *
 * @throws ArgumentError for no pictures, and for a number that is not finite; ShapeError for examples without an axis of channels
 * @example
 * const moments = await channelMoments(train, { count: 2000, rng: new Generator(0) });
 * colours.adapt(moments);   // new Standardize(3, { axis: 1 })
 */
export async function channelMoments(data: Dataset<Labelled>, options: ChannelMomentsOptions = {}): Promise<ChannelMoments> {
  const who = "channelMoments";
  checkOptions(who, options, ["count", "rng"]);
  const { count = data.size, rng } = options;
  if (!Number.isSafeInteger(count) || count < 1)
    throw new ArgumentError(`${who}: ${show(count)} pictures`, { why: "a mean over none is not a number", help: "a whole number ≥ 1" });
  let sums: ChannelSums | undefined;
  let left = Math.min(count, data.size);
  for await (const { x } of data.batches(Math.min(BATCH, left), rng ? { rng } : {})) {
    const [n, channels, ...rest] = x.shape as number[];
    if (channels === undefined)
      throw new ShapeError(`${who}: the examples are ${showShape(x.shape)}`, { why: "pictures are [n, channels, …]" });
    sums ??= new ChannelSums(channels, sizeOf(rest));
    const taken = Math.min(n!, left);
    sums.add(await x.data(), taken);
    left -= taken;
    if (left === 0) break;
  }
  return sums!.moments();
}

/** Sums of the channels and of their products, from the first pixel on: so that a plain colour has a deviation of exactly 0. */
class ChannelSums {
  private readonly channels: number;
  private readonly pixels: number;
  private readonly sums: Float64Array;
  private readonly products: Float64Array;
  private origin: readonly number[] | undefined;
  private count = 0;

  constructor(channels: number, pixels: number) {
    this.channels = channels;
    this.pixels = pixels;
    this.sums = new Float64Array(channels);
    this.products = new Float64Array(channels * channels);
  }

  /** The first `pictures` of those. */
  add(data: ArrayLike<number>, pictures: number): void {
    const { channels, pixels, sums, products } = this;
    const origin = (this.origin ??= Array.from({ length: channels }, (_, c) => data[c * pixels] ?? 0));
    const at = new Float64Array(channels);
    for (let i = 0; i < pictures; i++)
      for (let p = 0; p < pixels; p++)
        for (let c = 0; c < channels; c++) {
          const value = data[(i * channels + c) * pixels + p]! - origin[c]!;
          at[c] = value;
          sums[c]! += value;
          for (let d = 0; d <= c; d++) products[c * channels + d]! += value * at[d]!;
        }
    this.count += pictures * pixels;
  }

  moments(): ChannelMoments {
    const { channels, sums, products, count } = this;
    if (count === 0) throw new ArgumentError("channelMoments: the pictures have no pixels", { why: "a mean over none is not a number" });
    if (!sums.every(Number.isFinite) || !products.every(Number.isFinite))
      throw new ArgumentError("channelMoments: a number that is not finite", { why: "mean and deviation of such numbers are not numbers" });
    const shift = sums.map((sum) => sum / count);
    const covariance = Array.from({ length: channels }, (_, c) =>
      Array.from({ length: channels }, (_, d) => {
        const [row, column] = c > d ? [c, d] : [d, c];
        const value = products[row * channels + column]! / count - shift[c]! * shift[d]!;
        return c === d ? Math.max(0, value) : value;
      }),
    );
    return {
      mean: Array.from(shift, (value, c) => this.origin![c]! + value),
      std: covariance.map((row, c) => Math.sqrt(row[c]!)),
      covariance,
    };
  }
}
