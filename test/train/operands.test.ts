import { expect, test } from "vitest";
import { GradusError } from "../../src/core/errors.ts";
import { ArrayDataset, tableFrom } from "../../src/data/index.ts";
import { tensor } from "../../src/index.ts";
import { crossEntropy, init, Linear, relu, Sequential } from "../../src/nn/index.ts";
import { sgd } from "../../src/optim/index.ts";
import { accuracy, predict, score, fit as train } from "../../src/train/index.ts";

const model = init(new Sequential(new Linear(2, 2)), 0);
const data = new ArrayDataset({ data: new Float32Array(8), shape: [2] }, { data: new Int32Array(4), shape: [] });
const options = { loss: crossEntropy, optimizer: sgd(model.parameters(), { lr: 0.1 }), rng: 0, epochs: 1 };
const [x, y] = [tensor([[1, 2]]), tensor([1], { dtype: "int32" })];

/** The error of a call that is wrong for the compiler too. */
async function refusal(call: () => unknown): Promise<string> {
  const error: unknown = await (async () => call())().then(
    () => undefined,
    (reason) => reason,
  );
  expect(error).toBeInstanceOf(GradusError);
  return String((error as Error).message);
}

const STRANGERS: readonly (readonly [name: string, value: unknown, help: RegExp])[] = [
  ["a promise of data", Promise.resolve(data), /is a promise[\s\S]*await it first/],
  ["a table", tableFrom("a,b,c\n1,2,x\n3,4,y\n"), /const \{ data \} = tableFrom/],
  ["a list of data sets", [data], /new ArrayDataset/],
  ["tensors in a record", { x, y }, /new ArrayDataset/],
  ["nothing", undefined, /is undefined[\s\S]*new ArrayDataset/],
];

test.each(STRANGERS)("%s in place of a data set is named, with what to do", async (_, value, help) => {
  const no = value as never;
  expect(await refusal(() => train(model, no, options))).toMatch(/^fit: the data is /);
  for (const call of [() => train(model, no, options), () => score(model, no, { loss: crossEntropy }), () => predict(model, no)])
    expect(await refusal(call)).toMatch(help);
  if (value !== undefined)
    expect(await refusal(() => train(model, data, { ...options, validation: no }))).toMatch(/^fit: the validation data is /);
});

test.each<[string, unknown, RegExp]>([
  ["a function", relu, /the model is a function[\s\S]*new Sequential/],
  ["nothing", undefined, /the model is undefined/],
])("%s in place of a model is named", async (_, value, message) => {
  const no = value as never;
  for (const call of [() => train(no, data, options), () => score(no, data, { loss: crossEntropy }), () => predict(no, data)])
    expect(await refusal(call)).toMatch(message);
});

test("options that are left out, and metrics without names, are named", async () => {
  for (const call of [() => train(model, data, undefined as never), () => score(model, data, undefined as never)])
    expect(await refusal(call)).toMatch(/^(fit|score): the loss is undefined/);
  for (const call of [
    () => train(model, data, { ...options, metrics: [accuracy] as never }),
    () => score(model, data, { loss: crossEntropy, metrics: [accuracy] as never }),
  ])
    expect(await refusal(call)).toMatch(/the metrics are a list[\s\S]*metrics: \{ accuracy \}/);
});

test.each<[string, unknown, RegExp]>([
  [
    "an array",
    Float32Array.of(1, 2),
    /data: inputs: Float32Array where numbers and the shape of an example are wanted[\s\S]*shape: \[features\]/,
  ],
  ["a tensor", x, /data: inputs: Tensor where/],
  ["nothing", undefined, /data: inputs: undefined where/],
])("%s in place of a column of a data set is named", (_, value, message) => {
  expect(() => new ArrayDataset(value as never, value as never)).toThrow(message);
});
