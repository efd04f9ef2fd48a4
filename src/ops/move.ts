/** Index maps that read: each element of the result is one element of x. Their gradients are the ops of place.ts and sums. */
import { ArgumentError, ShapeError } from "../core/errors.ts";
import { checkAxes, checkAxis, checkShape, type Shape, sameShape, showShape, sizeOf } from "../core/shape.ts";
import { apply, type IndexAlgebra, type Move, type Value } from "../graph/op.ts";
import { zerosLike } from "./leaf.ts";
import { fold, pad } from "./place.ts";
import { sum } from "./reduce.ts";
import { axesOf, checkCount } from "./rules.ts";

/** The same elements in row-major order under another shape. */
export function reshape(x: Value, shape: Shape): Value {
  return sameShape(x.shape, shape) ? x : apply(reshapeOp, [x], { shape });
}
export const reshapeOp: Move<{ readonly shape: Shape }> = {
  kind: "move",
  name: "reshape",
  inType: ["shape"],
  infer([x], { shape }) {
    if (sizeOf(checkShape(shape, "reshape")) !== sizeOf(x.shape))
      throw new ShapeError(`reshape: ${showShape(x.shape)} to ${showShape(shape)}`, {
        why: `${sizeOf(x.shape)} elements do not fill ${sizeOf(shape)}`,
      });
    return { shape, dtype: x.dtype };
  },
  vjp: (dy, [x]) => [reshape(dy, x.shape)],
  batch: ([x], _, { shape }, size) => reshape(x, [size, ...shape]),
  source: (at, algebra, { shape }, x) => regroup(at, shape, x.shape, algebra),
};

/** Positions under shape `from` as positions under shape `to`, group by group of axes that hold equally many elements. */
function regroup<T>(at: readonly T[], from: Shape, to: Shape, algebra: IndexAlgebra<T>): T[] {
  if (sizeOf(to) === 0) return to.map(() => algebra.constant(0));
  const result: T[] = [];
  for (let i = 0, j = 0; i < from.length || j < to.length; ) {
    const [i0, j0] = [i, j];
    let [m, n] = [from[i++] ?? 1, to[j++] ?? 1];
    while (m !== n) {
      if (m < n) m *= from[i++]!;
      else n *= to[j++]!;
    }
    result.push(...splitGroup(joinGroup(at.slice(i0, i), from.slice(i0, i), algebra), to.slice(j0, j), algebra));
  }
  return result;
}

/** Row-major position within a group of axes. */
function joinGroup<T>(at: readonly T[], sizes: Shape, algebra: IndexAlgebra<T>): T {
  const terms: T[] = [];
  const scales: number[] = [];
  let scale = 1;
  for (let d = sizes.length - 1; d >= 0; d--) {
    if (sizes[d] !== 1) {
      terms.push(at[d]!);
      scales.push(scale);
    }
    scale *= sizes[d]!;
  }
  if (terms.length === 0) return algebra.constant(0);
  return terms.length === 1 && scales[0] === 1 ? terms[0]! : algebra.affine(terms, scales, 0);
}

function splitGroup<T>(position: T, sizes: Shape, algebra: IndexAlgebra<T>): T[] {
  const result = sizes.map(() => algebra.constant(0));
  const real = axesOf(sizes.length).filter((d) => sizes[d] !== 1);
  for (const d of real.slice(1).reverse()) {
    const [quotient, remainder] = algebra.split(position, sizes[d]!);
    position = quotient;
    result[d] = remainder;
  }
  if (real.length > 0) result[real[0]!] = position;
  return result;
}

/** Axes in another order: axis i of the result is axis permutation[i] of x. */
export function transpose(x: Value, permutation: readonly number[]): Value {
  return permutation.length === x.shape.length && permutation.every((p, i) => p === i) ? x : apply(transposeOp, [x], { permutation });
}
export const transposeOp: Move<{ readonly permutation: readonly number[] }> = {
  kind: "move",
  name: "transpose",
  infer([x], { permutation }) {
    const rank = x.shape.length;
    if (permutation.length !== rank || permutation.some((p) => p < 0))
      throw new ShapeError(`transpose: ${showShape(permutation)} is no order of the ${rank} axes of ${showShape(x.shape)}`);
    return { shape: checkAxes(permutation, rank, "transpose").map((p) => x.shape[p]!), dtype: x.dtype };
  },
  vjp: (dy, _x, _y, { permutation }) => [transpose(dy, inverse(permutation))],
  batch: ([x], _, { permutation }) => transpose(x, [0, ...permutation.map((p) => p + 1)]),
  source(at, _, { permutation }) {
    const from = [...at];
    permutation.forEach((p, i) => {
      from[p] = at[i]!;
    });
    return from;
  },
};

