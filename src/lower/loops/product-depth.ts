/** The axes that a product sums over, in simplest terms, and where clips cut them. */
import { keeps, sizesOf, spanOf, stridesOver } from "../../kernel/clip.ts";
import type { Clip, Operand, Product } from "../../kernel/kernel.ts";
import { type Int, iadd, idiv, imin, imul, isub } from "../../kernel/loop.ts";

/** One axis of the sum: steps of the operands along it, in whatever unit they are counted, and the clips that end it. */
export interface DepthAxis {
  readonly size: number;
  readonly a: number;
  readonly b: number;
  readonly clips: readonly Clip[];
}

export const depthAxes = (p: Product, a: readonly number[], b: readonly number[]): DepthAxis[] =>
  p.k.map((size, k) => ({ size, a: a[k]!, b: b[k]!, clips: p.clips.filter((c) => c.k === k) }));

/** Steps of the sum in all. */
export const depthOf = (axes: readonly DepthAxis[]): number => axes.reduce((steps, { size }) => steps * size, 1);

/** Neighbours become one axis where both operands run through them as one; a tap of the outer one then takes as many more elements. */
export function mergedDepth(axes: readonly DepthAxis[]): DepthAxis[] {
  const merged: DepthAxis[] = [];
  for (const axis of axes) {
    if (axis.size === 1 && axis.clips.length === 0) continue;
    const last = merged.at(-1);
    const one = last && axis.clips.length === 0 && last.a === axis.a * axis.size && last.b === axis.b * axis.size;
    if (!one) merged.push(axis);
    else {
      const clips = last.clips.map((c) => ({ ...c, run: c.run * axis.size }));
      merged[merged.length - 1] = { size: last.size * axis.size, a: axis.a, b: axis.b, clips };
    }
  }
  return merged.length > 0 ? merged : [{ size: 1, a: 1, b: 1, clips: [] }];
}

/** Clips that hold everywhere vanish, those that move along no axis cut the sum itself, and axes of the sum are merged. */
export function simplerDepth(p: Product): Product {
  const sizes = sizesOf(p);
  const still = p.clips.map((c) => ({ ...c, strides: c.strides.map((s, a) => (sizes[a] === 1 ? 0 : s)) }));
  let now: Product = { ...p, clips: still };
  for (let next: Product | undefined = now; next; next = withoutOne(now)) now = next;
  const axes = mergedDepth(depthAxes(now, now.a.depthStrides, now.b.depthStrides));
  return {
    ...now,
    k: axes.map((x) => x.size),
    a: { ...now.a, depthStrides: axes.map((x) => x.a) },
    b: { ...now.b, depthStrides: axes.map((x) => x.b) },
    clips: axes.flatMap((x, k) => x.clips.map((c) => ({ ...c, k }))),
  };
}

/** The product without a clip that it can do without, if there is one. */
function withoutOne(p: Product): Product | undefined {
  if (p.k.includes(0)) return undefined;
  for (const clip of p.clips) {
    const taps = Math.ceil(p.k[clip.k]! / clip.run);
    const { low, high } = spanOf(clip.offset, [...clip.strides, clip.step], [...sizesOf(p), taps]);
    if (low >= 0 && high < clip.bound) return { ...p, clips: p.clips.filter((c) => c !== clip) };
    const shorter = clip.strides.every((s) => s === 0) ? cut(p, clip) : undefined;
    if (shorter) return shorter;
  }
  return undefined;
}

/** The sum from the first step that counts to the last, where a clip says the same everywhere and the others on its axis can follow. */
function cut(p: Product, clip: Clip): Product | undefined {
  const inside = Array.from({ length: Math.ceil(p.k[clip.k]! / clip.run) }, (_, tap) => tap).filter((tap) => {
    const at = clip.offset + clip.step * tap;
    return at >= 0 && at < clip.bound;
  });
  const from = (inside[0] ?? 0) * clip.run;
  const others = p.clips.filter((c) => c !== clip);
  if (others.some((c) => c.k === clip.k && from % c.run !== 0)) return undefined;
  const size = Math.max(0, Math.min(p.k[clip.k]!, from + inside.length * clip.run) - from);
  const moved = (o: Operand): Operand => ({ ...o, offset: o.offset + from * o.depthStrides[clip.k]! });
  return {
    ...p,
    k: p.k.with(clip.k, size),
    a: moved(p.a),
    b: moved(p.b),
    clips: others.map((c) => (c.k === clip.k ? { ...c, offset: c.offset + (c.step * from) / c.run } : c)),
  };
}

/** Whether an operand lies in its buffer of `elements` wherever the sum goes, whatever these clips say. */
export function isWhole(p: Product, row: "m" | "n", elements: number, clips = p.clips): boolean {
  const operand = row === "m" ? p.a : p.b;
  const [strides, sizes] = [stridesOver(operand, row), sizesOf(p)];
  if (clips.every((c) => !keeps(c, strides, sizes))) return true;
  const { low, high } = spanOf(operand.offset, [...strides, ...operand.depthStrides], [...sizes, ...p.k]);
  return low >= 0 && high < elements;
}

/** Clips that move along m (or n) as well. */
export const clipsAlong = (p: Product, row: "m" | "n"): Clip[] =>
  p.clips.filter((c) => c.strides[p.batch.length + (row === "m" ? 0 : 1)] !== 0);

export const imax = (a: Int, b: Int): Int => isub(0, imin(isub(0, a), isub(0, b)));
const atLeast0 = (x: Int): Int => imax(x, 0);

/** The whole numbers q ≥ 0 with 0 ≤ base + step · q < bound, as [from, to); `size` is |step|, the sign is known. */
export function holdsFor(base: Int, step: { readonly size: Int; readonly back: boolean }, bound: Int): readonly [Int, Int] {
  const { size, back } = step;
  if (back) return [idiv(atLeast0(iadd(isub(base, bound), size)), size), idiv(atLeast0(iadd(base, size)), size)];
  const up = isub(size, 1);
  return [idiv(atLeast0(isub(up, base)), size), idiv(atLeast0(iadd(isub(bound, base), up)), size)];
}

/** Σ position · stride. */
export const along = (base: Int, terms: readonly (readonly [Int, Int])[]): Int =>
  terms.reduce<Int>((sum, [i, stride]) => iadd(sum, imul(i, stride)), base);
