/** The one suite that every compiled target runs. */
import { afterAll, beforeAll, describe, test } from "vitest";
import type { DType } from "../../src/core/dtype.ts";
import { sizeOf } from "../../src/core/shape.ts";
import type { Value } from "../../src/graph/op.ts";
import * as o from "../../src/ops/index.ts";
import { gradients } from "../../src/transform/gradients.ts";
import { allSamples, differentiable, randomNumbers, realise, type Sample } from "../ops/samples.ts";
import type { GraphRunner } from "../schedule/run.ts";
import { compileAhead, expectSame, type Inputs, type TargetCase } from "./harness.ts";

/** A scalar that weights every element of y differently. */
export function weighted(y: Value, seed: number): Value {
  const random = randomNumbers(seed);
  const weights = o.constant(
    new Float64Array(sizeOf(y.shape)).map(() => Math.fround(random() + 0.5)),
    y.shape,
    "float64",
  );
  return o.sum(o.mul(y, y.dtype === "float64" ? weights : o.cast(weights, y.dtype)), [...y.shape.keys()]);
}

const flows = (list: readonly (Value | null)[]): Value[] => list.filter((g) => g !== null);

/** Runs `checks` with a device of the target, or says why it cannot. */
export function onTarget(
  target: TargetCase,
  checks: (device: () => GraphRunner, compare: (outputs: readonly Value[], inputs: Inputs, slack?: number) => void) => void,
): void {
  if (target.missing !== undefined) {
    test.skip(`${target.name} is skipped: ${target.missing}`, () => {});
    return;
  }
  describe(target.name, { tags: target.quick ? [] : ["slow"] }, () => {
    let device: GraphRunner;
    beforeAll(() => {
      device = target.open();
    });
    afterAll(() => device?.close());
    checks(
      () => device,
      (outputs, inputs, slack = 1) =>
        expectSame(device, outputs, inputs, { threads: target.threads, levels: target.levels, order: target.order, slack }),
    );
  });
}

interface Case {
  readonly title: string;
  readonly inputs: Inputs;
  /** A gradient of a gradient has more roundings in it than a value. */
  readonly graphs: readonly { readonly outputs: Value[]; readonly slack: number }[];
}

/** A sample's own value, its first gradients, and all with the second ones. */
function caseOf(title: string, sample: Sample, dtype: DType): Case {
  const { y, xs, inputs } = realise(sample, dtype);
  const wrt = differentiable(y, xs);
  const first = wrt.length > 0 ? flows(gradients(weighted(y, 5), wrt)) : [];
  const second = first.flatMap((g) => flows(gradients(weighted(g, 7), wrt)));
  const value = { outputs: [y], slack: 1 };
  if (first.length === 0) return { title, inputs, graphs: [value] };
  return { title, inputs, graphs: [value, { outputs: first, slack: 4 }, { outputs: [y, ...first, ...second], slack: 16 }] };
}

/** Of float32 all in one graph, of float64 the value. */
const shortened =
  (dtype: DType) =>
  (each: Case): Case => ({ ...each, graphs: dtype === "float32" ? each.graphs.slice(-1) : each.graphs.slice(0, 1) });

/** Every sample of every op, with gradients of gradients. */
export function sampleSuite(target: TargetCase): void {
  onTarget(target, (device, compare) => {
    describe.each(["float32", "float64"] as const)("in %s", (dtype) => {
      const all = allSamples.map(({ title, sample }) => caseOf(title, sample, dtype));
      const cases = target.slow ? all.map(shortened(dtype)) : all;
      beforeAll(
        () =>
          compileAhead(
            device(),
            cases.flatMap(({ graphs }) => graphs.map((g) => g.outputs)),
          ),
        120_000,
      );
      test.each(cases)("$title has the interpreter's values and gradients.", ({ graphs, inputs }) => {
        for (const { outputs, slack } of graphs) compare(outputs, inputs, slack);
      });
    });
  });
}
