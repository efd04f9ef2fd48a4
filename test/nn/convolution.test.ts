/** Layers that slide kernels: PyTorch's numbers, and what they promise beyond them. */
import { describe, expect, test } from "vitest";
import { compile, gradients, type Tensor, zeros } from "../../src/index.ts";
import {
  Conv1d,
  Conv2d,
  Conv3d,
  ConvTranspose1d,
  ConvTranspose2d,
  ConvTranspose3d,
  Flatten,
  functionalCall,
  init,
  Linear,
  relu,
  Sequential,
  summary,
} from "../../src/nn/index.ts";
import { sgd } from "../../src/optim/index.ts";
import { type Case, checkCase, fixture } from "./fixtures.ts";

const cases = fixture("conv.json") as Record<"layers", Case[]>;
const LAYERS = { Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d };

describe("convolutions have PyTorch's values and gradients", () => {
  for (const c of cases.layers) {
    const { in: inputs, out, kernelSize, ...options } = c.options;
    test(`${c.name} ${JSON.stringify(c.options)} of ${JSON.stringify(c.inputs.x!.shape)}`, () =>
      checkCase(c, ({ x, ...state }) => {
        const layer = new LAYERS[c.name as keyof typeof LAYERS](inputs, out, kernelSize, { dtype: "float64", ...options });
        return functionalCall(layer as never, state, () => layer.forward(x!));
      }));
  }
});

describe("A convolution", () => {
  test("has PyTorch's names and shapes of parameters, and starts as there: U(±1/√fan in)", async () => {
    const layer = init(new Conv2d(4, 6, [3, 5], { groups: 2 }), 0);
    const state = layer.stateDict();
    expect(Object.entries(state).map(([name, { shape }]) => [name, shape])).toEqual([["weight", [6, 2, 3, 5]], ["bias", [6]]]); // biome-ignore format: pairs
    const bound = 1 / Math.sqrt(2 * 3 * 5);
    for (const t of Object.values(state)) {
      const largest = Math.max(...(await t.abs().data()));
      expect(largest).toBeLessThanOrEqual(bound);
      expect(largest).toBeGreaterThan(0.6 * bound);
    }
  });

  test("takes images without a batch, and with several axes of it", () => {
    const layer = init(new Conv2d(3, 5, 3), 0);
    const shapes = [[3, 7, 6], [2, 3, 7, 6], [2, 4, 3, 7, 6], [0, 3, 7, 6]].map((s) => layer.forward(zeros(s)).shape); // biome-ignore format: shapes
    expect(shapes).toEqual([[5, 5, 4], [2, 5, 5, 4], [2, 4, 5, 5, 4], [0, 5, 5, 4]]); // biome-ignore format: shapes
  });

  test("of no images has a gradient of zeros", async () => {
    const layer = init(new Conv2d(3, 5, 3, { stride: 2 }), 0);
    const x = zeros([0, 3, 7, 6]).tracked();
    const [dx, dw] = gradients(layer.forward(x).square().sum(), [x, layer.weight]);
    expect(dx!.shape).toEqual([0, 3, 7, 6]);
    expect(Math.max(...(await dw!.abs().data()))).toBe(0);
  });

  test("is counted in a summary", () => {
    const model = new Sequential(
      new Conv2d(1, 6, 5, { padding: 2 }),
      relu,
      new Conv2d(6, 16, 5),
      new Flatten(),
      new Linear(16 * 24 * 24, 10),
    );
    const text = summary(model, [1, 1, 28, 28]);
    expect(text).toMatch(/0 \(Conv2d\) +\[1, 6, 28, 28\] +156\n/);
    expect(text).toMatch(/2 \(Conv2d\) +\[1, 16, 24, 24\] +2,416\n/);
  });

  test("learns within a compiled step", async () => {
    const model = init(new Sequential(new Conv2d(1, 4, 3, { stride: 2 }), relu, new Flatten(), new Linear(36, 1)), 0);
    const optimizer = sgd(model.parameters(), { lr: 0.01 });
    const step = compile((x: Tensor, y: Tensor) => {
      const loss = model.forward(x).sub(y).square().mean();
      optimizer.minimize(loss);
      return loss;
    });
    const [x, y] = [zeros([4, 1, 7, 7]).add(1), zeros([4, 1]).add(2)];
    const first = await (step(x, y) as Tensor).item();
    for (let i = 0; i < 20; i++) step(x, y);
    expect(await (step(x, y) as Tensor).item()).toBeLessThan(first / 10);
  });
});

