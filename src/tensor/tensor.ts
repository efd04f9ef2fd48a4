import { checkDType, type DType } from "../core/dtype.ts";
import { ArgumentError, GraphError, ShapeError, show } from "../core/errors.ts";
import { type Shape, showShape } from "../core/shape.ts";
import { atUserLine, calledAs, takeSite } from "../core/site.ts";
import type { Type, Value } from "../graph/op.ts";
import { custom } from "../ops/index.ts";
import { detached, type Source } from "../run/pending.ts";
import * as surface from "../surface/index.ts";
import { Handle } from "./handle.ts";
import { nodeOf, numberValue, operandValues } from "./operand.ts";
import { write } from "./show.ts";
import { tap } from "./tap.ts";
import type * as types from "./tensor-types.ts";
import type { Axes, Fits, Joined, Operand } from "./tensor-types.ts";
import { currentTrace } from "./trace.ts";

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
export class Tensor<out S extends Shape = any> extends Handle<S> {
  override content(): Tensor<S> {
    return this;
  }

  /** Writes it to the console, when it is computed. */
  print(label?: string): Promise<void> {
    return write(this, label, (this as { name?: string }).name);
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
    return atUserLine(() => {
      if (currentTrace() || this.trace) return new Tensor(surface.stopGradient(this.node()));
      const held = this.content();
      return held.isHeld && !held.isTracked ? held : from(held, detached(held));
    });
  }

  // ---- elementwise, with broadcasting

  add<X extends Tensor, const B extends Operand>(this: X, b: Fits<X, B>): Joined<X, B> {
    return binary("add", this, b, surface.add);
  }
  sub<X extends Tensor, const B extends Operand>(this: X, b: Fits<X, B>): Joined<X, B> {
    return binary("sub", this, b, surface.sub);
  }
  mul<X extends Tensor, const B extends Operand>(this: X, b: Fits<X, B>): Joined<X, B> {
    return binary("mul", this, b, surface.mul);
  }
  /** Floats only: see `floorDiv`. */
  div<X extends Tensor, const B extends Operand>(this: X, b: Fits<X, B>): Joined<X, B> {
    return binary("div", this, b, surface.div);
  }
  pow<X extends Tensor, const B extends Operand>(this: X, b: Fits<X, B>): Joined<X, B> {
    return power(this, b);
  }
  /** The larger; NaN where either is, and −0 is less than 0. As in PyTorch, of equals each gets half the gradient. */
  maximum<X extends Tensor, const B extends Operand>(this: X, b: Fits<X, B>): Joined<X, B> {
    return binary("maximum", this, b, surface.maximum);
  }
  /** The smaller; NaN where either is, and −0 is less than 0. As in PyTorch, of equals each gets half the gradient. */
  minimum<X extends Tensor, const B extends Operand>(this: X, b: Fits<X, B>): Joined<X, B> {
    return binary("minimum", this, b, surface.minimum);
  }
  /** The remainder with the sign of the divisor: a − b·⌊a/b⌋, exact for all floats but for one rounding. Integers by 0 give 0. */
  mod<X extends Tensor, const B extends Operand>(this: X, b: Fits<X, B>): Joined<X, B> {
    return binary("mod", this, b, surface.mod);
  }
  /** ⌊a/b⌋, exactly (a/b rounded where it has more bits than the mantissa). Integers by 0 give 0. */
  floorDiv<X extends Tensor, const B extends Operand>(this: X, b: Fits<X, B>): Joined<X, B> {
    return binary("floorDiv", this, b, surface.floorDiv);
  }
  /** Comparisons give bool tensors. `===` compares handles. */
  eq<X extends Tensor, const B extends Operand>(this: X, b: Fits<X, B>): Joined<X, B> {
    return binary("eq", this, b, surface.eq);
  }
  ne<X extends Tensor, const B extends Operand>(this: X, b: Fits<X, B>): Joined<X, B> {
    return binary("ne", this, b, surface.ne);
  }
  lt<X extends Tensor, const B extends Operand>(this: X, b: Fits<X, B>): Joined<X, B> {
    return binary("lt", this, b, surface.lt);
  }
  le<X extends Tensor, const B extends Operand>(this: X, b: Fits<X, B>): Joined<X, B> {
    return binary("le", this, b, surface.le);
  }
  gt<X extends Tensor, const B extends Operand>(this: X, b: Fits<X, B>): Joined<X, B> {
    return binary("gt", this, b, surface.gt);
  }
  ge<X extends Tensor, const B extends Operand>(this: X, b: Fits<X, B>): Joined<X, B> {
    return binary("ge", this, b, surface.ge);
  }
  /** Bools; the bits of integers. */
  logicalAnd<X extends Tensor, const B extends Operand>(this: X, b: Fits<X, B>): Joined<X, B> {
    return binary("logicalAnd", this, b, surface.logicalAnd);
  }
  logicalOr<X extends Tensor, const B extends Operand>(this: X, b: Fits<X, B>): Joined<X, B> {
    return binary("logicalOr", this, b, surface.logicalOr);
  }
  logicalXor<X extends Tensor, const B extends Operand>(this: X, b: Fits<X, B>): Joined<X, B> {
    return binary("logicalXor", this, b, surface.logicalXor);
  }

