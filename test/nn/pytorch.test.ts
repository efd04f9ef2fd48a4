import { describe, expect, test } from "vitest";
import type { Tensor } from "../../src/index.ts";
import * as activations from "../../src/nn/activations.ts";
import * as nn from "../../src/nn/index.ts";
import { type Case, checkCase, fixture } from "./fixtures.ts";

const cases = fixture("nn.json") as Record<"activations" | "layers" | "losses" | "distances", Case[]>;
const title = ({ name, options }: Case): string => `${name} ${JSON.stringify(options)}`;

/** The activation of a case with its options as its further arguments. */
function activation({ name, options }: Case): (x: Tensor) => Tensor {
  const f = (nn as unknown as Record<string, (x: Tensor, ...options: unknown[]) => Tensor>)[name]!;
  const values = Object.values(options);
  return (x) => f(x, ...values);
}

describe("activations have PyTorch's values and gradients, at 0 and at ±1000 too", () => {
  for (const c of cases.activations) test(title(c), () => checkCase(c, ({ x }) => activation(c)(x!)));
});

/** The layer of a case, by its name. */
const made: Record<string, (options: Case["options"]) => nn.Module & nn.Layer> = {
  Linear: ({ in: inputs, out, bias = true }) => new nn.Linear(inputs, out, { bias, dtype: "float64" }) as nn.Linear,
  Embedding: ({ count, features, ...rest }) => new nn.Embedding(count, features, { dtype: "float64", ...rest }),
};

/** The function of a case, of its tensors in their order. */
const called = ({ name }: Case, tensors: readonly Tensor[], options: object): Tensor =>
  (nn as unknown as Record<string, (...inputs: unknown[]) => Tensor>)[name]!(...tensors, options);

describe("layers have PyTorch's values and gradients", () => {
  for (const c of cases.layers)
    test(`${title(c)} on ${JSON.stringify(c.inputs.x!.shape)}`, () =>
      checkCase(c, ({ x, ...state }) => {
        const layer = made[c.name]!(c.options);
        return nn.functionalCall(layer, state, () => layer.forward(x!, nn.inference));
      }));
});

describe("losses have PyTorch's values and gradients, for every reduction", () => {
  for (const c of cases.losses)
    test(`${title(c)} ${Object.keys(c.inputs).join(" ")}`, () =>
      checkCase(c, ({ weight, ...tensors }) => called(c, Object.values(tensors), weight ? { ...c.options, weight } : c.options)));
});

describe("distances have PyTorch's values and gradients", () => {
  for (const c of cases.distances)
    test(`${title(c)} of ${JSON.stringify(c.inputs.x1!.shape)}`, () =>
      checkCase(c, (tensors) => called(c, Object.values(tensors), c.options)));
});

test("the fixtures hold every activation and loss", () => {
  const names = new Set([...cases.activations, ...cases.losses].map((c) => c.name));
  for (const name of Object.keys(activations)) expect(names).toContain(name);
  for (const name of [
    "mse",
    "l1",
    "huber",
    "smoothL1",
    "bceWithLogits",
    "crossEntropy",
    "nll",
    "klDivergence",
    "gaussianNll",
    "bce",
    "categoricalCrossEntropy",
    "multiLabelSoftMargin",
    "poissonNll",
    "hingeEmbedding",
    "softMargin",
    "multiMargin",
    "multiLabelMargin",
    "marginRanking",
    "cosineEmbedding",
    "tripletMargin",
  ])
    expect(names).toContain(name);
});
