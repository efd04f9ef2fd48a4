/** Every options object of the public face refuses names that it does not know, and says which was probably meant. */
import * as core from "gradus";
import * as nn from "gradus/nn";
import * as optim from "gradus/optim";
import { describe, expect, test } from "vitest";
import { errorOf } from "./error-of.ts";

const { Generator, tensor, ones, variable } = core;
const x = ones([2, 3]);
const y = ones([2, 3]);
const classes = tensor([0, 2], { dtype: "int32" });
const w = (): core.Variable => variable(1);
const loose = (options: object): any => options;

/** What is called with options, one option it has, and what it calls itself where that is not the function's name. */
type Case = readonly [name: string, call: (options: any) => unknown, option: string, who?: string];

const reductions = (["sum", "product", "mean", "max", "min", "logSumExp"] as const).map(
  (name): Case => [name, (o) => (x as any)[name](0, o), "keepDims"],
);
const CORE: readonly Case[] = [
  ...reductions,
  ["any", (o) => (x as any).gt(0).any(0, o), "keepDims"],
  ["all", (o) => (x as any).gt(0).all(0, o), "keepDims"],
  ["variance", (o) => (x as any).variance(0, o), "correction"],
  ["std", (o) => (x as any).std(0, o), "correction"],
  ["norm", (o) => (x as any).norm(0, o), "keepDims"],
  ["argmax", (o) => (x as any).argmax(0, o), "keepDims"],
  ["argmin", (o) => (x as any).argmin(0, o), "keepDims"],
  ["cumsum", (o) => x.cumsum(0, o), "exclusive"],
  ["sort", (o) => x.sort(0, o), "descending"],
  ["argsort", (o) => x.argsort(0, o), "descending"],
  ["tensor", (o) => tensor([1, 2], o), "dtype"],
  ["tensor with a shape", (o) => tensor([1, 2], [2, 1], o), "dtype", "tensor"],
  ["zeros", (o) => core.zeros([2], o), "dtype"],
  ["ones", (o) => ones([2], o), "dtype"],
  ["full", (o) => core.full([2], 1, o), "dtype"],
  ["eye", (o) => core.eye(2, 2, o), "dtype"],
  ["arange", (o) => core.arange(3, o), "dtype"],
  ["arange with three numbers", (o) => core.arange(0, 3, 1, o), "dtype", "arange"],
  ["linspace", (o) => core.linspace(0, 1, 3, o), "dtype"],
  ["oneHot", (o) => core.oneHot(classes, 3, o), "dtype"],
  ["uniform", (o) => new Generator(0).uniform([2], 0, 1, o), "dtype"],
  ["normal", (o) => new Generator(0).normal([2], 0, 1, o), "dtype"],
  ["variable", (o) => variable([1], o), "trainable"],
  ["Variable", (o) => new core.Variable(x, o), "trainable"],
  ["compile", (o) => core.compile(() => x.sum(), o), "optimize"],
  ["configure", (o) => core.configure(o), "threads"],
  ["evaluate", (o) => core.evaluate(x, o), "device"],
  ["gradients", (o) => { const v = w(); return core.gradients(v.square() as any, v, o); }, "unused"], // biome-ignore format: one line
  ["vmap", (o) => core.vmap((a: core.Tensor) => a, o)(x), "in"],
  ["gradcheck", (o) => core.gradcheck((a: core.Tensor) => a.square(), [ones([1], { dtype: "float64" })], o), "tolerance"],
  ["gradgradcheck", (o) => core.gradgradcheck((a: core.Tensor) => a.square(), [ones([1], { dtype: "float64" })], o), "tolerance"],
  ["toDot", (o) => core.toDot(x, o), "highlight"],
];
const NN: readonly Case[] = [
  ["mse", (o) => nn.mse(x, y, o), "reduction"],
  ["l1", (o) => nn.l1(x, y, o), "reduction"],
  ["huber", (o) => nn.huber(x, y, o), "delta"],
  ["smoothL1", (o) => nn.smoothL1(x, y, o), "reduction"],
  ["gaussianNll", (o) => nn.gaussianNll(x, y, ones([2, 3]), o), "full"],
  ["bceWithLogits", (o) => nn.bceWithLogits(x, y, o), "posWeight"],
  ["crossEntropy", (o) => nn.crossEntropy(x, classes, o), "ignoreIndex"],
  ["nll", (o) => nn.nll(x, classes, o), "ignoreIndex"],
  ["klDivergence", (o) => nn.klDivergence(x, y, o), "logTarget"],
  ["Linear", (o) => new nn.Linear(3, 4, o), "bias"],
  ["Embedding", (o) => new nn.Embedding(3, 4, o), "dtype"],
  ["Standardize", (o) => new nn.Standardize(3, o), "inverse"],
  ["parameter", (o) => nn.parameter([2], nn.zeros, o), "trainable"],
  ["summary", (o) => nn.summary(nn.init(new nn.Linear(3, 4), 0), [1, 3], o), "dtype"],
  ["loadStateDict", (o) => { const m = nn.init(new nn.Linear(1, 1), 0); m.loadStateDict(m.stateDict(), o); }, "strict"], // biome-ignore format: one line
  ["xavierUniform", (o) => nn.xavierUniform(o), "gain"],
  ["xavierNormal", (o) => nn.xavierNormal(o), "gain"],
  ["kaimingUniform", (o) => nn.kaimingUniform(o), "fan"],
  ["kaimingNormal", (o) => nn.kaimingNormal(o), "fan"],
];
const OPTIM: readonly Case[] = [
  ["sgd", (o) => optim.sgd([w()], { lr: 1, ...o }), "momentum"],
  ["rmsprop", (o) => optim.rmsprop([w()], { lr: 1, ...o }), "centered"],
  ["adagrad", (o) => optim.adagrad([w()], { lr: 1, ...o }), "lrDecay"],
  ["adam", (o) => optim.adam([w()], { lr: 1, ...o }), "betas"],
  ["adamW", (o) => optim.adamW([w()], { lr: 1, ...o }), "weightDecay"],
  ["minimize", (o) => { const v = w(); optim.sgd([v], { lr: 1 }).minimize(v.square() as any, o); }, "unused"], // biome-ignore format: one line
  ["constant", (o) => optim.constant({ lr: 1, ...o }), "lr"],
  ["step", (o) => optim.step({ start: 1, every: 2, ...o }), "factor"],
  ["exponential", (o) => optim.exponential({ start: 1, factor: 0.5, ...o }), "factor"],
  ["linear", (o) => optim.linear({ start: 1, end: 0, steps: 3, ...o }), "steps"],
  ["cosine", (o) => optim.cosine({ peak: 1, steps: 3, ...o }), "warmup"],
  ["warmup", (o) => optim.warmup(1, { steps: 3, ...o }), "steps"],
  ["oneCycle", (o) => optim.oneCycle({ peak: 1, steps: 30, ...o }), "division"],
];

