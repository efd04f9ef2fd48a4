import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ArgumentError, ShapeError } from "../../src/core/errors.ts";
import { ArrayDataset, type BatchOptions, HostRandom } from "../../src/data/index.ts";
import { Generator } from "../../src/index.ts";

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

  test("an empty data set has no batches", async () => {
    expect(await labelsOf(numbered(0), 4)).toEqual([]);
  });

  test("inputs and targets of different numbers are refused", () => {
    const x = { data: new Float32Array(6), shape: [2] };
    expect(() => new ArrayDataset(x, { data: new Int32Array(2), shape: [] })).toThrow(/3 inputs and 2 targets/);
    expect(() => new ArrayDataset({ ...x, shape: [4] }, { data: new Int32Array(2), shape: [] })).toThrow(ShapeError);
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
