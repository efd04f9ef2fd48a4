/** Two tensors slid over one another along all their axes. */
import { ArgumentError, ShapeError, show } from "../core/errors.ts";
import { checkShape, showShape, sizeOf } from "../core/shape.ts";
import type { Value } from "../graph/op.ts";
import * as ops from "../ops/index.ts";
import { promoted } from "./elementwise.ts";

/** What is kept of two sequences slid over one another: all places where they meet, as many in the middle as the longer one has, or where the shorter lies within the longer. */
export type ConvolveMode = "full" | "same" | "valid";

/** (a ∗ b)[t] = Σ a[i] · b[t − i], along all axes. The longer one is read, the shorter is the kernel: it makes no difference. */
export function convolve(first: Value, second: Value, mode: ConvolveMode = "full"): Value {
  const who = "convolve";
  const pair = checkedPair(who, first, second, mode);
  const [a, b] = sizeOf(pair[0].shape) >= sizeOf(pair[1].shape) ? pair : pair.toReversed() as [Value, Value]; // biome-ignore format: one line
  const windows = a.shape.map((n, i) => {
    const m = b.shape[i]!;
    const { length, start } = kept(mode, n, m);
    return { x: length, w: m, y: n, stride: 1, dilation: 1, pad: start };
  });
  checkShape(windows.map(({ x }) => x), who); // biome-ignore format: one line
  return ops.contract({ axes: [], windows, result: "x" }, b, a);
}

/** c[k] = Σ a[n + k] · b[n], along all axes. */
export function correlate(first: Value, second: Value, mode: ConvolveMode = "valid"): Value {
  const who = "correlate";
  const [a, b] = checkedPair(who, first, second, mode);
  const windows = a.shape.map((n, i) => {
    const m = b.shape[i]!;
    const { length, start } = kept(mode, n, m);
    // Where b is the longer one, it is b that is kept as it is, and what is read backwards begins at the other end.
    const from = n >= m ? start : n + m - 1 - start - length;
    return { x: n, w: m, y: length, stride: 1, dilation: 1, pad: m - 1 - from };
  });
  checkShape(windows.map(({ y }) => y), who); // biome-ignore format: one line
  return ops.contract({ axes: [], windows, result: "y" }, a, b);
}

/** How much of the n + m − 1 places is kept, and from which on. */
function kept(mode: ConvolveMode, n: number, m: number): { length: number; start: number } {
  const [long, short] = [Math.max(n, m), Math.min(n, m)];
  if (mode === "full") return { length: n + m - 1, start: 0 };
  return mode === "same" ? { length: long, start: Math.floor((short - 1) / 2) } : { length: long - short + 1, start: short - 1 };
}

function checkedPair(who: string, a: Value, b: Value, mode: string): [Value, Value] {
  if (mode !== "full" && mode !== "same" && mode !== "valid")
    throw new ArgumentError(`${who}: the mode is ${show(mode)}`, { help: '"full", "same" or "valid"' });
  if (a.shape.length !== b.shape.length || a.shape.length === 0)
    throw new ShapeError(`${who}: ${showShape(a.shape)} with ${showShape(b.shape)}`, { why: "both have the same axes, at least one" });
  if ([...a.shape, ...b.shape].includes(0))
    throw new ShapeError(`${who}: ${showShape(a.shape)} with ${showShape(b.shape)}`, { why: "an axis without elements meets nothing" });
  return promoted([a, b], who) as [Value, Value];
}
