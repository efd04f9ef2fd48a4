/** The same program on every device: indices, nothing at all, NaN, ±∞, numbers near 0, long sums. */
import {
  adaptiveMaxPool2d,
  arange,
  avgPool2d,
  compile,
  conv2d,
  type Device,
  maxPool2d,
  oneHot,
  ones,
  type Tensor,
  tensor,
  variable,
} from "gradus";
import { bceWithLogits, crossEntropy, Embedding, init, nll } from "gradus/nn";
import { describe, expect, test } from "vitest";
import { COMPILED, DEVICES, errorOf, numbers } from "./harness.ts";

const loose = (x: unknown): any => x;
const ints = (...values: number[]): Tensor => tensor(values, { dtype: "int32" });
const run = (device: Device, f: (...args: any[]) => any, ...args: Tensor[]): any => compile(f, { device })(...loose(args));

/** Every result as text, so that NaN and −0 count. */
async function texts(results: Record<string, Tensor>): Promise<Record<string, string>> {
  const written: Record<string, string> = {};
  for (const [name, x] of Object.entries(results))
    written[name] = (await numbers(x)).map((v) => (Object.is(v, -0) ? "-0" : String(v))).join(" ");
  return written;
}

describe("torture 6: an index outside its axis", () => {
  const CASES: Record<string, (k: Tensor) => Tensor> = {
    gather: (k) => ones([5, 2]).gather(k),
    at: (k) => ones([5, 2]).at(k),
    takeAlong: (k) => ones([1, 5]).takeAlong(k.reshape([1, -1])),
    oneHot: (k) => oneHot(k, 5),
    Embedding: (k) => (init(new Embedding(5, 2), 0) as Embedding).forward(k),
    crossEntropy: (k) => crossEntropy(ones([3, 5]), k),
    nll: (k) => nll(ones([3, 5]), k),
    "a gather of nothing": (k) => tensor(new Float32Array(0), [0, 2]).gather(k),
    "a gather of a computed nothing": (k) => loose(ones([0, 2])).gather(k),
  };
  for (const [name, build] of Object.entries(CASES))
    test(`torture 6: ${name} says index and bound, the same text on every device`, async () => {
      for (const bad of [5, ...(name === "at" ? [] : [-1]), -6, 2 ** 31 - 1, -(2 ** 31)]) {
        const said: string[] = [];
        for (const device of DEVICES) said.push((await errorOf(() => run(device, build, ints(0, 1, bad)))).message);
        const index = name.includes("nothing") ? "0" : String(bad);
        expect(said[0]).toContain(
          `${name.includes("nothing") ? "gather" : name}: index ${index} is outside an axis of size ${name.includes("nothing") ? 0 : 5}`,
        );
        for (const text of said) expect(text).toBe(said[0]);
      }
    });

  test("torture 6: the first bad index is the one that is told, and no cell has changed", async () => {
    for (const device of DEVICES) {
      const cell = variable([1]);
      const step = compile((k: Tensor) => {
        cell.assign(cell.add(1));
        return ones([5]).gather(k);
      }, { device }); // biome-ignore format: one call
      expect((await errorOf(() => step(ints(0, 9, 7, -20)))).message).toContain("index 9");
      expect(await numbers(cell)).toEqual([1]);
    }
  });
});

