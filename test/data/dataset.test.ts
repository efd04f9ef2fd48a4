import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ArgumentError, GradusError, ShapeError } from "../../src/core/errors.ts";
import { ArrayDataset, type BatchOptions, type Column, HostRandom, type Labelled } from "../../src/data/index.ts";
import { Generator } from "../../src/index.ts";
import { init, Linear, mse, Sequential } from "../../src/nn/index.ts";
import { sgd } from "../../src/optim/index.ts";
import { fit as learn } from "../../src/train/index.ts";

const numbered = (n: number): ArrayDataset =>
  new ArrayDataset(
    { data: Float32Array.from({ length: 2 * n }, (_, i) => i), shape: [2] },
    { data: Int32Array.from({ length: n }, (_, i) => i), shape: [] },
  );

async function labelsOf(data: ArrayDataset, size: number, options?: BatchOptions): Promise<number[][]> {
  const all: number[][] = [];
  for (const { x, y } of data.batches(size, options)) {
    const labels = Array.from(await y.data());
    expect(Array.from(await x.data())).toEqual(labels.flatMap((i) => [2 * i, 2 * i + 1]));
    all.push(labels);
  }
  return all;
}

describe("batches", () => {
  test("a data set describes itself and does not print its numbers", () => {
    const set = new ArrayDataset({ data: new Float32Array(6), shape: [2] }, { data: new Int32Array(3), shape: [] });
    expect(inspect({ set })).toBe("{ set: ArrayDataset(3 examples, x [2], y []) }");
  });

  test("without a generator the order is that of the data, and the last batch is short", async () => {
    expect(await labelsOf(numbered(5), 2)).toEqual([[0, 1], [2, 3], [4]]);
    expect(await labelsOf(numbered(5), 2, { last: "drop" })).toEqual([
      [0, 1],
      [2, 3],
    ]);
  });

  test("a shuffled pass has every example once; the same state of the generator gives the same order", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 70 }), fc.nat(1000), async (n, size, seed) => {
        const first = await labelsOf(numbered(n), size, { rng: new Generator(seed) });
        expect(await labelsOf(numbered(n), size, { rng: new Generator(seed) })).toEqual(first);
        expect(first.flat().sort((a, b) => a - b)).toEqual([...Array(n).keys()]);
      }),
      { numRuns: 40 },
    );
  });

  test("each pass over the same batches has a new order, and counts as one call", async () => {
    const rng = new Generator(3);
    const batches = numbered(50).batches(50, { rng });
    const orders: string[] = [];
    for (let pass = 0; pass < 2; pass++) for (const { y } of batches) orders.push((await y.data()).join());
    expect(orders[0]).not.toBe(orders[1]);
    expect(rng.state.calls).toBe(2);
  });

  test("a pass can begin in its middle, in the same order", async () => {
    const rng = (): Generator => new Generator(9);
    const whole = await labelsOf(numbered(20), 3, { rng: rng() });
    expect(await labelsOf(numbered(20), 3, { rng: rng(), from: 4 })).toEqual(whole.slice(4));
  });

  test("for await works as well", async () => {
    let count = 0;
    for await (const { x } of numbered(6).batches(2)) count += x.shape[0];
    expect(count).toBe(6);
  });

  test("sizes that make no sense are refused", () => {
    for (const size of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) expect(() => numbered(5).batches(size)).toThrow(ArgumentError);
    expect(() => numbered(5).batches(6, { last: "drop" })).toThrow(/only 5[\s\S]*last: "keep"/);
  });

  test("misspelt options, and values that mean nothing, are refused", () => {
    expect(() => numbered(5).batches(2, { lst: "drop" } as never)).toThrow(/no option "lst"[\s\S]*last/);
    expect(() => numbered(5).batches(2, { last: "dorp" as never })).toThrow(/"keep" or "drop"/);
    expect(() => numbered(5).batches(2, { from: -1 })).toThrow(/from is -1/);
  });

  test("an empty data set has no batches", async () => {
    expect(await labelsOf(numbered(0), 4)).toEqual([]);
  });

  test("inputs and targets of different numbers are refused", () => {
    const x = { data: new Float32Array(6), shape: [2] };
    expect(() => new ArrayDataset(x, { data: new Int32Array(2), shape: [] })).toThrow(/3 inputs and 2 targets/);
    expect(() => new ArrayDataset({ ...x, shape: [4] }, { data: new Int32Array(2), shape: [] })).toThrow(ShapeError);
  });
});

