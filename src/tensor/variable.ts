import type { DType, TypedArray } from "../core/dtype.ts";
import { DTypeError, GraphError, ShapeError } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { sameShape, showShape } from "../core/shape.ts";
import type { Checked, Known, Nested, Shape, ShapeOf } from "../core/shape-types.ts";
import { atUserLine, takeSite } from "../core/site.ts";
import type { Type, Value } from "../graph/op.ts";
import { stopGradient, variable as variableLeaf } from "../ops/index.ts";
import { computeIfDeep } from "../run/eager.ts";
import type { Cell } from "../run/holder.ts";
import { heldCopy, noteAssigned } from "../run/pending.ts";
import type { Slot } from "../run/slots.ts";
import type { Storage } from "../run/storage.ts";
import { asTensor } from "./create.ts";
import { from, Tensor } from "./tensor.ts";
import type { TensorLike } from "./tensor-types.ts";
import { currentTrace } from "./trace.ts";

export interface VariableOptions {
  readonly name?: string | undefined;
  /** False for what is kept but not trained, like running statistics. Default true. */
  readonly trainable?: boolean | undefined;
  /** The error for reading a cell that has no content yet. */
  readonly empty?: (() => Error) | undefined;
}

/** Which cell a value was read from: how gradients tell that a cell was reassigned since. */
const readFrom = new WeakMap<Value, Variable>();

/** The cell that this value is a reading of, if it is one. */
export const ownerOf = (value: Value): Variable | undefined => readFrom.get(value);

/**
 * A cell that holds an immutable tensor. Used like a tensor, it is what it holds at that moment: assigning never changes what was built before.
 *
 * @example
 * const w = variable([[1, 1], [1, 1]], { name: "W" });
 * w.assign(w.sub(gradients(loss, w).mul(0.1)));
 */
export class Variable<out S extends Shape = any> extends Tensor<S> implements Cell {
  readonly name: string;
  readonly trainable: boolean;
  #content: Tensor<S> | undefined;
  /** What stands in for the content while `withContents` runs. */
  #override: Tensor | undefined;
  #leaf: Value | undefined;
  /** Where in the heap the content lies, once a program has had it there. */
  #slot: Slot | undefined;
  /** How others point to it without keeping it. */
  #self: WeakRef<Cell> | undefined;
  readonly #empty: (() => Error) | undefined;

  /** Of a tensor, or, as an empty cell, of a shape and a dtype. */
  constructor(content: Tensor<S> | Type, options: VariableOptions = {}) {
    super({ shape: content.shape, dtype: content.dtype }, { tracked: true });
    checkOptions("Variable", options, ["name", "trainable", "empty"], takeSite);
    this.name = options.name ?? "";
    this.trainable = options.trainable ?? true;
    this.#empty = options.empty;
    if (content instanceof Tensor) this.#content = snapshot(content) as Tensor<S>;
  }

  /** False until a cell made empty is assigned. */
  get hasValue(): boolean {
    return this.#content !== undefined || this.#slot !== undefined;
  }

  /** What the cell holds now: a tensor that later assignments do not change, and a constant for gradients. */
  get value(): Tensor<S> {
    if (this.#override) return this.#override.detach();
    const trace = currentTrace();
    return trace ? atUserLine(() => new Tensor(stopGradient(trace.readCell(this)))) : this.content();
  }

  /**
   * Puts another tensor of the same shape and dtype in. Never computes, never waits; the same inside compile. Cuts the gradient. Outside compile the
   * content is computed with whatever shares its work or reads it, and is then all that is left of its history.
   */
  assign(value: TensorLike): void {
    atUserLine(() => {
      const next = asTensor(value, this.dtype, "assign");
      this.#check(next);
      const trace = currentTrace();
      if (this.#override) this.#override = next.detach();
      else if (trace) trace.assignCell(this, stopGradient(next.node()));
      else this.#put(snapshot(next) as Tensor<S>);
    });
  }

  #check(next: Tensor): void {
    const name = this.label();
    if (!sameShape(next.shape, this.shape))
      throw new ShapeError(`assign: ${name} is ${showShape(this.shape)}, the value ${showShape(next.shape)}`, {
        why: "a cell keeps its shape",
        help: "broadcastTo or reshape the value, or make another variable",
      });
    if (next.dtype !== this.dtype)
      throw new DTypeError(`assign: ${name} is ${this.dtype}, the value ${next.dtype}`, {
        why: "a cell keeps its element type",
        help: `value.cast("${this.dtype}")`,
      });
  }

  #put(next: Tensor<S>): void {
    this.#content = next;
    this.#leaf = undefined;
    this.#slot = undefined;
    if (!next.storage) this.#self = noteAssigned(this, next, this.#self);
  }

