/** Normalisation as functions: numbers brought to mean 0 and variance 1. Layers that learn their weights and count running statistics are in gradus/nn. */
import { checkOptions } from "../core/options.ts";
import type { Shape } from "../core/shape-types.ts";
import { atUserLine } from "../core/site.ts";
import type { Value } from "../graph/op.ts";
import * as surface from "../surface/index.ts";
import { nodeOf } from "./operand.ts";
import { derived, type Tensor } from "./tensor.ts";

export interface BatchNormOptions extends surface.BatchNormOptions<Tensor> {}

/** An operator over x and options, of which those named are tensors. */
function over<O extends object>(
  who: string,
  x: unknown,
  options: O,
  tensors: readonly string[],
  operator: (x: Value, options: any) => Value,
): Tensor {
  return atUserLine(() => {
    checkOptions(who, options, [...tensors, "eps"]);
    const given = Object.entries(options).filter(([name, value]) => tensors.includes(name) && value !== undefined);
    const values = Object.fromEntries(given.map(([name, tensor]) => [name, nodeOf(tensor, who)]));
    return derived(operator(nodeOf(x, who), { ...options, ...values }), [x, ...given.map(([, tensor]) => tensor)]);
  }, who);
}

/**
 * Brings each channel of a batch to mean 0 and variance 1: y = (x − mean) / √(variance + eps) · weight + bias, where mean and (biased) variance are those of
 * the channel in this batch, or given. Ioffe and Szegedy 2015, algorithm 1. Gradients go through the statistics.
 *
 * Shapes: x [n, channels, …], kept; weight, bias, mean and variance [channels].
 *
 * @throws ShapeError for other shapes, and for a batch of one number per channel that brings no statistics
 * @example batchNorm(images, { weight, bias })   // as in training; with mean and variance as in use
 */
export function batchNorm<S extends Shape>(x: Tensor<S>, options: BatchNormOptions = {}): Tensor<S> {
  return over("batchNorm", x, options, ["weight", "bias", "mean", "variance"], surface.batchNorm);
}

/**
 * Mean and unbiased variance Σ(x − mean)² / (n − 1) of each channel: what running statistics are made of. Beside `batchNorm` of the same tensor
 * they cost nothing.
 *
 * Shapes: x [n, channels, …] → [channels] each. @throws ShapeError for a batch of one number per channel
 */
export function batchStatistics(x: Tensor): { readonly mean: Tensor<[number]>; readonly variance: Tensor<[number]> } {
  return atUserLine(() => {
    const { mean, variance } = surface.batchStatistics(nodeOf(x, "batchStatistics"));
    return { mean: derived(mean, [x]), variance: derived(variance, [x]) };
  }, "batchStatistics");
}
