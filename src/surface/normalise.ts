/**
 * Normalisation: numbers brought to mean 0 and variance 1 over some axes, y = (x − mean) / √(variance + eps) · weight + bias. What the kinds
 * differ in is over which axes, and where mean and variance come from.
 *
 * Large means lose nothing: what is summed is shifted by a number near the mean first, so that squares are of deviations.
 */
import { ArgumentError, ShapeError, show } from "../core/errors.ts";
import { checkShape, type Shape, sameShape, showShape, sizeOf } from "../core/shape.ts";
import type { Value } from "../graph/op.ts";
import * as ops from "../ops/index.ts";
import { free, promoted, wholePower } from "./elementwise.ts";
import { plus, times } from "./maths.ts";

/** Deviations from the mean, and the mean of their squares. */
interface Moments {
  readonly mean: Value;
  readonly variance: Value;
  readonly centred: Value;
}

/** The part of the numbers that is asked where they lie. */
const SAMPLE = 32;

/**
 * In one pass: sums of x − s and of (x − s)², where s is the mean of a 32nd of the numbers, or more. Then (mean − s)² ≤ 32 · variance whatever the numbers
 * are (Cauchy and Schwarz), so that the difference var = E(x − s)² − (mean − s)² loses 5 bits at most.
 */
function momentsInOnePass(x: Value, axes: readonly number[]): Moments {
  const sample = ops.sliceAxis(x, axes[0]!, 0, Math.ceil(x.shape[axes[0]!]! / SAMPLE));
  const shift = ops.stopGradient(ops.mean(sample, axes));
  const shifted = ops.sub(x, ops.spread(shift, x, axes));
  const offset = ops.mean(shifted, axes);
  const difference = ops.sub(ops.mean(ops.square(shifted), axes), ops.square(offset));
  // Of equal numbers the difference may round to less than nothing; NaN stays.
  const variance = ops.select(ops.lt(difference, ops.zerosLike(difference)), ops.zerosLike(difference), difference);
  return { mean: ops.add(shift, offset), variance, centred: ops.sub(shifted, ops.spread(offset, x, axes)) };
}

/** In two passes, over rows that stay near meanwhile: less the first element, less the mean, then the squares. */
function momentsOfRows(x: Value, axes: readonly number[]): Moments {
  const first = axes.reduce((v, axis) => ops.sliceAxis(v, axis, 0, 1), x);
  const shift = ops.stopGradient(ops.reshape(first, ops.sum(x, axes).shape));
  const shifted = ops.sub(x, ops.spread(shift, x, axes));
  const offset = ops.mean(shifted, axes);
  const centred = ops.sub(shifted, ops.spread(offset, x, axes));
  return { mean: ops.add(shift, offset), variance: ops.mean(ops.square(centred), axes), centred };
}

/** Numbers that are walked through several times as quickly as once: a second-level cache holds them. */
const SHORT = 65_536;

/** Rows are the last axes, and short ones are read once from memory. */
function momentsOf(x: Value, axes: readonly number[]): Moments {
  const count = sizeOf(axes.map((a) => x.shape[a]!));
  if (count === 0) return { mean: ops.mean(x, axes), variance: ops.mean(x, axes), centred: x };
  const isRow = axes.every((axis, i) => axis === x.shape.length - axes.length + i);
  return isRow && count <= SHORT ? momentsOfRows(x, axes) : momentsInOnePass(x, axes);
}

const inverseRoot = (variance: Value, eps: number): Value => ops.reciprocal(ops.sqrt(plus(variance, eps)));

/** x̂ = (x − mean) / √(variance + eps) over the axes, and 1 / √(variance + eps). */
function standardised(x: Value, { axes, eps }: Over): { hat: Value; scale: Value } {
  const { centred, variance } = momentsOf(x, axes);
  const scale = inverseRoot(variance, eps);
  return { hat: ops.mul(centred, ops.spread(scale, x, axes)), scale };
}

/** Over which axes, and what is added to the variance. */
interface Over {
  readonly axes: readonly number[];
  readonly eps: number;
}

/**
 * x̂. The gradient is stated, as two means and what is made of them: dx = (dy − mean dy − x̂ · mean(dy · x̂)) / √(variance + eps). It follows from x anew, so
 * that it can be differentiated again.
 */
function normalised(x: Value, over: Over): Value {
  return ops.custom(standardised(x, over).hat, [x], (dy: Value, _: Value, from: Value) => {
    const { hat, scale } = standardised(from, over);
    const meanOf = (v: Value): Value => ops.spread(ops.mean(v, over.axes), from, over.axes);
    const inner = ops.sub(ops.sub(dy, meanOf(dy)), ops.mul(hat, meanOf(ops.mul(dy, hat))));
    return [ops.mul(inner, ops.spread(scale, from, over.axes))];
  });
}

