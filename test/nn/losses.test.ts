import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compile, evaluate, gradcheck, gradgradcheck, gradients, ones, type Tensor, tensor, variable, zeros } from "../../src/index.ts";
import {
  bce,
  bceWithLogits,
  categoricalCrossEntropy,
  cosineEmbedding,
  cosineSimilarity,
  crossEntropy,
  gaussianNll,
  hingeEmbedding,
  huber,
  klDivergence,
  l1,
  marginRanking,
  mse,
  multiLabelMargin,
  multiLabelSoftMargin,
  multiMargin,
  nll,
  pairwiseDistance,
  poissonNll,
  smoothL1,
  softMargin,
  tripletMargin,
} from "../../src/nn/index.ts";

const classes = (values: number[]): Tensor => tensor(values, { dtype: "int32" });

describe("every loss", () => {
  type Loss = (x: Tensor, target: Tensor, options?: { reduction?: "mean" | "sum" | "none" }) => Tensor;
  const pairs: Record<string, Loss> = {
    mse,
    l1,
    huber,
    smoothL1,
    bceWithLogits,
    klDivergence,
    bce,
    poissonNll,
    hingeEmbedding,
    softMargin,
    multiLabelSoftMargin,
    multiLabelMargin: (x, t, o) => multiLabelMargin(x, t.cast("int32"), o),
  };
  test.each(Object.entries(pairs))("%s refuses shapes that would broadcast", (name, loss) => {
    expect(() => loss(zeros([3, 1]), zeros([3]))).toThrow(
      new RegExp(`${name}: the prediction is \\[3, 1\\], the target \\[3\\][\\s\\S]*reshape`),
    );
  });

  test.each(Object.entries(pairs))("%s refuses a reduction that does not exist", (_, loss) => {
    expect(() => loss(zeros([3]), zeros([3]), { reduction: "average" as "mean" })).toThrow(/no reduction "average"/);
  });

  test.each(Object.entries(pairs))("errors of %s name it and the user's line", (name, loss) => {
    expect(() => loss(zeros([3, 1]), zeros([3]))).toThrow(new RegExp(`^${name}: .* at losses\\.test\\.ts:\\d+\n`));
    expect(() => loss(zeros([3]), zeros([3]), { reduction: "average" as "mean" })).toThrow(/ at losses\.test\.ts:\d+\n/);
    expect(() => loss("x" as unknown as Tensor, zeros([3]))).toThrow(new RegExp(`^${name}: .* at losses\\.test\\.ts:\\d+\n`));
  });

  test("the mean of nothing is NaN, its sum 0", async () => {
    expect(await mse(zeros([0]), zeros([0])).item()).toBeNaN();
    expect(await mse(zeros([0]), zeros([0]), { reduction: "sum" }).item()).toBe(0);
    expect(await crossEntropy(zeros([0, 3]), classes([]).reshape([0])).item()).toBeNaN();
  });

  test("integer and bool targets are fine where numbers are meant", async () => {
    expect(await mse(ones([2]), classes([1, 0])).item()).toBe(0.5);
    expect(await bceWithLogits(zeros([2]), tensor([true, false])).item()).toBeCloseTo(Math.LN2, 6);
  });
});

