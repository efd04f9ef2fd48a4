/** The interpreter, which targets are compared with, against exact values and slopes (`test/fixtures/make_slopes.py`). */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { Op } from "../../src/graph/op.ts";
import { topological } from "../../src/graph/walk.ts";
import { evaluate } from "../../src/interpret/evaluate.ts";
import * as o from "../../src/ops/index.ts";
import { gradients } from "../../src/transform/gradients.ts";
import { ulps } from "../kernel/math-fixtures.ts";
import { graphsOf } from "../targets/sweep.ts";
import { BINARY, type Bound, UNARY } from "../targets/sweep-cases.ts";
import { ops, takesFloats } from "./registry.ts";

type Exact = readonly [nearest: number, more: number];
interface Case {
  readonly name: string;
  readonly rows: readonly (readonly [x: number, value: Exact, slope: Exact])[];
}
const CASES: readonly Case[] = JSON.parse(readFileSync(new URL("../fixtures/slopes.json", import.meta.url), "utf8"));

test.each(CASES)("The value and the slope of $name are exact to its bound.", ({ name, rows }) => {
  const each = UNARY.find((u) => u.name === name)!;
  const x = o.argument(0, { shape: [rows.length], dtype: "float64" });
  const got = evaluate(graphsOf(each, [x]), new Map([[x, rows.map((row) => row[0])]]));
  const bounds: readonly Bound[] = [each.value, each.slope!];
  bounds.forEach((bound, k) => {
    const bad = rows.flatMap((row, i) => {
      const [nearest, more] = row[k + 1] as Exact;
      const off = ulps(got[k]![i]!, nearest, more, "float64");
      const close = off <= bound.ulp || Math.abs(got[k]![i]! - nearest - more) <= (bound.floor ?? 0) * 2 ** -53;
      return close ? [] : [{ x: row[0], got: got[k]![i], wanted: nearest, off }];
    });
    bad.sort((a, b) => b.off - a.off);
    expect({ output: k, many: bad.length, bad: bad.slice(0, 5) }).toEqual({ output: k, many: 0, bad: [] });
  });
});

test("Every elementwise op that takes floats stands in the sweep over their whole range.", () => {
  const inputs = [0, 1].map((i) => o.argument(i, { shape: [1], dtype: "float64" as const }));
  const graphs = [...UNARY.map((u) => u.build(inputs[0]!)), ...BINARY.map((b) => b.build(...inputs))];
  const swept = new Set<Op>(topological(graphs).map((v) => v.op));
  const missing = Object.entries(ops).filter(([, op]) => takesFloats(op) && !swept.has(op));
  expect(missing.map(([name]) => name)).toEqual([]);
  expect(swept.size).toBeGreaterThan(30);
});

test("A sweep has a slope wherever there is a gradient, and exact slopes of it are kept unless it is exact itself.", () => {
  const inputs = [0, 1].map((i) => o.argument(i, { shape: [1], dtype: "float64" as const }));
  for (const { name, build, slope } of [...UNARY, ...BINARY]) {
    const y = build(...inputs.slice(0, build.length));
    const flows =
      y.dtype === "float64" || y.dtype === "float32"
        ? gradients(o.sum(y, [0]), inputs.slice(0, build.length)).some((g) => g !== null)
        : false;
    expect({ name, flows }).toEqual({ name, flows: slope !== undefined });
  }
  const kept = new Set(CASES.map(({ name }) => name));
  expect(UNARY.filter(({ name, slope }) => slope && slope.ulp > 0 && !kept.has(name)).map(({ name }) => name)).toEqual([]);
});
