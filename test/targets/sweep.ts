/** Elementwise functions and their slopes over the whole range of floats: denormals, both zeros, infinities and NaN, neighbours of special points. */
import { describe, expect, test } from "vitest";
import { isFloat, store } from "../../src/core/dtype.ts";
import type { Value } from "../../src/graph/op.ts";
import { evaluate } from "../../src/interpret/evaluate.ts";
import * as o from "../../src/ops/index.ts";
import { gradients } from "../../src/transform/gradients.ts";
import { ulps } from "../kernel/math-fixtures.ts";
import { compileAhead, runOn, type TargetCase } from "./harness.ts";
import { onTarget } from "./suite.ts";
import { BINARY, type Bound, type FloatType, numbersOf, pairsOf, type SweepCase, UNARY } from "./sweep-cases.ts";

const UNIT = { float32: 2 ** -24, float64: 2 ** -53 };

/** The value, and the slopes in all arguments. */
export function graphsOf({ build, slope }: SweepCase, xs: readonly Value[]): Value[] {
  const y = build(...xs);
  if (!slope) return [y];
  return [y, ...gradients(o.sum(y, [0]), xs).map((g, i) => g ?? o.zerosLike(xs[i]!))];
}

const LARGEST = { float32: 3.4028234663852886e38, float64: Number.MAX_VALUE };
const NORMAL = { float32: 2 ** -126, float64: 2 ** -1022 };

/** How far off, where that is more than allowed; else 0. */
function excess(got: number, wanted: number, v: Value, bound: Bound): number {
  if (!isFloat(v.dtype)) return got === store(wanted, v.dtype) ? 0 : Number.POSITIVE_INFINITY;
  const dtype = v.dtype as FloatType;
  const exact = bound.ulp === 0 ? store(wanted, dtype) : wanted;
  const off = ulps(got, exact, 0, dtype);
  if (off <= bound.ulp) return 0;
  return bound.floor !== undefined && Math.abs(got - wanted) <= bound.floor * UNIT[dtype] ? 0 : off;
}

/** Whether a slope can be compared: one that is made of a result with few digits, or of one that overflows, has no more. */
function isComparable(
  { early = 1, inside = () => true }: SweepCase,
  args: readonly number[],
  value: number,
  slope: number,
  dtype: FloatType,
): boolean {
  const size = Math.abs(value);
  if (size > 0 && size < NORMAL[dtype]) return false;
  if (Number.isFinite(slope) && Math.abs(slope) > LARGEST[dtype] / early) return false;
  return inside(args, dtype);
}

interface Sweep {
  readonly title: string;
  readonly each: SweepCase;
  readonly xs: readonly Value[];
  readonly columns: readonly (readonly number[])[];
  readonly outputs: Value[];
}

function sweepsOf(dtype: FloatType): Sweep[] {
  const make = (columns: readonly (readonly number[])[]) => (each: SweepCase) => {
    const xs = columns.map((c, i) => o.argument(i, { shape: [c.length], dtype }));
    return { title: `${each.name} (${dtype})`, each, xs, columns, outputs: graphsOf(each, xs) };
  };
  return [...UNARY.map(make([numbersOf(dtype)])), ...BINARY.map(make(pairsOf(dtype)))];
}

export function sweepSuite(target: TargetCase): void {
  onTarget({ ...target, quick: false }, (device) => {
    const sweeps = [...sweepsOf("float32"), ...sweepsOf("float64")];
    describe("Over the whole range of floats", () => {
      test(
        "the sweeps compile together.",
        () =>
          compileAhead(
            device(),
            sweeps.map((s) => s.outputs),
          ),
        180_000,
      );
      test.each(sweeps)("$title and its slope are what the interpreter says.", ({ each, xs, columns, outputs }) => {
        const inputs = new Map(xs.map((x, i) => [x, columns[i]!]));
        const wanted = evaluate(outputs, inputs);
        for (const optimize of target.levels) {
          const got = runOn(device(), outputs, inputs, { optimize, threads: target.threads, order: target.order });
          outputs.forEach((v, k) => {
            const bound = k === 0 ? each.value : each.slope!;
            const bad = got[k]!.flatMap((g, i) => {
              const args = columns.map((c) => c[i]!);
              if (k > 0 && !isComparable(each, args, wanted[0]![i]!, wanted[k]![i]!, xs[0]!.dtype as FloatType)) return [];
              const off = excess(g, wanted[k]![i]!, v, bound);
              return off === 0 ? [] : [{ at: args, got: g, wanted: wanted[k]![i], off }];
            });
            bad.sort((a, b) => b.off - a.off);
            expect({ output: k, optimize, many: bad.length, bad: bad.slice(0, 5) }).toEqual({ output: k, optimize, many: 0, bad: [] });
          });
        }
      });
    });
  });
}
