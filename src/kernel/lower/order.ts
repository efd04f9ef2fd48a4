/** Which axis runs over lanes, which one is cut into blocks, and how much work there is: decided by shape and structure only. */
import type { Expr } from "../expr.ts";
import { accessesOf, type Nest, nodesOf } from "./axes.ts";

/**
 * The axis for lanes: the one along which the fewest loads and stores are scattered and the fewest lanes stay empty.
 * -1 for a kernel without axes.
 */
export function chooseLane(nest: Nest, lanes: number): number {
  const accesses = accessesOf(nest);
  const nodes = nodesOf(nest);
  const reductions = nodes.filter((e) => e.op === "reduce");
  const lastOuter = nest.outer.lastIndexOf(true);
  let best = -1;
  let least = Number.POSITIVE_INFINITY;
  nest.sizes.forEach((size, axis) => {
    const full = size / (Math.ceil(size / lanes) * lanes) || 1;
    let cost = 0;
    for (const a of accesses) {
      const stride = a.strides[axis]!;
      cost += stride === 1 ? 1 : stride === 0 ? 0.3 : lanes * 0.8;
    }
    if (!nest.outer[axis]) {
      // Combining the lanes at the end costs a little, once per reduction.
      cost += (reductions.filter((r) => r.over.includes(axis)).length * 8 * lanes) / Math.max(1, size);
      if (!reductions.every((r) => r.over.includes(axis))) cost += lanes;
    } else if (axis !== lastOuter) cost += 0.01;
    cost /= full;
    if (cost < least) [best, least] = [axis, cost];
  });
  return best;
}

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
  const points = nest.sizes.reduce((n, d) => n * d, 1);
  return points * nodesOf(nest).reduce((sum, e) => sum + weight(e), nest.stores.length);
}

const weight = (e: Expr): number =>
  e.op === "const" || e.op === "index" ? 0 : e.op === "div" || e.op === "sqrt" ? 4 : e.op === "loadAt" ? 4 : 1;
