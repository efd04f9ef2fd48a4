/** Reductions and what runs along an axis, on top of the strict ops: axes from the end, `keepDims`, and dtypes. */
import { isFloat } from "../core/dtype.ts";
import { ArgumentError, DTypeError, show } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { checkAxes, checkAxis } from "../core/shape.ts";
import type { Value } from "../graph/op.ts";
import * as ops from "../ops/index.ts";
import { castTo, float } from "./elementwise.ts";
import { root } from "./maths.ts";

/** One axis, several, or all: negative ones count from the end. */
export type Axes = number | readonly number[] | undefined;

export interface ReduceOptions<K extends boolean = boolean> {
  /** Leaves the axes in, with size 1. */
  readonly keepDims?: K;
}

const axesOf = (x: Value, axis: Axes, who: string): number[] =>
  axis === undefined
    ? x.shape.map((_, i) => i)
    : checkAxes(typeof axis === "number" ? [axis] : axis, x.shape.length, who).toSorted((a, b) => a - b);

/** The reduced axes as size 1, where they are wanted. */
function kept(x: Value, reduced: Value, axes: readonly number[], options: ReduceOptions | undefined): Value {
  if (!options?.keepDims) return reduced;
  return ops.reshape(
    reduced,
    x.shape.map((d, i) => (axes.includes(i) ? 1 : d)),
  );
}

type Rule = (x: Value, axes: readonly number[]) => Value;

/** A scalar counts as [1] where an axis is named, as in PyTorch: 0 and −1 are its axis. */
const asRow = (v: Value): Value => ops.reshape(v, [1]);
const isScalar = (v: Value): boolean => v.shape.length === 0;

const KEEP = ["keepDims"];

function reduce(who: string, x: Value, axis: Axes, options: ReduceOptions | undefined, rule: Rule, names: readonly string[] = KEEP): Value {
  checkOptions(who, options, names);
  if (isScalar(x) && axis !== undefined) return ops.reshape(rule(asRow(x), axesOf(asRow(x), axis, who)), []);
  const axes = axesOf(x, axis, who);
  return kept(x, rule(x, axes), axes, options);
}

/** bool and uint8 are counted in int32. */
const counted = (x: Value): Value => (x.dtype === "bool" || x.dtype === "uint8" ? ops.cast(x, "int32") : x);

/** The mean of bools is a share; that of integers is an error. */
function meanOf(x: Value, axes: readonly number[]): Value {
  if (!isFloat(x.dtype) && x.dtype !== "bool")
    throw new DTypeError(`mean: needs float32 or float64, not ${x.dtype}`, { help: 'cast it first: x.cast("float32").mean(…)' });
  return ops.mean(castTo(x, isFloat(x.dtype) ? x.dtype : "float32"), axes);
}

/** Extremes of bool and uint8 by way of int32. */
const extreme =
  (rule: Rule): Rule =>
  (x, axes) =>
    castTo(rule(counted(x), axes), x.dtype);

export const sum = (x: Value, axis?: Axes, o?: ReduceOptions): Value => reduce("sum", x, axis, o, (v, axes) => ops.sum(counted(v), axes));
export const product = (x: Value, axis?: Axes, o?: ReduceOptions): Value =>
  reduce("product", x, axis, o, (v, axes) => ops.product(counted(v), axes));
export const mean = (x: Value, axis?: Axes, o?: ReduceOptions): Value => reduce("mean", x, axis, o, meanOf);
export const max = (x: Value, axis?: Axes, o?: ReduceOptions): Value => reduce("max", x, axis, o, extreme(ops.max));
export const min = (x: Value, axis?: Axes, o?: ReduceOptions): Value => reduce("min", x, axis, o, extreme(ops.min));
export const any = (x: Value, axis?: Axes, o?: ReduceOptions): Value => reduce("any", x, axis, o, truth(ops.sum, "any"));
export const all = (x: Value, axis?: Axes, o?: ReduceOptions): Value => reduce("all", x, axis, o, truth(ops.product, "all"));
export const logSumExp = (x: Value, axis?: Axes, o?: ReduceOptions): Value =>
  reduce("logSumExp", x, axis, o, (v, axes) => float("logSumExp", (f) => ops.logSumExp(f, axes))(v));

function truth(rule: Rule, who: string): Rule {
  return (x, axes) => {
    if (x.dtype !== "bool") throw new DTypeError(`${who}: needs bool, not ${x.dtype}`, { help: "compare it first, as in x.ne(0)" });
    return ops.cast(rule(ops.cast(x, "int32"), axes), "bool");
  };
}

export interface VarianceOptions<K extends boolean = boolean> extends ReduceOptions<K> {
  /** Divide by n − correction: 1 (the default, as in PyTorch) is unbiased, 0 is the mean of squares. */
  readonly correction?: number;
}

const VARIANCE = [...KEEP, "correction"];

function varianceOf(x: Value, axes: readonly number[], correction: number): Value {
  const n = axes.reduce((product, axis) => product * x.shape[axis]!, 1);
  // Less the first element, so that the mean of equal numbers is exactly one of them.
  const shifted = n === 0 ? x : ops.sub(x, stretchAll(ops.stopGradient(firstOf(x, axes)), x));
  const centred = ops.sub(shifted, stretchAll(kept(x, ops.mean(shifted, axes), axes, { keepDims: true }), x));
  const squares = ops.sum(ops.square(centred), axes);
  // With too few elements this is 0 / 0 = NaN, as in PyTorch.
  return ops.div(squares, ops.scalarLike(squares, Math.max(0, n - correction)));
}

