/** Losses for classes and probabilities: negative log-likelihoods of Bernoulli and categorical outputs, stable from logits. */
import { isFloat, isInteger } from "../core/dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../core/errors.ts";
import { exampleMean } from "../core/example-mean.ts";
import { checkAxis, sameShape, showShape } from "../core/shape.ts";
import { customGradient, oneHot, type Tensor, where } from "../index.ts";
import { checkProbability } from "./arguments.ts";
import {
  checkSameShape,
  type LossOptions,
  loss,
  type Reduced,
  type Reduction,
  reduce,
  type WeightedOptions,
  weighted,
} from "./reduction.ts";

export interface BceOptions<R = Reduction> extends WeightedOptions<R> {
  /** Weight of the positive examples: above 1 favours recall. A number, or a tensor that broadcasts to the logits. Default 1. */
  readonly posWeight?: number | Tensor;
}

/**
 * −t log σ(x) − (1 − t) log(1 − σ(x)), the negative log-likelihood of Bernoulli outputs, computed as max(x, 0) − x t + log(1 + e^−|x|):
 * finite for any finite logit, gradient σ(x) − t everywhere.
 *
 * Shapes: equal; targets in [0, 1].
 *
 * @throws ShapeError if the shapes differ
 * @example bceWithLogits(model.forward(x, inference), y)
 */
export const bceWithLogits = /* @__PURE__ */ exampleMean(
  "bceWithLogits",
  <R extends Reduction = "mean">(logits: Tensor, target: Tensor, options: BceOptions<R> = {}): Reduced<R> => {
    return loss("bceWithLogits", { tensors: [logits, target], options, names: ["weight", "posWeight"] }, () => {
      checkSameShape(logits, target, "bceWithLogits");
      const losses = bceOf(logits, target.cast(logits.dtype), options.posWeight);
      return reduce(weighted(losses, options.weight, "bceWithLogits"), options.reduction, "bceWithLogits");
    });
  },
);

function bceOf(logits: Tensor, t: Tensor, posWeight: number | Tensor | undefined): Tensor {
  if (posWeight === undefined) return logits.relu().sub(logits.mul(t)).add(negativeAbs(logits).exp().log1p());
  const costs = logits
    .neg()
    .softplus()
    .mul(t.mul(weightMinusOne(posWeight)).add(1));
  return logits.mul(t.neg().add(1)).add(costs);
}

/** −|x| whose derivative at 0 counts as 1: with max(x, 0)' = 0 there, the gradient of the loss comes out as ½ − t. */
const negativeAbs = (x: Tensor): Tensor => where(x.gt(0), x.neg(), x);

const weightMinusOne = (weight: number | Tensor): number | Tensor => (typeof weight === "number" ? weight - 1 : weight.sub(1));

/** Logarithms of probabilities count as this at least, as in PyTorch: a sure prediction that is wrong costs much, not everything. */
const LEAST_LOG = -100;
/** Slopes of logarithms of probabilities are at most one over this, to the bit as in PyTorch, which holds it in float32. */
const LEAST = Math.fround(1e-12);
const logOf = (p: Tensor): Tensor => p.log().clip(LEAST_LOG, Number.POSITIVE_INFINITY);
const logOfRest = (p: Tensor): Tensor => p.neg().log1p().clip(LEAST_LOG, Number.POSITIVE_INFINITY);
const atLeast = (p: Tensor): Tensor => p.clip(LEAST, Number.POSITIVE_INFINITY);

/**
 * −t log p − (1 − t) log(1 − p), the negative log-likelihood of Bernoulli outputs given as probabilities p, with logarithms of at least −100.
 * Its gradient is (p − t) / max(p (1 − p), 10⁻¹²), as PyTorch's. `bceWithLogits` takes logits, and loses no digits where p is near 0 or 1.
 *
 * Shapes: equal; p and targets in [0, 1]. A p outside makes NaN.
 *
 * @throws ShapeError if the shapes differ, or the weight does not broadcast to them
 * @example bce(model.forward(x, inference).sigmoid(), y)
 */
export const bce = /* @__PURE__ */ exampleMean(
  "bce",
  <R extends Reduction = "mean">(probabilities: Tensor, target: Tensor, options: WeightedOptions<R> = {}): Reduced<R> => {
    return loss("bce", { tensors: [probabilities, target], options, names: ["weight"] }, () => {
      checkSameShape(probabilities, target, "bce");
      const losses = bernoulliCosts(probabilities, target.cast(probabilities.dtype));
      return reduce(weighted(losses, options.weight, "bce"), options.reduction, "bce");
    });
  },
);

