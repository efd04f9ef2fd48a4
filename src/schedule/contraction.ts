/** What a contraction becomes, decided once, from its form, before any kernel has a domain. */
import { isFloat } from "../core/dtype.ts";
import { sizeOf } from "../core/shape.ts";
import { inputSlots, slotAxes } from "../graph/form.ts";
import type { ContractSlot, Form, Value } from "../graph/op.ts";
import { axisForm, Domain, type View } from "./affine.ts";

/** Why a contraction is no tiled product; `explain` has the words. */
export type Why = "unoptimised" | "whole numbers" | "vector" | "short sum" | "small";

export type Contraction =
  /** Register tiles; what it reads lies in memory. `alone`: what follows it is no epilogue of it. */
  | { readonly as: "product"; readonly alone: boolean }
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
  return why ? { as: "loops", why } : { as: "product", alone: givesTaps(v, form) };
}

/**
 * Whether windows are cut along axes of the sum, so that the result has their taps: the gradient of a kernel. Its tiles run along taps and
 * channels at once, which lie otherwise in the kernel itself: a kernel of its own puts them there.
 */
function givesTaps(v: Value, form: Form): boolean {
  const sizes = form.axes.map((axis) => axis.size);
  const domain = new Domain(sizes);
  domain.frozen = true;
  const { m, n, k } = rolesOf(form);
  const longest = (axes: readonly number[]): number => axes.reduce((n, axis) => Math.max(n, sizes[axis]!), 0);
  return v.inputs.some((x, i) => {
    let view: View | undefined = labelsOf(form, inputSlots(form)[i]!).map(axisForm);
    for (let source = x; view; source = source.inputs[0]!) {
      for (const { terms } of view) {
        const axes = terms.map(([axis]) => axis);
        const kept = longest(axes.filter((axis) => m.includes(axis) || n.includes(axis)));
        if (kept > 1 && longest(axes.filter((axis) => k.includes(axis))) > kept) return true;
      }
      view = domain.through(source, view);
    }
    return false;
  });
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
