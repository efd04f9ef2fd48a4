/**
 * What a contraction becomes, decided once, from its form and what its operands are, before any kernel has a domain. This is also where
 * convolutions will be told: their sums run over (channels, height, width) in several stretches, which is k as a list of axes.
 */
import { isFloat } from "../core/dtype.ts";
import { sizeOf } from "../core/shape.ts";
import { inputSlots, slotAxes } from "../graph/form.ts";
import type { ContractSlot, Form, Value } from "../graph/op.ts";
import { axisForm, Domain, type View } from "./affine.ts";
import { stridesAlong } from "./layout.ts";

/** Why a contraction is no tiled product; `explain` has the words. */
export type Why = "unoptimised" | "whole numbers" | "vector" | "short sum" | "small" | "scattered sum" | "windows";

export type Contraction =
  /** Packed operands and register tiles. `k`: the labels it sums over, outermost first; `copies`: moves of operands to be read as copies. */
  | { readonly as: "product"; readonly k: readonly number[]; readonly copies: readonly Value[] }
  /** A reduction in plain loops. A heavy one is the base of its kernel all the same: what it reads lies in memory. */
  | { readonly as: "loops"; readonly heavy: boolean; readonly why: Why };

export const isHeavy = (c: Contraction | undefined): boolean => c !== undefined && (c.as === "product" || c.heavy);

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

/** Packing and tiles are worth it for large products of floats, if the axes they sum over are one run in the memory of both operands. */
export function planContraction(v: Value): Contraction {
  const form = v.attributes as Form;
  const roles = rolesOf(form);
  const light = whyLight(v, form, roles);
  if (light) return { as: "loops", heavy: false, why: light };
  const first = labelsOf(form, inputSlots(form)[0]);
  const k = roles.k.toSorted((a, b) => first.indexOf(a) - first.indexOf(b));
  const copies = [0, 1].map((i) => readAsRun(v, i, k));
  if (copies[0] && copies[1]) return { as: "product", k, copies: copies.flat() as Value[] };
  return { as: "loops", heavy: true, why: v.inputs.some(repeats) ? "windows" : "scattered sum" };
}

/** Whether a value is a view that names elements several times: windows, or something stretched. */
const repeats = (x: Value): boolean => x.op.kind === "move" && (sizeOf(x.shape) > sizeOf(x.inputs[0]!.shape) || repeats(x.inputs[0]!));

/** Small ones, matrix × vector and integers are loops with a reduction, which fuse with their surroundings. */
function whyLight(v: Value, form: Form, roles: Roles): Why | undefined {
  if (!isFloat(v.dtype)) return "whole numbers";
  const size = (labels: readonly number[]): number => sizeOf(labels.map((l) => form.axes[l]!.size));
  const [m, n, k] = [size(roles.m), size(roles.n), size(roles.k)];
  if (m < 2 || n < 2) return "vector";
  if (k < 4) return "short sum";
  return m * n * k < SMALL_PRODUCT ? "small" : undefined;
}

/**
 * Whether an operand has the labels `k` as one run, wherever a kernel that looks through its moves may find it in memory; and the move
 * that is to be read as a copy, because it would break the run. Not one that repeats elements: a copy of windows would be many times
 * what they look at.
 */
function readAsRun(v: Value, i: number, k: readonly number[]): Value[] | undefined {
  const form = v.attributes as Form;
  const sizes = form.axes.map((axis) => axis.size);
  const domain = new Domain(sizes);
  domain.frozen = true;
  let view: View = labelsOf(form, inputSlots(form)[i]!).map(axisForm);
  let x = v.inputs[i]!;
  const runs = (y: Value, at: View): boolean => isRun(k, sizes, stridesAlong(y, at, sizes.length).strides);
  if (!runs(x, view)) return undefined;
  while (x.op.kind === "move") {
    const source = x.inputs[0]!;
    const through = domain.through(x, view);
    if (!through) return [];
    if (!runs(source, through)) return sizeOf(x.shape) > sizeOf(source.shape) ? undefined : [x];
    [x, view] = [source, through];
  }
  return [];
}

/** Whether steps along these axes, the last fastest, are steps along one long axis. */
function isRun(axes: readonly number[], sizes: readonly number[], strides: readonly number[]): boolean {
  const long = axes.filter((a) => sizes[a] !== 1);
  return long.every((a, i) => i === 0 || strides[long[i - 1]!] === strides[a]! * sizes[a]!);
}
