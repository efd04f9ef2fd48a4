import { describe, expect, test } from "vitest";
import { ArgumentError, MemoryError, ShapeError } from "../../src/core/errors.ts";
import { ArrayDataset } from "../../src/data/index.ts";
import { type DType, type Tensor, tensor } from "../../src/index.ts";
import { bceWithLogits, crossEntropy, Identity, inference, init, Linear, Module, mse, Sequential, sigmoid } from "../../src/nn/index.ts";
import {
  accuracy,
  confusionMatrix,
  f1,
  type Metric,
  meanAbsoluteError,
  meanSquaredError,
  metric,
  precision,
  predict,
  recall,
  rootMeanSquaredError,
  rSquared,
  score,
} from "../../src/train/index.ts";
import { circle } from "./fixtures.ts";

const read = (f: Metric, output: Tensor, target: Tensor): Promise<number> => f(output, target).item();

/** Scores 0 … 2 of six examples whose largest is 0, 1, 2, 2, 1, 0. */
const SCORES = tensor([
  [3, 1, 0],
  [0, 2, 1],
  [0, 1, 5],
  [1, 0, 2],
  [0, 4, 1],
  [2, 1, 1],
]);
const CLASSES = [0, 1, 2, 0, 2, 0];

describe("accuracy over every form of label", () => {
  test.each<DType>(["int32", "uint32", "uint8", "float32", "float64"])("classes of dtype %s", async (dtype) => {
    const labels = tensor(CLASSES, { dtype });
    expect(await read(accuracy, SCORES, labels)).toBeCloseTo(4 / 6, 6);
    expect(await read(accuracy, SCORES, labels.reshape([6, 1]))).toBeCloseTo(4 / 6, 6);
    for (const shape of [[4], [4, 1]])
      for (const labelShape of [[4], [4, 1]]) {
        const yes = tensor([1, 0, 1, 0], { dtype }).reshape(labelShape);
        expect(await read(accuracy, tensor([2, -1, 3, 4]).reshape(shape), yes)).toBe(0.75);
      }
  });

  test("bool, one-hot and soft labels; float64 outputs; more axes", async () => {
    expect(await read(accuracy, tensor([2, -1]), tensor([true, false]))).toBe(1);
    expect(await read(accuracy, SCORES.at("0:2, 0:2"), tensor([false, true]))).toBe(1);
    const hot = tensor(CLASSES, { dtype: "int32" });
    for (const dtype of ["float32", "int32", "bool", "float64"] as const) {
      const one = tensor([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0], [0, 0, 1], [1, 0, 0]]).cast(dtype); // biome-ignore format: rows
      expect(await read(accuracy, SCORES, one)).toBeCloseTo(4 / 6, 6);
    }
    expect(await read(accuracy, tensor([[1, 2]]), tensor([[0.1, 0.9]]))).toBe(1);
    expect(await read(accuracy, tensor([[1, 2]]), tensor([[-1, 1]]))).toBe(1);
    expect(await read(accuracy, tensor([2, -3]), tensor([0.9, 0.2]))).toBe(1);
    expect(await read(accuracy, SCORES.cast("float64").reshape([2, 3, 3]), hot.reshape([2, 3]))).toBeCloseTo(4 / 6, 6);
    const moved = SCORES.reshape([2, 3, 3]).permute([0, 2, 1]);
    expect(await read(accuracy.with({ axis: 1 }), moved, hot.reshape([2, 3]))).toBeCloseTo(4 / 6, 6);
  });

  test("examples with the ignored class do not count", async () => {
    const labels = tensor([0, -1, 2, 0, -1, 0], { dtype: "int32" });
    expect(await read(accuracy.with({ ignoreIndex: -1 }), SCORES, labels)).toBe(0.75);
    expect(await read(accuracy.with({ ignoreIndex: -1 }), tensor([3, 3]), tensor([-1, 1]))).toBe(1);
  });

  test("probabilities and thresholds are stated", async () => {
    const [output, target] = [tensor([0.1, 0.2, 0.9, 0.8]), tensor([0, 0, 1, 1])];
    expect(await read(accuracy.with({ from: "probabilities" }), output, target)).toBe(1);
    expect(await read(accuracy.with({ threshold: 0.85 }), output, target)).toBe(0.75);
  });

  test("with many labels each yes or no counts", async () => {
    const many = accuracy.with({ labels: "many" });
    expect(await read(many, tensor([[2, -1, 3], [-1, -1, 4]]), tensor([[1, 0, 0], [1, 0, 1]]))).toBeCloseTo(4 / 6, 6); // biome-ignore format: rows
  });

  test("labels that are no classes give NaN, and are explained by score", async () => {
    for (const labels of [[0, 1, 2, 3, 0, 0], [0, 1, 2, -1, 0, 0], [0, 1, 0.5, 0, 0, 0], [Number.NaN, 1, 0, 0, 0, 0]]) // biome-ignore format: rows
      expect(await read(accuracy, SCORES, tensor(labels))).toBeNaN();
    for (const labels of [
      [1, 2],
      [-1, 1],
      [Number.NaN, 1],
    ])
      expect(await read(accuracy, tensor([1, -1]), tensor(labels))).toBeNaN();
    // Two true classes, or none, have no one-hot form.
    for (const row of [[1, 1, 0], [0, 0, 0]]) expect(await read(accuracy, tensor([[1, 2, 3]]), tensor([row]))).toBeNaN(); // biome-ignore format: rows
    const twos = new ArrayDataset(
      { data: new Float32Array(4), shape: [1] },
      { data: Float32Array.of(1, 2, 1, 2), shape: [1], dtype: "float32" },
    );
    const model = init(new Sequential(new Linear(1, 1)), 0);
    await expect(score(model, twos, { loss: mse, metrics: { accuracy } })).rejects.toThrow(/2 labels are no classes[\s\S]*0 and 1/);
  });

  test("outputs that are NaN have no accuracy; infinite ones do", async () => {
    expect(await read(accuracy, tensor([Number.NaN, 1]), tensor([0, 1]))).toBeNaN();
    expect(await read(accuracy, tensor([[Number.NaN, 1]]), tensor([1]))).toBeNaN();
    expect(await read(accuracy, tensor([[Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]]), tensor([1]))).toBe(1);
  });

  test("shapes that do not belong together are refused", () => {
    expect(() => accuracy(SCORES, tensor([1, 2]))).toThrow(ShapeError);
    expect(() => accuracy(tensor([1, 2]), tensor([1, 0, 1]))).toThrow(ShapeError);
    expect(() => accuracy(tensor(1), tensor(1))).toThrow(ShapeError);
  });
});

