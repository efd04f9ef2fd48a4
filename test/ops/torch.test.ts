/** The oracle against PyTorch: values and gradients kept in test/fixtures/ops.json by make_ops.py. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Form, Value } from "../../src/graph/op.ts";
import { evaluate } from "../../src/interpret/evaluate.ts";
import * as o from "../../src/ops/index.ts";
import { optimise } from "../../src/passes/index.ts";
import { gradients } from "../../src/transform/gradients.ts";
import { ops, takesFloats } from "./registry.ts";

interface Encoded {
  readonly shape: readonly number[];
  readonly data: readonly (number | string)[];
}
interface Attributes {
  readonly axis: number;
  readonly descending: boolean;
  readonly indices: readonly number[];
  readonly text: string;
  readonly size: number;
  readonly stride: number;
}
interface Case {
  readonly op: string;
  readonly inputs: readonly Encoded[];
  readonly output: Encoded;
  readonly attributes: Attributes;
  readonly gradients?: readonly (Encoded | null)[];
}

const file = new URL("../fixtures/ops.json", import.meta.url);
const { cases } = JSON.parse(readFileSync(file, "utf8")) as { cases: readonly Case[] };
const decode = ({ data }: Encoded): number[] => data.map((x) => Number(typeof x === "string" ? x.replace("inf", "Infinity") : x));

/** Weights 0, 1, 2 … over the trailing axes, as the script multiplies some results by. */
const ramp = (y: Value, trailing: number): Value => {
  const shape = y.shape.slice(y.shape.length - trailing);
  const weights = o.reshape(o.iota([shape.reduce((n, d) => n * d, 1)], 0, y.dtype), shape);
  return o.mul(y, o.broadcastTo(weights, y.shape));
};

const CONVOLUTION: Form = {
  axes: [
    { size: 1, in: ["x", "y"] },
    { size: 2, in: ["x", "w"] },
    { size: 3, in: ["w", "y"] },
  ],
  windows: [
    { x: 5, w: 2, y: 3, stride: 2, dilation: 1, pad: 1 },
    { x: 5, w: 2, y: 3, stride: 2, dilation: 2, pad: 1 },
  ],
  order: { w: [1, 0, 2, 3] },
  result: "y",
};
const TRANSPOSED: Form = {
  axes: [
    { size: 1, in: ["x", "y"] },
    { size: 3, in: ["w", "y"] },
    { size: 2, in: ["x", "w"] },
  ],
  windows: [
    { x: 5, w: 3, y: 3, stride: 2, dilation: 1, pad: 1 },
    { x: 5, w: 3, y: 3, stride: 2, dilation: 1, pad: 1 },
  ],
  result: "x",
};

type Build = (xs: readonly Value[], attributes: Attributes) => Value;
const along =
  (reduce: (x: Value, axes: readonly number[]) => Value): Build =>
  ([x], { axis }) =>
    reduce(x!, [axis]);
const pooled = (x: Value, size: number, stride: number): Value =>
  o.windows(o.windows(x, { axis: 0, size, stride, dilation: 1 }), { axis: 2, size, stride, dilation: 1 });
const special: Record<string, Build> = {
  sum: along(o.sum),
  product: along(o.product),
  mean: along(o.mean),
  max: along(o.max),
  min: along(o.min),
  logSumExp: along(o.logSumExp),
  argmax: ([x], { axis }) => o.argmax(x!, axis),
  argmin: ([x], { axis }) => o.argmin(x!, axis),
  maxPool: ([x], { size, stride }) => o.max(pooled(x!, size, stride), [1, 3]),
  averagePool: ([x], { size, stride }) => o.mean(pooled(x!, size, stride), [1, 3]),
  softmax: ([x], { axis }) => ramp(o.softmax(x!, axis), 1),
  logSoftmax: ([x], { axis }) => ramp(o.logSoftmax(x!, axis), 1),
  cumsum: ([x], { axis }) => o.cumsum(x!, axis),
  cumprod: ([x], { axis }) => o.cumprod(x!, axis),
  sort: ([x], { axis }) => ramp(o.sort(x!, axis), 1),
  argsort: ([x], { axis, descending }) => o.argsort(x!, axis, { descending }),
  gather: ([x], { indices }) => o.gather(x!, o.constant(Int32Array.from(indices), [indices.length], "int32"), { fromEnd: true }),
  einsum: (xs, { text }) => o.einsum(text, ...xs),
  convolution: ([x, w]) => ramp(o.contract(CONVOLUTION, x!, w!), 2),
  transposedConvolution: ([y, w]) => ramp(o.contract(TRANSPOSED, w!, y!), 2),
};
const build = (of: Case, xs: readonly Value[]): Value =>
  special[of.op]?.(xs, of.attributes) ?? (o as unknown as Record<string, (...xs: Value[]) => Value>)[of.op]!(...xs);

function expectSame(actual: ArrayLike<number>, wanted: readonly number[], of: Case, what: string): void {
  wanted.forEach((w, i) => {
    const at = `${what} ${i} of ${of.op}(${of.inputs.map((x) => (x.data.length === wanted.length ? x.data[i] : "…")).join(", ")})`;
    if (!Number.isFinite(w)) expect(actual[i], at).toBe(w);
    else expect(Math.abs(actual[i]! - w), `${at}: ${actual[i]} instead of ${w}`).toBeLessThanOrEqual(1e-13 * Math.max(1, Math.abs(w)));
  });
}

describe("As in PyTorch:", () => {
  test.each(cases.map((of, i) => ({ ...of, title: `${of.op} (${i})` })))("$title", (of) => {
    const xs = of.inputs.map((x, i) => o.argument(i, { shape: x.shape, dtype: "float64" }));
    const inputs = new Map(xs.map((x, i) => [x, decode(of.inputs[i]!)]));
    const y = build(of, xs);
    expect(y.shape).toEqual(of.output.shape);
    expectSame(evaluate([y], inputs)[0]!, decode(of.output), of, "value");
    if (!of.gradients) return;
    const found = gradients(o.sum(y, [...y.shape.keys()]), xs) as Value[];
    for (const [stage, list] of [
      ["as it is", found],
      ["optimised", optimise(found)],
    ] as const)
      list.forEach((g, i) => {
        expectSame(evaluate([g], inputs)[0]!, decode(of.gradients![i]!), of, `gradient ${i} ${stage}`);
      });
  });
});

test("PyTorch's numbers are kept of every op of floats, element by element.", () => {
  const kept = new Set(cases.map((of) => of.op));
  // No functions of numbers: they choose, convert, or are defined otherwise.
  const others = new Set(["select", "cast"]);
  const missing = Object.entries(ops).filter(([name, op]) => takesFloats(op) && !kept.has(name) && !others.has(name));
  expect(missing.map(([name]) => name)).toEqual([]);
});