describe("torture 3: tensors without elements", () => {
  const nothing = tensor(new Float32Array(0), [0, 3]);
  test.each(DEVICES)("torture 3: sums are 0, products 1, means NaN and a product over nothing zeros on %s", async (device) => {
    const f = (x: any): any => ({
      sum: x.sum(),
      columns: x.sum(0),
      rows: x.sum(1),
      product: x.product(),
      mean: x.mean(0),
      logSumExp: x.logSumExp(0),
      norm: x.norm(),
      matmul: x.transpose().matmul(ones([0, 2])),
      batched: ones([2, 1, 0]).matmul(ones([2, 0, 1])),
      softmax: x.softmax(),
      sorted: x.sort(0),
      cumsum: x.cumsum(0),
      maxima: x.max(1),
      pad: x.pad([[1, 0], [0, 0]]), // biome-ignore format: pairs
    });
    const shapes = run(device, f, nothing) as Record<string, Tensor>;
    expect(Object.fromEntries(Object.entries(shapes).map(([k, x]) => [k, x.shape]))).toMatchObject({
      softmax: [0, 3],
      sorted: [0, 3],
      rows: [0],
      maxima: [0],
      matmul: [3, 2],
    });
    expect(await texts(shapes)).toEqual({
      sum: "0", columns: "0 0 0", rows: "", product: "1", mean: "NaN NaN NaN", logSumExp: "-Infinity -Infinity -Infinity", norm: "0",
      matmul: "0 0 0 0 0 0", batched: "0 0", softmax: "", sorted: "", cumsum: "", maxima: "", pad: "0 0 0",
    }); // biome-ignore format: a table
  });

  test("torture 3: extremes of nothing are errors", async () => {
    for (const f of [(x: any) => x.max(), (x: any) => x.argmax(0), (x: any) => x.min(0), (x: any) => x.argmin()])
      expect((await errorOf(() => f(nothing))).message).toMatch(/is empty/);
  });
});

describe("torture 4: leaves that need no memory", () => {
  const CASES: Record<string, (x: any, k: any) => any> = {
    "rows of positions": (_, k) => arange(12).at(k),
    "rows by positions": (x) => x.gather(arange(2)),
    "positions by positions": () => arange(5).gather(arange(3)),
    "rows of a constant of one element": (_, k) => tensor([3]).gather(k.mul(0)),
    "a product with a constant of one element": (x) => x.reshape([3, 1]).matmul(tensor([[2]])),
    "sorted positions": () => arange(5).sort(-1, { descending: true }),
    "running sums of positions": () => arange(5).cumsum(),
    "a row along positions": (x) => x.reshape([1, 3]).takeAlong(arange(3).flip().reshape([1, 3])),
    "positions turned": () => arange(12).reshape([3, 4]).transpose().reshape([2, 6]),
  };
  for (const [name, f] of Object.entries(CASES))
    test(`torture 4: ${name} are the same on every device and without optimisation`, async () => {
      const [x, k] = [tensor([5, 6, 7]), ints(1, -1)];
      const wanted = await numbers(run("interpreter", f, x, k));
      for (const device of COMPILED) expect(await numbers(run(device, f, x, k))).toEqual(wanted);
      expect(await numbers(compile(loose(f), { device: "wasm", optimize: 0 })(...loose([x, k])) as unknown as Tensor)).toEqual(wanted);
    });
});

