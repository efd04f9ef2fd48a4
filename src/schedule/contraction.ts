/** What a contraction becomes, decided once, from its form, before any kernel has a domain. */
import { isFloat } from "../core/dtype.ts";
import { sizeOf } from "../core/shape.ts";
import { inputSlots, slotAxes } from "../graph/form.ts";
import type { ContractSlot, Form, Value } from "../graph/op.ts";

/** Why a contraction is no tiled product; `explain` has the words. */
export type Why = "unoptimised" | "whole numbers" | "vector" | "short sum" | "small";

export type Contraction =
  /** Register tiles; what it reads lies in memory. */
  | { readonly as: "product" }
  /** A reduction in plain loops. */
  | { readonly as: "loops"; readonly why: Why };

export interface Roles {
  /** Labels in all slots, in the first input and the result, in the second and the result, in both inputs only. */
  readonly batch: readonly number[];
  readonly m: readonly number[];
  readonly n: readonly number[];
  readonly k: readonly number[];
}

export function rolesOf(form: Form): Roles {
  const [a, b] = inputSlots(form);
  const roles = { batch: [] as number[], m: [] as number[], n: [] as number[], k: [] as number[] };
  form.axes.forEach((axis, label) => {
    const [inA, inB, out] = [a, b, form.result].map((s) => axis.in.includes(s));
    const role = inA && inB ? (out ? "batch" : "k") : inA ? "m" : "n";
    roles[role].push(label);
  });
  return roles;
}

/** Labels of a slot's axes, in the order of the value's axes. Contracts with windows have been rewritten before. */
export function labelsOf(form: Form, slot: ContractSlot): number[] {
  return slotAxes(form, slot).map((a) => a.index);
}

const SMALL_PRODUCT = 8192;

/** Packing and tiles are worth it for large products of floats. */
export function planContraction(v: Value): Contraction {
  const form = v.attributes as Form;
  const why = whyLoops(v, form, rolesOf(form));
  return why ? { as: "loops", why } : { as: "product" };
}

/** Small ones, matrix × vector and integers are loops with a reduction, which fuse with their surroundings. */
function whyLoops(v: Value, form: Form, roles: Roles): Why | undefined {
  if (!isFloat(v.dtype)) return "whole numbers";
  const size = (labels: readonly number[]): number => sizeOf(labels.map((l) => form.axes[l]!.size));
  const [m, n, k] = [size(roles.m), size(roles.n), size(roles.k)];
  if (m < 2 || n < 2) return "vector";
  if (k < 4) return "short sum";
  return m * n * k < SMALL_PRODUCT ? "small" : undefined;
}
