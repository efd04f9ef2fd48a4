import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { GraphError, InternalError } from "../../src/core/errors.ts";
import { withSite } from "../../src/core/site.ts";
import { toDot } from "../../src/graph/dot.ts";
import type { Value } from "../../src/graph/op.ts";
import { printGraph } from "../../src/graph/print.ts";
import { verifyGraph } from "../../src/graph/verify.ts";
import { ancestors, descendants, topological } from "../../src/graph/walk.ts";
import { backward } from "../../src/interpret/backward.ts";
import { evaluate } from "../../src/interpret/evaluate.ts";
import { computeScalar, nearest } from "../../src/interpret/scalars.ts";
import { erf } from "../../src/kernel/math/erf.ts";
import * as o from "../../src/ops/index.ts";

const x = o.argument(0, { shape: [2, 3], dtype: "float32" });
const w = o.variable({ name: "W" }, { shape: [3, 1], dtype: "float32" });
const y = o.tanh(o.matmul(x, w));

describe("A walk", () => {
  test("meets inputs before what uses them, each node once.", () => {
    const order = topological([y, x]);
    expect(order.length).toBe(new Set(order).size);
    for (const v of order) for (const input of v.inputs) expect(order.indexOf(input)).toBeLessThan(order.indexOf(v));
  });
  test("knows ancestors and descendants.", () => {
    const product = y.inputs[0]!;
    expect(ancestors([product])).toEqual(new Set([x, w, product]));
    expect(descendants([w], topological([y]))).toEqual(new Set([w, product, y]));
  });
  test("of 100,000 chained nodes needs no stack; nor does their evaluation.", () => {
    let v = o.scalarConstant(0, "int32");
    const one = o.scalarConstant(1, "int32");
    for (let i = 0; i < 100_000; i++) v = o.add(v, one);
    expect(topological([v]).length).toBe(100_002);
    expect(evaluate([v])[0]![0]).toBe(100_000);
  });
  test("of a ladder with 2⁶⁰ paths is short.", () => {
    let v = o.scalarConstant(1, "float64");
    for (let i = 0; i < 60; i++) v = o.add(v, v);
    expect(topological([v]).length).toBe(61);
    expect(evaluate([v])[0]![0]).toBe(2 ** 60);
  });
});

test("A graph prints one line for each value, with shapes and the user's lines.", () => {
  const site = { toString: () => "net.ts:3" };
  const loss = withSite(site, () => o.sum(o.mul(y, o.filled(2, [2, 1], "float32")), [0, 1]));
  expect(printGraph([loss])).toBe(
    [
      "%0 = argument 0 : float32 [2, 3]",
      '%1 = variable "W" : float32 [3, 1]',
      "%2 = contract %0 %1 {axes: [{size: 2, in: [x, y]}, {size: 3, in: [x, w]}, {size: 1, in: [w, y]}], windows: [], result: y} : float32 [2, 1]",
      "%3 = tanh %2 : float32 [2, 1]",
      "%4 = constant 2 : float32 []   net.ts:3",
      "%5 = broadcast %4 {axes: []} : float32 [2, 1]   net.ts:3",
      "%6 = mul %3 %5 : float32 [2, 1]   net.ts:3",
      "%7 = sum %6 {axes: [0, 1]} : float32 []   net.ts:3",
      "return %7",
    ].join("\n"),
  );
});

test("A graph draws as DOT, with names and colours.", () => {
  const dot = toDot([y], { names: new Map([[x, "x"]]), colours: new Map([[y, "lightblue"]]) });
  expect(dot).toContain('n0 [label="x\\nfloat32 [2, 3]", shape=box];');
  expect(dot).toContain('label="variable \\"W\\"\\nfloat32 [3, 1]", shape=box');
  expect(dot).toContain('label="tanh\\nfloat32 [2, 1]", shape=ellipse, peripheries=2, style=filled, fillcolor="lightblue"');
  expect(dot).toContain("n0 -> n2;");
  expect(dot.startsWith("digraph {")).toBe(true);
});

