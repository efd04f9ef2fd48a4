/** Products of 3×3 windows by Winograd's F(2×2, 3×3), against sums in float64. */

import { compile, conv2d, explain, gradients, type Tensor, tensor, variable } from "gradus";
import { afterAll, describe, expect, test } from "vitest";
import type { DType } from "../../src/core/dtype.ts";
import { constant, type Expr, load, scalar } from "../../src/kernel/expr.ts";
import type { Product } from "../../src/kernel/kernel.ts";
import { loopTarget } from "../../src/lower/loops/target.ts";
import type { Target } from "../../src/lower/target.ts";
import { Heap } from "../../src/runtime/heap.ts";
import { nativeAvailable } from "../../src/runtime/native-compiler.ts";
import { NativeRunner } from "../../src/runtime/native-runner.ts";
import type { Runner } from "../../src/runtime/runner.ts";
import { WasmRunner } from "../../src/runtime/wasm-runner.ts";
import { loadKernel } from "./product-harness.ts";

interface Layer {
  readonly images: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly results: number;
  readonly pad: number;
  /** What runs along m: images, or columns of a row. */
  readonly along: "images" | "columns";
  /** Weights [results, channels, 3, 3] as they are, or [channels, results, 3, 3] with their taps turned, as in a gradient. */
  readonly turned?: boolean;
  readonly dtype?: "float32" | "float64";
}

const F32: DType = "float32";
const accumulator: Expr = { op: "accumulator", dtype: F32 };

/** Buffers: images with channels last, weights, results with channels last, one number for each result's channel. */
function productOf(layer: Layer, value: Expr = accumulator): Product {
  const { images, channels: c, height, width, results: m, pad, along, turned, dtype = "float32" } = layer;
  const [h, w] = [height + 2 * pad - 2, width + 2 * pad - 2];
  const rows = [images, h, w];
  const order = along === "images" ? [1, 2, 0] : [0, 1, 2];
  const steps = [height * width * c, width * c, c];
  const stores = [h * w * m, w * m, m];
  const pick = (of: readonly number[]): number[] => order.map((axis) => of[axis]!);
  const clip = (k: number, axis: number, bound: number) => ({ k, run: 1, step: 1, offset: -pad, bound, strides: [...pick([0, 1, 2].map((a) => Number(a === axis))), 0] }); // biome-ignore format: one object
  return {
    kind: "product",
    dtype,
    batch: pick(rows).slice(0, 2),
    m: pick(rows)[2]!,
    n: m,
    k: [3, 3, c],
    a: {
      buffer: 0,
      offset: -pad * (width + 1) * c,
      batchStrides: pick(steps).slice(0, 2),
      rowStride: pick(steps)[2]!,
      depthStrides: [width * c, c, 1],
    },
    b: turned
      ? { buffer: 1, offset: 8, batchStrides: [0, 0], rowStride: 9, depthStrides: [-3, -1, 9 * m] }
      : { buffer: 1, offset: 0, batchStrides: [0, 0], rowStride: 9 * c, depthStrides: [3, 1, 9] },
    clips: pad > 0 ? [clip(0, 1, height), clip(1, 2, width)] : [],
    stores: [{ to: { buffer: 2, offset: 0, strides: [...pick(stores), 1] }, value }],
  };
}

const noise = (count: number, seed: number): Float32Array => {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
};

interface Numbers {
  readonly x: Float32Array;
  readonly w: Float32Array;
  readonly bias: Float32Array;
}

const numbersFor = ({ images, channels, height, width, results }: Layer): Numbers => ({
  x: noise(images * height * width * channels, 1),
  w: noise(9 * channels * results, 2),
  bias: noise(results, 3),
});

/** Σ x · w and Σ |x · w| of each result, in float64. */
function sums(
  { images, channels: c, height, width, results: m, pad, turned }: Layer,
  { x, w }: Numbers,
): { sum: Float64Array; size: Float64Array } {
  const [h, v] = [height + 2 * pad - 2, width + 2 * pad - 2];
  const sum = new Float64Array(images * h * v * m);
  const size = new Float64Array(sum.length);
  let at = 0;
  for (let n = 0; n < images; n++)
    for (let i = 0; i < h; i++)
      for (let j = 0; j < v; j++)
        for (let r = 0; r < m; r++, at++)
          for (let tap = 0; tap < 9; tap++) {
            const [y, z] = [i - pad + Math.floor(tap / 3), j - pad + (tap % 3)];
            if (y < 0 || y >= height || z < 0 || z >= width) continue;
            const from = ((n * height + y) * width + z) * c;
            for (let q = 0; q < c; q++) {
              const term = x[from + q]! * w[turned ? (q * m + r) * 9 + 8 - tap : (r * c + q) * 9 + tap]!;
              sum[at]! += term;
              size[at]! += Math.abs(term);
            }
          }
  return { sum, size };
}

