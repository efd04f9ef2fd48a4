/**
 * Kernels: what the scheduler hands to the lowerings. Buffers are named by number; a kernel says nothing about
 * addresses, threads or registers.
 */
import type { DType } from "../core/dtype.ts";
import type { Shape } from "../core/shape.ts";
import type { Access, Expr } from "./expr.ts";
import type { Argument, Code, Target } from "./program.ts";

/** Where a value goes: over the axes of the kernel, as loads are read. */
export interface Store {
  readonly to: Access;
  readonly value: Expr;
}

/** Reports under `check` wherever `bad` (a bool over the outer axes, after reductions) is true. */
export interface Guard {
  readonly check: number;
  readonly bad: Expr;
}

/**
 * Loops over independent `outer` axes and, inside them, `inner` ones that reductions run over. Axes are numbered outer first.
 * A store whose access or value depends on an inner axis is written for each of its positions; any other once.
 */
export interface Rows {
  readonly kind: "rows";
  readonly outer: readonly number[];
  readonly inner: readonly number[];
  readonly stores: readonly Store[];
  readonly guards: readonly Guard[];
}

/** One matrix of a product: `rowStride` moves along m (or n), `depthStride` along k, `batchStrides` along the batch axes; all in elements. */
export interface Operand {
  readonly buffer: number;
  readonly offset: number;
  readonly batchStrides: readonly number[];
  readonly rowStride: number;
  readonly depthStride: number;
}

/**
 * C[b, m, n] = Σ_k A[b, m, k] · B[b, n, k], in float32 or float64. `stores` are epilogues over the axes (…batch, m, n), in which
 * `accumulator` stands for C's element. (B is named by its n axis too, so that A and B are the same kind of thing and may swap.)
 */
export interface Product {
  readonly kind: "product";
  readonly dtype: "float32" | "float64";
  readonly batch: readonly number[];
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a: Operand;
  readonly b: Operand;
  readonly stores: readonly Store[];
}

/**
 * What is not loops over independent elements: running sums, sorting, factorisations; parallel over rows or matrices.
 * What it reads and writes is whole and row-major.
 */
export interface Serial<A = any> {
  readonly kind: "serial";
  readonly template: Template<A>;
  readonly attributes: A;
  /** What it computes in. */
  readonly dtype: "float32" | "float64" | "int32" | "uint32";
  readonly reads: readonly Access[];
  /** The shapes of what it reads. */
  readonly shapes: readonly Shape[];
  readonly write: Access;
}

/** The loops of a serial kernel. An op brings its own along, so that a bundle without the op is without them. */
export interface Template<A = any> {
  readonly name: string;
  lower(kernel: Serial<A>, context: LoweringContext): Lowered;
}

export type Kernel = Rows | Product | Serial;

/** One call that a kernel becomes: code, its argument block, and over how many blocks its work is cut (by shape only). */
export interface LoweredCall {
  readonly code: Code;
  readonly arguments: readonly Argument[];
  readonly blocks: number;
  /** Scalar operations, roughly. */
  readonly work: number;
  readonly reads: readonly number[];
  readonly writes: readonly number[];
  /** What it is called in print, where that is not the name of the kernel it belongs to. */
  readonly label?: string;
}

/** A kernel as calls in order; `threadBytes` is private scratch per thread. */
export interface Lowered {
  readonly calls: readonly LoweredCall[];
  readonly threadBytes: number;
}

/** What a lowering may ask of the program it lowers into. */
export interface LoweringContext {
  readonly target: Target;
  dtypeOf(buffer: number): DType;
  /** A new scratch buffer of so many bytes. */
  allocate(bytes: number, dtype: DType): number;
}
