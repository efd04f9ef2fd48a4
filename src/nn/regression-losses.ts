/** Losses for real numbers: negative log-likelihoods of Gaussian and Laplace noise, and what lies between. */
import { ShapeError } from "../core/errors.ts";
import { exampleMean } from "../core/example-mean.ts";
import { sameShape, showShape } from "../core/shape.ts";
import { type Tensor, where } from "../index.ts";
import { checkPositive, checkSameShape, type LossOptions, loss, type Reduced, type Reduction, reduce } from "./reduction.ts";

/**
 * (x − t)²: up to a factor the negative log-likelihood of Gaussian noise.
 *
 * Shapes: equal. @throws ShapeError if they are not
 * @example mse(model.forward(x, inference), y)
 */
export const mse = /* @__PURE__ */ exampleMean(
  "mse",
  <R extends Reduction = "mean">(x: Tensor, target: Tensor, options: LossOptions<R> = {}): Reduced<R> => {
    return loss("mse", { tensors: [x, target], options }, () => {
      checkSameShape(x, target, "mse");
      return reduce(x.sub(target).square(), options.reduction, "mse");
    });
  },
);

/** |x − t|, gradient 0 at 0: up to constants the negative log-likelihood of Laplace noise. Shapes: equal. */
export const l1 = /* @__PURE__ */ exampleMean(
  "l1",
  <R extends Reduction = "mean">(x: Tensor, target: Tensor, options: LossOptions<R> = {}): Reduced<R> => {
    return loss("l1", { tensors: [x, target], options }, () => {
      checkSameShape(x, target, "l1");
      return reduce(x.sub(target).abs(), options.reduction, "l1");
    });
  },
);

/**
 * ½ d² where |d| < delta, else delta · (|d| − ½ delta), with d = x − t and delta 1 unless said. Shapes: equal. Huber 1964.
 *
 * @throws ArgumentError if delta is not above 0
 */
export const huber = /* @__PURE__ */ exampleMean(
  "huber",
  <R extends Reduction = "mean">(x: Tensor, target: Tensor, options: LossOptions<R> & { delta?: number } = {}): Reduced<R> => {
    return loss("huber", { tensors: [x, target], options, names: ["delta"] }, () => {
      checkSameShape(x, target, "huber");
      return reduce(huberOf(x.sub(target), checkPositive(options.delta ?? 1, "huber: delta")), options.reduction, "huber");
    });
  },
);

/**
 * ½ d² / beta where |d| < beta, else |d| − ½ beta, that is Huber's loss divided by beta; beta 1 unless said, and 0 gives |d|. Shapes: equal.
 * Girshick 2015.
 *
 * @throws ArgumentError if beta is below 0
 */
export const smoothL1 = /* @__PURE__ */ exampleMean(
  "smoothL1",
  <R extends Reduction = "mean">(x: Tensor, target: Tensor, options: LossOptions<R> & { beta?: number } = {}): Reduced<R> => {
    return loss("smoothL1", { tensors: [x, target], options, names: ["beta"] }, () => {
      checkSameShape(x, target, "smoothL1");
      const { beta = 1 } = options;
      const d = x.sub(target);
      const losses = beta === 0 ? d.abs() : huberOf(d, checkPositive(beta, "smoothL1: beta")).div(beta);
      return reduce(losses, options.reduction, "smoothL1");
    });
  },
);

function huberOf(d: Tensor, delta: number): Tensor {
  const size = d.abs();
  return where(size.lt(delta), d.square().mul(0.5), size.sub(delta / 2).mul(delta));
}

export interface GaussianNllOptions<R = Reduction> extends LossOptions<R> {
  /** Add the constant ½ log 2π. Default false. */
  readonly full?: boolean;
  /** Variances below this count as this, and get no gradient. Default 1e-6. */
  readonly eps?: number;
}

/**
 * ½ (log v + (x − t)² / v): the negative log-likelihood of a Gaussian whose mean x and variance v are both predicted.
 *
 * Shapes: x and target equal; the variance too, or with size 1 where it is shared along an axis, or [...] for x [..., d]: one for each example,
 * or []. Nix and Weigend 1994.
 *
 * @throws ShapeError for another variance
 */
export function gaussianNll<R extends Reduction = "mean">(
  x: Tensor,
  target: Tensor,
  variance: Tensor,
  options: GaussianNllOptions<R> = {},
): Reduced<R> {
  return loss("gaussianNll", { tensors: [x, target, variance], options, names: ["full", "eps"] }, () => {
    const { full = false, eps = 1e-6, reduction } = options;
    checkSameShape(x, target, "gaussianNll");
    const v = sharedVariance(x, variance).clip(checkPositive(eps, "gaussianNll: eps"), Number.POSITIVE_INFINITY);
    const losses = v.log().add(x.sub(target).square().div(v)).mul(0.5);
    return reduce(full ? losses.add(Math.log(2 * Math.PI) / 2) : losses, reduction, "gaussianNll");
  });
}

/** The variance with the rank of x, so that it means the same however its sizes happen to agree: [n] is one for each example of [n, d]. */
function sharedVariance(x: Tensor, variance: Tensor): Tensor {
  const [shape, own] = [x.shape, variance.shape];
  if (own.length === 0 || (own.length === shape.length && own.every((d: number, i: number) => d === shape[i] || d === 1))) return variance;
  if (sameShape(own, shape.slice(0, -1))) return variance.unsqueeze(-1);
  throw new ShapeError(`gaussianNll: the prediction is ${showShape(shape)}, the variance ${showShape(own)}`, {
    why: `it can be ${showShape(shape)}, the same with sizes 1, ${showShape(shape.slice(0, -1))} with one for each example, or []`,
  });
}

export interface PoissonNllOptions<R = Reduction> extends LossOptions<R> {
  /** x is the logarithm of the rate, and any number; else it is the rate itself. Default true. */
  readonly logInput?: boolean;
  /** Add log t! by Stirling's formula, t log t − t + ½ log 2πt, where t > 1. Default false. */
  readonly full?: boolean;
  /** Added to a rate before its logarithm is taken. Default 1e-8. */
  readonly eps?: number;
}

/**
 * eˣ − t x, or x − t log(x + eps) with `logInput: false`: up to log t! the negative log-likelihood of a count t with the rate eˣ or x.
 *
 * Shapes: equal.
 *
 * @throws ShapeError if they are not
 * @example poissonNll(model.forward(x, inference), counts)
 */
export const poissonNll = /* @__PURE__ */ exampleMean(
  "poissonNll",
  <R extends Reduction = "mean">(x: Tensor, target: Tensor, options: PoissonNllOptions<R> = {}): Reduced<R> => {
    return loss("poissonNll", { tensors: [x, target], options, names: ["logInput", "full", "eps"] }, () => {
      checkSameShape(x, target, "poissonNll");
      const { logInput = true, full = false, eps = 1e-8 } = options;
      const t = target.cast(x.dtype);
      const losses = logInput ? x.exp().sub(t.mul(x)) : x.sub(t.mul(x.add(checkPositive(eps, "poissonNll: eps")).log()));
      return reduce(full ? losses.add(logFactorial(t)) : losses, options.reduction, "poissonNll");
    });
  },
);

/** log t! by Stirling's formula where t > 1, else 0. */
function logFactorial(t: Tensor): Tensor {
  const many = t.gt(1);
  const n = where(many, t, 1);
  const stirling = n
    .mul(n.log())
    .sub(n)
    .add(
      n
        .mul(2 * Math.PI)
        .log()
        .mul(0.5),
    );
  return where(many, stirling, 0);
}
