import { describe, expect, test } from "vitest";
import { ArrayDataset, channelMoments } from "../../src/data/index.ts";
import { Generator } from "../../src/index.ts";

const pictures = (data: Float32Array, shape: readonly number[]): ArrayDataset => {
  const count = data.length / shape.reduce((a, b) => a * b, 1);
  return new ArrayDataset({ data, shape }, { data: new Int32Array(count), shape: [] });
};
const near = (found: readonly number[], wanted: readonly number[]): void => {
  expect(found).toHaveLength(wanted.length);
  found.forEach((value, i) => {
    expect(value).toBeCloseTo(wanted[i]!, 10);
  });
};

describe("moments of the channels", () => {
  test("are those of all pixels, by the definition", async () => {
    const [n, channels, pixels] = [203, 3, 6];
    const values = Float32Array.from({ length: n * channels * pixels }, (_, i) => Math.sin(i * i) + (i % 18 < 6 ? 3 : 0));
    const { mean, std, covariance } = await channelMoments(pictures(values, [channels, 2, 3]));
    const of = (c: number): number[] =>
      Array.from({ length: n * pixels }, (_, k) => values[(Math.floor(k / pixels) * channels + c) * pixels + (k % pixels)]!);
    const average = (list: readonly number[]): number => list.reduce((a, b) => a + b) / list.length;
    const means = [0, 1, 2].map((c) => average(of(c)));
    const wanted = [0, 1, 2].map((c) => [0, 1, 2].map((d) => average(of(c).map((v, k) => (v - means[c]!) * (of(d)[k]! - means[d]!)))));
    near(mean, means);
    covariance.forEach((row, c) => {
      near(row, wanted[c]!);
    });
    near(
      std,
      wanted.map((row, c) => Math.sqrt(row[c]!)),
    );
    expect(covariance[0]![1]).toBe(covariance[1]![0]);
  });

  test("of a plain colour, far from 0, have deviations of exactly 0", async () => {
    const { mean, std, covariance } = await channelMoments(pictures(new Float32Array(4 * 12).fill(1e6 + 0.1), [3, 2, 2]));
    expect(mean).toEqual(new Array(3).fill(Math.fround(1e6 + 0.1)));
    expect([...std, ...covariance.flat()].every((value) => value === 0)).toBe(true);
  });

  test("of a part are those of the first pictures, or of random ones", async () => {
    const data = pictures(
      Float32Array.from({ length: 250 }, (_, i) => i),
      [1, 1, 1],
    );
    expect((await channelMoments(data, { count: 3 })).mean).toEqual([1]);
    expect((await channelMoments(data, { count: 150 })).mean[0]).toBeCloseTo(74.5, 10);
    const random = await channelMoments(data, { count: 50, rng: new Generator(1) });
    expect(Math.abs(random.mean[0]! - 124.5)).toBeLessThan(40);
    expect((await channelMoments(data, { count: 1e6 })).mean[0]).toBeCloseTo(124.5, 10);
  });

  test("of no pictures, of no numbers, and of what is none, are refused", async () => {
    const data = pictures(Float32Array.of(1, Number.NaN), [1, 1, 1]);
    await expect(channelMoments(data)).rejects.toThrow(/not finite/);
    await expect(channelMoments(data, { count: 0 })).rejects.toThrow(/0 pictures/);
    await expect(channelMoments(data.take(0))).rejects.toThrow(/0 pictures/);
    await expect(channelMoments(pictures(Float32Array.of(1), []))).rejects.toThrow(/pictures are \[n, channels/);
    await expect(channelMoments(data, { counts: 3 } as never)).rejects.toThrow(/did you mean count/);
  });
});