  /** The content while it is a graph that nobody has evaluated. */
  get pending(): Tensor<S> | undefined {
    return this.#content?.storage ? undefined : this.#content;
  }

  // ---- for programs, which keep contents in the heap

  /** False while the content is a graph that nobody has evaluated. */
  get isComputed(): boolean {
    return this.#slot !== undefined || this.#content?.storage !== undefined;
  }

  /** Puts the computed content into its place in the heap, if it is not there. */
  moveInto(slot: Slot): void {
    if (this.#slot === slot) return;
    const elements = this.content().storage!.peek();
    slot.evict();
    slot.write(elements);
    this.#slot = slot;
  }

  /** A program has written the new content there. */
  holdIn(slot: Slot): void {
    this.#content = undefined;
    this.#leaf = undefined;
    this.#slot = slot;
  }

  /** A program has computed the new content. */
  hold(storage: Storage): void {
    this.#put(new Tensor<S>({ shape: this.shape, dtype: this.dtype }, { storage }));
  }

  /** Its name for messages. */
  label(): string {
    return this.name ? `variable ${this.name}` : "the variable";
  }

  override node(): Value {
    if (this.#override) return this.#override.node();
    const trace = currentTrace();
    if (!trace) return this.ownNode();
    const value = trace.readCell(this);
    readFrom.set(value, this);
    return value;
  }

  /** A leaf that stands for the present content. Histories end there, so that training without `compile` does not pile up graph. */
  override ownNode(): Value {
    if (this.#override) return this.#override.ownNode();
    if (!this.#leaf) {
      const content = this.content();
      if (!content.storage && !currentTrace()) computeIfDeep(content);
      this.#leaf = variableLeaf(content, this);
      readFrom.set(this.#leaf, this);
    }
    return this.#leaf;
  }

  override content(): Tensor<S> {
    if (this.#override) return this.#override.content();
    if (this.#content) return this.#content;
    if (this.#slot) {
      this.#content = new Tensor<S>({ shape: this.shape, dtype: this.dtype }, { storage: this.#slot.hold() });
      return this.#content;
    }
    throw (
      this.#empty?.() ??
      new GraphError(`${this.label()} has no value yet`, {
        help: "init(model, seed) draws parameters; loadStateDict and assign fill them too",
      })
    );
  }

  override elements(who?: string): Promise<TypedArray> {
    return currentTrace() ? super.elements(who) : this.content().elements(who);
  }

  override keep(storage: Storage): void {
    this.content().keep(storage);
  }

  override tracked(): Tensor<S> {
    return this.#override ? (this.#override.tracked() as Tensor<S>) : super.tracked();
  }

  override toString(): string {
    return `Variable(${[this.name, this.dtype, showShape(this.shape)].filter(Boolean).join(" ")})`;
  }

  /** For `withContents`. */
  replace(stand: Tensor | undefined): Tensor | undefined {
    const before = this.#override;
    if (stand) this.#check(stand);
    this.#override = stand;
    return before;
  }
}

/** What a cell is to hold. */
function snapshot(x: Tensor): Tensor {
  if (currentTrace())
    throw new GraphError("a variable cannot be made while a function is being traced", {
      why: "it would be a new one at every call, and nobody would hold it",
      help: "make it outside",
    });
  const content = x.content();
  return content.isHeld && !content.isTracked ? content : from(content, heldCopy(content));
}

/**
 * Runs `f` with cells standing for these tensors: reading gives them, gradients flow to them, and assigning replaces them for the rest of `f`
 * without touching the cells.
 */
export function withContents<R>(contents: Iterable<readonly [cell: Variable, value: Tensor]>, f: () => R): R {
  const before: [Variable, Tensor | undefined][] = [];
  try {
    for (const [cell, value] of contents) before.push([cell, cell.replace(value instanceof Variable ? value.content() : value)]);
    return f();
  } finally {
    for (const [cell, value] of before.toReversed()) cell.replace(value);
  }
}

/** A cell holding these numbers, or what this tensor is. */
export function variable<S extends Shape>(value: Tensor<S>, options?: Omit<VariableOptions, "empty">): Variable<S>;
export function variable<const A extends Nested>(
  values: Checked<ShapeOf<A>, A>,
  options?: Omit<VariableOptions, "empty"> & { readonly dtype?: DType },
): Variable<Known<ShapeOf<A>>>;
export function variable(value: unknown, options: VariableOptions & { readonly dtype?: DType } = {}): Variable {
  return atUserLine(() => {
    checkOptions("variable", options, ["name", "trainable", "dtype"]);
    const { dtype, ...others } = options;
    return new Variable(asTensor(value as TensorLike, dtype, "variable"), others);
  });
}
