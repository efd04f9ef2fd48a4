import { describe, expect, test } from "vitest";
import { ArgumentError } from "../../src/core/errors.ts";
import { digits, drawDigits, HostRandom } from "../../src/data/index.ts";
import { sha256 } from "../../src/io/index.ts";

describe("digits", () => {
  test("the same seed gives the same bytes, today and tomorrow, and another seed others", async () => {
    const { images, labels } = drawDigits(50, new HostRandom(7));
    expect(drawDigits(50, new HostRandom(7)).images).toEqual(images);
    expect(drawDigits(50, new HostRandom(8)).images).not.toEqual(images);
    expect([...labels].sort()).toEqual([...Array(50).keys()].map((i) => i % 10).sort());
    expect(await sha256(drawDigits(20, new HostRandom(0, 1)).images)).toBe(
      "eb0f233f8b8aa832ad604ae578edf3008896e8b189fbf359895f94cc032c7a7b",
    );
  });

  test("10,000 are drawn, with all classes equally often", async () => {
    const [train, held] = [await digits(), await digits({ train: false })];
    expect([train.size, held.size]).toEqual([8000, 2000]);
    const counts = new Array<number>(10).fill(0);
    for (const label of held.y.data) counts[label]!++;
    expect(counts).toEqual(new Array(10).fill(200));
  });

  test("a batch is float32 from 0 to 1 with int32 classes", async () => {
    const [batch] = (await digits({ count: 20 })).batches(20);
    expect([batch!.x.shape, batch!.x.dtype, batch!.y.shape, batch!.y.dtype]).toEqual([[20, 784], "float32", [20], "int32"]);
    const x = await batch!.x.data();
    expect(Math.min(...x)).toBe(0);
    expect(Math.max(...x)).toBeLessThanOrEqual(1);
    expect(Math.max(...x)).toBeGreaterThan(0.7);
  });

  test("no test image is a training image", async () => {
    const [train, held] = [await digits({ count: 500 }), await digits({ count: 500, train: false })];
    const key = (data: Uint8Array, i: number): string => data.subarray(i * 784, (i + 1) * 784).join();
    const seen = new Set(Array.from({ length: 500 }, (_, i) => key(train.x.data as Uint8Array, i)));
    expect(seen.size).toBe(500);
    for (let i = 0; i < 500; i++) expect(seen.has(key(held.x.data as Uint8Array, i))).toBe(false);
  });

  test("counts and seeds that make no sense are refused", async () => {
    for (const count of [0, -1, 1.5, 1e12, Number.NaN]) await expect(digits({ count })).rejects.toThrow(ArgumentError);
    await expect(digits({ seed: -1 })).rejects.toThrow(ArgumentError);
  });
});