describe("crossEntropy", () => {
  test("is finite at ±1000, in float32 too", async () => {
    const logits = variable([
      [1000, -1000, 0],
      [-1000, 1000, 0],
    ]);
    const loss = crossEntropy(logits, classes([1, 1]), { reduction: "none" });
    expect(await loss.array()).toEqual([2000, 0]);
    const [g] = gradients(loss.sum(), [logits]);
    expect(await g!.array()).toEqual([
      [1, -1, 0],
      [0, 0, 0],
    ]);
  });

  test("a class that no logit can reach costs infinity, and does not spoil the others", async () => {
    const logits = tensor([[0, Number.NEGATIVE_INFINITY]]);
    expect(await crossEntropy(logits, classes([0])).item()).toBe(0);
    expect(await crossEntropy(logits, classes([1])).item()).toBe(Number.POSITIVE_INFINITY);
  });

  test("a class that does not exist is an error with index and bound", async () => {
    for (const wrong of [3, -1, -3, -4]) {
      const said = new RegExp(`index ${wrong} is outside an axis of size 3 +at losses.test.ts:\\d+`);
      await expect(crossEntropy(zeros([1, 3]), classes([wrong])).item()).rejects.toThrow(new RegExp(`^crossEntropy: ${said.source}`));
      await expect(nll(zeros([1, 3]), classes([wrong])).item()).rejects.toThrow(new RegExp(`^nll: ${said.source}`));
      await expect(crossEntropy(zeros([1, 3, 2]), classes([0, wrong]).reshape([1, 2]), { axis: 1 }).item()).rejects.toThrow(said);
      await expect(crossEntropy(zeros([1, 3]), classes([wrong]), { ignoreIndex: 1 }).item()).rejects.toThrow(said);
    }
  });

  test("examples marked by ignoreIndex count neither in sum nor mean; none left gives NaN, and 0 for the sum", async () => {
    const logits = tensor([
      [0, 0],
      [3, 1],
    ]);
    expect(await crossEntropy(logits, classes([0, -1]), { ignoreIndex: -1 }).item()).toBeCloseTo(Math.LN2, 6);
    expect(await crossEntropy(logits, classes([-1, -1]), { ignoreIndex: -1 }).item()).toBeNaN();
    expect(await crossEntropy(logits, classes([-1, -1]), { ignoreIndex: -1, reduction: "sum" }).item()).toBe(0);
  });

  test("explains targets that are neither classes nor probabilities", () => {
    const logits = zeros([2, 3]);
    expect(() => crossEntropy(logits, classes([0, 1, 2]))).toThrow(/target is \[3\][\s\S]*classes would be \[2\], probabilities \[2, 3\]/);
    expect(() => crossEntropy(logits, zeros([2]))).toThrow(/float32[\s\S]*cast\("int32"\)/);
    expect(() => crossEntropy(logits, zeros([2, 3], { dtype: "int32" }))).toThrow(/probabilities/);
    expect(() => crossEntropy(logits, zeros([2, 1], { dtype: "int32" }))).toThrow(/squeeze/);
    expect(() => crossEntropy(logits, zeros([2, 3]), { ignoreIndex: 1 })).toThrow(/ignoreIndex/);
    expect(() => crossEntropy(logits, classes([0, 1]), { labelSmoothing: 2 })).toThrow(/labelSmoothing/);
    expect(() => crossEntropy(logits, classes([0, 1]), { weight: ones([2]) })).toThrow(/weights are \[2\][\s\S]*\[3\]/);
    expect(() => crossEntropy(logits, classes([0, 1]), { axis: 2 })).toThrow(/no axis 2/);
  });

  test("one-hot probabilities cost what their classes cost", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.double({ min: -50, max: 50, noNaN: true }), { minLength: 3, maxLength: 3 }),
        fc.nat(2),
        async (row, c) => {
          const logits = tensor([row], { dtype: "float64" });
          const hot = tensor([[0, 1, 2].map((i) => Number(i === c))], { dtype: "float64" });
          expect(await crossEntropy(logits, classes([c])).item()).toBeCloseTo(await crossEntropy(logits, hot).item(), 10);
        },
      ),
      { numRuns: 20 },
    );
  });

  test("of log-softmax is nll", async () => {
    const logits = tensor([
      [1, 2],
      [0.5, -3],
    ]);
    const t = classes([0, 1]);
    expect(await nll(logits.logSoftmax(-1), t).item()).toBeCloseTo(await crossEntropy(logits, t).item(), 6);
  });
});

test("bceWithLogits is finite at ±1000 in float32, with gradient σ(x) − t, ½ − t at 0", async () => {
  const x = variable([1000, 1000, -1000, -1000, 0, 0]);
  const loss = bceWithLogits(x, tensor([0, 1, 0, 1, 0, 1]), { reduction: "none" });
  expect(await loss.array()).toEqual([1000, 0, 0, 1000, Math.fround(Math.LN2), Math.fround(Math.LN2)]);
  const [g] = gradients(loss.sum(), [x]);
  expect(await g!.array()).toEqual([1, 0, 0, -1, 0.5, -0.5]);
});