/** The first element along the axes, which stay with size 1. */
function firstOf(x: Value, axes: readonly number[]): Value {
  return axes.reduce((v, axis) => ops.sliceAxis(v, axis, 0, 1), x);
}

/** A value of the same rank, repeated where its axes have size 1. */
const stretchAll = (v: Value, x: Value): Value =>
  ops.broadcastTo(
    v,
    x.shape,
    x.shape.map((_, i) => i),
  );

export const variance = (x: Value, axis?: Axes, o?: VarianceOptions): Value =>
  reduce("variance", x, axis, o, (v, axes) => float("variance", (f) => varianceOf(f, axes, o?.correction ?? 1))(v), VARIANCE);
export const std = (x: Value, axis?: Axes, o?: VarianceOptions): Value =>
  reduce("std", x, axis, o, (v, axes) => float("std", (f) => root(varianceOf(f, axes, o?.correction ?? 1)))(v), VARIANCE);

export interface NormOptions<K extends boolean = boolean> extends ReduceOptions<K> {
  /** 1: Σ|x|; 2, the default: √Σx²; Infinity: max |x|. */
  readonly p?: 1 | 2 | number;
}

const NORM = [...KEEP, "p"];

function normOf(x: Value, axes: readonly number[], p: number): Value {
  if (p === 1) return ops.sum(ops.abs(x), axes);
  if (p === Number.POSITIVE_INFINITY) return ops.max(ops.abs(x), axes);
  if (p !== 2) throw new ArgumentError(`norm: p is ${p}`, { help: "1, 2 or Infinity" });
  return root(ops.sum(ops.square(x), axes));
}

export const norm = (x: Value, axis?: Axes, o?: NormOptions): Value =>
  reduce("norm", x, axis, o, (v, axes) => float("norm", (f) => normOf(f, axes, o?.p ?? 2))(v), NORM);

export const argmax = (x: Value, axis?: Axes, o?: ReduceOptions): Value =>
  reduce("argmax", x, axis, o, (v, axes) => ops.argmax(counted(v), axes));
export const argmin = (x: Value, axis?: Axes, o?: ReduceOptions): Value =>
  reduce("argmin", x, axis, o, (v, axes) => ops.argmin(counted(v), axes));

/** Options as they were passed, and what there is. */
interface Given {
  readonly options: object;
  readonly names: readonly string[];
}

/** A rule that keeps the shape and works along one axis, the last unless said. */
function along(who: string, x: Value, axis: number, rule: (x: Value, axis: number) => Value, given?: Given): Value {
  if (given) checkOptions(who, given.options, given.names);
  if (!isScalar(x)) return rule(x, checkAxis(axis, x.shape.length, who));
  return ops.reshape(rule(asRow(x), checkAxis(axis, 1, who)), []);
}

export const softmax = (x: Value, axis = -1): Value => along("softmax", x, axis, (v, i) => float("softmax", (f) => ops.softmax(f, i))(v));
export const logSoftmax = (x: Value, axis = -1): Value =>
  along("logSoftmax", x, axis, (v, i) => float("logSoftmax", (f) => ops.logSoftmax(f, i))(v));

export interface CumulateOptions {
  /** From the end to the front. */
  readonly reverse?: boolean;
  /** Without the element itself: the first is 0, of products 1. */
  readonly exclusive?: boolean;
}
const cumulative =
  (who: string, rule: typeof ops.cumsum) =>
  (x: Value, axis = -1, o: CumulateOptions = {}): Value =>
    along(who, x, axis, (v, i) => rule(counted(v), i, { reverse: o.reverse ?? false, exclusive: o.exclusive ?? false }), {
      options: o,
      names: ["reverse", "exclusive"],
    });
export const cumsum = cumulative("cumsum", ops.cumsum);
export const cumprod = cumulative("cumprod", ops.cumprod);

export interface SortOptions {
  readonly descending?: boolean;
}
const SORT = ["descending"];
export const argsort = (x: Value, axis = -1, o: SortOptions = {}): Value =>
  along("argsort", x, axis, (v, i) => ops.argsort(counted(v), i, { descending: o.descending ?? false }), { options: o, names: SORT });
export const sort = (x: Value, axis = -1, o: SortOptions = {}): Value =>
  along("sort", x, axis, (v, i) => castTo(ops.sort(counted(v), i, { descending: o.descending ?? false }), v.dtype), {
    options: o,
    names: SORT,
  });

/** The k largest along an axis, largest first, and where they stand. */
export function topK(x: Value, k: number, axis = -1): { values: Value; indices: Value } {
  const scalar = isScalar(x);
  const row = scalar ? asRow(x) : x;
  const at = checkAxis(axis, row.shape.length, "topK");
  const size = row.shape[at]!;
  if (!Number.isInteger(k) || k < 0 || k > size)
    throw new ArgumentError(`topK: k is ${show(k)}`, { why: `axis ${axis} has ${size} elements`, help: `a whole number 0 … ${size}` });
  const indices = ops.sliceAxis(ops.argsort(counted(row), at, { descending: true }), at, 0, k);
  const values = ops.takeAlong(row, indices, at, "topK");
  return scalar && k === 1 ? { values: ops.reshape(values, []), indices: ops.reshape(indices, []) } : { values, indices };
}