/** With its slope stated: clipped logarithms have none at 0 and 1, where a sure mistake is to be unlearnt. */
const bernoulliCosts = (p: Tensor, t: Tensor): Tensor =>
  customGradient(
    (p: Tensor, t: Tensor): Tensor =>
      t
        .sub(1)
        .mul(logOfRest(p))
        .sub(t.mul(logOf(p))),
    (dy, _, p, t) => [dy.mul(p.sub(t)).div(atLeast(p.mul(p.neg().add(1)))), dy.mul(logOfRest(p).sub(logOf(p)))],
  )(p, t);

/**
 * The mean over the classes of −w (t log σ(x) + (1 − t) log σ(−x)): a Bernoulli output for each class, of examples that may belong to several.
 *
 * Shapes: x and target [..., classes], the losses [...]; weight [classes].
 *
 * @throws ShapeError if the shapes differ
 */
export const multiLabelSoftMargin = /* @__PURE__ */ exampleMean(
  "multiLabelSoftMargin",
  <R extends Reduction = "mean">(logits: Tensor, target: Tensor, options: WeightedOptions<R> = {}): Reduced<R> => {
    return loss("multiLabelSoftMargin", { tensors: [logits, target], options, names: ["weight"] }, () => {
      checkSameShape(logits, target, "multiLabelSoftMargin");
      const losses = bceOf(logits, target.cast(logits.dtype), undefined);
      return reduce(weighted(losses, options.weight, "multiLabelSoftMargin").mean(-1), options.reduction, "multiLabelSoftMargin");
    });
  },
);

export interface ClassOptions<R = Reduction> extends LossOptions<R> {
  /** A class number that marks examples to be left out. They count neither in the sum nor in the mean; if all are left out the mean is 0/0 = NaN. */
  readonly ignoreIndex?: number;
  /** A weight per class, [classes]. The mean is then weighted: Σ w·loss / Σ w over the targets' classes. */
  readonly weight?: Tensor;
  /** The axis of the classes. Default the last. */
  readonly axis?: number;
}
const CLASS_OPTIONS: readonly (keyof ClassOptions)[] = ["ignoreIndex", "weight", "axis"];
export interface CrossEntropyOptions<R = Reduction> extends ClassOptions<R> {
  /** ε in [0, 1]: targets become (1 − ε) · target + ε / classes. Szegedy et al. 2016. Default 0. */
  readonly labelSmoothing?: number;
}

/**
 * −Σ_c t_c log softmax(x)_c, the negative log-likelihood of categorical outputs, computed from log-softmax: finite for any finite logits.
 *
 * Shapes: logits [..., classes]; target either integer classes [...], or probabilities [..., classes].
 * The class axis is the last unless `axis` says otherwise (PyTorch's is 1: the same for [n, classes]).
 * Values are PyTorch's for all options. The mean is over the examples; the mean of none is NaN.
 *
 * @throws ShapeError, DTypeError for targets that are neither; OutOfRangeError at run time for a class outside 0 … classes − 1: mark examples without
 * a class with `ignoreIndex`
 * @example crossEntropy(model.forward(x, mode), y, { labelSmoothing: 0.1 })
 */
export const crossEntropy = /* @__PURE__ */ exampleMean(
  "crossEntropy",
  <R extends Reduction = "mean">(logits: Tensor, target: Tensor, options: CrossEntropyOptions<R> = {}): Reduced<R> =>
    categorical("crossEntropy", { scores: logits, target, logs: (x, axis) => x.logSoftmax(axis) }, options),
);

/**
 * −Σ_c t_c log p_c, the negative log-likelihood of categorical outputs given as probabilities p, with logarithms of at least −100 and slopes of at most 10¹².
 * `crossEntropy` takes logits, and loses no digits; its options, targets and means are the same.
 *
 * Shapes: p [..., classes]; target either integer classes [...], or probabilities [..., classes].
 *
 * @throws ShapeError, DTypeError for targets that are neither; OutOfRangeError at run time for a class that does not exist
 * @example categoricalCrossEntropy(model.forward(x, inference).softmax(), y)
 */
export const categoricalCrossEntropy = /* @__PURE__ */ exampleMean(
  "categoricalCrossEntropy",
  <R extends Reduction = "mean">(probabilities: Tensor, target: Tensor, options: CrossEntropyOptions<R> = {}): Reduced<R> =>
    categorical("categoricalCrossEntropy", { scores: probabilities, target, logs: logOfProbability }, options),
);

