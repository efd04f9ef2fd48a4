/**
 * Windows that overlap, added up the other way round: instead of each window writing to its elements, each element asks the windows that hold
 * it. Nothing is stored for the windows, nothing is filled with zeros first, and what is done with the sum joins it. The gradients of pooling
 * are such: what is folded there is the same along a window, or chosen by the position in it.
 */
import { type Elementwise, type IotaAttributes, reapply, type Value } from "../graph/op.ts";
import {
  add,
  axesOf,
  broadcastOp,
  broadcastTo,
  type Fold,
  filled,
  foldOp,
  iota,
  le,
  logicalAnd,
  lt,
  mul,
  mulOp,
  pad,
  reshape,
  type Slice,
  scalarLike,
  select,
  selectOp,
  slice,
  sliceOp,
  sum,
  windows,
  zerosLike,
} from "../ops/index.ts";
import { filledWith, match } from "./match.ts";
import type { Rule } from "./rewrite.ts";

/** Operations that are done once for each window that holds an element. */
const MOST_STEPS = 16;

export const folds: readonly Rule[] = [
  {
    name: "fold of what does not overlap",
    doc: "fold(x[count, size]) → x[count · size], padded, for windows that follow one another",
    on: [foldOp],
    apply(v) {
      const { axis, size, stride, dilation, length } = v.attributes as Fold;
      const x = v.inputs[0]!;
      if (stride !== size || dilation !== 1 || x.shape.includes(0)) return null;
      const covered = x.shape[axis]! * size;
      const none = v.shape.map(() => 0);
      return pad(reshape(x, v.shape.with(axis, covered)), { low: none, high: none.with(axis, length - covered), interior: none, value: 0 });
    },
  },
  {
    name: "fold of what is spread",
    doc: "fold(f(spread(a), position)) → Σ over the windows that hold an element of f(pad(a), position), along one axis or several",
    on: [foldOp],
    apply: (v, uses) => (uses.placedBy(v, foldOp) || uses.placedBy(v, sliceOp) || v.shape.includes(0) ? null : gathered(v)),
  },
  {
    name: "slice of fold of what is spread",
    doc: "slice(fold(f(spread(a), position))) → the same sums, for the elements of the slice only",
    on: [sliceOp],
    apply(v) {
      const { x, attributes } = match(v, sliceOp)!;
      if (x.op !== foldOp || v.shape.includes(0)) return null;
      if (attributes.steps.every((step) => step === 1)) return gathered(x, attributes);
      const whole = gathered(x);
      return whole && slice(whole, attributes);
    },
  },
];

/**
 * One axis that is folded, from element `start` on. With start = stride · a + b, element start + stride · q + r is held by the windows
 * c = q + a + first + u, in which it stands at j = r + b − stride · (first + u), for u = 0 … turns − 1: as far as there is such a window, and such
 * a position.
 */
interface Folded {
  /** The axis of the windows in what is folded; the one after it runs within a window. */
  readonly axis: number;
  readonly count: number;
  readonly size: number;
  readonly stride: number;
  /** How many elements of the result are asked for. */
  readonly length: number;
  /** a + first, and b − stride · first. */
  readonly windowFrom: number;
  readonly placeFrom: number;
  readonly turns: number;
  /** How many q. */
  readonly groups: number;
}

/** How an axis is folded where elements from `start` on are asked for. */
function foldedAlong(axis: number, count: number, { size, stride }: Fold, start: number, length: number): Folded {
  const [a, b] = [Math.floor(start / stride), start % stride];
  const first = -Math.floor((size - 1 - b) / stride);
  const turns = Math.floor((b + stride - 1) / stride) - first + 1;
  const groups = Math.ceil(length / stride);
  return { axis, count, size, stride, length, windowFrom: a + first, placeFrom: b - stride * first, turns, groups };
}

