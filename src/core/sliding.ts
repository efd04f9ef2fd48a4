/** What slides over the axes of an image, in convolutions and pools: kernel, stride, dilation and padding, checked in one place. */
import { ArgumentError, ShapeError, show } from "./errors.ts";
import { type Shape, showShape } from "./shape.ts";

/** One number for all axes, or one for each. */
export type PerAxis = number | readonly number[];

/**
 * Zeros around the input: as many on every side, for each axis, or `[before, after]` for each axis; negative numbers cut off. In words: "valid" is none, "same" as
 * many as keep the size (one more behind than before where they are odd, as PyTorch has it), "full" as many as let the kernel reach each element with each of its own.
 */
export type Padding = PerAxis | readonly (number | readonly [before: number, after: number])[] | "valid" | "same" | "full";

/** How something slides, as users say it. */
export interface SlidingOptions {
  readonly kernelSize: PerAxis;
  readonly stride?: PerAxis | undefined;
  readonly padding?: Padding | undefined;
  readonly dilation?: PerAxis | undefined;
}

/** How a window slides along one axis: it holds `size` elements that are `dilation` apart, and starts at every `stride`-th of the padded axis. */
export interface Sliding {
  readonly size: number;
  readonly stride: number;
  readonly dilation: number;
  readonly before: number;
  readonly after: number;
}

/** How many elements a window reaches over. */
export const spanOf = ({ size, dilation }: Pick<Sliding, "size" | "dilation">): number => dilation * (size - 1) + 1;

/** One number for each axis, all of them whole and ≥ `least`. `what` says whose they are: "conv2d: the stride". */
export function perAxis(given: unknown, axes: number, least: number, what: string): number[] {
  const list: unknown = typeof given === "number" ? Array.from({ length: axes }, () => given) : given;
  const whole = (n: unknown): boolean => Number.isSafeInteger(n) && (n as number) >= least;
  if (Array.isArray(list) && list.length === axes && Array.from(list).every(whole)) return [...list];
  throw new ArgumentError(`${what} is ${show(given)}`, { why: `it is a whole number ≥ ${least}${axes > 1 ? `, or ${axes} of them` : ""}` });
}

/**
 * How a window slides along each of `axes` axes.
 *
 * @throws ArgumentError that begins with `who`, for what is no size, stride, dilation or padding
 */
export function slidings(who: string, axes: number, options: SlidingOptions): Sliding[] {
  const sizes = perAxis(options.kernelSize, axes, 1, `${who}: the kernel size`);
  const strides = perAxis(options.stride ?? 1, axes, 1, `${who}: the stride`);
  const dilations = perAxis(options.dilation ?? 1, axes, 1, `${who}: the dilation`);
  const windows = sizes.map((size, i) => ({ size, stride: strides[i]!, dilation: dilations[i]! }));
  const sides = sidesOf(who, windows, options.padding ?? 0);
  return windows.map((window, i) => ({ ...window, before: sides[i]![0], after: sides[i]![1] }));
}

/**
 * The same of a transposed convolution, with how much longer its result is behind.
 *
 * @throws ArgumentError that begins with `who`, also for a padding in words, and more behind than a stride leaves open
 */
export function transposedSlidings(
  who: string,
  axes: number,
  options: SlidingOptions & { readonly outputPadding?: PerAxis | undefined },
): (Sliding & { readonly further: number })[] {
  const further = perAxis(options.outputPadding ?? 0, axes, 0, `${who}: the output padding`);
  if (typeof options.padding === "string" && options.padding !== "valid")
    throw new ArgumentError(`${who}: the padding is ${show(options.padding)}`, {
      why: "it says what is cut off the result on each side",
      help:
        axes === 1 ? "a whole number, or a pair [before, after] in a list" : `a whole number, ${axes} of them, or pairs [before, after]`,
    });
  return slidings(who, axes, options).map((s, i) => {
    if (further[i]! < Math.max(s.stride, s.dilation)) return { ...s, further: further[i]! };
    throw new ArgumentError(`${who}: the output padding is ${further[i]}`, {
      why: `it chooses between sizes that the stride of ${s.stride} makes one, so it is below the stride, or the dilation of ${s.dilation}`,
    });
  });
}

function sidesOf(who: string, windows: readonly Omit<Sliding, "before" | "after">[], padding: Padding): (readonly [number, number])[] {
  if (padding === "same" && windows.some(({ stride }) => stride !== 1))
    throw new ArgumentError(`${who}: padding "same" with a stride of ${windows.find(({ stride }) => stride !== 1)!.stride}`, {
      why: "a stride makes the result smaller than the input",
      help: `padding: ${show(windows.map((w) => Math.floor((spanOf(w) - 1) / 2)))} gives ⌈size / stride⌉ for odd kernels`,
    });
  if (typeof padding === "string") {
    const named = { valid: () => 0, same: (n: number) => Math.floor(n / 2), full: (n: number) => n };
    const before = Object.hasOwn(named, padding) ? named[padding] : undefined;
    if (before)
      return windows.map((w) => {
        const reach = spanOf(w) - 1;
        return [before(reach), padding === "same" ? reach - before(reach) : before(reach)];
      });
  }
  const list: unknown = typeof padding === "number" ? windows.map(() => padding) : padding;
  const pairs = Array.isArray(list) ? list.map((n: unknown) => (typeof n === "number" ? [n, n] : n)) : [];
  const isPair = (p: unknown): boolean => Array.isArray(p) && p.length === 2 && p.every(Number.isSafeInteger);
  if (pairs.length === windows.length && pairs.every(isPair)) return pairs as [number, number][];
  throw new ArgumentError(`${who}: the padding is ${show(padding)}`, {
    why: `it is a whole number, ${windows.length} of them, or ${windows.length === 1 ? "a pair [before, after] in a list" : `${windows.length} pairs [before, after]`}; or "valid", "same", "full"`,
  });
}

/**
 * Where a window stands on an axis of n elements: ⌊(n + before + after − span) / stride⌋ + 1 times. Dumoulin and Visin 2016, relationship 15.
 *
 * @throws ShapeError that begins with `who`, where it does not fit once; `axis` says which of `shape` it is
 */
export function countWindows(who: string, shape: Shape, axis: number, window: Sliding): number {
  const { stride, before, after } = window;
  const [size, span] = [shape[axis]!, spanOf(window)];
  const count = Math.floor((size + before + after - span) / stride) + 1;
  if (count >= 1) return count;
  const padded = before === 0 && after === 0 ? `${size}` : `${size} + ${before} + ${after} = ${size + before + after}`;
  throw new ShapeError(`${who}: a kernel that reaches over ${span} does not fit into axis ${axis} of ${showShape(shape)}`, {
    why: `the axis has ${padded} elements${before === 0 && after === 0 ? "" : " with its padding"}`,
    help: `a larger input, a smaller kernel, or padding of ${Math.ceil((span - size) / 2)}`,
  });
}

/** What to write where the last axis has the channels that are missing before those of space, as other libraries lay images out; or nothing. */
export function channelsFirst(shape: Shape, axes: number, channels: number): string | undefined {
  const lead = shape.length - axes - 1;
  if (lead < 0 || shape.at(-1) !== channels) return;
  const order = [...Array.from({ length: lead }, (_, i) => i), shape.length - 1, ...Array.from({ length: axes }, (_, i) => lead + i)];
  return `channels come before the axes of space: x.permute(${showShape(order)}) is ${showShape(order.map((d) => shape[d]!))}`;
}