/**
 * x̂ · weight + bias, with one of these for each channel, on axis 1, which is not normalised over. Then the sums of dy and of dy · x̂ are all that its gradients
 * need, of the three of them: the input is read twice.
 */
function channelsNormalised(x: Value, over: Over, affine: Affine, who: string): Value {
  const y = scaled(standardised(x, over).hat, [1], affine, who);
  const given = [affine.weight, affine.bias].filter((v) => v !== undefined);
  const count = sizeOf(over.axes.map((a) => x.shape[a]!));
  return ops.custom(y, [x, ...given], (dy: Value, _: Value, from: Value, ...rest: Value[]) => {
    const weight = affine.weight && rest[0]!;
    const { hat, scale } = standardised(from, over);
    const sums = [ops.sum(ops.mul(dy, hat), over.axes), ops.sum(dy, over.axes)] as const;
    const [alongHat, along] = sums.map((s) => ops.spread(ops.div(s, ops.scalarLike(s, count)), from, over.axes)) as [Value, Value];
    const inner = ops.sub(ops.sub(dy, along), ops.mul(hat, alongHat));
    const channel = scale.shape.length - 1;
    const factor = weight ? ops.mul(scale, ops.broadcastTo(weight, scale.shape, [channel])) : scale;
    const ofChannels = sums.map((s) => ops.sum(s, ops.axesOf(channel)));
    const dx = ops.mul(inner, ops.spread(factor, from, over.axes));
    return [dx, ...(weight ? [ofChannels[0]!] : []), ...(affine.bias ? [ofChannels[1]!] : [])];
  });
}

/** Factors and summands that are learnt. */
export interface Affine<T = Value> {
  readonly weight?: T | undefined;
  readonly bias?: T | undefined;
}

/** v over the axes of x that it must have the sizes of, in the shape of x. */
function alongAxes(v: Value, x: Value, axes: readonly number[], name: string): Value {
  const shape = axes.map((a) => x.shape[a]!);
  if (sameShape(v.shape, shape)) return ops.broadcastTo(v, x.shape, axes);
  throw new ShapeError(`${name} is ${showShape(v.shape)}`, { why: `for the input ${showShape(x.shape)} it must be ${showShape(shape)}` });
}

/** x · weight + bias, where axis i of these lies along axis `axes[i]` of x. */
function scaled(x: Value, axes: readonly number[], { weight, bias }: Affine, who: string): Value {
  const product = weight ? ops.mul(x, alongAxes(weight, x, axes, `${who}: weight`)) : x;
  return bias ? ops.add(product, alongAxes(bias, x, axes, `${who}: bias`)) : product;
}

/** x and what goes with it, floats of one dtype. */
function together<T extends Affine>(x: Value, others: T, who: string): [Value, T] {
  const named = Object.entries(others).filter((entry): entry is [string, Value] => entry[1] !== undefined);
  const [v, ...rest] = promoted([free(who, (f) => f)(x), ...named.map(([, value]) => value)], who);
  return [v!, { ...others, ...Object.fromEntries(named.map(([name], i) => [name, rest[i]!])) }];
}

/** What is added to variances: a number that is not negative. */
function checkEps(eps: number, who: string): number {
  if (typeof eps === "number" && eps >= 0 && Number.isFinite(eps)) return eps;
  throw new ArgumentError(`${who}: eps is ${show(eps)}`, { help: "a number that is not negative" });
}

/** All axes but that of the channels. */
function batchAxes(x: Value, who: string): number[] {
  if (x.shape.length < 2) throw new ShapeError(`${who}: the input is ${showShape(x.shape)}`, { why: "it must be [examples, channels, …]" });
  return x.shape.map((_, axis) => axis).filter((axis) => axis !== 1);
}

/** The same, where each channel must have more than one number. */
function severalAxes(x: Value, who: string): number[] {
  const axes = batchAxes(x, who);
  const count = sizeOf(axes.map((a) => x.shape[a]!));
  if (count > 1) return axes;
  throw new ShapeError(`${who}: ${showShape(x.shape)} has ${count === 1 ? "one number" : "no numbers"} for each channel`, {
    why: "the statistics of a batch need at least two: with one, the result would be 0 whatever the input",
    help: "use a larger batch, or the layer in the mode inference",
  });
}

