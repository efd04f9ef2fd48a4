/** Products summed over labels: one primitive for matmul, einsum and convolution, closed under differentiation. */
import { ArgumentError, ShapeError } from "../core/errors.ts";
import { sameShape, showShape } from "../core/shape.ts";
import { inputSlots, SLOTS, slotShape } from "../graph/form.ts";
import { apply, type Binary, type Contract, type ContractSlot, type Form, type Type, type Value } from "../graph/op.ts";
import { checkCount, numbers } from "./rules.ts";

/** T(x, w, y) = Σ x · w · y with two slots given: the third. Inputs in the order x, w, y. */
export function contract(form: Form, a: Value, b: Value): Value {
  return apply(contractOp, [a, b], form);
}
export const contractOp: Contract = {
  kind: "contract",
  name: "contract",
  infer(inputs, form) {
    checkForm(form);
    inputSlots(form).forEach((slot, i) => {
      checkSlot(form, slot, inputs[i]!);
    });
    const [a, b] = inputs;
    const { dtype } = numbers("contract", [
      { shape: [], dtype: a.dtype },
      { shape: [], dtype: b.dtype },
    ]);
    return { shape: slotShape(form, form.result), dtype };
  },
  /** The trilinear form again, with the input's slot as the result. */
  vjp(dy, inputs, _, form) {
    const slots = inputSlots(form);
    const held = { [slots[0]]: inputs[0], [slots[1]]: inputs[1], [form.result]: dy } as Record<ContractSlot, Value>;
    return [fromSlots({ ...form, result: slots[0] }, held), fromSlots({ ...form, result: slots[1] }, held)];
  },
  /** One more label, carried by the result and by the inputs that have the axis. */
  batch([a, b], batched, form, size) {
    const carriers: ContractSlot[] = [form.result, ...inputSlots(form).filter((_, i) => batched[i])];
    const order: Partial<Record<ContractSlot, readonly number[]>> = {};
    for (const slot of SLOTS) {
      const old = form.order?.[slot];
      if (old) order[slot] = carriers.includes(slot) ? [0, ...old.map((i) => i + 1)] : old;
    }
    return contract({ ...form, order, axes: [{ size, in: carriers }, ...form.axes] }, a, b);
  },
};

function fromSlots(form: Form, held: Record<ContractSlot, Value>): Value {
  const [a, b] = inputSlots(form);
  return contract(form, held[a], held[b]);
}

function checkForm(form: Form): void {
  for (const { size, in: carriers } of form.axes) {
    checkCount("contract", "a size", size, 0);
    if (new Set(carriers).size < 2)
      throw new ShapeError("contract: a label is carried by fewer than two slots", { help: "sum or broadcast it first" });
  }
  for (const { x, w, y, stride, dilation, pad } of form.windows) {
    for (const size of [x, w, y]) checkCount("contract", "a window's size", size, 0);
    checkCount("contract", "the stride", stride, 1);
    checkCount("contract", "the dilation", dilation, 1);
    if (!Number.isSafeInteger(pad)) throw new ArgumentError(`contract: padding of ${pad} is not a whole number`);
  }
}

function checkSlot(form: Form, slot: ContractSlot, { shape }: Type): void {
  const order = form.order?.[slot];
  const wanted = slotShape(form, slot);
  if (order && [...order].sort((p, q) => p - q).some((p, i) => p !== i))
    throw new ShapeError(`contract: ${showShape(order)} is no order of the axes of ${slot}`);
  if (!sameShape(shape, wanted)) throw new ShapeError(`contract: ${slot} is ${showShape(shape)}, its form says ${showShape(wanted)}`);
}

/** Matrix product over the last two axes: [..., m, k] × [..., k, n] → [..., m, n]; the leading axes are equal. */
export function matmul(a: Value, b: Value): Value {
  const rank = a.shape.length;
  if (rank < 2 || b.shape.length !== rank || !sameShape(a.shape.slice(0, -2), b.shape.slice(0, -2)))
    throw new ShapeError(`matmul: ${showShape(a.shape)} × ${showShape(b.shape)}`, {
      why: "both need at least two axes, and equal ones before them",
    });
  const [m, k, k2, n] = [a.shape.at(-2)!, a.shape.at(-1)!, b.shape.at(-2)!, b.shape.at(-1)!];
  if (k !== k2)
    throw new ShapeError(`matmul: inner sizes differ: ${showShape(a.shape)} × ${showShape(b.shape)}`, {
      why: `the last axis of a (${k}) must equal the second to last of b (${k2})`,
      ...(k === n ? { help: `a.matmul(b.transpose()) gives ${showShape([...a.shape.slice(0, -1), k2])}` } : {}),
    });
  const leading = a.shape.slice(0, -2).map((size) => ({ size, in: SLOTS }));
  return contract(
    {
      axes: [...leading, { size: m, in: ["x", "y"] }, { size: k, in: ["x", "w"] }, { size: n, in: ["w", "y"] }],
      windows: [],
      result: "y",
    },
    a,
    b,
  );
}

/** Σᵢ aᵢ bᵢ of two vectors. */
export function dot(a: Value, b: Value): Value {
  return labelled([["i"], ["i"]], [], [a, b], "dot");
}

/** Products of two values whose axes have names; names that the result lacks are summed. Each name once per value. */
export function labelled(
  names: readonly [readonly string[], readonly string[]],
  result: readonly string[],
  values: Binary,
  who: string,
): Value {
  const sizes = new Map<string, number>();
  names.forEach((list, v) => {
    if (list.length !== values[v]!.shape.length) throw new ShapeError(`${who}: ${list.length} labels for ${showShape(values[v]!.shape)}`);
    list.forEach((name, d) => {
      const size = values[v]!.shape[d]!;
      if ((sizes.get(name) ?? size) !== size)
        throw new ShapeError(`${who}: "${name}" is ${sizes.get(name)} in one operand and ${size} in the other`);
      sizes.set(name, size);
    });
  });
  const slots: Record<ContractSlot, readonly string[]> = { x: names[0], w: names[1], y: result };
  // The result's labels first, so that its order is the natural one.
  const all = [...result, ...[...sizes.keys()].filter((name) => !result.includes(name))];
  const axes = all.map((name) => ({ size: sizes.get(name)!, in: SLOTS.filter((slot) => slots[slot].includes(name)) }));
  const order: Partial<Record<ContractSlot, readonly number[]>> = {};
  for (const slot of ["x", "w"] as const) {
    const natural = all.filter((name) => slots[slot].includes(name));
    const permutation = slots[slot].map((name) => natural.indexOf(name));
    if (permutation.some((p, i) => p !== i)) order[slot] = permutation;
  }
  return contract({ axes, windows: [], order, result: "y" }, values[0], values[1]);
}