test("gaussianNll takes one variance for all, for each example or for each output; [n] is one for each example even of [n, n]", async () => {
  const [x, t] = [tensor([[1, 2], [3, 5]]), tensor([[0, 0], [1, 1]])]; // biome-ignore format: rows
  const whole = (rows: number[][]) => gaussianNll(x, t, tensor(rows), { reduction: "none" }).array();
  const given = (v: Tensor) => gaussianNll(x, t, v, { reduction: "none" }).array();
  expect(await given(tensor([1, 4]))).toEqual(await whole([[1, 1], [4, 4]])); // biome-ignore format: rows
  expect(await given(tensor([[1], [4]]))).toEqual(await whole([[1, 1], [4, 4]])); // biome-ignore format: rows
  expect(await given(tensor([[1, 4]]))).toEqual(await whole([[1, 4], [1, 4]])); // biome-ignore format: rows
  expect(await given(tensor(3))).toEqual(await whole([[3, 3], [3, 3]])); // biome-ignore format: rows
  const v = variable([2, 0.5]);
  const [g] = gradients(gaussianNll(x, t, v, { reduction: "sum" }), [v]);
  expect(await g!.array()).toEqual([0.5 * (2 / 2 - 5 / 4), 0.5 * (2 / 0.5 - 20 / 0.25)]);
});

test("smoothL1 with beta 0 is l1, with slope 0 at 0", async () => {
  const x = variable([1, 2, -3, 1]);
  const loss = smoothL1(x, tensor([1, 0, 0, 1.5]), { beta: 0, reduction: "none" });
  expect(await loss.array()).toEqual([0, 2, 3, 0.5]);
  const [g] = gradients(loss.sum(), [x]);
  expect(await g!.array()).toEqual([0, 1, -1, -1]);
});

test("the likelihood of many coin tosses underflows as a product, and not as the sum of its logarithms", async () => {
  const x = zeros([2000]);
  expect(await x.sigmoid().product().item()).toBe(0);
  expect(await bceWithLogits(x, ones([2000]), { reduction: "sum" }).item()).toBeCloseTo(2000 * Math.LN2, 0);
});

test("losses refuse bounds that are not above 0", () => {
  expect(() => huber(zeros([1]), zeros([1]), { delta: 0 })).toThrow(/delta/);
  expect(() => smoothL1(zeros([1]), zeros([1]), { beta: Number.NaN })).toThrow(/beta/);
  expect(() => smoothL1(zeros([1]), zeros([1]), { beta: -1 })).toThrow(/beta is -1/);
  expect(() => gaussianNll(zeros([1]), zeros([1]), ones([2]))).toThrow(/variance/);
  expect(() => gaussianNll(zeros([2, 3]), zeros([2, 3]), ones([3]))).toThrow(/variance \[3\][\s\S]*\[2\] with one for each example/);
});

/** Every loss of tensors whose slopes can be measured: away from kinks. */
const smooth: Record<string, { loss: (...xs: Tensor[]) => Tensor; inputs: () => Tensor[] }> = {
  bce: { loss: (p, t) => bce(p!, t!), inputs: () => [double([0.1, 0.6, 0.9]), double([0.2, 1, 0])] },
  categoricalCrossEntropy: {
    loss: (p) => categoricalCrossEntropy(p!, classes([2, 0]), { labelSmoothing: 0.1 }),
    inputs: () => [double([[0.2, 0.5, 0.3], [0.6, 0.3, 0.1]])], // biome-ignore format: rows
  },
  multiLabelSoftMargin: {
    loss: (x, t) => multiLabelSoftMargin(x!, t!),
    inputs: () => [double([[0.5, -2, 1]]), double([[1, 0, 1]])],
  },
  poissonNll: { loss: (x, t) => poissonNll(x!, t!, { full: true }), inputs: () => [double([0.3, -1, 2]), double([0, 3, 1.5])] },
  hingeEmbedding: { loss: (x) => hingeEmbedding(x!, classes([1, -1, -1])), inputs: () => [double([0.3, 0.6, 2])] },
  softMargin: { loss: (x) => softMargin(x!, classes([1, -1, -1])), inputs: () => [double([0.3, 0.6, -2])] },
  multiMargin: {
    loss: (x) => multiMargin(x!, classes([2, 0]), { p: 2, weight: tensor([1, 2, 3]) }),
    inputs: () => [double([[0.2, 0.5, 0.3], [0.6, 0.3, 0.1]])], // biome-ignore format: rows
  },
  multiLabelMargin: {
    loss: (x) => multiLabelMargin(x!, classes([2, 0, -1, 1]).reshape([1, 4])),
    inputs: () => [double([[0.2, 0.5, 0.3, 0]])],
  },
  marginRanking: {
    loss: (a, b) => marginRanking(a!, b!, classes([1, -1, 1]), { margin: 0.1 }),
    inputs: () => [double([0.3, 0.6, -2]), double([1, -1, -3])],
  },
  cosineEmbedding: {
    loss: (a, b) => cosineEmbedding(a!, b!, classes([1, -1])),
    inputs: () => [double([[1, 2], [3, 1]]), double([[-1, 0.5], [2, 2]])], // biome-ignore format: rows
  },
  tripletMargin: {
    loss: (a, b, c) => tripletMargin(a!, b!, c!, { swap: true }),
    inputs: () => [double([[1, 2]]), double([[-1, 0.5]]), double([[0.5, 0.5]])],
  },
  cosineSimilarity: { loss: (a, b) => cosineSimilarity(a!, b!).sum(), inputs: () => [double([[1, 2]]), double([[-1, 0.5]])] },
  pairwiseDistance: { loss: (a, b) => pairwiseDistance(a!, b!).sum(), inputs: () => [double([[1, 2]]), double([[-1, 0.5]])] },
};
const double = (values: number[] | number[][]): Tensor => tensor(values as number[], { dtype: "float64" });