describe("A transposed convolution", () => {
  test("has PyTorch's names and shapes of parameters, and starts as there", async () => {
    const layer = init(new ConvTranspose2d(6, 4, [3, 5], { groups: 2 }), 0);
    expect([...layer.namedVariables()].map(([name, { shape }]) => [name, shape])).toEqual([["weight", [6, 2, 3, 5]], ["bias", [4]]]); // biome-ignore format: pairs
    const largest = Math.max(...(await layer.weight.value.abs().data()));
    expect(largest).toBeLessThanOrEqual(1 / Math.sqrt(30));
    expect(largest).toBeGreaterThan(0.9 / Math.sqrt(30));
  });

  test("gives a strided convolution's input its size back, whichever it was", () => {
    for (const size of [7, 8, 9, 10]) {
      const down = init(new Conv1d(1, 2, 4, { stride: 3, padding: 1 }), 0).forward(zeros([1, 1, size]));
      const outputPadding = (size + 2 - 4) % 3;
      expect(init(new ConvTranspose1d(2, 1, 4, { stride: 3, padding: 1, outputPadding }), 0).forward(down).shape).toEqual([1, 1, size]);
    }
  });

  test("makes images larger, in the middle of a chain of layers", () => {
    const model = init(
      new Sequential(new ConvTranspose2d(8, 4, 4, { stride: 2, padding: 1 }), relu, new Conv2d(4, 1, 3, { padding: "same" })),
      0,
    );
    expect(model.forward(zeros([2, 8, 4, 5])).shape).toEqual([2, 1, 8, 10]);
  });
});