describe("element types", () => {
  const set = (y: Column, x: Column = { data: new Float32Array(y.data.length), shape: [] }): ArrayDataset => new ArrayDataset(x, y);
  const first = async (data: ArrayDataset): Promise<{ x: Labelled["x"]; y: Labelled["y"]; values: number[]; inputs: number[] }> => {
    for (const { x, y } of data.batches(data.size)) return { x, y, values: Array.from(await y.data()), inputs: Array.from(await x.data()) };
    throw new Error("no batch");
  };

  test.each<[string, Column["data"], string, string]>([
    ["Float32Array", Float32Array.of(0.5, -0.25), "float32", "float32"],
    ["Float64Array", Float64Array.of(0.1, 1e300), "float64", "float64"],
    ["Uint8Array", Uint8Array.of(2, 255), "int32", "float32"],
    ["Uint8ClampedArray", Uint8ClampedArray.of(2, 255) as never, "int32", "float32"],
    ["Int8Array", Int8Array.of(-2, 3) as never, "int32", "float32"],
    ["Int16Array", Int16Array.of(-2, 300) as never, "int32", "float32"],
    ["Uint16Array", Uint16Array.of(2, 60_000) as never, "int32", "float32"],
    ["Int32Array", Int32Array.of(-2, 2 ** 24), "int32", "float32"],
    ["Uint32Array", Uint32Array.of(2, 2 ** 24), "int32", "float32"],
  ])("of a %s: its numbers arrive as they are, as targets and as inputs", async (_, data, target, input) => {
    const { x, y, values, inputs } = await first(set({ data, shape: [] }, { data, shape: [] }));
    expect([y.dtype, x.dtype]).toEqual([target, input]);
    expect(values).toEqual(Array.from(data));
    expect(inputs).toEqual(Array.from(data));
  });

  test("a scale makes targets real numbers, whatever array they come from", async () => {
    const { y, values } = await first(set({ data: Uint8Array.of(51, 255), shape: [], scale: 1 / 255 }));
    expect(y.dtype).toBe("float32");
    expect(values[0]).toBeCloseTo(0.2, 7);
    const whole = await first(set({ data: Float32Array.of(0.5, 1.5), shape: [], scale: 2, dtype: "int32" }));
    expect(whole.values).toEqual([1, 3]);
  });

  test("soft labels stay what they are", async () => {
    expect((await first(set({ data: Float32Array.of(0.9, 0.1), shape: [1] }))).values).toEqual([Math.fround(0.9), Math.fround(0.1)]);
  });

  test.each<[string, Column, RegExp]>([
    [
      "a fraction as an integer",
      { data: Float32Array.of(1, 2, 0.5), shape: [], dtype: "int32" },
      /targets: 0\.5 in row 2 is not an integer/,
    ],
    ["NaN as a class", { data: Float64Array.of(1, Number.NaN), shape: [], dtype: "int32" }, /NaN in row 1 is not an integer/],
    ["-1 as uint8", { data: Int32Array.of(-1), shape: [], dtype: "uint8" }, /-1 in row 0 does not fit into uint8/],
    ["2^31 as int32", { data: Uint32Array.of(2 ** 31), shape: [] }, /2147483648 in row 0 does not fit into int32/],
    ["1e39 as float32", { data: Float64Array.of(0, 1e39, 0, 0), shape: [2], dtype: "float32" }, /1e\+39 in row 0, column 1 does not fit/],
    ["a product beyond float32", { data: Float32Array.of(3e38), shape: [], scale: 10 }, /3\.\d+e\+39 in row 0 does not fit into float32/],
    ["a fraction by scale", { data: Uint8Array.of(2, 3), shape: [], scale: 0.5, dtype: "int32" }, /1\.5 in row 1 is not an integer/],
    ["2 as bool", { data: Uint8Array.of(1, 2), shape: [], dtype: "bool" }, /2 in row 1 is not a bool/],
    ["64-bit integers", { data: BigInt64Array.of(1n) as never, shape: [] }, /BigInt64Array[\s\S]*Float64Array\.from\(values, Number\)/],
    ["a plain array", { data: [1, 2] as never, shape: [] }, /Array where a typed array/],
    ["a misspelt option", { data: Int32Array.of(1), shape: [], dtyp: "uint8" } as never, /no option "dtyp"[\s\S]*did you mean dtype/],
    ["a scale that is none", { data: Int32Array.of(1), shape: [], scale: Number.NaN }, /a scale of NaN/],
  ])("%s is refused with its row and value", (_, y, message) => {
    const count = y.data.length / y.shape.reduce((a, b) => a * b, 1);
    expect(() => set(y, { data: new Float32Array(count), shape: [] })).toThrow(GradusError);
    expect(() => set(y, { data: new Float32Array(count), shape: [] })).toThrow(message);
  });

  test("integers that float32 would round are refused as inputs, unless the dtype was said", async () => {
    const of = (more: Partial<Column>): ArrayDataset =>
      set({ data: Int32Array.of(0), shape: [] }, { data: Int32Array.of(0, 16_777_217), shape: [2], ...more });
    expect(() => of({})).toThrow(/16777217 in row 0, column 1 would be rounded to 16777216[\s\S]*float64/);
    expect((await first(of({ dtype: "float64" }))).inputs).toEqual([0, 16_777_217]);
    expect((await first(of({ dtype: "int32" }))).inputs).toEqual([0, 16_777_217]);
    expect((await first(of({ dtype: "float32" }))).inputs).toEqual([0, 16_777_216]);
  });

  test("y = x/2 is learnt from typed arrays of either float", async () => {
    const x = Float32Array.from({ length: 200 }, (_, i) => i / 100 - 1);
    for (const data of [x.map((v) => v / 2), Float64Array.from(x, (v) => v / 2)]) {
      const model = init(new Sequential(new Linear(1, 1)), 0) as Sequential;
      const lines = new ArrayDataset({ data: x, shape: [1] }, { data, shape: [1] });
      await learn(model, lines, { loss: mse, optimizer: sgd(model.parameters(), { lr: 0.1 }), rng: 0, epochs: 50 });
      expect(await model.parameters()[0]!.item()).toBeCloseTo(0.5, 3);
    }
  });
});

