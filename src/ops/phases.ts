/**
 * The phases of a strided convolution's adjoint. Of stride · y + dilation · w − pad = x, with y and w given, a position of x uses only the taps w whose
 * dilation · w has its residue by the stride: one tap in `stride` of them. Positions of one residue, a phase, are a convolution of stride 1 with
 * those taps, and so no tap meets the zeros that Dumoulin and Visin 2016, section 4.5, put between the elements of y.
 */
import type { Form } from "../graph/op.ts";

type Window = Form["windows"][number];

/** Phases one after another that are computed as one, with an axis for them: the positions first + p + period · m of x, for p < count and m < turns. */
export interface Phase {
  readonly first: number;
  readonly count: number;
  /** The taps of each of them, `apart` from one another. None: x is 0 there. */
  readonly taps: number;
  /** The first of the taps of the phases, from the last phase on where they run `backwards`. */
  readonly tap: number;
  readonly apart: number;
  /** Tap t meets the element start + m − reach · t of y; the next phase the next element where they run `backwards`, else the same. */
  readonly start: number;
  readonly reach: number;
  readonly backwards: boolean;
}

export interface Phases {
  readonly list: readonly Phase[];
  /** How many phases there are in all, and positions of each. The last positions of some may be beyond x. */
  readonly period: number;
  readonly turns: number;
}

/** The phases of a window relation whose x is wanted; neighbours that are computed alike are one. */
export function phasesOf({ x, w, stride, dilation, pad }: Window): Phases {
  const period = Math.min(x, stride);
  const list: Phase[] = [];
  for (let first = 0; first < period; first++) {
    const phase = phaseAt(first, { w, stride, dilation, pad });
    const joined = list.length > 0 && dilation === 1 ? together(list.at(-1)!, phase, stride) : undefined;
    if (joined) list.pop();
    list.push(joined ?? phase);
  }
  return { list, period, turns: Math.ceil(x / period) };
}

function phaseAt(first: number, { w, stride, dilation, pad }: Omit<Window, "x" | "y">): Phase {
  const divisor = gcd(stride, dilation);
  const apart = stride / divisor;
  const residue = (((first + pad) % stride) + stride) % stride;
  const tap = Array.from({ length: Math.min(apart, w) }, (_, j) => j).find((j) => (dilation * j - residue) % stride === 0);
  const start = tap === undefined ? 0 : (first + pad - dilation * tap) / stride;
  const taps = tap === undefined ? 0 : Math.floor((w - 1 - tap) / apart) + 1;
  return { first, count: 1, taps, tap: tap ?? 0, apart, start, reach: dilation / divisor, backwards: false };
}

/**
 * Neighbours of equally many taps: of the next tap and the same elements, or, where there are two phases, of the tap before and the next elements.
 * (With dilation 1, the next phase has the next tap, or after the last one the first.)
 */
function together(before: Phase, next: Phase, stride: number): Phase | undefined {
  if (before.taps !== next.taps) return undefined;
  if (before.taps === 0 || before.start === next.start) return { ...before, count: before.count + 1 };
  return stride === 2 ? { ...before, count: 2, tap: next.tap, backwards: true } : undefined;
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
