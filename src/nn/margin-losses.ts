/** Losses that ask for a margin: nothing is paid where the right answer is ahead by enough, and what is missing elsewhere. */
import { ArgumentError, DTypeError, ShapeError } from "../core/errors.ts";
import { exampleMean } from "../core/example-mean.ts";
import { sameShape, showShape } from "../core/shape.ts";
import { oneHot, type Tensor, where } from "../index.ts";
import { checkClasses, checkNumbered, checkWeight } from "./classification-losses.ts";
import { type PairwiseDistanceOptions, pairwiseDistance } from "./distances.ts";
import { checkSameShape, type LossOptions, loss, type Reduced, type Reduction, reduce } from "./reduction.ts";

export interface MarginOptions<R = Reduction> extends LossOptions<R> {
  /** How far ahead is enough. Default 1; of `marginRanking` and `cosineEmbedding` 0. */
  readonly margin?: number;
}

function marginOf({ margin }: MarginOptions<unknown>, who: string, usual: number): number {
  if (margin === undefined) return usual;
  if (typeof margin === "number" && Number.isFinite(margin)) return margin;
  throw new ArgumentError(`${who}: margin is ${String(margin)}`, { help: "a finite number" });
}

/** The targets 1 and −1 in the dtype of x. Any other is NaN, so that a step with 0 for −1 is refused and does not learn nonsense. */
function signs(target: Tensor, x: Tensor, who: string): Tensor {
  if (target.dtype === "bool" || target.dtype === "uint8" || target.dtype === "uint32")
    throw new DTypeError(`${who}: the targets are ${target.dtype}`, { why: "they are 1 and -1", help: "where(target.ne(0), 1, -1)" });
  const t = target.cast(x.dtype);
  return where(t.abs().eq(1), t, Number.NaN);
}

/**
 * x where the target is 1, max(0, margin − x) where it is −1, with x a distance: equal pairs shall be near, others at least `margin` away.
 *
 * Shapes: equal. A target that is neither makes NaN.
 *
 * @throws ShapeError if they are not; DTypeError for targets that cannot hold −1
 * @example hingeEmbedding(pairwiseDistance(a, b), same)
 */
export const hingeEmbedding = /* @__PURE__ */ exampleMean(
  "hingeEmbedding",
  <R extends Reduction = "mean">(x: Tensor, target: Tensor, options: MarginOptions<R> = {}): Reduced<R> => {
    return loss("hingeEmbedding", { tensors: [x, target], options, names: ["margin"] }, () => {
      checkSameShape(x, target, "hingeEmbedding");
      const sign = signs(target, x, "hingeEmbedding");
      const far = x
        .neg()
        .add(marginOf(options, "hingeEmbedding", 1))
        .relu();
      return reduce(where(sign.gt(0), x, far.mul(sign.neg())), options.reduction, "hingeEmbedding");
    });
  },
);

/**
 * log(1 + e^−tx) with targets t of 1 and −1: logistic regression.
 *
 * Shapes: equal. A target that is neither makes NaN.
 *
 * @throws ShapeError if they are not; DTypeError for targets that cannot hold −1
 */
export const softMargin = /* @__PURE__ */ exampleMean(
  "softMargin",
  <R extends Reduction = "mean">(x: Tensor, target: Tensor, options: LossOptions<R> = {}): Reduced<R> => {
    return loss("softMargin", { tensors: [x, target], options }, () => {
      checkSameShape(x, target, "softMargin");
      return reduce(signs(target, x, "softMargin").mul(x).neg().softplus(), options.reduction, "softMargin");
    });
  },
);

export interface MultiMarginOptions<R = Reduction> extends MarginOptions<R> {
  /** Power of what is missing: 1 or 2. Default 1. */
  readonly p?: 1 | 2;
  /** A factor for each class, [classes]: that of the target's counts. */
  readonly weight?: Tensor;
}

