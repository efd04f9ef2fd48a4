/** Layers that slide kernels: PyTorch's numbers, and what they promise beyond them. */
import { describe, expect, test } from "vitest";
import {
  compile,
  conv1d,
  Generator,
  gradcheck,
  gradgradcheck,
  gradients,
  locallyConnected1d,
  locallyConnected2d,
  type Tensor,
  vmap,
  zeros,
} from "../../src/index.ts";
import {
  Conv1d,
  Conv2d,
  Conv3d,
  ConvTranspose1d,
  ConvTranspose2d,
  ConvTranspose3d,
  Flatten,
  Fold,
  functionalCall,
  init,
  Linear,
  LocallyConnected1d,
  LocallyConnected2d,
  type Module,
  relu,
  Sequential,
  summary,
  Unfold,
} from "../../src/nn/index.ts";
import { sgd } from "../../src/optim/index.ts";
import { type Case, checkCase, fixture } from "./fixtures.ts";

const cases = fixture("conv.json") as Record<"layers", Case[]>;
const LAYERS = { Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d };
const LOCAL = { LocallyConnected1d, LocallyConnected2d };

/** The layer of a case, in float64. */
function layerOf({ name, options: { in: inputs, out, inputSize, kernelSize, ...rest } }: Case): Module & { forward(x: Tensor): Tensor } {
  const options = { dtype: "float64", ...rest } as const;
  if (name in LOCAL) return new LOCAL[name as keyof typeof LOCAL](inputs, out, inputSize, kernelSize, options);
  return new LAYERS[name as keyof typeof LAYERS](inputs, out, kernelSize, options);
}

