import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { arange, Generator, gradients, ones, type Tensor, tensor, vmap, zeros } from "../../src/index.ts";
import {
  BatchNorm1d,
  constant,
  Dropout,
  Embedding,
  Flatten,
  flatten,
  functionalCall,
  Identity,
  inference,
  init,
  kaimingNormal,
  kaimingUniform,
  Linear,
  Module,
  mse,
  normal,
  parameter,
  relu,
  Sequential,
  softmax,
  summary,
  tanh,
  training,
  uniform,
  xavierNormal,
  xavierUniform,
} from "../../src/nn/index.ts";

const moments = async (x: Tensor): Promise<{ mean: number; sd: number; low: number; high: number }> => {
  const data = [...(await x.data())];
  const mean = data.reduce((a, b) => a + b, 0) / data.length;
  const sd = Math.sqrt(data.reduce((a, b) => a + (b - mean) ** 2, 0) / data.length);
  return { mean, sd, low: Math.min(...data), high: Math.max(...data) };
};

describe("Linear", () => {
  test("starts from U(±1/√in), weights and bias", async () => {
    const layer = init(new Linear(25, 400), 3);
    for (const p of layer.parameters()) {
      const { mean, sd, low, high } = await moments(p);
      expect(low).toBeGreaterThanOrEqual(-0.2);
      expect(high).toBeLessThanOrEqual(0.2);
      expect(Math.abs(mean)).toBeLessThan(0.03);
      expect(sd).toBeCloseTo(0.2 / Math.sqrt(3), 1);
    }
  });

  test("without a bias has one parameter", () => {
    expect([...new Linear(2, 3, { bias: false }).namedVariables().keys()]).toEqual(["weight"]);
  });

  test("says which number to write when the features do not fit", () => {
    const layer = init(new Linear(400, 120), 0);
    expect(() => layer.forward(zeros([2, 256]) as Tensor)).toThrow(/input is \[2, 256\][\s\S]*256 features[\s\S]*new Linear\(256, 120\)/);
    expect(() => layer.forward(tensor(1) as Tensor)).toThrow(/scalar/);
  });

  test("refuses sizes that are none", () => {
    for (const size of [0, -1, 1.5, Number.NaN, "32" as unknown as number, 2 ** 60])
      expect(() => new Linear(size, 1)).toThrow(/inFeatures/);
  });
});

describe("Embedding", () => {
  test("takes integers only, and a symbol that does not exist is an error when it runs", async () => {
    const layer = init(new Embedding(3, 2), 0);
    expect(() => layer.forward(zeros([2]))).toThrow(/float32[\s\S]*cast\("int32"\)/);
    await expect(layer.forward(tensor([3], { dtype: "int32" })).array()).rejects.toThrow(/3 is outside/);
  });

  test("starts with zeros for the symbol of padding, and trains it never, however it is differentiated", async () => {
    const layer = init(new Embedding(4, 3, { paddingIdx: -1 }), 0);
    expect(layer.paddingIdx).toBe(3);
    const rows = (await layer.weight.array()) as number[][];
    expect(rows[3]).toEqual([0, 0, 0]);
    expect(rows.slice(0, 3).flat()).not.toContain(0);
    expect(rows.slice(0, 3)).toEqual(((await init(new Embedding(4, 3), 0).weight.array()) as number[][]).slice(0, 3));
    const x = tensor([[3, 1], [3, 3]], { dtype: "int32" }); // biome-ignore format: rows
    const slopes = async (of: (w: Tensor) => Tensor): Promise<unknown> => gradients(of(layer.weight) as Tensor<[]>, layer.weight).array();
    const ones = [1, 1, 1];
    const zero = [0, 0, 0];
    expect(await slopes(() => layer.forward(x).sum())).toEqual([zero, ones, zero, zero]);
    // A gradient of the gradient, and each example's own.
    const twice = gradients(layer.forward(x).square().sum(), layer.weight).sum();
    expect(await gradients(twice, layer.weight).array()).toEqual([zero, [2, 2, 2], zero, zero]);
    const each = vmap((row: Tensor) => gradients(layer.forward(row).sum() as Tensor<[]>, layer.weight))(x);
    expect(await each.array()).toEqual([
      [zero, ones, zero, zero],
      [zero, zero, zero, zero],
    ]);
  });

  test("refuses a symbol of padding that does not exist", () => {
    for (const paddingIdx of [4, -5, 0.5, "1" as unknown as number])
      expect(() => new Embedding(4, 3, { paddingIdx })).toThrow(/^Embedding: paddingIdx is .* at layers\.test\.ts:\d+\n/);
  });
});

