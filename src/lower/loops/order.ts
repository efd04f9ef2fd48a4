/** Which axis runs over lanes, which one is cut into blocks, and how much work there is: decided by shape and structure only. */
import { sizeOf } from "../../core/shape.ts";
import type { Expr } from "../../kernel/expr.ts";
import { accessesOf, nodesOf } from "../../kernel/kernel.ts";
import type { Nest } from "./axes.ts";
import { isWorthCopying } from "./repack.ts";

/**
 * The axis for lanes: the one along which the fewest vectors are loaded and stored, scattered ones counting element by element, and the fewest
 * lanes stay empty. -1 for a kernel without axes.
 */
export function chooseLane(nest: Nest, lanes: number): number {
  const accesses = accessesOf(nest);
  const written = new Set(nest.stores.map((s) => s.to.buffer));
  const reductions = nodesOf(nest).filter((e) => e.op === "reduce");
  const lastOuter = nest.outer.lastIndexOf(true);
  const outerPoints = nest.sizes.reduce((n, d, a) => (nest.outer[a] ? n * d : n), 1);
  const points = sizeOf(nest.sizes);
  const costAlong = (axis: number): number => {
    const full = nest.sizes[axis]! / (Math.ceil(nest.sizes[axis]! / lanes) * lanes) || 1;
    let cost = 0;
    for (const access of accesses) {
      const { strides } = access;
      const stride = strides[axis]!;
      const inside = strides.some((s, a) => s !== 0 && !nest.outer[a]);
      const times = inside ? points : outerPoints;
      // Outside the reduction's loop nothing runs in lanes where the lanes are the reduction's.
      if (!nest.outer[axis] && !inside) cost += times;
      else if (stride === 0 || stride === 1 || (!written.has(access.buffer) && isWorthCopying(access, axis, nest.sizes)))
        cost += times / lanes / full;
      else cost += times * SCATTERED;
    }
    if (nest.outer[axis]) return cost + (axis === lastOuter ? 0 : 0.01);
    // Combining the lanes at the end costs a little, once per reduction; one over other axes runs in one lane only.
    for (const r of reductions) cost += r.over.includes(axis) ? 8 * outerPoints : points;
    return cost;
  };
  let best = -1;
  let least = Number.POSITIVE_INFINITY;
  for (let axis = 0; axis < nest.sizes.length; axis++) {
    const cost = costAlong(axis);
    if (cost < least) [best, least] = [axis, cost];
  }
  return best;
}
/** What a lane costs that is loaded or stored alone, against a whole vector. */
const SCATTERED = 0.8;

/** The outer axis whose indices are shared out among threads: the first one long enough, else the longest. -1 where there is none. */
export function chooseParallel(nest: Nest, lane: number): number {
  const outer = nest.sizes.map((_, a) => a).filter((a) => nest.outer[a]);
  const free = outer.filter((a) => a !== lane);
  const wide = free.find((a) => nest.sizes[a]! >= 8);
  if (wide !== undefined) return wide;
  if (outer.includes(lane) && (free.length === 0 || nest.sizes[lane]! >= 1024)) return lane;
  return free.reduce((a, b) => (a < 0 || nest.sizes[b]! > nest.sizes[a]! ? b : a), -1);
}

/** Scalar operations of the whole kernel, roughly. */
export function workOf(nest: Nest): number {
  const points = sizeOf(nest.sizes);
  return points * nodesOf(nest).reduce((sum, e) => sum + weight(e), nest.stores.length);
}

const weight = (e: Expr): number =>
  e.op === "const" || e.op === "index" ? 0 : e.op === "div" || e.op === "sqrt" ? 4 : e.op === "loadAt" ? 4 : 1;