  // ---- elementwise, alone
  neg(): Tensor<S> {
    return unary("neg", this, surface.neg);
  }
  abs(): Tensor<S> {
    return unary("abs", this, surface.abs);
  }
  /** −1, 0 or 1; its gradient is 0. */
  sign(): Tensor<S> {
    return unary("sign", this, surface.sign);
  }
  exp(): Tensor<S> {
    return unary("exp", this, surface.exp);
  }
  /** eˣ − 1, exact for small x. */
  expm1(): Tensor<S> {
    return unary("expm1", this, surface.expm1);
  }
  /** Natural logarithm. */
  log(): Tensor<S> {
    return unary("log", this, surface.log);
  }
  /** log(1 + x), exact for small x. */
  log1p(): Tensor<S> {
    return unary("log1p", this, surface.log1p);
  }
  sqrt(): Tensor<S> {
    return unary("sqrt", this, surface.sqrt);
  }
  /** 1/√x. */
  rsqrt(): Tensor<S> {
    return unary("rsqrt", this, surface.rsqrt);
  }
  square(): Tensor<S> {
    return unary("square", this, surface.square);
  }
  /** 1/x. */
  reciprocal(): Tensor<S> {
    return unary("reciprocal", this, surface.reciprocal);
  }
  tanh(): Tensor<S> {
    return unary("tanh", this, surface.tanh);
  }
  /** 1 / (1 + e⁻ˣ). */
  sigmoid(): Tensor<S> {
    return unary("sigmoid", this, surface.sigmoid);
  }
  logSigmoid(): Tensor<S> {
    return unary("logSigmoid", this, surface.logSigmoid);
  }
  /** max(x, 0); the gradient at 0 is 0. */
  relu(): Tensor<S> {
    return unary("relu", this, surface.relu);
  }
  selu(): Tensor<S> {
    return unary("selu", this, surface.selu);
  }
  /** x · sigmoid(x). */
  silu(): Tensor<S> {
    return unary("silu", this, surface.silu);
  }
  /** x · tanh(softplus(x)). */
  mish(): Tensor<S> {
    return unary("mish", this, surface.mish);
  }
  /** log(1 + eˣ). */
  softplus(): Tensor<S> {
    return unary("softplus", this, surface.softplus);
  }
  /** x / (1 + |x|). */
  softsign(): Tensor<S> {
    return unary("softsign", this, surface.softsign);
  }
  erf(): Tensor<S> {
    return unary("erf", this, surface.erf);
  }
  sin(): Tensor<S> {
    return unary("sin", this, surface.sin);
  }
  cos(): Tensor<S> {
    return unary("cos", this, surface.cos);
  }
  tan(): Tensor<S> {
    return unary("tan", this, surface.tan);
  }
  floor(): Tensor<S> {
    return unary("floor", this, surface.floor);
  }
  ceil(): Tensor<S> {
    return unary("ceil", this, surface.ceil);
  }
  /** Toward zero. */
  trunc(): Tensor<S> {
    return unary("trunc", this, surface.trunc);
  }
  /** To the nearest, halves to the even one. */
  round(): Tensor<S> {
    return unary("round", this, surface.round);
  }
  isNaN(): Tensor<S> {
    return unary("isNaN", this, surface.isNaN);
  }
  isFinite(): Tensor<S> {
    return unary("isFinite", this, surface.isFinite);
  }
  logicalNot(): Tensor<S> {
    return unary("logicalNot", this, surface.logicalNot);
  }
  /** x where positive, slope · x elsewhere. */
  leakyRelu(slope = 0.01): Tensor<S> {
    return unary("leakyRelu", this, surface.leakyRelu, slope);
  }
  /** x where positive, alpha · (eˣ − 1) elsewhere. */
  elu(alpha = 1): Tensor<S> {
    return unary("elu", this, surface.elu, alpha);
  }
  /** x · Φ(x), Φ the normal distribution function, or its tanh approximation. */
  gelu(approximate: "none" | "tanh" = "none"): Tensor<S> {
    return unary("gelu", this, surface.gelu, approximate);
  }
  /** Between low and high; the gradient is 0 outside and at NaN, 1 at the ends. */
  clip(low: number, high: number): Tensor<S> {
    return unary("clip", this, clip, low, high);
  }
  /** Floats to integers are cut toward zero; anything to bool is x ≠ 0. */
  cast(dtype: DType): Tensor<S> {
    return unary("cast", this, (x) => surface.castTo(x, checkDType(dtype, "cast")));
  }

