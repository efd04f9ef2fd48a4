/**
 * Costly values that several passes over a row need (the exponentials of a softmax): computed in the first pass, kept in thread-private
 * memory for the others.
 */
import { isFloat } from "../../core/dtype.ts";
import type { Expr } from "../../kernel/expr.ts";
import { nodesOf } from "../../kernel/kernel.ts";
import { type Nest, outerAxes } from "./axes.ts";
import { type AxisSet, axisSet, withoutAxes } from "./axis-set.ts";
import { outsideReductions } from "./dependence.ts";

/** Longest row that is kept: 16 KB of float32 stay in the first-level cache. */
export const ROW = 4096;
/** Rows kept at once. */
const MOST = 4;
/** Operations below which computing again is as quick as reading. */
const COSTLY = 8;

/**
 * The values worth keeping, outermost only: they move along the lane axis and no other inner one, and stand in more than one pass.
 *
 * @param free the axes each node depends on
 */
export function worthKeeping(nest: Nest, lane: number, free: ReadonlyMap<Expr, AxisSet>): Expr[] {
  if (lane < 0 || nest.outer[lane] || nest.sizes[lane]! > ROW) return [];
  const outer = outerAxes(nest);
  const along = axisSet([lane]);
  const alongRow = (e: Expr): boolean => withoutAxes(free.get(e)!, outer) === along;
  const passes = new Map<Expr, number>();
  const count = (root: Expr): void => {
    for (const e of outsideReductions([root])) if (alongRow(e)) passes.set(e, (passes.get(e) ?? 0) + 1);
  };
  for (const e of nodesOf(nest)) if (e.op === "reduce" && e.over.length === 1 && e.over[0] === lane) count(e.of);
  for (const s of nest.stores) count(s.value);
  const chosen = [...passes].filter(([e, n]) => n > 1 && isFloat(e.dtype) && weightOf(e) >= COSTLY).map(([e]) => e);
  const parts = new Set(chosen.flatMap((e) => outsideReductions([e]).slice(1)));
  return chosen.filter((e) => !parts.has(e)).slice(0, MOST);
}

const weightOf = (root: Expr): number =>
  outsideReductions([root]).filter((e) => e.op !== "const" && e.op !== "load" && e.op !== "reduce").length;