describe("layers that slide kernels have PyTorch's values and gradients", () => {
  for (const c of cases.layers)
    test(`${c.name} ${JSON.stringify(c.options)} of ${JSON.stringify(c.inputs.x!.shape)}`, () =>
      checkCase(c, ({ x, ...state }) => {
        const layer = layerOf(c);
        return functionalCall(layer, state, () => layer.forward(x!));
      }));
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

describe("A locally connected layer", () => {
  test("has a kernel and a bias for each position: as many times the parameters of a convolution", () => {
    const count = (layer: Module): number =>
      [...layer.namedVariables().values()].reduce((n, { shape }) => n + shape.reduce((a: number, b: number) => a * b, 1), 0);
    const [tied, untied] = [new Conv2d(3, 4, 5), new LocallyConnected2d(3, 4, 28, 5)];
    expect(count(tied)).toBe(4 * (3 * 25 + 1));
    expect(count(untied)).toBe(24 * 24 * count(tied));
    expect(count(new LocallyConnected1d(2, 8, 100, 5, { stride: 3, bias: false }))).toBe(32 * count(new Conv1d(2, 8, 5, { bias: false })));
    expect(summary(untied, [1, 3, 28, 28])).toMatch(/LocallyConnected2d +\[1, 4, 24, 24\] +175,104\n/);
  });

  test("with the same kernel everywhere is a convolution", async () => {
    const tied = init(new Conv2d(2, 3, [2, 3], { stride: [1, 2], padding: 1 }), 0);
    const untied = new LocallyConnected2d(2, 3, [4, 7], [2, 3], { stride: [1, 2], padding: 1 });
    const spread = (t: Tensor, shape: readonly number[], to: readonly number[]): Tensor => t.reshape(shape).broadcastTo(to) as Tensor;
    untied.loadStateDict({
      weight: spread(tied.weight.value as Tensor, [3, 1, 1, 2, 2, 3], untied.weight.shape),
      bias: spread(tied.bias!.value as Tensor, [3, 1, 1], untied.bias!.shape),
    });
    const x = new Generator(0).normal([2, 2, 4, 7]) as Tensor;
    const [a, b] = [await tied.forward(x).data(), await untied.forward(x).data()];
    for (const [i, n] of a.entries()) expect(b[i]).toBeCloseTo(n, 5);
  });

  test("has the gradients that differences measure, of second order too", async () => {
    const f64 = (shape: readonly number[], seed: number): Tensor => new Generator(seed).normal(shape).cast("float64") as Tensor;
    const [x, w] = [f64([1, 2, 4, 3], 0), f64([2, 2, 2, 2, 2, 2], 1)];
    const f = (x: Tensor, w: Tensor): Tensor => locallyConnected2d(x, w, { stride: [2, 1] }).tanh();
    expect(await gradcheck(f, [x, w])).toMatchObject({ passed: true });
    expect(await gradgradcheck(f, [x, w])).toMatchObject({ passed: true });
    const several = vmap(f)(f64([3, 1, 2, 4, 3], 2), f64([3, ...w.shape], 3));
    const one = f(f64([3, 1, 2, 4, 3], 2).at(1) as Tensor, f64([3, ...w.shape], 3).at(1) as Tensor);
    expect(await (several as Tensor).at(1).array()).toEqual(await one.array());
  });
});

test("Unfold and Fold put an image together again, each element as often as windows hold it", async () => {
  const x = new Generator(0).uniform([2, 3, 5, 6], -4, 4).floor() as Tensor;
  const model = new Sequential(new Unfold(2), new Fold([5, 6], 2));
  const times = model.forward(x.mul(0).add(1) as Tensor);
  expect((await times.at(0, 0).array()) as unknown).toEqual([[1, 2, 2, 2, 2, 1], ...[0, 1, 2].map(() => [2, 4, 4, 4, 4, 2]), [1, 2, 2, 2, 2, 1]]); // biome-ignore format: rows
  expect(await model.forward(x).array()).toEqual(await x.mul(times).array());
  const patches = new Sequential(new Unfold(2, { stride: 2 }), new Fold(6, 2, { stride: 2 }));
  const even = new Generator(1).normal([3, 6, 6]) as Tensor;
  expect(await patches.forward(even).array()).toEqual(await even.array());
});

describe("A convolution refuses, naming the layer, what it is and what to write,", () => {
  const refusals: readonly [what: string, f: () => unknown, says: RegExp][] = [
    ["another number of channels", () => new Conv2d(3, 6, 5).forward(zeros([2, 1, 8, 8]) as Tensor), /^Conv2d: the input is \[2, 1, 8, 8\].*\n {2}why: it has 1 channel, the layer was made for 3\n {2}help: write new Conv2d\(1, 6, 5\)/], // biome-ignore format: a table
    ["channels that come last", () => new Conv2d(3, 6, 5).forward(zeros([2, 8, 9, 3]) as Tensor), /^Conv2d: .*\n {2}why: it has 8 channels, .*\n {2}help: channels come before .*: x.permute\(\[0, 3, 1, 2\]\) is \[2, 3, 8, 9\]/], // biome-ignore format: a table
    ["channels that come last, of a function", () => conv1d(zeros([9, 3]), zeros([4, 3, 2])), /^conv1d: .*\n.*\n {2}help: .*x.permute\(\[1, 0\]\) is \[3, 9\]/], // biome-ignore format: a table
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
    ["images of another size than it has kernels for", () => new LocallyConnected2d(3, 6, [8, 9], 4).forward(zeros([2, 3, 9, 9]) as Tensor), /^LocallyConnected2d: the input is \[2, 3, 9, 9\].*\n {2}why: it is 9 in size, the layer was made for \[8, 9\]\n {2}help: write new LocallyConnected2d\(3, 6, 9, 4\)/], // biome-ignore format: a table
    ["groups of what is connected locally", () => new LocallyConnected2d(4, 4, 8, 4, { groups: 2 } as object), /^LocallyConnected2d: there is no option "groups"/], // biome-ignore format: a table
    ["kernels for other positions", () => locallyConnected1d(zeros([2, 3, 9]), zeros([4, 6, 3, 3])), /^locallyConnected1d: the weight \[4, 6, 3, 3\] has kernels for \[6\] positions.*\n {2}why: the input \[2, 3, 9\] has \[7\]/], // biome-ignore format: a table
    ["a window of nothing", () => new Unfold(0), /^Unfold: the kernel size is 0/],
    ["an image of nothing", () => new Fold([0, 4], 2), /^Fold: the output size is \[0, 4\]/],
    ["groups of a window", () => new Unfold(2, { groups: 2 } as object), /^Unfold: there is no option "groups"/],
    ["several tensors", () => (new Conv2d(3, 6, 3) as any).forward(zeros([3, 4, 4]), zeros([3, 4, 4])), /^Conv2d: forward takes one tensor/], // biome-ignore format: a table
  ];
  for (const [what, f, says] of refusals) test(what, () => expect(f).toThrow(says));
});
