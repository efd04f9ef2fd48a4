/** Contractions with windows as moves and a plain contraction, which is all that compilers need to know. */
import { inputSlots, naturalAxes } from "../graph/form.ts";
import type { ContractSlot, Form, Value } from "../graph/op.ts";
import { contract } from "./contract.ts";
import { filled } from "./leaf.ts";
import { flip, inverse, reshape, sliceAxis, transpose, windows } from "./move.ts";
import { type Phase, type Phases, phasesOf } from "./phases.ts";
import { concat, pad } from "./place.ts";
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

/** Phases that are worth a contraction each: beyond, by large strides with a dilation over several axes, their graph would take longer than their work. */
const MOST_PHASES = 64;

function towardsX(form: Form, held: Record<ContractSlot, Value>): Value {
  const phases = form.windows.map(phasesOf);
  const given = { ...held, y: inNaturalOrder(held.y, form, "y"), w: inNaturalOrder(held.w, form, "w") };
  if (form.windows.every(({ stride }) => stride === 1)) return inPhases(form, given, phases.map(({ list }) => list[0]!), phases); // biome-ignore format: one line
  const kernels = phases.reduce((n, { list }) => n * list.filter(({ taps }) => taps > 0).length, 1);
  if (kernels > MOST_PHASES) return towardsX(...spread(form, given));
  const { order: { x: order, ...orders } = {}, ...rest } = form;
  const interleaved = new Interleaving({ ...rest, order: orders }, given, phases).value();
  return order ? transpose(interleaved, order) : interleaved;
}

/** The same without strides: zeros between the elements of y. */
function spread(form: Form, held: Record<ContractSlot, Value>): [Form, Record<ContractSlot, Value>] {
  const labels = naturalAxes(form, "y").length - form.windows.length;
  const none = held.y.shape.map(() => 0);
  const interior = held.y.shape.map((_, d) => (d < labels ? 0 : form.windows[d - labels]!.stride - 1));
  const windows = form.windows.map((window) => ({ ...window, y: window.stride * (window.y - 1) + 1, stride: 1 }));
  const { order: { x } = {}, ...rest } = form;
  return [
    { ...rest, windows, ...(x ? { order: { x } } : {}) },
    { ...held, y: pad(held.y, { low: none, high: none, interior, value: 0 }) },
  ];
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

/** Phases laid into one another. */
class Interleaving {
  private readonly form: Form;
  private readonly held: Record<ContractSlot, Value>;
  private readonly phases: readonly Phases[];
  private readonly labels: number;
  /** Where all taps are in neighbouring phases, those are padded to all: there is nothing to join. */
  private readonly alone: readonly (Phase | undefined)[];

  constructor(form: Form, held: Record<ContractSlot, Value>, phases: readonly Phases[]) {
    this.form = form;
    this.held = held;
    this.phases = phases;
    this.labels = naturalAxes(form, "x").length - phases.length;
    this.alone = phases.map(({ list }) => {
      const live = list.filter(({ taps }) => taps > 0);
      return live.length === 1 ? live[0] : undefined;
    });
  }

  value(): Value {
    const { form, phases, labels } = this;
    const joined = this.joined([]);
    const around = (of: (phase: Phase, all: Phases) => number): number[] =>
      axesOf(joined.shape.length).map((d) => {
        const i = (d - labels - 1) / 2;
        const phase = Number.isInteger(i) && i >= 0 ? this.alone[i] : undefined;
        return phase ? of(phase, phases[i]!) : 0;
      });
    const padded = pad(joined, {
      low: around(({ first }) => first),
      high: around(({ first, count }, { period }) => period - first - count),
      interior: around(() => 0),
      value: 0,
    });
    const sizes = padded.shape.slice(0, labels);
    const whole = reshape(padded, [...sizes, ...phases.map(({ period, turns }) => period * turns)]);
    return form.windows.reduce((x, window, i) => sliceAxis(x, labels + i, 0, window.x), whole);
  }

  /** x of the phases chosen for the first windows, and of all of the others: [labels, turns, phases, turns, phases, …]. */
  private joined(chosen: readonly Phase[]): Value {
    const i = chosen.length;
    if (i === this.phases.length) return this.one(chosen);
    const alone = this.alone[i];
    const parts = (alone ? [alone] : this.phases[i]!.list).map((phase) => this.joined([...chosen, phase]));
    return concat(parts, this.labels + 2 * i + 1);
  }

  private one(chosen: readonly Phase[]): Value {
    const { form, held, phases } = this;
    const sizes = naturalAxes(form, "x").slice(0, this.labels).map(({ size }) => size); // biome-ignore format: one line
    const shape = [...sizes, ...chosen.flatMap(({ count }, i) => [phases[i]!.turns, count])];
    return chosen.some(({ taps }) => taps === 0) ? filled(0, shape, held.y.dtype) : reshape(inPhases(form, held, chosen, phases), shape);
  }
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