/** The permutation that undoes another. */
export function inverse(permutation: readonly number[]): number[] {
  const back = new Array<number>(permutation.length);
  permutation.forEach((p, i) => {
    back[p] = i;
  });
  return back;
}

/** x with axis `from` moved to position `to`. */
export function moveAxis(x: Value, from: number, to: number): Value {
  const rest = axesOf(x.shape.length).toSpliced(from, 1);
  return transpose(x, rest.toSpliced(to, 0, from));
}

export interface Stretch {
  readonly shape: Shape;
  /** axes[i] is the axis of the result that axis i of x lies along; ascending. */
  readonly axes: readonly number[];
}

/**
 * x repeated along new axes and along axes of size 1. Without `axes`, the axes are aligned at the last one.
 *
 * Shapes: [3], axes [0] → [3, n]; [3, 1] → [3, n].
 */
export function broadcastTo(x: Value, shape: Shape, axes?: readonly number[]): Value {
  if (sameShape(x.shape, shape) && (!axes || axes.every((a, i) => a === i))) return x;
  return apply(broadcastOp, [x], { shape, axes: axes ?? x.shape.map((_, i) => shape.length - x.shape.length + i) });
}
export const broadcastOp: Move<Stretch> = {
  kind: "move",
  name: "broadcast",
  inType: ["shape"],
  infer([x], { shape, axes }) {
    checkShape(shape, "broadcast");
    const fits =
      axes.length === x.shape.length &&
      axes.every(
        (a, i) => Number.isInteger(a) && a > (axes[i - 1] ?? -1) && a < shape.length && (x.shape[i] === shape[a] || x.shape[i] === 1),
      );
    if (!fits)
      throw new ShapeError(`broadcast: ${showShape(x.shape)} does not stretch to ${showShape(shape)} along axes ${showShape(axes)}`, {
        why: "each axis must have the size of the one it lies along, or size 1",
      });
    return { shape, dtype: x.dtype };
  },
  vjp(dy, [x], _, { shape, axes }) {
    const repeated = axesOf(shape.length).filter((a) => !axes.includes(a) || (x.shape[axes.indexOf(a)] === 1 && shape[a] !== 1));
    return [reshape(sum(dy, repeated), x.shape)];
  },
  batch: ([x], _, { shape, axes }, size) => broadcastTo(x, [size, ...shape], [0, ...axes.map((a) => a + 1)]),
  source: (at, algebra, { shape, axes }, x) => axes.map((a, i) => (x.shape[i] === 1 && shape[a] !== 1 ? algebra.constant(0) : at[a]!)),
};

export interface Slice {
  readonly starts: readonly number[];
  /** ≠ 0; a negative one walks backwards. */
  readonly steps: readonly number[];
  readonly sizes: readonly number[];
}

/** Along each axis, `sizes` elements from `starts` on, `steps` apart. All must exist. */
export function slice(x: Value, attributes: Slice): Value {
  const whole = attributes.starts.every((s, d) => s === 0 && attributes.steps[d] === 1 && attributes.sizes[d] === x.shape[d]);
  return whole && attributes.starts.length === x.shape.length ? x : apply(sliceOp, [x], attributes);
}
export const sliceOp: Move<Slice> = {
  kind: "move",
  name: "slice",
  infer([x], { starts, steps, sizes }) {
    const rank = x.shape.length;
    if (starts.length !== rank || steps.length !== rank || sizes.length !== rank)
      throw new ShapeError(`slice: ${showShape(x.shape)} has ${rank} axes; give a start, a step and a size for each`);
    x.shape.forEach((d, i) => {
      checkCount("slice", `the size along axis ${i}`, sizes[i]!, 0);
      if (!Number.isInteger(steps[i]!) || steps[i] === 0)
        throw new ArgumentError(`slice: the step along axis ${i} is ${steps[i]}`, { why: "it must be a whole number other than 0" });
      const last = starts[i]! + (sizes[i]! - 1) * steps[i]!;
      const inside = (at: number): boolean => Number.isInteger(at) && at >= 0 && at < d;
      if (sizes[i]! > 0 && !(inside(starts[i]!) && inside(last)))
        throw new ShapeError(`slice: elements ${starts[i]} to ${last} of axis ${i} of ${showShape(x.shape)} do not all exist`);
    });
    return { shape: sizes, dtype: x.dtype };
  },
  vjp: (dy, [x], _, attributes) => [unslice(dy, x, attributes)],
  batch: ([x], _, { starts, steps, sizes }, size) => slice(x, { starts: [0, ...starts], steps: [1, ...steps], sizes: [size, ...sizes] }),
  source: (at, algebra, { starts, steps }) => at.map((i, d) => algebra.affine([i], [steps[d]!], starts[d]!)),
};

