import { describe, expect, test } from "vitest";
import type { Type, Value } from "../../src/graph/op.ts";
import { evaluate } from "../../src/interpret/evaluate.ts";
import {
  add,
  argument,
  broadcastTo,
  cos,
  custom,
  einsum,
  exp,
  filled,
  logSoftmax,
  matmul,
  mul,
  reshape,
  sin,
  slice,
  softmax,
  stopGradient,
  sub,
  sum,
  tanh,
  transpose,
} from "../../src/ops/index.ts";
import { batchGraph, gradcheck, gradgradcheck, gradients, hessian, hvp, jacobian, jvp } from "../../src/transform/index.ts";

const f64 = (...shape: number[]): Type => ({ shape, dtype: "float64" });
const at = (output: Value, inputs: readonly (readonly [Value, readonly number[]])[]): number[] =>
  Array.from(evaluate([output], new Map(inputs))[0]!);
const numbers = (count: number, offset = 0): number[] => Array.from({ length: count }, (_, i) => Math.sin(i * 1.7 + offset) + 0.3);
const expectClose = (a: ArrayLike<number>, b: ArrayLike<number>, digits = 10): void => {
  expect(a.length).toBe(b.length);
  Array.from(a).forEach((v, i) => {
    expect(v).toBeCloseTo(b[i]!, digits);
  });
};

describe("vmap", () => {
  /** Row by row must be the same as all at once. */
  function compareWithRows(build: (x: Value, w: Value) => Value, shape: number[], wShape: number[]): void {
    const [x, w] = [argument(0, f64(...shape)), argument(1, f64(...wShape))];
    const y = build(x, w);
    const size = 3;
    const all = argument(2, f64(size, ...shape));
    const [batched] = batchGraph([y], new Map([[x, all]]), size);
    expect(batched!.shape).toEqual([size, ...y.shape]);
    const n = shape.reduce((p, d) => p * d, 1);
    const [data, weights] = [
      numbers(size * n),
      numbers(
        wShape.reduce((p, d) => p * d, 1),
        5,
      ),
    ];
    const rows = Array.from({ length: size }, (_, i) =>
      at(y, [
        [x, data.slice(i * n, (i + 1) * n)],
        [w, weights],
      ]),
    ).flat();
    expectClose(
      at(batched!, [
        [all, data],
        [w, weights],
      ]),
      rows,
    );
  }

  test("maps arithmetic, with what is not mapped repeated", () => compareWithRows((x, w) => mul(tanh(x), w), [4], [4]));
  test("maps products", () => compareWithRows((x, w) => matmul(x, w), [2, 3], [3, 2]));
  test("maps products from the other side", () => compareWithRows((x, w) => matmul(w, x), [2, 3], [4, 2]));
  test("maps moves and reductions", () => compareWithRows((x, w) => add(sum(transpose(reshape(x, [3, 2]), [1, 0]), [1]), w), [2, 3], [2]));
  test("maps softmax", () => compareWithRows((x, w) => mul(softmax(x, 1), w), [2, 3], [2, 3]));
  test("maps custom gradients, whose value stays", () =>
    compareWithRows(
      (x, w) =>
        mul(
          custom(exp(x), [x], (dy) => [dy]),
          w,
        ),
      [2],
      [2],
    ));
  test("maps a gradient: per-example gradients of a shared weight", () =>
    compareWithRows((x, w) => gradients(sum(tanh(matmul(x, w)), [0, 1]), [w])[0]!, [2, 3], [3, 2]));

  test("what does not depend on the mapped values is repeated", () => {
    const [x, other] = [argument(0, f64(2)), argument(1, f64(2))];
    const [y] = batchGraph([exp(other)], new Map([[x, argument(2, f64(3, 2))]]), 3);
    expectClose(at(y!, [[other, [0, 1]]]), [1, Math.E, 1, Math.E, 1, Math.E]);
  });

  test("custom gradients are mapped with their op", () => {
    const x = argument(0, f64(2));
    const y = custom(exp(x), [x], (dy, _, x) => [mul(dy, sin(x))]);
    const all = argument(1, f64(3, 2));
    const [batched] = batchGraph([y], new Map([[x, all]]), 3);
    const [dx] = gradients(sum(batched!, [0, 1]), [all]);
    const data = numbers(6);
    expectClose(at(dx!, [[all, data]]), data.map(Math.sin));
  });

  test("a replacement of the wrong shape is refused", () => {
    const x = argument(0, f64(2));
    expect(() => batchGraph([x], new Map([[x, argument(1, f64(3, 4))]]), 3)).toThrow(/\[3, 4\] for an input of float64 \[2\]/);
  });

  test("10,000 chained nodes are mapped", () => {
    const x = argument(0, f64());
    let y = x;
    for (let i = 0; i < 10_000; i++) y = add(y, x);
    const all = argument(1, f64(2));
    expect(at(batchGraph([y], new Map([[x, all]]), 2)[0]!, [[all, [1, 2]]])).toEqual([10_001, 20_002]);
  });
});

