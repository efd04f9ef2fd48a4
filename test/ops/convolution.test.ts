/** Contractions with windows, against sums written down here. */
import { describe, expect, test } from "vitest";
import type { ContractSlot, Form, Value } from "../../src/graph/op.ts";
import { topological } from "../../src/graph/walk.ts";
import { evaluate } from "../../src/interpret/evaluate.ts";
import * as o from "../../src/ops/index.ts";
import { phasesOf } from "../../src/ops/phases.ts";

type Window = Form["windows"][number];

/** Every window with x ≤ 7, w ≤ 4, stride ≤ 4, dilation ≤ 3, padding from −2 to beyond the kernel, and as many positions as fit, or one more or fewer. */
function* everyWindow(): Generator<Window> {
  for (let x = 1; x <= 7; x++)
    for (let w = 1; w <= 4; w++)
      for (let stride = 1; stride <= 4; stride++)
        for (let dilation = 1; dilation <= 3; dilation++)
          for (let pad = -2; pad <= 5; pad++) {
            const fit = Math.floor((x + 2 * pad - dilation * (w - 1) - 1) / stride) + 1;
            for (const y of [fit - 1, fit, fit + 1]) if (y >= 1) yield { x, w, y, stride, dilation, pad };
          }
}

/** Σ x · w · y over a window relation, for a side that is left out: small whole numbers, so that every sum is exact. */
function bySums(window: Window, result: ContractSlot, held: Readonly<Record<ContractSlot, ArrayLike<number>>>): number[] {
  const { stride, dilation, pad } = window;
  const sums = new Array<number>(window[result]).fill(0);
  for (let y = 0; y < window.y; y++)
    for (let w = 0; w < window.w; w++) {
      const x = stride * y + dilation * w - pad;
      if (x < 0 || x >= window.x) continue;
      const at = { x, w, y };
      sums[at[result]]! += (["x", "w", "y"] as const).reduce((n, slot) => (slot === result ? n : n * held[slot][at[slot]]!), 1);
    }
  return sums;
}

const numbers = (n: number, seed: number): Float64Array => Float64Array.from({ length: n }, (_, i) => ((i * 7 + seed * 3 + 1) % 11) - 5);
const others = (result: ContractSlot): ContractSlot[] => (["x", "w", "y"] as const).filter((slot) => slot !== result);

/** The contraction of a form whose slots are arguments, and what stands in them. */
function contraction(
  form: Form,
  shapes: Readonly<Record<ContractSlot, readonly number[]>>,
): { v: Value; inputs: Map<Value, Float64Array> } {
  const args = others(form.result).map((slot, i) => o.argument(i, { shape: shapes[slot], dtype: "float64" }));
  return {
    v: o.contract(form, args[0]!, args[1]!),
    inputs: new Map(args.map((a, i) => [a, numbers(a.shape.reduce((n, d) => n * d, 1), i)])), // biome-ignore format: one line
  };
}

describe.each(["y", "w", "x"] as const)("Of a window relation, %s", (result) => {
  test("is the sum over the other two, and so it is as moves and contractions without windows.", { tags: ["slow"] }, () => {
    for (const window of everyWindow()) {
      const { v, inputs } = contraction({ axes: [], windows: [window], result }, { x: [window.x], w: [window.w], y: [window.y] });
      const [a, b] = [...inputs.values()];
      const held = Object.fromEntries(others(result).map((slot, i) => [slot, [a, b][i]!])) as Record<ContractSlot, Float64Array>;
      const wanted = bySums(window, result, { ...held, [result]: [] });
      const plain = o.withoutWindows(v);
      const [direct, moved] = evaluate([v, plain], inputs);
      expect([...direct!], JSON.stringify(window)).toEqual(wanted);
      expect([...moved!].map((n) => n + 0), JSON.stringify(window)).toEqual(wanted); // biome-ignore format: one line
      expect(topological([plain]).some((each) => each.op.kind === "contract" && !o.plainForm(each.attributes as Form))).toBe(false);
    }
  });
});

/** Pairs of windows, one of them unlike the other in every way. */
const PAIRS: readonly (readonly [Window, Window])[] = [
  [{ x: 8, w: 3, y: 4, stride: 2, dilation: 1, pad: 1 }, { x: 7, w: 2, y: 3, stride: 3, dilation: 2, pad: 1 }],
  [{ x: 8, w: 4, y: 4, stride: 2, dilation: 1, pad: 1 }, { x: 6, w: 4, y: 3, stride: 2, dilation: 1, pad: 1 }],
  [{ x: 6, w: 1, y: 3, stride: 2, dilation: 1, pad: 0 }, { x: 9, w: 2, y: 2, stride: 4, dilation: 1, pad: 0 }],
  [{ x: 5, w: 3, y: 5, stride: 1, dilation: 1, pad: 1 }, { x: 9, w: 3, y: 3, stride: 4, dilation: 2, pad: 3 }],
  [{ x: 3, w: 2, y: 2, stride: 5, dilation: 1, pad: 1 }, { x: 12, w: 11, y: 4, stride: 4, dilation: 1, pad: 6 }],
]; // biome-ignore format: pairs

