import fc from "fast-check";
import { test, expect } from "vitest";
import { evaluate } from "/work/main/src/graph/evaluate.ts";
import * as o from "/work/main/src/ops/index.ts";
import { optimise } from "/work/main/src/passes/index.ts";
import { gradients } from "/work/main/src/transform/index.ts";
import { buildGraph, choices, numbersFor } from "/work/main/test/passes/random-graphs.ts";
import { topological } from "/work/main/src/graph/walk.ts";
import { trainingStep } from "/work/main/test/passes/optimise.test.ts";
test("stress", () => {
  let before = 0, after = 0;
  fc.assert(fc.property(choices(30, 5), (steps) => {
    const { leaves, outputs } = buildGraph(steps);
    const loss = outputs.map((v) => o.sum(v, [...v.shape.keys()])).reduce((a, b) => o.add(a, b), o.scalarConstant(0, "float64"));
    const all = [loss, ...outputs, ...gradients(loss, leaves).filter((g) => g !== null)];
    const opt = optimise(all);
    before += topological(all).length; after += topological(opt).length;
    const inputs = numbersFor(leaves);
    const a = evaluate(all, inputs), b = evaluate(opt, inputs);
    a.forEach((v, k) => v.forEach((n, i) => { const m = b[k]![i]!; if (!(Object.is(n, m) || n === m || Math.abs(n - m) <= 1e-8 * Math.max(1, Math.abs(n)))) throw new Error(`${k} ${i}: ${n} ${m}`); }));
  }), { numRuns: 3000 });
  console.log(before, after);
}, 100000);
test("time", () => {
  for (let i = 0; i < 30; i++) optimise(trainingStep());
  const step = trainingStep();
  const t = performance.now(); for (let i = 0; i < 10; i++) optimise(step);
  console.log("ms", (performance.now() - t) / 10, topological(step).length, topological(optimise(step)).length);
}, 100000);
