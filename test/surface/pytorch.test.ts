/** Functions of several operations against PyTorch: values and gradients kept in test/fixtures/surface.json by make_surface.py. */
import { describe, expect, test } from "vitest";
import * as gradus from "../../src/index.ts";
import { compile, gradcheck, gradgradcheck, gradients, type Tensor } from "../../src/index.ts";
import { expectClose, fixture, type Packed, unpack } from "../nn/fixtures.ts";

interface Case {
  readonly name: string;
  readonly arguments: readonly unknown[];
  readonly inputs: readonly Packed[];
  readonly result: Packed;
  readonly weights: Packed;
  readonly gradients: readonly (Packed | null)[];
}
const { cases } = fixture("surface.json") as { cases: Case[] };
const title = (c: Case): string => `${c.name} ${JSON.stringify(c.arguments)} of ${c.inputs.map(({ shape }) => `[${shape}]`).join(", ")}`;

/** The target that is quick to compile for. */
const WASM = { device: "wasm" } as const;

/** The function by its name; what only a tensor has, as a function of it. */
function called({ name, arguments: rest }: Case): (...xs: Tensor[]) => Tensor {
  const f = (gradus as unknown as Record<string, ((...xs: unknown[]) => Tensor) | undefined>)[name];
  if (f) return (...xs) => f(...xs, ...rest);
  return (x, ...xs) => (x as unknown as Record<string, (...xs: unknown[]) => Tensor>)[name]!(...xs, ...rest);
}

describe("compiled, values and gradients are PyTorch's", () => {
  for (const c of cases)
    test(title(c), async () => {
      const f = called(c);
      const inputs = c.inputs.map(unpack);
      const step = compile((...xs: Tensor[]) => {
        const tracked = xs.map((x, i) => (c.gradients[i] ? x.tracked() : x));
        const y = f(...tracked);
        const wanted = tracked.filter((_, i) => c.gradients[i]);
        return { y, slopes: gradients(y.mul(unpack(c.weights)).sum() as Tensor<[]>, wanted, { unused: "zero" }) };
      }, WASM);
      const { y, slopes } = step(...inputs);
      await expectClose(y, c.result);
      const expected = c.gradients.filter((g) => g !== null);
      for (const [i, g] of expected.entries()) await expectClose(slopes[i]!, g);
    });
});

describe("slopes of both orders are those that differences measure", () => {
  const small = new Map(cases.filter((c) => c.result.data.length > 0).map((c) => [`${c.name} ${c.inputs.map((x) => x.shape.length)}`, c]));
  for (const c of small.values())
    test(title(c), async () => {
      const f = called(c);
      expect(await gradcheck(f, c.inputs.map(unpack))).toMatchObject({ passed: true });
      expect(await gradgradcheck((...xs) => f(...xs).square(), c.inputs.map(unpack))).toMatchObject({ passed: true });
    });
});

test("the fixtures hold every function", () => {
  expect(new Set(cases.map((c) => c.name))).toEqual(
    new Set(["tril", "triu", "maskedFill", "reflectPad", "replicatePad", "circularPad", "scatterAdd", "scatterAddAlong", "cumprod"]),
  );
});
