import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, expect, test } from "vitest";
import type { Value } from "../../src/graph/op.ts";
import { evaluate } from "../../src/interpret/evaluate.ts";
import * as o from "../../src/ops/index.ts";
import { gradients } from "../../src/transform/gradients.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "gradus-op-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** The op that docs/adding-an-op.md writes, as a module beside the library. */
async function opOfThePage(): Promise<{ hypot(a: Value, b: Value): Value }> {
  const page = readFileSync(join(root, "docs/adding-an-op.md"), "utf8");
  const code = /## 1\.[\s\S]*?```ts fragment\n([\s\S]*?)```/.exec(page)![1]!;
  const src = join(root, "src");
  const file = join(folder, "hypot.ts");
  writeFileSync(
    file,
    `import { apply } from "${src}/graph/op.ts";
import { div, eq, mul, scalarLike, select, zerosLike } from "${src}/ops/index.ts";
import { elementwise, floats } from "${src}/ops/rules.ts";
import { compare, constant as number, scalar, select as choose } from "${src}/kernel/expr.ts";
type Value = any; type Elementwise<I> = any; type Binary = any;
${code}`,
  );
  return import(/* @vite-ignore */ pathToFileURL(file).href);
}

test("The op of docs/adding-an-op.md computes √(a² + b²) without overflow, and its gradient and second gradient.", async () => {
  const { hypot } = await opOfThePage();
  const [a, b] = [o.argument(0, { shape: [4], dtype: "float64" }), o.argument(1, { shape: [4], dtype: "float64" })];
  const [as, bs] = [
    [3, -1e200, 0, 0.5],
    [4, 1e200, 0, -2],
  ];
  const inputs = new Map([
    [a, as],
    [b, bs],
  ]);
  const y = hypot(a, b);
  expect([...evaluate([y], inputs)[0]!]).toEqual(as.map((v, i) => expect.closeTo(Math.hypot(v, bs[i]!), v < -1e100 ? -190 : 12)));

  const [da, db] = gradients(o.sum(y, [0]), [a, b]);
  const [slopesA, slopesB] = evaluate([da!, db!], inputs);
  expect([...slopesA!]).toEqual([0.6, -Math.SQRT1_2, 0, 0.5 / Math.hypot(0.5, 2)].map((v) => expect.closeTo(v, 12)));
  expect([...slopesB!]).toEqual([0.8, Math.SQRT1_2, 0, -2 / Math.hypot(0.5, 2)].map((v) => expect.closeTo(v, 12)));
  // ∂²/∂a² = b² / (a² + b²)^{3/2}.
  const second = evaluate(
    gradients(o.sum(da!, [0]), [a]).map((g) => g!),
    inputs,
  )[0]!;
  expect(second[0]).toBeCloseTo(16 / 125, 12);
});

test("The op of docs/adding-an-op.md refuses integers with its own name.", async () => {
  const { hypot } = await opOfThePage();
  const n = o.argument(0, { shape: [2], dtype: "int32" });
  expect(() => hypot(n, n)).toThrow("hypot: needs float32 or float64, not int32");
});
