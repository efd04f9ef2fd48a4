/** What a tensor is apart from its operators: a node of a graph, or numbers, or both. */
import type { DType, TypedArray } from "../core/dtype.ts";
import { GraphError, ShapeError, type Site } from "../core/errors.ts";
import { frozen, type Shape, showShape, sizeOf } from "../core/shape.ts";
import { takeSite } from "../core/site.ts";
import type { Type, Value } from "../graph/op.ts";
import { variable } from "../ops/index.ts";
import { computeIfDeep, eagerPrograms } from "../run/eager.ts";
import { type Holder, holderOf, rememberStorage } from "../run/holder.ts";
import type { Storage } from "../run/storage.ts";
import { nest } from "./nested.ts";
import { currentTrace, type Trace } from "./trace.ts";

export interface TensorOptions {
  /** Gradients can be taken through it: it descends from a variable, or `tracked()` says so. */
  readonly tracked?: boolean;
  readonly storage?: Storage | undefined;
  /** What computes it, where what is built on it is to see a leaf: the content of a cell. */
  readonly recipe?: Value | undefined;
}

export class Handle<out S extends Shape = any> implements Holder {
  readonly shape: S;
  readonly dtype: DType;
  /** True if gradients can be taken through it. */
  readonly isTracked: boolean;
  /** The function in which it was made, while that is being traced. */
  readonly trace: Trace | undefined;
  /** Its elements, once they were computed: see `keep`. */
  storage: Storage | undefined;
  #node: Value | undefined;
  #recipe: Value | undefined;

  /** From a node of a graph, or, with `storage` or `recipe`, from a type alone. Users call `tensor`, `zeros` …. */
  constructor(source: Value | Type, options: TensorOptions = {}) {
    this.shape = frozen(source.shape) as S;
    this.dtype = source.dtype;
    this.isTracked = options.tracked ?? false;
    this.trace = currentTrace();
    this.storage = options.storage;
    this.#recipe = options.recipe;
    this.#node = "op" in source ? source : undefined;
  }

  // ---- what it is in the graph

  /** Its node: what transformations and drawings work on. In a trace, a tensor made outside is an input. */
  node(): Value {
    if (this.trace?.closed) throw leaked(this.trace, this, this.#node?.site);
    const trace = currentTrace();
    return trace && !this.trace ? trace.capture(this) : this.ownNode();
  }

  /** Its node outside any trace. Where only the elements are known, or how to compute them, a leaf that stands for them. */
  ownNode(): Value {
    if (this.#recipe && !currentTrace()) computeIfDeep(this);
    this.#node ??= variable(this, this);
    return this.#node;
  }

  /** True where its node is a leaf, so that nothing of how it is computed can be seen in it. */
  get isHeld(): boolean {
    return this.#node === undefined || holderOf(this.#node) === this;
  }

  /** The value that computes it, while nobody has: behind the leaf of a cell's content, its own node for any other tensor. */
  recipe(): Value {
    return this.#recipe ?? this.ownNode();
  }

  /** The tensor that a cell holds; any other tensor itself. */
  content(): Handle<S> {
    return this;
  }

  /**
   * Puts the computed elements in. What has no gradients to take forgets how it was computed, so that `s = s.add(1)` in a loop
   * does not pile up graph.
   */
  keep(storage: Storage): void {
    if (this.storage) return;
    this.storage = storage;
    const computed = this.#recipe ?? this.#node;
    if (computed) rememberStorage(computed, storage);
    this.#recipe = undefined;
    if (!this.isTracked) this.#node = undefined;
  }

  // ---- its numbers

  /** A copy in row-major order; bool as 0 and 1. Throws at once while a function is being traced. */
  data(): Promise<TypedArray> {
    return this.elements("data").then((elements) => elements.slice());
  }

  /** Nested arrays; a number for shape []. */
  array(): Promise<any> {
    return this.elements("array").then((elements) => nest(elements, this.shape, this.dtype));
  }

  /** The only element; an error for any other size. */
  item(): Promise<number> {
    if (sizeOf(this.shape) !== 1)
      throw new ShapeError(`item: ${showShape(this.shape)} has ${sizeOf(this.shape)} elements, not one`, {
        help: "array() gives them all, at(i) one of them",
      });
    return this.elements("item").then((elements) => elements[0]!);
  }

  /** The elements themselves: nobody may write to them. */
  elements(who = "elements"): Promise<TypedArray> {
    const trace = currentTrace();
    if (this.trace?.closed) throw leaked(this.trace, this, this.#node?.site);
    if (trace)
      throw new GraphError(`${who}: a value is not known while ${trace.name} is tracing`, {
        help: 'return it and read it outside, or look at it with x.tap("name")',
        site: takeSite(),
      });
    const { storage } = this.content();
    if (storage) return Promise.resolve(storage.read());
    return eagerPrograms()
      .realise([this.content()])
      .then(([elements]) => elements!);
  }
}

function leaked(trace: Trace, x: Type, built?: Site): GraphError {
  const where = built?.toString();
  return new GraphError(`a ${x.dtype} ${showShape(x.shape)} of a function traced by ${trace.name} was used after it`, {
    why: `it stands for a value inside the program${where ? `, built at ${where},` : ""} and has none outside`,
    help: "return it from the function",
    site: takeSite(),
  });
}
