/** What bounds say about the points at which they hold. */
import type { Access, Bound } from "./expr.ts";

/**
 * An access over axes of its own that reaches at least what `from` reaches where all bounds hold: bounds of one axis leave it where they hold, and each
 * other bound whose form the access moves by becomes one axis, as far as the bound lets it go. Undefined where they never hold.
 */
export function clipped(
  from: Access,
  all: readonly number[],
  bounds: readonly Bound[],
): { readonly access: Access; readonly sizes: readonly number[] } | undefined {
  const strides = [...from.strides];
  const ranges = ownRanges(all, bounds);
  if (ranges.some(([first, last]) => last < first)) return undefined;
  const sizes = ranges.map(([first, last]) => last - first + 1);
  const begin = (of: readonly number[], at: number): number => of.reduce((sum, s, axis) => sum + s * ranges[axis]![0], at);
  let offset = begin(strides, from.offset);
  const [added, lengths]: [number[], number[]] = [[], []];
  const fewer = together(bounds.filter((b) => movers(b, all).length !== 1).map((b) => ({ ...b, offset: begin(b.strides, b.offset) })));
  for (const b of fewer) {
    const [low, high] = reach(b, sizes);
    if (high < 0 || low >= b.size) return undefined;
    // The axis along which nothing else moves says by how much the access moves with the form.
    const own = b.strides.findIndex(
      (s, axis) => s !== 0 && sizes[axis]! > 1 && fewer.every((other) => other === b || other.strides[axis] === 0),
    );
    if (own < 0) continue;
    const scale = strides[own]! / b.strides[own]!;
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

/** The axes that a bound's form moves along. */
const movers = ({ strides }: Bound, sizes: readonly number[]): number[] =>
  strides.flatMap((s, axis) => (s !== 0 && sizes[axis]! > 1 ? [axis] : []));

/** The first and the last position of each axis at which the bounds that move along it alone hold; the last comes before the first if none does. */
function ownRanges(sizes: readonly number[], bounds: readonly Bound[]): [first: number, last: number][] {
  const ranges = sizes.map((size): [number, number] => [0, size - 1]);
  for (const b of bounds) {
    const [axis, ...others] = movers(b, sizes);
    if (axis === undefined || others.length > 0) continue;
    const stride = b.strides[axis]!;
    const ends = [-b.offset / stride, (b.size - 1 - b.offset) / stride];
    const [from, to] = (stride > 0 ? ends : ends.toReversed()) as [number, number];
    const [first, last] = ranges[axis]!;
    ranges[axis] = [Math.max(first, Math.ceil(from)), Math.min(last, Math.floor(to))];
  }
  return ranges;
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

/** The same bound, on the form whose first stride is positive: 0 ≤ f < size is 0 ≤ size − 1 − f < size. */
function forwards(b: Bound): Bound {
  if ((b.strides.find((s) => s !== 0) ?? 1) > 0) return b;
  return { ...b, offset: b.size - 1 - b.offset, strides: b.strides.map((s) => 0 - s) };
}

/** The same as fewer: bounds on one form, counted forwards or backwards, become the narrowest of them. */
export function together(bounds: readonly Bound[]): Bound[] {
  const parts = new Map<string, { strides: readonly number[]; from: number; to: number }>();
  for (const { offset, strides, size } of bounds.map(forwards)) {
    const key = strides.join();
    const { from, to } = parts.get(key) ?? { from: -offset, to: size - offset };
    parts.set(key, { strides, from: Math.max(from, -offset), to: Math.min(to, size - offset) });
  }
  return [...parts.values()].map(({ strides, from, to }) => ({ offset: -from, strides, size: Math.max(0, to - from) }));
}
