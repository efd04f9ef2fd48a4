/** Contractions in the reference interpreter: nested loops over labels and windows. */
import { isFloat } from "../core/dtype.ts";
import { sizeOf, stridesOf } from "../core/shape.ts";
import { inputSlots, SLOTS, slotAxes, slotShape } from "../graph/form.ts";
import type { ContractSlot, Form, Value } from "../graph/op.ts";

type PerSlot<T> = Record<ContractSlot, T>;

/** One loop: how far each slot's offset moves with it. A window's w loop also says which positions of x exist. */
interface Loop {
  readonly size: number;
  readonly strides: PerSlot<number>;
}

export function computeContract(v: Value, a: Float64Array, b: Float64Array): Float64Array {
  const form = v.attributes as Form;
  const exact = !isFloat(v.dtype);
  const result = new Float64Array(sizeOf(v.shape));
  const [first, second] = inputSlots(form);
  const held = { [first]: a, [second]: b, [form.result]: result } as PerSlot<Float64Array>;
  const strides = Object.fromEntries(SLOTS.map((slot) => [slot, axisStrides(form, slot)])) as PerSlot<Map<string, number>>;
  const along = (key: string): PerSlot<number> => ({ x: strides.x.get(key) ?? 0, w: strides.w.get(key) ?? 0, y: strides.y.get(key) ?? 0 });
  const labels: Loop[] = form.axes.map(({ size }, i) => ({ size, strides: along(`axis${i}`) }));
  const windows = form.windows.map((window, i) => ({ ...window, strides: along(`window${i}`) }));

  const overWindows = (depth: number, x: number, w: number, y: number): void => {
    const window = windows[depth];
    if (!window) {
      const [p, q] = [held[first][{ x, w, y }[first]]!, held[second][{ x, w, y }[second]]!];
      // Whole numbers wrap: beyond 2⁵³ a product would lose the low bits, which are what is left of it.
      held[form.result][{ x, w, y }[form.result]]! += exact ? Math.imul(p, q) : p * q;
      return;
    }
    for (let i = 0; i < window.y; i++) {
      for (let j = 0; j < window.w; j++) {
        const at = window.stride * i + window.dilation * j - window.pad;
        // Outside x there are zeros: no product.
        if (at < 0 || at >= window.x) continue;
        overWindows(depth + 1, x + at * window.strides.x, w + j * window.strides.w, y + i * window.strides.y);
      }
    }
  };
  const overLabels = (depth: number, x: number, w: number, y: number): void => {
    const loop = labels[depth];
    if (!loop) {
      overWindows(0, x, w, y);
      return;
    }
    for (let i = 0; i < loop.size; i++) overLabels(depth + 1, x + i * loop.strides.x, w + i * loop.strides.w, y + i * loop.strides.y);
  };
  overLabels(0, 0, 0, 0);
  return result;
}

/** The stride of each axis of a slot's value, by kind and number. */
function axisStrides(form: Form, slot: ContractSlot): Map<string, number> {
  const strides = stridesOf(slotShape(form, slot));
  return new Map(slotAxes(form, slot).map(({ kind, index }, d) => [`${kind}${index}`, strides[d]!]));
}
