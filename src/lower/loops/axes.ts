/**
 * Axes made simple before loops are made of them: axes of size 1 vanish, neighbours that every access runs through
 * as one are merged, equal subexpressions become one node.
 */
import {
  type Access,
  type Bound,
  boundsOf,
  constant,
  type Expr,
  givesPosition,
  type Reduction,
  rewrite,
  withSteps,
} from "../../kernel/expr.ts";
import { accessesOf, type Guard, nodesOf, type Rows, rootsOf, type Store, withRoots } from "../../kernel/kernel.ts";
import { mergeAxes } from "../../kernel/merge.ts";
import { shared } from "../../kernel/share.ts";
import { type AxisSet, axisSet } from "./axis-set.ts";

/** A `rows` kernel in simplest terms: axis a is `sizes[a]` long and independent (`outer`) or reduced over. */
export interface Nest {
  readonly sizes: readonly number[];
  readonly outer: readonly boolean[];
  readonly stores: readonly Store[];
  readonly guards: readonly Guard[];
}

export function simplify(kernel: Rows): Nest {
  const sizes = [...kernel.outer, ...kernel.inner];
  const outer = sizes.map((_, a) => a < kernel.outer.length);
  const nest = merged(withoutOnes({ sizes, outer, stores: kernel.stores, guards: kernel.guards }));
  return withRoots(nest, shared(rootsOf(nest)));
}

/** The independent axes. */
export const outerAxes = (nest: Nest): AxisSet => axisSet(nest.outer.flatMap((outer, axis) => (outer ? [axis] : [])));

type Steps = Access | Bound;

function mapExprs({ stores, guards }: Nest, rule: (e: Expr) => Expr, steps: <S extends Steps>(a: S) => S): Pick<Nest, "stores" | "guards"> {
  const moved = { stores: stores.map((s) => ({ ...s, to: steps(s.to) })), guards };
  return withRoots(
    moved,
    rewrite(rootsOf(moved), (e) => rule(withSteps(e, steps))),
  );
}

/** Renumbers axes: `to[a]` is the new number of axis a, or -1 for one that is gone (its index is 0 everywhere). */
function renumber(nest: Nest, to: readonly number[], sizes: readonly number[], outer: readonly boolean[]): Nest {
  const steps = <S extends Steps>(a: S): S => {
    const strides = new Array<number>(sizes.length).fill(0);
    a.strides.forEach((s, axis) => {
      const at = to[axis]!;
      if (at >= 0 && s !== 0) strides[at] = s;
    });
    return { ...a, strides };
  };
  const rule = (e: Expr): Expr => {
    if (e.op === "index") return to[e.axis]! < 0 ? constant(0, "int32") : { ...e, axis: to[e.axis]! };
    if (e.op !== "reduce") return e;
    const over = [...new Set(e.over.map((a) => to[a]!).filter((a) => a >= 0))];
    if (over.length > 0) return { ...e, over };
    return givesPosition(e.combine) ? constant(0, "int32") : e.of;
  };
  return { sizes, outer, ...mapExprs(nest, rule, steps) };
}

function withoutOnes(nest: Nest): Nest {
  if (!nest.sizes.includes(1)) return nest;
  const kept = nest.sizes.map((_, a) => a).filter((a) => nest.sizes[a] !== 1);
  return renumber(
    nest,
    nest.sizes.map((_, a) => kept.indexOf(a)),
    kept.map((a) => nest.sizes[a]!),
    kept.map((a) => nest.outer[a]!),
  );
}

/** Whether a reduction can take two axes as one: positions are counted in the order of its axes. */
function runsThrough({ over, combine }: Reduction, a: number, b: number): boolean {
  const [first, second] = [over.indexOf(a), over.indexOf(b)];
  return givesPosition(combine) && first >= 0 ? second === first + 1 : first >= 0 === second >= 0;
}

function merged(nest: Nest): Nest {
  const nodes = nodesOf(nest);
  const indexed = new Set(nodes.flatMap((e) => (e.op === "index" ? [e.axis] : [])));
  const reductions = nodes.flatMap((e) => (e.op === "reduce" ? [e] : []));
  const groups = mergeAxes([...nest.sizes.keys()], {
    sizes: nest.sizes,
    strides: [...accessesOf(nest), ...nodes.flatMap(boundsOf)].map((a) => a.strides),
    may: (a, b) => nest.outer[a] === nest.outer[b] && !indexed.has(a) && !indexed.has(b) && reductions.every((r) => runsThrough(r, a, b)),
  });
  if (groups.length === nest.sizes.length) return nest;
  const to = nest.sizes.map((_, a) => groups.findIndex((g) => g.axis === a || g.absorbed.includes(a)));
  // A merged axis steps as its innermost part did; renumber lets the last writer win, and that is this part.
  return renumber(
    nest,
    to,
    groups.map((g) => g.size),
    groups.map((g) => nest.outer[g.axis]!),
  );
}