/** Folds of folds as one, in the axes of what the first of them folds, for the elements of a slice of the result. */
function chainOf(v: Value, part?: Slice): { base: Value; folded: Folded[] } | null {
  const list: Value[] = [];
  let base = v;
  for (; base.op === foldOp; base = base.inputs[0]!) list.push(base);
  let axes: (number | null)[] = axesOf(base.shape.length);
  const found: { axis: number; fold: Fold }[] = [];
  for (const fold of list.reverse()) {
    const { axis: at, dilation } = fold.attributes as Fold;
    const [axis, within] = [axes[at] ?? null, axes[at + 1] ?? null];
    if (dilation !== 1 || axis === null || within !== axis + 1) return null;
    axes = axes.toSpliced(at, 2, null);
    found.push({ axis, fold: fold.attributes as Fold });
  }
  const folded = found.map(({ axis, fold }) => {
    const to = resultAxis(axis, found);
    return foldedAlong(axis, base.shape[axis]!, fold, part?.starts[to] ?? 0, part?.sizes[to] ?? fold.length);
  });
  return { base, folded };
}

/** The sums, or those of a part of them. */
function gathered(v: Value, part?: Slice): Value | null {
  const chain = chainOf(v, part);
  const gathering = chain && new Gathering(chain.base, chain.folded);
  const whole = gathering?.of(chain!.base);
  if (!chain || !gathering || !whole) return null;
  const masks = chain.folded.flatMap((f) => gathering.inside(f, vanishes(chain.base, f.axis)));
  const counted = masks.length === 0 ? whole : select(masks.reduce(logicalAnd), whole, zerosLike(whole));
  const groups = new Map(chain.folded.map((f) => [resultAxis(f.axis, chain.folded), f]));
  const full = v.shape.map((d, axis) => (groups.has(axis) ? groups.get(axis)!.groups * groups.get(axis)!.stride : d));
  return slice(reshape(sum(counted, gathering.turns()), full), {
    starts: full.map((_, axis) => (groups.has(axis) ? 0 : (part?.starts[axis] ?? 0))),
    steps: full.map(() => 1),
    sizes: full.map((d, axis) => groups.get(axis)?.length ?? part?.sizes[axis] ?? d),
  });
}

/** Each fold before it has taken one axis. */
const resultAxis = (axis: number, folded: readonly { readonly axis: number }[]): number =>
  axis - folded.filter((f) => f.axis < axis).length;

/** Whether x is 0 in windows that do not exist, where what is spread along `axis` is padded with zeros. */
function vanishes(x: Value, axis: number): boolean {
  const constant = filledWith(x);
  if (constant !== null) return constant === 0;
  const spread = match(x, broadcastOp);
  if (spread) return spread.attributes.axes.includes(axis);
  if (x.op === selectOp) return vanishes(x.inputs[1]!, axis) && vanishes(x.inputs[2]!, axis);
  return x.op === mulOp && Number.isFinite(filledWith(x.inputs[1]!)) && vanishes(x.inputs[0]!, axis);
}

/** What is folded, seen from the elements: over (q, u, r) in place of each pair of axes, without u where an element has one window. */
class Gathering {
  private readonly folded: readonly Folded[];
  private readonly shape: number[] = [];
  /** Where each axis of what is folded lies now: that of the windows at q, the one within at r, with u in front. */
  private readonly axes: number[] = [];
  private readonly seen = new Map<Value, Value | null>();

  constructor(base: Value, folded: readonly Folded[]) {
    this.folded = folded;
    base.shape.forEach((d, axis) => {
      const within = folded.find((f) => f.axis === axis - 1);
      if (within && within.turns > 1) this.shape.push(within.turns);
      this.axes.push(this.shape.length);
      this.shape.push(folded.find((f) => f.axis === axis)?.groups ?? within?.stride ?? d);
    });
  }

  private turnAxis(f: Folded): number {
    return this.axes[f.axis + 1]! - 1;
  }

  /** The axes of u. */
  turns(): number[] {
    return this.folded.flatMap((f) => (f.turns > 1 ? [this.turnAxis(f)] : []));
  }

  /** x seen so: arithmetic of what is spread along no position, of positions and of constants. Null for anything else. */
  of(x: Value): Value | null {
    const known = this.seen.get(x);
    if (known !== undefined || this.seen.size > MOST_STEPS) return known ?? null;
    const made = this.make(x);
    this.seen.set(x, made);
    return made;
  }