  // ---- products

  /** […, n, k] × […, k, m] → […, n, m]; a vector on either side is a row, a column. */
  matmul<X extends Tensor, B extends Tensor>(this: X, b: types.FitsProduct<X, B>): types.Product<X, B> {
    return matmul(this, b);
  }
  /** Σᵢ aᵢ bᵢ of two vectors. */
  dot(b: Tensor): Tensor<[]> {
    return productOf("dot", [this, b], ([x, y]) => surface.dot(x!, y!));
  }

  // ---- reductions: all elements, an axis, or several; negative axes count from the end
  /** bool is counted in int32. */
  sum(): Tensor<[]>;
  sum<X extends Tensor, const I extends Axes, const K extends boolean = false>(
    this: X,
    axis: types.HasAxes<X, I, K, "sum">,
    options?: surface.ReduceOptions<K>,
  ): types.Reduced<X, I, K, "sum">;
  sum(axis?: Axes, options?: surface.ReduceOptions): Tensor {
    return unary("sum", this, surface.sum, axis, options);
  }
  product(): Tensor<[]>;
  product<X extends Tensor, const I extends Axes, const K extends boolean = false>(
    this: X,
    axis: types.HasAxes<X, I, K, "product">,
    options?: surface.ReduceOptions<K>,
  ): types.Reduced<X, I, K, "product">;
  product(axis?: Axes, options?: surface.ReduceOptions): Tensor {
    return unary("product", this, surface.product, axis, options);
  }
  /** Floats, or the share of true in a bool tensor. */
  mean(): Tensor<[]>;
  mean<X extends Tensor, const I extends Axes, const K extends boolean = false>(
    this: X,
    axis: types.HasAxes<X, I, K, "mean">,
    options?: surface.ReduceOptions<K>,
  ): types.Reduced<X, I, K, "mean">;
  mean(axis?: Axes, options?: surface.ReduceOptions): Tensor {
    return unary("mean", this, surface.mean, axis, options);
  }
  /** NaN wins. An empty axis is an error. */
  max(): Tensor<[]>;
  max<X extends Tensor, const I extends Axes, const K extends boolean = false>(
    this: X,
    axis: types.HasAxes<X, I, K, "max">,
    options?: surface.ReduceOptions<K>,
  ): types.Reduced<X, I, K, "max">;
  max(axis?: Axes, options?: surface.ReduceOptions): Tensor {
    return unary("max", this, surface.max, axis, options);
  }
  min(): Tensor<[]>;
  min<X extends Tensor, const I extends Axes, const K extends boolean = false>(
    this: X,
    axis: types.HasAxes<X, I, K, "min">,
    options?: surface.ReduceOptions<K>,
  ): types.Reduced<X, I, K, "min">;
  min(axis?: Axes, options?: surface.ReduceOptions): Tensor {
    return unary("min", this, surface.min, axis, options);
  }
  /** Whether one is true. */
  any(): Tensor<[]>;
  any<X extends Tensor, const I extends Axes, const K extends boolean = false>(
    this: X,
    axis: types.HasAxes<X, I, K, "any">,
    options?: surface.ReduceOptions<K>,
  ): types.Reduced<X, I, K, "any">;
  any(axis?: Axes, options?: surface.ReduceOptions): Tensor {
    return unary("any", this, surface.any, axis, options);
  }
  /** Whether none is false. */
  all(): Tensor<[]>;
  all<X extends Tensor, const I extends Axes, const K extends boolean = false>(
    this: X,
    axis: types.HasAxes<X, I, K, "all">,
    options?: surface.ReduceOptions<K>,
  ): types.Reduced<X, I, K, "all">;
  all(axis?: Axes, options?: surface.ReduceOptions): Tensor {
    return unary("all", this, surface.all, axis, options);
  }
  /** log Σ eˣ, never overflowing. */
  logSumExp(): Tensor<[]>;
  logSumExp<X extends Tensor, const I extends Axes, const K extends boolean = false>(
    this: X,
    axis: types.HasAxes<X, I, K, "logSumExp">,
    options?: surface.ReduceOptions<K>,
  ): types.Reduced<X, I, K, "logSumExp">;
  logSumExp(axis?: Axes, options?: surface.ReduceOptions): Tensor {
    return unary("logSumExp", this, surface.logSumExp, axis, options);
  }
  /** Σ(x − mean)² / (n − correction); correction is 1 unless said, as in PyTorch. */
  variance(): Tensor<[]>;
  variance<X extends Tensor, const I extends Axes, const K extends boolean = false>(
    this: X,
    axis: types.HasAxes<X, I, K, "variance">,
    options?: surface.VarianceOptions<K>,
  ): types.Reduced<X, I, K, "variance">;
  variance(axis?: Axes, options?: surface.VarianceOptions): Tensor {
    return unary("variance", this, surface.variance, axis, options);
  }
  /** √variance. */
  std(): Tensor<[]>;
  std<X extends Tensor, const I extends Axes, const K extends boolean = false>(
    this: X,
    axis: types.HasAxes<X, I, K, "std">,
    options?: surface.VarianceOptions<K>,
  ): types.Reduced<X, I, K, "std">;
  std(axis?: Axes, options?: surface.VarianceOptions): Tensor {
    return unary("std", this, surface.std, axis, options);
  }
  /** √Σx², or Σ|x| with p: 1, max |x| with p: Infinity. */
  norm(): Tensor<[]>;
  norm<X extends Tensor, const I extends Axes, const K extends boolean = false>(
    this: X,
    axis: types.HasAxes<X, I, K, "norm">,
    options?: surface.NormOptions<K>,
  ): types.Reduced<X, I, K, "norm">;
  norm(axis?: Axes, options?: surface.NormOptions): Tensor {
    return unary("norm", this, surface.norm, axis, options);
  }
  /** Where the largest stands, int32: its row-major position along the axis, among several axes or among all elements. The first of equals; a NaN counts as the largest. */
  argmax(): Tensor<[]>;
  argmax<X extends Tensor, const I extends Axes, const K extends boolean = false>(
    this: X,
    axis: types.HasAxes<X, I, K, "argmax">,
    options?: surface.ReduceOptions<K>,
  ): types.Reduced<X, I, K, "argmax">;
  argmax(axis?: Axes, options?: surface.ReduceOptions): Tensor {
    return unary("argmax", this, surface.argmax, axis, options);
  }
  /** Where the smallest stands, as `argmax` says it; a NaN counts as the smallest. */
  argmin(): Tensor<[]>;
  argmin<X extends Tensor, const I extends Axes, const K extends boolean = false>(
    this: X,
    axis: types.HasAxes<X, I, K, "argmin">,
    options?: surface.ReduceOptions<K>,
  ): types.Reduced<X, I, K, "argmin">;
  argmin(axis?: Axes, options?: surface.ReduceOptions): Tensor {
    return unary("argmin", this, surface.argmin, axis, options);
  }

