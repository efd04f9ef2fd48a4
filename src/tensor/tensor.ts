import { checkDType, type DType, type TypedArray } from "../core/dtype.ts";
import { GraphError, ShapeError, type Site, show } from "../core/errors.ts";
import { frozen, type Shape, showShape, sizeOf } from "../core/shape.ts";
import { atUserLine, takeSite } from "../core/site.ts";
import type { Type, Value } from "../graph/op.ts";
import { custom, variable } from "../ops/index.ts";
import { computeIfDeep, detached } from "../run/pending.ts";
import { at } from "../surface/at.ts";
import { dot, matmul } from "../surface/contract.ts";
import * as op from "../surface/elementwise.ts";
import * as maths from "../surface/maths.ts";
import * as move from "../surface/move.ts";
import { nest } from "../surface/nested.ts";
import * as reduce from "../surface/reduce.ts";
import { currentTrace, HostStorage, holderOf, rememberStorage, type Storage, type Trace, theRuntime } from "./context.ts";
import { printTree } from "./print.ts";
import { tap } from "./tap.ts";
import type * as types from "./tensor-types.ts";
import type { Axes, Fits, Joined, Operand } from "./tensor-types.ts";

export interface TensorOptions {
  /** Gradients can be taken through it: it descends from a variable, or `tracked()` says so. */
  readonly tracked?: boolean;
  readonly storage?: Storage | undefined;
  /** What computes it, where what is built on it is to see a leaf: the content of a cell. */
  readonly recipe?: Value | undefined;
}

/**
 * An immutable value with a shape and an element type. Operations build graph and compute nothing; `data`, `array`, `item` and `print` do.
 *
 * Methods take their shape from `this`, so that S stands only in `shape`: Tensor is then plainly covariant, a union of shapes has every method, and
 * two tensors are compared by one look at S.
 *
 * @example
 * const h = tensor([[1, 2], [3, 4]]).matmul(w).add([0, -1]).relu();
 * console.log(await h.array());
 */
