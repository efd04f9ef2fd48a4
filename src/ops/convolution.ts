/** Contractions with windows as moves and a plain contraction, which is all that compilers need to know. */
import { inputSlots, naturalAxes } from "../graph/form.ts";
import type { ContractSlot, Form, Value } from "../graph/op.ts";
import { contract } from "./contract.ts";
import { filled } from "./leaf.ts";
import { flip, inverse, sliceAxis, transpose, windows } from "./move.ts";
import { pad } from "./place.ts";
import { axesOf } from "./rules.ts";

/** True if the form has no windows: a sum of products over labels only. */
export const plainForm = (form: Form): boolean => form.windows.length === 0;

/**
 * contract with windows → pad, then windows, then a plain contract. Other values stay.
 *
 * For y and w, x is padded and cut into windows. For x = Σ w · y over stride · y + dilation · w − pad = x, y gets stride − 1 zeros
 * between its elements and is read through windows from the other end, by a flipped w.
 */
export function withoutWindows(v: Value): Value {
  if (v.op.kind !== "contract") return v;
  const form = v.attributes as Form;
  if (plainForm(form)) return v;
  if (form.windows.some(({ x, w, y }) => x * w * y === 0)) return filled(0, v.shape, v.dtype);
  const [a, b] = inputSlots(form);
  const held = { [a]: v.inputs[0], [b]: v.inputs[1] } as Record<ContractSlot, Value>;
  return form.result === "x" ? towardsX(form, held) : fromX(form, held);
}

function fromX(form: Form, held: Record<ContractSlot, Value>): Value {
  const labels = naturalAxes(form, "x").filter(({ kind }) => kind === "axis").length;
  let x = inNaturalOrder(held.x, form, "x");
  form.windows.forEach(({ w, y, stride, dilation, pad: low }, i) => {
    const axis = labels + 2 * i;
    const span = stride * (y - 1) + dilation * (w - 1) + 1;
    x = windows(range(x, axis, -low, span), { axis, size: w, stride, dilation });
  });
  const axes = form.windows.flatMap(({ w, y }) => [
    { size: y, in: ["x", "y"] as const },
    { size: w, in: ["x", "w"] as const },
  ]);
  return plain(form, "x", axes, { ...held, x });
}

function towardsX(form: Form, held: Record<ContractSlot, Value>): Value {
  const yLabels = naturalAxes(form, "y").filter(({ kind }) => kind === "axis").length;
  const wLabels = naturalAxes(form, "w").filter(({ kind }) => kind === "axis").length;
  let y = inNaturalOrder(held.y, form, "y");
  form.windows.forEach(({ x, w, stride, dilation, pad: low }, i) => {
    const axis = yLabels + 2 * i;
    const start = low - dilation * (w - 1);
    const spaced = spread(y, axis, stride - 1);
    y = windows(range(spaced, axis, start, x + dilation * (w - 1)), { axis, size: w, stride: 1, dilation });
  });
  const turned = flip(
    inNaturalOrder(held.w, form, "w"),
    form.windows.map((_, i) => wLabels + i),
  );
  const axes = form.windows.flatMap(({ x, w }) => [
    { size: x, in: ["x", "y"] as const },
    { size: w, in: ["w", "y"] as const },
  ]);
  return plain({ ...form, order: { ...form.order, w: naturalAxes(form, "w").map((_, i) => i) } }, "y", axes, { ...held, y, w: turned });
}

/** The contraction without windows, where `unrolled` has its axes in natural order. */
function plain(form: Form, unrolled: ContractSlot, windowAxes: Form["axes"], held: Record<ContractSlot, Value>): Value {
  const { [unrolled]: _, ...order } = form.order ?? {};
  const [a, b] = inputSlots(form);
  return contract({ axes: [...form.axes, ...windowAxes], windows: [], order, result: form.result }, held[a], held[b]);
}

function inNaturalOrder(value: Value, form: Form, slot: ContractSlot): Value {
  const order = form.order?.[slot];
  return order ? transpose(value, inverse(order)) : value;
}

/** Positions start … start + length − 1 of an axis, 0 where there are none. */
function range(x: Value, axis: number, start: number, length: number): Value {
  const size = x.shape[axis]!;
  const [from, to] = [Math.max(start, 0), Math.min(start + length, size)];
  if (from >= to) return filled(0, x.shape.with(axis, length), x.dtype);
  const only = (n: number): number[] => axesOf(x.shape.length).map((d) => (d === axis ? n : 0));
  return pad(sliceAxis(x, axis, from, to - from), {
    low: only(from - start),
    high: only(start + length - to),
    interior: only(0),
    value: 0,
  });
}

/** Zeros between the elements of an axis. */
function spread(x: Value, axis: number, zeros: number): Value {
  if (zeros === 0) return x;
  const only = (n: number): number[] => axesOf(x.shape.length).map((d) => (d === axis ? n : 0));
  return pad(x, { low: only(0), high: only(0), interior: only(zeros), value: 0 });
}
