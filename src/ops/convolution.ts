/** Contractions with windows as moves and a plain contraction, which is all that compilers need to know. */
import { inputSlots, naturalAxes } from "../graph/form.ts";
import type { ContractSlot, Form, Value } from "../graph/op.ts";
import { contract } from "./contract.ts";
import { add } from "./elementwise.ts";
import { filled } from "./leaf.ts";
import { flip, inverse, reshape, sliceAxis, transpose, windows } from "./move.ts";
import { type Phase, type Phases, phasesOf } from "./phases.ts";
import { pad } from "./place.ts";
import { axesOf } from "./rules.ts";

/** True if the form has no windows: a sum of products over labels only. */
export const plainForm = (form: Form): boolean => form.windows.length === 0;

/**
 * contract with windows → pad, then windows, then a plain contract. Other values stay.
 *
 * For y and w, x is padded and cut into windows. For x = Σ w · y over stride · y + dilation · w − pad = x, y is padded and read through windows from the
 * other end, by a flipped w: once for each phase of the stride (`phases.ts`), and the phases are laid into one another.
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
  const phases = form.windows.map(phasesOf);
  const given = { ...held, y: inNaturalOrder(held.y, form, "y"), w: inNaturalOrder(held.w, form, "w") };
  if (form.windows.every(({ stride }) => stride === 1)) return inPhases(form, given, phases.map(({ list }) => list[0]!), phases); // biome-ignore format: one line
  const { order: { x: order, ...orders } = {}, ...rest } = form;
  const x = interleaved({ ...rest, order: orders }, given, phases);
  return order ? transpose(x, order) : x;
}

/** x of some phases, one entry for each window: its axes are the labels, then for each window the turns, and the phases where there are several. */
function inPhases(form: Form, held: Record<ContractSlot, Value>, chosen: readonly Phase[], phases: readonly Phases[]): Value {
  let { y, w } = held;
  const [yLabels, wLabels] = (["y", "w"] as const).map((slot) => naturalAxes(form, slot).length - chosen.length) as [number, number];
  // From the last window on, so that the axes before keep their numbers.
  for (const [i, { count, taps, tap, apart, start, reach, backwards }] of [...chosen.entries()].reverse()) {
    const { turns } = phases[i]!;
    const further = backwards ? count - 1 : 0;
    const [yAxis, wAxis] = [yLabels + i, wLabels + i];
    y = range(y, yAxis, start - reach * (taps - 1), turns + further + reach * (taps - 1));
    if (further > 0) y = windows(y, { axis: yAxis, size: count, stride: 1, dilation: 1 });
    y = windows(y, { axis: yAxis, size: taps, stride: 1, dilation: reach });
    if (count === 1) w = sliceAxis(w, wAxis, tap + apart * (taps - 1), taps, taps === 1 ? 1 : -apart);
    else {
      const used = sliceAxis(w, wAxis, tap, apart * (taps - 1) + count);
      w = flip(windows(used, { axis: wAxis, size: count, stride: apart, dilation: 1 }), backwards ? [wAxis, wAxis + 1] : [wAxis]);
    }
  }
  const axes = chosen.flatMap(({ count, taps, backwards }, i): Form["axes"] => [
    { size: phases[i]!.turns, in: ["x", "y"] },
    { size: taps, in: ["w", "y"] },
    ...(count === 1 ? [] : [{ size: count, in: backwards ? (["x", "w", "y"] as const) : (["x", "w"] as const) }]),
  ]);
  const order = { ...form.order, w: axesOf(w.shape.length) };
  return plain({ ...form, order }, "y", axes, { ...held, y, w });
}

/** All phases laid into one another: each is 0 where the others are, and what has no taps is 0 anyway. */
function interleaved(form: Form, held: Record<ContractSlot, Value>, phases: readonly Phases[]): Value {
  const labels = naturalAxes(form, "x").slice(0, -phases.length).map(({ size }) => size); // biome-ignore format: one line
  const none = labels.map(() => 0);
  const live = phases.map(({ list }) => list.filter(({ taps }) => taps > 0));
  const terms = everyChoice(live).map((chosen) => {
    const shape = [...labels, ...chosen.flatMap(({ count }, i) => [phases[i]!.turns, count])];
    return pad(reshape(inPhases(form, held, chosen, phases), shape), {
      low: [...none, ...chosen.flatMap(({ first }) => [0, first])],
      high: [...none, ...chosen.flatMap(({ first, count }, i) => [0, phases[i]!.period - first - count])],
      interior: shape.map(() => 0),
      value: 0,
    });
  });
  const whole = [...labels, ...phases.map(({ period, turns }) => period * turns)];
  const sum = terms.length === 0 ? filled(0, whole, held.y.dtype) : reshape(terms.reduce(add), whole);
  return form.windows.reduce((x, window, i) => sliceAxis(x, labels.length + i, 0, window.x), sum);
}

/** One of each list, in every way. */
const everyChoice = <T>(lists: readonly (readonly T[])[]): T[][] =>
  lists.reduce<T[][]>((all, list) => all.flatMap((chosen) => list.map((one) => [...chosen, one])), [[]]);

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