describe("moments", () => {
  const columns = Float32Array.of(1, 7, 3, 7, 5, 7, 100, -1);
  const set = new ArrayDataset({ data: columns, shape: [2] }, { data: Float64Array.of(2, 4, 4, 0), shape: [1], scale: 10 });

  test("are those of the part, column by column, and 0 where nothing changes", () => {
    const { mean, std } = set.take(3).moments();
    expect(mean).toEqual([3, 7]);
    expect(std[0]).toBeCloseTo(Math.sqrt(8 / 3), 12);
    expect(std[1]).toBe(0);
    expect(set.take(2).moments("y").mean).toEqual([30]);
  });

  test("a column of equal numbers that binary fractions cannot hold has exactly no deviation", () => {
    const same = new ArrayDataset({ data: new Float64Array(1000).fill(0.1), shape: [] }, { data: new Int32Array(1000), shape: [] });
    expect(same.moments()).toEqual({ mean: [0.1], std: [0] });
  });

  test("of no examples, or of a number that is none, are refused", () => {
    expect(() => set.take(0).moments()).toThrow(/no examples/);
    const holes = new ArrayDataset({ data: Float32Array.of(1, Number.NaN), shape: [] }, { data: new Int32Array(2), shape: [] });
    expect(() => holes.moments()).toThrow(/NaN in row 1/);
  });
});

describe("split", () => {
  test("80/20 gives two disjoint parts that are the whole, the same for the same seed", () => {
    const [train, held] = numbered(50).split(0.8, new Generator(1));
    expect([train.size, held.size]).toEqual([40, 10]);
    expect([...train.rows, ...held.rows].sort((a, b) => a - b)).toEqual([...Array(50).keys()]);
    expect(numbered(50).split(0.8, new Generator(1))[1].rows).toEqual(held.rows);
    expect([...held.rows]).not.toEqual([40, 41, 42, 43, 44, 45, 46, 47, 48, 49]);
  });

  test("a part of a part keeps its examples", async () => {
    const [part] = numbered(30).split(0.5, new Generator(1));
    const labels = (await labelsOf(part.take(4), 2)).flat();
    expect(labels).toEqual([...part.rows.subarray(0, 4)]);
  });

  test("fractions that leave nothing are refused", () => {
    for (const fraction of [0, 1, -0.5, 2, Number.NaN, 0.01])
      expect(() => numbered(5).split(fraction, new Generator(0))).toThrow(ArgumentError);
  });
});

describe("host random numbers", () => {
  test("uniform, normal and below have their moments", () => {
    const random = new HostRandom(1);
    const mean = (draw: () => number): number => Array.from({ length: 20_000 }, draw).reduce((a, b) => a + b) / 20_000;
    expect(mean(() => random.uniform(-1, 3))).toBeCloseTo(1, 1);
    expect(mean(() => random.normal(2, 0.5))).toBeCloseTo(2, 1);
    expect(mean(() => random.normal() ** 2)).toBeCloseTo(1, 1);
    expect(mean(() => random.below(7))).toBeCloseTo(3, 1);
  });

  test("every order of four is equally likely", () => {
    const counts = new Map<string, number>();
    for (let seed = 0; seed < 24_000; seed++) {
      const order = new HostRandom(seed).shuffle(Uint32Array.of(0, 1, 2, 3)).join("");
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(24);
    // χ² with 23 degrees of freedom: 99.99 % of fair shuffles stay below 58.
    expect([...counts.values()].reduce((sum, n) => sum + (n - 1000) ** 2 / 1000, 0)).toBeLessThan(58);
  });

  test("seeds above 32 bits and streams differ", () => {
    const first = (seed: number, stream = 0): number => new HostRandom(seed, stream).next();
    expect(new Set([first(1), first(2), first(1 + 2 ** 32), first(1, 1), first(1, 2 ** 32 + 1)]).size).toBe(5);
  });
});
