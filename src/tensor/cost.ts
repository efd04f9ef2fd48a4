import { costOf } from "../graph/cost.ts";
import { flatten, type Tree } from "./tree.ts";

/** What computing something costs. */
export interface Cost {
  /** Floating point operations: a multiplication and an addition are two, moves none, a function such as `exp` one. */
  readonly flops: number;
  /** Bytes of all results on the way, if none shared memory. */
  readonly bytes: number;
}

/**
 * What it costs to compute some tensors, as they were written; nothing is computed. What some of them share counts once, and what is `given`, with all that it stands on,
 * is there already.
 *
 * @example cost(x.matmul(w)).flops; // 2 · m · n · k
 */
export function cost(tensors: Tree, given: Tree = []): Cost {
  const values = flatten(tensors, "cost").leaves.map((leaf) => leaf.node());
  const there = flatten(given, "cost: given").leaves.map((leaf) => leaf.node());
  const [all, without] = [costOf([...values, ...there]), costOf(there)];
  return { flops: all.flops - without.flops, bytes: all.bytes - without.bytes };
}