  // ---- along an axis, the last unless said

  /** eˣ / Σ eˣ, never overflowing. */
  softmax(axis = -1): Tensor<S> {
    return unary("softmax", this, surface.softmax, axis);
  }
  /** x − log Σ eˣ: log of the softmax without its rounding. */
  logSoftmax(axis = -1): Tensor<S> {
    return unary("logSoftmax", this, surface.logSoftmax, axis);
  }
  /** Running sums. */
  cumsum(axis = -1, options?: surface.CumulateOptions): Tensor<S> {
    return unary("cumsum", this, surface.cumsum, axis, options);
  }
  /** Running products; their gradient is right where elements are 0, too. */
  cumprod(axis = -1, options?: surface.CumulateOptions): Tensor<S> {
    return unary("cumprod", this, surface.cumprod, axis, options);
  }
  /** Stable; NaN counts as the largest. */
  sort(axis = -1, options?: surface.SortOptions): Tensor<S> {
    return unary("sort", this, surface.sort, axis, options);
  }
  /** The positions that would sort it, int32. */
  argsort(axis = -1, options?: surface.SortOptions): Tensor<S> {
    return unary("argsort", this, surface.argsort, axis, options);
  }
  /** The k largest, largest first, and their positions. */
  topK(k: number, axis = -1): { values: Tensor; indices: Tensor } {
    return atUserLine(() => {
      const { values, indices } = surface.topK(this.node(), k, axis);
      return { values: derived(values, [this]), indices: derived(indices, [this]) };
    }, "topK");
  }