/** Mean and unbiased variance, Σ(x − mean)² / (n − 1), of each channel. */
export function batchStatistics(x: Value): { mean: Value; variance: Value } {
  const who = "batchStatistics";
  const v = free(who, (f) => f)(x);
  const axes = severalAxes(v, who);
  const count = sizeOf(axes.map((a) => v.shape[a]!));
  const { mean, variance } = momentsOf(v, axes);
  return { mean, variance: ops.mul(variance, ops.scalarLike(variance, count / (count - 1))) };
}

export interface BatchNormOptions<T = Value> extends Affine<T> {
  /** What to normalise by, [channels] each, instead of the batch's own. Both or neither. */
  readonly mean?: T | undefined;
  readonly variance?: T | undefined;
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
}

export function batchNorm(x: Value, options: BatchNormOptions = {}): Value {
  const who = "batchNorm";
  const { eps = 1e-5, ...tensors } = options;
  const [v, { mean, variance, ...affine }] = together(x, tensors, who);
  checkEps(eps, who);
  if (!mean !== !variance)
    throw new ArgumentError(`${who}: ${mean ? "mean" : "variance"} without ${mean ? "variance" : "mean"}`, { help: "both, or neither" });
  if (!mean || !variance) return channelsNormalised(v, { axes: severalAxes(v, who), eps }, affine, who);
  batchAxes(v, who);
  const centred = ops.sub(v, alongAxes(mean, v, [1], `${who}: mean`));
  alongAxes(variance, v, [1], `${who}: variance`);
  if (affine.weight) alongAxes(affine.weight, v, [1], `${who}: weight`);
  // One factor for each channel, so that a channel's numbers are taken times it and no root is taken of any.
  const scale = inverseRoot(variance, eps);
  return scaled(centred, [1], { weight: affine.weight ? ops.mul(affine.weight, scale) : scale, bias: affine.bias }, who);
}

/** Affine options and what is added to the variance. */
export interface NormalisationOptions<T = Value> extends Affine<T> {
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number | undefined;
}

/** The last axes, whose sizes these must be. */
function lastAxes(x: Value, normalizedShape: number | Shape, who: string): number[] {
  const shape = checkShape(typeof normalizedShape === "number" ? [normalizedShape] : normalizedShape, who);
  const first = x.shape.length - shape.length;
  if (shape.length === 0 || first < 0 || !sameShape(x.shape.slice(first), shape))
    throw new ShapeError(`${who}: the input is ${showShape(x.shape)}`, {
      why: shape.length === 0 ? "there are no axes to normalise over" : `it must end in ${showShape(shape)}`,
    });
  return shape.map((_, i) => first + i);
}

/** Each example over its last axes. */
export function layerNorm(x: Value, normalizedShape: number | Shape, { eps = 1e-5, ...affine }: NormalisationOptions = {}): Value {
  const who = "layerNorm";
  const [v, tensors] = together(x, affine, who);
  const axes = lastAxes(v, normalizedShape, who);
  return scaled(normalised(v, { axes, eps: checkEps(eps, who) }), axes, tensors, who);
}

/** Each example over groups of neighbouring channels and all positions. */
export function groupNorm(x: Value, groups: number, { eps = 1e-5, ...affine }: NormalisationOptions = {}): Value {
  const who = "groupNorm";
  const [v, tensors] = together(x, affine, who);
  batchAxes(v, who);
  const [, channels = 0] = v.shape;
  if (!Number.isSafeInteger(groups) || groups < 1)
    throw new ArgumentError(`${who}: groups is ${show(groups)}`, { help: "a whole number ≥ 1" });
  if (channels % groups !== 0)
    throw new ShapeError(`${who}: the ${channels} channels of ${showShape(v.shape)} do not divide into ${groups} groups`);
  const grouped = ops.reshape(v, v.shape.toSpliced(1, 1, groups, channels / groups));
  const axes = grouped.shape.map((_, axis) => axis).slice(2);
  const y = normalised(grouped, { axes, eps: checkEps(eps, who) });
  return scaled(ops.reshape(y, v.shape), [1], tensors, who);
}

/** The positions of an image, of which there must be more than one. */
function imageAxes(x: Value, who: string): number[] {
  const axes = x.shape.map((_, axis) => axis).slice(2);
  const count = sizeOf(axes.map((a) => x.shape[a]!));
  if (x.shape.length > 2 && count !== 1) return axes;
  throw new ShapeError(`${who}: the input is ${showShape(x.shape)}`, {
    why: "each channel of an example needs more than one position: with one, the result would be 0 whatever the input",
    help: "[examples, channels, …]",
  });
}

