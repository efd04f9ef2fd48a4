/** Layers that normalise: PyTorch's numbers, running statistics among them, and what they promise besides. */
import { describe, expect, test } from "vitest";
import { Generator, type Tensor } from "../../src/index.ts";
import * as nn from "../../src/nn/index.ts";
import { type Case, checkCase, expectClose, fixture, type Packed, unpack } from "./fixtures.ts";

interface NormCase extends Case {
  /** What the layer holds besides its parameters, before and after. */
  readonly buffers: Record<string, Packed>;
  readonly more: Record<string, Packed>;
}
const { cases } = fixture("norms.json") as { cases: NormCase[] };
const title = ({ name, options, inputs }: Case): string => `${name} ${JSON.stringify(options)} of ${JSON.stringify(inputs.x!.shape)}`;

type NormLayer = new (...settings: unknown[]) => nn.Module & { forward(x: Tensor, mode: nn.Mode): Tensor };
const rng = new Generator(0);

/** Puts in what is there of a state. */
function load(layer: nn.Module, state: Record<string, Packed>): void {
  const tensors = Object.fromEntries(Object.entries(state).map(([name, packed]) => [name, unpack(packed)]));
  layer.loadStateDict(tensors, { strict: false });
}

function layerOf({ name, options, buffers }: NormCase): InstanceType<NormLayer> {
  const { arguments: settings, training: _, ...rest } = options;
  const Layer = (nn as unknown as Record<string, NormLayer>)[name]!;
  const layer = new Layer(...settings, { ...rest, ...(Layer === (nn.LocalResponseNorm as unknown) ? {} : { dtype: "float64" }) });
  load(layer, buffers);
  return layer;
}

describe("layers that normalise have PyTorch's values and gradients", () => {
  for (const c of cases)
    test(title(c), async () => {
      const layer = layerOf(c);
      const mode = c.options.training ? nn.training(rng) : nn.inference;
      await checkCase(c, ({ x, ...state }) => nn.functionalCall(layer, state, () => layer.forward(x!, mode)));
      // What is called as a function leaves the layer as it was.
      for (const [name, packed] of Object.entries(c.buffers)) await expectClose(layer.namedVariables().get(name)!, packed);
      expect([...layer.namedVariables().keys()].toSorted()).toEqual(
        [...Object.keys(c.inputs).slice(1), ...Object.keys(c.buffers)].toSorted(),
      );

      nn.init(layer, 0);
      load(layer, Object.fromEntries(Object.entries(c.inputs).slice(1)));
      await expectClose(layer.forward(unpack(c.inputs.x!), mode), c.result);
      for (const [name, packed] of Object.entries(c.more)) await expectClose(layer.namedVariables().get(name)!, packed);
    });
});