const ALL = [...CORE, ...NN, ...OPTIM];

/** The option as somebody else spells it, or misspells it. */
const misspelt = (option: string): string[] => [
  `${option}e`,
  option.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`) === option
    ? `${option[0]}${option}`
    : option.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`),
];

describe("an option that does not exist is refused, and the one that was meant named, by", () => {
  for (const [name, call, option, who = name] of ALL)
    test(name, async () => {
      for (const wrong of misspelt(option)) {
        const { message } = await errorOf(() => call(loose({ [wrong]: undefined })));
        expect(message.split("\n")[0]).toContain(`${who}: there is no option "${wrong}"`);
        expect(message).toContain(`did you mean ${option}?`);
      }
    });

  for (const [name, call] of ALL)
    test(`${name}, with the user's line`, async () => {
      expect((await errorOf(() => call(loose({ nothingLikeIt: 1 })))).message).toMatch(/ at options\.alone\.test\.ts:\d+\n/);
    });
});

test("the options there are still do what they say", async () => {
  expect((x.sum(0, { keepDims: true }) as core.Tensor).shape).toEqual([1, 3]);
  expect(x.cumsum(0, { exclusive: true }).shape).toEqual([2, 3]);
  expect(await nn.crossEntropy(x, tensor([0, 1], { dtype: "int32" }), { ignoreIndex: 1, reduction: "sum" }).item()).toBeCloseTo(
    Math.log(3),
    6,
  );
  expect(new nn.Linear(2, 2, { bias: false }).bias).toBeUndefined();
});

test("values that an option cannot have are refused", async () => {
  expect(() => core.compile(() => x.sum(), { guard: "losses" as "loss" })).toThrow(/guard is "losses"[\s\S]*"none", "loss" or "gradients"/);
  expect(() => core.compile(() => x.sum(), { optimize: 2 as 1 })).toThrow(/optimize is 2/);
  const v = w();
  expect(() => core.gradients(v.square() as any, v, { unused: "zeros" as "zero" })).toThrow(/unused is "zeros"[\s\S]*"error" or "zero"/);
  expect(() => nn.kaimingUniform({ fan: "both" as "in" })).toThrow(/fan is "both"/);
  expect((await errorOf(() => core.evaluate(x, { device: "gpu" as "wasm" }))).message).toContain('evaluate: device is "gpu"');
});
