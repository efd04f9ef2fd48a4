/** Kernels of one structure are lowered once: what that gives is what lowering each gives. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bytesOf } from "../../src/core/dtype.ts";
import type { Value } from "../../src/graph/op.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import type { Schedule } from "../../src/kernel/schedule.ts";
import { loopTarget } from "../../src/lower/loops/target.ts";
import { onceEach } from "../../src/lower/once.ts";
import type { Lowered, LoweringContext, Target } from "../../src/lower/target.ts";
import * as o from "../../src/ops/index.ts";
import { optimise } from "../../src/passes/index.ts";
import { schedule } from "../../src/schedule/index.ts";
import { gradients } from "../../src/transform/gradients.ts";
import * as small from "../passes/random-graphs.ts";
import { buildGraph, choices } from "../schedule/graphs.ts";
import { STEPS } from "../snapshots/steps.ts";

const MACHINE = { vectorBytes: 16, tile: { rows: 4, vectors: 2, nested: false }, depth: 256 };

/** A target that counts how many kernels it was asked to lower. */
function counting(): Target & { asked: number } {
  const target = loopTarget(MACHINE);
  return {
    asked: 0,
    lower(kernel, context) {
      this.asked++;
      return target.lower(kernel, context);
    },
  };
}

function lowered(made: Schedule, target: Target): Lowered[] {
  const dtypes = made.buffers.map((b) => b.dtype);
  const context: LoweringContext = {
    dtypeOf: (b) => dtypes[b]!,
    sizeOf: () => 0,
    isSettled: () => false,
    allocate: (bytes, dtype) => {
      expect(bytes % bytesOf(dtype)).toBe(0);
      return dtypes.push(dtype) - 1;
    },
  };
  const kernels = made.steps.flatMap((step): readonly Kernel[] => (step.do === "commit" ? [] : step.kernels));
  return kernels.map((k) => target.lower(k, context));
}

/** How many kernels were lowered, of how many. */
function agrees(made: Schedule): { lowered: number; of: number } {
  const each = counting();
  const wanted = lowered(made, each);
  const once = counting();
  expect(lowered(made, onceEach(once))).toEqual(wanted);
  return { lowered: once.asked, of: each.asked };
}

const scheduled = (outputs: readonly Value[]): Schedule => schedule({ outputs: optimise(outputs), assignments: [] });

describe("Lowering kernels of one structure once", () => {
  test("gives the calls of lowering each, with its own buffers and checks, over random graphs beside copies of themselves", () => {
    fc.assert(
      fc.property(small.choices(20, 3), choices(20), (a, b) => {
        const outputs = [0, 1].flatMap(() => [small.buildGraph(a).outputs, buildGraph(b, "float32", 100).outputs].flat());
        if (outputs.length > 0) agrees(scheduled(outputs));
      }),
      { numRuns: 40, seed: 3 },
    );
  });

  test.each(Object.keys(STEPS))("gives the calls of lowering each for %s", (name) => {
    agrees(STEPS[name]!());
  });

  test("lowers the layers of a deep network a few times, whatever its depth", () => {
    const network = (layers: number): { lowered: number; of: number } => {
      const leaves = Array.from({ length: layers + 1 }, (_, i) => o.argument(i, { shape: [64, 64], dtype: "float32" }));
      const [x, ...weights] = leaves as [Value, ...Value[]];
      const y = weights.reduce((h, w) => o.tanh(o.matmul(h, w)), x);
      const loss = o.sum(y, [0, 1]);
      return agrees(scheduled([loss, ...gradients(loss, weights).map((g) => g!)]));
    };
    const [shallow, deep] = [network(6), network(40)];
    expect(deep.of).toBeGreaterThan(shallow.of + 60);
    expect(deep.lowered).toBe(shallow.lowered);
  });

  test("keeps apart what differs in a stride, a number, the sign of a zero, a type, or in which of its buffers are the same", () => {
    const [a, b] = [0, 1].map((i) => o.argument(i, { shape: [8, 8], dtype: "float32" })) as [Value, Value];
    const k = (n: number): Value => o.scalarLike(a, n);
    const apart = [o.add(a, b), o.add(a, o.transpose(b, [1, 0])), o.add(a, k(2)), o.add(a, k(3)), o.mul(a, k(0)), o.mul(a, k(-0)), o.mul(a, a), o.mul(a, b)]; // biome-ignore format: pairs
    const whole = [0, 1].map((i) => o.argument(i, { shape: [8, 8], dtype: "float64" })) as [Value, Value];
    const counted = counting();
    const once = onceEach(counted);
    for (const v of [...apart, o.add(...whole)]) {
      const made = scheduled([v]);
      expect(lowered(made, once)).toEqual(lowered(made, counting()));
    }
    expect(counted.asked).toBe(apart.length + 1);
  });
});