describe.each(Object.entries(smooth))("%s", (_, { loss, inputs }) => {
  test("has the slopes that differences measure, and theirs", async () => {
    expect(await gradcheck(loss, inputs())).toMatchObject({ passed: true });
    expect(await gradgradcheck(loss, inputs())).toMatchObject({ passed: true });
  });

  test("gives the same numbers compiled as the interpreter does, slopes too", async () => {
    const points = inputs();
    const slopes = (...xs: Tensor[]): Tensor[] => {
      const tracked = xs.map((x) => x.tracked());
      const y = loss(...tracked);
      return [y, ...gradients(y as Tensor<[]>, tracked)];
    };
    const compiled = compile(slopes, { device: "wasm" })(...points);
    await evaluate(compiled);
    const expected = compile(slopes, { device: "interpreter" })(...points);
    for (const [i, x] of compiled.entries()) {
      const [got, wanted] = [await x.data(), await expected[i]!.data()];
      for (const [j, value] of got.entries()) expect(value).toBeCloseTo(wanted[j]!, 12);
    }
  });
});

test("bce of a sure mistake is 100 and still has a slope; a probability outside 0 … 1 is NaN", async () => {
  const p = variable([0, 1, 1, 0]);
  const loss = bce(p, tensor([1, 0, 1, 0]), { reduction: "none" });
  expect(await loss.add(0).array()).toEqual([100, 100, 0, 0]);
  const [g] = gradients(loss.sum(), [p]);
  expect(await g!.array()).toEqual([-1 / Math.fround(1e-12), 1 / Math.fround(1e-12), 0, 0].map((x) => expect.closeTo(x, -6)));
  expect(await bce(tensor([1.5, -0.5]), tensor([1, 0]), { reduction: "none" }).array()).toEqual([Number.NaN, Number.NaN]);
});

test("categoricalCrossEntropy of a softmax is crossEntropy, with every option; of a class without probability it is 100, with a slope", async () => {
  const x = double([[1, 2, 0.5], [0.5, -3, 1]]); // biome-ignore format: rows
  for (const options of [{}, { labelSmoothing: 0.2 }, { ignoreIndex: 1 }, { weight: tensor([1, 2, 3]) }, { reduction: "sum" as const }])
    for (const t of [classes([1, 2]), ...("ignoreIndex" in options ? [] : [double([[0.2, 0.3, 0.5], [1, 0, 0]])])]) // biome-ignore format: rows
      expect(await categoricalCrossEntropy(x.softmax(), t, options).item()).toBeCloseTo(await crossEntropy(x, t, options).item(), 10);
  const p = variable([[0, 1]]);
  const loss = categoricalCrossEntropy(p, classes([0]));
  expect(await loss.item()).toBe(100);
  const [g] = gradients(loss, [p]);
  expect(await g!.array()).toEqual([[expect.closeTo(-1e12, -6), expect.closeTo(0)]]);
  await expect(categoricalCrossEntropy(p, classes([2])).item()).rejects.toThrow(/^categoricalCrossEntropy: index 2 .* at losses.test.ts/);
});

