/** How near two vectors are. */
import { ShapeError } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { checkAxis } from "../core/shape.ts";
import { atUserLine } from "../core/site.ts";
import type { Tensor } from "../index.ts";
import { checkTensor } from "./arguments.ts";
import { checkPositive } from "./reduction.ts";

export interface CosineSimilarityOptions {
  /** The axis of the vectors' elements. Default the last; PyTorch's is 1, the same for [n, features]. */
  readonly axis?: number;
  /** Shorter vectors count as this long, so that one of zeros has a similarity: 0. Default 1e-8. */
  readonly eps?: number;
}

/**
 * x₁ · x₂ / (max(‖x₁‖, eps) · max(‖x₂‖, eps)), the cosine of the angle between two vectors: 1 in one direction, −1 in opposite ones.
 *
 * Shapes: [..., features, ...], which broadcast; the result lacks the axis.
 *
 * @throws ShapeError if they do not broadcast, or have no such axis; ArgumentError if eps is not above 0
 * @example cosineSimilarity(embedding.forward(words), query)
 */
export function cosineSimilarity(x1: Tensor, x2: Tensor, options: CosineSimilarityOptions = {}): Tensor {
  return atUserLine(() => {
    for (const x of [x1, x2]) checkTensor(x, "cosineSimilarity");
    checkOptions("cosineSimilarity", options, ["axis", "eps"]);
    const eps = checkPositive(options.eps ?? 1e-8, "cosineSimilarity: eps");
    const products = x1.mul(x2);
    const { shape } = products;
    // Counted from the end, where shapes of different rank are aligned.
    const axis = checkAxis(options.axis ?? -1, shape.length, "cosineSimilarity") - shape.length;
    const length = (x: Tensor): Tensor => x.broadcastTo(shape).norm(axis).clip(eps, Number.POSITIVE_INFINITY);
    return products.sum(axis).div(length(x1).mul(length(x2)));
  }, "cosineSimilarity");
}

export interface PairwiseDistanceOptions {
  /** 1: Σ|d|; 2, the default: √Σd²; Infinity: max |d|. */
  readonly p?: number;
  /** Added to each difference, so that the distance of equal vectors has a slope. Default 1e-6. */
  readonly eps?: number;
  /** Leaves the last axis in, with size 1. Default false. */
  readonly keepDims?: boolean;
}

/**
 * ‖x₁ − x₂ + eps‖ₚ over the last axis.
 *
 * Shapes: [..., features], which broadcast; the result is [...].
 *
 * @throws ShapeError for scalars, and if the shapes do not broadcast; ArgumentError for another p
 * @example pairwiseDistance(anchors, positives, { p: 1 })
 */
export function pairwiseDistance(x1: Tensor, x2: Tensor, options: PairwiseDistanceOptions = {}): Tensor {
  return atUserLine(() => {
    for (const x of [x1, x2]) checkTensor(x, "pairwiseDistance");
    checkOptions("pairwiseDistance", options, ["p", "eps", "keepDims"]);
    const { p = 2, eps = 1e-6, keepDims = false } = options;
    const d = x1.sub(x2).add(eps);
    if (d.shape.length === 0) throw new ShapeError("pairwiseDistance: two scalars are no vectors", { help: "x.reshape([1])" });
    return d.norm(-1, { p, keepDims });
  }, "pairwiseDistance");
}
