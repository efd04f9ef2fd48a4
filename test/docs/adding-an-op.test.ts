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
async function opOfThePage(): Promise<{ logAddExp2(a: Value, b: Value): Value }> {
  const page = readFileSync(join(root, "docs/adding-an-op.md"), "utf8");
  const code = /## 1\.[\s\S]*?```ts fragment\n([\s\S]*?)```/.exec(page)![1]!;
  const src = join(root, "src");
  const file = join(folder, "op.ts");
  writeFileSync(
    file,
    `import { apply } from "${src}/graph/op.ts";
import { eq, mul, neg, scalarLike, select, sigmoid, sub, zerosLike } from "${src}/ops/index.ts";
import { elementwise, floats } from "${src}/ops/rules.ts";
import { call, compare, constant as number, scalar, select as choose } from "${src}/kernel/expr.ts";
import * as functions from "${src}/kernel/math/functions.ts";
type Value = any; type Elementwise<I> = any; type Binary = any;
${code}`,
  );
  return import(/* @vite-ignore */ pathToFileURL(file).href);
}

test("The op of docs/adding-an-op.md computes log₂(2ᵃ + 2ᵇ) without overflow, and its gradient and second gradient.", async () => {
  const { logAddExp2 } = await opOfThePage();
  const [a, b] = [o.argument(0, { shape: [5], dtype: "float64" }), o.argument(1, { shape: [5], dtype: "float64" })];
  const inf = Number.POSITIVE_INFINITY;
  const inputs = new Map([
    [a, [0.5, 1000, -1000, inf, -inf]],
    [b, [-1, 1000, 3, inf, 2]],
  ]);
  const y = logAddExp2(a, b);
  const wanted = [Math.log2(2 ** 0.5 + 2 ** -1), 1001, 3, inf, 2];
  expect([...evaluate([y], inputs)[0]!]).toEqual(wanted.map((v) => (v === inf ? inf : expect.closeTo(v, 12))));

  const [da, db] = gradients(o.sum(y, [0]), [a, b]);
  const [slopesA, slopesB] = evaluate([da!, db!], inputs);
  const share = 1 / (1 + 2 ** -1.5);
  expect([...slopesA!]).toEqual([share, 0.5, 0, 0.5, 0].map((v) => expect.closeTo(v, 12)));
  expect([...slopesB!]).toEqual([1 - share, 0.5, 1, 0.5, 1].map((v) => expect.closeTo(v, 12)));
  const second = evaluate(
    gradients(o.sum(da!, [0]), [a]).map((g) => g!),
    inputs,
  )[0]!;
  expect(second[0]).toBeCloseTo(share * (1 - share) * Math.LN2, 12);
});

test("The op of docs/adding-an-op.md refuses integers with its own name.", async () => {
  const { logAddExp2 } = await opOfThePage();
  const n = o.argument(0, { shape: [2], dtype: "int32" });
  expect(() => logAddExp2(n, n)).toThrow("logAddExp2: needs float32 or float64, not int32");
});
