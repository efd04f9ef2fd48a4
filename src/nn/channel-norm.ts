/** What layers that normalise channels have in common: a weight and a bias for each, and statistics that are counted while training. */
import { ShapeError } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { showShape } from "../core/shape.ts";
import type { Shape } from "../core/shape-types.ts";
import { atUserLine } from "../core/site.ts";
import type { BatchNormOptions, DType, Tensor, Variable } from "../index.ts";
import { checkAlone, checkSize, checkTensor } from "./arguments.ts";
import { ones, zeros } from "./initializers.ts";
import { checkMode, type Mode } from "./mode.ts";
import { Module } from "./module.ts";
import { checkEps, checkMomentum } from "./norm-arguments.ts";
import { parameter } from "./parameter.ts";

export interface ChannelNormOptions {
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
  /** Weight of the latest batch in the running statistics; null: all batches count alike. Default 0.1. */
  readonly momentum?: number | null;
  /** Learn a weight and a bias for each channel. Default true of batches, false of instances. */
  readonly affine?: boolean;
  /** Keep statistics for use. Without them an input is normalised by its own in use, too. Default true of batches, false of instances. */
  readonly trackRunningStats?: boolean;
  /** Of the parameters and statistics. Default float32. */
  readonly dtype?: DType;
}

/** A kind of layer: its name, which minification leaves as it is, what an input may be, and its functions. */
export interface ChannelNormKind {
  readonly name: string;
  readonly inputs: readonly string[];
  /** Whether there are parameters and statistics unless said. */
  readonly stateful: boolean;
  normalise(x: Tensor, options: BatchNormOptions): Tensor;
  statistics(x: Tensor): { readonly mean: Tensor; readonly variance: Tensor };
}

/** What is not said of a layer comes from its kind. */
export abstract class ChannelNorm<C extends number> extends Module {
  readonly numFeatures: C;
  readonly eps: number;
  readonly momentum: number | null;
  readonly weight: Variable<[C]> | undefined;
  readonly bias: Variable<[C]> | undefined;
  readonly runningMean: Variable<[C]> | undefined;
  readonly runningVar: Variable<[C]> | undefined;
  readonly numBatchesTracked: Variable<[]> | undefined;
  readonly #kind: ChannelNormKind;

  constructor(kind: ChannelNormKind, numFeatures: C, options: ChannelNormOptions = {}) {
    super();
    this.#kind = kind;
    [this.eps, this.momentum] = atUserLine(() => {
      checkOptions(kind.name, options, ["eps", "momentum", "affine", "trackRunningStats", "dtype"]);
      checkSize(numFeatures, `${kind.name}: numFeatures`);
      return [checkEps(options.eps ?? 1e-5, kind.name), checkMomentum(options.momentum === undefined ? 0.1 : options.momentum, kind.name)];
    });
    const { affine = kind.stateful, trackRunningStats = kind.stateful, dtype = "float32" } = options;
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
    const { name } = this.#kind;
    return atUserLine(() => {
      checkAlone(rest, name);
      const { training } = checkMode(rest[0], name);
      checkTensor(x, name);
      return this.#isBatch(x) ? this.#normalised(x, training) : this.#normalised(x.unsqueeze(0), training).squeeze(0);
    }, name);
  }

  #normalised(x: Tensor, training: boolean): Tensor {
    const { weight, bias, eps, runningMean: mean, runningVar: variance } = this;
    if (!training && mean && variance) return this.#kind.normalise(x, { weight, bias, mean, variance, eps });
    const y = this.#kind.normalise(x, { weight, bias, eps });
    if (training) this.#count(x);
    return y;
  }

  /** Whether x has an axis of examples, if it is an input at all. */
  #isBatch(x: Tensor): boolean {
    const { name, inputs } = this.#kind;
    const input = inputs.map((shape) => shape.split(", ")).find((axes) => axes.length === x.shape.length);
    const channels = input && x.shape[input.indexOf("channels")];
    if (input && channels === this.numFeatures) return input[0] === "examples";
    throw new ShapeError(`${name}: the input is ${showShape(x.shape)}`, {
      why: input
        ? `it has ${channels} channels, the layer was made for ${this.numFeatures}`
        : `it must be ${inputs.map((s) => `[${s}]`).join(" or ")}`,
      help: input ? `write new ${name}(${channels})` : "reshape it",
    });
  }

  /** running ← (1 − momentum) · running + momentum · the input's. */
  #count(x: Tensor): void {
    const { runningMean, runningVar, numBatchesTracked, momentum } = this;
    if (!runningMean || !runningVar || !numBatchesTracked) return;
    const batches = numBatchesTracked.add(1);
    const { mean, variance } = this.#kind.statistics(x);
    const share = momentum ?? batches.cast(runningMean.dtype).reciprocal();
    numBatchesTracked.assign(batches);
    runningMean.assign(moved(runningMean, mean, share));
    runningVar.assign(moved(runningVar, variance, share));
  }
}

/** (1 − share) · running + share · latest. */
function moved(running: Tensor, latest: Tensor, share: number | Tensor): Tensor {
  const rest = typeof share === "number" ? 1 - share : share.neg().add(1);
  return running.mul(rest).add(latest.cast(running.dtype).mul(share));
}
