import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { gradients, ones, type Tensor, tensor, variable, zeros } from "../../src/index.ts";
import { bceWithLogits, crossEntropy, gaussianNll, huber, klDivergence, l1, mse, nll, smoothL1 } from "../../src/nn/index.ts";

const classes = (values: number[]): Tensor => tensor(values, { dtype: "int32" });

describe("every loss", () => {
  type Loss = (x: Tensor, target: Tensor, options?: { reduction?: "mean" | "sum" | "none" }) => Tensor;
  const pairs: Record<string, Loss> = { mse, l1, huber, smoothL1, bceWithLogits, klDivergence };
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
