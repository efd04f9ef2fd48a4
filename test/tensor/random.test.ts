import { compile, Generator, type Tensor, tensor, zeros } from "gradus";
import { describe, expect, test } from "vitest";

const rows = async (x: Tensor): Promise<any> => x.array();

describe("generators", () => {
  test("the same seed gives the same numbers, another seed or call others", async () => {
    const [a, b] = [new Generator(5), new Generator(5)];
    const first = await rows(a.normal([4]));
    expect(first).toEqual(await rows(b.normal([4])));
    expect(first).not.toEqual(await rows(a.normal([4])));
    expect(first).not.toEqual(await rows(new Generator(6).normal([4])));
    expect(a.state).toEqual({ seed: 5, calls: 2 });
  });

  test("a draw is fixed, whenever and however often it is computed", async () => {
    const rng = new Generator(0);
    const [x, y] = [rng.uniform([3]), rng.uniform([3])];
    const late = await rows(y);
    expect(await rows(x)).toEqual(await rows(new Generator(0).uniform([3])));
    expect(await rows(y.add(0))).toEqual(late);
    expect(await rows(x.sub(x))).toEqual([0, 0, 0]);
  });

  test("the state is plain numbers and can be put back", async () => {
    const rng = new Generator(2 ** 53 - 1);
    rng.uniform([1]);
    const state = JSON.parse(JSON.stringify(rng));
    const next = await rows(rng.uniform([2]));
    rng.restore(state);
    expect(await rows(rng.uniform([2]))).toEqual(next);
    expect(() => rng.restore({ seed: 1, calls: -1 })).toThrow(/-1 calls/);
    expect(() => rng.restore({ seed: Number.NaN, calls: 0 })).toThrow(/NaN is no seed/);
  });

  test("a fork depends on seed and name only", async () => {
    const rng = new Generator(3);
    const before = await rows(rng.fork("noise").uniform([2]));
    rng.uniform([5]);
    expect(await rows(rng.fork("noise").uniform([2]))).toEqual(before);
    expect(await rows(rng.fork("other").uniform([2]))).not.toEqual(before);
    expect(rng.fork("a").fork("b").state.seed).not.toBe(rng.fork("b").fork("a").state.seed);
    expect(Number.isSafeInteger(rng.fork("").state.seed)).toBe(true);
  });

  test("a split gives independent streams that depend on seed, call and place, and takes a call", async () => {
    const rng = new Generator(3);
    const streams = rng.split(3);
    expect(rng.state).toEqual({ seed: 3, calls: 1 });
    const seeds = (list: Generator[]): number[] => list.map(({ state }) => state.seed);
    expect(seeds(new Generator(3).split(3))).toEqual(seeds(streams));
    expect(seeds(new Generator(3).split(2))).toEqual(seeds(streams.slice(0, 2)));
    const others = [...rng.split(3), rng.fork("0"), rng.branch(), ...new Generator(4).split(3), rng];
    expect(new Set(seeds([...streams, ...others])).size).toBe(streams.length + others.length);
    // Neighbours know nothing of each other: 64 streams of 256 numbers correlate as chance does, √(1/256).
    const draws: number[][] = await Promise.all(rng.split(64).map((r) => rows(r.normal([256]))));
    const worst = Math.max(...draws.slice(1).map((x, i) => Math.abs(x.reduce((sum, v, k) => sum + v * draws[i]![k]!, 0) / 256)));
    expect(worst).toBeLessThan(4.5 / 16);
    expect(rng.split(0)).toEqual([]);
    for (const count of [-1, 0.5, Number.NaN, 1e9, "2" as never])
      expect(() => rng.split(count)).toThrow(/^split: .* generators {3}at random\.test\.ts/);
  });

  test("split streams move on at each call of a compiled function", async () => {
    const rng = new Generator(3);
    const draw = compile(() => rng.split(2).map((r) => r.uniform([2])));
    const [first, second] = [await Promise.all(draw().map(rows)), await Promise.all(draw().map(rows))];
    expect(first[0]).not.toEqual(first[1]);
    expect(second).not.toEqual(first);
    expect(first[0]).toEqual(await rows(new Generator(3).split(2)[0]!.uniform([2])));
  });

  test("what is no seed is an error", () => {
    for (const seed of [-1, 0.5, Number.NaN, Infinity, 2 ** 53, "1" as never, undefined as never])
      expect(() => new Generator(seed)).toThrow(/is no seed/);
  });

  test("distributions have their moments", async () => {
    const rng = new Generator(11);
    const n = 20_000;
    const u = rng.uniform([n], -1, 3);
    expect(await u.mean().item()).toBeCloseTo(1, 1);
    expect(await u.variance().item()).toBeCloseTo(16 / 12, 1);
    expect(await u.min().item()).toBeGreaterThanOrEqual(-1);
    expect(await u.max().item()).toBeLessThan(3);
    const z = rng.normal([n], 2, 0.5);
    expect(await z.mean().item()).toBeCloseTo(2, 1);
    expect(await z.std().item()).toBeCloseTo(0.5, 1);
    expect(await rng.bernoulli(0.25, [n]).mean().item()).toBeCloseTo(0.25, 1);
    expect(await rng.bernoulli(0, [100]).any().array()).toBe(false);
    expect(await rng.bernoulli(1, [100]).all().array()).toBe(true);
    const each = rng.bernoulli(tensor([0, 1]), [50, 2]);
    expect(await each.mean(0).array()).toEqual([0, 1]);
  });

  test("a permutation holds every number once, and categorical follows the logits", async () => {
    const rng = new Generator(4);
    const order: number[] = await rows(rng.permutation(100));
    expect(order.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect(order).not.toEqual(order.toSorted((a, b) => a - b));
    const classes = rng.categorical(tensor([Math.log(1), Math.log(3), -Infinity]).broadcastTo([8000, 3]));
    expect(classes.dtype).toBe("int32");
    expect(await classes.cast("float32").mean().item()).toBeCloseTo(0.75, 1);
    expect(rng.categorical(zeros([2, 3, 5])).shape).toEqual([2, 3]);
  });

  test("parameters that mean nothing are errors", () => {
    const rng = new Generator(0);
    expect(() => rng.bernoulli(1.5, [1])).toThrow(/1.5 is not a probability/);
    expect(() => rng.normal([1], 0, -1)).toThrow(/standard deviation -1/);
    expect(() => rng.uniform([1], 0, Infinity)).toThrow(/not a range/);
    expect(() => rng.uniform([-1])).toThrow(/axis 0/);
    for (const [low, high] of [[0, 1e39], [-3e38, 3e38]] as const) expect(() => rng.uniform([1], low, high)).toThrow(/uniform: .* does not fit into float32/); // biome-ignore format: rows
    for (const [mean, sd] of [[1e39, 1], [0, 1e39]] as const) expect(() => rng.normal([1], mean, sd)).toThrow(/normal: 1e\+39 does not fit into float32/); // biome-ignore format: rows
    expect(rng.uniform([1], 0, 1e39, { dtype: "float64" }).dtype).toBe("float64");
    rng.restore({ seed: 0, calls: 0 });
    expect(() => rng.uniform([1], 0, 1, { dtype: "int32" })).toThrow(/float32 or float64/);
    expect(() => rng.categorical(tensor(1))).toThrow(/no classes/);
    expect(rng.state.calls).toBe(0);
  });
});
