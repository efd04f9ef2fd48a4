import { expect, test } from "vitest";
import { clipped, together } from "../../src/kernel/bounds.ts";
import type { Access, Bound } from "../../src/kernel/expr.ts";

const SIZES = [5, 4, 3];
const holds = ({ offset, strides, size }: Bound, at: readonly number[]): boolean => {
  const value = strides.reduce((sum, s, axis) => sum + s * at[axis]!, offset);
  return value >= 0 && value < size;
};
const points = Array.from({ length: 60 }, (_, i) => [Math.floor(i / 12), Math.floor(i / 3) % 4, i % 3]);

test("bounds on one form become one, counted forwards or backwards, and hold where all of them did", () => {
  const cases: Bound[][] = [
    [
      { offset: -1, strides: [1, 0, 1], size: 4 },
      { offset: 5, strides: [-1, 0, -1], size: 4 },
    ],
    [
      { offset: 3, strides: [0, -1, 0], size: 3 },
      { offset: 0, strides: [0, 1, 0], size: 2 },
    ],
    [
      { offset: 2, strides: [0, 0, -1], size: 0 },
      { offset: 0, strides: [0, 0, 1], size: 2 },
    ],
  ];
  for (const bounds of cases) {
    const fewer = together(bounds);
    expect(fewer).toHaveLength(1);
    for (const at of points) expect(holds(fewer[0]!, at), String(at)).toBe(bounds.every((b) => holds(b, at)));
  }
});

test("what an access reaches under bounds on one form is what it reaches where they hold: a turned picture, padded and read through windows", () => {
  const from: Access = { buffer: 0, offset: 9, strides: [-2, 0, -2] };
  const bounds: Bound[] = [
    { offset: -1, strides: [1, 0, 1], size: 5 },
    { offset: 4, strides: [-1, 0, -1], size: 3 },
  ];
  const { access, sizes } = clipped(from, SIZES, bounds)!;
  const reach = access.strides.map((s, axis) => s * (sizes[axis]! - 1));
  const low = access.offset + reach.reduce((sum, r) => sum + Math.min(0, r), 0);
  const high = access.offset + reach.reduce((sum, r) => sum + Math.max(0, r), 0);
  const inside = points.filter((at) => bounds.every((b) => holds(b, at)));
  const reached = inside.map((at) => from.strides.reduce((sum, s, axis) => sum + s * at[axis]!, from.offset));
  expect([low, high]).toEqual([Math.min(...reached), Math.max(...reached)]);
});

test("bounds on one axis leave it the positions at which all of them hold, those of another stride too", () => {
  const from: Access = { buffer: 0, offset: -7, strides: [9, 0, 0] };
  const bounds: Bound[] = [
    { offset: -1, strides: [1, 0, 0], size: 3 },
    { offset: -2, strides: [3, 0, 0], size: 5 },
    { offset: 9, strides: [-4, 0, 0], size: 99 },
  ];
  const inside = points.filter((at) => bounds.every((b) => holds(b, at))).map((at) => from.offset + 9 * at[0]!);
  const { access, sizes } = clipped(from, SIZES, bounds)!;
  expect(access.offset).toBe(Math.min(...inside));
  expect(access.offset + access.strides.reduce((sum, s, axis) => sum + s * (sizes[axis]! - 1), 0)).toBe(Math.max(...inside));
  expect(clipped(from, SIZES, [...bounds, { offset: 0, strides: [1, 0, 0], size: 1 }])).toBeUndefined();
});

test("bounds on multiples of one form become one", () => {
  const bounds: Bound[] = [
    { offset: -1, strides: [1, 0, 1], size: 3 },
    { offset: -3, strides: [2, 0, 2], size: 3 },
    { offset: 8, strides: [-3, 0, -3], size: 6 },
  ];
  const fewer = together(bounds);
  expect(fewer).toHaveLength(1);
  for (const at of points) expect(holds(fewer[0]!, at), String(at)).toBe(bounds.every((b) => holds(b, at)));
});

test("a bound on the form that an access moves by holds it, whatever other forms of the same axes are bound", () => {
  const from: Access = { buffer: 0, offset: 4, strides: [2, 2, 0] };
  const bounds: Bound[] = [
    { offset: 0, strides: [2, 1, 0], size: 9 },
    { offset: -1, strides: [1, 1, 0], size: 2 },
  ];
  for (const order of [bounds, bounds.toReversed()]) {
    const { access, sizes } = clipped(from, SIZES, order)!;
    const reach = access.strides.reduce((sum, s, axis) => sum + s * (sizes[axis]! - 1), access.offset);
    const inside = points.filter((at) => bounds.every((b) => holds(b, at))).map(([i, j]) => 4 + 2 * i! + 2 * j!);
    expect([access.offset, reach]).toEqual([Math.min(...inside), Math.max(...inside)]);
  }
});
