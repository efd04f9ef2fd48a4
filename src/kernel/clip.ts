/** Clips of a product: which operand they keep within its buffer, and what that operand reads where they hold. */
import type { Clip, Operand, Product } from "./kernel.ts";

/** How an operand moves along the axes of its product (…batch, m, n). */
export const stridesOver = (o: Operand, row: "m" | "n"): number[] =>
  row === "m" ? [...o.batchStrides, o.rowStride, 0] : [...o.batchStrides, 0, o.rowStride];

export const sizesOf = (p: Product): number[] => [...p.batch, p.m, p.n];

/** Whether an operand is read only where the clip holds: it moves along an axis that the clip moves with, or the clip moves with none. */
export function keeps(clip: Clip, strides: readonly number[], sizes: readonly number[]): boolean {
  const moving = clip.strides.flatMap((s, a) => (s !== 0 && sizes[a]! > 1 ? [a] : []));
  return moving.length === 0 || moving.some((a) => strides[a] !== 0);
}

/** The lowest and the highest number that Σ strides[a] · i + offset takes for i below `sizes`. */
export function spanOf(offset: number, strides: readonly number[], sizes: readonly number[]): { low: number; high: number } {
  let [low, high] = [offset, offset];
  strides.forEach((s, a) => {
    low += Math.min(0, s * (sizes[a]! - 1));
    high += Math.max(0, s * (sizes[a]! - 1));
  });
  return { low, high };
}

/**
 * The elements that an operand reads, lowest and highest, where the clips that keep it hold; undefined where none holds anywhere. A clip's
 * position P is what it bounds, and the operand moves by a multiple f of it: address = f · P + what is left. Exact where an image and its
 * window move alike, and never too narrow.
 */
export function reachOf(p: Product, o: Operand, row: "m" | "n"): { low: number; high: number } | undefined {
  const [strides, sizes] = [stridesOver(o, row), sizesOf(p)];
  const clips = p.clips.filter((c) => keeps(c, strides, sizes));
  let reach = { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };
  for (const chosen of choices(clips, p.k.length)) {
    const within = reachWith(p, o, strides, chosen);
    if (!within) return undefined;
    reach = { low: Math.max(reach.low, within.low), high: Math.min(reach.high, within.high) };
  }
  return reach;
}

/** Every way to take one clip, or none, for each axis of k. */
function choices(clips: readonly Clip[], axes: number): Clip[][] {
  let all: Clip[][] = [[]];
  for (let k = 0; k < axes; k++) {
    const own = clips.filter((c) => c.k === k);
    all = all.flatMap((some) => [some, ...own.map((c) => [...some, c])]);
  }
  return all;
}

function reachWith(p: Product, o: Operand, over: readonly number[], chosen: readonly Clip[]): { low: number; high: number } | undefined {
  const sizes = sizesOf(p);
  const left = [...over];
  let { offset } = o;
  const parts: { low: number; high: number }[] = [];
  p.k.forEach((size, axis) => {
    const stride = o.depthStrides[axis]!;
    const clip = chosen.find((c) => c.k === axis);
    if (!clip) return parts.push(spanOf(0, [stride], [size]));
    const factor = (stride * clip.run) / clip.step;
    const span = spanOf(clip.offset, [...clip.strides, clip.step], [...sizes, Math.ceil(size / clip.run)]);
    const position = { low: Math.max(0, span.low), high: Math.min(clip.bound - 1, span.high) };
    if (position.high < position.low) return parts.push({ low: Number.POSITIVE_INFINITY, high: Number.NEGATIVE_INFINITY });
    clip.strides.forEach((s, a) => {
      left[a]! -= factor * s;
    });
    offset -= factor * clip.offset;
    const ends = [factor * position.low, factor * position.high];
    return parts.push({ low: Math.min(...ends), high: Math.max(...ends) }, spanOf(0, [stride], [Math.min(clip.run, size)]));
  });
  if (parts.some((x) => x.high < x.low)) return undefined;
  const rest = spanOf(offset, left, sizes);
  return parts.reduce((sum, x) => ({ low: sum.low + x.low, high: sum.high + x.high }), rest);
}