/**
 * Σ_{c ≠ t} w_t max(0, margin − x_t + x_c)ᵖ / classes: the score of the right class shall be ahead of every other. Crammer and Singer 2001 take the
 * largest of these terms in place of their sum.
 *
 * Shapes: x [..., classes], target integer classes [...]; weight [classes].
 *
 * @throws ShapeError, DTypeError; ArgumentError for another p; OutOfRangeError at run time for a class that does not exist
 * @example multiMargin(model.forward(x, inference), y)
 */
export const multiMargin = /* @__PURE__ */ exampleMean(
  "multiMargin",
  <R extends Reduction = "mean">(x: Tensor, target: Tensor, options: MultiMarginOptions<R> = {}): Reduced<R> => {
    return loss("multiMargin", { tensors: [x, target], options, names: ["margin", "p", "weight"] }, () => {
      const { p = 1, weight, reduction } = options;
      if (p !== 1 && p !== 2) throw new ArgumentError(`multiMargin: p is ${String(p)}`, { help: "1 or 2" });
      const axis = x.shape.length - 1;
      checkClasses("multiMargin", x, target, axis);
      checkWeight("multiMargin", x, axis, weight);
      const right = oneHot(target, x.shape[axis] as number).cast("bool");
      const score = where(right, x, 0).sum(axis, { keepDims: true });
      const missing = x
        .sub(score)
        .add(marginOf(options, "multiMargin", 1))
        .relu();
      const terms = where(right, 0, p === 2 ? missing.square() : missing);
      const losses = terms.sum(axis).div(x.shape[axis] as number);
      return reduce(weight ? losses.mul(where(right, weight.cast(x.dtype), 0).sum(axis)) : losses, reduction, "multiMargin");
    });
  },
);

/**
 * Σ_{t a target} Σ_{c no target} max(0, 1 − x_t + x_c) / classes: every right class shall be ahead of every wrong one.
 *
 * Shapes: x [..., classes]; target the same, integers: the classes of an example, then −1; what follows the first −1 does not count.
 *
 * @throws ShapeError, DTypeError; OutOfRangeError at run time for a class that does not exist
 * @example multiLabelMargin(tensor([[0.1, 0.2, 0.4, 0.8]]), tensor([[3, 0, -1, 1]], { dtype: "int32" }))
 */
export const multiLabelMargin = /* @__PURE__ */ exampleMean(
  "multiLabelMargin",
  <R extends Reduction = "mean">(x: Tensor, target: Tensor, options: LossOptions<R> = {}): Reduced<R> => {
    return loss("multiLabelMargin", { tensors: [x, target], options }, () => {
      checkSameShape(x, target, "multiLabelMargin");
      checkNumbered("multiLabelMargin", target);
      const classes: number | undefined = x.shape.at(-1);
      if (classes === undefined)
        throw new ShapeError("multiLabelMargin: a scalar has no classes", { help: "scores of shape [..., classes]" });
      const counts = target.eq(-1).cumsum(-1).eq(0);
      const named = where(counts, target, 0);
      const [rows, columns] = [-2, -1];
      // [..., targets, classes]: the class that each target names.
      const is = oneHot(named, classes).cast("bool").logicalAnd(counts.unsqueeze(columns));
      const score = where(is, x.unsqueeze(rows), 0).sum(columns, { keepDims: true });
      const missing = x.unsqueeze(rows).sub(score).add(1).relu();
      const pays = counts.unsqueeze(columns).logicalAnd(is.any(rows, { keepDims: true }).logicalNot());
      return reduce(where(pays, missing, 0).sum([rows, columns]).div(classes), options.reduction, "multiLabelMargin");
    });
  },
);

/**
 * max(0, margin − t (x₁ − x₂)): x₁ shall be the larger where the target is 1, x₂ where it is −1.
 *
 * Shapes: equal. A target that is neither makes NaN.
 *
 * @throws ShapeError if they are not; DTypeError for targets that cannot hold −1
 */
