import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import type { Value } from "../../src/graph/op.ts";
import * as o from "../../src/ops/index.ts";
import { WasmRunner } from "../../src/runtime/wasm-runner.ts";
import { gradients } from "../../src/transform/gradients.ts";
import * as small from "../passes/random-graphs.ts";
import { difference, type Inputs, reference, runOn, stored } from "../targets/harness.ts";
import { buildGraph, choices, numbersFor } from "./graphs.ts";

const device = new WasmRunner({ threads: 2 });
afterAll(() => device.close());

function agree(outputs: readonly Value[], given: Inputs, slack: number): void {
  if (outputs.length === 0) return;
  const inputs = stored(given);
  const wanted = reference(outputs, inputs, slack);
  for (const optimize of [1, 0] as const)
    runOn(device, outputs, inputs, { optimize, threads: "all" }).forEach((got, i) => {
      expect(difference(got, wanted[i]!), `output ${i} (${outputs[i]!.op.name}) at optimize ${optimize}`).toBe(undefined);
    });
}

describe("A random graph gives the interpreter's numbers at both levels", { tags: ["slow"] }, () => {
  test("over small shapes of many ranks.", () => {
    fc.assert(
      fc.property(small.choices(24, 4), (steps) => {
        const { leaves, outputs } = small.buildGraph(steps);
        agree(outputs, new Map(small.numbersFor(leaves)), 16);
      }),
      { numRuns: 100, seed: 71 },
    );
  }, 60_000);

  test.each(["float64", "float32"] as const)(
    "over matrices of %s that blocks and vectors do not divide.",
    (dtype) => {
      fc.assert(
        fc.property(choices(30), (steps) => {
          const { leaves, outputs } = buildGraph(steps, dtype);
          agree(outputs, numbersFor(leaves), 16);
        }),
        { numRuns: 40, seed: 5 },
      );
    },
    60_000,
  );

  test("with the gradients with respect to all its leaves.", () => {
    fc.assert(
      fc.property(choices(16), (steps) => {
        const { leaves, outputs } = buildGraph(steps, "float64");
        if (outputs.length === 0) return;
        const loss = outputs.map((v) => o.sum(o.tanh(v), [...v.shape.keys()])).reduce(o.add);
        const slopes = gradients(loss, leaves).filter((g) => g !== null);
        agree([loss, ...slopes], numbersFor(leaves), 64);
      }),
      { numRuns: 30, seed: 12 },
    );
  }, 60_000);

  // A value that several results need is stored, where one result alone has it fused: other kernels.
  test("with each gradient in a program of its own.", () => {
    fc.assert(
      fc.property(choices(12), (steps) => {
        const { leaves, outputs } = buildGraph(steps, "float64");
        if (outputs.length === 0) return;
        const loss = outputs.map((v) => o.sum(o.tanh(v), [...v.shape.keys()])).reduce(o.add);
        for (const slope of gradients(loss, leaves)) if (slope !== null) agree([slope], numbersFor(leaves), 64);
      }),
      { numRuns: 20, seed: 77 },
    );
  }, 60_000);
});