describe("torture 11: NaN and infinities", () => {
  const all = (x: any): any => ({
    max: x.max(1), min: x.min(1), argmax: x.argmax(1), argmin: x.argmin(1), relu: x.relu(), sign: x.sign(), clip: x.clip(-1, 1), sort: x.sort(),
    argsort: x.argsort(), down: x.argsort(-1, { descending: true }), sum: x.sum(1), logSumExp: x.logSumExp(1), isFinite: x.isFinite(),
    isNaN: x.isNaN(), equal: x.eq(x), int32: x.cast("int32"), uint32: x.cast("uint32"), bool: x.cast("bool"), round: x.round(), power0: x.pow(0),
    topK: x.topK(2).indices, product: x.product(1), floorDiv: x.floorDiv(2), mod: x.mod(2), exp: x.exp(), sqrt: x.sqrt(), reciprocal: x.reciprocal(),
  }); // biome-ignore format: a table
  const input = tensor([[Number.NaN, 1, -Infinity, Infinity], [2.5, 0, 0, -2.5], [Infinity, Number.NaN, 2 ** 35, -(2 ** 35)]]); // biome-ignore format: rows

  test.each(DEVICES)("torture 11: max, argmax and comparisons follow the table of edge conventions on %s", async (device) => {
    expect(await texts(run(device, all, input))).toMatchObject({
      max: "NaN 2.5 NaN",
      min: "NaN -2.5 NaN",
      argmax: "0 0 1",
      argmin: "0 3 1",
      relu: "NaN 1 0 Infinity 2.5 0 0 0 Infinity NaN 34359738368 0",
      sign: "NaN 1 -1 1 1 0 0 -1 1 NaN 1 -1",
      argsort: "2 1 3 0 3 1 2 0 3 2 0 1",
      int32: "0 1 -2147483648 2147483647 2 0 0 -2 2147483647 0 2147483647 -2147483648",
      bool: "1 1 1 1 1 0 0 1 1 1 1 1",
      power0: "1 1 1 1 1 1 1 1 1 1 1 1",
      round: "NaN 1 -Infinity Infinity 2 0 0 -2 Infinity NaN 34359738368 -34359738368",
      isNaN: "1 0 0 0 0 0 0 0 0 1 0 0",
    });
  });

  test.each(DEVICES)(
    "torture 11: convolutions and pools keep a NaN and an infinity to the windows that hold them on %s",
    async (device) => {
      const image = tensor([[[[Number.NaN, 1, 1, 1, 1], [1, 1, 1, 1, 1], [1, 1, 1, 1, Infinity]]]]); // biome-ignore format: an image
      const f = (x: any): any => ({
        convolution: conv2d(x, ones([1, 1, 3, 3]), { padding: 1 }),
        max: maxPool2d(x, 3, { stride: 1, padding: 1 }),
        least: maxPool2d(x.neg(), 3, { stride: 1, padding: 1 }),
        mean: avgPool2d(x, 3, { stride: 2, padding: 1 }),
        all: adaptiveMaxPool2d(x, [1, 3]),
      });
      expect(await texts(run(device, f, image))).toEqual({
        convolution: "NaN NaN 6 6 4 NaN NaN 9 Infinity Infinity 4 6 6 Infinity Infinity",
        max: "NaN NaN 1 1 1 NaN NaN 1 Infinity Infinity 1 1 1 Infinity Infinity",
        least: "NaN NaN -1 -1 -1 NaN NaN -1 -1 -1 -1 -1 -1 -1 -1",
        mean: `NaN ${Math.fround(6 / 9)} ${Math.fround(4 / 9)} ${Math.fround(4 / 9)} ${Math.fround(6 / 9)} Infinity`,
        all: "NaN 1 Infinity",
      });
    },
  );

  test("torture 11: what is put around a tensor is NaN, ±∞ or −0 as was asked, one after the other", async () => {
    for (const value of [Infinity, -Infinity, Number.NaN, 0, -0, 1])
      expect((await numbers(tensor([1]).pad([[1, 0]], value)))[0]).toBe(value);
  });
});

describe("torture 12: softmax and its like at the ends", () => {
  test.each(DEVICES)("torture 12: ±1000, one −∞ and nothing but −∞ on %s", async (device) => {
    const x = tensor([[1000, -1000], [-1000, -1000], [-Infinity, 0], [-Infinity, -Infinity], [Infinity, 0]]); // biome-ignore format: rows
    const f = (x: any): any => ({ softmax: x.softmax(), log: x.logSoftmax(), logSumExp: x.sub(0).logSumExp(1) });
    const got = await texts(run(device, f, x));
    expect(got.softmax).toBe("1 0 0.5 0.5 0 1 NaN NaN NaN NaN");
    expect(got.log!.split(" ").slice(0, 8).map((v) => Number(v).toFixed(3)).join(" ")).toBe("0.000 -2000.000 -0.693 -0.693 -Infinity 0.000 NaN NaN"); // biome-ignore format: one line
    expect(got.logSumExp!.split(" ").map((v) => Number(v).toFixed(3)).join(" ")).toBe("1000.000 -999.307 0.000 -Infinity Infinity"); // biome-ignore format: one line
  });

  test.each(DEVICES)("torture 12: binary cross-entropy of logits of ±1000 is 0 or 1000, with a finite gradient, on %s", async (device) => {
    const f = (x: any, y: any): any => bceWithLogits(x, y, { reduction: "none" });
    expect(await numbers(run(device, f, tensor([1000, -1000, 1000, -1000]), tensor([1, 0, 0, 1])))).toEqual([0, 0, 1000, 1000]);
  });
});

