/** Sums over several axes, which end at the border of an image: every target against the kernel as it is. */
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { reachOf } from "../../src/kernel/clip.ts";
import type { Clip, Product } from "../../src/kernel/kernel.ts";
import { printKernel } from "../../src/kernel/print-kernels.ts";
import { Heap } from "../../src/runtime/heap.ts";
import { openNative } from "../../src/runtime/native.ts";
import type { Runner } from "../../src/runtime/runner.ts";
import { WasmRunner } from "../../src/runtime/wasm-runner.ts";
import { KernelRunner } from "../targets/kernel-target.ts";
import { loadKernel, runKernel } from "./product-harness.ts";
import { type Axis, outputSize, type Windowed, windowed } from "./windowed-products.ts";

const reference = new KernelRunner() as unknown as Runner;
const runners = (threads: number): (readonly [string, Runner])[] => {
  const native = openNative(new Heap(), threads);
  const wasm = new WasmRunner({ heap: new Heap(), threads });
  return [[`wasm with ${threads}`, wasm], ...("runner" in native ? [[`native with ${threads}`, native.runner] as const] : [])];
};
const [one, two] = [runners(1), runners(2)];
afterAll(() => {
  for (const [, d] of [...one, ...two]) d.close();
});

/** What differs from the kernel as it is, for each device. */
function check(options: Windowed, devices: readonly (readonly [string, Runner])[]): void {
  const made = windowed(options);
  if (!made) return;
  const expected = runKernel(reference, made.kernel, made.contents, 2).map((x) => x || 0);
  for (const [name, device] of devices) {
    const found = runKernel(device, made.kernel, made.contents, 2).map((x) => x || 0);
    if (found.some((x, i) => !Object.is(x, expected[i]))) {
      const at = found.findIndex((x, i) => !Object.is(x, expected[i]));
      const buffers = made.contents.map(({ dtype, data }, id) => ({ id, dtype, bytes: data.length * 4, place: "argument" as const }));
      throw new Error(
        `${name}: element ${at} is ${found[at]}, not ${expected[at]}\n${JSON.stringify(options)}\n${printKernel(made.kernel, buffers)}`,
      );
    }
  }
}

const KINDS = [
  { of: "forward", rows: "image" }, { of: "forward", rows: "pixel" }, { of: "weights", rows: "channel" }, { of: "weights", rows: "tap" },
] as const; // biome-ignore format: a table

/** Every axis there is up to a size of 7 and a window of 4, with pads that leave the image altogether. */
function axes(): Axis[] {
  const all: Axis[] = [];
  for (let size = 1; size <= 7; size++)
    for (let window = 1; window <= 4; window++)
      for (const stride of [1, 2, 3])
        for (const dilation of [1, 2]) for (let pad = -2; pad <= window + 1; pad++) all.push({ size, window, stride, dilation, pad });
  return all.filter((a) => outputSize(a) > 0);
}

const space = fc.record({
  size: fc.integer({ min: 1, max: 7 }),
  window: fc.integer({ min: 1, max: 4 }),
  stride: fc.integer({ min: 1, max: 3 }),
  dilation: fc.integer({ min: 1, max: 2 }),
  pad: fc.integer({ min: -2, max: 5 }),
});
const products: fc.Arbitrary<Windowed> = fc.record({
  images: fc.oneof(fc.constantFrom(1, 2, 8, 17), fc.integer({ min: 1, max: 20 })),
  channels: fc.oneof(fc.constantFrom(1, 3, 32), fc.integer({ min: 1, max: 20 })),
  outputs: fc.oneof(fc.constantFrom(1, 10, 32, 33), fc.integer({ min: 1, max: 40 })),
  space: fc.array(space, { minLength: 1, maxLength: 2 }),
  of: fc.constantFrom("forward", "weights"),
  rows: fc.constantFrom("image", "pixel", "channel", "tap"),
  last: fc.boolean(),
  merged: fc.boolean(),
  flipped: fc.boolean(),
  twice: fc.boolean(),
  swapped: fc.boolean(),
  dtype: fc.constantFrom("float32", "float64"),
}) as fc.Arbitrary<Windowed>;

describe.each(one)("a product clipped at a border, on %s thread", (name, device) => {
  const tags = name.startsWith("native") ? ["slow"] : [];
  test.each(KINDS)("is right for every size, window, stride, dilation and pad: $of, rows are $rows", { tags }, (kind) => {
    for (const axis of axes())
      for (const last of [true, false])
        check({ ...kind, images: 3, channels: 2, outputs: 5, space: [axis], last, merged: last }, [[name, device]]);
  });

  test("is right in two dimensions, in any order of memory, with A and B in each other's place", { tags }, () => {
    fc.assert(
      fc.property(products, (options) => check(options, [[name, device]])),
      { numRuns: 300 },
    );
  });
});