/** The labels of a product's calls, if its weights are the same at every run, or not. */
const labelsOf = (target: Target, kernel: Product, settled = true): (string | undefined)[] => {
  let buffers = 4;
  const context = { dtypeOf: () => kernel.dtype, sizeOf: () => 2 ** 30, isSettled: () => settled, allocate: () => buffers++ };
  return target.lower(kernel, context).calls.map((call) => call.label);
};

const heap = (): Heap => new Heap({ maximumBytes: 2 ** 27 });
const native = nativeAvailable();
const runners: [string, Runner][] = [
  ["wasm, one thread", new WasmRunner({ heap: heap(), threads: 1 })],
  ["wasm, two threads", new WasmRunner({ heap: heap(), threads: 2, relaxed: false })],
  ...(native.available
    ? ([16, 32, 64] as const).filter((bytes) => bytes <= native.vectorBytes).flatMap((vectorBytes) => [1, 2].map((threads): [string, Runner] => [`native, vectors of ${vectorBytes} bytes, threads: ${threads}`, new NativeRunner({ heap: heap(), threads, vectorBytes })])) // biome-ignore format: one list
    : []),
];
afterAll(() => {
  for (const [, runner] of runners) runner.close();
});

function run(runner: Runner, layer: Layer, numbers: Numbers, value?: Expr): number[] {
  const kernel = productOf(layer, value);
  expect(labelsOf(runner.target, kernel)).toEqual(["transform", undefined]);
  const contents = [
    numbers.x,
    numbers.w,
    new Float32Array(sums(layer, { ...numbers, x: new Float32Array(numbers.x.length) }).sum.length),
    numbers.bias,
  ];
  const loaded = loadKernel(runner, kernel, contents.map((data) => ({ dtype: F32, data })), { settled: true }); // biome-ignore format: one call
  try {
    loaded.run();
    return loaded.read(2);
  } finally {
    loaded.dispose();
  }
}

/** How many places of 2⁻²⁴ · Σ |x · w| a result may be off: a plain sum in float32 may be off by the number of its terms. */
const PLACES = 4;

function expectClose(got: readonly number[], wanted: Float64Array, size: Float64Array): void {
  expect(got).toHaveLength(wanted.length);
  // The sums of a tile share their roundings: the largest terms around count.
  const largest = size.reduce((a, b) => Math.max(a, b), 0);
  got.forEach((y, i) => {
    if (!(Math.abs(y - wanted[i]!) <= PLACES * 2 ** -24 * largest)) expect(`${i}: ${y}`).toBe(`${i}: ${wanted[i]}`);
  });
}

const LAYERS: readonly Layer[] = [
  { images: 1, channels: 32, height: 7, width: 7, results: 32, pad: 1, along: "columns" },
  { images: 1, channels: 40, height: 13, width: 9, results: 70, pad: 1, along: "columns" },
  { images: 3, channels: 33, height: 8, width: 11, results: 35, pad: 1, along: "columns" },
  { images: 9, channels: 32, height: 13, width: 13, results: 33, pad: 1, along: "images" },
  { images: 16, channels: 37, height: 7, width: 10, results: 64, pad: 1, along: "images" },
  { images: 2, channels: 32, height: 9, width: 12, results: 47, pad: 0, along: "columns" },
  { images: 8, channels: 65, height: 10, width: 9, results: 32, pad: 0, along: "images" },
  { images: 2, channels: 32, height: 6, width: 7, results: 33, pad: 2, along: "columns" },
  { images: 5, channels: 48, height: 11, width: 8, results: 40, pad: 1, along: "columns", turned: true },
  { images: 8, channels: 34, height: 7, width: 7, results: 50, pad: 2, along: "images", turned: true },
];
const titleOf = ({ images, channels, height, width, results, pad, along, turned }: Layer): string =>
  `${images}×${channels}×${height}×${width} → ${results}, ${pad} around, ${along} as rows${turned ? ", turned weights" : ""}`;

