/** Elements combined along axes, which are dropped; and the stable compositions over them. */
import { isFloat } from "../core/dtype.ts";
import { ShapeError } from "../core/errors.ts";
import { checkAxes, checkAxis, type Shape, showShape, sizeOf } from "../core/shape.ts";
import { apply, type Reduce, type Value } from "../graph/op.ts";
import { COMBINES, type Combine } from "../kernel/expr.ts";
import { stopGradient } from "./custom.ts";
import { add, div, maximum, mul, sub } from "./elementwise.ts";
import { filled, iota, scalarLike, zerosLike } from "./leaf.ts";
import { eq, isFinite as finite, select } from "./logic.ts";
import { exp, log } from "./maths.ts";
import { broadcastTo, inverse, reshape, sliceAxis, transpose } from "./move.ts";
import { concat } from "./place.ts";
import { axesOf, floats, numbers } from "./rules.ts";

type Gradient = (dy: Value, x: Value, y: Value, axes: readonly number[]) => Value | null;

function reduction(name: string, combine: Combine, gradient: Gradient): Reduce {
  const { extreme, gives } = COMBINES[combine];
  return {
    kind: "reduce",
    name,
    combine,
    gives,
    infer([x], { axes }) {
      const dropped = checkAxes(axes, x.shape.length, name);
      if (axes.some((a, i) => i > 0 && a < axes[i - 1]!))
        throw new ShapeError(`${name}: the axes ${showShape(axes)} are not in ascending order`);
      const empty = dropped.find((a) => x.shape[a] === 0);
      if (extreme && empty !== undefined)
        throw new ShapeError(`${name}: axis ${empty} of ${showShape(x.shape)} is empty`, { why: `there is no ${name} of nothing` });
      const { dtype } = numbers(name, [x]);
      return { shape: x.shape.filter((_, i) => !dropped.includes(i)), dtype: gives === "position" ? "int32" : dtype };
    },
    vjp: (dy, [x], y, { axes }) => [isFloat(y.dtype) ? gradient(dy, x, y, axes) : null],
    batch: ([x], _, { axes }) => apply(reducers[combine](), [x], { axes: axes.map((a) => a + 1) }),
  };
}

const reducers: Record<Combine, () => Reduce> = {
  sum: () => sumOp,
  product: () => productOp,
  max: () => maxOp,
  min: () => minOp,
  argmax: () => argmaxOp,
  argmin: () => argminOp,
};

/** Axes counted from the front, in ascending order; without any, x stays as it is: each element is the one at position 0. */
function along(op: Reduce, x: Value, axes: readonly number[]): Value {
  const sorted = checkAxes(axes, x.shape.length, op.name).sort((a, b) => a - b);
  if (sorted.length > 0) return apply(op, [x], { axes: sorted });
  return op.gives === "position" ? filled(0, x.shape, "int32") : x;
}

/** y, which lacks the axes, repeated along them again. */
export function spread(y: Value, x: { readonly shape: Value["shape"] }, axes: readonly number[]): Value {
  return broadcastTo(
    y,
    x.shape,
    axesOf(x.shape.length).filter((a) => !axes.includes(a)),
  );
}

/** Σ over the axes; 0 of nothing. */
export function sum(x: Value, axes: readonly number[]): Value {
  return along(sumOp, x, axes);
}
export const sumOp: Reduce = reduction("sum", "sum", (dy, x, _, axes) => spread(dy, x, axes));

/** Π over the axes; 1 of nothing. Its gradient is right where elements are 0, too. */
export function product(x: Value, axes: readonly number[]): Value {
  return along(productOp, x, axes);
}
export const productOp: Reduce = reduction("product", "product", (dy, x, _, axes) => {
  const { flat, back } = flattened(x, axes);
  return back(mul(spread(dy, flat, [flat.shape.length - 1]), othersProduct(flat)));
});

/** The axes as one, the last; `back` undoes it for a value of the same shape. */
function flattened(x: Value, axes: readonly number[]): { flat: Value; back: (y: Value) => Value } {
  const kept = axesOf(x.shape.length).filter((a) => !axes.includes(a));
  const order = [...kept, ...axes];
  const moved = transpose(x, order);
  const flat = reshape(moved, [...kept.map((a) => x.shape[a]!), sizeOf(axes.map((a) => x.shape[a]!))]);
  return { flat, back: (y) => transpose(reshape(y, moved.shape), inverse(order)) };
}

/**
 * For each element of the last axis the product of all others, without a division: products of pairs up a tree, then down again each
 * half times its sibling. n log-depth products, made of `mul` only, so that it can be differentiated again.
 */
function othersProduct(x: Value): Value {
  const axis = x.shape.length - 1;
  const n = x.shape[axis]!;
  if (n <= 1) return scalarLike(x, 1);
  const half = Math.floor(n / 2);
  const [left, right] = [sliceAxis(x, axis, 0, half), sliceAxis(x, axis, half, half)];
  const rest = n % 2 === 1 ? [sliceAxis(x, axis, n - 1, 1)] : [];
  const others = othersProduct(concat([mul(left, right), ...rest], axis));
  const ofPair = sliceAxis(others, axis, 0, half);
  return concat([mul(ofPair, right), mul(ofPair, left), ...rest.map(() => sliceAxis(others, axis, half, 1))], axis);
}

