import { describe, expect, test } from "vitest";
import { sameShape, sizeOf } from "../../src/core/shape.ts";
import type { Form, Value } from "../../src/graph/op.ts";
import { verifyGraph } from "../../src/graph/verify.ts";
import { topological } from "../../src/graph/walk.ts";
import { backward } from "../../src/interpret/backward.ts";
import { evaluate } from "../../src/interpret/evaluate.ts";
import * as o from "../../src/ops/index.ts";
import { batchGraph } from "../../src/transform/batch.ts";
import { gradients } from "../../src/transform/gradients.ts";
import { type OpName, ops } from "./registry.ts";
import { allSamples, differentiable, nestedSamples, randomNumbers, realise, samples } from "./samples.ts";

const everything = [...allSamples, ...nestedSamples];

type Numbers = Map<Value, Float64Array>;

/** A scalar that weights every element of y differently. */
function weighted(y: Value, seed: number): Value {
  const random = randomNumbers(seed);
  const weights = o.constant(
    new Float64Array(sizeOf(y.shape)).map(() => random() + 0.5),
    y.shape,
    "float64",
  );
  const product = o.mul(y, weights);
  return o.sum(product, [...y.shape.keys()]);
}

/** [f(x + h) − f(x − h)] / 2h for each element of x, in float64. */
function centralDifferences(y: Value, x: Value, inputs: Numbers): Float64Array {
  const at = inputs.get(x)!;
  const h = 1e-5;
  const value = (i: number, by: number): number => evaluate([y], new Map([...inputs, [x, at.with(i, at[i]! + by)]]))[0]![0]!;
  return at.map((_, i) => (value(i, h) - value(i, -h)) / (2 * h));
}

function expectClose(actual: Float64Array, wanted: Float64Array, tolerance: number, what: string): void {
  expect(actual.length).toBe(wanted.length);
  actual.forEach((a, i) => {
    const w = wanted[i]!;
    expect(Math.abs(a - w), `${what}, element ${i}: ${a} instead of ${w}`).toBeLessThanOrEqual(tolerance * Math.max(1, Math.abs(w)));
  });
}

test("Every op of the registry has samples, and is used by them under its own name.", () => {
  for (const [name, list] of Object.entries(samples)) {
    expect(list.length).toBeGreaterThan(0);
    expect(ops[name as OpName].name).toBe(name);
    if (name === "variable") continue;
    const used = list.some((each) => topological([realise(each, "float64").y]).some((v) => v.op === ops[name as OpName]));
    expect(used, name).toBe(true);
  }
});

describe.each(["float32", "float64"] as const)("In %s", (dtype) => {
  test.each(everything)("$title has the shape its rule says.", ({ sample }) => {
    const { y, inputs } = realise(sample, dtype);
    verifyGraph([y]);
    expect(evaluate([y], inputs)[0]!.length).toBe(sizeOf(y.shape));
  });
});

const smooth = everything.filter(({ sample }) => {
  const { y, xs } = realise(sample, "float64");
  return y.dtype === "float64" && differentiable(y, xs).length > 0;
});

describe("The gradient in float64", () => {
  test.each(smooth)("of $title is that of central differences.", ({ sample }) => {
    const { y, xs, inputs } = realise(sample, "float64");
    const loss = weighted(y, 5);
    const wrt = differentiable(y, xs);
    gradients(loss, wrt).forEach((g, i) => {
      const numeric = centralDifferences(loss, wrt[i]!, inputs);
      if (g) verifyGraph([g]);
      const symbolic = g ? evaluate([g], inputs)[0]! : new Float64Array(numeric.length);
      expectClose(symbolic, numeric, 1e-6, `input ${i}`);
    });
  });

  // Symbol-to-number back-propagation goes through no bodies.
  const flat = smooth.filter((each) => !nestedSamples.includes(each));
  test.each(flat)("of $title is the same by Algorithm 6.2.", ({ sample }) => {
    const { y, xs, inputs } = realise(sample, "float64");
    const loss = weighted(y, 5);
    const wrt = differentiable(y, xs);
    const numeric = backward(loss, wrt, inputs);
    gradients(loss, wrt).forEach((g, i) => {
      if (g) expectClose(numeric[i]!, evaluate([g], inputs)[0]!, 1e-12, `input ${i}`);
    });
  });

  test.each(smooth)("of $title can be differentiated again.", { tags: ["slow"] }, ({ sample }) => {
    const { y, xs, inputs } = realise(sample, "float64", 2);
    const wrt = differentiable(y, xs);
    gradients(weighted(y, 5), wrt).forEach((g) => {
      if (!g) return;
      const again = weighted(g, 7);
      gradients(again, wrt).forEach((gg, j) => {
        const numeric = centralDifferences(again, wrt[j]!, inputs);
        const symbolic = gg ? evaluate([gg], inputs)[0]! : new Float64Array(numeric.length);
        expectClose(symbolic, numeric, sample.tolerance ?? 1e-5, `input ${j}`);
      });
    });
  });
});

describe("Over a new leading axis", () => {
  const withInputs = everything.filter(({ sample }) => sample.inputs.length > 0);
  test.each(withInputs)("$title is what it is for each part.", { tags: ["slow"] }, ({ sample }) => {
    const parts = [1, 2, 3].map((seed) => realise(sample, "float64", seed));
    const { y, xs } = parts[0]!;
    // Every choice of which inputs have the axis, the others are those of the first part.
    for (let choice = 1; choice < 2 ** xs.length; choice++) {
      const has = (k: number): boolean => ((choice >> k) & 1) === 1;
      const wide = xs.map((x, k) => (has(k) ? o.argument(k, { shape: [3, ...x.shape], dtype: x.dtype }) : x));
      const [batchedY] = batchGraph([y], new Map(xs.flatMap((x, k) => (has(k) ? [[x, wide[k]!] as const] : []))), 3) as [Value];
      const wideInputs = new Map(
        wide.map((x, k) => [
          x,
          has(k) ? Float64Array.from(parts.flatMap((p) => [...p.inputs.get(p.xs[k]!)!])) : parts[0]!.inputs.get(xs[k]!)!,
        ]),
      );
      expect(batchedY!.shape).toEqual([3, ...y.shape]);
      verifyGraph([batchedY!]);
      const each = parts.flatMap((p) => [
        ...evaluate([y], new Map(xs.map((x, k) => [x, has(k) ? p.inputs.get(p.xs[k]!)! : parts[0]!.inputs.get(x)!])))[0]!,
      ]);
      expectClose(evaluate([batchedY!], wideInputs)[0]!, Float64Array.from(each), 1e-12, `choice ${choice}`);
    }
  });
});

describe("A contraction without windows", () => {
  const withWindows = samples.contract.filter((each) =>
    topological([realise(each, "float64").y]).some((v) => v.op === o.contractOp && !o.plainForm(v.attributes as Form)),
  );
  test.each(withWindows)("is what it was: $title", (each) => {
    const { y, xs, inputs } = realise(each, "float64");
    for (const v of [y, ...gradients(weighted(y, 3), xs).map((g) => g!)]) {
      const plain = o.withoutWindows(v);
      verifyGraph([plain]);
      const products = topological([plain]).filter((each) => each.op === o.contractOp && !inputs.has(each));
      expect(products.length).toBeGreaterThan(0);
      for (const product of products) expect(o.plainForm(product.attributes as Form)).toBe(true);
      expect(sameShape(plain.shape, v.shape)).toBe(true);
      const [a, b] = evaluate([plain, v], inputs);
      expectClose(a!, b!, 1e-12, each.title);
    }
  });
});
