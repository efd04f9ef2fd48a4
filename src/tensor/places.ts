/** Functions that are no methods, of where elements stand: a bundle holds those that it calls. */
import type { Shape } from "../core/shape-types.ts";
import { atUserLine } from "../core/site.ts";
import * as surface from "../surface/index.ts";
import { nodeOf, operandValue } from "./operand.ts";
import { derived, type Tensor, unary } from "./tensor.ts";

/**
 * The lower triangle of matrices: x[…, i, j] where j ≤ i + diagonal, else 0. The diagonal 1 is the one above the main one, −1 the one below.
 *
 * Shapes: [..., rows, columns], kept. @throws ShapeError for fewer axes; ArgumentError for a diagonal that is no whole number
 * @example const causal = tril(ones([n, n], { dtype: "bool" }))
 */
export function tril<S extends Shape>(x: Tensor<S>, diagonal = 0): Tensor<S> {
  return unary("tril", x, surface.tril, diagonal);
}

/** The upper triangle of matrices: x[…, i, j] where j ≥ i + diagonal, else 0. See `tril`. */
export function triu<S extends Shape>(x: Tensor<S>, diagonal = 0): Tensor<S> {
  return unary("triu", x, surface.triu, diagonal);
}

/**
 * x where the mask is false, else the value, to which x sends no gradient: `where(mask, value, x)` of x's shape.
 *
 * Shapes: mask and value broadcast to x. @throws ShapeError if they do not; DTypeError for a mask that is not bool
 * @example maskedFill(scores, triu(ones([n, n], { dtype: "bool" }), 1), -Infinity).softmax()
 */
export function maskedFill<S extends Shape>(x: Tensor<S>, mask: Tensor, value: number | Tensor): Tensor<S> {
  return atUserLine(() => {
    const v = nodeOf(x, "maskedFill");
    return derived(surface.maskedFill(v, nodeOf(mask, "maskedFill"), operandValue(value, v.dtype, "maskedFill")), [x, value]);
  }, "maskedFill");
}

/** How many elements are put before and after along an axis; negative numbers cut off. */
type Widths = readonly (readonly [before: number, after: number])[];

/**
 * Mirrored at the ends, which are not repeated: [1, 2, 3] by [[2, 1]] is [3, 2, 1, 2, 3, 2]. The widths are [before, after] of the last axes, as of `pad`.
 *
 * @throws ShapeError for a width that is not below the axis' size
 * @example reflectPad(images, [[1, 1], [1, 1]])   // [n, c, h, w] → [n, c, h + 2, w + 2]
 */
export function reflectPad(x: Tensor, widths: Widths): Tensor {
  return unary("reflectPad", x, surface.reflectPad, widths);
}

/** The ends repeated: [1, 2, 3] by [[2, 1]] is [1, 1, 1, 2, 3, 3]. See `reflectPad`; only an empty axis is refused. */
export function replicatePad(x: Tensor, widths: Widths): Tensor {
  return unary("replicatePad", x, surface.replicatePad, widths);
}

/** Going on from the other side: [1, 2, 3] by [[2, 1]] is [2, 3, 1, 2, 3, 1]. See `reflectPad`; a width may be the axis' size. */
export function circularPad(x: Tensor, widths: Widths): Tensor {
  return unary("circularPad", x, surface.circularPad, widths);
}

/**
 * x with updates[…, i…, …] added to its rows indices[i…] along the axis; equal positions add up. The gradient of `gather`; PyTorch's `index_add`.
 *
 * Shapes: as `gather` gives, x [a, n, b], axis 1, indices [...], updates [a, ..., b] or what broadcasts to that. The wider dtype.
 *
 * @throws ShapeError, DTypeError; OutOfRangeError when it runs for a position outside 0 … n − 1
 * @example scatterAdd(zeros([classes]), labels, 1)   // how often each class occurs
 */
export function scatterAdd<S extends Shape>(x: Tensor<S>, indices: Tensor, updates: Tensor | number, axis = 0): Tensor<S> {
  return added("scatterAdd", { x, indices, updates }, surface.scatterAdd, axis);
}

/**
 * x with updates[…, i, …] added to x[…, indices[…, i, …], …] along the axis: a position for each element. The gradient of `takeAlong`; PyTorch's
 * `scatter_add`.
 *
 * Shapes: x and indices equal but for the axis; the updates broadcast to the indices' shape. Errors as of `scatterAdd`.
 */
export function scatterAddAlong<S extends Shape>(x: Tensor<S>, indices: Tensor, updates: Tensor | number, axis = -1): Tensor<S> {
  return added("scatterAddAlong", { x, indices, updates }, surface.scatterAddAlong, axis);
}

interface Addition {
  readonly x: Tensor;
  readonly indices: Tensor;
  readonly updates: Tensor | number;
}

function added(who: string, { x, indices, updates }: Addition, operator: typeof surface.scatterAdd, axis: number): Tensor {
  return atUserLine(() => {
    const v = nodeOf(x, who);
    return derived(operator(v, nodeOf(indices, who), operandValue(updates, v.dtype, who), axis), [x, updates]);
  }, who);
}

/**
 * At most `parts` parts along an axis, all of the size that makes that many but the last, which may be smaller: 5 elements in 4 parts are 2, 2, 1, as in PyTorch.
 * `split` gives equal parts, or parts of given sizes.
 *
 * @throws ArgumentError for a number of parts that is none
 */
export function chunk(x: Tensor, parts: number, axis = 0): Tensor[] {
  return atUserLine(() => surface.chunk(nodeOf(x, "chunk"), parts, axis).map((part) => derived(part, [x])), "chunk");
}