describe("Two windows, with labels in every place and axes in another order,", () => {
  const labels: Form["axes"] = [
    { size: 2, in: ["x", "y"] },
    { size: 3, in: ["x", "w"] },
    { size: 2, in: ["x", "w", "y"] },
    { size: 2, in: ["w", "y"] },
  ];
  // Natural orders: x [n, c, g, h, w], w [c, g, o, h, w], y [n, g, o, h, w].
  const order = { x: [3, 0, 2, 4, 1], w: [2, 4, 0, 3, 1], y: [4, 0, 3, 2, 1] };
  for (const windows of PAIRS)
    test.each(["y", "w", "x"] as const)(
      `${windows.map((w) => `${w.stride}·${w.y}+${w.dilation}·${w.w}−${w.pad}=${w.x}`).join(", ")}: %s is the same without`,
      (result) => {
        const natural = { x: [2, 3, 2], w: [3, 2, 2], y: [2, 2, 2] };
        const shapes = Object.fromEntries(
          (["x", "w", "y"] as const).map((slot) => {
            const sizes = [...natural[slot], ...windows.map((window) => window[slot])];
            return [slot, order[slot].map((i) => sizes[i]!)];
          }),
        ) as Record<ContractSlot, number[]>;
        const { v, inputs } = contraction({ axes: labels, windows, order, result }, shapes);
        const plain = o.withoutWindows(v);
        expect(plain.shape).toEqual(shapes[result]);
        const [direct, moved] = evaluate([v, plain], inputs);
        expect([...moved!].map((n) => n + 0)).toEqual([...direct!].map((n) => n + 0));
      },
    );
});

describe("The adjoint of a strided convolution", () => {
  /** Multiplications in contractions of a graph. */
  const products = (v: Value): number =>
    topological([v]).reduce((n, each) => {
      if (each.op.kind !== "contract") return n;
      const { axes } = each.attributes as Form;
      return n + axes.reduce((size, axis) => size * axis.size, 1);
    }, 0);
  const adjoint = (window: Window): Value =>
    o.withoutWindows(contraction({ axes: [], windows: [window, window], result: "x" }, { x: [window.x, window.x], w: [window.w, window.w], y: [window.y, window.y] }).v); // biome-ignore format: one line

  test("multiplies no zeros that a stride would put between elements.", () => {
    for (const [x, w, stride] of [
      [32, 3, 2],
      [32, 4, 2],
      [32, 2, 2],
      [32, 1, 2],
      [36, 11, 4],
      [30, 3, 3],
      [32, 2, 4],
    ] as const) {
      // biome-ignore format: a table
      const y = Math.floor((x - 1) / stride) + 1;
      const window = { x, w, y, stride, dilation: 1, pad: Math.floor((w - 1) / 2) };
      expect(products(adjoint(window)), JSON.stringify(window)).toBe((x / stride) ** 2 * w * w);
    }
  });

  test("has zeros put between elements where its phases would be hundreds of contractions, and is the same", () => {
    const window = { x: 20, w: 9, y: 2, stride: 9, dilation: 2, pad: 3 };
    const form: Form = { axes: [{ size: 2, in: ["x", "y"] }, { size: 2, in: ["w", "y"] }, { size: 2, in: ["x", "w"] }], windows: [window, window], order: { x: [2, 0, 3, 1], w: [3, 1, 0, 2], y: [1, 0, 2, 3] }, result: "x" }; // biome-ignore format: one line
    const { v, inputs } = contraction(form, { x: [20, 2, 20, 2], w: [9, 2, 2, 9], y: [2, 2, 2, 2] });
    const plain = o.withoutWindows(v);
    expect(topological([plain]).filter((each) => each.op.kind === "contract").length).toBe(1);
    const [direct, moved] = evaluate([v, plain], inputs);
    expect([...moved!].map((n) => n + 0)).toEqual([...direct!].map((n) => n + 0));
  });

  test("is one contraction where all phases have equally many taps.", () => {
    const contractions = (window: Window): number => topological([adjoint(window)]).filter((v) => v.op.kind === "contract").length;
    expect(contractions({ x: 16, w: 4, y: 8, stride: 2, dilation: 1, pad: 1 })).toBe(1);
    expect(contractions({ x: 16, w: 2, y: 8, stride: 2, dilation: 1, pad: 0 })).toBe(1);
    expect(contractions({ x: 16, w: 4, y: 4, stride: 4, dilation: 1, pad: 0 })).toBe(1);
    expect(contractions({ x: 16, w: 1, y: 8, stride: 2, dilation: 1, pad: 0 })).toBe(1);
    expect(contractions({ x: 16, w: 3, y: 8, stride: 2, dilation: 1, pad: 1 })).toBe(4);
    expect(phasesOf({ x: 55, w: 11, y: 12, stride: 4, dilation: 1, pad: 0 }).list.map((p) => [p.count, p.taps])).toEqual([[3, 3], [1, 2]]); // biome-ignore format: pairs
  });
});