/** Zeros in x's shape with dy where the slice was taken. */
function unslice(dy: Value, x: Value, { starts, steps, sizes }: Slice): Value {
  if (sizes.includes(0)) return zerosLike(x);
  const forwards = flip(
    dy,
    axesOf(steps.length).filter((d) => steps[d]! < 0),
  );
  const low = starts.map((s, d) => (steps[d]! < 0 ? s + (sizes[d]! - 1) * steps[d]! : s));
  // A single element has no neighbours: its step says nothing.
  const interior = steps.map((s, d) => (sizes[d] === 1 ? 0 : Math.abs(s) - 1));
  const high = x.shape.map((n, d) => n - low[d]! - ((sizes[d]! - 1) * (interior[d]! + 1) + 1));
  return pad(forwards, { low, high, interior, value: 0 });
}

/** The elements of the axes in reverse order. */
export function flip(x: Value, axes: readonly number[]): Value {
  const turned = checkAxes(axes, x.shape.length, "flip").filter((d) => x.shape[d]! > 1);
  if (turned.length === 0) return x;
  return slice(x, {
    starts: x.shape.map((d, i) => (turned.includes(i) ? d - 1 : 0)),
    steps: x.shape.map((_, i) => (turned.includes(i) ? -1 : 1)),
    sizes: x.shape,
  });
}

/** `sizes[axis]` elements of one axis from `start` on; the other axes whole. */
export function sliceAxis(x: Value, axis: number, start: number, size: number, step = 1): Value {
  return slice(x, {
    starts: x.shape.map((_, i) => (i === axis ? start : 0)),
    steps: x.shape.map((_, i) => (i === axis ? step : 1)),
    sizes: x.shape.map((d, i) => (i === axis ? size : d)),
  });
}

export interface Windows {
  readonly axis: number;
  readonly size: number;
  readonly stride: number;
  readonly dilation: number;
}

/** Axis of length L as [count, size]: element j of window c is x[stride · c + dilation · j]. count = ⌊(L − dilation · (size − 1) − 1) / stride⌋ + 1. */
export function windows(x: Value, attributes: Windows): Value {
  return apply(windowsOp, [x], attributes);
}
export const windowsOp: Move<Windows> = {
  kind: "move",
  name: "windows",
  infer([x], { axis, size, stride, dilation }) {
    const at = checkAxis(axis, x.shape.length, "windows");
    checkCount("windows", "the size", size, 1);
    checkCount("windows", "the stride", stride, 1);
    checkCount("windows", "the dilation", dilation, 1);
    const span = dilation * (size - 1) + 1;
    const count = Math.floor((x.shape[at]! - span) / stride) + 1;
    if (count < 1)
      throw new ShapeError(`windows: a window of ${span} elements does not fit into axis ${at} of ${showShape(x.shape)}`, {
        help: "pad the axis, or use a smaller window",
      });
    return { shape: x.shape.toSpliced(at, 1, count, size), dtype: x.dtype };
  },
  vjp: (dy, [x], _, attributes) => [fold(dy, { ...attributes, length: x.shape[attributes.axis]! })],
  batch: ([x], _, attributes) => windows(x, { ...attributes, axis: attributes.axis + 1 }),
  source: (at, algebra, { axis, stride, dilation }) =>
    at.toSpliced(axis, 2, algebra.affine([at[axis]!, at[axis + 1]!], [stride, dilation], 0)),
};