const logOfProbability = (p: Tensor): Tensor =>
  customGradient(
    (p: Tensor): Tensor => logOf(p),
    (dy, _, p) => [dy.div(atLeast(p))],
  )(p);

/** What an output says of the classes, and what makes log-probabilities of it. */
interface Categorical {
  readonly scores: Tensor;
  readonly target: Tensor;
  logs(scores: Tensor, axis: number): Tensor;
}

function categorical<R extends Reduction>(who: string, { scores, target, logs }: Categorical, options: CrossEntropyOptions<R>): Reduced<R> {
  return loss(who, { tensors: [scores, target], options, names: [...CLASS_OPTIONS, "labelSmoothing"] }, () => {
    const smoothing = checkProbability(options.labelSmoothing ?? 0, `${who}: labelSmoothing`);
    const axis = checkAxis(options.axis ?? -1, scores.shape.length, who);
    const classes = { who, logs: logs(scores, axis), axis, smoothing };
    return sameShape(target.shape, scores.shape) ? softTargets(classes, target, options) : hardTargets(classes, target, options);
  });
}

/** Log-probabilities of classes along an axis, and the smoothing of the targets. */
interface Classes {
  readonly who: string;
  readonly logs: Tensor;
  readonly axis: number;
  readonly smoothing: number;
}

/**
 * −x[target]: the negative log-likelihood, given log-probabilities (`logSoftmax`).
 *
 * Shapes: x [..., classes], target integer classes [...].
 *
 * @throws ShapeError, DTypeError; OutOfRangeError at run time for a class that does not exist
 */
export const nll = /* @__PURE__ */ exampleMean(
  "nll",
  <R extends Reduction = "mean">(logProbabilities: Tensor, target: Tensor, options: ClassOptions<R> = {}): Reduced<R> => {
    return loss("nll", { tensors: [logProbabilities, target], options, names: CLASS_OPTIONS }, () => {
      const axis = checkAxis(options.axis ?? -1, logProbabilities.shape.length, "nll");
      return hardTargets({ who: "nll", logs: logProbabilities, axis, smoothing: 0 }, target, options);
    });
  },
);

/** −log p of the target's class, with smoothing, class weights and examples left out. */
function hardTargets<R extends Reduction>(
  { who, logs, axis, smoothing }: Classes,
  target: Tensor,
  { ignoreIndex, weight, reduction }: ClassOptions<R>,
): Reduced<R> {
  checkClasses(who, logs, target, axis);
  checkWeight(who, logs, axis, weight);
  const kept = ignoreIndex === undefined ? undefined : target.ne(checkIgnored(who, ignoreIndex));
  // Ignored examples read class 0, which exists, and are masked below.
  const classes = kept ? where(kept, target, 0).cast(target.dtype) : target;
  const chosen = classMask(classes, logs, axis);
  // Selected, not multiplied: a class of probability 0 has the logarithm −∞, and 0 · ∞ is NaN.
  const pick = (x: Tensor): Tensor => where(chosen, x, 0).sum(axis);
  const perClass = weight ? alongAxis(weight.cast(logs.dtype), logs, axis) : undefined;
  const costs = (perClass ? logs.mul(perClass) : logs).neg();
  let losses = pick(costs);
  if (smoothing > 0) losses = losses.mul(1 - smoothing).add(costs.mean(axis).mul(smoothing));
  if (kept) losses = where(kept, losses, 0);
  if ((reduction ?? "mean") !== "mean" || !(kept || perClass)) return reduce(losses, reduction, who);
  const share = perClass ? pick(perClass.broadcastTo(logs.shape)) : undefined;
  const counted = kept ? (share ? where(kept, share, 0) : kept.cast(logs.dtype)) : share!;
  return losses.sum().div(counted.sum()) as Reduced<R>;
}

function softTargets<R extends Reduction>(
  { who, logs, axis, smoothing }: Classes,
  target: Tensor,
  { ignoreIndex, weight, reduction }: ClassOptions<R>,
): Reduced<R> {
  if (!isFloat(target.dtype))
    throw new DTypeError(`${who}: the target has the logits' shape ${showShape(logs.shape)}, but is ${target.dtype}`, {
      why: "a target of that shape is read as probabilities",
      help: `target.cast("${logs.dtype}"), or integer classes without the axis of the classes`,
    });
  if (ignoreIndex !== undefined)
    throw new ArgumentError(`${who}: ignoreIndex means nothing for probabilities`, { help: "leave it out, or pass integer classes" });
  checkWeight(who, logs, axis, weight);
  const classes = logs.shape[axis]!;
  const t = smoothing > 0 ? target.mul(1 - smoothing).add(smoothing / classes) : target;
  const shares = weight ? t.mul(alongAxis(weight.cast(logs.dtype), logs, axis)) : t;
  return reduce(shares.mul(logs.neg()).sum(axis), reduction, who);
}

