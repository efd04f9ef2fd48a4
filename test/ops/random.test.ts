import { describe, expect, test } from "vitest";
import type { Value } from "../../src/graph/op.ts";
import { evaluate } from "../../src/interpret/evaluate.ts";
import * as o from "../../src/ops/index.ts";

const word = (n: number): Value => o.scalarConstant(n, "uint32");
const draw = (seed: number, site = 0): o.Draw => ({ key0: word(seed), key1: word(0), site });
const numbers = (v: Value): Float64Array => evaluate([v])[0]!;
const meanOf = (list: Float64Array): number => list.reduce((a, b) => a + b, 0) / list.length;

test("Threefry gives the published words.", () => {
  // Random123's known answers for threefry2x32 with 20 rounds: counter, key, result.
  for (const [counter, key, wanted] of [
    [
      [0, 0],
      [0, 0],
      [0x6b200159, 0x99ba4efe],
    ],
    [
      [0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      [0x1cb996fc, 0xbb002be7],
    ],
    [
      [0x243f6a88, 0x85a308d3],
      [0x13198a2e, 0x03707344],
      [0xc4923a9c, 0x483df7a0],
    ],
  ] as const) {
    // biome-ignore format: a table
    const words = [...key, ...counter].map(word) as [Value, Value, Value, Value];
    expect(([0, 1] as const).map((w) => numbers(o.threefry(...words, { word: w }))[0])).toEqual(wanted);
  }
});

describe("Draws", () => {
  test("are the same for the same key and site, and others for another.", () => {
    const bits = (seed: number, site: number): Float64Array => numbers(o.randomBits(word(seed), word(0), site, [50]));
    expect(bits(1, 2)).toEqual(bits(1, 2));
    expect(bits(1, 2)).not.toEqual(bits(1, 3));
    expect(bits(1, 2)).not.toEqual(bits(2, 2));
  });
  test("do not depend on the shape, only on the position.", () => {
    expect(numbers(o.uniform(draw(3), [6]))).toEqual(numbers(o.uniform(draw(3), [2, 3])));
  });
  test("of a uniform lie in [0, 1) and have its moments.", () => {
    for (const dtype of ["float32", "float64"] as const) {
      const u = numbers(o.uniform(draw(5), [20000], dtype));
      expect(u.every((x) => x >= 0 && x < 1)).toBe(true);
      expect(meanOf(u)).toBeCloseTo(0.5, 2);
      expect(meanOf(u.map((x) => (x - 0.5) ** 2))).toBeCloseTo(1 / 12, 2);
    }
    expect(numbers(o.uniform(draw(5), [1000])).every((x) => Number.isInteger(x * 2 ** 24))).toBe(true);
  });
  test("of a normal have its moments.", () => {
    for (const dtype of ["float32", "float64"] as const) {
      const z = numbers(o.normal(draw(7), [40000], dtype));
      expect(z.every(Number.isFinite)).toBe(true);
      expect(Math.abs(meanOf(z))).toBeLessThan(0.02);
      expect(Math.abs(meanOf(z.map((x) => x * x)) - 1)).toBeLessThan(0.03);
      expect(Math.abs(meanOf(z.map((x) => x ** 4)) - 3)).toBeLessThan(0.25);
    }
  });
  test("of a coin fall as often as said.", () => {
    const heads = (p: number): number => meanOf(numbers(o.bernoulli(draw(9), p, [20000])));
    expect(heads(0.3)).toBeCloseTo(0.3, 1.7);
    expect([heads(0), heads(1)]).toEqual([0, 1]);
  });
  test("of a permutation contain every number once.", () => {
    const list = numbers(o.permutation(draw(11), 1000));
    expect([...list].sort((a, b) => a - b)).toEqual([...Array(1000).keys()]);
    expect([...list]).not.toEqual([...Array(1000).keys()]);
  });
});
