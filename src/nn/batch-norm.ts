import { batchNorm, batchStatistics } from "../index.ts";
import { ChannelNorm, type ChannelNormKind, type ChannelNormOptions } from "./channel-norm.ts";
import type { ChannelShapes, ConvolutionShapes } from "./shapes.ts";

const kind = (name: string, ...inputs: string[]): ChannelNormKind => ({
  name,
  inputs,
  stateful: true,
  normalise: batchNorm,
  statistics: batchStatistics,
});

/**
 * Brings each channel to mean 0 and variance 1 over the examples and all positions: y = (x − mean) / √(variance + eps) · weight + bias. Ioffe and
 * Szegedy 2015, algorithms 1 and 2.
 *
 * In training the statistics are the batch's, and gradients go through them; the running ones move by `momentum` towards them (the variance
 * unbiased, as in PyTorch). In use they are the running ones, so that an example's answer does not depend on its neighbours.
 *
 * Shapes: [n, C] or [n, C, l], kept. State: weight and bias [C], from 1 and 0; running_mean, running_var [C] and num_batches_tracked, not trained.
 *
 * @throws ShapeError for another input, and in training for a batch with one number per channel; ArgumentError if the mode is missing
 * @example new Sequential(new Linear(784, 300), new BatchNorm1d(300), relu, new Linear(300, 10))
 */
export class BatchNorm1d<C extends number = any> extends ChannelNorm<C> {
  declare readonly shapes?: ChannelShapes<C>;

  constructor(numFeatures: C, options?: ChannelNormOptions) {
    super(kind("BatchNorm1d", "examples, channels", "examples, channels, length"), numFeatures, options);
  }
}

/** The same over [n, C, h, w]; see `BatchNorm1d`. After a convolution, whose bias it makes needless. */
export class BatchNorm2d<C extends number = any> extends ChannelNorm<C> {
  declare readonly shapes?: ConvolutionShapes<C, C, [number, number], "BatchNorm2d">;

  constructor(numFeatures: C, options?: ChannelNormOptions) {
    super(kind("BatchNorm2d", "examples, channels, height, width"), numFeatures, options);
  }
}

/** The same over [n, C, d, h, w]; see `BatchNorm1d`. */
export class BatchNorm3d<C extends number = any> extends ChannelNorm<C> {
  declare readonly shapes?: ConvolutionShapes<C, C, [number, number, number], "BatchNorm3d">;

  constructor(numFeatures: C, options?: ChannelNormOptions) {
    super(kind("BatchNorm3d", "examples, channels, depth, height, width"), numFeatures, options);
  }
}
