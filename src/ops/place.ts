/** Index maps that write: each element of an input goes to one place of the result. Adjoints of the moves. */
import { ShapeError } from "../core/errors.ts";
import { checkAxis, showShape } from "../core/shape.ts";
import { apply, type Place, type Unary, type Value, type Variadic } from "../graph/op.ts";
import { batchAll } from "./batch.ts";
import { zerosLike } from "./leaf.ts";
import { slice, sliceAxis, type Windows, windows } from "./move.ts";
import { checkCount, sameTypes } from "./rules.ts";

export interface Pad {
  readonly low: readonly number[];
  readonly high: readonly number[];
  /** How many between two neighbours. */
  readonly interior: readonly number[];
  readonly value: number;
}

/** x with `value` before, after and between its elements along each axis: low + d + (d − 1) · interior + high long. */
export function pad(x: Value, attributes: Pad): Value {
  const { low, high, interior } = attributes;
  const nothing = [low, high, interior].every((list) => list.length === x.shape.length && list.every((n) => n === 0));
  return nothing ? x : apply(padOp, [x], attributes);
}
export const padOp: Place<Unary, Pad> = {
  kind: "place",
  name: "pad",
  infer([x], { low, high, interior }) {
    const rank = x.shape.length;
    for (const [name, list] of Object.entries({ low, high, interior })) {
      if (list.length !== rank) throw new ShapeError(`pad: ${list.length} values of ${name} for the ${rank} axes of ${showShape(x.shape)}`);
      for (const n of list) checkCount("pad", name, n, 0);
    }
    return { shape: x.shape.map((d, i) => low[i]! + d + Math.max(d - 1, 0) * interior[i]! + high[i]!), dtype: x.dtype };
  },
  vjp: (dy, [x], _, { low, interior }) => [slice(dy, { starts: low, steps: interior.map((n) => n + 1), sizes: x.shape })],
  batch: ([x], _, { low, high, interior, value }) => pad(x, { low: [0, ...low], high: [0, ...high], interior: [0, ...interior], value }),
  target: (at, algebra, { low, interior }) => at.map((i, d) => algebra.affine([i], [interior[d]! + 1], low[d]!)),
  source: (at, algebra, { low, interior }) =>
    interior.some((n) => n !== 0) ? undefined : at.map((i, d) => (low[d] === 0 ? i : algebra.affine([i], [1], -low[d]!))),
  fill: ({ value }) => value,
  overlaps: () => false,
};

/** Values one after another along an axis; all else of their shapes is equal. */
export function concat(list: readonly Value[], axis: number): Value {
  return list.length === 1 ? list[0]! : apply(concatOp, list, { axis });
}
export const concatOp: Place<Variadic, { readonly axis: number }> = {
  kind: "place",
  name: "concat",
  infer(inputs, { axis }) {
    const first = inputs[0];
    if (!first) throw new ShapeError("concat: nothing to join", { help: "give at least one tensor" });
    const at = checkAxis(axis, first.shape.length, "concat");
    for (const { shape } of inputs) {
      if (shape.length !== first.shape.length || shape.some((d, i) => i !== at && d !== first.shape[i]))
        throw new ShapeError(`concat: ${showShape(first.shape)} and ${showShape(shape)} differ outside axis ${at}`, {
          why: "all axes but the joined one must have the same sizes",
          help: "another axis, or stack(…) for a new one",
        });
    }
    const { dtype } = sameTypes(
      "concat",
      inputs.map((x) => ({ shape: [], dtype: x.dtype })),
    );
    const total = inputs.reduce((n, x) => n + x.shape[at]!, 0);
    return { shape: first.shape.with(at, total), dtype };
  },
  vjp(dy, inputs, _, { axis }) {
    let start = 0;
    return inputs.map((x) => {
      const part = sliceAxis(dy, axis, start, x.shape[axis]!);
      start += x.shape[axis]!;
      return part;
    });
  },
  batch: (inputs, batched, { axis }, size) => concat(batchAll(inputs, batched, size), axis + 1),
  target(at, algebra, { axis }, input, types) {
    const start = types.slice(0, input).reduce((n, x) => n + x.shape[axis]!, 0);
    return at.with(axis, algebra.affine([at[axis]!], [1], start));
  },
  fill: () => 0,
  overlaps: () => false,
};

export interface Fold extends Windows {
  readonly length: number;
}

/** Adjoint of `windows`: axes [count, size] added up into one of `length`, element j of window c at stride · c + dilation · j. */
export function fold(x: Value, attributes: Fold): Value {
  return apply(foldOp, [x], attributes);
}
export const foldOp: Place<Unary, Fold> = {
  kind: "place",
  name: "fold",
  infer([x], { axis, size, stride, dilation, length }) {
    const at = checkAxis(axis, x.shape.length, "fold");
    for (const [name, n] of Object.entries({ size, stride, dilation })) checkCount("fold", `the ${name}`, n, 1);
    checkCount("fold", "the length", length, 0);
    const count = x.shape[at]!;
    if (x.shape[at + 1] !== size) throw new ShapeError(`fold: axis ${at + 1} of ${showShape(x.shape)} must be the window of ${size}`);
    const needed = (count - 1) * stride + (size - 1) * dilation + 1;
    if (count > 0 && needed > length) throw new ShapeError(`fold: ${count} windows of ${size} reach ${needed}, beyond ${length}`);
    return { shape: x.shape.toSpliced(at, 2, length), dtype: x.dtype };
  },
  vjp(dy, [x], _, { axis, size, stride, dilation }) {
    const count = x.shape[axis]!;
    if (count === 0) return [zerosLike(x)];
    return [sliceAxis(windows(dy, { axis, size, stride, dilation }), axis, 0, count)];
  },
  batch: ([x], _, attributes) => fold(x, { ...attributes, axis: attributes.axis + 1 }),
  target: (at, algebra, { axis, stride, dilation }) =>
    at.toSpliced(axis, 2, algebra.affine([at[axis]!, at[axis + 1]!], [stride, dilation], 0)),
  fill: () => 0,
  overlaps: ({ size, stride, dilation }) => stride < dilation * (size - 1) + 1,
};