describe("Winograd's products", () => {
  describe.each(LAYERS.map((layer) => [titleOf(layer), layer] as const))("of %s", (_, layer) => {
    const numbers = numbersFor(layer);
    const { sum, size } = sums(layer, numbers);
    const results = new Map<string, number[]>();

    test.each(runners)("are near those in float64 on %s", (name, runner) => {
      const got = run(runner, layer, numbers);
      results.set(name, got);
      expectClose(got, sum, size);
    });

    test("have the same bits on one thread and on two", () => {
      for (const [name, got] of results) {
        const other = results.get(name.replace("threads: 1", "threads: 2"));
        expect(got).toEqual(other);
      }
    });
  });

  test.each(runners)("go through the kernel's stores on %s", (_, runner) => {
    const layer: Layer = { images: 3, channels: 32, height: 9, width: 8, results: 45, pad: 1, along: "columns" };
    const numbers = numbersFor(layer);
    const bias = load({ buffer: 3, offset: 0, strides: [0, 0, 0, 1] }, F32);
    const sum = scalar("add", [accumulator, scalar("mul", [bias, constant(100, F32)])]);
    const got = run(runner, layer, numbers, scalar("pmax", [sum, constant(0, F32)]));
    const wanted = sums(layer, numbers);
    const shown = wanted.sum.map((x, i) => Math.max(0, x + Math.fround(numbers.bias[i % 45]! * 100)));
    expectClose(
      got,
      shown,
      wanted.size.map((s) => s + 100),
    );
    expect(got.some((y) => y === 0)).toBe(true);
  });

  test.each(runners)("are off by less than a plain sum in float32 on %s", (_, runner) => {
    const layer: Layer = { images: 2, channels: 128, height: 8, width: 8, results: 32, pad: 1, along: "columns" };
    const numbers = numbersFor(layer);
    const { sum } = sums(layer, numbers);
    const plain = sumsInFloat32(layer, numbers);
    const largest = (of: ArrayLike<number>): number => Math.max(...Array.from(of, (y, i) => Math.abs(y - sum[i]!)));
    expect(largest(run(runner, layer, numbers))).toBeLessThan(largest(plain));
  });

  test.each(runners)("take what is not finite no further than to the tiles that see it on %s", (_, runner) => {
    const layer: Layer = { images: 2, channels: 32, height: 12, width: 10, results: 32, pad: 1, along: "columns" };
    const numbers = numbersFor(layer);
    const { sum, size } = sums(layer, numbers);
    const [row, column] = [5, 4];
    const x = numbers.x.slice();
    x[((1 * 12 + row) * 10 + column) * 32 + 7] = Number.POSITIVE_INFINITY;
    const got = run(runner, layer, { ...numbers, x });
    const largest = Math.max(...size);
    let touched = 0;
    got.forEach((y, i) => {
      const [image, at] = [Math.floor(i / (120 * 32)), Math.floor(i / 32) % 120];
      const [up, across] = [Math.floor(at / 10), at % 10];
      // A tile of results 2a, 2a + 1 reads rows 2a − 1 … 2a + 2.
      const sees = (p: number, q: number): boolean => q >= 2 * Math.floor(p / 2) - 1 && q <= 2 * Math.floor(p / 2) + 2;
      if (image === 1 && sees(up, row) && sees(across, column)) touched++;
      else expect(Math.abs(y - sum[i]!)).toBeLessThanOrEqual(PLACES * 2 ** -24 * largest);
      const reads = image === 1 && Math.abs(up - row) <= 1 && Math.abs(across - column) <= 1;
      if (reads) expect(Number.isFinite(y)).toBe(false);
    });
    expect(touched).toBe(16 * 32);
  });
});

/** Σ x · w, one term after another in float32. */
function sumsInFloat32(layer: Layer, { x, w }: Numbers): Float32Array {
  const { images, channels: c, height, width, results: m, pad } = layer;
  const out = new Float32Array(images * height * width * m);
  let at = 0;
  for (let n = 0; n < images; n++)
    for (let i = 0; i < height; i++)
      for (let j = 0; j < width; j++)
        for (let r = 0; r < m; r++, at++)
          for (let tap = 0; tap < 9; tap++) {
            const [y, z] = [i - pad + Math.floor(tap / 3), j - pad + (tap % 3)];
            if (y < 0 || y >= height || z < 0 || z >= width) continue;
            const from = ((n * height + y) * width + z) * c;
            for (let q = 0; q < c; q++) out[at] = Math.fround(out[at]! + Math.fround(x[from + q]! * w[(r * c + q) * 9 + tap]!));
          }
  return out;
}

