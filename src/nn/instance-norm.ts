import { instanceNorm, instanceStatistics } from "../index.ts";
import { ChannelNorm, type ChannelNormKind, type ChannelNormOptions } from "./channel-norm.ts";
import type { SameShapes } from "./shapes.ts";

const kind = (name: string, space: string): ChannelNormKind => ({
  name,
  inputs: [`channels, ${space}`, `examples, channels, ${space}`],
  stateful: false,
  normalise: instanceNorm,
  statistics: instanceStatistics,
});

/**
 * Brings each channel of each example to mean 0 and variance 1 over its positions: y = (x − mean) / √(variance + eps) · weight + bias. Ulyanov,
 * Vedaldi and Lempitsky 2016.
 *
 * With `trackRunningStats` the means over a batch of these statistics are counted in training, and used instead in use. Neither they nor weight and bias are
 * there unless asked for, as in PyTorch. Batches are counted, too, in num_batches_tracked, which PyTorch leaves at 0.
 *
 * Shapes: [n, C, l] or [C, l], kept. State: as of `BatchNorm1d`.
 *
 * @throws ShapeError for another input, and for one of a single position; ArgumentError if the mode is missing
 * @example new InstanceNorm1d(8, { affine: true })
 */
export class InstanceNorm1d<C extends number = any> extends ChannelNorm<C> {
  declare readonly shapes?: SameShapes;

  constructor(numFeatures: C, options?: ChannelNormOptions) {
    super(kind("InstanceNorm1d", "length"), numFeatures, options);
  }
}

/** The same of [n, C, h, w] or [C, h, w]; see `InstanceNorm1d`. */
export class InstanceNorm2d<C extends number = any> extends ChannelNorm<C> {
  declare readonly shapes?: SameShapes;

  constructor(numFeatures: C, options?: ChannelNormOptions) {
    super(kind("InstanceNorm2d", "height, width"), numFeatures, options);
  }
}

/** The same of [n, C, d, h, w] or [C, d, h, w]; see `InstanceNorm1d`. */
export class InstanceNorm3d<C extends number = any> extends ChannelNorm<C> {
  declare readonly shapes?: SameShapes;

  constructor(numFeatures: C, options?: ChannelNormOptions) {
    super(kind("InstanceNorm3d", "depth, height, width"), numFeatures, options);
  }
}
