/** Reading the cases that make_nn.py and make_optim.py wrote. */
import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { type DType, gradients, type Tensor, tensor, type Variable, variable } from "../../src/index.ts";

export interface Packed {
  readonly shape: readonly number[];
  readonly data: readonly (number | string)[];
  readonly dtype: DType;
}

export interface Case {
  readonly name: string;
  readonly options: Record<string, any>;
  readonly inputs: Record<string, Packed>;
  readonly result: Packed;
  readonly weights: Packed;
  readonly gradients: Record<string, Packed>;
}

export const fixture = (name: string): any => JSON.parse(readFileSync(new URL(`../fixtures/${name}`, import.meta.url), "utf8"));

export const numbers = (packed: Packed): number[] => packed.data.map(Number);

export const unpack = (packed: Packed): Tensor => tensor(numbers(packed), packed.shape, { dtype: packed.dtype });

/** Runs a case: its floats are variables; the result and the gradients of Σ result · weights must be PyTorch's. */
export async function checkCase(c: Case, f: (inputs: Record<string, Tensor>) => Tensor): Promise<void> {
  const inputs: Record<string, Tensor> = {};
  for (const [name, packed] of Object.entries(c.inputs)) inputs[name] = name in c.gradients ? variable(unpack(packed)) : unpack(packed);
  const result = f(inputs);
  await expectClose(result, c.result);
  const names = Object.keys(c.gradients);
  const grads = gradients(
    result.mul(unpack(c.weights)).sum(),
    names.map((name) => inputs[name] as Variable),
    { unused: "zero" },
  );
  for (const [i, name] of names.entries()) await expectClose(grads[i] as Tensor, c.gradients[name]!);
}

/** Equal to within `tolerance`, relative for numbers above 1; NaN and infinities exactly. */
export async function expectClose(x: Tensor, expected: Packed, tolerance = 1e-10): Promise<void> {
  expect([...x.shape]).toEqual([...expected.shape]);
  expectNumbers([...(await x.data())], numbers(expected), tolerance);
}

export function expectNumbers(got: readonly number[], expected: readonly number[], tolerance: number): void {
  const off = expected.findIndex((e, i) => {
    const g = got[i]!;
    return Number.isFinite(e) ? !(Math.abs(g - e) <= tolerance * Math.max(1, Math.abs(e))) : !Object.is(g, e);
  });
  if (off >= 0) expect.fail(`element ${off} is ${got[off]}, should be ${expected[off]} (all: ${got.slice(0, 12).join(", ")})`);
  expect(got.length).toBe(expected.length);
}
