/** Pooling: what its gradient becomes, and that it stays what it is for all sizes, strides and ties. */
import { describe, expect, test } from "vitest";
import { sizeOf } from "../../src/core/shape.ts";
import type { Value } from "../../src/graph/op.ts";
import { topological } from "../../src/graph/walk.ts";
import { evaluate } from "../../src/interpret/evaluate.ts";
import * as o from "../../src/ops/index.ts";
import { optimise } from "../../src/passes/index.ts";
import { gradients } from "../../src/transform/gradients.ts";

interface Window {
  readonly size: number;
  readonly stride: number;
  readonly dilation?: number;
}
const along = (x: Value, axis: number, { size, stride, dilation = 1 }: Window): Value => o.windows(x, { axis, size, stride, dilation });
const allAxes = (x: Value): number[] => [...x.shape.keys()];
const POOLS: Record<string, (x: Value, axes: readonly number[]) => Value> = {
  max: o.max,
  min: o.min,
  mean: o.mean,
  "sum of squares": (x, axes) => o.sum(o.square(x), axes),
};

/** Small whole numbers: most windows have equal extremes. */
const ties = (x: Value): number[] => Array.from({ length: sizeOf(x.shape) }, (_, i) => (i * i * 7 + 3 * i) % 5);
const weighted = (y: Value): Value => {
  const weights = o.constant(
    new Float64Array(sizeOf(y.shape)).map((_, i) => 1 + ((i * 5) % 7) / 8),
    y.shape,
    y.dtype,
  );
  return o.sum(o.mul(o.square(y), weights), allAxes(y));
};

/** First and second derivatives of a weighted pool. */
function derivatives(x: Value, pooled: Value): Value[] {
  const [first] = gradients(weighted(pooled), [x]);
  const [second] = gradients(weighted(first!), [x]);
  return [first!, second!];
}

function expectSameWhenOptimised(outputs: readonly Value[], x: Value): void {
  const inputs = new Map([[x, ties(x)]]);
  const [before, after] = [evaluate(outputs, inputs), evaluate(optimise(outputs), inputs)];
  before.forEach((numbers, k) => {
    numbers.forEach((n, i) => {
      expect(after[k]![i], `output ${k}, element ${i}`).toBeCloseTo(n, 9);
    });
  });
}

const WINDOWS = [1, 2, 3, 4].flatMap((size) => [1, 2, 3, 5].flatMap((stride) => [1, 2].map((dilation) => ({ size, stride, dilation }))));

describe.each(Object.entries(POOLS))("The gradient of a pool that takes the %s", { tags: ["slow"] }, (_, pool) => {
  test.each([4, 5, 6, 7])("along an axis of %i stays what it is, whatever the window", (length) => {
    for (const window of WINDOWS) {
      if (window.dilation * (window.size - 1) >= length) continue;
      const x = o.argument(0, { shape: [2, length, 3], dtype: "float64" });
      expectSameWhenOptimised(derivatives(x, pool(along(x, 1, window), [2])), x);
    }
  });

  test("along two axes with windows of their own stays what it is", () => {
    const few = WINDOWS.filter(({ size, stride, dilation }) => size > 1 && stride < 5 && size + stride < 6 && dilation === 1);
    for (const [i, rows] of few.entries()) {
      const columns = few[(i * 3 + 1) % few.length]!;
      const x = o.argument(0, { shape: [2, 7, 6], dtype: "float64" });
      expectSameWhenOptimised(derivatives(x, pool(along(along(x, 1, rows), 3, columns), [2, 4])), x);
    }
  });
});

describe("The gradient of a pool of what has a border", () => {
  test("stays what it is, whatever the border and the window, and is summed for what is inside only", () => {
    let random = 7;
    const below = (n: number): number => (random = (random * 48271) % 2147483647) % n;
    for (let turn = 0; turn < 60; turn++) {
      const [length, low, high] = [1 + below(7), below(5), below(5)];
      const window = { size: 1 + below(4), stride: 1 + below(4) };
      if (window.size > length + low + high) continue;
      for (const pool of [POOLS.max!, POOLS.mean!]) {
        const x = o.argument(0, { shape: [2, length, 3], dtype: "float64" });
        const value = pool === o.max ? Number.NEGATIVE_INFINITY : 0;
        const padded = o.pad(x, { low: [0, low, 0], high: [0, high, 0], interior: [0, 0, 0], value });
        const pooled = pool(along(padded, 1, window), [2]);
        // A window that holds nothing but the border has no number.
        const safe = value === 0 ? pooled : o.maximum(pooled, o.scalarLike(pooled, -9));
        expectSameWhenOptimised(derivatives(x, safe), x);
      }
    }
  });
});

describe("The gradient of a max-pool", () => {
  const gradient = (window: Window, shape: readonly number[]): Value[] => {
    const x = o.argument(0, { shape, dtype: "float32" });
    const y = o.max(along(along(x, 2, window), 4, window), [3, 5]);
    return topological(optimise(gradients(y, [x], o.argument(1, y)) as Value[]));
  };
  const kinds = (values: readonly Value[]): Set<string> => new Set(values.map((v) => v.op.kind));

  test("of windows that follow one another is one choice for each element: nothing is folded, padded or transposed", () => {
    const values = gradient({ size: 2, stride: 2 }, [2, 3, 8, 8]);
    expect(values.some((v) => v.op === o.foldOp || v.op === o.transposeOp)).toBe(false);
    expect(kinds(values).has("place")).toBe(false);
    expect(values.filter((v) => v.op.kind === "reduce").map((v) => v.op.name)).toEqual(["argmax"]);
  });

  test("of windows that overlap pads only what the windows have, and asks them", () => {
    const values = gradient({ size: 3, stride: 2 }, [2, 3, 9, 9]);
    expect(values.some((v) => v.op === o.foldOp || v.op === o.transposeOp)).toBe(false);
    const placed = values.filter((v) => v.op.kind === "place");
    expect(placed.map((v) => v.inputs[0]!.shape)).toEqual([[2, 3, 4, 4], [2, 3, 4, 4]]); // biome-ignore format: shapes
    expect(values.filter((v) => v.op.kind === "reduce").map((v) => v.op.name)).toEqual(["argmax", "sum"]);
  });

  test("goes through the second of two pools as well", () => {
    const x = o.argument(0, { shape: [2, 3, 19, 19], dtype: "float32" });
    const pool = (v: Value): Value => o.max(along(along(v, 2, { size: 3, stride: 2 }), 4, { size: 3, stride: 2 }), [3, 5]);
    const loss = o.sum(o.square(pool(o.relu(pool(x)))), [0, 1, 2, 3]);
    expect(topological(optimise(gradients(loss, [x]) as Value[])).some((v) => v.op === o.foldOp)).toBe(false);
  });
});
