/** What depends on what within a kernel's expressions. */
import { type Access, type Expr, nodesBelow, operands } from "../expr.ts";

/**
 * The axes each node depends on, as a set of bits.
 *
 * @param nodes operands first
 */
export function freeAxes(nodes: readonly Expr[]): Map<Expr, number> {
  const free = new Map<Expr, number>();
  const along = (a: Access): number => a.strides.reduce((set, s, axis) => (s === 0 ? set : set | (1 << axis)), 0);
  for (const e of nodes) {
    let axes = operands(e).reduce((set, x) => set | free.get(x)!, 0);
    if (e.op === "index") axes = 1 << e.axis;
    else if (e.op === "load" || e.op === "loadAt") axes |= along(e.from);
    else if (e.op === "reduce") axes = e.over.reduce((set, a) => set & ~(1 << a), axes);
    free.set(e, axes);
  }
  return free;
}

/** Whether `part` stands anywhere in `whole`. */
export const isPartOf = (part: Expr, whole: Expr): boolean => nodesBelow([whole]).includes(part);

/** The nodes of expressions that are computed in the loop they stand in: nothing inside their reductions. The roots come first. */
export function outsideReductions(roots: readonly Expr[]): Expr[] {
  const seen = new Set<Expr>(roots);
  for (const e of seen) if (e.op !== "reduce") for (const x of operands(e)) seen.add(x);
  return [...seen];
}
