/** A kernel while it is made: which values are computed in it, under which views, and what it writes. */
import { sameShape } from "../core/shape.ts";
import { inputSlots } from "../graph/form.ts";
import type { ContractSlot, Form, Value } from "../graph/op.ts";
import { type Affine, axisForm, constantForm, Domain, type View, viewKey } from "./affine.ts";
import { isSpread, weightOf } from "./classify.ts";
import { labelsOf, rolesOf } from "./contraction.ts";

/** How a consumer wants a value: computed on the spot, read through moves from memory, or in memory as it is. */
export type Want = "compute" | "load" | "memory";

export interface Demand {
  readonly cluster: Cluster;
  readonly want: Want;
  readonly view: View;
  /** Whether the view may look beyond the value, into a border that is around it. */
  readonly beyond: boolean;
}

/** A value computed in a cluster, once for each view of it. */
interface Member {
  readonly want: Want;
  readonly beyond: boolean;
  readonly views: Map<string, { view: View; inner: readonly number[] }>;
}

/** What a cluster writes into a place: one of the values that are put there. */
export interface Piece {
  readonly value: Value;
  readonly into: Value;
  /** Where the elements of `value` go, as `into` has its axes. */
  target(view: View, domain: Domain): View;
}

export class Cluster {
  readonly domain: Domain;
  readonly shape: readonly number[];
  readonly members = new Map<Value, Member>();
  /** Written at every point of the domain (or of its independent axes), in the order they were added. */
  readonly stores: Value[] = [];
  /** The product whose epilogue this cluster is. */
  base: Value | undefined;
  /** An op that is a kernel by itself: serial, scatter-add, place. */
  readonly special: Value | undefined;
  weight = 0;
  /** Operations repeated because a smaller value is stretched over the domain. */
  repeated = 0;
  /** Whether something is read here only within bounds. */
  looksBeyond = false;
  /** Clusters that read what this one writes. */
  readonly consumers = new Set<Cluster>();

  /** It stores no value of its own, but a piece of another. */
  readonly piece: Piece | undefined;
  /** Of a place, by the place that each is an input of (itself, or one within it): its pieces; undefined for what is a place itself. */
  readonly pieces = new Map<Value, (Cluster | undefined)[]>();

  constructor(shape: readonly number[], { special, piece }: { special?: Value | undefined; piece?: Piece } = {}) {
    this.shape = shape;
    this.domain = new Domain(shape);
    this.special = special;
    this.piece = piece;
  }

  /** What is stored, each with the value whose memory it is stored in, and how that has its axes. */
  get written(): { value: Value; into: Value; view: View }[] {
    const view = this.identity;
    if (this.piece) return [{ ...this.piece, view: this.domain.currentView(this.piece.target(view, this.domain)) }];
    return this.stores.map((value) => ({ value, into: value, view }));
  }

  get identity(): View {
    return this.domain.identity(this.shape.length);
  }

  isIdentity(view: View): boolean {
    return viewKey(this.domain.currentView(view)) === viewKey(this.identity);
  }

  /** The axes of what is stored, without those that only reductions made. */
  get storeAxes(): number[] {
    const own = new Set(this.shape.flatMap((_, a) => this.domain.partsOf(a)));
    return this.domain.order.filter((a) => own.has(a));
  }

  /** Axes of what is stored that a view does not move along. */
  missing(view: View): number[] {
    const used = new Set(this.domain.currentView(view).flatMap((f) => f.terms.map(([a]) => a)));
    return this.storeAxes.filter((a) => !used.has(a) && this.domain.sizes[a] !== 1);
  }

  /** Whether axes are the last ones of what is stored: those within a row. */
  trails(axes: readonly number[]): boolean {
    const own = this.storeAxes.filter((a) => this.domain.sizes[a] !== 1);
    return axes.every((a, i) => a === own[own.length - axes.length + i]);
  }

  get hasReductions(): boolean {
    return this.addedAxes > 0 || this.domain.inner.size > 0;
  }

  viewsOf(v: Value): { view: View; inner: readonly number[] }[] {
    const member = this.members.get(v);
    return member ? [...member.views.values()].map(({ view, inner }) => ({ view: this.domain.currentView(view), inner })) : [];
  }

  join(v: Value, demands: readonly Demand[]): void {
    const want = demands.some((d) => d.want === "load") ? "load" : "compute";
    const beyond = v.op.kind === "place" || demands.some((d) => d.beyond);
    const member = this.members.get(v) ?? { want, beyond, views: new Map() };
    this.members.set(v, member);
    this.looksBeyond ||= beyond;
    for (const { view } of demands) {
      const key = viewKey(this.domain.currentView(view));
      if (member.views.has(key)) continue;
      member.views.set(key, { view, inner: this.innerAxes(v, view) });
      this.weight += weightOf(v);
    }
  }

  /** What it reads from memory, and how: but for what is read at computed positions. */
  reads(): { value: Value; view: View }[] {
    const found: { value: Value; view: View }[] = [];
    for (const v of this.members.keys())
      for (const { view, inner } of this.viewsOf(v))
        v.inputs.forEach((value, i) => {
          if (this.members.has(value)) return;
          const demand = this.demand(v, i, view, inner);
          if (demand.want !== "memory") found.push({ value, view: this.domain.currentView(demand.view) });
        });
    return found;
  }

  /** Axes that reductions have added to those of what is stored. */
  get addedAxes(): number {
    return this.domain.order.length - this.storeAxes.length;
  }