  // ---- shape and place

  /** The same elements in row-major order; one size may be −1. */
  reshape<const T extends Shape>(to: types.CanReshape<T>): types.Reshaped<T> {
    return unary("reshape", this, surface.reshape, to as Shape);
  }
  /** The last two axes exchanged, or the two given (not NumPy's reversal of all). */
  transpose<X extends Tensor>(this: X): types.Transposed<X>;
  transpose<X extends Tensor, const I extends number, const J extends number>(
    this: X,
    i: types.HasTwoAxes<X, I, J>,
    j: J,
  ): types.Transposed<X, I, J>;
  transpose(i?: number, j?: number): Tensor {
    return unary("transpose", this, surface.transpose, i, j);
  }
  /** Axes in the order given. */
  permute<X extends Tensor, const P extends Shape>(this: X, axes: types.IsPermutation<X, P>): types.Permuted<X, P> {
    return unary("permute", this, surface.permute, axes as Shape);
  }
  /** A new axis of size 1. */
  unsqueeze(axis: number): Tensor {
    return unary("unsqueeze", this, surface.unsqueeze, axis);
  }
  /** Without an axis of size 1, several, or all of them. */
  squeeze(axis?: number | readonly number[]): Tensor {
    return unary("squeeze", this, surface.squeeze, axis);
  }
  /** The axes start … end as one: flatten(1) keeps the batch. */
  flatten(start = 0, end = -1): Tensor {
    return unary("flatten", this, surface.flatten, start, end);
  }
  broadcastTo<const T extends Shape>(shape: T): types.Sized<T> {
    return unary("broadcastTo", this, surface.broadcastTo, shape);
  }
  /** The axes backwards; all of them unless said. */
  flip(axes?: number | readonly number[]): Tensor<S> {
    return unary("flip", this, surface.flip, axes);
  }
  /** `widths` are [before, after] of the last axes; negative ones cut off. */
  pad(widths: readonly (readonly [before: number, after: number])[], value = 0): Tensor {
    return unary("pad", this, surface.pad, widths, value);
  }
  /** The whole laid side by side `counts[i]` times along axis i. */
  repeat(...counts: readonly number[]): Tensor {
    return unary("repeat", this, surface.repeat, counts);
  }
  /** Parts of these sizes along an axis, or this many equal ones. */
  split(parts: number | readonly number[], axis = 0): Tensor[] {
    return split(this, parts, axis);
  }
  /**
   * Python's brackets: numbers, slices as text, int32 positions. Negative ones count from the end, as in NumPy, those in tensors too.
   *
   * @example
   * x.at(0); x.at("1:"); x.at(":, ::-1"); x.at("...", 2); x.at(rows)
   */
  at(...index: types.Index[]): Tensor {
    return unary("at", this, (x) =>
      surface.at(
        x,
        index.map((i) => (i instanceof Tensor ? i.node() : i)),
        calledAs("at"),
      ),
    );
  }
  /** x[…, indices, …]: whole rows of an axis by their numbers, 0 … n − 1; others are an error when it runs (`at` counts negative ones from the end). */
  gather(indices: Tensor, axis = 0): Tensor {
    return unary("gather", this, (x) => surface.gather(x, nodeOf(indices, "gather"), axis, calledAs("gather")));
  }
  /** One position, 0 … n − 1, for each element of the result (PyTorch's `gather`). */
  takeAlong(indices: Tensor, axis = -1): Tensor {
    return unary("takeAlong", this, (x) => surface.takeAlong(x, nodeOf(indices, "takeAlong"), axis, calledAs("takeAlong")));
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

  override toString(): string {
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

/** A tensor for a value made from others: gradients can be taken through it if they can through one of them. */
export function derived(value: Value, from: readonly unknown[]): Tensor {
  return new Tensor(value, { tracked: from.some((x) => x instanceof Tensor && x.isTracked) });
}

/** What holds what a tensor is made of. */
export function from({ shape, dtype }: Type, source: Source): Tensor {
  return "node" in source ? new Tensor(source.node) : new Tensor({ shape, dtype }, source);
}

/** An operator over one tensor, on the line of whoever called; errors name `who`. */
export function unary<A extends readonly unknown[]>(
  who: string,
  x: unknown,
  operator: (x: Value, ...rest: A) => Value,
  ...rest: A
): Tensor {
  return atUserLine(() => derived(operator(nodeOf(x, who), ...rest), [x]), who);
}

/** An operator over two operands, of which one may be a number or nested arrays: those take the dtype of the tensor. */
export function binary(who: string, a: unknown, b: unknown, operator: (a: Value, b: Value) => Value): Tensor {
  return atUserLine(() => derived(operator(...operandValues(a, b, who)), [a, b]), who);
}

/** Powers by a whole number up to 64 are products. */
export function power(a: unknown, b: unknown): Tensor {
  if (a instanceof Tensor && typeof b === "number" && Number.isInteger(b) && b >= 1 && b <= 64)
    return unary("pow", a, surface.wholePower, b);
  return binary("pow", a, b, surface.pow);
}

/** A product of tensors. */
export function productOf(who: string, list: readonly unknown[], operator: (values: readonly Value[]) => Value): Tensor {
  const help = "tensor(…) makes one; mul multiplies by a number";
  return atUserLine(() => derived(operator(list.map((x) => nodeOf(x, who, help))), list), who);
}

export const matmul = (a: unknown, b: unknown): Tensor => productOf("matmul", [a, b], ([x, y]) => surface.matmul(x!, y!));

/** Parts of a tensor along an axis. */
export function split(x: Tensor, parts: number | readonly number[], axis: number): Tensor[] {
  return atUserLine(() => surface.split(nodeOf(x, "split"), parts, axis).map((part) => derived(part, [x])), "split");
}

/** An end at infinity is no end, for integers too. */
function clip(x: Value, low: number, high: number): Value {
  if (typeof low !== "number" || typeof high !== "number" || !(low <= high))
    throw new ArgumentError(`clip: ${show(low)} … ${show(high)} is no range`, {
      help: "clip(low, high), two numbers with low ≤ high; maximum and minimum take tensors",
    });
  const end = (n: number, none: number): Value | undefined => (n === none ? undefined : numberValue(n, x.dtype, "clip"));
  return surface.clip(x, end(low, Number.NEGATIVE_INFINITY), end(high, Number.POSITIVE_INFINITY));
}
