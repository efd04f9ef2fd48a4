/** Contractions over windows are products that read images in place: every border, step and kernel has the interpreter's values. */
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { sizeOf } from "../../src/core/shape.ts";
import { SLOTS, slotShape } from "../../src/graph/form.ts";
import type { ContractSlot, Form, Value } from "../../src/graph/op.ts";
import { evaluate } from "../../src/interpret/evaluate.ts";
import * as o from "../../src/ops/index.ts";
import { optimise } from "../../src/passes/index.ts";
import { WasmRunner } from "../../src/runtime/wasm-runner.ts";
import { schedule } from "../../src/schedule/index.ts";
import { KernelRunner } from "../targets/kernel-target.ts";
import { wave } from "./against.ts";
import { type GraphRunner, type RunOptions, runGraph } from "./run.ts";

const wasm = new WasmRunner({ threads: 2 });
const kernels = new KernelRunner();
afterAll(() => wasm.close());

interface Window {
  readonly size: number;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly before: number;
  readonly after: number;
}

const countOf = ({ size, kernel, stride, dilation, before, after }: Window): number =>
  Math.floor((size + before + after - dilation * (kernel - 1) - 1) / stride) + 1;

interface Convolution {
  readonly batch: number;
  readonly channels: number;
  readonly out: number;
  readonly groups?: number;
  readonly windows: readonly Window[];
}

const formOf = ({ batch, channels, out, groups = 1, windows }: Convolution, result: ContractSlot): Form => ({
  axes: [
    { size: batch, in: ["x", "y"] },
    ...(groups > 1 ? [{ size: groups, in: SLOTS }] : []),
    { size: out, in: ["w", "y"] },
    { size: channels, in: ["x", "w"] },
  ],
  windows: windows.map((w) => ({ x: w.size, w: w.kernel, y: countOf(w), stride: w.stride, dilation: w.dilation, pad: w.before })),
  result,
});

/** The convolution of arguments, in the directions of some results. */
function contractions(c: Convolution, results: readonly ContractSlot[]): { values: Value[]; args: Value[] } {
  const args = SLOTS.map((slot, i) => o.argument(i, { shape: slotShape(formOf(c, "y"), slot), dtype: "float64" }));
  const values = results.map((result) => {
    const [a, b] = args.filter((_, i) => SLOTS[i] !== result);
    return o.contract(formOf(c, result), a!, b!);
  });
  return { values, args };
}

function difference(device: GraphRunner, outputs: readonly Value[], args: readonly Value[], options?: RunOptions): string | undefined {
  const data = args.map((a, i) => wave(sizeOf(a.shape), i));
  const wanted = evaluate(outputs, new Map(args.map((a, i) => [a, data[i]!])));
  const got = runGraph(device, outputs, data, options);
  for (const [k, numbers] of wanted.entries()) {
    const off = got[k]!.findIndex((g, i) => !(Math.abs(g - numbers[i]!) <= 1e-9 * (1 + Math.abs(numbers[i]!))));
    if (off >= 0 || got[k]!.length !== numbers.length) return `output ${k}, element ${off}: ${got[k]![off]}, not ${numbers[off]}`;
  }
  return undefined;
}

const kindsOf = (v: Value): string[] =>
  schedule({ outputs: optimise([v]), assignments: [] }).steps.flatMap((s) => (s.do === "kernels" ? s.kernels.map((k) => k.kind) : []));

/** Images and kernels small enough to try them all. */
function everyWindow(): Window[] {
  const found: Window[] = [];
  for (let size = 1; size <= 7; size++)
    for (let kernel = 1; kernel <= 4; kernel++)
      for (const stride of [1, 2, 3])
        for (const dilation of [1, 2])
          for (let before = -2; before <= kernel + 1; before++)
            for (const after of [before, kernel]) {
              const w = { size, kernel, stride, dilation, before, after };
              if (size + Math.min(before, 0) + Math.min(after, 0) > 0 && countOf(w) >= 1) found.push(w);
            }
  return found;
}

