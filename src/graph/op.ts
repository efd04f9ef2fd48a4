/**
 * The contract between an operation and everything that handles operations. A `Value` is a node of a graph: an op applied to other
 * values, with exactly one result. An op is one object that knows its shape rule, its gradient, what a new leading axis means, and
 * what its kind asks for. Code asks for the kind, never for the name.
 */
import type { DType, TypedArray } from "../core/dtype.ts";
import type { MatrixCheck, Site } from "../core/errors.ts";
import { GradusError } from "../core/errors.ts";
import { checkShape, frozen, isPossible, type Shape } from "../core/shape.ts";
import { currentSite, withSite } from "../core/site.ts";
import type { Combine, Expr } from "../kernel/expr.ts";
import type { Template } from "../kernel/kernel.ts";

export interface Type {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** A node of the graph. Frozen: what was built stays as it is. Ids grow, so inputs have smaller ids than what uses them. */
export interface Value extends Type {
  readonly id: number;
  readonly op: Op;
  readonly inputs: readonly Value[];
  readonly attributes: unknown;
  /** The user's line; only the Tensor surface takes it, gradients inherit it. */
  readonly site: Site | undefined;
}

export type PerInput<I extends readonly unknown[], T> = { readonly [K in keyof I]: T };
export type Unary = readonly [x: Value];
export type Binary = readonly [a: Value, b: Value];
export type Ternary = readonly [a: Value, b: Value, c: Value];
export type Variadic = readonly Value[];

/** What every op says. */
export interface OpRules<I extends readonly Value[], A> {
  readonly name: string;
  /** Attributes that the result's type repeats: a print leaves them out. */
  readonly inType?: readonly string[];
  /** Shape and dtype rule: the only place that rejects bad inputs. */
  infer(inputs: PerInput<I, Type>, attributes: A): Type;
}

export interface OpBase<I extends readonly Value[], A> extends OpRules<I, A> {
  /** Gradient as new graph, in ops: one value per input with the input's shape and dtype, null where none flows. */
  vjp(dy: Value, inputs: I, out: Value, attributes: A): PerInput<I, Value | null>;
  /**
   * The op over a new leading axis of `size`: inputs marked in `batched` have it as axis 0, the result must have it too. At least one is marked.
   * Of an elementwise op all inputs have it. A graph of the op's own is batched by `batchGraph`.
   */
  batch(inputs: I, batched: PerInput<I, boolean>, attributes: A, size: number, batchGraph: BatchGraph): Value;
}

/**
 * The outputs over a new leading axis of `size`, for inputs replaced by values that have it. It is handed in, because it stands above the ops:
 * programs that batch nothing do without.
 */
export type BatchGraph = (outputs: readonly Value[], inputs: ReadonlyMap<Value, Value>, size: number) => Value[];

/** One element of the result from one element of each input. All inputs have the result's shape. */
export interface Elementwise<I extends readonly Value[] = readonly Value[], A = unknown> extends OpBase<I, A> {
  readonly kind: "elementwise";
  /** What a drawing calls it where both inputs are one value: a product is a square. */
  readonly ofTwins?: string;
  /** `dtype` is the result's. The expression is also what the interpreter computes. */
  lower(args: PerInput<I, Expr>, attributes: A, dtype: DType): Expr;
  /** exp, tanh, threefry …: worth storing rather than computing twice. */
  readonly costly?: boolean;
}

/** Index arithmetic over numbers (the interpreter) or over affine forms of a kernel's axes (the scheduler). */
export interface IndexAlgebra<T> {
  constant(n: number): T;
  /** Σ scales[j] · terms[j] + offset. */
  affine(terms: readonly T[], scales: readonly number[], offset: number): T;
  /** Quotient and remainder by a positive size. */
  split(i: T, size: number): readonly [quotient: T, remainder: T];
}

/** An index map that reads: where the element at `at` of the result comes from. */
export interface Move<A = unknown> extends OpBase<Unary, A> {
  readonly kind: "move";
  source<T>(at: readonly T[], algebra: IndexAlgebra<T>, attributes: A, x: Type, out: Type): T[];
}

/** An index map that writes: where the element `at` of input `i` goes. What nothing goes to is `fill`; what several go to is their sum. */
export interface Place<I extends readonly Value[] = readonly Value[], A = unknown> extends OpBase<I, A> {
  readonly kind: "place";
  target<T>(at: readonly T[], algebra: IndexAlgebra<T>, attributes: A, input: number, types: PerInput<I, Type>): T[];
  fill(attributes: A): number;
  /**
   * Of a place that is its one input with a border around it: where the element at `at` of the result comes from. What lies outside the input's
   * positions is `fill`. Undefined where the input is not in one piece.
   */
  source?<T>(at: readonly T[], algebra: IndexAlgebra<T>, attributes: A): T[] | undefined;
  /** True if several elements can go to one place. */
  overlaps(attributes: A): boolean;
}

/** Elements combined along axes, in ascending order, which are dropped. */
export interface Reduce extends OpBase<Unary, { readonly axes: readonly number[] }> {
  readonly kind: "reduce";
  readonly combine: Combine;
  /** Elements, or the row-major positions of some among those that are combined. */
  readonly gives: "element" | "position";
}

/** The slots of a contraction T(x, w, y) = Σ x · w · y. */
export type ContractSlot = "x" | "w" | "y";
/**
 * Labelled axes, each carried by at least two of the three slots; `window` relations tie one axis of each:
 * x = stride · y + dilation · w − pad, where a position outside x counts as 0. Inputs are the two slots other than `result`, in the order x, w, y;
 * the axes of a slot are the labels that carry it, in order of `axes`, then its window axes, in order of `windows`
 * — permuted by `order` where a slot has one (its i-th axis is the order[i]-th of that list).
 */
export interface Form {
  readonly axes: readonly { readonly size: number; readonly in: readonly ContractSlot[] }[];
  readonly windows: readonly {
    readonly x: number;
    readonly w: number;
    readonly y: number;
    readonly stride: number;
    readonly dilation: number;
    readonly pad: number;
  }[];
  readonly order?: Partial<Record<ContractSlot, readonly number[]>>;
  readonly result: ContractSlot;
}
export interface Contract extends OpBase<Binary, Form> {
  readonly kind: "contract";
}

/**
 * Reads or writes at computed indices (int32). `gather`: out[b…, i…, r…] = x[b…, indices[b…, i…], r…], where `batch` leading axes are common.
 * `scatterAdd`: its adjoint: x plus updates added at indices.
 */
export type Indexed<I extends readonly Value[] = readonly Value[], A = unknown> = Gather<I, A> | ScatterAdd<I, A>;
export interface Gather<I extends readonly Value[] = readonly Value[], A = unknown> extends OpBase<I, A> {
  readonly kind: "indexed";
  readonly mode: "gather";
}
export interface ScatterAdd<I extends readonly Value[] = readonly Value[], A = unknown> extends OpBase<I, A> {
  readonly kind: "indexed";
  readonly mode: "scatterAdd";
  /** The kernel that adds. */
  readonly template: Template;
}

/** One element after another, each from those before: running sums, sorting, factorisations. A kernel by itself. */
export interface Serial<I extends readonly Value[] = readonly Value[], A = unknown> extends OpBase<I, A> {
  readonly kind: "serial";
  readonly template: Template;
  /** The elements of `out` in float64, for the interpreter; integers wrapped. */
  compute(inputs: PerInput<I, Float64Array>, out: Value, attributes: A): Float64Array;
  /** What is asked of the matrices, where one may not do: then an error at run time. */
  check?(inputs: PerInput<I, Type>, attributes: A): MatrixCheck | undefined;
}

/** Attributes of the indexed ops. */
export interface IndexedAttributes {
  /** Leading axes that x and the indices have in common. */
  readonly batch: number;
}

/** A value with a gradient of its own: the first input, seen by `vjp` as a function of the others. Compilers drop it. */
export interface Custom<A = unknown> extends OpBase<Variadic, A> {
  readonly kind: "custom";
}

/**
 * A graph inside a node: what a loop does in a turn, or a branch. It is closed: it ends in its parameters, in constants and positions, and what
 * it uses from outside is handed to it. Its values are nobody else's, so that passes may put another body in its place.
 */
export interface Body {
  /** Leaves of source "bound", told apart by their places in this list. */
  readonly parameters: readonly Value[];
  readonly results: readonly Value[];
}
export interface NestedAttributes {
  readonly bodies: readonly Body[];
}

/** Σ seedᵀ · ∂y/∂x for each x: what rules of nested ops apply to their bodies. It is handed in, because it stands above the ops. */
export type Vjp = (ys: readonly Value[], seeds: readonly Value[], xs: readonly Value[]) => (Value | null)[];

/**
 * An op whose meaning lies in bodies. Its value is a token of no elements; what it computes is read from the token by number, with ops of kind
 * "result", so that a node has one result all the same.
 */
export interface Nested<A extends NestedAttributes = NestedAttributes> extends OpRules<Variadic, A> {
  readonly kind: "nested";
  /** The types of what can be read. */
  results(attributes: A): readonly Type[];
  /** How often a body runs at most. */
  times(attributes: A, body: number): number;
  /** The elements of all results in float64, for the interpreter. */
  compute(
    inputs: readonly Float64Array[],
    attributes: A,
    run: (body: Body, inputs: readonly Float64Array[]) => Float64Array[],
  ): Float64Array[];
  /** For each input the gradient, or null, from those of the results; `wanted` says which inputs are asked for. */
  vjp(dys: readonly (Value | null)[], token: Value, wanted: readonly boolean[], vjp: Vjp): (Value | null)[];
  /** The results over a new leading axis, which the inputs marked in `batched` have. */
  batch(inputs: readonly Value[], batched: readonly boolean[], token: Value, size: number, batchGraph: BatchGraph): Value[];
}

/** One of the results of a nested op. */
export interface Result extends OpRules<Unary, ResultAttributes> {
  readonly kind: "result";
}
export interface ResultAttributes extends Type {
  readonly index: number;
}

/** Where a graph ends: constants, arguments, variables, positions, and in a body its parameters. */
export interface Leaf<A = unknown> extends OpBase<readonly [], A> {
  readonly kind: "leaf";
  readonly source: "constant" | "argument" | "variable" | "iota" | "bound";
}

/** Attributes of the leaves: each knows its type, and what it stands for. */
export interface ConstantAttributes extends Type {
  readonly data: TypedArray;
  /** A number the user wrote: programs take it as an argument, so that another number is not another program. */
  readonly lifted?: boolean;
}
export interface ArgumentAttributes extends Type {
  readonly index: number;
}
export interface VariableAttributes extends Type {
  readonly cell: object;
}
/** Each element is its position along `axis`. */
export interface IotaAttributes extends Type {
  readonly axis: number;
}

/** An op whose arity and attributes are no longer known, as passes see it. */
export type Op =
  | Elementwise<any, any>
  | Move<any>
  | Place<any, any>
  | Reduce
  | Contract
  | Indexed<any, any>
  | Serial<any, any>
  | Custom<any>
  | Nested<any>
  | Result
  | Leaf<any>;

let ids = 0;

/** The one place a node is made; the op's `infer` has checked it before it exists. */
export function apply<I extends readonly Value[]>(op: OpRules<I, undefined>, inputs: I): Value;
export function apply<I extends readonly Value[], A>(op: OpRules<I, A>, inputs: I, attributes: A): Value;
export function apply(op: OpRules<any, any>, inputs: readonly Value[], attributes?: unknown): Value {
  const { shape, dtype } = inferAt(op, inputs, attributes);
  return Object.freeze({ id: ids++, op: op as Op, inputs, attributes, shape: frozen(shape), dtype, site: currentSite() });
}

function inferAt(op: OpRules<any, any>, inputs: readonly Value[], attributes: unknown): Type {
  try {
    const type = op.infer(inputs, attributes);
    if (!isPossible(type.shape)) checkShape(type.shape, op.name);
    return type;
  } catch (error) {
    throw error instanceof GradusError ? error.at(currentSite()) : error;
  }
}

/** The same op over other inputs: what passes and transformations rebuild graphs with. */
export function reapply(v: Value, inputs: readonly Value[]): Value {
  if (inputs.every((x, i) => x === v.inputs[i])) return v;
  return withSite(v.site, () => apply(v.op as OpRules<any, unknown>, inputs, v.attributes));
}