  private make(x: Value): Value | null {
    const constant = filledWith(x);
    if (constant !== null) return filled(constant, this.shape, x.dtype);
    if (x.op.kind === "leaf" && x.op.source === "iota") return this.position((x.attributes as IotaAttributes).axis, x.dtype);
    const spread = match(x, broadcastOp);
    if (spread) return this.spread(spread.x, spread.attributes.axes);
    if (x.op.kind !== "elementwise" || (x.op as Elementwise).costly) return null;
    const inputs = x.inputs.map((input) => this.of(input));
    return inputs.includes(null) ? null : reapply(x, inputs as Value[]);
  }

  /** scale · (the position along an axis) + offset. */
  private along(axis: number, scale: number, offset: number, dtype: Value["dtype"]): Value {
    const at = iota(this.shape, axis, dtype);
    const scaled = scale === 1 ? at : mul(at, scalarLike(at, scale));
    return offset === 0 ? scaled : add(scaled, scalarLike(at, offset));
  }

  /** The position along an axis of what is folded. */
  private position(axis: number, dtype: Value["dtype"]): Value {
    const here = this.along(this.axes[axis]!, 1, 0, dtype);
    const from = (f: Folded, scale: number, offset: number): Value => {
      if (f.turns > 1) return add(here, this.along(this.turnAxis(f), scale, offset, dtype));
      return offset === 0 ? here : add(here, scalarLike(here, offset));
    };
    const c = this.folded.find((f) => f.axis === axis);
    if (c) return from(c, 1, c.windowFrom);
    const j = this.folded.find((f) => f.axis === axis - 1);
    return j ? from(j, -j.stride, j.placeFrom) : here;
  }

  /** What is spread over windows: padded with windows that do not exist, and seen through those that hold an element. */
  private spread(z: Value, axes: readonly number[]): Value | null {
    if (this.folded.some((f) => axes.includes(f.axis + 1))) return null;
    const windowed = this.folded.filter((f) => axes.includes(f.axis));
    const only = (of: (f: Folded) => number): number[] => axes.map((axis) => windowed.reduce((n, f) => (f.axis === axis ? of(f) : n), 0));
    // As many windows as are asked, from the first one on: those that do not exist are padding, those that nobody asks are left out.
    const asked = (f: Folded): number => f.groups + f.turns - 1;
    const ends = (f: Folded): [low: number, high: number] => [-f.windowFrom, asked(f) + f.windowFrom - f.count];
    const left = {
      starts: only((f) => Math.max(0, -ends(f)[0])),
      steps: axes.map(() => 1),
      sizes: z.shape.map((n, d) => n + only((f) => Math.min(0, ends(f)[0]) + Math.min(0, ends(f)[1]))[d]!),
    };
    if (left.sizes.some((n) => n <= 0)) return null;
    const padded = pad(slice(z, left), {
      low: only((f) => Math.max(0, ends(f)[0])),
      high: only((f) => Math.max(0, ends(f)[1])),
      interior: only(() => 0),
      value: 0,
    });
    // From the last axis on, so that those before keep their numbers.
    const seen = axes.reduceRight((y, axis, d) => {
      const f = windowed.find((w) => w.axis === axis && w.turns > 1);
      return f ? windows(y, { axis: d, size: f.turns, stride: 1, dilation: 1 }) : y;
    }, padded);
    const to = axes.flatMap((axis) => {
      const f = windowed.find((w) => w.axis === axis && w.turns > 1);
      return f ? [this.axes[axis]!, this.turnAxis(f)] : [this.axes[axis]!];
    });
    return broadcastTo(seen, this.shape, to);
  }

  /** Masks of what counts: positions that a window has, and unless it is 0 in others, windows that exist. */
  inside(f: Folded, vanishing: boolean): Value[] {
    const within = (axis: number, first: number, last: number, bound: number): Value[] => {
      const at = this.position(axis, "int32");
      return [...(last >= bound ? [lt(at, scalarLike(at, bound))] : []), ...(first < 0 ? [le(zerosLike(at), at)] : [])];
    };
    const { axis, count, size, stride, turns, groups, windowFrom, placeFrom } = f;
    const positions = within(axis + 1, placeFrom - stride * (turns - 1), placeFrom + stride - 1, size);
    return vanishing ? positions : [...positions, ...within(axis, windowFrom, windowFrom + groups + turns - 2, count)];
  }
}
