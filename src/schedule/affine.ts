/**
 * Index maps as affine forms of a kernel's axes. A reshape splits an index; where an axis of the kernel is too coarse for
 * that, the axis itself is split (the common refinement of all factorisations). Where there is none, the form is not affine.
 */
import type { IndexAlgebra, Move, Place, Value } from "../graph/op.ts";

/** offset + Σ coefficient · axis, axes ascending, no zero coefficients. */
export interface Affine {
  readonly offset: number;
  readonly terms: readonly (readonly [axis: number, coefficient: number])[];
}

/** One affine form for each axis of a value: where the kernel's current point looks. */
export type View = readonly Affine[];

/** Thrown by `split` where no refinement of the axes makes the quotient affine. */
export class NotAffine extends Error {}

export const constantForm = (offset: number): Affine => ({ offset, terms: [] });
export const axisForm = (axis: number): Affine => ({ offset: 0, terms: [[axis, 1]] });

export function viewKey(view: View): string {
  return view.map((f) => `${f.offset}${f.terms.map(([a, c]) => `+${c}*${a}`).join("")}`).join();
}

interface Split {
  readonly outer: number;
  readonly inner: number;
  readonly size: number;
}

/** The axes of a kernel while it is made: they may still be split, and any may turn out to be reduced over. */
export class Domain implements IndexAlgebra<Affine> {
  readonly sizes: number[] = [];
  /** Axes as they stand in loops, outermost first. */
  order: number[] = [];
  /** Axes inside the independent ones: reduced over, or walked once more for each row. */
  readonly inner = new Set<number>();
  /** No axis may be split any more. */
  frozen = false;
  private readonly splits = new Map<number, Split>();

  constructor(shape: readonly number[]) {
    for (const size of shape) this.addAxis(size);
  }

  addAxis(size: number): number {
    const axis = this.sizes.push(size) - 1;
    this.order.push(axis);
    return axis;
  }

  /** The forms of a shape that the domain's first axes make up. */
  identity(rank: number): View {
    return Array.from({ length: rank }, (_, a) => this.current(axisForm(a)));
  }

  constant(n: number): Affine {
    return constantForm(n);
  }

  affine(terms: readonly Affine[], scales: readonly number[], offset: number): Affine {
    const sum = new Map<number, number>();
    terms.forEach((t, i) => {
      const scale = scales[i]!;
      offset += t.offset * scale;
      for (const [a, c] of this.current(t).terms) sum.set(a, (sum.get(a) ?? 0) + c * scale);
    });
    return { offset, terms: sorted(sum) };
  }

  split(i: Affine, size: number): readonly [Affine, Affine] {
    for (;;) {
      const form = this.current(i);
      const quotient: [number, number][] = [];
      const rest: [number, number][] = [];
      for (const [a, c] of form.terms) {
        if (this.sizes[a] === 1) continue;
        if (c % size === 0) quotient.push([a, c / size]);
        else rest.push([a, c]);
      }
      const low = rest.reduce((sum, [a, c]) => sum + Math.min(0, c * (this.sizes[a]! - 1)), form.offset);
      const high = rest.reduce((sum, [a, c]) => sum + Math.max(0, c * (this.sizes[a]! - 1)), form.offset);
      const whole = Math.floor(low / size);
      if (high - whole * size < size) {
        return [
          { offset: whole, terms: quotient },
          { offset: form.offset - whole * size, terms: rest },
        ];
      }
      this.refine(rest, size);
    }
  }

  /** How the input of a move, or of what has a border, is seen where that is seen through `view`; undefined of anything else. Throws NotAffine. */
  sourceOf(v: Value, view: View): View | undefined {
    if (v.op.kind === "move") return (v.op as Move).source(view, this, v.attributes, v.inputs[0]!, v);
    return v.op.kind === "place" ? (v.op as Place).source?.(view, this, v.attributes) : undefined;
  }

  /** The view of a move's input, or of what has a border, where it is seen through `view`; undefined where it has none. */
  through(move: Value, view: View): View | undefined {
    try {
      return this.sourceOf(move, view);
    } catch (error) {
      if (error instanceof NotAffine) return undefined;
      throw error;
    }
  }

  /** Cuts one axis in two so that its outer part moves in steps of `size`. */
  private refine(terms: readonly (readonly [number, number])[], size: number): void {
    const cut = terms.find(([a, c]) => c > 0 && size % c === 0 && this.sizes[a]! > size / c && this.sizes[a]! % (size / c) === 0);
    if (!cut || this.frozen) throw new NotAffine();
    const [axis, coefficient] = cut;
    const length = size / coefficient;
    const outer = this.sizes.push(this.sizes[axis]! / length) - 1;
    const inner = this.sizes.push(length) - 1;
    this.splits.set(axis, { outer, inner, size: length });
    this.order = this.order.flatMap((a) => (a === axis ? [outer, inner] : [a]));
    if (this.inner.delete(axis)) this.inner.add(outer).add(inner);
  }

  /** The form over the axes as they are now. */
  current(form: Affine): Affine {
    if (!form.terms.some(([a]) => this.splits.has(a))) return form;
    const sum = new Map<number, number>();
    const add = (axis: number, c: number): void => {
      const s = this.splits.get(axis);
      if (!s) sum.set(axis, (sum.get(axis) ?? 0) + c);
      else {
        add(s.outer, c * s.size);
        add(s.inner, c);
      }
    };
    for (const [a, c] of form.terms) add(a, c);
    return { offset: form.offset, terms: sorted(sum) };
  }

  currentView(view: View): View {
    return view.map((f) => this.current(f));
  }

  /** What has become of an axis: itself, or its parts. */
  partsOf(axis: number): number[] {
    const s = this.splits.get(axis);
    return s ? [...this.partsOf(s.outer), ...this.partsOf(s.inner)] : [axis];
  }
}

function sorted(sum: Map<number, number>): [number, number][] {
  return [...sum].filter(([, c]) => c !== 0).sort(([a], [b]) => a - b);
}