describe("Dropout", () => {
  test("is the identity in use, the same tensor", () => {
    const x = ones([3]);
    expect(new Dropout(0.9).forward(x, inference)).toBe(x);
  });

  test("keeps the expectation, and scales what it keeps by 1 / (1 − p)", async () => {
    const y = [...(await new Dropout(0.25).forward(ones([4000]), training(new Generator(1))).data())];
    expect([...new Set(y)].sort()).toEqual([0, Math.fround(1 / 0.75)]);
    expect(y.reduce((a, b) => a + b, 0) / y.length).toBeCloseTo(1, 1);
  });

  test("at p = 0 changes nothing and draws nothing; at p = 1 gives zeros", async () => {
    const rng = new Generator(1);
    const x = ones([3]);
    expect(new Dropout(0).forward(x, training(rng))).toBe(x);
    expect(await new Dropout(1).forward(x, training(rng)).array()).toEqual([0, 0, 0]);
    expect(rng.state.calls).toBe(0);
  });

  test("drops the same elements from the gradient", async () => {
    const x = ones([50]).tracked();
    const y = new Dropout(0.5).forward(x, training(new Generator(2)));
    expect(await gradients(y.sum(), x).array()).toEqual(await y.array());
  });

  test("refuses p outside [0, 1], and a missing mode", () => {
    for (const p of [-0.1, 1.1, Number.NaN, "0.5" as unknown as number]) expect(() => new Dropout(p)).toThrow(/between 0 and 1/);
    // @ts-expect-error the mode is required
    expect(() => new Dropout().forward(ones([1]))).toThrow(/needs a mode[\s\S]*training\(rng\) or inference/);
    expect(() => new Dropout().forward(ones([1]), { training: true } as never)).toThrow(/needs a mode/);
    expect(() => training(undefined as never)).toThrow(/Generator/);
  });
});

describe("Sequential", () => {
  test("counts functions too, so that names are PyTorch's", () => {
    const model = new Sequential(new Linear(2, 3), relu, new Sequential(tanh, new Linear(3, 3)), new Dropout(), new Linear(3, 1));
    expect([...model.namedVariables().keys()]).toEqual(["0.weight", "0.bias", "2.1.weight", "2.1.bias", "4.weight", "4.bias"]);
  });

  test("hands the mode to modules and not to functions", async () => {
    const model = new Sequential(softmax, new Dropout(0), new Identity());
    expect(await model.forward(zeros([1, 2]), inference).array()).toEqual([[0.5, 0.5]]);
  });

  test("refuses what is no layer, and layers that answer no tensor", () => {
    const loose = (...layers: unknown[]) => new Sequential(...(layers as ((x: Tensor) => Tensor)[]));
    expect(() => loose(new Linear(2, 2), 3)).toThrow(/layer 1 is 3/);
    expect(() => loose(Dropout)).toThrow(/class Dropout; write new Dropout/);
    expect(() => loose(() => 3).forward(zeros([1]))).toThrow(/layer 0.*answered 3/);
  });

  test("of nothing is the identity", async () => {
    expect(await new Sequential().forward(tensor([1, 2])).array()).toEqual([1, 2]);
  });
});

describe("Flatten", () => {
  test("joins the axes from start on", () => {
    const x = zeros([2, 3, 4]);
    expect(flatten(x).shape).toEqual([2, 12]);
    expect(new Flatten().forward(x).shape).toEqual([2, 12]);
    expect(new Flatten(0).forward(x).shape).toEqual([24]);
    expect(() => new Flatten(4).forward(x)).toThrow(/no axis 4/);
    expect(() => flatten(tensor(1) as Tensor)).toThrow(/scalar/);
  });
});

