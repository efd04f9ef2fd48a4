/** What is not computed yet behind tensors that somebody asks for: cells' contents on the way included, whose leaves stand for recipes. */
import { GraphError } from "../core/errors.ts";
import { sizeOf } from "../core/shape.ts";
import type { ConstantAttributes, Value } from "../graph/op.ts";
import type { Feed } from "./executable.ts";
import { type Holder, holderOf, realisedStorage, type Tap, tapsOf } from "./holder.ts";
import { assignedIn, type Step, stepOf } from "./pending.ts";

export class OpenGraph {
  /** Tensors that get a result each: those asked for, and cells' contents on the way. */
  readonly kept: Holder[] = [];
  /** Cells' contents by how many of them, one reading the other, lie below each. */
  readonly layers: Holder[][] = [];
  /** Whether more is computed than what was asked for needs. */
  hasMore = false;
  readonly taps: { readonly taps: readonly Tap[]; readonly shape: readonly number[]; readonly value: Value }[] = [];
  /** What is to be computed, each after what it is computed from. */
  readonly order: Value[] = [];
  private readonly seen = new Set<Value>();
  private readonly feeds = new Map<Value, Feed>();
  private readonly keeping = new Set<Holder>();
  private readonly layerOf = new Map<Value, number>();
  private readonly steps = new Set<Step>();
  private readonly along: boolean;

  /** `along`: with what cells get from the same work. */
  constructor(tensors: readonly Holder[], { along = false }: { along?: boolean } = {}) {
    this.along = along;
    for (const x of tensors) this.keep(x);
    // Contents of cells that were met are kept too: the list grows while it is walked.
    for (let i = 0; i < this.kept.length; i++) this.visit(this.kept[i]!.recipe());
    const asked = new Set(tensors);
    for (const x of this.kept) if (x.isHeld || !asked.has(x)) (this.layers[this.layerOf.get(x.recipe())!] ??= []).push(x);
  }

  /** What must be there when all is done. */
  roots(): Value[] {
    return [...this.kept.map((x) => x.recipe()), ...this.taps.map((t) => t.value)];
  }

  /** The numbers of a value that need not be computed. */
  feedOf(v: Value): Feed | undefined {
    return this.feeds.get(v);
  }

  /** What a value is computed from: nothing where its numbers are known; a cell without numbers stands for what it is to hold. */
  sources(v: Value): readonly Value[] {
    if (this.feeds.has(v)) return [];
    const holder = holderOf(v);
    if (holder) return [holder.content().recipe()];
    return v.op.kind === "custom" ? v.inputs.slice(0, 1) : v.inputs;
  }

  private keep(x: Holder): void {
    if (this.keeping.has(x)) return;
    this.keeping.add(x);
    this.kept.push(x);
  }

  private visit(root: Value): void {
    const stack: Value[] = [root];
    while (stack.length > 0) {
      const v = stack.at(-1)!;
      if (this.seen.has(v)) {
        stack.pop();
        continue;
      }
      this.classify(v);
      const sources = this.sources(v);
      const height = stack.length;
      for (const x of sources) if (!this.seen.has(x)) stack.push(x);
      if (stack.length > height) continue;
      stack.pop();
      this.seen.add(v);
      this.note(v, sources);
    }
  }

  private note(v: Value, sources: readonly Value[]): void {
    const given = this.feeds.has(v);
    const below = sources.reduce((most, x) => Math.max(most, this.layerOf.get(x)!), 0);
    this.layerOf.set(v, holderOf(v) && !given ? below + 1 : below);
    if (given) return;
    if (sources.length > 0) this.order.push(v);
    if (this.along) this.keepAlong(v);
    const taps = tapsOf(v);
    if (taps.length > 0) this.taps.push({ taps, shape: v.shape, value: v });
  }

  private keepAlong(v: Value): void {
    const step = stepOf(v);
    if (!step || this.steps.has(step)) return;
    this.steps.add(step);
    for (const x of assignedIn(step)) {
      if (this.keeping.has(x)) continue;
      this.hasMore = true;
      this.keep(x);
    }
  }

  /** From now on what was computed along waits until it is asked for itself. */
  separate(): void {
    for (const step of this.steps) step.cells.clear();
  }

  /** Notes the numbers of a value where they are known. */
  private classify(v: Value): void {
    if (this.feeds.has(v)) return;
    const holder = holderOf(v)?.content();
    const storage = realisedStorage(v) ?? holder?.storage;
    if (storage) this.feeds.set(v, storage);
    else if (holder?.recipe() === v) throw new GraphError("a placeholder has no numbers", { help: "evaluate the function that uses it" });
    else if (holder) this.keep(holder);
    else if (v.op.kind === "leaf" && v.op.source === "constant") {
      const { data, lifted } = v.attributes as ConstantAttributes;
      if (lifted || sizeOf(v.shape) !== 1) this.feeds.set(v, data);
    }
  }
}