test("a product clipped at a border gives the same bits on one thread and on two", { tags: ["slow"] }, () => {
  const rough = (size: number, seed: number): number[] => Array.from({ length: size }, (_, i) => Math.sin(i * 1.7 + seed));
  const axis = { size: 13, window: 3, stride: 1, dilation: 1, pad: 1 };
  for (const kind of KINDS)
    for (const images of [1, 9]) {
      const made = windowed({ ...kind, images, channels: 33, outputs: 40, space: [axis, axis], last: true, fill: rough })!;
      one.forEach(([name, single], i) => {
        const [a, b] = [single, two[i]![1]].map((d) => runKernel(d, made.kernel, made.contents, 2));
        expect(a!.every((x, j) => Object.is(x, b![j])), `${name} ${kind.of} ${kind.rows}`).toBe(true); // biome-ignore format: one line
      });
    }
});

test("a pass over a long sum runs through the taps of a window, also those that see nothing of the image", { tags: ["slow"] }, () => {
  const axis = { size: 8, window: 3, stride: 1, dilation: 1, pad: 1 };
  const wide = { ...axis, dilation: 8, pad: 8 };
  const beside = { ...axis, pad: -1, dilation: 2 };
  const strided = { ...axis, size: 15, stride: 2, pad: 2 };
  for (const [images, channels, outputs, space] of [
    [7, 57, 130, [axis, axis]], [9, 66, 95, [wide, wide]],
    [50, 57, 33, [beside, axis]], [13, 57, 40, [strided, strided]], [13, 57, 66, [strided, wide]], [104, 66, 62, [axis]],
    [7, 66, 95, [axis, wide]],
  ] as const) // biome-ignore format: a table
    for (const last of [true, false]) check({ of: "weights", rows: "channel", images, channels, outputs, space, last }, [...one, ...two]);
});

/** The elements that an operand reads where all clips that keep it hold, one by one. */
function read(p: Product, of: "a" | "b"): number[] {
  const o = p[of];
  const seen: number[] = [];
  const sizes = [...p.batch, p.m, p.n, ...p.k];
  const strides = [...o.batchStrides, ...(of === "a" ? [o.rowStride, 0] : [0, o.rowStride]), ...o.depthStrides];
  const rank = p.batch.length + 2;
  const holds = (at: readonly number[], c: Clip): boolean => {
    const position = c.strides.reduce((sum, s, a) => sum + s * at[a]!, c.offset + c.step * Math.floor(at[rank + c.k]! / c.run));
    return position >= 0 && position < c.bound;
  };
  const walk = (at: readonly number[]): void => {
    if (at.length < sizes.length) for (let i = 0; i < sizes[at.length]!; i++) walk([...at, i]);
    else if (p.clips.every((c) => holds(at, c))) seen.push(strides.reduce((sum, s, a) => sum + s * at[a]!, o.offset));
  };
  walk([]);
  return seen;
}

test("what a clipped operand reaches is what it reads, and lies in its buffer", () => {
  fc.assert(
    fc.property(fc.record({ axis: space, kind: fc.constantFrom(...KINDS), last: fc.boolean() }), ({ axis, kind, last }) => {
      const made = windowed({ ...kind, images: 2, channels: 2, outputs: 2, space: [axis], last, merged: last });
      if (!made) return;
      const reach = reachOf(made.kernel, made.kernel.a, "m");
      const elements = read(made.kernel, "a");
      if (elements.length > 0) {
        expect(reach!.low).toBeLessThanOrEqual(Math.min(...elements));
        expect(reach!.high).toBeGreaterThanOrEqual(Math.max(...elements));
      }
      if (!reach) return;
      expect(reach.low).toBeGreaterThanOrEqual(4096);
      expect(reach.high).toBeLessThan(4096 + made.image);
    }),
    { numRuns: 500 },
  );
});

test("clipped products of other sizes share their code", () => {
  const key = (images: number, channels: number, size: number): string => {
    const axis = { size, window: 3, stride: 1, dilation: 1, pad: 1 };
    const made = windowed({ images, channels, outputs: 64, space: [axis, axis], of: "forward", rows: "image", last: true, merged: true })!;
    const loaded = loadKernel(one[0]![1], made.kernel, made.contents);
    loaded.dispose();
    return loaded.codes.map((c) => c.key).join();
  };
  expect(key(16, 8, 7)).toBe(key(16, 24, 9));
});