describe("functionalCall", () => {
  const model = init(new Sequential(new Linear(2, 2), tanh, new Linear(2, 1)), 1);
  const x = tensor([[1, -1]]);

  test("replaces variables for its time only, and gradients flow to the replacements", async () => {
    const before = await model.forward(x).array();
    const weight = ones([2, 2]).tracked();
    const y = functionalCall(model, { "0.weight": weight }, () => model.forward(x));
    expect(await model.forward(x).array()).toEqual(before);
    expect(await y.array()).not.toEqual(before);
    const dw = (await gradients(y.sum(), weight).array()) as number[][];
    expect(dw.flat().some((v) => v !== 0)).toBe(true);
  });

  test("is undone by an error inside", async () => {
    const before = await model.forward(x).array();
    const fail = () =>
      functionalCall(model, { "0.weight": zeros([2, 2]) }, () => {
        throw new Error("inside");
      });
    expect(fail).toThrow("inside");
    expect(await model.forward(x).array()).toEqual(before);
  });

  test("refuses names and shapes the model does not have", () => {
    expect(() => functionalCall(model, { "1.weight": zeros([1]) }, () => zeros([1]))).toThrow(
      /1\.weight[\s\S]*0\.weight, 0\.bias, 2\.weight/,
    );
    expect(() => functionalCall(model, { "0.weight": zeros([3]) }, () => zeros([1]))).toThrow(/\[3\], should be \[2, 2\]/);
  });

  test("keeps inside what a layer counts while training, and gives it where it is named", async () => {
    const counting = init(new BatchNorm1d(2), 0);
    const batch = tensor([[1, 2], [3, 6]]); // biome-ignore format: rows
    const state = { running_mean: zeros([2]) };
    const after = functionalCall(counting, state, () => {
      counting.forward(batch, training(new Generator(0)));
      return { mean: counting.runningMean!.value, batches: counting.numBatchesTracked!.value };
    });
    expect(await after.mean.array()).toEqual([Math.fround(0.2), Math.fround(0.4)]);
    expect(await after.batches.item()).toBe(1);
    expect(await counting.runningMean!.array()).toEqual([0, 0]);
    expect(await counting.runningVar!.array()).toEqual([1, 1]);
    expect(await counting.numBatchesTracked!.item()).toBe(0);
  });

  test("works on models without values", async () => {
    const fresh = new Linear(2, 1);
    const y = functionalCall(fresh, { weight: ones([1, 2]), bias: ones([1]) }, () => fresh.forward(tensor([[2, 3]])));
    expect(await y.item()).toBe(6);
  });
});

describe("initialisers have the spread of their formula", () => {
  const shape = [60, 40];
  const draw = (f: (rng: Generator, shape: readonly number[]) => Tensor) => moments(f(new Generator(9), shape));
  const rows: [string, ReturnType<typeof normal>, number][] = [
    ["normal", normal(0, 0.5), 0.5],
    ["uniform", uniform(-1, 1), 1 / Math.sqrt(3)],
    ["xavierUniform", xavierUniform(), Math.sqrt(2 / 100)],
    ["xavierNormal", xavierNormal({ gain: 2 }), 2 * Math.sqrt(2 / 100)],
    ["kaimingUniform", kaimingUniform({ a: Math.sqrt(5) }), 1 / Math.sqrt(3 * 40)],
    ["kaimingNormal", kaimingNormal({ fan: "out" }), Math.sqrt(2 / 60)],
  ];
  test.each(rows)("%s", async (_, f, sd) => {
    const got = await draw(f);
    expect(got.sd / sd).toBeGreaterThan(0.95);
    expect(got.sd / sd).toBeLessThan(1.05);
    expect(Math.abs(got.mean) / sd).toBeLessThan(0.1);
  });

  test("vectors have no fans, and ranges must be ranges", async () => {
    expect(() => xavierUniform()(new Generator(0), [3])).toThrow(/no fan/);
    expect(() => uniform(1, 0)).toThrow(/not a range/);
    expect(() => normal(0, -1)).toThrow(/≥ 0/);
    expect(await constant(3)(new Generator(0), [2]).array()).toEqual([3, 3]);
  });

  test("kernels count their field", async () => {
    const { high } = await moments(kaimingUniform({ a: Math.sqrt(5) })(new Generator(0), [64, 4, 5, 5]));
    expect(high).toBeLessThanOrEqual(0.1);
    expect(high).toBeGreaterThan(0.099);
  });
});