describe("Winograd's form is taken", () => {
  const target = loopTarget({ vectorBytes: 32, tile: { rows: 6, vectors: 2, nested: true }, depth: 256 });
  const layer: Layer = { images: 4, channels: 32, height: 8, width: 8, results: 32, pad: 1, along: "columns" };
  const taken = (kernel: Product, settled = true): boolean => labelsOf(target, kernel, settled).includes("transform");

  test("where there are channels and tiles enough", () => {
    expect(taken(productOf(layer))).toBe(true);
    expect(taken(productOf({ ...layer, channels: 31 }))).toBe(false);
    expect(taken(productOf({ ...layer, results: 31 }))).toBe(false);
    expect(taken(productOf({ ...layer, height: 6 }))).toBe(false);
    expect(taken(productOf({ ...layer, width: 6 }))).toBe(false);
    expect(taken(productOf({ ...layer, dtype: "float64" }))).toBe(false);
  });

  test("where the weights are transformed at every run only if there are many tiles", () => {
    expect(taken(productOf({ ...layer, images: 1 }), true)).toBe(true);
    expect(taken(productOf({ ...layer, images: 1 }), false)).toBe(false);
    expect(taken(productOf({ ...layer, images: 8 }), false)).toBe(true);
  });

  test("for steps and taps of one alone, and one set of weights", () => {
    const p = productOf(layer);
    const twice = (numbers: readonly number[]): number[] => numbers.map((s) => 2 * s);
    expect(
      taken({ ...p, a: { ...p.a, batchStrides: [p.a.batchStrides[0]!, 2 * p.a.batchStrides[1]!], rowStride: 2 * p.a.rowStride } }),
    ).toBe(false);
    expect(taken({ ...p, a: { ...p.a, depthStrides: [...twice(p.a.depthStrides.slice(0, 2)), 1] } })).toBe(false);
    expect(taken({ ...p, clips: p.clips.map((c) => ({ ...c, step: 2 })) })).toBe(false);
    expect(taken({ ...p, clips: p.clips.map((c) => ({ ...c, strides: twice(c.strides) })) })).toBe(false);
    expect(taken({ ...p, b: { ...p.b, batchStrides: [9 * 32 * 32, 0] } })).toBe(false);
    expect(taken({ ...p, k: [3, 5, 32] })).toBe(false);
    expect(taken({ ...p, k: [1, 3, 32] })).toBe(false);
  });
});

describe.each(native.available ? (["wasm", "native"] as const) : (["wasm"] as const))("A layer of 3×3 taps on %s", (device) => {
  const [x, w] = [tensor(noise(4 * 32 * 9 * 8, 5), [4, 32, 9, 8]), variable(tensor(noise(40 * 32 * 9, 6), [40, 32, 3, 3]))];
  const layer = (input: Tensor, weights: Tensor): Tensor =>
    conv2d(input.sin() as never, weights as never, { padding: 1 } as never) as Tensor;
  const near = async (got: Tensor, wanted: Tensor, places = 1e-5): Promise<void> => {
    const [a, b] = [await got.data(), await wanted.data()];
    const largest = Math.max(...Array.from(b, Math.abs));
    expect(a.length).toBe(b.length);
    a.forEach((y, i) => {
      expect(Math.abs((y as number) - (b[i] as number))).toBeLessThanOrEqual(places * largest);
    });
  };

  test("transforms weights that stay once, and anew when they have changed", async () => {
    const predict = compile((input: Tensor) => layer(input, w), { device });
    const plain = compile((input: Tensor) => layer(input, w), { device, optimize: 0 });
    const { text } = await explain(predict, x);
    expect(text.split("at every run:")[0]).toMatch(/\n {2}transform /);
    expect(text.split("at every run:")[1]).not.toMatch(/\n {2}transform /);
    expect((await explain(plain, x)).text).not.toMatch(/transform /);
    for (const scale of [1, 2, -0.5]) {
      w.assign(tensor(noise(40 * 32 * 9, 6), [40, 32, 3, 3]).mul(scale));
      await near(predict(x), plain(x));
      await near(predict(x), plain(x));
    }
  });

  test("has first and second derivatives as the interpreter has them", async () => {
    const slopes = (input: Tensor, weights: Tensor): Tensor[] => {
      const y = layer(input, weights).tanh().sum() as Tensor<[]>;
      const first = gradients(y, [input, weights]) as Tensor[];
      const again = first[0]!.mul(first[0]!).sum().add(first[1]!.mul(first[1]!).sum()) as Tensor<[]>;
      return [...first, ...(gradients(again, [input, weights]) as Tensor[])];
    };
    const [small, taps] = [x.mul(0.3), w.value.mul(0.02)];
    const got = compile(slopes, { device })(small, taps);
    const wanted = compile(slopes, { device: "interpreter" })(small, taps);
    for (const [i, y] of got.entries()) await near(y, wanted[i]!, 1e-4);
  });
});
