/** What a contraction becomes, decided once, from its form, before any kernel has a domain. */
import { isFloat } from "../core/dtype.ts";
import { sizeOf } from "../core/shape.ts";
import { inputSlots, slotAxes } from "../graph/form.ts";
import type { ContractSlot, Form, Value } from "../graph/op.ts";
import { axisForm, Domain, type View } from "./affine.ts";

/** Why a contraction is no tiled product; `explain` has the words. */
export type Why = "unoptimised" | "whole numbers" | "vector" | "short sum" | "small";

/**
 * What the rows of a product's tiles are: rows of a matrix; where it looks through windows, one pixel of many images, whose windows are cut alike by
 * a border, or pixels of a row; in the gradient of a kernel, taps and channels.
 */
export type Rows = "matrix" | "images" | "pixels" | "taps";

/** Images of a batch that are worth being the rows of a tile. */
export const MANY_IMAGES = 8;

export type Contraction =
  /** Register tiles; what it reads lies in memory. */
  | { readonly as: "product"; readonly rows: Rows }
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
  return why ? { as: "loops", why } : { as: "product", rows: rowsIn(v, form) };
}

function rowsIn(v: Value, form: Form): Rows {
  const sizes = form.axes.map((axis) => axis.size);
  const { m, n, k } = rolesOf(form);
  const longest = (axes: readonly number[]): number => axes.reduce((most, axis) => Math.max(most, sizes[axis]!), 0);
  for (const [i, own] of [m, n].entries()) {
    const windows = viewsThrough(v, form, i).flatMap((view) => view.map(({ terms }) => terms.map(([axis]) => axis)));
    const [kept, summed] = [own, k].map((role) => windows.map((axes) => longest(axes.filter((axis) => role.includes(axis)))));
    const cut = windows.flatMap((axes, w) => (kept![w]! > 1 && summed![w]! > 1 ? [{ axes, taps: summed![w]! > kept![w]! }] : []));
    if (cut.some(({ taps }) => taps)) return "taps";
    const whole = own.filter((axis) => !cut.some(({ axes }) => axes.includes(axis)));
    if (cut.length > 0) return longest(whole) >= MANY_IMAGES ? "images" : "pixels";
  }
  return "matrix";
}

/** An operand over the axes of the form, then what it looks at through moves and borders, as far as that can be said. */
function viewsThrough(v: Value, form: Form, i: number): View[] {
  const domain = new Domain(form.axes.map((axis) => axis.size));
  domain.frozen = true;
  const views: View[] = [labelsOf(form, inputSlots(form)[i]!).map(axisForm)];
  for (let x = v.inputs[i]!; ; x = x.inputs[0]!) {
    const source = domain.through(x, views.at(-1)!);
    if (!source) return views;
    views.push(source);
  }
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
