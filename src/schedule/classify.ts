/** What the scheduler asks of a value, by its kind. */
import { isFloat } from "../core/dtype.ts";
import { sizeOf } from "../core/shape.ts";
import { inputSlots, slotAxes } from "../graph/form.ts";
import type { ContractSlot, Elementwise, Form, Value } from "../graph/op.ts";

export const isLeaf = (v: Value): boolean => v.op.kind === "leaf";

/** Scalar work of one element, as the cap on a kernel's size counts it. */
export function weightOf(v: Value): number {
  switch (v.op.kind) {
    case "elementwise":
      return (v.op as Elementwise).costly ? 24 : 1;
    case "reduce":
    case "contract":
      return 2;
    case "indexed":
      return 4;
    default:
      return 1;
  }
}

export const isCostly = (v: Value): boolean => v.op.kind === "elementwise" && (v.op as Elementwise).costly === true;

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

/**
 * A contraction worth packing and register tiles. Small ones, matrix × vector and integers are loops with a reduction, which fuse
 * with their surroundings.
 */
export function isProduct(v: Value): boolean {
  if (v.op.kind !== "contract" || !isFloat(v.dtype)) return false;
  const form = v.attributes as Form;
  const roles = rolesOf(form);
  const size = (labels: readonly number[]): number => sizeOf(labels.map((l) => form.axes[l]!.size));
  const [m, n, k] = [size(roles.m), size(roles.n), size(roles.k)];
  return m >= 2 && n >= 2 && k >= 4 && m * n * k >= SMALL_PRODUCT;
}
const SMALL_PRODUCT = 8192;

/** A sum of products that runs as a plain reduction. */
export const isSmallContract = (v: Value): boolean => v.op.kind === "contract" && !isProduct(v);
