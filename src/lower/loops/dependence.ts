/** What depends on what within a kernel's expressions. */
import { accessOf, boundsOf, type Expr, nodesBelow, operands } from "../../kernel/expr.ts";
import { type AxisSet, axesAlong, axisSet, NO_AXES, withoutAxes } from "./axis-set.ts";

/**
 * The axes each node depends on.
 *
 * @param nodes operands first
 */
export function freeAxes(nodes: readonly Expr[]): Map<Expr, AxisSet> {
  const free = new Map<Expr, AxisSet>();
  for (const e of nodes) {
    let axes = operands(e).reduce((set, x) => set | free.get(x)!, NO_AXES);
    if (e.op === "index") axes = axisSet([e.axis]);
    else if (e.op === "reduce") axes = withoutAxes(axes, axisSet(e.over));
    else for (const { strides } of [accessOf(e) ?? [], boundsOf(e)].flat()) axes |= axesAlong(strides);
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