const images = fc
  .record({
    sizes: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 3 }),
    batch: fc.constantFrom(1, 2, 7, 8, 9),
    channels: fc.constantFrom(1, 2, 3, 5, 8),
    out: fc.constantFrom(1, 3, 8, 17, 30),
    groups: fc.constantFrom(1, 1, 2, 3),
    vary: fc.infiniteStream(fc.nat(1000)),
  })
  .map(({ sizes, vary, ...rest }): Convolution => {
    const pick = (low: number, high: number): number => low + (vary.next().value % (high - low + 1));
    const windows = sizes.map((size) => {
      const w = { size, kernel: pick(1, 4), stride: pick(1, 3), dilation: pick(1, 2), before: pick(-1, 4), after: pick(-1, 4) };
      return countOf(w) >= 1 && size + Math.min(w.before, 0) + Math.min(w.after, 0) > 0
        ? w
        : { ...w, before: 4, after: 4, dilation: 1, size };
    });
    return { ...rest, windows };
  });

describe("A contraction over windows", () => {
  test("is one kernel, a product, in each direction, and nothing is padded, flipped or copied for it.", () => {
    const padded = { size: 9, kernel: 3, stride: 1, dilation: 1, before: 1, after: 1 };
    for (const result of SLOTS) {
      const { values } = contractions({ batch: 8, channels: 5, out: 6, windows: [padded, padded] }, [result]);
      expect(kindsOf(values[0]!)).toEqual(["product"]);
    }
  });

  test("that gives the taps of a kernel is stored as its tiles are, channels and taps in one run; what becomes of it is another kernel.", () => {
    const valid = { size: 12, kernel: 5, stride: 1, dilation: 1, before: 0, after: 0 };
    const c = { batch: 8, channels: 6, out: 16, windows: [valid, valid] };
    const { values, args } = contractions(c, ["w"]);
    const made = o.contract(formOf(c, "w"), o.tanh(args[0]!), args[2]!);
    const step = schedule({ outputs: optimise([o.neg(made)]), assignments: [] });
    const found = step.steps.flatMap((s) => (s.do === "kernels" ? s.kernels : []));
    expect(found.map((k) => k.kind)).toEqual(["rows", "product", "rows"]);
    expect(found[1]).toMatchObject({ batch: [5], m: 5 * 6, n: 16, k: [8, 8, 8], a: { rowStride: 1 } });
    expect(difference(wasm, [o.neg(values[0]!)], args)).toBe(undefined);
  });

  test("has the interpreter's values for every small image, kernel, step and border.", { tags: ["slow"], timeout: 300_000 }, () => {
    for (const w of everyWindow()) {
      const { values, args } = contractions({ batch: 8, channels: 8, out: 48, windows: [w] }, SLOTS);
      expect(difference(wasm, values, args), JSON.stringify(w)).toBe(undefined);
    }
  });

  test("has them over one axis or several, for few and many images and channels, in groups, with what follows.", {
    tags: ["slow"],
    timeout: 300_000,
  }, () => {
    fc.assert(
      fc.property(images, fc.constantFrom(...SLOTS), (c, result) => {
        const { values, args } = contractions(c, [result]);
        const [v] = values as [Value];
        for (const device of [wasm, kernels]) expect(difference(device, [o.relu(v), o.sum(v, [0])], args)).toBe(undefined);
      }),
      { numRuns: 200, seed: 11 },
    );
  });

  test("has them for batches and channels around the widths of tiles.", { tags: ["slow"], timeout: 300_000 }, () => {
    const sides = [4, 5].map((size) => ({ size, kernel: 3, stride: 1, dilation: 1, before: 1, after: 1 }));
    for (const batch of [1, 7, 8, 9])
      for (const channels of [1, 3, 30, 97]) {
        const { values, args } = contractions({ batch, channels, out: 19, windows: sides }, SLOTS);
        expect(difference(wasm, values, args), `${batch} images of ${channels} channels`).toBe(undefined);
      }
  });

  test("has them however its operands and what is computed of it lie in memory.", { tags: ["slow"], timeout: 300_000 }, () => {
    fc.assert(
      fc.property(images, fc.constantFrom(...SLOTS), fc.infiniteStream(fc.nat(1000)), (c, result, draw) => {
        const { values, args } = contractions(c, [result]);
        const orders = new Map<Value, number[]>();
        const shuffled = (v: Value): number[] | undefined => {
          const known = orders.get(v);
          if (known || draw.next().value % 4 === 0) return known;
          const axes = [...v.shape.keys()];
          const order = v.shape.map(() => axes.splice(draw.next().value % axes.length, 1)[0]!);
          orders.set(v, order);
          return order;
        };
        const outputs = [o.relu(values[0]!), o.sum(o.abs(values[0]!), [0])];
        expect(difference(kernels, outputs, args, { order: shuffled })).toBe(undefined);
      }),
      { numRuns: 100, seed: 5 },
    );
  });
});
