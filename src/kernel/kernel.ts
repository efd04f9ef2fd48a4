/**
 * Kernels: what the scheduler hands to the lowerings. Buffers are named by number; a kernel says nothing about
 * addresses, threads or registers.
 */
import type { Shape } from "../core/shape.ts";
import { type Access, type Expr, nodesBelow, readsBelow } from "./expr.ts";

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

/** One matrix of a product: `rowStride` moves along m (or n), `depthStrides` along the axes of k, `batchStrides` along those of the batch; all in elements. */
export interface Operand {
  readonly buffer: number;
  readonly offset: number;
  readonly batchStrides: readonly number[];
  readonly rowStride: number;
  readonly depthStrides: readonly number[];
}

/**
 * Where a sum ends at a border: its terms count only where 0 ≤ offset + Σ strides[axis] · position + step · ⌊t / run⌋ < bound, t being the
 * position on k's axis `k`, and axes those of the product (…batch, m, n). The others are 0, and an operand that moves along one of the
 * clip's axes is not read there. `run`: elements of the axis that one tap takes. What does not move along them lies in memory everywhere,
 * and may be multiplied by that 0.
 */
export interface Clip {
  readonly k: number;
  readonly run: number;
  readonly step: number;
  readonly strides: readonly number[];
  readonly offset: number;
  readonly bound: number;
}

/**
 * C[b, m, n] = Σ_k A[b, m, k] · B[b, n, k], in float32 or float64, over one or more axes of k, outermost first. `stores` are epilogues over
 * the axes (…batch, m, n), in which `accumulator` stands for C's element. (B is named by its n axis too, so that A and B are the same kind
 * of thing and may swap.)
 */
export interface Product {
  readonly kind: "product";
  readonly dtype: "float32" | "float64";
  readonly batch: readonly number[];
  readonly m: number;
  readonly n: number;
  readonly k: readonly number[];
  readonly a: Operand;
  readonly b: Operand;
  readonly clips: readonly Clip[];
  readonly stores: readonly Store[];
}

/**
 * What is not loops over independent elements: running sums, sorting, factorisations; parallel over rows or matrices.
 * What it reads and writes is whole and row-major.
 */
export interface Serial<A = any> {
  readonly kind: "serial";
  readonly template: Template;
  readonly attributes: A;
  /** What it computes in. */
  readonly dtype: "float32" | "float64" | "int32" | "uint32";
  readonly reads: readonly Access[];
  /** The shapes of what it reads. */
  readonly shapes: readonly Shape[];
  readonly write: Access;
  /** The check under which it reports what it cannot compute. */
  readonly check?: number | undefined;
}

/**
 * What a serial kernel computes. An op brings its own along, with the loops it becomes where targets run loops (`src/lower/templates`),
 * so that a bundle without the op is without them.
 */
export interface Template {
  readonly name: string;
}

export type Kernel = Rows | Product | Serial;

/** What a kernel computes: the stores and guards of one that has expressions. */
export interface Body {
  readonly stores: readonly Store[];
  readonly guards?: readonly Guard[];
}

/** The expressions of stores, then those of guards. */
export const rootsOf = ({ stores, guards = [] }: Body): Expr[] => [...stores.map((s) => s.value), ...guards.map((g) => g.bad)];

/** The same with other expressions, in the order of `rootsOf`. */
export const withRoots = <B extends Body>(body: B, roots: readonly Expr[]): B => ({
  ...body,
  stores: body.stores.map((s, i) => ({ to: s.to, value: roots[i]! })),
  ...(body.guards ? { guards: body.guards.map((g, i) => ({ check: g.check, bad: roots[body.stores.length + i]! })) } : {}),
});

/** Every node of a kernel's expressions, each once, operands first. */
export const nodesOf = (body: Body): Expr[] => nodesBelow(rootsOf(body));

/** Every place that expressions read, then every place that is written. */
export const accessesOf = (body: Body): Access[] => [...readsBelow(rootsOf(body)), ...body.stores.map((s) => s.to)];

/** Every place a kernel reads; of a product's operands, where they begin. */
export function readsOf(k: Kernel): Access[] {
  if (k.kind === "serial") return [...k.reads];
  const loads = readsBelow(rootsOf(k));
  return k.kind === "rows" ? loads : [...loads, { ...k.a, strides: [] }, { ...k.b, strides: [] }];
}

export const writesOf = (k: Kernel): Access[] => (k.kind === "serial" ? [k.write] : k.stores.map((s) => s.to));