describe("A convolution refuses, naming the layer, what it is and what to write,", () => {
  const refusals: readonly [what: string, f: () => unknown, says: RegExp][] = [
    ["another number of channels", () => new Conv2d(3, 6, 5).forward(zeros([2, 1, 8, 8]) as Tensor), /^Conv2d: the input is \[2, 1, 8, 8\].*\n {2}why: it has 1 channel, the layer was made for 3\n {2}help: write new Conv2d\(1, 6, 5\)/], // biome-ignore format: a table
    ["grey images without an axis for it", () => new Conv2d(1, 6, 5).forward(zeros([9, 8, 8]) as Tensor), /^Conv2d: .*\n.*made for 1\n {2}help: x.unsqueeze\(1\) is \[9, 1, 8, 8\]/], // biome-ignore format: a table
    ["too few axes", () => new Conv1d(3, 6, 5).forward(zeros([3]) as Tensor), /^Conv1d: the input is \[3\].*\n {2}why: it needs an axis of 3 channels, and 1 of space/], // biome-ignore format: a table
    ["a kernel that does not fit", () => init(new Conv2d(1, 1, 5, { padding: 1 }), 0).forward(zeros([1, 1, 8, 2])), /^Conv2d: a kernel that reaches over 5 does not fit into axis 3 of \[1, 1, 8, 2\].*\n {2}why: the axis has 2 \+ 1 \+ 1 = 4 elements with its padding\n {2}help: .*padding of 2/], // biome-ignore format: a table
    ["a dilated kernel that does not fit", () => init(new Conv2d(1, 1, 3, { dilation: 4 }), 0).forward(zeros([1, 1, 8, 9])), /reaches over 9 does not fit into axis 2/], // biome-ignore format: a table
    ["a kernel of 0", () => new Conv2d(3, 6, [3, 0]), /^Conv2d: the kernel size is \[3, 0\]/],
    ["kernels of other axes", () => new Conv3d(3, 6, [3, 3]), /^Conv3d: the kernel size is \[3, 3\].*\n {2}why: it is a whole number ≥ 1, or 3 of them/], // biome-ignore format: a table
    ["a stride of 0", () => new Conv2d(3, 6, 3, { stride: 0 }), /^Conv2d: the stride is 0/],
    ["half a dilation", () => new Conv1d(3, 6, 3, { dilation: 0.5 }), /^Conv1d: the dilation is 0.5/],
    ["no groups", () => new Conv2d(3, 6, 3, { groups: 0 }), /^Conv2d: groups is 0/],
    ["groups that do not divide", () => new Conv2d(3, 6, 3, { groups: 2 }), /^Conv2d: groups is 2.*\n {2}why: .*divides the 3 channels of the input and the 6/], // biome-ignore format: a table
    ["channels that are none", () => new Conv2d(0, 6, 3), /^Conv2d: inChannels is 0/],
    ["padding that is no word", () => new Conv2d(3, 6, 3, { padding: "smae" as "same" }), /^Conv2d: the padding is "smae".*\n.*"valid", "same", "full"/], // biome-ignore format: a table
    ["the padding of another number of axes", () => new Conv2d(3, 6, 3, { padding: [[1, 1]] }), /^Conv2d: the padding is \[\[1,1\]\].*\n.*2 pairs/], // biome-ignore format: a table
    ["same sizes with a stride", () => new Conv2d(3, 6, 5, { padding: "same", stride: 2 }), /^Conv2d: padding "same" with a stride of 2.*\n.*\n {2}help: padding: \[2, 2\]/], // biome-ignore format: a table
    ["padding beyond any memory", () => init(new Conv2d(1, 1, 3, { padding: 1e9 }), 0).forward(zeros([1, 1, 4, 4])), /^Conv2d: .* has \d+ elements/], // biome-ignore format: a table
    ["an option that there is not", () => new Conv2d(3, 6, 3, { strides: 2 } as object), /^Conv2d: there is no option "strides".*\n {2}help: did you mean stride/], // biome-ignore format: a table
    ["other channels to be transposed", () => new ConvTranspose2d(3, 6, 4).forward(zeros([2, 6, 8, 8]) as Tensor), /^ConvTranspose2d: the input is \[2, 6, 8, 8\].*\n.*\n {2}help: write new ConvTranspose2d\(6, 6, 4\)/], // biome-ignore format: a table
    ["more behind than the stride leaves open", () => new ConvTranspose1d(3, 6, 4, { stride: 2, outputPadding: 2 }), /^ConvTranspose1d: the output padding is 2.*\n {2}why: .*stride of 2/], // biome-ignore format: a table
    ["padding in words where something is cut off", () => new ConvTranspose2d(3, 6, 4, { padding: "same" as unknown as number }), /^ConvTranspose2d: the padding is "same"/], // biome-ignore format: a table
    ["to cut off everything", () => init(new ConvTranspose1d(1, 1, 2, { padding: 2 }), 0).forward(zeros([1, 1, 3])), /^ConvTranspose1d: axis 2 of \[1, 1, 3\] would become 0 long.*\n {2}why: 1 · \(3 − 1\) \+ 2 − 2 − 2 \+ 0 = 0/], // biome-ignore format: a table
    ["to put anything behind a layer that is not transposed", () => new Conv1d(3, 6, 4, { outputPadding: 1 } as object), /^Conv1d: there is no option "outputPadding"/], // biome-ignore format: a table
    ["several tensors", () => (new Conv2d(3, 6, 3) as any).forward(zeros([3, 4, 4]), zeros([3, 4, 4])), /^Conv2d: forward takes one tensor/], // biome-ignore format: a table
  ];
  for (const [what, f, says] of refusals) test(what, () => expect(f).toThrow(says));
});