test("targets that should be 1 and -1 are NaN when they are not, and refused when they cannot be", async () => {
  const x = tensor([[0.5, 0.25]]);
  const bits = classes([1, 0]).reshape([1, 2]);
  expect(await hingeEmbedding(x, bits, { reduction: "none" }).array()).toEqual([[0.5, Number.NaN]]);
  expect(await softMargin(x, bits, { reduction: "none" }).array()).toEqual([[expect.closeTo(0.474077, 5), Number.NaN]]);
  expect(await marginRanking(x, x.neg(), bits, { reduction: "none" }).array()).toEqual([[0, Number.NaN]]);
  expect(await cosineEmbedding(x, x, classes([0])).item()).toBeNaN();
  for (const [name, call] of Object.entries({
    hingeEmbedding: () => hingeEmbedding(x, bits.ne(0)),
    softMargin: () => softMargin(x, bits.cast("uint8")),
    marginRanking: () => marginRanking(x, x, bits.ne(0)),
    cosineEmbedding: () => cosineEmbedding(x, x, tensor([true])),
  }))
    expect(call).toThrow(new RegExp(`^${name}: the targets are (bool|uint8) .* at losses\\.test\\.ts:\\d+[\\s\\S]*1 and -1`));
});

test("margin losses refuse what does not fit, with their name and the user's line", () => {
  const x = zeros([2, 3]);
  const here = / at losses\.test\.ts:\d+\n/;
  for (const [call, said] of [
    [() => hingeEmbedding(x, x, { margin: Number.NaN }), /^hingeEmbedding: margin is NaN/],
    [() => multiMargin(x, classes([0, 1]), { p: 3 as 1 }), /^multiMargin: p is 3/],
    [() => multiMargin(x, classes([0, 1, 2])), /^multiMargin: the target is \[3\], the scores are \[2, 3\]/],
    [() => multiMargin(x, zeros([2])), /^multiMargin: the classes are float32/],
    [() => multiMargin(x, classes([0, 1]), { weight: ones([2]) }), /^multiMargin: the weights are \[2\]/],
    [() => multiMargin(x, classes([0, 1]), { margn: 2 } as object), /^multiMargin: there is no option "margn"/],
    [() => multiLabelMargin(x, x), /^multiLabelMargin: the classes are float32/],
    [() => multiLabelMargin(tensor(1), classes([0]).reshape([])), /^multiLabelMargin: a scalar has no classes/],
    [() => marginRanking(x, zeros([3]), x), /^marginRanking: the prediction is \[2, 3\]/],
    [() => marginRanking(x, x, zeros([2])), /^marginRanking: the prediction is \[2, 3\], the target \[2\]/],
    [() => marginRanking(x, x, 1 as never), /^marginRanking: 1 is no tensor/],
    [() => cosineEmbedding(x, x, zeros([2, 3])), /^cosineEmbedding: the vectors are \[2, 3\], the target \[2, 3\]/],
    [() => tripletMargin(x, x, zeros([2, 4])), /^tripletMargin: the prediction is \[2, 3\]/],
    [() => tripletMargin(x, x, x, { p: 3 }), /^tripletMargin: p is 3/],
    [() => cosineSimilarity(x, zeros([4])), /^cosineSimilarity: cannot broadcast/],
    [() => cosineSimilarity(x, x, { axis: 2 }), /^cosineSimilarity: there is no axis 2/],
    [() => cosineSimilarity(x, x, { eps: 0 }), /^cosineSimilarity: eps is 0/],
    [() => cosineSimilarity(x, x, { dim: 1 } as object), /^cosineSimilarity: there is no option "dim"/],
    [() => pairwiseDistance(tensor(1), tensor(2)), /^pairwiseDistance: two scalars/],
    [() => bce(x, x, { weight: ones([4, 2, 3]) }), /^bce: the weights are \[4, 2, 3\], the losses \[2, 3\]/],
    [() => bce(x, x, { weight: 2 as never }), /^bce: 2 is no tensor/],
    [() => poissonNll(x, x, { logInput: false, eps: -1 }), /^poissonNll: eps is -1/],
  ] as const) {
    expect(call).toThrow(said);
    expect(call).toThrow(here);
  }
});

test("a vector of zeros has the cosine 0 with every other, and a gradient that is finite", async () => {
  const x = variable([[0, 0]]);
  const y = cosineSimilarity(x, tensor([[3, 4]]));
  expect(await y.array()).toEqual([0]);
  const [g] = gradients(y.sum(), [x]);
  expect((await g!.data()).every(Number.isFinite)).toBe(true);
});
