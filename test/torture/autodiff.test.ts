/** Graphs that are deep, cut, reassigned or not defined at a point. */
import { compile, GraphError, gradients, type Tensor, tensor, variable, where } from "gradus";
import { describe, expect, test } from "vitest";
import type { Value } from "../../src/graph/op.ts";
import { evaluate } from "../../src/interpret/evaluate.ts";
import * as ops from "../../src/ops/index.ts";
import { optimise } from "../../src/passes/index.ts";
import { gradients as gradientsOf } from "../../src/transform/gradients.ts";
import { DEVICES, numbers, refused, USER_LINE } from "./harness.ts";

const loose = (x: unknown): any => x;

describe("torture 18: gradients of what is not there", () => {
  test("torture 18: a variable that the loss does not use is an error by name, or zeros where that is asked for", async () => {
    const [w, u] = [variable([1, 2], { name: "w" }), variable([3], { name: "u" })];
    const error = refused(() => gradients(w.sum(), [w, u]));
    expect(error).toBeInstanceOf(GraphError);
    expect(error.message).toMatch(/does not depend on u[\s\S]*unused: "zero"/);
    expect(error.message).toMatch(USER_LINE);
    const [dw, du] = gradients(w.sum(), [w, u], { unused: "zero" });
    expect([await numbers(dw as Tensor), await numbers(du as Tensor)]).toEqual([[1, 1], [0]]);
  });

  test("torture 18: a loss that is no scalar, no float or no tensor is refused", () => {
    const w = variable([1, 2], { name: "w" });
    expect(refused(() => gradients(loose(w.mul(2)), [w])).message).toMatch(/not a scalar[\s\S]*y\.sum\(\)/);
    expect(refused(() => gradients(loose(w.sum().cast("int32")), [w])).message).toMatch(/no gradient/);
    for (const bad of [3, null, undefined, "w", {}, [w, w]]) refused(() => gradients(loose(bad), [w]));
    for (const bad of [3, null, "w", { w: 3 }, [null], new Date(), () => w]) refused(() => gradients(w.sum(), loose(bad)));
  });

  test("torture 18: the same variable twice gets its gradient twice", async () => {
    const w = variable([1, 2]);
    const [a, b] = gradients(w.square().sum(), [w, w]) as Tensor[];
    expect([await numbers(a!), await numbers(b!)]).toEqual([[2, 4], [2, 4]]); // biome-ignore format: pairs
  });
});

describe("torture 19: deep graphs", () => {
  test("torture 19: 50,000 chained nodes are differentiated, optimised and evaluated without the stack running out", () => {
    const x = ops.argument(0, { shape: [], dtype: "float64" });
    let y: Value = x;
    for (let i = 0; i < 50_000; i++) y = ops.mul(y, ops.scalarConstant(1 + 1 / 50_000, "float64"));
    const [gradient] = gradientsOf(y, [x]);
    const [value, slope] = optimise([y, gradient!], { level: 0 });
    const [numbersOfY, numbersOfSlope] = evaluate([value!, slope!], new Map([[x, [2]]]));
    expect(numbersOfSlope![0]).toBeCloseTo((1 + 1 / 50_000) ** 50_000, 6);
    expect(numbersOfY![0]).toBeCloseTo(2 * (1 + 1 / 50_000) ** 50_000, 6);
  }, 60_000);

  // A node costs a tenth of a millisecond or more to compile: 50,000 take a minute.
  const LINKS = Number(process.env.GRADUS_CHAIN ?? 2_000);
  test(`torture 19: a program of ${LINKS} links runs forward and backward`, async () => {
    const x = variable([2]);
    const step = compile(() => {
      let y: Tensor = x;
      for (let i = 0; i < LINKS; i++) y = y.mul(1 + 1 / LINKS);
      return gradients(y.sum() as Tensor<[]>, x) as Tensor;
    }, { device: "wasm" }); // biome-ignore format: one call
    expect(await step().item()).toBeCloseTo(Math.E, 2);
  }, 600_000);

  test("torture 19: a chain of additions outside a program does not pile up once it was read", async () => {
    let s: Tensor = tensor([0]);
    for (let i = 0; i < 3000; i++) {
      s = s.add(1);
      if (i % 3 === 0) await s.data();
    }
    expect(await numbers(s)).toEqual([3000]);
  });
});

test.each(DEVICES)("torture 20: where(x > 0, √x, 0) has the gradient NaN at 0, and the safe form has 0, on %s", async (device) => {
  const x = variable([0, 4]);
  const slopes = compile(() => ({
    trap: gradients(where(x.gt(0), x.sqrt(), 0).sum() as Tensor<[]>, x) as Tensor,
    safe: gradients(where(x.gt(0), where(x.gt(0), x, 1).sqrt(), 0).sum() as Tensor<[]>, x) as Tensor,
  }), { device }); // biome-ignore format: one call
  const { trap, safe } = slopes();
  expect(await numbers(trap)).toEqual([Number.NaN, 0.25]);
  expect(await numbers(safe)).toEqual([0, 0.25]);
});

describe("torture 21: cells that were assigned between the loss and its gradient", () => {
  test("torture 21: outside and inside a program it is an error, not a wrong gradient", () => {
    const v = variable([1], { name: "v" });
    const y = v.square().sum() as Tensor<[]>;
    v.assign([2]);
    expect(refused(() => gradients(y, v)).message).toMatch(/assigned after y was built[\s\S]*before assigning/);
    const step = compile(() => {
      const loss = v.square().sum() as Tensor<[]>;
      v.assign([3]);
      return gradients(loss, v) as Tensor;
    });
    expect(refused(step).message).toMatch(/assigned after y was built/);
  });

  test("torture 21: the gradient of what was built before an assignment keeps the old numbers", async () => {
    const v = variable([3]);
    const slope = gradients(v.square().sum() as Tensor<[]>, v) as Tensor;
    v.assign([100]);
    expect(await numbers(slope)).toEqual([6]);
  });
});
