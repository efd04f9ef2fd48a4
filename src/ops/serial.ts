/** Along an axis, one element after another: cumulative sums and products, sorting. */
import { isFloat } from "../core/dtype.ts";
import { ShapeError } from "../core/errors.ts";
import { checkAxis } from "../core/shape.ts";
import { apply, type Serial, type Type, type Unary, type Value } from "../graph/op.ts";
import { type ArgsortAttributes, argsort as argsortTemplate } from "../lower/templates/argsort.ts";
import { type CumulateAttributes, cumulate as cumulateTemplate } from "../lower/templates/cumulate.ts";
import { add, mul } from "./elementwise.ts";
import { takeAlong } from "./indexed.ts";
import { flip, moveAxis, sliceAxis } from "./move.ts";
import { pad } from "./place.ts";
import { axesOf, numbers } from "./rules.ts";

export interface CumulateOptions {
  /** From the last element to the first. */
  readonly reverse?: boolean;
  /** Without the element itself: begins with 0 (sum) or 1 (product). */
  readonly exclusive?: boolean;
}

/** yᵢ = Σ x₀ … xᵢ along the axis. */
export function cumsum(x: Value, axis: number, options: CumulateOptions = {}): Value {
  return cumulate(x, axis, "sum", options);
}

/** yᵢ = Π x₀ … xᵢ along the axis; its gradient is right where elements are 0, too. */
export function cumprod(x: Value, axis: number, options: CumulateOptions = {}): Value {
  return cumulate(x, axis, "product", options);
}

function cumulate(x: Value, axis: number, combine: "sum" | "product", { reverse = false, exclusive = false }: CumulateOptions): Value {
  const at = checkAxis(axis, x.shape.length, combine === "sum" ? "cumsum" : "cumprod");
  const last = x.shape.length - 1;
  const along = moveAxis(x, at, last);
  const shifted = exclusive ? shift(along, reverse ? 1 : -1, combine === "sum" ? 0 : 1) : along;
  return moveAxis(apply(cumulateOp, [shifted], { combine, reverse }), last, at);
}

/** yᵢ = xᵢ₊ₙ along the last axis, `value` where there is none. */
function shift(x: Value, by: number, value: number): Value {
  const last = x.shape.length - 1;
  const length = x.shape[last]!;
  const moved = Math.min(Math.abs(by), length);
  const rest = sliceAxis(x, last, by > 0 ? moved : 0, length - moved);
  const only = (n: number): number[] => axesOf(x.shape.length).map((d) => (d === last ? n : 0));
  return pad(rest, { low: only(by < 0 ? moved : 0), high: only(by > 0 ? moved : 0), interior: only(0), value });
}

function serialType(who: string, x: Type): Type {
  if (x.shape.length === 0) throw new ShapeError(`${who}: a scalar has no axis`);
  return numbers(who, [x]);
}

/** Along the last axis. */
export const cumulateOp: Serial<Unary, CumulateAttributes> = {
  kind: "serial",
  template: cumulateTemplate,
  name: "cumulate",
  infer: ([x], { combine }) => serialType(combine === "sum" ? "cumsum" : "cumprod", x),
  vjp(dy, [x], _, { combine, reverse }) {
    if (combine === "sum") return [apply(cumulateOp, [dy], { combine, reverse: !reverse })];
    const last = [x.shape.length - 1];
    return [reverse ? flip(cumprodGradient(flip(dy, last), flip(x, last)), last) : cumprodGradient(dy, x)];
  },
  batch: ([x], _, attributes) => apply(cumulateOp, [x], attributes),
  compute([x], out, { combine, reverse }) {
    // Whole numbers wrap at each step: beyond 2⁵³ a product would lose the low bits, which are what is left of it.
    const times = isFloat(out.dtype) ? (a: number, b: number) => a * b : Math.imul;
    return alongRows(x, out, (row, result) => {
      let total = combine === "sum" ? 0 : 1;
      for (let i = 0; i < row.length; i++) {
        const at = reverse ? row.length - 1 - i : i;
        total = combine === "sum" ? total + row[at]! : times(total, row[at]!);
        result[at] = total;
      }
    });
  },
};

/** What `row` makes of each row of the last axis. */
function alongRows(x: Float64Array, out: Value, row: (x: Float64Array, result: Float64Array) => void): Float64Array {
  const length = out.shape.at(-1)!;
  const result = new Float64Array(x.length);
  for (let start = 0; start < x.length; start += length) row(x.subarray(start, start + length), result.subarray(start, start + length));
  return result;
}

/**
 * dxᵢ = (Π_{j<i} xⱼ) · rᵢ with rᵢ = dyᵢ + xᵢ₊₁ · rᵢ₊₁: a linear recurrence, solved by doubling in log₂ n steps without a division.
 */
function cumprodGradient(dy: Value, x: Value): Value {
  const last = x.shape.length - 1;
  let [factor, r] = [shift(x, 1, 0), dy];
  for (let step = 1; step < x.shape[last]!; step *= 2) {
    r = add(r, mul(factor, shift(r, step, 0)));
    factor = mul(factor, shift(factor, step, 0));
  }
  return mul(cumprod(x, last, { exclusive: true }), r);
}

/** int32 indices that sort along the axis; equal elements keep their order. NaN counts as the largest. */
export function argsort(x: Value, axis: number, { descending = false }: { descending?: boolean } = {}): Value {
  const at = checkAxis(axis, x.shape.length, "argsort");
  const last = x.shape.length - 1;
  return moveAxis(apply(argsortOp, [moveAxis(x, at, last)], { descending }), last, at);
}
export const argsortOp: Serial<Unary, ArgsortAttributes> = {
  kind: "serial",
  template: argsortTemplate,
  name: "argsort",
  infer: ([x]) => ({ shape: serialType("argsort", x).shape, dtype: "int32" }),
  vjp: () => [null],
  batch: ([x], _, attributes) => apply(argsortOp, [x], attributes),
  compute: ([x], out, { descending }) =>
    alongRows(x, out, (row, result) => {
      // Array's sort is stable, so equal elements stay in order both ways.
      const order = Array.from(row, (_, i) => i);
      result.set(order.sort((i, j) => (descending ? compare(row[j]!, row[i]!) : compare(row[i]!, row[j]!))));
    }),
};

/** By size; a NaN is larger than all, and as large as another. */
const compare = (a: number, b: number): number => (a < b ? -1 : a > b ? 1 : Number(Number.isNaN(a)) - Number(Number.isNaN(b)));

/** The elements in order along the axis. */
export function sort(x: Value, axis: number, options: { descending?: boolean } = {}): Value {
  return takeAlong(x, argsort(x, axis, options), axis, "sort");
}
