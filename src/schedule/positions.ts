/** What moves along the axes of a kernel's domain, as the kernel has it: by the position of a loop instead of the number of an axis. */
import { InternalError } from "../core/errors.ts";
import { type Access, type Bound, constant, type Expr, rewrite, withSteps } from "../kernel/expr.ts";
import type { AxisGroup } from "../kernel/merge.ts";

export type Positions = ReadonlyMap<number, number>;

/** The position of an axis that has become part of its neighbour, in whose steps everything moves, or that has one position only. */
const ABSORBED = -1;

/** Groups of axes, each at its place; those of size 1 need none. */
export const positionsOf = (groups: readonly AxisGroup[], sizes: readonly number[]): Positions =>
  new Map([
    ...sizes.flatMap((size, axis) => (size === 1 ? [[axis, ABSORBED] as const] : [])),
    ...groups.flatMap((g, i) => [...g.absorbed.map((a) => [a, ABSORBED] as const), [g.axis, i] as const]),
  ]);

/** Strides by loop position instead of axis number. */
export function placedStrides(strides: readonly number[], position: Positions, rank: number): number[] {
  const placed = new Array<number>(rank).fill(0);
  strides.forEach((s, axis) => {
    if (s === 0) return;
    const at = position.get(axis);
    if (at === ABSORBED) return;
    if (at === undefined) throw new InternalError(`an access moves along axis ${axis}, which the kernel does not have`);
    placed[at] = s;
  });
  return placed;
}

export const placed = <S extends Access | Bound>(a: S, position: Positions, rank: number): S => ({
  ...a,
  strides: placedStrides(a.strides, position, rank),
});

export function placedExpr(root: Expr, position: Positions, rank: number): Expr {
  const at = (axis: number): number => position.get(axis)!;
  const [made] = rewrite([root], (e) => {
    // An axis that is indexed is merged with none: absorbed, it has one position.
    if (e.op === "index") return at(e.axis) === ABSORBED ? constant(0, e.dtype) : { ...e, axis: at(e.axis) };
    if (e.op === "reduce") return { ...e, over: e.over.map(at) };
    return withSteps(e, (a) => placed(a, position, rank));
  });
  return made!;
}
