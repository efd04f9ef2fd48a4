/** Reading the form of a contraction: which axes each of its three slots has. */
import type { Shape } from "../core/shape.ts";
import type { ContractSlot, Form } from "./op.ts";

export const SLOTS = ["x", "w", "y"] as const satisfies readonly ContractSlot[];

/** One axis of a slot: a label (`form.axes[index]`) or its side of a window relation (`form.windows[index]`). */
export interface SlotAxis {
  readonly kind: "axis" | "window";
  readonly index: number;
  readonly size: number;
}

/** The slots of the two inputs, in their order. */
export function inputSlots(form: Form): readonly [ContractSlot, ContractSlot] {
  const [a, b] = SLOTS.filter((slot) => slot !== form.result);
  return [a!, b!];
}

/** The axes a slot has by the order of labels and windows, before `order` permutes them. */
export function naturalAxes(form: Form, slot: ContractSlot): SlotAxis[] {
  const axes: SlotAxis[] = [];
  form.axes.forEach(({ size, in: carriers }, index) => {
    if (carriers.includes(slot)) axes.push({ kind: "axis", index, size });
  });
  form.windows.forEach((window, index) => {
    axes.push({ kind: "window", index, size: window[slot] });
  });
  return axes;
}

/** The axes of a slot as its value has them. */
export function slotAxes(form: Form, slot: ContractSlot): SlotAxis[] {
  const natural = naturalAxes(form, slot);
  return form.order?.[slot]?.map((i) => natural[i]!) ?? natural;
}

export const slotShape = (form: Form, slot: ContractSlot): Shape => slotAxes(form, slot).map(({ size }) => size);
