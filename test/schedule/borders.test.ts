/** What has a border is read where it lies: by loops that end at the border, or lane by lane. */
import { afterAll, describe, expect, test } from "vitest";
import { sizeOf } from "../../src/core/shape.ts";
import type { Value } from "../../src/graph/op.ts";
import { verifyKernels } from "../../src/kernel/verify.ts";
import * as o from "../../src/ops/index.ts";
import { schedule } from "../../src/schedule/index.ts";
import { gradients } from "../../src/transform/gradients.ts";
import { randomNumbers } from "../ops/samples.ts";
import { expectSame, TARGETS } from "../targets/harness.ts";
import type { GraphRunner } from "./run.ts";

const devices = Object.values(TARGETS).filter((t) => !t.missing).map((t) => [t.name, t, t.open()] as const); // biome-ignore format: one chain
afterAll(() => devices.forEach(([, , device]) => device.close()));

const random = randomNumbers(11);
const below = (n: number): number => Math.floor(random() * n);

interface Window {
  readonly size: number;
  readonly stride: number;
  readonly dilation: number;
  readonly low: number;
  readonly high: number;
}

/** x with a border along two axes, and the windows over them. */
function windowed(x: Value, axes: readonly [number, number], [first, second]: readonly [Window, Window], value: number): Value {
  const along = (of: (w: Window) => number): number[] =>
    x.shape.map((_, a) => (a === axes[0] ? of(first) : a === axes[1] ? of(second) : 0));
  const padded = o.pad(x, { low: along((w) => w.low), high: along((w) => w.high), interior: along(() => 0), value });
  return o.windows(o.windows(padded, { axis: axes[1], ...second }), { axis: axes[0], ...first });
}

function randomWindow(length: number): Window {
  for (;;) {
    const [low, high] = [below(4), below(4)];
    const [size, stride, dilation] = [1 + below(4), 1 + below(3), 1 + below(3)];
    if (dilation * (size - 1) + 1 <= length + low + high) return { size, stride, dilation, low, high };
  }
}

const REDUCERS: Record<string, { readonly border: number; readonly of: (x: Value, axes: readonly number[]) => Value }> = {
  max: { border: Number.NEGATIVE_INFINITY, of: o.max },
  "position of the smallest": { border: Number.POSITIVE_INFINITY, of: (x, axes) => o.cast(o.argmin(x, axes), "float32") },
  mean: { border: 0, of: o.mean },
  "sum of what is not 0 in the border": { border: 0.5, of: o.sum },
  "sum of squares": { border: 0, of: (x, axes) => o.sum(o.square(x), axes) },
};

/** Whole numbers, so that extremes have equals and sums are exact. */
const numbersFor = (leaves: readonly Value[]): Map<Value, Float64Array> =>
  new Map(leaves.map((x, k) => [x, Float64Array.from({ length: sizeOf(x.shape) }, (_, i) => ((i * i * 7 + 3 * i + k) % 11) - 4)]));

const kernelsOf = (outputs: readonly Value[]): number =>
  schedule({ outputs, assignments: [] }).steps.reduce((n, step) => n + (step.do === "kernels" ? step.kernels.length : 0), 0);

const same = (outputs: readonly Value[], leaves: readonly Value[]): void => {
  for (const [, { levels, threads }, device] of devices)
    expectSame(device as GraphRunner, outputs, numbersFor(leaves), { levels, threads });
};

