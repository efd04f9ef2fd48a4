/** What bounds say about the points at which they hold. */
import type { Access, Bound } from "./expr.ts";

/**
 * An access over axes of its own that reaches at least what `from` reaches where all bounds hold: each bound whose form the access moves by becomes
 * one axis, as far as the bound lets it go. Undefined where they never hold.
 */
export function clipped(
  from: Access,
  sizes: readonly number[],
  bounds: readonly Bound[],
): { readonly access: Access; readonly sizes: readonly number[] } | undefined {
  let { offset } = from;
  const strides = [...from.strides];
  const [added, lengths]: [number[], number[]] = [[], []];
  const fewer = together(bounds);
  for (const b of fewer) {
    const [low, high] = reach(b, sizes);
    if (b.size === 0 || high < 0 || low >= b.size) return undefined;
    const scale = movedBy(strides, b, sizes, fewer);
    if (scale === undefined) continue;
    const [first, last] = [Math.max(0, low), Math.min(b.size - 1, high)];
    b.strides.forEach((s, axis) => {
      strides[axis]! -= scale * s;
    });
    offset += scale * (first - b.offset);
    added.push(scale);
    lengths.push(last - first + 1);
  }
  return { access: { ...from, offset, strides: [...strides, ...added] }, sizes: [...sizes, ...lengths] };
}

/** By how much an access moves with a bound's form: as it does along an axis where nothing else moves, or along all of the form's if they agree. */
function movedBy(steps: readonly number[], { strides }: Bound, sizes: readonly number[], all: readonly Bound[]): number | undefined {
  const axes = [...strides.keys()].filter((axis) => strides[axis] !== 0 && sizes[axis]! > 1);
  const own = axes.find((axis) => all.every((other) => other.strides === strides || other.strides[axis] === 0));
  const scales = axes.map((axis) => steps[axis]! / strides[axis]!);
  if (own !== undefined) return steps[own]! / strides[own]!;
  return scales.every((scale) => scale === scales[0]) ? scales[0] : undefined;
}

/** The smallest and the largest value of a bound's form. */
export function reach({ offset, strides }: Pick<Bound, "offset" | "strides">, sizes: readonly number[]): [low: number, high: number] {
  let [low, high] = [offset, offset];
  strides.forEach((s, axis) => {
    const far = s * Math.max(0, sizes[axis]! - 1);
    if (far < 0) low += far;
    else high += far;
  });
  return [low, high];
}

/** Whether a bound holds at all points. */
export const alwaysHolds = (b: Bound, sizes: readonly number[]): boolean => {
  const [low, high] = reach(b, sizes);
  return low >= 0 && high < b.size;
};

/** The same bound on a form in the least steps, the first of them positive: 0 ≤ 3·i − 4 < 3 is 0 ≤ i − 2 < 1, and 0 ≤ f < size is 0 ≤ size − 1 − f < size. */
function simplest({ offset, strides, size }: Bound): Bound {
  const step = strides.reduce(greatestDivisor, 0) * Math.sign(strides.find((s) => s !== 0) ?? 1);
  if (step === 0) return { offset, strides, size };
  const ends = [-offset / step, (size - 1 - offset) / step];
  const [from, to] = (step > 0 ? ends : ends.toReversed()) as [number, number];
  const first = Math.ceil(from);
  return { offset: 0 - first, strides: strides.map((s) => s / step + 0), size: Math.max(0, Math.floor(to) - first + 1) };
}

const greatestDivisor = (a: number, b: number): number => (b === 0 ? Math.abs(a) : greatestDivisor(b, a % b));

/** The same as fewer: bounds on one form, or on multiples of it, counted forwards or backwards, become the narrowest of them. */
export function together(bounds: readonly Bound[]): Bound[] {
  const parts = new Map<string, { strides: readonly number[]; from: number; to: number }>();
  for (const { offset, strides, size } of bounds.map(simplest)) {
    const key = strides.join();
    const { from, to } = parts.get(key) ?? { from: -offset, to: size - offset };
    parts.set(key, { strides, from: Math.max(from, -offset), to: Math.min(to, size - offset) });
  }
  return [...parts.values()].map(({ strides, from, to }) => ({ offset: 0 - from, strides, size: Math.max(0, to - from) }));
}
