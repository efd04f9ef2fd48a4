/** Elements in the lanes of a vector, to and from memory. */
import type { DType } from "../../core/dtype.ts";
import { type Int, isub, type Statement, type Vec } from "../../kernel/loop.ts";
import { laneOf } from "./scalar.ts";

/** How the elements of the lanes lie: one for all, next to each other, or so many bytes apart. */
export type Spacing = "one" | "next" | { readonly step: Int };

/** @param count how many lanes count, where the axis ends within the vector */
export function loadLanes(dtype: DType, at: Int, spacing: Spacing, count: Int | undefined): Vec {
  const lane = laneOf(dtype);
  if (spacing === "one") return { op: "load", dtype, at, form: "splat", lane };
  if (spacing === "next") return { op: "load", dtype, at, form: "vector", lane };
  const { step } = spacing;
  return count === undefined
    ? { op: "load", dtype, at, form: "strided", step, lane }
    : { op: "gather", dtype, at, index: firstLanes(count), step, lane };
}

/** @param lanes how many there are in a whole vector */
export function storeLanes(dtype: DType, at: Int, value: Vec, spacing: Spacing, count: Int | undefined, lanes: number): Statement {
  if (spacing === "one") return { do: "store", dtype, at, value, form: "first" };
  if (spacing !== "next") return { do: "store", dtype, at, value, form: "strided", step: spacing.step, count: count ?? lanes };
  return count === undefined
    ? { do: "store", dtype, at, value, form: "vector" }
    : { do: "store", dtype, at, value, form: "partial", count };
}

/** 0, 1, …; from the last lane that counts on the same again, so that nothing is read far outside. */
export function firstLanes(count: Int | undefined): Vec {
  const ramp: Vec = { op: "ramp", value: 0, lane: "i32" };
  if (count === undefined) return ramp;
  return { op: "pmin", args: [ramp, { op: "splatInt", value: isub(count, 1), lane: "i32" }], lane: "i32" };
}