/** True at the target's class: one-hot along `axis`; a class that does not exist is an error at run time. */
const classMask = (target: Tensor, logs: Tensor, axis: number): Tensor => {
  const hot = oneHot(target, logs.shape[axis]!).cast("bool");
  if (axis === logs.shape.length - 1) return hot;
  const order = Array.from({ length: axis }, (_, i) => i);
  return hot.permute([...order, logs.shape.length - 1, ...Array.from({ length: logs.shape.length - 1 - axis }, (_, i) => axis + i)]);
};

/** [classes] → [classes, 1, …, 1], so that it broadcasts along `axis`. */
const alongAxis = (weight: Tensor, logs: Tensor, axis: number): Tensor =>
  weight.reshape([logs.shape[axis]!, ...new Array<number>(logs.shape.length - 1 - axis).fill(1)]);

export function checkClasses(who: string, logs: Tensor, target: Tensor, axis: number): void {
  const expected = logs.shape.filter((_: number, i: number) => i !== axis);
  if (!sameShape(expected, target.shape))
    throw new ShapeError(`${who}: the target is ${showShape(target.shape)}, the scores are ${showShape(logs.shape)}`, {
      why: `integer classes would be ${showShape(expected)}${who === "nll" ? "" : `, probabilities ${showShape(logs.shape)}`}: axis ${axis} holds the classes`,
      help:
        target.shape.at(-1) === 1 && target.shape.length === logs.shape.length
          ? "target.squeeze(-1)"
          : "check the batch, or set the axis option",
    });
  checkNumbered(who, target);
}

/** Refuses classes that are no integers. */
export function checkNumbered(who: string, target: Tensor): void {
  if (!isInteger(target.dtype))
    throw new DTypeError(`${who}: the classes are ${target.dtype}`, {
      why: "a class is a whole number",
      help: 'dtype: "int32" in the data set, which refuses what is no whole number; or target.cast("int32")',
    });
}

export function checkWeight(who: string, logs: Tensor, axis: number, weight: Tensor | undefined): void {
  if (weight && !sameShape(weight.shape, [logs.shape[axis]!]))
    throw new ShapeError(`${who}: the weights are ${showShape(weight.shape)}`, {
      why: `one for each class: [${logs.shape[axis]}]`,
    });
}

function checkIgnored(who: string, index: number): number {
  if (Number.isInteger(index)) return index;
  throw new ArgumentError(`${who}: ignoreIndex is ${String(index)}`, { help: "a whole number, such as -1" });
}

export type KlReduction = Reduction | "batchMean";

export interface KlOptions<R = KlReduction> {
  /** "batchMean" is the divergence per example (the sum divided by the first axis); "mean" divides by all elements, as PyTorch's. Default "mean". */
  readonly reduction?: R;
  /** The target holds log-probabilities too. Default false. */
  readonly logTarget?: boolean;
}

/**
 * t · (log t − x), the terms of the Kullback-Leibler divergence D(t ‖ eˣ), with log-probabilities x (`logSoftmax`) and probabilities t.
 * Where t is 0 the term is 0.
 *
 * Shapes: equal. @throws ShapeError if they are not
 */
export const klDivergence = /* @__PURE__ */ exampleMean(
  "klDivergence",
  <R extends KlReduction = "mean">(logProbabilities: Tensor, target: Tensor, options: KlOptions<R> = {}): Reduced<R> => {
    return loss("klDivergence", { tensors: [logProbabilities, target], options, names: ["logTarget"] }, () => {
      checkSameShape(logProbabilities, target, "klDivergence");
      const losses = options.logTarget
        ? target.exp().mul(target.sub(logProbabilities))
        : target.mul(logOrZero(target)).sub(target.mul(logProbabilities));
      if (options.reduction !== "batchMean") return reduce(losses, options.reduction, "klDivergence");
      return losses.sum().div(losses.shape[0] ?? 1) as Reduced<R>;
    });
  },
);

/** log t, and 0 where t is 0: then 0 · log 0 = 0, and its gradient is finite. */
const logOrZero = (t: Tensor): Tensor => where(t.eq(0), 1, t).cast(t.dtype).log();