describe("a model that ends in sigmoid", () => {
  const data = new ArrayDataset(
    { data: Float32Array.of(-1, 1), shape: [1] },
    { data: Float32Array.of(0, 1), shape: [1], dtype: "float32" },
  );
  const loss = (p: Tensor, t: Tensor): Tensor<[]> => mse(p, t);
  class Net extends Module {
    readonly layer = new Linear(1, 1);
    forward(x: Tensor): Tensor {
      return this.layer.forward(x).sigmoid().reshape([-1]);
    }
  }

  test("is not read as logits, whichever way it is written", async () => {
    for (const model of [new Sequential(new Linear(1, 1), sigmoid), new Sequential(new Sequential(new Linear(1, 1), sigmoid))])
      await expect((async () => score(init(model, 0), data, { loss, metrics: { accuracy } }))()).rejects.toThrow(
        /probabilities[\s\S]*from: "probabilities"/,
      );
    const safe = new Sequential(new Linear(1, 1), sigmoid, (p: Tensor) => p.clip(1e-6, 1 - 1e-6).cast("float64"));
    await expect((async () => score(init(safe, 0), data, { loss: meanSquaredError, metrics: { accuracy } }))()).rejects.toThrow(
      /probabilities/,
    );
    const bounded = new Sequential(new Linear(1, 1), (x: Tensor) => x.clip(0, 1));
    expect((await score(init(bounded, 0), data, { loss, metrics: { accuracy } })).accuracy).toBeGreaterThanOrEqual(0);
    const net = init(new Net(), 0);
    for (const f of [accuracy, recall, precision, f1])
      await expect((async () => score(net, data, { loss: (p, t) => mse(p, t.flatten(0)), metrics: { f } }))()).rejects.toThrow(
        /probabilities/,
      );
  });

  test("is right when it is stated, and what is no probability is refused", async () => {
    const model = new Sequential(new Linear(1, 1), sigmoid);
    model.loadStateDict({ "0.weight": tensor([[2]]), "0.bias": tensor([0]) });
    const metrics = { accuracy: accuracy.with({ from: "probabilities" }) };
    expect((await score(model, data, { loss, metrics })).accuracy).toBe(1);
    const linear = new Sequential(new Linear(1, 1));
    linear.loadStateDict({ "0.weight": tensor([[2]]), "0.bias": tensor([0]) });
    await expect(score(linear, data, { loss, metrics })).rejects.toThrow(/2 outputs are no probabilities/);
  });
});

