/**
 * What a kernel reads again and again with its lanes apart, as the weights of a convolution by groups, is first copied so that they are next to each
 * other: a small kernel before the large one.
 */
import { sizeOf } from "../../core/shape.ts";
import { type Access, accessKey, load, rewrite, withAccess } from "../../kernel/expr.ts";
import { nodesOf, type Rows, rootsOf, withRoots } from "../../kernel/kernel.ts";
import type { Nest } from "./axes.ts";

/** How often each element must be read, how many there may be, and how many points a kernel must have, for a copy to be worth a call. */
const OFTEN = 64;
const MOST_COPIED = 1 << 16;
const FEWEST_POINTS = 1 << 15;

/** Whether a read in lanes along `axis` is worth a copy. */
export function isWorthCopying({ strides }: Access, axis: number, sizes: readonly number[]): boolean {
  const stride = strides[axis]!;
  if (stride === 0 || stride === 1) return false;
  const points = sizeOf(sizes);
  const copied = sizeOf(sizes.filter((_, a) => strides[a] !== 0));
  return points >= FEWEST_POINTS && copied <= MOST_COPIED && copied * OFTEN <= points;
}

/** The kernel with lanes next to each other wherever that is worth it, and the copies to be made before. */
export function repacked(nest: Nest, lane: number, copyOf: (from: Access, elements: number) => number): { nest: Nest; copies: Rows[] } {
  if (lane < 0) return { nest, copies: [] };
  const written = new Set(nest.stores.map((s) => s.to.buffer));
  const packed = new Map<string, Access>();
  const copies: Rows[] = [];
  for (const e of nodesOf(nest)) {
    if (e.op !== "load" || e.within || packed.has(accessKey(e.from)) || written.has(e.from.buffer)) continue;
    if (!isWorthCopying(e.from, lane, nest.sizes)) continue;
    const axes = e.from.strides.flatMap((s, a) => (s !== 0 && a !== lane ? [a] : [])).concat(lane);
    const outer = axes.map((a) => nest.sizes[a]!);
    const strides = outer.map((_, i) => sizeOf(outer.slice(i + 1)));
    const buffer = copyOf(e.from, sizeOf(outer));
    const from: Access = { ...e.from, strides: axes.map((a) => e.from.strides[a]!) };
    copies.push({
      kind: "rows",
      outer,
      inner: [],
      stores: [{ to: { buffer, offset: 0, strides }, value: load(from, e.dtype) }],
      guards: [],
    });
    const over = new Array<number>(nest.sizes.length).fill(0);
    axes.forEach((a, i) => {
      over[a] = strides[i]!;
    });
    packed.set(accessKey(e.from), { buffer, offset: 0, strides: over });
  }
  if (copies.length === 0) return { nest, copies };
  const roots = rewrite(rootsOf(nest), (e) => (e.op === "load" ? withAccess(e, (a) => packed.get(accessKey(a)) ?? a) : e));
  return { nest: withRoots(nest, roots), copies };
}