export class Tensor<out S extends Shape = any> {
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
    if (this.#recipe) computeIfDeep(this);
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
  content(): Tensor<S> {
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
    const held = this.content();
    if (held.storage instanceof HostStorage) return Promise.resolve(held.storage.array);
    if (held.storage) return Promise.resolve(held.storage.read());
    return theRuntime()
      .realise([held])
      .then(([elements]) => elements!);
  }

  /** Writes it to the console, when it is computed. */
  print(label?: string): Promise<void> {
    return printTree(this, label);
  }

  /** Reports the value whenever a program computes it, inside compile and loops too; returns this tensor. */
  tap(report: string | ((value: any) => void)): this {
    tap(this, report);
    return this;
  }

  // ---- gradients

  /** The same numbers as something gradients can be taken with respect to. */
  tracked(): Tensor<S> {
    return atUserLine(() => {
      const value = this.node();
      return new Tensor(
        custom(value, [value], (dy) => [dy]),
        { tracked: true },
      );
    });
  }
  /** The same numbers, seen as a constant by every gradient. Outside traces its history ends there, so that a state may be carried in it. */
  detach(): Tensor<S> {
    if (!this.isTracked && !this.trace) return this;
    return currentTrace() || this.trace ? maths.detach(this).untracked() : atUserLine(() => detached(this.content()) as Tensor<S>);
  }
  private untracked(): Tensor<S> {
    return new Tensor(this.ownNode(), { storage: this.storage });
  }

  // ---- elementwise, with broadcasting

  add<X extends Tensor, const B extends Operand>(this: X, b: Fits<X, B>): Joined<X, B> {
    return op.add(this, b);
  }
  sub<X extends Tensor, const B extends Operand>(this: X, b: Fits<X, B>): Joined<X, B> {
    return op.sub(this, b);
  }
  mul<X extends Tensor, const B extends Operand>(this: X, b: Fits<X, B>): Joined<X, B> {
    return op.mul(this, b);
  }
  /** Floats only: see `floorDiv`. */
  div<X extends Tensor, const B extends Operand>(this: X, b: Fits<X, B>): Joined<X, B> {
    return op.div(this, b);
  }
  pow<X extends Tensor, const B extends Operand>(this: X, b: Fits<X, B>): Joined<X, B> {
    return op.pow(this, b);
  }
  /** The larger; NaN where either is, and −0 is less than 0. As in PyTorch, of equals each gets half the gradient. */
  maximum<X extends Tensor, const B extends Operand>(this: X, b: Fits<X, B>): Joined<X, B> {
    return op.maximum(this, b);
  }
  /** The smaller; NaN where either is, and −0 is less than 0. As in PyTorch, of equals each gets half the gradient. */
  minimum<X extends Tensor, const B extends Operand>(this: X, b: Fits<X, B>): Joined<X, B> {
    return op.minimum(this, b);
  }
  /** The remainder with the sign of the divisor: a − b·⌊a/b⌋, exact for all floats but for one rounding. Integers by 0 give 0. */
  mod<X extends Tensor, const B extends Operand>(this: X, b: Fits<X, B>): Joined<X, B> {
    return op.mod(this, b);
  }
  /** ⌊a/b⌋, exactly (a/b rounded where it has more bits than the mantissa). Integers by 0 give 0. */
  floorDiv<X extends Tensor, const B extends Operand>(this: X, b: Fits<X, B>): Joined<X, B> {
    return op.floorDiv(this, b);
  }
  /** Comparisons give bool tensors. `===` compares handles. */
  eq<X extends Tensor, const B extends Operand>(this: X, b: Fits<X, B>): Joined<X, B> {
    return op.eq(this, b);
  }
  ne<X extends Tensor, const B extends Operand>(this: X, b: Fits<X, B>): Joined<X, B> {
    return op.ne(this, b);
  }
  lt<X extends Tensor, const B extends Operand>(this: X, b: Fits<X, B>): Joined<X, B> {
    return op.lt(this, b);
  }
  le<X extends Tensor, const B extends Operand>(this: X, b: Fits<X, B>): Joined<X, B> {
    return op.le(this, b);
  }
  gt<X extends Tensor, const B extends Operand>(this: X, b: Fits<X, B>): Joined<X, B> {
    return op.gt(this, b);
  }
  ge<X extends Tensor, const B extends Operand>(this: X, b: Fits<X, B>): Joined<X, B> {
    return op.ge(this, b);
  }
  /** Bools; the bits of integers. */
  logicalAnd<X extends Tensor, const B extends Operand>(this: X, b: Fits<X, B>): Joined<X, B> {
    return op.logicalAnd(this, b);
  }
  logicalOr<X extends Tensor, const B extends Operand>(this: X, b: Fits<X, B>): Joined<X, B> {
    return op.logicalOr(this, b);
  }
  logicalXor<X extends Tensor, const B extends Operand>(this: X, b: Fits<X, B>): Joined<X, B> {
    return op.logicalXor(this, b);
  }

  // ---- elementwise, alone
  neg(): Tensor<S> {
    return maths.neg(this);
  }
  abs(): Tensor<S> {
    return maths.abs(this);
  }
  /** −1, 0 or 1; its gradient is 0. */
  sign(): Tensor<S> {
    return maths.sign(this);
  }
  exp(): Tensor<S> {
    return maths.exp(this);
  }
  /** eˣ − 1, exact for small x. */
  expm1(): Tensor<S> {
    return maths.expm1(this);
  }
  /** Natural logarithm. */
  log(): Tensor<S> {
    return maths.log(this);
  }
  /** log(1 + x), exact for small x. */
  log1p(): Tensor<S> {
    return maths.log1p(this);
  }
  sqrt(): Tensor<S> {
    return maths.sqrt(this);
  }
  /** 1/√x. */
  rsqrt(): Tensor<S> {
    return maths.rsqrt(this);
  }
  square(): Tensor<S> {
    return maths.square(this);
  }
  /** 1/x. */
  reciprocal(): Tensor<S> {
    return maths.reciprocal(this);
  }
  tanh(): Tensor<S> {
    return maths.tanh(this);
  }
  /** 1 / (1 + e⁻ˣ). */
  sigmoid(): Tensor<S> {
    return maths.sigmoid(this);
  }
  logSigmoid(): Tensor<S> {
    return maths.logSigmoid(this);
  }
  /** max(x, 0); the gradient at 0 is 0. */
  relu(): Tensor<S> {
    return maths.relu(this);
  }
  selu(): Tensor<S> {
    return maths.selu(this);
  }
  /** x · sigmoid(x). */
  silu(): Tensor<S> {
    return maths.silu(this);
  }
  /** x · tanh(softplus(x)). */
  mish(): Tensor<S> {
    return maths.mish(this);
  }
  /** log(1 + eˣ). */
  softplus(): Tensor<S> {
    return maths.softplus(this);
  }
  /** x / (1 + |x|). */
  softsign(): Tensor<S> {
    return maths.softsign(this);
  }
  erf(): Tensor<S> {
    return maths.erf(this);
  }
  sin(): Tensor<S> {
    return maths.sin(this);
  }
  cos(): Tensor<S> {
    return maths.cos(this);
  }
  tan(): Tensor<S> {
    return maths.tan(this);
  }
  floor(): Tensor<S> {
    return maths.floor(this);
  }
  ceil(): Tensor<S> {
    return maths.ceil(this);
  }
  /** Toward zero. */
  trunc(): Tensor<S> {
    return maths.trunc(this);
  }
  /** To the nearest, halves to the even one. */
  round(): Tensor<S> {
    return maths.round(this);
  }
  isNaN(): Tensor<S> {
    return maths.isNaN(this);
  }
  isFinite(): Tensor<S> {
    return maths.isFinite(this);
  }
  logicalNot(): Tensor<S> {
    return maths.logicalNot(this);
  }
  /** x where positive, slope · x elsewhere. */
  leakyRelu(slope = 0.01): Tensor<S> {
    return maths.leakyRelu(this, slope);
  }
  /** x where positive, alpha · (eˣ − 1) elsewhere. */
  elu(alpha = 1): Tensor<S> {
    return maths.elu(this, alpha);
  }
  /** x · Φ(x), Φ the normal distribution function, or its tanh approximation. */
  gelu(approximate: "none" | "tanh" = "none"): Tensor<S> {
    return maths.gelu(this, approximate);
  }
  /** Between low and high; the gradient is 0 outside and at NaN, 1 at the ends. */
  clip(low: number, high: number): Tensor<S> {
    return maths.clip(this, low, high);
  }
  /** Floats to integers are cut toward zero; anything to bool is x ≠ 0. */
  cast(dtype: DType): Tensor<S> {
    return maths.cast(this, checkDType(dtype, "cast"));
  }

  // ---- products

  /** […, n, k] × […, k, m] → […, n, m]; a vector on either side is a row, a column. */
  matmul<X extends Tensor, B extends Tensor>(this: X, b: types.FitsProduct<X, B>): types.Product<X, B> {
    return matmul(this, b as Tensor);
  }
  /** Σᵢ aᵢ bᵢ of two vectors. */
  dot(b: Tensor): Tensor<[]> {
    return dot(this, b);
  }

  // ---- reductions: all elements, an axis, or several; negative axes count from the end
  /** bool is counted in int32. */
  sum(): Tensor<[]>;
  sum<X extends Tensor, const I extends Axes, const K extends boolean = false>(
    this: X,
    axis: types.HasAxes<X, I, K, "sum">,
    options?: reduce.ReduceOptions<K>,
  ): types.Reduced<X, I, K, "sum">;
  sum(axis?: Axes, options?: reduce.ReduceOptions): Tensor {
    return reduce.sum(this, axis, options);
  }
  product(): Tensor<[]>;
  product<X extends Tensor, const I extends Axes, const K extends boolean = false>(
    this: X,
    axis: types.HasAxes<X, I, K, "product">,
    options?: reduce.ReduceOptions<K>,
  ): types.Reduced<X, I, K, "product">;
  product(axis?: Axes, options?: reduce.ReduceOptions): Tensor {
    return reduce.product(this, axis, options);
  }
  /** Floats, or the share of true in a bool tensor. */
  mean(): Tensor<[]>;
  mean<X extends Tensor, const I extends Axes, const K extends boolean = false>(
    this: X,
    axis: types.HasAxes<X, I, K, "mean">,
    options?: reduce.ReduceOptions<K>,
  ): types.Reduced<X, I, K, "mean">;
  mean(axis?: Axes, options?: reduce.ReduceOptions): Tensor {
    return reduce.mean(this, axis, options);
  }
  /** NaN wins. An empty axis is an error. */
  max(): Tensor<[]>;
  max<X extends Tensor, const I extends Axes, const K extends boolean = false>(
    this: X,
    axis: types.HasAxes<X, I, K, "max">,
    options?: reduce.ReduceOptions<K>,
  ): types.Reduced<X, I, K, "max">;
  max(axis?: Axes, options?: reduce.ReduceOptions): Tensor {
    return reduce.max(this, axis, options);
  }
  min(): Tensor<[]>;
  min<X extends Tensor, const I extends Axes, const K extends boolean = false>(
    this: X,
    axis: types.HasAxes<X, I, K, "min">,
    options?: reduce.ReduceOptions<K>,
  ): types.Reduced<X, I, K, "min">;
  min(axis?: Axes, options?: reduce.ReduceOptions): Tensor {
    return reduce.min(this, axis, options);
  }
  /** Whether one is true. */
  any(): Tensor<[]>;
  any<X extends Tensor, const I extends Axes, const K extends boolean = false>(
    this: X,
    axis: types.HasAxes<X, I, K, "any">,
    options?: reduce.ReduceOptions<K>,
  ): types.Reduced<X, I, K, "any">;
  any(axis?: Axes, options?: reduce.ReduceOptions): Tensor {
    return reduce.any(this, axis, options);
  }
  /** Whether none is false. */
  all(): Tensor<[]>;
  all<X extends Tensor, const I extends Axes, const K extends boolean = false>(
    this: X,
    axis: types.HasAxes<X, I, K, "all">,
    options?: reduce.ReduceOptions<K>,
  ): types.Reduced<X, I, K, "all">;
  all(axis?: Axes, options?: reduce.ReduceOptions): Tensor {
    return reduce.all(this, axis, options);
  }
  /** log Σ eˣ, never overflowing. */
  logSumExp(): Tensor<[]>;
  logSumExp<X extends Tensor, const I extends Axes, const K extends boolean = false>(
    this: X,
    axis: types.HasAxes<X, I, K, "logSumExp">,
    options?: reduce.ReduceOptions<K>,
  ): types.Reduced<X, I, K, "logSumExp">;
  logSumExp(axis?: Axes, options?: reduce.ReduceOptions): Tensor {
    return reduce.logSumExp(this, axis, options);
  }
  /** Σ(x − mean)² / (n − correction); correction is 1 unless said, as in PyTorch. */
  variance(): Tensor<[]>;
  variance<X extends Tensor, const I extends Axes, const K extends boolean = false>(
    this: X,
    axis: types.HasAxes<X, I, K, "variance">,
    options?: reduce.VarianceOptions<K>,
  ): types.Reduced<X, I, K, "variance">;
  variance(axis?: Axes, options?: reduce.VarianceOptions): Tensor {
    return reduce.variance(this, axis, options);
  }
  /** √variance. */
  std(): Tensor<[]>;
  std<X extends Tensor, const I extends Axes, const K extends boolean = false>(
    this: X,
    axis: types.HasAxes<X, I, K, "std">,
    options?: reduce.VarianceOptions<K>,
  ): types.Reduced<X, I, K, "std">;
  std(axis?: Axes, options?: reduce.VarianceOptions): Tensor {
    return reduce.std(this, axis, options);
  }
  /** √Σx², or Σ|x| with p: 1, max |x| with p: Infinity. */
  norm(): Tensor<[]>;
  norm<X extends Tensor, const I extends Axes, const K extends boolean = false>(
    this: X,
    axis: types.HasAxes<X, I, K, "norm">,
    options?: reduce.NormOptions<K>,
  ): types.Reduced<X, I, K, "norm">;
  norm(axis?: Axes, options?: reduce.NormOptions): Tensor {
    return reduce.norm(this, axis, options);
  }
  /** Where the largest stands, int32: its row-major position along the axis, among several axes or among all elements. The first of equals; a NaN counts as the largest. */
  argmax(): Tensor<[]>;
  argmax<X extends Tensor, const I extends Axes, const K extends boolean = false>(
    this: X,
    axis: types.HasAxes<X, I, K, "argmax">,
    options?: reduce.ReduceOptions<K>,
  ): types.Reduced<X, I, K, "argmax">;
  argmax(axis?: Axes, options?: reduce.ReduceOptions): Tensor {
    return reduce.argmax(this, axis, options);
  }
  /** Where the smallest stands, as `argmax` says it; a NaN counts as the smallest. */
  argmin(): Tensor<[]>;
  argmin<X extends Tensor, const I extends Axes, const K extends boolean = false>(
    this: X,
    axis: types.HasAxes<X, I, K, "argmin">,
    options?: reduce.ReduceOptions<K>,
  ): types.Reduced<X, I, K, "argmin">;
  argmin(axis?: Axes, options?: reduce.ReduceOptions): Tensor {
    return reduce.argmin(this, axis, options);
  }

  // ---- along an axis, the last unless said

  /** eˣ / Σ eˣ, never overflowing. */
  softmax(axis = -1): Tensor<S> {
    return reduce.softmax(this, axis);
  }
  /** x − log Σ eˣ: log of the softmax without its rounding. */
  logSoftmax(axis = -1): Tensor<S> {
    return reduce.logSoftmax(this, axis);
  }
  /** Running sums. */
  cumsum(axis = -1, options?: reduce.CumulateOptions): Tensor<S> {
    return reduce.cumsum(this, axis, options);
  }
  /** Stable; NaN counts as the largest. */
  sort(axis = -1, options?: reduce.SortOptions): Tensor<S> {
    return reduce.sort(this, axis, options);
  }
  /** The positions that would sort it, int32. */
  argsort(axis = -1, options?: reduce.SortOptions): Tensor<S> {
    return reduce.argsort(this, axis, options);
  }
  /** The k largest, largest first, and their positions. */
  topK(k: number, axis = -1): { values: Tensor; indices: Tensor } {
    return reduce.topK(this, k, axis);
  }

  // ---- shape and place

  /** The same elements in row-major order; one size may be −1. */
  reshape<const T extends Shape>(to: types.CanReshape<T>): types.Reshaped<T> {
    return move.reshape(this, to as Shape);
  }
  /** The last two axes exchanged, or the two given (not NumPy's reversal of all). */
  transpose<X extends Tensor>(this: X): types.Transposed<X>;
  transpose<X extends Tensor, const I extends number, const J extends number>(
    this: X,
    i: types.HasTwoAxes<X, I, J>,
    j: J,
  ): types.Transposed<X, I, J>;
  transpose(i?: number, j?: number): Tensor {
    return move.transpose(this, i, j);
  }
  /** Axes in the order given. */
  permute<X extends Tensor, const P extends Shape>(this: X, axes: types.IsPermutation<X, P>): types.Permuted<X, P> {
    return move.permute(this, axes as Shape);
  }
  /** A new axis of size 1. */
  unsqueeze(axis: number): Tensor {
    return move.unsqueeze(this, axis);
  }
  /** Without an axis of size 1, several, or all of them. */
  squeeze(axis?: number | readonly number[]): Tensor {
    return move.squeeze(this, axis);
  }
  /** The axes start … end as one: flatten(1) keeps the batch. */
  flatten(start = 0, end = -1): Tensor {
    return move.flatten(this, start, end);
  }
  broadcastTo<const T extends Shape>(shape: T): types.Sized<T> {
    return move.broadcastTo(this, shape);
  }
  /** The axes backwards; all of them unless said. */
  flip(axes?: number | readonly number[]): Tensor<S> {
    return move.flip(this, axes);
  }
  /** `widths` are [before, after] of the last axes; negative ones cut off. */
  pad(widths: readonly (readonly [before: number, after: number])[], value = 0): Tensor {
    return move.pad(this, widths, value);
  }
  /** The whole laid side by side `counts[i]` times along axis i. */
  repeat(...counts: readonly number[]): Tensor {
    return move.repeat(this, counts);
  }
  /** Parts of these sizes along an axis, or this many equal ones. */
  split(parts: number | readonly number[], axis = 0): Tensor[] {
    return move.split(this, parts, axis);
  }
  /**
   * Python's brackets: numbers, slices as text, int32 positions. Negative ones count from the end, as in NumPy, those in tensors too.
   *
   * @example
   * x.at(0); x.at("1:"); x.at(":, ::-1"); x.at("...", 2); x.at(rows)
   */
  at(...index: types.Index[]): Tensor {
    return at(this, index);
  }
  /** x[…, indices, …]: whole rows of an axis by their numbers, 0 … n − 1; others are an error when it runs (`at` counts negative ones from the end). */
  gather(indices: Tensor, axis = 0): Tensor {
    return move.gather(this, indices, axis);
  }
  /** One position, 0 … n − 1, for each element of the result (PyTorch's `gather`). */
  takeAlong(indices: Tensor, axis = -1): Tensor {
    return move.takeAlong(this, indices, axis);
  }
  /** States a shape the compiler cannot see. Given the sizes too, with −1 for any, it is checked when the graph is built. */
  as<T extends Shape>(): Tensor<T>;
  as<const T extends Shape>(sizes: T): types.Reshaped<T>;
  as(sizes?: Shape): Tensor {
    if (sizes && !Array.isArray(sizes))
      throw new ShapeError(`as: ${show(sizes)} is no shape`, { help: "x.as([-1, 784])", site: takeSite() });
    if (sizes && (sizes.length !== this.shape.length || sizes.some((d, i) => d !== -1 && d !== this.shape[i])))
      throw new ShapeError(`as: ${showShape(this.shape)} is not ${showShape(sizes)}`);
    return this;
  }

  // ---- what JavaScript asks of objects: a description, never a value

  toString(): string {
    return `Tensor(${this.dtype} ${showShape(this.shape)})`;
  }
  toJSON(): string {
    return this.toString();
  }
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
  [Symbol.toPrimitive](hint: string): string {
    if (hint === "string") return this.toString();
    throw new GraphError("a tensor is not a number", {
      why: "its value is not known until it is computed",
      help: "use methods in place of operators, as in a.add(b) and a.gt(0), or read it with await x.item()",
      site: takeSite(),
    });
  }
}

function leaked(trace: Trace, x: Tensor, built?: Site): GraphError {
  const where = built?.toString();
  return new GraphError(`a ${x.dtype} ${showShape(x.shape)} of a function traced by ${trace.name} was used after it`, {
    why: `it stands for a value inside the program${where ? `, built at ${where},` : ""} and has none outside`,
    help: "return it from the function",
    site: takeSite(),
  });
}