/** The largest; NaN if any is; which zero comes of both is not said. Its gradient goes to the first of equals. Errors: an empty axis. */
export function max(x: Value, axes: readonly number[]): Value {
  return along(maxOp, x, axes);
}
export const maxOp: Reduce = reduction("max", "max", (dy, x, _, axes) => toFirst(dy, x, axes, argmax));

/** The smallest; NaN if any is; which zero comes of both is not said. Its gradient goes to the first of equals. Errors: an empty axis. */
export function min(x: Value, axes: readonly number[]): Value {
  return along(minOp, x, axes);
}
export const minOp: Reduce = reduction("min", "min", (dy, x, _, axes) => toFirst(dy, x, axes, argmin));

/** Each element asks whether it is the one: nothing is put anywhere, so that this joins what uses it. */
function toFirst(dy: Value, x: Value, axes: readonly number[], find: (x: Value, axes: readonly number[]) => Value): Value {
  const chosen = eq(spread(find(x, axes), x, axes), positions(x.shape, axes));
  return select(chosen, spread(dy, x, axes), zerosLike(x));
}

/** The row-major position of each element among those along the axes. */
function positions(shape: Shape, axes: readonly number[]): Value {
  const [first, ...rest] = axes;
  return rest.reduce((at, axis) => add(mul(at, scalarLike(at, shape[axis]!)), iota(shape, axis)), iota(shape, first!));
}

/** Row-major position of the first largest along the axes, as int32; of a NaN if there is one. Errors: an empty axis. */
export function argmax(x: Value, axes: number | readonly number[]): Value {
  return along(argmaxOp, x, typeof axes === "number" ? [axes] : axes);
}
export const argmaxOp: Reduce = reduction("argmax", "argmax", () => null);

/** Row-major position of the first smallest along the axes, as int32; of a NaN if there is one. Errors: an empty axis. */
export function argmin(x: Value, axes: number | readonly number[]): Value {
  return along(argminOp, x, typeof axes === "number" ? [axes] : axes);
}
export const argminOp: Reduce = reduction("argmin", "argmin", () => null);

/** Σ x / n over the axes, of floats; NaN of nothing. */
export function mean(x: Value, axes: readonly number[]): Value {
  floats("mean", [x]);
  const total = sum(x, axes);
  const count = sizeOf(checkAxes(axes, x.shape.length, "mean").map((a) => x.shape[a]!));
  return div(total, scalarLike(total, count));
}

/** The largest, or 0 where that is not finite, as a constant: what is subtracted before exp. */
const shiftOf = (top: Value): Value => stopGradient(select(finite(top), top, zerosLike(top)));

/** log Σ exp x over the axes, without overflow. Where all are −inf (or there are none), −inf with a gradient of 0. */
export function logSumExp(x: Value, axes: readonly number[]): Value {
  floats("logSumExp", [x]);
  const dropped = checkAxes(axes, x.shape.length, "logSumExp").sort((a, b) => a - b);
  if (dropped.some((a) => x.shape[a] === 0)) return filled(Number.NEGATIVE_INFINITY, sum(x, dropped).shape, x.dtype);
  const shift = shiftOf(max(x, dropped));
  const total = sum(exp(sub(x, spread(shift, x, dropped))), dropped);
  return logOf(total, shift);
}

/** log(eᵃ + eᵇ + …), without overflow. Where all are −inf, −inf with a gradient of 0. */
export function logAddExp(list: readonly Value[]): Value {
  floats("logAddExp", list);
  const shift = shiftOf(list.reduce(maximum));
  return logOf(list.map((x) => exp(sub(x, shift))).reduce(add), shift);
}

/** log total + shift; −inf with a gradient of 0 where the total is 0. */
function logOf(total: Value, shift: Value): Value {
  const nothing = eq(total, zerosLike(total));
  // log never sees the 0: its gradient there would be 0 · inf.
  const safe = add(log(select(nothing, scalarLike(total, 1), total)), shift);
  return select(nothing, scalarLike(total, Number.NEGATIVE_INFINITY), safe);
}

/** exp x / Σ exp x along the axis, without overflow; NaN where all are −inf. */
export function softmax(x: Value, axis: number): Value {
  const at = checkAxis(axis, floats("softmax", [x]).shape.length, "softmax");
  if (sizeOf(x.shape) === 0) return x;
  const top = stopGradient(max(x, [at]));
  const weights = exp(sub(x, spread(top, x, [at])));
  return div(weights, spread(sum(weights, [at]), x, [at]));
}

/** x − log Σ exp x along the axis, without overflow; NaN where all are −inf. */
export function logSoftmax(x: Value, axis: number): Value {
  const at = checkAxis(axis, floats("logSoftmax", [x]).shape.length, "logSoftmax");
  if (sizeOf(x.shape) === 0) return x;
  const shifted = sub(x, spread(stopGradient(max(x, [at])), x, [at]));
  return sub(shifted, spread(log(sum(exp(shifted), [at])), x, [at]));
}
