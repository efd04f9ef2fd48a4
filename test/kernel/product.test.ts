import { afterAll, describe, expect, test } from "vitest";
import { call, cast, compare, type Expr, index, load, scalar, select } from "../../src/kernel/expr.ts";
import type { Operand, Product, Store } from "../../src/kernel/kernel.ts";
import { tanh } from "../../src/kernel/math/functions.ts";
import { Heap } from "../../src/runtime/heap.ts";
import { openNative } from "../../src/runtime/native.ts";
import type { Runner } from "../../src/runtime/runner.ts";
import { WasmRunner } from "../../src/runtime/wasm-runner.ts";
import { type Contents, loadKernel, runKernel } from "./product-harness.ts";

const wasm: Runner = new WasmRunner({ heap: new Heap(), threads: 1 });
const wasm2: Runner = new WasmRunner({ heap: new Heap(), threads: 2 });
const opened = openNative(new Heap(), 2);
const native: Runner | undefined = "runner" in opened ? opened.runner : undefined;
const single = openNative(new Heap(), 1);
const native1: Runner | undefined = "runner" in single ? single.runner : undefined;
const devices: readonly (readonly [string, Runner])[] = [["wasm", wasm], ...(native ? [["native", native] as const] : [])];
afterAll(() => {
  for (const d of [wasm, wasm2, native, native1]) d?.close();
});

type Kind = "float32" | "float64";

/** Small integers, so that float32 sums are exact and any order gives the same bits. */
const whole = (size: number, seed: number): number[] => Array.from({ length: size }, (_, i) => ((i * 7 + seed * 13 + (i >> 3)) % 9) - 4);
const rough = (size: number, seed: number): number[] => Array.from({ length: size }, (_, i) => Math.sin(i * 1.7 + seed));

interface Setup {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly dtype?: Kind;
  readonly batch?: readonly number[];
  /** How A and B are given: as they are, transposed, or "g", with a gap after each element. */
  readonly forms?: string;
  /** The operand that is the same for the whole batch. */
  readonly shared?: "a" | "b";
  readonly fill?: (size: number, seed: number) => number[];
  /** Given the access of C (buffer 2), other buffers from 3 on. */
  readonly stores?: (to: Store["to"], accumulator: Expr) => readonly Store[];
  readonly transposedC?: boolean;
  readonly more?: readonly Contents[];
}

function strides(sizes: readonly number[]): number[] {
  return sizes.map((_, d) => sizes.slice(d + 1).reduce((a, b) => a * b, 1));
}

function setUp({ m, n, k, dtype = "float32", batch = [], forms = "nn", shared, fill = whole, stores, transposedC, more = [] }: Setup): {
  kernel: Product;
  contents: Contents[];
} {
  const copies = batch.reduce((a, b) => a * b, 1);
  const operand = (buffer: number, rows: number, form: string): Operand => {
    const gap = form === "g" ? 2 : 1;
    const same = shared === "ab"[buffer];
    const batchStrides = same ? batch.map(() => 0) : strides(batch).map((s) => s * rows * k * gap);
    // A is [m, k] and B [n, k] in the kernel's terms; "n" means rows of A, and rows of [k, n].
    const contiguous = (form === "n") === (buffer === 0);
    const [rowStride, depthStride] = contiguous ? ([k * gap, gap] as const) : ([gap, rows * gap] as const);
    return { buffer, offset: 0, batchStrides, rowStride, depthStrides: [depthStride] };
  };
  const accumulator: Expr = { op: "accumulator", dtype };
  const to = { buffer: 2, offset: 0, strides: [...strides(batch).map((s) => s * m * n), ...(transposedC ? [1, m] : [n, 1])] };
  const kernel: Product = {
    kind: "product", dtype, batch, m, n, k: [k], clips: [],
    a: operand(0, m, forms[0]!), b: operand(1, n, forms[1]!),
    stores: stores?.(to, accumulator) ?? [{ to, value: accumulator }],
  }; // biome-ignore format: one object
  const size = (x: number): number => copies * x * 2;
  return {
    kernel,
    contents: [
      { dtype, data: fill(size(m * k), 1) },
      { dtype, data: fill(size(n * k), 2) },
      { dtype, data: fill(copies * m * n, 3) },
      ...more,
    ],
  };
}

function largestDifference(a: readonly number[], b: readonly number[]): number {
  return a.reduce((worst, x, i) => {
    const d = Math.abs(x - b[i]!);
    return Number.isNaN(d) && !Object.is(x, b[i]) ? Number.POSITIVE_INFINITY : Math.max(worst, d || 0);
  }, a.length === b.length ? 0 : Number.POSITIVE_INFINITY); // biome-ignore format: one fold
}