describe("Windows over what has a border", () => {
  for (const [name, { border, of }] of Object.entries(REDUCERS))
    test(`give the ${name}, whatever the border, the window and the axis that runs over lanes, in one kernel.`, () => {
      for (let turn = 0; turn < 8; turn++) {
        const [h, w, c] = [1 + below(7), 1 + below(20), [1, 3, 17][below(3)]!];
        const last = turn % 2 === 0;
        const x = o.argument(0, { shape: last ? [2, h, w, c] : [2, c, h, w], dtype: turn % 3 === 0 ? "float64" : "float32" });
        const axes = last ? ([1, 2] as const) : ([2, 3] as const);
        const seen = windowed(x, axes, [randomWindow(h), randomWindow(w)], border);
        const y = of(seen, [axes[0] + 1, axes[1] + 2]);
        expect(kernelsOf([y])).toBe(1);
        same([y], [x]);
      }
    });

  test("have first and second derivatives.", () => {
    for (const of of [o.max, o.mean]) {
      for (let turn = 0; turn < 4; turn++) {
        const [h, w] = [2 + below(5), 2 + below(5)];
        const x = o.argument(0, { shape: [2, h, w, 3], dtype: "float64" });
        const y = of(windowed(o.relu(x), [1, 2], [randomWindow(h), randomWindow(w)], of === o.max ? Number.NEGATIVE_INFINITY : 0), [2, 4]);
        const [first] = gradients(o.sum(o.mul(y, o.square(y)), [0, 1, 2, 3]), [x]) as [Value];
        const [second] = gradients(o.sum(o.square(first), [0, 1, 2, 3]), [x]) as [Value];
        same([y, first, second], [x]);
      }
    }
  });
});

describe("A border", () => {
  const pad = (x: Value, low: readonly number[], high: readonly number[], value: number): Value =>
    o.pad(x, { low, high, interior: low.map(() => 0), value });

  test("is computed along with what is inside it, in one kernel, and with what is done with both.", () => {
    const x = o.argument(0, { shape: [5, 19], dtype: "float32" });
    const whole = o.mul(pad(o.add(x, o.scalarLike(x, 2)), [1, 3], [2, 1], 7), o.filled(3, [8, 23], "float32"));
    expect(kernelsOf([whole])).toBe(1);
    same([whole], [x]);
  });

  test("around a border of another number, and around a part of a value, stays what it is.", () => {
    const x = o.argument(0, { shape: [6, 18], dtype: "float32" });
    const twice = pad(pad(x, [1, 2], [0, 1], -3), [2, 1], [1, 4], 5);
    const part = pad(o.slice(x, { starts: [4, 1], steps: [-1, 2], sizes: [4, 8] }), [0, 5], [3, 6], 1);
    const turned = pad(o.transpose(x, [1, 0]), [1, 17], [20, 0], Number.NaN);
    same([twice, part, turned, o.sum(twice, [1]), o.max(part, [0])], [x]);
  });

  test("around positions in range is looked up without asking the border, and what can fail is not computed in one.", () => {
    const [x, at] = [o.argument(0, { shape: [9, 4], dtype: "float32" }), o.iota([5], 0)];
    const found = o.gather(x, pad(o.add(at, o.scalarLike(at, 3)), [2], [3], 8));
    const later = pad(o.gather(x, o.sub(o.scalarLike(at, 5), at)), [2, 3], [0, 1], -1);
    same([found, later], [x]);
  });

  test("of nothing, around nothing and around one element, in every element type.", () => {
    for (const dtype of ["float32", "float64", "int32", "uint8", "bool"] as const) {
      for (const shape of [[0], [1], [21]]) {
        const x = o.argument(0, { shape, dtype });
        const padded = [pad(x, [3], [2], 1), o.flip(pad(x, [0], [4], 0), [0]), pad(x, [17], [0], 1)];
        for (const y of padded) same([y, o.sum(o.cast(y, "float32"), [0])], [x]);
      }
    }
  });

  test("may not be narrower than what is read: the verifier knows how far reads go.", () => {
    const x = o.argument(0, { shape: [4, 5], dtype: "float32" });
    const made = schedule({ outputs: [o.sum(pad(x, [1, 2], [1, 0], 0), [0])], assignments: [] });
    expect(() => verifyKernels(made)).not.toThrow();
    const wider = JSON.parse(JSON.stringify(made, (key, value) => (key === "size" ? value + 1 : value)), (key, value) => (key === "site" ? undefined : value)); // biome-ignore format: one expression
    expect(() => verifyKernels({ ...made, steps: wider.steps })).toThrow(/reaches the elements/);
  });
});
