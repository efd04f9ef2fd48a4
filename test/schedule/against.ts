/** A graph's results on a device against the interpreter's, optimised and not. */
import { expect } from "vitest";
import { sizeOf } from "../../src/core/shape.ts";
import type { Value } from "../../src/graph/op.ts";
import { evaluate } from "../../src/interpret/evaluate.ts";
import type { Runner } from "../../src/runtime/runner.ts";
import { runGraph } from "./run.ts";

/** n float64 numbers between −1 and 1, others for another seed. */
export const wave = (n: number, seed = 0): Float64Array => Float64Array.from({ length: n }, (_, i) => Math.sin(i * 1.3 + seed));

/** @param args arguments 0, 1, … of the graph, in float64 */
export function againstInterpreter(device: Runner, outputs: readonly Value[], args: readonly Value[]): void {
  const data = args.map((a, i) => wave(sizeOf(a.shape), i));
  const wanted = evaluate(outputs, new Map(args.map((a, i) => [a, data[i]!])));
  for (const optimize of [1, 0] as const)
    runGraph(device, outputs, data, { optimize, threads: "all" }).forEach((got, k) => {
      const off = got.findIndex((g, i) => !(Math.abs(g - wanted[k]![i]!) <= 1e-8 * (1 + Math.abs(wanted[k]![i]!))));
      expect(off < 0 ? "same" : `output ${k} at optimize ${optimize}, element ${off}: ${got[off]}, not ${wanted[k]![off]}`).toBe("same");
    });
}