/** Each channel of each example over its positions, or by what is given, as `batchNorm`. */
export function instanceNorm(x: Value, options: BatchNormOptions = {}): Value {
  const who = "instanceNorm";
  const { eps = 1e-5, mean, variance, ...affine } = options;
  if (mean || variance) return batchNorm(x, options);
  const [v, tensors] = together(x, affine, who);
  return channelsNormalised(v, { axes: imageAxes(v, who), eps: checkEps(eps, who) }, tensors, who);
}

/** Mean and unbiased variance of each channel of each example, averaged over the examples. */
export function instanceStatistics(x: Value): { mean: Value; variance: Value } {
  const who = "instanceStatistics";
  const v = free(who, (f) => f)(x);
  const axes = imageAxes(v, who);
  const count = sizeOf(axes.map((a) => v.shape[a]!));
  if (v.shape[0] === 0 || count === 0)
    throw new ShapeError(`${who}: ${showShape(v.shape)} has no numbers`, { why: "there is nothing to count" });
  const { mean, variance } = momentsOf(v, axes);
  const unbiased = ops.mul(variance, ops.scalarLike(variance, count / (count - 1)));
  return { mean: ops.mean(mean, [0]), variance: ops.mean(unbiased, [0]) };
}

/** The step from 1 to the next number: what is added to a mean of squares unless said, as in PyTorch. */
const STEP = { float32: 2 ** -23, float64: 2 ** -52 };

/** x / √(mean x² + eps) · weight over the last axes. */
export function rmsNorm(x: Value, normalizedShape: number | Shape, { eps, ...affine }: NormalisationOptions = {}): Value {
  const who = "rmsNorm";
  const [v, { weight }] = together(x, affine, who);
  const axes = lastAxes(v, normalizedShape, who);
  const scale = inverseRoot(ops.mean(ops.square(v), axes), eps === undefined ? STEP[v.dtype as keyof typeof STEP] : checkEps(eps, who));
  return scaled(ops.mul(v, ops.spread(scale, v, axes)), axes, { weight }, who);
}

export interface LocalResponseOptions {
  /** Factor of the mean of squares. Default 1e-4. */
  readonly alpha?: number | undefined;
  /** Power that is divided by. Default 0.75. */
  readonly beta?: number | undefined;
  /** Added to it. Default 1. */
  readonly k?: number | undefined;
}

/** x_c / (k + alpha · Σ x² / size)^beta, the sum over `size` channels around c. */
export function localResponseNorm(x: Value, size: number, { alpha = 1e-4, beta = 0.75, k = 1 }: LocalResponseOptions = {}): Value {
  const who = "localResponseNorm";
  const v = free(who, (f) => f)(x);
  batchAxes(v, who);
  if (!Number.isSafeInteger(size) || size < 1) throw new ArgumentError(`${who}: size is ${show(size)}`, { help: "a whole number ≥ 1" });
  for (const [name, number] of Object.entries({ alpha, beta, k }))
    if (!Number.isFinite(number)) throw new ArgumentError(`${who}: ${name} is ${show(number)}`, { help: "a number" });
  if (v.shape[1] === 0) return v;
  const before = Math.min(Math.floor(size / 2), v.shape[1]!);
  const after = Math.min(Math.floor((size - 1) / 2), v.shape[1]!);
  const base = (of: Value): Value => plus(times(sumAround(ops.square(of), before, after), alpha / size), k);
  const y = ops.div(v, power(base(v), beta));
  // dx = dy / base^beta − 2 · alpha · beta / size · x · Σ dy · y / base, over the channels that have x among their neighbours.
  return ops.custom(y, [v], (dy: Value, out: Value, from: Value) => {
    const below = base(from);
    const around = sumAround(ops.div(ops.mul(dy, out), below), after, before);
    return [ops.sub(ops.div(dy, power(below, beta)), ops.mul(from, times(around, (2 * alpha * beta) / size)))];
  });
}

/** Σ over the channels from c − before to c + after. */
function sumAround(x: Value, before: number, after: number): Value {
  const only = (n: number): number[] => x.shape.map((_, axis) => (axis === 1 ? n : 0));
  const padded = ops.pad(x, { low: only(before), high: only(after), interior: only(0), value: 0 });
  return ops.sum(ops.windows(padded, { axis: 1, size: before + after + 1, stride: 1, dilation: 1 }), [2]);
}

/** xᵖ for x ≥ 0; quarters by roots, which are quicker. */
function power(x: Value, p: number): Value {
  const quarters = 4 * p;
  if (!Number.isInteger(quarters) || quarters < 1 || quarters > 16) return ops.pow(x, ops.scalarLike(x, p));
  const root = ops.sqrt(x);
  return quarters % 2 === 0 ? wholePower(root, quarters / 2) : wholePower(ops.sqrt(root), quarters);
}