  /** Axes of what is stored that a reduction can run over: its result does not move along them, and they are as long. */
  private walkedAgain(v: Value, view: View): readonly number[] | undefined {
    if (v === this.base) return undefined;
    const missing = this.missing(view);
    const sizes = missing.map((a) => this.domain.sizes[a]!);
    return sameShape(sizes, reducedSizes(v)) ? missing : undefined;
  }

  /** The axes of a reduction here that goes through the same. */
  private besideAxes(v: Value, view: View): readonly number[] | undefined {
    if (v.op.kind !== "reduce") return undefined;
    const key = viewKey(this.domain.currentView(view));
    for (const other of this.members.keys())
      if (other !== v && goThroughTheSame(v, other))
        for (const seen of this.viewsOf(other)) if (viewKey(seen.view) === key) return seen.inner;
    return undefined;
  }

  /** How many axes a reduction would add. */
  newAxes(v: Value, view: View): number {
    return this.besideAxes(v, view) || this.walkedAgain(v, view) ? 0 : reducedSizes(v).length;
  }

  /** The loop axes a reduction runs over: those of what is stored where they fit, else new ones. */
  private innerAxes(v: Value, view: View): readonly number[] {
    const sizes = reducedSizes(v);
    if (sizes.length === 0) return [];
    const axes = this.besideAxes(v, view) ?? this.walkedAgain(v, view) ?? sizes.map((n) => this.domain.addAxis(n));
    for (const a of axes) this.domain.inner.add(a);
    return axes;
  }

  /** What a value computed here under a view wants of its input `i`. Throws NotAffine where a move has no affine view here. */
  demand(v: Value, i: number, view: View, inner: readonly number[]): Demand {
    const { op } = v;
    const input = v.inputs[i]!;
    const { want = "compute", beyond = false } = this.members.get(v) ?? {};
    const of = (w: Want, at: View): Demand => ({ cluster: this, want: w, view: at, beyond });
    switch (op.kind) {
      case "move":
      case "place":
        return of(want, this.domain.sourceOf(v, view)!);
      case "reduce":
        return of("compute", reducedView(v, view, inner));
      case "contract":
        return of(v === this.base ? "load" : "compute", operandView(v, i, view, inner));
      case "indexed": {
        const batch = (v.attributes as { batch?: number }).batch ?? 0;
        if (i === 0) return of("memory", []);
        return of(
          "compute",
          view.slice(0, input.shape.length).map((f, a) => (a < batch ? view[a]! : f)),
        );
      }
      default:
        return of("compute", view);
    }
  }
}

/**
 * Whether two reductions can be one walk over the same elements: sums of a tensor and of its squares, an extreme and its position. Neither is made of the
 * other.
 */
export function goThroughTheSame(a: Value, b: Value): boolean {
  if (a.op.kind !== "reduce" || b.op.kind !== "reduce" || !sameShape(a.inputs[0]!.shape, b.inputs[0]!.shape)) return false;
  const [p, q] = [a, b].map((v) => (v.attributes as { axes: readonly number[] }).axes);
  if (!sameShape(p!, q!)) return false;
  const [below, beside] = [walkedBy(a), walkedBy(b)];
  return [...below].some((x) => beside.has(x)) && !below.has(b) && !beside.has(a);
}

/** How far a reduction is looked into. */
const MOST_WALKED = 24;

/** The tensors that a reduction reads element by element, as far as a few cheap operations go. */
export function walkedBy(v: Value): Set<Value> {
  const found = new Set<Value>();
  const waiting = [v.inputs[0]!];
  for (let x = waiting.pop(); x && found.size < MOST_WALKED; x = waiting.pop()) {
    // A constant, or what is spread, is nobody's walk.
    if (found.has(x) || isSpread(x)) continue;
    if (x.op.kind === "leaf" && (x.op.source === "iota" || x.op.source === "constant")) continue;
    found.add(x);
    if (x.op.kind === "elementwise" || x.op.kind === "move") waiting.push(...x.inputs);
  }
  return found;
}

/** Sizes of the axes a reduction or contraction sums over. */
export function reducedSizes(v: Value): number[] {
  if (v.op.kind === "reduce") {
    const { axes } = v.attributes as { axes: readonly number[] };
    return axes.map((a) => v.inputs[0]!.shape[a]!);
  }
  if (v.op.kind === "contract") {
    const form = v.attributes as Form;
    return rolesOf(form).k.map((label) => form.axes[label]!.size);
  }
  return [];
}

/** The view of a reduction's input: the result's axes with the reduced ones put back, running over `inner`. */
function reducedView(v: Value, view: View, inner: readonly number[]): View {
  const { axes } = v.attributes as { axes: readonly number[] };
  let kept = 0;
  return v.inputs[0]!.shape.map((_, a) => {
    const at = axes.indexOf(a);
    return at >= 0 ? axisForm(inner[at]!) : view[kept++]!;
  });
}

/** The view of an input of a contraction: each of its labels where the result has it, or on its axis of the sum. */
export function operandView(v: Value, i: number, view: View, inner: readonly number[]): View {
  const form = v.attributes as Form;
  const at = new Map<number, Affine>();
  labelsOf(form, form.result).forEach((label, axis) => {
    at.set(label, view[axis]!);
  });
  rolesOf(form).k.forEach((label, n) => {
    at.set(label, axisForm(inner[n]!));
  });
  const slot: ContractSlot = inputSlots(form)[i]!;
  return labelsOf(form, slot).map((label) => at.get(label) ?? constantForm(0));
}