describe("precision, recall and F1", () => {
  // Counts by hand: predicted 0 1 2 2 1 0, true 0 1 2 0 2 0.
  const labels = tensor(CLASSES, { dtype: "int32" });
  const hits = [2, 1, 1];
  const predicted = [2, 2, 2];
  const actual = [3, 1, 2];
  const each = (f: (c: number) => number): number[] => [0, 1, 2].map(f);
  const mean = (values: number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  const values: [string, typeof f1, number[]][] = [
    ["precision", precision, each((c) => hits[c]! / predicted[c]!)],
    ["recall", recall, each((c) => hits[c]! / actual[c]!)],
    ["f1", f1, each((c) => (2 * hits[c]!) / (predicted[c]! + actual[c]!))],
  ];

  test.each(values)("%s of each class, and its means", async (_, f, right) => {
    for (const c of [0, 1, 2]) expect(await read(f.with({ positive: c }), SCORES, labels)).toBeCloseTo(right[c]!, 6);
    expect(await read(f.with({ average: "macro" }), SCORES, labels)).toBeCloseTo(mean(right), 6);
    const weighted = right.reduce((sum, v, c) => sum + v * actual[c]!, 0) / 6;
    expect(await read(f.with({ average: "weighted" }), SCORES, labels)).toBeCloseTo(weighted, 6);
    // Where each example has one class, all micro averages are the accuracy.
    expect(await read(f.with({ average: "micro" }), SCORES, labels)).toBeCloseTo(4 / 6, 6);
    expect(() => f(SCORES, labels)).toThrow(/3 classes[\s\S]*macro/);
  });

  test("of two classes the second is the positive one, as of a single output", async () => {
    const [two, one] = [tensor([[0, 1], [0, 1], [1, 0], [0, 1]]), tensor([1, 1, -1, 1])]; // biome-ignore format: rows
    const truth = tensor([1, 0, 1, 0], { dtype: "int32" });
    for (const output of [two, one]) {
      expect(await read(precision, output, truth)).toBeCloseTo(1 / 3, 6);
      expect(await read(recall, output, truth)).toBe(0.5);
      expect(await read(f1, output, truth)).toBeCloseTo(0.4, 6);
    }
  });

  test("0/0 is NaN, or what is stated; in a mean it is 0, and classes that neither occur nor are predicted are left out", async () => {
    const nothing = tensor([-1, -1]);
    expect(await read(precision, nothing, tensor([1, 0]))).toBeNaN();
    expect(await read(precision.with({ empty: 0 }), nothing, tensor([1, 0]))).toBe(0);
    expect(await read(recall, nothing, tensor([0, 0]))).toBeNaN();
    expect(await read(recall.with({ empty: 1 }), nothing, tensor([0, 0]))).toBe(1);
    expect(await read(f1, nothing, tensor([1, 0]))).toBe(0);
    expect(await read(f1, nothing, tensor([0, 0]))).toBeNaN();
    // Class 1 occurs and is never predicted, class 2 does neither: precision (1/2 + 0) / 2, as scikit-learn says.
    const output = tensor([[1, 0, 0], [1, 0, 0]]); // biome-ignore format: rows
    expect(await read(precision.with({ average: "macro" }), output, tensor([0, 1]))).toBe(0.25);
    expect(await read(recall.with({ average: "macro" }), output, tensor([0, 1]))).toBe(0.5);
    expect(await read(f1.with({ average: "macro" }), output, tensor([0, 1]))).toBeCloseTo(1 / 3, 6);
  });

  test("with many labels each is a class of its own", async () => {
    const output = tensor([[2, -1, 3], [-1, -1, 4], [1, 2, -1]]); // biome-ignore format: rows
    const target = tensor([[1, 0, 0], [1, 0, 1], [0, 1, 1]]); // biome-ignore format: rows
    const options = { labels: "many" } as const;
    for (const [c, right] of [0.5, 1, 0.5].entries()) {
      expect(await read(precision.with({ ...options, positive: c }), output, target)).toBe(right);
      expect(await read(recall.with({ ...options, positive: c }), output, target)).toBe(right);
    }
    expect(await read(f1.with({ ...options, average: "micro" }), output, target)).toBeCloseTo((2 * 3) / (5 + 5), 6);
    expect(() => f1.with(options)(output, target)).toThrow(/macro/);
  });

  test("options that mean nothing are refused, with a suggestion", () => {
    expect(() => f1.with({ avrage: "macro" } as never)).toThrow(/did you mean average/);
    expect(() => f1.with({ average: "mean" as never })).toThrow(/"macro"/);
    expect(() => f1.with({ average: "macro", positive: 1 })).toThrow(/leave one/);
    expect(() => f1.with({ positive: 7 })(SCORES, labels)).toThrow(/no class 7/);
    expect(() => accuracy.with({ from: "probs" as never })).toThrow(/"probabilities"/);
    expect(() => accuracy.with({ threshold: 0.5 })(SCORES, labels)).toThrow(/threshold means nothing/);
  });
});

test("a confusion matrix has the true classes as rows", async () => {
  const labels = tensor(CLASSES, { dtype: "int32" });
  expect(await confusionMatrix(SCORES, labels).array()).toEqual([[2, 0, 1], [0, 1, 0], [0, 1, 1]]); // biome-ignore format: rows
  expect(await confusionMatrix(tensor([1, 1, -1]), tensor([1, 0, 1])).array()).toEqual([[0, 1], [1, 1]]); // biome-ignore format: rows
  const padded = tensor([0, -1, 2, 0, -1, 0], { dtype: "int32" });
  expect(await confusionMatrix(SCORES, padded, { ignoreIndex: -1 }).sum().item()).toBe(4);
});

describe("scores of numbers", () => {
  const [y, t] = [tensor([2.5, 0, 2, 8]), tensor([3, -0.5, 2, 7])];

  test("have scikit-learn's values, for [n, 1] beside [n] and for any dtype", async () => {
    for (const output of [y, y.reshape([4, 1]), y.cast("float64")]) {
      expect(await read(meanAbsoluteError, output, t)).toBeCloseTo(0.5, 6);
      expect(await read(meanSquaredError, output, t)).toBeCloseTo(0.375, 6);
      expect(await read(rootMeanSquaredError, output, t)).toBeCloseTo(Math.sqrt(0.375), 6);
      expect(await read(rSquared, output, t)).toBeCloseTo(0.9486081370449679, 6);
    }
    expect(await read(meanAbsoluteError, y, tensor([3, 0, 2, 7], { dtype: "int32" }))).toBeCloseTo(0.375, 6);
    expect(() => meanSquaredError(y, tensor([[1, 2, 3, 4]]))).toThrow(ShapeError);
  });

  test("R² of several columns is their mean, and without variance there is nothing to explain", async () => {
    const output = tensor([[0, 2], [-1, 2], [8, -5]]); // biome-ignore format: rows
    const target = tensor([[0.5, 1], [-1, 1], [7, -6]]); // biome-ignore format: rows
    expect(await read(rSquared, output, target)).toBeCloseTo(0.9368005266622779, 5);
    expect(await read(rSquared, tensor([1, 2]), tensor([3, 3]))).toBe(Number.NEGATIVE_INFINITY);
    expect(await read(rSquared, tensor([3, 3]), tensor([3, 3]))).toBeNaN();
  });
});

test("R² of targets far from 0 keeps their spread", async () => {
  const targets = Float32Array.from({ length: 5000 }, (_, i) => 1e6 + 8 * Math.sin(i));
  const outputs = targets.map((value, i) => value + Math.cos(3 * i));
  const sum = (f: (i: number) => number): number => targets.reduce((total, _, i) => total + f(i), 0);
  const mean = sum((i) => targets[i]!) / 5000;
  const right = 1 - sum((i) => (targets[i]! - outputs[i]!) ** 2) / sum((i) => (targets[i]! - mean) ** 2);
  expect(await read(rSquared, tensor(outputs), tensor(targets))).toBeCloseTo(right, 9);
  const data = new ArrayDataset({ data: outputs, shape: [] }, { data: targets, shape: [] });
  expect((await score(new Sequential(new Identity()), data, { loss: mse, metrics: { rSquared }, batchSize: 64 })).rSquared).toBeCloseTo(
    right,
    6,
  );
});

test("a metric of no tensors names itself and what it got", () => {
  const one = tensor([1]);
  for (const [who, f] of Object.entries({ accuracy, f1: f1.with({ average: "macro" }), confusionMatrix, rSquared, meanAbsoluteError }))
    for (const [output, target] of [[undefined, one], [one, [1]], [{ output: one, target: one }, one]]) // biome-ignore format: rows
      expect(() => f(output as Tensor, target as Tensor), who).toThrow(new RegExp(`^${who}: .* no tensor`));
});

describe("a score is of the data set, not of its batches", () => {
  const n = 120;
  // Rare positives, all in the last third: batches of 7 often hold none.
  const labels = Float32Array.from({ length: n }, (_, i) => Number(i >= 80 && i % 5 === 0));
  const x = Float32Array.from({ length: n }, (_, i) => (labels[i] && i % 10 === 0 ? 1 : i % 29 === 0 ? 1 : -1));
  const data = new ArrayDataset({ data: x, shape: [1] }, { data: labels, shape: [1], dtype: "float32" });
  const model = new Sequential(new Linear(1, 1));
  model.loadStateDict({ "0.weight": tensor([[1]]), "0.bias": tensor([0]) });
  const plainRecall = (o: Tensor, t: Tensor): Tensor<[]> => o.gt(0).cast("float32").mul(t).sum().div(t.sum());
  const weighted = (o: Tensor, t: Tensor): Tensor<[]> => bceWithLogits(o, t).mul(t.sum().add(1)) as Tensor<[]>;

  test.each([1, 7, 50, 1000])("in batches of %i", async (batchSize) => {
    const metrics = { accuracy, recall, precision, f1, plainRecall, rSquared, rootMeanSquaredError };
    const scores = await score(model, data, { loss: weighted, metrics, batchSize });
    const whole = { x: tensor(x, [n, 1]), y: tensor(labels, [n, 1]) };
    const output = model.forward(whole.x);
    for (const [name, f] of Object.entries({ loss: weighted, ...metrics }))
      expect(scores[name as keyof typeof scores], name).toBeCloseTo(await f(output, whole.y).item(), 5);
    expect(scores.recall).toBe(4 / 8);
    expect(scores.plainRecall).toBe(4 / 8);
  });

  test("losses of the library and declared means keep no outputs", async () => {
    const mean = metric((o, t) => o.sub(t).abs().mean(), { better: "smaller", mean: true });
    const huge = { size: 2 ** 40, batches: () => data.batches(50), split: () => { throw new Error("never"); } }; // biome-ignore format: one line
    const { loss, mean: found } = await score(model, huge, { loss: bceWithLogits, metrics: { mean } });
    expect(loss).toBeCloseTo((await score(model, data, { loss: bceWithLogits, batchSize: n })).loss, 6);
    expect(found).toBeCloseTo((await score(model, data, { loss: bceWithLogits, metrics: { meanAbsoluteError } })).meanAbsoluteError, 6);
    await expect(score(model, huge, { loss: bceWithLogits, metrics: { rSquared } })).rejects.toThrow(MemoryError);
  });

  test("rows may be parts of examples; what has no rows of one shape is told how to say what adds up", async () => {
    class Parts extends Module {
      forward(x: Tensor): Tensor {
        return x.reshape([-1]);
      }
    }
    const pairs = new ArrayDataset({ data: x, shape: [2] }, { data: labels, shape: [2], dtype: "float32" });
    const error = (o: Tensor, t: Tensor): Tensor<[]> =>
      o
        .sub(t.reshape([-1]))
        .abs()
        .mean() as Tensor<[]>;
    const flat = (o: Tensor, t: Tensor): Tensor<[]> => error(o, t);
    const { loss } = await score(new Parts(), pairs, { loss: flat, batchSize: 7 });
    expect(loss).toBeCloseTo(await error(tensor(x), tensor(labels)).item(), 6);
    class Total extends Module {
      forward(x: Tensor): Tensor {
        return x.sum();
      }
    }
    await expect(score(new Total(), pairs, { loss: (o) => o.square() as Tensor<[]> })).rejects.toThrow(
      /output \[\] for 60 examples[\s\S]*mean: true/,
    );
  });

  test("a loss that holds on to tensors of the forward pass is told to say that it is a mean", async () => {
    class Remembering extends Module {
      readonly layer = new Linear(1, 1);
      penalty: (() => Tensor) | undefined;
      forward(x: Tensor): Tensor {
        const y = this.layer.forward(x);
        this.penalty = () => y.square().mean();
        return y;
      }
    }
    const own = init(new Remembering(), 0);
    const loss = (o: Tensor, t: Tensor): Tensor<[]> => bceWithLogits(o, t).add(own.penalty!()) as Tensor<[]>;
    await expect(score(own, data, { loss })).rejects.toThrow(/loss cannot be computed from the outputs alone[\s\S]*mean: true/);
    const said = metric(loss, { better: "smaller", mean: true });
    const small = await score(own, data, { loss: said, batchSize: 7 });
    expect(small.loss).toBeCloseTo((await score(own, data, { loss: said })).loss, 5);
  });

  test("a metric that answers no tensor is told what one is", async () => {
    for (const [f, said] of [
      [() => 0.5, "0.5"],
      [async () => tensor(1), "a promise"],
      [() => undefined, "undefined"],
    ] as const)
      await expect(score(model, data, { loss: bceWithLogits, metrics: { f: f as never } })).rejects.toThrow(`f answered ${said}`);
  });

  test("a metric from sums adds up over batches", async () => {
    const share = metric({
      better: "larger",
      sums: (o, t) => ({ hits: o.gt(0).cast("float32").mul(t).sum(), all: t.sum() }),
      value: ({ hits, all }) => hits.div(all),
    });
    expect((await score(model, data, { loss: mse, metrics: { share }, batchSize: 7 })).share).toBe(4 / 8);
  });

  test("a metric says which way is better; a misspelt option and a metric called loss are refused", async () => {
    expect(() => metric(plainRecall, {} as never)).toThrow(/better/);
    expect(() => metric({ better: "larger", sum: () => ({}) } as never)).toThrow(/did you mean sums/);
    for (const bad of [{ metric: {} }, { batch: 3 }])
      await expect((async () => score(model, data, { loss: mse, ...bad }))()).rejects.toThrow(ArgumentError);
    await expect((async () => score(model, data, { loss: mse, metrics: { loss: accuracy } }))()).rejects.toThrow(/called loss/);
  });
});

describe("predict", () => {
  const model = init(new Sequential(new Linear(2, 3)), 1);

  test("gives the outputs of inputs, in batches as at once", async () => {
    const inputs = tensor(
      Float32Array.from({ length: 50 }, (_, i) => Math.sin(i)),
      [25, 2],
    );
    const right = await model.forward(inputs, inference).data();
    for (const batchSize of [4, 25, 1000]) {
      const output = await predict(model, inputs, { batchSize });
      expect(output.shape).toEqual([25, 3]);
      expect(await output.data()).toEqual(right);
    }
  });

  test("gives outputs and targets of a data set, in its order", async () => {
    const data = circle(33);
    const { output, target } = await predict(model, data, { batchSize: 10 });
    expect(Array.from(await target.data())).toEqual(Array.from(data.y.data));
    const { accuracy: right } = await score(model, data, { loss: crossEntropy, metrics: { accuracy } });
    expect(await accuracy(output, target).item()).toBeCloseTo(right, 6);
  });

  test("refuses nothing at all and unknown options", async () => {
    await expect(predict(model, circle(4).take(0))).rejects.toThrow(/no examples/);
    await expect(predict(model, circle(4), { batch: 2 } as never)).rejects.toThrow(/batchSize/);
  });
});
