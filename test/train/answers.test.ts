import { tensor } from "gradus";
import { bceWithLogits, crossEntropy, Linear, mse, type Standardize } from "gradus/nn";
import { sgd } from "gradus/optim";
import { answersOf, type Recipe } from "gradus/train";
import { describe, expect, test } from "vitest";

const recipe = (more: Partial<Recipe>): Recipe => ({
  options: { n: 2 },
  model: () => new Linear(1, 1),
  data: () => Promise.reject(new Error("none")),
  optimizer: (model: Standardize) => sgd(model.parameters(), { lr: 1 }),
  ...more,
});
const kindOf = (more: Partial<Recipe>, width: number): unknown => {
  const answers = answersOf(recipe(more), { n: 2 }, width);
  return answers.kind === "values" ? answers.values.map(({ name }) => name) : answers.classes;
};

describe("what outputs mean", () => {
  test("is what the recipe says, by its options too", () => {
    expect(kindOf({ loss: crossEntropy, values: [{ name: "price", unit: "€" }] }, 1)).toEqual(["price"]);
    expect(kindOf({ loss: mse, classes: (o) => [`up to ${o.n}`, "more"], probabilities: (x) => x }, 2)).toEqual(["up to 2", "more"]);
  });

  test("is a number where the loss is one of numbers, or where there is one output", () => {
    expect(kindOf({ loss: mse }, 1)).toEqual(["output"]);
    expect(kindOf({ loss: mse }, 2)).toEqual(["output 0", "output 1"]);
    expect(kindOf({ loss: crossEntropy }, 1)).toEqual(["output"]);
    expect(kindOf({ loss: crossEntropy }, 3)).toEqual(["0", "1", "2"]);
  });

  test("under bceWithLogits is the probability of one class of two, or of each of several", async () => {
    const two = answersOf(recipe({ loss: bceWithLogits }), { n: 2 }, 1);
    expect(two.kind === "classes" && (await two.probabilities(tensor([[0], [Math.log(3)]])).array())).toEqual([
      [0.5, 0.5],
      [expect.closeTo(0.25, 6), expect.closeTo(0.75, 6)],
    ]);
    const several = answersOf(recipe({ loss: bceWithLogits, classes: ["red", "round"] }), { n: 2 }, 2);
    expect(several.kind === "values" && (await several.read(tensor([[0, Math.log(3)]])).array())).toEqual([[0.5, expect.closeTo(0.75, 6)]]);
  });

  test("has a name for each output", () => {
    expect(() => kindOf({ loss: crossEntropy, classes: ["a", "b"] }, 3)).toThrow(/names 2 answers, its network has 3 outputs/);
    expect(() => kindOf({ loss: mse, values: [{ name: "a" }] }, 2)).toThrow(/names 1 answers/);
  });
});
