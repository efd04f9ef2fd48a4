/** Normalisation as functions: numbers brought to mean 0 and variance 1. Layers that learn their weights and count running statistics are in gradus/nn. */
import { checkOptions } from "../core/options.ts";
import type { Shape } from "../core/shape-types.ts";
import { atUserLine } from "../core/site.ts";
import type { Value } from "../graph/op.ts";
import * as surface from "../surface/index.ts";
import { nodeOf } from "./operand.ts";
import { derived, type Tensor } from "./tensor.ts";

export interface BatchNormOptions extends surface.BatchNormOptions<Tensor> {}
export interface NormalisationOptions extends surface.NormalisationOptions<Tensor> {}
export type LocalResponseOptions = surface.LocalResponseOptions;

const AFFINE = ["weight", "bias"];

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
  return over("batchNorm", x, options, [...AFFINE, "mean", "variance"], surface.batchNorm);
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

/** Those of `batchStatistics` of each example, averaged over the examples. */
export function instanceStatistics(x: Tensor): { readonly mean: Tensor<[number]>; readonly variance: Tensor<[number]> } {
  return atUserLine(() => {
    const { mean, variance } = surface.instanceStatistics(nodeOf(x, "instanceStatistics"));
    return { mean: derived(mean, [x]), variance: derived(variance, [x]) };
  }, "instanceStatistics");
}

/**
 * Brings each example to mean 0 and variance 1 over its last axes: y = (x − mean) / √(variance + eps) · weight + bias. Ba, Kiros and Hinton 2016.
 *
 * Shapes: x [..., normalizedShape], kept; weight and bias normalizedShape. @throws ShapeError if x does not end in it
 * @example layerNorm(x, 512, { weight, bias })
 */
export function layerNorm<S extends Shape>(x: Tensor<S>, normalizedShape: number | Shape, options: NormalisationOptions = {}): Tensor<S> {
  return over("layerNorm", x, options, AFFINE, (v, rest) => surface.layerNorm(v, normalizedShape, rest));
}

/**
 * Brings each group of neighbouring channels of an example to mean 0 and variance 1. Wu and He 2018. One group is `layerNorm` over channels and
 * positions, as many as channels `instanceNorm`.
 *
 * Shapes: x [n, channels, …], kept; weight and bias [channels]. @throws ShapeError if the channels do not divide into groups
 */
export function groupNorm<S extends Shape>(x: Tensor<S>, groups: number, options: NormalisationOptions = {}): Tensor<S> {
  return over("groupNorm", x, options, AFFINE, (v, rest) => surface.groupNorm(v, groups, rest));
}

/**
 * Brings each channel of each example to mean 0 and variance 1 over its positions, or by the mean and variance given. Ulyanov, Vedaldi and
 * Lempitsky 2016.
 *
 * Shapes: x [n, channels, …], kept; weight, bias, mean and variance [channels]. @throws ShapeError for examples of one position
 */
export function instanceNorm<S extends Shape>(x: Tensor<S>, options: BatchNormOptions = {}): Tensor<S> {
  return over("instanceNorm", x, options, [...AFFINE, "mean", "variance"], surface.instanceNorm);
}

/**
 * Divides each example by the root of its mean square over the last axes: y = x / √(mean x² + eps) · weight. Zhang and Sennrich 2019. eps is by default what
 * the dtype tells apart from 1, 2⁻²³ of float32.
 *
 * Shapes: x [..., normalizedShape], kept; weight normalizedShape. @throws ShapeError if x does not end in it
 */
export function rmsNorm<S extends Shape>(
  x: Tensor<S>,
  normalizedShape: number | Shape,
  options: Omit<NormalisationOptions, "bias"> = {},
): Tensor<S> {
  return over("rmsNorm", x, options, ["weight"], (v, rest) => surface.rmsNorm(v, normalizedShape, rest));
}

/**
 * Damps what has strong neighbours among the channels: y_c = x_c / (k + alpha · Σ x² / size)^beta, the sum over channels c − ⌊size / 2⌋ … c + ⌊(size − 1) / 2⌋
 * as far as there are such. Krizhevsky, Sutskever and Hinton 2012, section 3.3, whose α is PyTorch's alpha / size: for theirs, size 5, alpha 5e-4, beta 0.75, k 2.
 *
 * Shapes: x [n, channels, …], kept. @throws ArgumentError for a size below 1, and what is no number
 */
export function localResponseNorm<S extends Shape>(x: Tensor<S>, size: number, options: LocalResponseOptions = {}): Tensor<S> {
  return atUserLine(() => {
    checkOptions("localResponseNorm", options, ["alpha", "beta", "k"]);
    return derived(surface.localResponseNorm(nodeOf(x, "localResponseNorm"), size, options), [x]);
  }, "localResponseNorm");
}
