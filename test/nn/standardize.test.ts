import { Generator, gradients, ones, type Tensor, tensor } from "gradus";
import { ArrayDataset } from "gradus/data";
import { inference, init, Linear, mse, Sequential, Standardize, standardized } from "gradus/nn";
import { adam } from "gradus/optim";
import { fit as learn } from "gradus/train";
import { describe, expect, test } from "vitest";

const moments = { mean: [10, -3], std: [2, 0] };

describe("standardisation", () => {
  test("is (x − mean) / std, with 1 for a deviation of 0, and its inverse undoes it", async () => {
    const layer = init(new Standardize(2), 0).adapt(moments);
    const back = init(new Standardize(2, { inverse: true }), 0).adapt(moments);
    const x = tensor([
      [10, -3],
      [14, 5],
    ]);
    expect(await layer.forward(x).array()).toEqual([
      [0, 0],
      [2, 8],
    ]);
    expect(await back.forward(layer.forward(x)).array()).toEqual(await x.array());
  });

  test("is the identity until it is adapted", async () => {
    expect(
      await init(new Standardize(1), 0)
        .forward(tensor([[3]]))
        .array(),
    ).toEqual([[3]]);
  });

  test("is stored with the model, and not trained", async () => {
    const model = init(new Sequential(new Standardize(2), new Linear(2, 1)), 0);
    (model.layers[0] as Standardize).adapt(moments);
    expect(Object.keys(model.stateDict())).toEqual(["0.mean", "0.std", "1.weight", "1.bias"]);
    expect(model.parameters()).toHaveLength(2);
    const other = init(new Sequential(new Standardize(2), new Linear(2, 1)), 1);
    other.loadStateDict(model.stateDict());
    const x = tensor([[1, 2]]);
    expect(await other.forward(x).array()).toEqual(await model.forward(x).array());
  });

  test.each<[string, unknown, RegExp]>([
    ["another number of features", { mean: [1], std: [1] }, /mean of 1 features[\s\S]*the layer has 2/],
    ["NaN", { mean: [1, Number.NaN], std: [1, 1] }, /mean of feature 1 is NaN/],
    ["a negative deviation", { mean: [1, 1], std: [-1, 1] }, /std of feature 0 is -1/],
    ["a mean beyond float32", { mean: [1e39, 1], std: [1, 1] }, /does not fit into float32/],
    ["no list", { mean: 3, std: [1, 1] }, /mean of 3 features/],
  ])("%s is refused", (_, given, message) => {
    expect(() => new Standardize(2).adapt(given as never)).toThrow(message);
  });

  test("an input of another width, and a misspelt option, are refused", () => {
    expect(() => init(new Standardize(2), 0).forward(ones([3, 4]) as Tensor)).toThrow(/the input is \[3, 4\]/);
    expect(() => new Standardize(2, { inverted: true } as never)).toThrow(/there are inverse, dtype/);
  });
});

describe("a loss of standardised numbers", () => {
  test("does not depend on the unit, and neither do its gradients", async () => {
    const slopes = [];
    for (const unit of [1, 1e15]) {
      const model = init(new Sequential(new Linear(1, 1), new Standardize(1, { inverse: true })), 3);
      const scale = model.layers[1] as Standardize;
      scale.adapt({ mean: [4 * unit], std: [2 * unit] });
      const value = standardized(mse, scale)(model.forward(tensor([[0.5]])), tensor([[3 * unit]]));
      slopes.push([await value.item(), await (gradients(value, model.parameters()[0]!) as Tensor).item()]);
    }
    expect(slopes[1]![0]).toBeCloseTo(slopes[0]![0]!, 5);
    expect(slopes[1]![1]).toBeCloseTo(slopes[0]![1]!, 5);
    expect(slopes[0]![1]).not.toBe(0);
  });

  test("learns targets of very different sizes together", async () => {
    const rng = new Generator(0);
    const x = (await rng.uniform([300, 2], -1, 1).data()) as Float32Array;
    const y = Float32Array.from({ length: 600 }, (_, i) => {
      const [a, b] = [x[2 * Math.floor(i / 2)]!, x[2 * Math.floor(i / 2) + 1]!];
      return i % 2 === 0 ? 1e6 * (a + b) + 5e6 : 1e-3 * (a - b);
    });
    const data = new ArrayDataset({ data: x, shape: [2] }, { data: y, shape: [2] });
    const [inputs, outputs] = [new Standardize(2), new Standardize(2, { inverse: true })];
    const model = init(new Sequential(inputs, new Linear(2, 2), outputs), 0);
    inputs.adapt(data.moments("x"));
    outputs.adapt(data.moments("y"));
    const records = await learn(model, data, {
      loss: standardized(mse, outputs),
      optimizer: adam(model.parameters(), { lr: 0.03 }),
      rng: 0,
      epochs: 40,
    });
    expect(records.at(-1)!.loss).toBeLessThan(1e-4);
    const [first, second] = (await model.forward(tensor([[0.5, 0.25]]), inference).data()) as Float32Array;
    expect(Math.abs(first! / 5.75e6 - 1)).toBeLessThan(0.01);
    expect(Math.abs(second! / 0.25e-3 - 1)).toBeLessThan(0.05);
  });
});
