import { describe, expect, test } from "vitest";
import { withSite } from "../../src/core/site.ts";
import type { Type, Value } from "../../src/graph/op.ts";
import { ancestors, topological } from "../../src/graph/walk.ts";
import { evaluate } from "../../src/interpret/evaluate.ts";
import {
  add,
  argument,
  cast,
  custom,
  exp,
  log,
  matmul,
  mul,
  relu,
  scalarConstant,
  sigmoid,
  stopGradient,
  sum,
  tanh,
} from "../../src/ops/index.ts";
import { gradients, vjp } from "../../src/transform/index.ts";

const f64 = (...shape: number[]): Type => ({ shape, dtype: "float64" });
const scalar = (): Value => argument(0, f64());
const at = (output: Value | null | undefined, ...inputs: [Value, number[]][]): number[] =>
  Array.from(evaluate([output!], new Map(inputs))[0]!);

test("the gradient of a product is the other factor", () => {
  const [a, b] = [scalar(), scalar()];
  const [da, db] = gradients(mul(a, b), [a, b]);
  expect(at(da, [b, [5]])).toEqual([5]);
  expect(at(db, [a, [3]])).toEqual([3]);
});

test("a value used twice gets the sum over its uses", () => {
  const x = scalar();
  const [dx] = gradients(add(mul(x, x), exp(x)), [x]);
  expect(at(dx, [x, [1.5]])[0]).toBeCloseTo(3 + Math.exp(1.5), 12);
});

test("what y does not depend on has no gradient, which is not a zero one", () => {
  const [x, other] = [scalar(), scalar()];
  expect(gradients(mul(x, x), [other])).toEqual([null]);
  expect(gradients(stopGradient(x), [x])).toEqual([null]);
});

test("the gradient of y with respect to itself is the seed", () => {
  const x = scalar();
  const seed = scalarConstant(7, "float64");
  expect(gradients(x, [x], seed)).toEqual([seed]);
});

test("a gradient with respect to a value in the middle treats it as free", () => {
  const x = scalar();
  const h = mul(x, x);
  const [dh, dx] = gradients(mul(h, h), [h, x]);
  expect(at(dh, [x, [2]])).toEqual([8]);
  expect(at(dx, [x, [2]])).toEqual([32]);
});

test("gradients are graphs: the third derivative of x⁴ is 24x", () => {
  const x = scalar();
  let y = mul(mul(x, x), mul(x, x));
  for (let i = 0; i < 3; i++) y = gradients(y, [x])[0]!;
  expect(at(y, [x, [2]])).toEqual([48]);
});

test("vjp sums over several outputs, also where one depends on the other", () => {
  const [x, u, v] = [scalar(), scalar(), scalar()];
  const h = mul(x, x);
  const y = mul(h, x);
  const [dx] = vjp([h, y], [u, v], [x]);
  expect(at(dx, [x, [2]], [u, [10]], [v, [1]])).toEqual([10 * 4 + 12]);
});

test("a custom gradient replaces that of what it wraps", () => {
  const x = scalar();
  const y = custom(exp(x), [x], (dy) => [mul(dy, scalarConstant(3, "float64"))]);
  expect(at(gradients(y, [x])[0], [x, [0]])).toEqual([3]);
});

test("gradients flow through floats only", () => {
  const x = scalar();
  expect(gradients(cast(cast(x, "int32"), "float64"), [x])).toEqual([null]);
});

describe("what cannot be asked is explained", () => {
  test("a tensor without a seed", () => {
    expect(() => gradients(argument(0, f64(2)), [])).toThrow(/\[2\] is not a scalar[\s\S]*sum or average/);
  });
  test("an integer", () => {
    expect(() => gradients(argument(0, { shape: [], dtype: "int32" }), [])).toThrow(/int32 has no gradient/);
  });
  test("a seed of another shape", () => {
    expect(() => gradients(argument(0, f64(2)), [], argument(1, f64(3)))).toThrow(/seed of shape \[3\] for an output of shape \[2\]/);
  });
  test("a seed of another type", () => {
    expect(() => gradients(scalar(), [], scalarConstant(1, "float32"))).toThrow(/float32 seed/);
  });
});

describe("size and depth", () => {
  test("100,000 chained nodes are differentiated", { tags: ["slow"] }, () => {
    const x = scalar();
    let y = x;
    for (let i = 0; i < 100_000; i++) y = add(y, x);
    const [dx] = gradients(y, [x]);
    expect(at(dx)).toEqual([100_001]);
  });

  test("a ladder of 60 rungs with 2⁶⁰ paths gets a gradient of linear size", () => {
    const x = scalar();
    const ladder = (rungs: number): Value => {
      let y = x;
      for (let i = 0; i < rungs; i++) y = mul(tanh(y), sigmoid(y));
      return y;
    };
    const nodes = (rungs: number): number => {
      const y = ladder(rungs);
      return topological([gradients(y, [x])[0]!]).length;
    };
    const [small, middle, large] = [nodes(20), nodes(40), nodes(60)];
    expect(large - middle).toBe(middle - small);
    expect(large).toBeLessThan(60 * 20);
  });

  test("10,000 uses of one value are summed by 9,999 additions", () => {
    const x = scalar();
    let y = exp(x);
    for (let i = 1; i < 10_000; i++) y = add(y, mul(x, scalarConstant(i, "float64")));
    const [dx] = gradients(y, [x]);
    expect(topological([dx!]).length).toBeLessThan(5 * 10_000);
  });

  test("a subgraph that no x feeds is not differentiated", () => {
    const [x, other] = [scalar(), scalar()];
    let heavy = other;
    for (let i = 0; i < 1000; i++) heavy = log(heavy);
    const y = mul(x, heavy);
    const before = ancestors([y]);
    const added = topological(gradients(y, [x]).map((g) => g!)).filter((v) => !before.has(v));
    expect(added.length).toBeLessThan(10);
  });
});

test("nodes of the gradient inherit the line of the forward node", () => {
  const site = { toString: () => "train.ts:14" };
  const x = scalar();
  const y = withSite(site, () => tanh(x));
  const z = mul(y, y);
  const [dx] = gradients(z, [x]);
  expect(dx!.site).toBe(site);
});

test("the gradients of a layer are those of the closed formulas", () => {
  const [x, w, b] = [argument(0, f64(2, 3)), argument(1, f64(3, 2)), argument(2, f64(2, 2))];
  const z = add(matmul(x, w), b);
  const loss = sum(mul(relu(z), relu(z)), [0, 1]);
  const inputs: [Value, number[]][] = [
    [x, [1, 2, -1, 0.5, -2, 3]],
    [w, [1, -1, 0.5, 2, -1, 0.25]],
    [b, [0.1, 0.2, 0.1, 0.2]],
  ];
  const [dw, db] = gradients(loss, [w, b]);
  const dz = at(relu(z), ...inputs).map((v) => 2 * v);
  expect(at(db, ...inputs)).toEqual(dz);
  const xs = inputs[0]![1];
  const closed = [0, 1, 2].flatMap((k) => [0, 1].map((j) => xs[k]! * dz[j]! + xs[3 + k]! * dz[2 + j]!));
  at(dw, ...inputs).forEach((value, i) => {
    expect(value).toBeCloseTo(closed[i]!, 12);
  });
});