describe("torture 13: numbers near 0", () => {
  const tiny = {
    float32: [1.401298464324817e-45, 5.877471754111438e-39, -1.401298464324817e-45, 9.99994610111476e-41],
    float64: [5e-324, 1e-310, -5e-324, 1.15e-308],
  };
  const f = (x: any): any => ({
    copy: x.add(0), half: x.mul(0.5), twice: x.mul(2), sum: x.sum(), root: x.abs().sqrt(), product: x.reshape([1, 4]).matmul(x.mul(0).add(1).reshape([4, 1])),
    max: x.max(), relu: x.relu(), tanh: x.tanh(), sin: x.sin(), log1p: x.log1p(), expm1: x.expm1(), log: x.abs().log(), exp: x.mul(0).sub(x.dtype === "float32" ? 100 : 740).exp(),
  }); // biome-ignore format: a table

  test.each(["float32", "float64"] as const)(
    "torture 13: denormal numbers are not flushed, and all devices agree, in %s",
    async (dtype) => {
      const x = tensor(tiny[dtype], { dtype });
      const wanted = run("interpreter", f, x) as Record<string, Tensor>;
      expect(await numbers(wanted.copy!)).toEqual(tiny[dtype]);
      for (const device of COMPILED) {
        const got = run(device, f, x) as Record<string, Tensor>;
        for (const [name, result] of Object.entries(got)) {
          const [mine, theirs] = [await numbers(result), await numbers(wanted[name]!)];
          mine.forEach((v, i) => {
            const w = theirs[i]!;
            expect(w !== 0 && v === 0, `${name} on ${device}: ${v} instead of ${w}`).toBe(false);
            expect(Math.abs(v - w), `${name} on ${device}: ${v} instead of ${w}`).toBeLessThanOrEqual(
              1e-6 * Math.abs(w) + (dtype === "float32" ? 3e-45 : 1e-323),
            );
          });
        }
      }
    },
  );
});

describe("torture 16: long sums", () => {
  test.each(COMPILED)("torture 16: ten million ones in float32 add up to ten million on %s", async (device) => {
    const total = compile((x: Tensor) => x.sum(), { device });
    expect(await total(loose(new Float32Array(1e7).fill(1))).item()).toBe(1e7);
    const tenths = await compile((x: Tensor) => x.mean(), { device })(loose(new Float32Array(1e7).fill(0.1))).item();
    expect(Math.abs(tenths / Math.fround(0.1) - 1)).toBeLessThan(1e-5);
  });

  test.each(COMPILED)("torture 16: long sums of products are added in blocks too, whatever the length, on %s", async (device) => {
    const tenth = Math.fround(0.1) ** 2;
    const dot = compile((x: Tensor) => x.dot(x), { device });
    const rows = compile((x: Tensor) => x.reshape([4, -1]).matmul(x.at(":1000003")), { device });
    for (const count of [1e7, 4_000_012]) {
      const x = loose(new Float32Array(count).fill(0.1));
      expect(Math.abs((await dot(x).item()) / (count * tenth) - 1)).toBeLessThan(1e-4);
      if (count % 1_000_003 === 0) for (const y of await numbers(rows(x))) expect(Math.abs(y / (1_000_003 * tenth) - 1)).toBeLessThan(1e-4);
    }
  });
});
