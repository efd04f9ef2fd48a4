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
  scalarLike,
  select,
  selectOp,
  sliceAxis,
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
    apply: (v, uses) => (uses.placedBy(v, foldOp) || v.shape.includes(0) ? null : gathered(v)),
  },
];

/**
 * One axis that is folded. Element i = stride · q + r is held by the windows c = q + u − (turns − 1), in which it stands at
 * j = r + stride · (turns − 1 − u), for u = 0 … turns − 1: as far as there is such a window, and such a position.
 */
interface Folded {
  /** The axis of the windows in what is folded; the one after it runs within a window. */
  readonly axis: number;
  readonly count: number;
  readonly size: number;
  readonly stride: number;
  readonly length: number;
  readonly turns: number;
  /** How many q. */
  readonly groups: number;
}

/** Folds of folds as one, in the axes of what the first of them folds. */
function chainOf(v: Value): { base: Value; folded: Folded[] } | null {
  const list: Value[] = [];
  let base = v;
  for (; base.op === foldOp; base = base.inputs[0]!) list.push(base);
  let axes: (number | null)[] = axesOf(base.shape.length);
  const folded: Folded[] = [];
  for (const fold of list.reverse()) {
    const { axis: at, size, stride, dilation, length } = fold.attributes as Fold;
    const [axis, within] = [axes[at] ?? null, axes[at + 1] ?? null];
    if (dilation !== 1 || axis === null || within !== axis + 1) return null;
    axes = axes.toSpliced(at, 2, null);
    const count = base.shape[axis]!;
    folded.push({ axis, count, size, stride, length, turns: Math.ceil(size / stride), groups: Math.ceil(length / stride) });
  }
  return { base, folded };
}

function gathered(v: Value): Value | null {
  const chain = chainOf(v);
  const gathering = chain && new Gathering(chain.base, chain.folded);
  const whole = gathering?.of(chain!.base);
  if (!chain || !gathering || !whole) return null;
  const masks = chain.folded.flatMap((f) => gathering.inside(f, vanishes(chain.base, f.axis)));
  const counted = masks.length === 0 ? whole : select(masks.reduce(logicalAnd), whole, zerosLike(whole));
  return chain.folded.reduce(
    (y, f) => sliceAxis(y, resultAxis(f, chain.folded), 0, f.length),
    reshape(
      sum(counted, gathering.turns()),
      v.shape.map((d, axis) => chain.folded.reduce((n, f) => (resultAxis(f, chain.folded) === axis ? f.groups * f.stride : n), d)),
    ),
  );
}

/** Each fold before it has taken one axis. */
const resultAxis = ({ axis }: Folded, folded: readonly Folded[]): number => axis - folded.filter((f) => f.axis < axis).length;

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
    const c = this.folded.find((f) => f.axis === axis);
    if (c && c.turns > 1) return add(here, this.along(this.turnAxis(c), 1, 1 - c.turns, dtype));
    const j = this.folded.find((f) => f.axis === axis - 1);
    return j && j.turns > 1 ? add(here, this.along(this.turnAxis(j), -j.stride, j.stride * (j.turns - 1), dtype)) : here;
  }

  /** What is spread over windows: padded with windows that do not exist, and seen through those that hold an element. */
  private spread(z: Value, axes: readonly number[]): Value | null {
    if (this.folded.some((f) => axes.includes(f.axis + 1))) return null;
    const windowed = this.folded.filter((f) => axes.includes(f.axis));
    const only = (of: (f: Folded) => number): number[] => axes.map((axis) => windowed.reduce((n, f) => (f.axis === axis ? of(f) : n), 0));
    const padded = pad(z, { low: only((f) => f.turns - 1), high: only((f) => f.groups - f.count), interior: only(() => 0), value: 0 });
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
  inside({ axis, count, size, stride, turns }: Folded, vanishing: boolean): Value[] {
    const below = (at: Value, bound: number): Value => lt(at, scalarLike(at, bound));
    const positions = stride * turns > size ? [below(this.position(axis + 1, "int32"), size)] : [];
    if (vanishing) return positions;
    const c = this.position(axis, "int32");
    return [...positions, below(c, count), le(zerosLike(c), c)];
  }
}