/** Packed and in plain loops: how far apart at most, in the buffers that may have been written. */
function compareBoth(device: Runner, setup: Setup, results: readonly number[] = [2]): number {
  const { kernel, contents } = setUp(setup);
  const of = (optimised: boolean): number[] => results.flatMap((r) => runKernel(device, kernel, contents, r, optimised));
  return largestDifference(of(true), of(false));
}

describe.each(devices.slice(0, 1))("products on %s", (_, device) => products(device));
describe.each(devices.slice(1))("products on %s", { tags: ["slow"] }, (_, device) => products(device));

function products(device: Runner): void {
  test.each([1, 3, 5, 17, 64, 65])("with m = %i equal plain loops to the bit where sums are exact", (m) => {
    for (const n of [1, 3, 10, 65]) for (const k of [1, 4, 17, 64]) expect(compareBoth(device, { m, n, k }), `${m}×${n}×${k}`).toBe(0);
  });

  test("read operands in any order of axes, with gaps too", () => {
    for (const forms of ["nn", "nt", "tn", "tt", "gn", "ng", "gg"])
      for (const [m, n, k] of [[65, 33, 9], [250, 64, 20], [3, 40, 3]] as const) // biome-ignore format: sizes
        for (const transposedC of [false, true])
          expect(compareBoth(device, { m, n, k, forms, transposedC }), `${forms} ${m}×${n}×${k} ${transposedC}`).toBe(0);
  });

  test("sum long products in several passes, and very long ones in slices", () => {
    for (const forms of ["nn", "nt", "tn"]) {
      expect(compareBoth(device, { m: 33, n: 40, k: 385, forms })).toBe(0);
      expect(compareBoth(device, { m: 130, n: 70, k: 1031, forms })).toBe(0);
      expect(compareBoth(device, { m: 6, n: 9, k: 9001, forms })).toBe(0);
      expect(compareBoth(device, { m: 4, n: 250, k: 600, forms })).toBe(0);
    }
  });

  test("of odd and even sizes around 250 agree with plain loops to rounding", () => {
    for (const size of [249, 250, 256]) expect(compareBoth(device, { m: size, n: size, k: size, fill: rough })).toBeLessThan(1e-4);
  });

  test("run over batches, also where an operand is shared", () => {
    for (const shared of [undefined, "a", "b"] as const)
      for (const batch of [[3], [2, 3], [1, 5, 2]]) {
        const more = shared ? { shared } : {};
        expect(compareBoth(device, { m: 17, n: 20, k: 33, batch, ...more }), `${batch} ${shared}`).toBe(0);
        expect(compareBoth(device, { m: 40, n: 64, k: 16, batch, forms: "nt", ...more }), `${batch} ${shared} nt`).toBe(0);
      }
  });

  test("in float64 keep its precision", () => {
    for (const forms of ["nn", "nt", "tn"]) {
      expect(compareBoth(device, { m: 65, n: 37, k: 400, dtype: "float64", fill: rough, forms })).toBeLessThan(1e-12);
      expect(compareBoth(device, { m: 3, n: 9, k: 20, dtype: "float64", forms })).toBe(0);
    }
  });

  test("without any k are 0, and without rows nothing", () => {
    expect(runKernel(device, setUp({ m: 2, n: 3, k: 0 }).kernel, setUp({ m: 2, n: 3, k: 0 }).contents, 2)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(runKernel(device, setUp({ m: 0, n: 3, k: 4 }).kernel, setUp({ m: 0, n: 3, k: 4 }).contents, 2)).toEqual([]);
  });

  test("add a bias along either axis and apply functions before they store", () => {
    for (const along of [[0, 1], [1, 0], [0, 3], [2, 0]]) // biome-ignore format: strides
      for (const [m, n, k] of [[64, 50, 40], [64, 10, 100]] as const) // biome-ignore format: sizes
        for (const transposedC of [false, true]) {
          const stores: Setup["stores"] = (to, accumulator) => {
            const bias = load({ buffer: 3, offset: 1, strides: along }, "float32");
            return [
              {
                to,
                value: call(tanh, [scalar("mul", [scalar("add", [accumulator, bias]), { op: "const", value: 0.01, dtype: "float32" }])]),
              },
            ];
          };
          const more = [{ dtype: "float32", data: whole(1000, 5) }] as const;
          expect(compareBoth(device, { m, n, k, stores, more, transposedC }), `${along} ${m}×${n}`).toBe(0);
        }
  });

  test("update momentum and weights where they stand", () => {
    for (const [m, n, k] of [
      [64, 10, 32],
      [33, 47, 400],
      [6, 9, 9001],
    ] as const) {
      const stores: Setup["stores"] = (to, accumulator) => {
        const velocity = scalar("add", [
          scalar("mul", [load({ ...to, buffer: 3 }, "float32"), { op: "const", value: 0.5, dtype: "float32" }]),
          accumulator,
        ]);
        const rate = load({ buffer: 4, offset: 0, strides: to.strides.map(() => 0) }, "float32");
        return [
          { to: { ...to, buffer: 3 }, value: velocity },
          { to, value: scalar("sub", [load(to, "float32"), scalar("mul", [rate, velocity])]) },
        ];
      };
      const more: Contents[] = [
        { dtype: "float32", data: whole(m * n, 8) },
        { dtype: "float32", data: [0.25] },
      ];
      expect(compareBoth(device, { m, n, k, forms: "tn", stores, more }, [2, 3])).toBe(0);
    }
  });

  test("may depend on positions and masks, and store bool and uint8", () => {
    const stores: Setup["stores"] = (to, accumulator) => {
      const mask = load({ ...to, buffer: 3 }, "bool");
      const place = cast(
        scalar("add", [scalar("mul", [index(1), { op: "const", value: 100, dtype: "int32" }]), scalar("add", [index(0), index(2)])]),
        "float32",
      );
      const kept = select(mask, accumulator, place);
      return [
        { to, value: kept },
        { to: { ...to, buffer: 4 }, value: compare("lt", kept, { op: "const", value: 3, dtype: "float32" }) },
        { to: { ...to, buffer: 5 }, value: cast(scalar("abs", [accumulator]), "uint8") },
      ];
    };
    const bytes = (dtype: "bool" | "uint8", seed: number): Contents => ({
      dtype,
      data: whole(2 * 19 * 21, seed).map((x) => Number(x > 0)),
    });
    expect(
      compareBoth(
        device,
        { m: 19, n: 21, k: 30, batch: [2], stores, more: [bytes("bool", 1), bytes("bool", 2), bytes("uint8", 3)] },
        [2, 4, 5],
      ),
    ).toBe(0);
  });

  test("do stores that a tile cannot by way of memory: wider types and gathers", () => {
    const stores: Setup["stores"] = (to, accumulator) => [
      { to: { ...to, buffer: 3 }, value: scalar("mul", [cast(accumulator, "float64"), load({ ...to, buffer: 3 }, "float64")]) },
    ];
    const more: Contents[] = [{ dtype: "float64", data: whole(30 * 20, 4) }];
    expect(compareBoth(device, { m: 30, n: 20, k: 40, stores, more }, [3])).toBe(0);
    const gathered: Setup["stores"] = (to, accumulator) => {
      const at: Expr = { op: "loadAt", from: { buffer: 3, offset: 0, strides: [0, 0] }, at: index(1), stride: 1, dtype: "float32" };
      return [{ to, value: scalar("add", [accumulator, at]) }];
    };
    expect(compareBoth(device, { m: 30, n: 20, k: 40, stores: gathered, more: [{ dtype: "float32", data: whole(20, 4) }] })).toBe(0);
  });

  test("never touch what lies around the result", () => {
    const stores: Setup["stores"] = (_to, accumulator) => [{ to: { buffer: 3, offset: 5, strides: [24, 1] }, value: accumulator }];
    const more: Contents[] = [{ dtype: "float32", data: new Array(24 * 40).fill(-1) }];
    expect(compareBoth(device, { m: 37, n: 17, k: 20, stores, more }, [3])).toBe(0);
  });

  test("take NaN and infinities only to the rows and columns they are in", () => {
    const fill = (size: number, seed: number): number[] =>
      whole(size, seed).map((x, i) => (seed === 1 && i === 17 * 20 + 3 ? Number.NaN : seed === 2 && i === 5 ? Infinity : x));
    const { kernel, contents } = setUp({ m: 18, n: 19, k: 20, fill });
    const packed = runKernel(device, kernel, contents, 2);
    const plain = runKernel(device, kernel, contents, 2, false);
    expect(packed.map(Number.isFinite)).toEqual(plain.map(Number.isFinite));
  });
}

test("products give the same bits on one thread and on two", () => {
  for (const [one, two] of [
    [wasm, wasm2],
    [native1, native],
  ] as const) {
    if (!one || !two) continue;
    for (const setup of [
      { m: 250, n: 130, k: 700 },
      { m: 8, n: 8, k: 20000 },
      { m: 128, n: 257, k: 300, forms: "nt" },
      { m: 20, n: 30, k: 40, batch: [9] },
    ]) {
      const { kernel, contents } = setUp({ ...setup, fill: rough });
      expect(largestDifference(runKernel(one, kernel, contents, 2), runKernel(two, kernel, contents, 2))).toBe(0);
    }
  }
});

test("products of other sizes share their code", () => {
  const key = (m: number, n: number, k: number): string => {
    const { kernel, contents } = setUp({ m, n, k });
    const loaded = loadKernel(wasm, kernel, contents);
    loaded.dispose();
    return loaded.codes.map((c) => c.key).join();
  };
  expect(key(128, 512, 784)).toBe(key(100, 512, 512));
  expect(key(512, 512, 512)).toBe(key(500, 300, 1000));
});
