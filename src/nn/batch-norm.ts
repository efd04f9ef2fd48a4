import { ShapeError } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { showShape } from "../core/shape.ts";
import type { Shape } from "../core/shape-types.ts";
import { atUserLine } from "../core/site.ts";
import { batchNorm, batchStatistics, type DType, type Tensor, type Variable } from "../index.ts";
import { checkAlone, checkSize, checkTensor } from "./arguments.ts";
import { ones, zeros } from "./initializers.ts";
import { checkMode, type Mode } from "./mode.ts";
import { Module } from "./module.ts";
import { checkEps, checkMomentum } from "./norm-arguments.ts";
import { parameter } from "./parameter.ts";
import type { ChannelShapes } from "./shapes.ts";

export interface BatchNormLayerOptions {
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
  /** Weight of the latest batch in the running statistics; null: all batches count alike. Default 0.1. */
  readonly momentum?: number | null;
  /** Learn a weight and a bias for each channel. Default true. */
  readonly affine?: boolean;
  /** Keep statistics for use. Without them a batch is normalised by its own in use, too. Default true. */
  readonly trackRunningStats?: boolean;
  /** Of the parameters and statistics. Default float32. */
  readonly dtype?: DType;
}

const OPTIONS = ["eps", "momentum", "affine", "trackRunningStats", "dtype"];

/** What `BatchNorm1d`, `2d` and `3d` are but for the ranks of their inputs. */
abstract class BatchNorm<C extends number> extends Module {
  readonly numFeatures: C;
  readonly eps: number;
  readonly momentum: number | null;
  readonly weight: Variable<[C]> | undefined;
  readonly bias: Variable<[C]> | undefined;
  readonly runningMean: Variable<[C]> | undefined;
  readonly runningVar: Variable<[C]> | undefined;
  readonly numBatchesTracked: Variable<[]> | undefined;
  /** The layer's name, which minification leaves as it is, and what an input may be. */
  protected abstract readonly is: { readonly name: string; readonly inputs: readonly string[] };

  constructor(who: string, numFeatures: C, options: BatchNormLayerOptions = {}) {
    super();
    [this.eps, this.momentum] = atUserLine(() => {
      checkOptions(who, options, OPTIONS);
      checkSize(numFeatures, `${who}: numFeatures`);
      return [checkEps(options.eps ?? 1e-5, who), checkMomentum(options.momentum === undefined ? 0.1 : options.momentum, who)];
    });
    const { affine = true, trackRunningStats = true, dtype = "float32" } = options;
    const counted = { dtype, trainable: false };
    this.numFeatures = numFeatures;
    this.weight = affine ? parameter([numFeatures], ones, { dtype }) : undefined;
    this.bias = affine ? parameter([numFeatures], zeros, { dtype }) : undefined;
    this.runningMean = trackRunningStats ? parameter([numFeatures], zeros, counted) : undefined;
    this.runningVar = trackRunningStats ? parameter([numFeatures], ones, counted) : undefined;
    this.numBatchesTracked = trackRunningStats ? parameter([], zeros, { dtype: "int32", trainable: false }) : undefined;
  }

  /** Under PyTorch's names. */
  override stateFields(): Iterable<readonly [string, unknown]> {
    const { weight, bias, runningMean, runningVar, numBatchesTracked } = this;
    return Object.entries({ weight, bias, running_mean: runningMean, running_var: runningVar, num_batches_tracked: numBatchesTracked });
  }

  forward<S extends Shape>(x: Tensor<S>, mode: Mode): Tensor<S>;
  forward(x: Tensor, ...rest: [Mode]): Tensor {
    return atUserLine(() => {
      checkAlone(rest, this.is.name);
      const { training } = checkMode(rest[0], this.is.name);
      this.check(x);
      const { weight, bias, eps, runningMean: mean, runningVar: variance } = this;
      if (!training && mean && variance) return batchNorm(x, { weight, bias, mean, variance, eps });
      if (training) this.count(x);
      return batchNorm(x, { weight, bias, eps });
    }, this.is.name);
  }

  private check(x: Tensor): void {
    const { name, inputs } = this.is;
    checkTensor(x, name);
    const fits = inputs.some((shape) => shape.split(", ").length === x.shape.length);
    if (fits && x.shape[1] === this.numFeatures) return;
    throw new ShapeError(`${name}: the input is ${showShape(x.shape)}`, {
      why: fits
        ? `axis 1 has ${x.shape[1]} channels, the layer was made for ${this.numFeatures}`
        : `it must be ${inputs.map((shape) => `[${shape}]`).join(" or ")}`,
      help: fits ? `write new ${name}(${x.shape[1]})` : "reshape it",
    });
  }

  /** running ← (1 − momentum) · running + momentum · the batch's. */
  private count(x: Tensor): void {
    const { runningMean, runningVar, numBatchesTracked, momentum } = this;
    if (!runningMean || !runningVar || !numBatchesTracked) return;
    const batches = numBatchesTracked.add(1);
    numBatchesTracked.assign(batches);
    const { mean, variance } = batchStatistics(x);
    const share = momentum ?? batches.cast(runningMean.dtype).reciprocal();
    runningMean.assign(moved(runningMean, mean, share));
    runningVar.assign(moved(runningVar, variance, share));
  }
}

/** (1 − share) · running + share · latest. */
function moved(running: Tensor, latest: Tensor, share: number | Tensor): Tensor {
  const rest = typeof share === "number" ? 1 - share : share.neg().add(1);
  return running.mul(rest).add(latest.cast(running.dtype).mul(share));
}

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
export class BatchNorm1d<C extends number = any> extends BatchNorm<C> {
  declare readonly shapes?: ChannelShapes<C>;
  protected override readonly is = { name: "BatchNorm1d", inputs: ["examples, channels", "examples, channels, length"] };

  constructor(numFeatures: C, options?: BatchNormLayerOptions) {
    super("BatchNorm1d", numFeatures, options);
  }
}

/** The same over [n, C, h, w]; see `BatchNorm1d`. After a convolution, whose bias it makes needless. */
export class BatchNorm2d<C extends number = any> extends BatchNorm<C> {
  declare readonly shapes?: ChannelShapes<C>;
  protected override readonly is = { name: "BatchNorm2d", inputs: ["examples, channels, height, width"] };

  constructor(numFeatures: C, options?: BatchNormLayerOptions) {
    super("BatchNorm2d", numFeatures, options);
  }
}

/** The same over [n, C, d, h, w]; see `BatchNorm1d`. */
export class BatchNorm3d<C extends number = any> extends BatchNorm<C> {
  declare readonly shapes?: ChannelShapes<C>;
  protected override readonly is = { name: "BatchNorm3d", inputs: ["examples, channels, depth, height, width"] };

  constructor(numFeatures: C, options?: BatchNormLayerOptions) {
    super("BatchNorm3d", numFeatures, options);
  }
}