describe("summary", () => {
  test("shows a function each time it stands in a chain, inner chains too, and leaves the layers as they were", () => {
    const inner = new Sequential(new Linear(3, 2), relu, (x) => x.mul(2));
    const model = new Sequential(relu, inner, relu);
    const before = [...inner.layers];
    const text = summary(model, [5, 3]);
    expect(text.split("\n").slice(2, 9)).toEqual(
      [
        "Sequential        [5, 2]",
        "  0 (relu)        [5, 3]",
        "  1 (Sequential)  [5, 2]",
        "    1.0 (Linear)  [5, 2]           8",
        "    1.1 (relu)    [5, 2]",
        "    1.2 (function)  [5, 2]",
        "  2 (relu)        [5, 2]",
      ].map((line) => line.replace(/^( *\S+(?: \(\w+\))?) +/, (_, name: string) => `${name.padEnd(18)}  `)),
    );
    expect([...inner.layers]).toEqual(before);
    expect(Object.keys(model)).toEqual(["layers"]);
  });

  test("shows every layer's output and parameters without computing or needing values", () => {
    const model = new Sequential(flatten, new Linear(784, 300), relu, new Dropout(0.5), new Linear(300, 10));
    const text = summary(model, [1, 28, 28]);
    expect(text.split("\n").map((line) => line.trimEnd())).toEqual([
      "layer          output    parameters",
      "-------------  --------  ----------",
      "Sequential     [1, 10]",
      "  0 (flatten)  [1, 784]",
      "  1 (Linear)   [1, 300]     235,500",
      "  2 (relu)     [1, 300]",
      "  3 (Dropout)  [1, 300]",
      "  4 (Linear)   [1, 10]        3,010",
      "",
      "input [1, 28, 28]",
      "238,510 trainable parameters, 954,040 bytes",
    ]);
    expect(Object.keys(model.layers[1])).not.toContain("forward");
  });

  test("with costs shows each layer's own operations and the bytes of what it answers, and sums them up", () => {
    const inner = new Sequential(new Linear(3, 2), relu);
    class Doubled extends Module {
      readonly inner = inner;
      forward(x: Tensor): Tensor {
        return this.inner.forward(x).mul(2);
      }
    }
    const text = summary(new Sequential(flatten, new Doubled(), relu), [5, 3], { costs: true });
    expect(text.split("\n").map((line) => line.trimEnd())).toEqual([
      "layer                     output  parameters  operations  bytes",
      "------------------------  ------  ----------  ----------  -----",
      "Sequential                [5, 2]",
      "  0 (flatten)             [5, 3]",
      "  1 (Doubled)             [5, 2]                      10     40",
      "    1.inner (Sequential)  [5, 2]",
      "      1.inner.0 (Linear)  [5, 2]           8          70     40",
      "      1.inner.1 (relu)    [5, 2]                      10     40",
      "  2 (relu)                [5, 2]                      10     40",
      "",
      "input [5, 3]",
      "8 trainable parameters, 32 bytes",
      "100 operations forward, 160 bytes of what the layers answer",
    ]);
  });

  test("counts shared and own parameters once, and buffers apart", () => {
    class Net extends Module {
      readonly a = new Linear(2, 2);
      readonly b = this.a;
      readonly scale = parameter([2], uniform());
      readonly mean = parameter([2], uniform(), { trainable: false });
      forward(x: Tensor): Tensor {
        return this.b.forward(this.a.forward(x)).mul(this.scale);
      }
    }
    const text = summary(new Net(), [5, 2]);
    expect(text).toContain("8 trainable parameters, 2 others, 40 bytes");
    expect(text).toMatch(/Net +\[5, 2\] +4\n {2}a \(Linear\) +\[5, 2\] +6/);
  });

  test("takes integers for embeddings, and explains inputs that do not fit", () => {
    expect(summary(new Sequential(new Embedding(5, 3), new Linear(3, 1)), [2, 7], { dtype: "int32" })).toContain("[2, 7, 1]");
    const model = new Sequential(new Linear(4, 1));
    expect(() => summary(model, [1, 3])).toThrow(/3 features/);
    expect(Object.keys(model.layers[0])).not.toContain("forward");
    expect(() => summary({} as never, [1])).toThrow(/no forward/);
  });
});

test("hessian-like second derivatives flow through layers", async () => {
  const model = init(new Sequential(new Linear(2, 3), tanh, new Linear(3, 1)), 0);
  const loss = mse(model.forward(tensor([[1, 2]])), tensor([[1]]));
  const first = gradients(loss, model.parameters());
  const second = gradients(first[0]!.square().sum(), model.parameters());
  for (const g of second) expect([...(await g.data())].every(Number.isFinite)).toBe(true);
});

test("a layer treats examples alike: any order of rows gives the same rows", async () => {
  const model = init(new Sequential(new Linear(3, 4), relu, new Linear(4, 2)), 0);
  await fc.assert(
    fc.asyncProperty(fc.shuffledSubarray([0, 1, 2, 3], { minLength: 1 }), async (rows) => {
      const x = arange(12).reshape([4, 3]).cast("float32");
      const all = (await model.forward(x as Tensor).array()) as number[][];
      const some = (await model.forward(x.at(tensor(rows, { dtype: "int32" }))).array()) as number[][];
      // Another batch size is another program, whose sums may round otherwise in the last bit.
      some.forEach((row, i) => {
        row.forEach((value, j) => {
          expect(value).toBeCloseTo(all[rows[i]!]![j]!, 5);
        });
      });
    }),
    { numRuns: 10 },
  );
});