describe("jvp, Jacobians and Hessians", () => {
  const x = argument(0, f64(3));
  const data = [0.3, -0.7, 1.2];
  const f = (x: Value): Value => einsum("ij,j->i", argumentMatrix, tanh(x));
  const argumentMatrix = argument(1, f64(2, 3));
  const matrix = [1, 2, 3, -1, 0.5, 4];
  const inputs = [
    [x, data],
    [argumentMatrix, matrix],
  ] as const;

  test("a Jacobian has a row for each element of y", () => {
    const [j] = jacobian(f(x), [x]);
    expect(j!.shape).toEqual([2, 3]);
    expectClose(
      at(j!, inputs),
      matrix.map((m, i) => m * (1 - Math.tanh(data[i % 3]!) ** 2)),
    );
  });

  test("jvp is the Jacobian times the tangent", () => {
    const t = argument(2, f64(3));
    const tangent = [1, -2, 0.5];
    const [moved] = jvp([f(x)], [x], [t]);
    const j = at(jacobian(f(x), [x])[0]!, inputs);
    expectClose(
      at(moved!, [...inputs, [t, tangent]]),
      [0, 1].map((i) => tangent.reduce((s, tj, k) => s + j[i * 3 + k]! * tj, 0)),
    );
  });

  test("jvp of what does not move is zero", () => {
    const t = argument(2, f64(3));
    expect(at(jvp([exp(argumentMatrix)], [x], [t])[0]!, [...inputs, [t, [1, 1, 1]]])).toEqual([0, 0, 0, 0, 0, 0]);
  });

  test("the Jacobian of a scalar is its gradient, of an unreached x zeros", () => {
    const y = sum(f(x), [0]);
    const other = argument(3, f64(2));
    const [j, zero] = jacobian(y, [x, other]);
    expectClose(at(j!, inputs), at(gradients(y, [x])[0]!, inputs));
    expect(at(zero!, inputs)).toEqual([0, 0]);
  });

  test("the Hessian of Rosenbrock's function is that of the book of formulas", () => {
    const p = argument(0, f64(2));
    const pick = (i: number): Value => reshape(slice(p, { starts: [i], steps: [1], sizes: [1] }), []);
    const [a, b] = [pick(0), pick(1)];
    const curve = sub(b, mul(a, a));
    const y = add(
      mul(sub(filled(1, [], "float64"), a), sub(filled(1, [], "float64"), a)),
      mul(filled(100, [], "float64"), mul(curve, curve)),
    );
    const [u, v] = [0.4, -1.1];
    expectClose(at(hessian(y, p), [[p, [u, v]]]), [2 - 400 * (v - 3 * u * u), -400 * u, -400 * u, 200]);
  });

  test("hvp is the Hessian times a vector", () => {
    const y = sum(mul(sin(x), mul(x, f3(x))), [0]);
    const v = argument(4, f64(3));
    const vector = [0.5, 2, -1];
    const h = at(hessian(y, x), [[x, data]]);
    expectClose(
      at(hvp(y, [x], [v])[0]!, [
        [x, data],
        [v, vector],
      ]),
      [0, 1, 2].map((i) => vector.reduce((s, vj, j) => s + h[3 * i + j]! * vj, 0)),
    );
  });
  const f3 = (x: Value): Value => mul(broadcastTo(sum(x, [0]), [3], []), cos(x));

  test("hvp of a function that is linear is zero", () => {
    const v = argument(4, f64(3));
    expect(
      at(hvp(sum(x, [0]), [x], [v])[0]!, [
        [x, data],
        [v, [1, 2, 3]],
      ]),
    ).toEqual([0, 0, 0]);
  });
});

describe("gradcheck", () => {
  const points = [
    { ...f64(2, 3), data: numbers(6) },
    { ...f64(2, 3), data: numbers(6, 2) },
  ];

  test("passes a right gradient, first and second", () => {
    const f = ([a, b]: Value[]): Value => mul(logSoftmax(a!, 1), sin(b!));
    const first = gradcheck(f, points);
    expect(first.passed).toBe(true);
    expect(first.checked).toBe(12);
    expect(first.largestError).toBeLessThan(1e-8);
    expect(gradgradcheck(f, points).passed).toBe(true);
  });

  test("finds a wrong gradient and names the worst elements", () => {
    const wrong = ([a]: Value[]): Value => custom(mul(a!, a!), [a!], (dy) => [dy]);
    const report = gradcheck(wrong, points.slice(0, 1));
    expect(report.passed).toBe(false);
    expect(report.worst[0]!.error).toBe(report.largestError);
    expect(report.worst[0]!.input).toBe(0);
  });

  test("finds a gradient that is missing, and a NaN", () => {
    expect(gradcheck(([a]) => stopGradient(exp(a!)), points.slice(0, 1)).passed).toBe(false);
    expect(
      gradcheck(([a]) => custom(exp(a!), [a!], (dy) => [mul(dy, filled(Number.NaN, [2, 3], "float64"))]), points.slice(0, 1)).passed,
    ).toBe(false);
  });

  test("finds a wrong second derivative behind a right first one", () => {
    const f = ([a]: Value[]): Value => custom(exp(a!), [a!], (dy, y) => [mul(dy, stopGradient(y))]);
    expect(gradcheck(f, points.slice(0, 1)).passed).toBe(true);
    expect(gradgradcheck(f, points.slice(0, 1)).passed).toBe(false);
  });

  test("data that does not fill its shape is refused", () => {
    expect(() => gradcheck(([a]) => a!, [{ ...f64(2), data: [1] }])).toThrow(/1 numbers for a shape of 2 elements/);
  });
});