export function marginRanking<R extends Reduction = "mean">(
  x1: Tensor,
  x2: Tensor,
  target: Tensor,
  options: MarginOptions<R> = {},
): Reduced<R> {
  return loss("marginRanking", { tensors: [x1, x2, target], options, names: ["margin"] }, () => {
    checkSameShape(x1, x2, "marginRanking");
    checkSameShape(x1, target, "marginRanking");
    const ahead = x1.sub(x2).mul(signs(target, x1, "marginRanking"));
    return reduce(
      ahead
        .neg()
        .add(marginOf(options, "marginRanking", 0))
        .relu(),
      options.reduction,
      "marginRanking",
    );
  });
}

/** Squared lengths are larger by this, as in PyTorch: vectors of zeros have a cosine. */
const COSINE_EPS = 1e-12;

/**
 * 1 − cos(x₁, x₂) where the target is 1, max(0, cos(x₁, x₂) − margin) where it is −1: equal pairs shall point in one direction, others not.
 *
 * Shapes: x₁ and x₂ [..., features], target [...]. A target that is neither 1 nor −1 makes NaN.
 *
 * @throws ShapeError if they differ; DTypeError for targets that cannot hold −1
 */
export function cosineEmbedding<R extends Reduction = "mean">(
  x1: Tensor,
  x2: Tensor,
  target: Tensor,
  options: MarginOptions<R> = {},
): Reduced<R> {
  return loss("cosineEmbedding", { tensors: [x1, x2, target], options, names: ["margin"] }, () => {
    checkSameShape(x1, x2, "cosineEmbedding");
    const wanted = x1.shape.slice(0, -1);
    if (x1.shape.length === 0 || !sameShape(wanted, target.shape))
      throw new ShapeError(`cosineEmbedding: the vectors are ${showShape(x1.shape)}, the target ${showShape(target.shape)}`, {
        why: x1.shape.length === 0 ? "a scalar is no vector" : `each pair has one target: ${showShape(wanted)}`,
      });
    const square = (x: Tensor): Tensor => x.square().sum(-1).add(COSINE_EPS);
    const cosine = x1
      .mul(x2)
      .sum(-1)
      .div(square(x1).mul(square(x2)).sqrt());
    const sign = signs(target, x1, "cosineEmbedding");
    const apart = cosine.sub(marginOf(options, "cosineEmbedding", 0)).relu();
    return reduce(where(sign.gt(0), cosine.neg().add(1), apart.mul(sign.neg())), options.reduction, "cosineEmbedding");
  });
}

export interface TripletMarginOptions<R = Reduction> extends MarginOptions<R>, Omit<PairwiseDistanceOptions, "keepDims"> {
  /** The negative counts as near as it is to the anchor or to the positive, whichever is less. Balntas et al. 2016. Default false. */
  readonly swap?: boolean;
}

/**
 * max(0, margin + d(anchor, positive) − d(anchor, negative)), d the `pairwiseDistance`: the positive shall be nearer than the negative.
 * Schroff, Kalenichenko and Philbin 2015, who square the distances.
 *
 * Shapes: equal, [..., features]; the losses are [...].
 *
 * @throws ShapeError if they differ; ArgumentError for another p
 * @example tripletMargin(net.forward(a), net.forward(b), net.forward(c), { margin: 0.5 })
 */
export function tripletMargin<R extends Reduction = "mean">(
  anchor: Tensor,
  positive: Tensor,
  negative: Tensor,
  options: TripletMarginOptions<R> = {},
): Reduced<R> {
  const names = ["margin", "p", "eps", "swap"];
  return loss("tripletMargin", { tensors: [anchor, positive, negative], options, names }, () => {
    checkSameShape(anchor, positive, "tripletMargin");
    checkSameShape(anchor, negative, "tripletMargin");
    const { p = 2, eps = 1e-6, swap = false } = options;
    const distance = (a: Tensor, b: Tensor): Tensor => pairwiseDistance(a, b, { p, eps });
    const apart = distance(anchor, negative);
    const nearest = swap ? apart.minimum(distance(positive, negative)) : apart;
    const ahead = nearest.sub(distance(anchor, positive));
    return reduce(
      ahead
        .neg()
        .add(marginOf(options, "tripletMargin", 1))
        .relu(),
      options.reduction,
      "tripletMargin",
    );
  });
}
