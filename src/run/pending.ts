/**
 * What cells are to hold and nobody has computed yet, outside traces. Whatever reads such a cell stands on a leaf, so graphs do not grow; this
 * module knows what lies behind the leaves: which contents belong to one step, and how many assignments wait on each other.
 */
import type { Value } from "../graph/op.ts";
import { stopGradient } from "../ops/index.ts";
import { type Cell, type Holder, holderOf, realisedStorage } from "./holder.ts";
import type { Storage } from "./storage.ts";

/** Assignments that may wait on each other before a reading computes them: a loop that nobody looks at holds this many steps, not all. */
export const MOST_WAITING = 8;

/** Computations that hang together, with the cells that get something from them. Two that turn out to be one are merged. */
export class Step {
  private into: Step | undefined;
  cells = new Set<WeakRef<Cell>>();

  root(): Step {
    if (!this.into) return this;
    this.into = this.into.root();
    return this.into;
  }

  static merged(a: Step, b: Step): Step {
    const [x, y] = [a.root(), b.root()];
    if (x === y) return x;
    const [large, small] = x.cells.size < y.cells.size ? [y, x] : [x, y];
    for (const cell of small.cells) large.cells.add(cell);
    small.into = large;
    small.cells = new Set();
    return large;
  }
}

/** Where an open value belongs, and how many assignments and cuts, one reading the other, lie below it. */
interface Place {
  readonly step: Step;
  readonly depth: number;
  /** False if it stands on a placeholder, of which there are no numbers. */
  readonly computable: boolean;
}

const places = new WeakMap<Value, Place>();

/** What an open value is computed from: behind a leaf, what its holder is computed from. Values already computed need nothing. */
function sourcesOf(v: Value): readonly Value[] {
  if (realisedStorage(v)) return [];
  const holder = holderOf(v);
  if (!holder) return v.inputs;
  return holder.storage ? [] : [holder.recipe()];
}

/** Leaves that connect nothing: numbers, computed tensors, placeholders. */
const isGiven = (v: Value): boolean => realisedStorage(v) !== undefined || (v.op.kind === "leaf" && !isPending(v));
const isPending = (v: Value): boolean => {
  const holder = holderOf(v);
  return holder !== undefined && !holder.storage && holder.recipe() !== v;
};
const isPlaceholder = (v: Value): boolean =>
  v.op.kind === "leaf" && (v.op.source === "argument" || (holderOf(v)?.storage === undefined && holderOf(v)?.recipe() === v));

/** A detached value. */
const isCut = (v: Value): boolean => v.op.kind === "custom" && v.inputs.length === 1;

/** The place of a value, from those of what it is computed from. Each value is visited once in its life. An explicit stack: chains are long. */
function placeOf(root: Value): Place {
  const stack: Value[] = [root];
  while (stack.length > 0) {
    const v = stack.at(-1)!;
    if (places.has(v)) {
      stack.pop();
      continue;
    }
    const all = isGiven(v) ? [] : sourcesOf(v);
    const sources = all.filter((x) => !isGiven(x));
    const waiting = sources.filter((x) => !places.has(x));
    if (waiting.length > 0) {
      for (const x of waiting) stack.push(x);
      continue;
    }
    stack.pop();
    places.set(
      v,
      above(
        sources.map((x) => places.get(x)!),
        v,
        [v, ...all],
      ),
    );
  }
  return places.get(root)!;
}

function above(below: readonly Place[], v: Value, from: readonly Value[]): Place {
  return {
    step: below.map((p) => p.step).reduce(Step.merged, new Step()),
    depth: Math.max(0, ...below.map((p) => p.depth)) + (isPending(v) || isCut(v) ? 1 : 0),
    computable: !from.some(isPlaceholder) && below.every((p) => p.computable),
  };
}

/** What a tensor is made of: a node, its elements, or what computes them where whoever reads it is to see a leaf. */
export type Source = { readonly node: Value } | { readonly storage: Storage } | { readonly recipe: Value };

/**
 * The tensor as cells hold it: without the history of its gradients, and a leaf for whatever reads it. Only on placeholders, for which numbers are
 * put in later, it stays what it is.
 */
export function heldCopy(x: Holder): Source {
  const node = x.ownNode();
  const storage = x.storage ?? realisedStorage(node);
  if (storage) return { storage };
  return placeOf(node).computable ? { recipe: node } : { node: stopGradient(node) };
}

/** The tensor as a constant for gradients. One step of it is graph; what is detached again and again, as a state is, is held instead. */
export function detached(x: Holder): Source {
  return x.storage || placeOf(x.ownNode()).depth > 0 ? heldCopy(x) : { node: stopGradient(x.ownNode()) };
}

/** Notes that the cell is to hold this; answers how the cell is pointed to. */
export function noteAssigned(cell: Cell, content: Holder, known: WeakRef<Cell> | undefined): WeakRef<Cell> {
  const self = known ?? new WeakRef(cell);
  placeOf(content.recipe()).step.root().cells.add(self);
  return self;
}

/** The step that an open value belongs to, if cells wait for it. */
export const stepOf = (v: Value): Step | undefined => places.get(v)?.step.root();

/** What cells are to hold that comes from this step: worth computing along with any of it, because the work is the same. */
export function* assignedIn(step: Step): Iterable<Holder> {
  for (const known of step.cells) {
    const content = known.deref()?.pending;
    if (content && stepOf(content.recipe()) === step) yield content;
  }
}

/** How many assignments wait below a value. */
export const depthOf = (value: Value): number => places.get(value)?.depth ?? 0;

/** From now on nothing counts as waiting below it. */
export function forgetDepth(value: Value): void {
  places.set(value, { ...placeOf(value), depth: 0 });
}