test("What is collapsed is drawn as one operation, without what lies between.", () => {
  const inner = y.inputs[0]!;
  const collapsed = new Map([[y, { name: "layer", inputs: [x] }]]);
  const dot = toDot([y], { names: new Map([[x, "x"]]), collapsed, types: false });
  expect(dot.match(/label="[^"]*"/g)).toEqual(['label="x"', 'label="layer"']);
  expect(dot).toContain("n0 -> n1;");
  expect(toDot([inner], { collapsed })).not.toContain("layer");
});

test("A square has one arrow.", () => {
  const dot = toDot([o.mul(x, x)]);
  expect(dot).toContain('label="sqr\\n');
  expect(dot.match(/->/g)).toHaveLength(1);
});

describe("The verifier", () => {
  test("accepts what builders make.", () => {
    expect(() => verifyGraph([y])).not.toThrow();
  });
  test("finds a wrong shape, a younger input and a node that is not frozen.", () => {
    const broken = (change: Partial<Value>): Value => Object.freeze({ ...y, ...change });
    expect(() => verifyGraph([broken({ shape: [2, 2] })])).toThrow(/it is float32 \[2, 2\], its rule says float32 \[2, 1\]/);
    expect(() => verifyGraph([broken({ id: 0 })])).toThrow(/is younger/);
    expect(() => verifyGraph([{ ...y }])).toThrow(InternalError);
  });
});

describe("Evaluation", () => {
  test("asks for numbers of arguments.", () => {
    expect(() => evaluate([y], new Map([[w, [1, 2, 3]]]))).toThrow(GraphError);
    expect(() => evaluate([y], new Map([[x, [1]]]))).toThrow(/1 numbers for \[2, 3\]/);
  });
  test("keeps float64 inside unless it is told to round.", () => {
    const third = o.div(o.scalarConstant(1, "float32"), o.scalarConstant(3, "float32"));
    expect(evaluate([third])[0]![0]).toBe(1 / 3);
    expect(evaluate([third], new Map(), { round: true })[0]![0]).toBe(Math.fround(1 / 3));
  });
});

test("Back-propagation on numbers finds the gradient of a small net.", () => {
  const loss = o.sum(o.mul(y, y), [0, 1]);
  const inputs = new Map<Value, number[]>([[x, [1, 2, 3, -1, 0, 1]], [w, [0.1, -0.2, 0.3]]]); // biome-ignore format: pairs
  const [dw] = backward(loss, [w], inputs);
  const slope = (s: number): number => 2 * Math.tanh(s) * (1 - Math.tanh(s) ** 2);
  const [a, b] = [slope(0.1 - 0.4 + 0.9), slope(-0.1 + 0.3)];
  [a - b, 2 * a, 3 * a + b].forEach((wanted, i) => {
    expect(dw![i]).toBeCloseTo(wanted, 13);
  });
});

describe("Scalar operations", () => {
  test("know erf to the last bits.", () => {
    // Abramowitz and Stegun, table 7.1, and the limits.
    for (const [
      at,
      wanted,
    ] of [[0.5, 0.5204998778130465], [1, 0.8427007929497149], [2, 0.9953222650189527], [3, 0.9999779095030014], [1e-300, 1.1283791670955126e-300]] as const) // biome-ignore format: a table
      expect(Math.abs(erf(at) - wanted)).toBeLessThanOrEqual(4e-16 * wanted);
    expect([erf(Number.POSITIVE_INFINITY), erf(-0), erf(Number.NaN), erf(-1)]).toEqual([1, -0, Number.NaN, -erf(1)]);
  });
  test("compute a fused product without the rounding of its factors.", () => {
    const a = 1 + 2 ** -30;
    expect(computeScalar("fma", [a, a, -(1 + 2 ** -29)], "float64", "float64")).toBe(2 ** -60);
    expect(computeScalar("fma", [1e300, 1e300, Number.NEGATIVE_INFINITY], "float64", "float64")).toBe(Number.NaN);
  });
  test("round halves to even, and keep −0.", () => {
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 40), max: 2 ** 40 }), (n) => {
        expect(nearest(n + 0.5) % 2 === 0).toBe(true);
        expect(nearest(n + 0.25)).toBe(n === 0 ? 0 : n);
      }),
    );
    expect(nearest(-0.3)).toBe(-0);
  });
  test("take a float64 apart and build it again.", () => {
    fc.assert(
      fc.property(fc.double(), (d) => {
        const halves = (["low", "high"] as const).map((op) => computeScalar(op, [d], "uint32", "float64"));
        expect(computeScalar("pair", halves, "float64", "uint32")).toBe(d);
      }),
    );
  });
  test("divide floats toward −∞ with a remainder on the divisor's side.", () => {
    fc.assert(
      fc.property(
        fc.double({ min: -1e6, max: 1e6, noNaN: true }),
        fc.double({ min: 1e-3, max: 1e3, noNaN: true }),
        fc.boolean(),
        (a, size, down) => {
          const b = down ? -size : size;
          const [va, vb] = [o.scalarConstant(a, "float64"), o.scalarConstant(b, "float64")];
          const [q, r] = evaluate([o.floorDiv(va, vb), o.mod(va, vb)]).map((list) => list[0]!);
          expect(Number.isInteger(q)).toBe(true);
          // A tiny a of the other sign leaves b itself, as sums are rounded.
          expect(down ? r! <= 0 && r! >= b : r! >= 0 && r! <= b).toBe(true);
          expect(Math.abs(q! * b + r! - a)).toBeLessThanOrEqual(1e-9);
        },
      ),
    );
  });
});
