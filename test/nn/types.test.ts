/** What the editor says about layers; the compiler checks this file, and the runtime the same mistakes. */
import { expect, test } from "vitest";
import { Generator, type Tensor, zeros } from "../../src/index.ts";
import {
  AdaptiveAvgPool2d,
  AvgPool2d,
  BatchNorm2d,
  Conv1d,
  Conv2d,
  Conv3d,
  ConvTranspose2d,
  crossEntropy,
  Dropout,
  Flatten,
  flatten,
  GroupNorm,
  Identity,
  inference,
  init,
  LayerNorm,
  Linear,
  LocallyConnected1d,
  MaxPool2d,
  mse,
  relu,
  Sequential,
  softmax,
  training,
} from "../../src/nn/index.ts";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const is =
  <S>() =>
  <T>(
    x: { readonly shape: T },
    ..._no: Equal<[...(T & readonly unknown[])], [...(S & readonly unknown[])]> extends true ? [] : [got: T]
  ): void =>
    void x;

const x64 = zeros([64, 784]);
const batch: Tensor<[number, 784]> = x64;
const plain: Tensor = x64;
const mlp = init(new Sequential(new Linear(784, 300), relu, new Linear(300, 10)), 0);

test("a chain of layers knows its output, and mistakes in it are red", () => {
  is<[number, 10]>()(mlp.forward(batch));
  is<[64, 10]>()(mlp.forward(x64));
  is<[64, 784]>()(relu(x64));
  const through = init(new Sequential(mlp, new Identity(), new Linear(10, 2)), 0);
  is<[64, 2]>()(through.forward(x64));
  is<[64, 10]>()(init(new Sequential(new Flatten(), new Linear(784, 10)), 0).forward(zeros([64, 28, 28])));
  is<[64, 10]>()(init(new Sequential(flatten, new Linear(784, 10)), 0).forward(zeros([64, 28, 28])));
  // @ts-expect-error the last axis must be 784
  expect(() => mlp.forward(zeros([64, 783]))).toThrow(/783 features/);
  // @ts-expect-error 300 meets 200
  const wrong = new Sequential(new Linear(784, 300), relu, new Linear(200, 10));
  expect(() => init(wrong as Sequential, 0).forward(plain)).toThrow(/300 features/);
});

test("a plain tensor flows everywhere, both ways, and so does a plain function", () => {
  const back: Tensor<[64, 10]> = mlp.forward(plain);
  const mixed = init(new Sequential((x) => softmax(x), new Linear(784, 10)), 0);
  const out: Tensor<[number, 10]> = mixed.forward(plain);
  const width: number = 784;
  const dynamic = init(new Sequential(new Linear(width, width), relu), 0);
  expect([back.shape, out.shape, dynamic.forward(batch).shape]).toEqual([
    [64, 10],
    [64, 10],
    [64, 784],
  ]);
  const list = [new Linear(784, width), new Linear(width, 784)];
  expect(init(new Sequential(...list), 0).forward(plain).shape).toEqual([64, 784]);
});

test("a convolution knows its channels, and those of what it cannot take are red", () => {
  const images: Tensor<[number, 3, 32, 32]> = zeros([8, 3, 32, 32]);
  is<[number, 16, number, number]>()(init(new Conv2d(3, 16, 5), 0).forward(images));
  is<[8, 4, number]>()(init(new Conv1d(2, 4, 3), 0).forward(zeros([8, 2, 10])));
  is<[4, number, number, number]>()(init(new Conv3d(2, 4, 3), 0).forward(zeros([2, 5, 5, 5])));
  const chain = init(new Sequential(new Conv2d(3, 16, 5), relu, new Conv2d(16, 4, 5), new Flatten(), new Linear(4 * 24 * 24, 10)), 0);
  is<[number, 10]>()(chain.forward(images));
  const through: Tensor<[number, 10]> = chain.forward(zeros([8, 3, 32, 32]) as Tensor);
  expect(through.shape).toEqual([8, 10]);
  // @ts-expect-error three channels, not one
  expect(() => chain.forward(zeros([8, 1, 32, 32]))).toThrow(/1 channel,/);
  // @ts-expect-error 16 channels meet a layer for 6
  const wrong = new Sequential(new Conv2d(3, 16, 5), relu, new Conv2d(6, 4, 5));
  expect(() => init(wrong as Sequential, 0).forward(images as Tensor)).toThrow(/16 channels, the layer was made for 6/);
  // @ts-expect-error no axes of space
  expect(() => new Conv2d(3, 16, 5).forward(zeros([3, 32]))).toThrow(/the input is \[3, 32\]/);
  is<[8, 6, number, number]>()(init(new ConvTranspose2d(4, 6, 4), 0).forward(zeros([8, 4, 5, 5])));
  is<[8, 6, number]>()(init(new LocallyConnected1d(4, 6, 9, 3), 0).forward(zeros([8, 4, 9])));
  // @ts-expect-error transposed, it takes the 4 channels
  expect(() => new ConvTranspose2d(4, 6, 4).forward(zeros([8, 6, 5, 5]))).toThrow(/6 channels, the layer was made for 4/);
  const channels: number = 3;
  is<[8, number, number, number]>()(init(new Conv2d(channels, channels, 3), 0).forward(zeros([8, 3, 9, 9])));
});

test("the mode is required exactly where a layer requires it", () => {
  const noisy = init(new Sequential(new Linear(784, 10), new Dropout(0.5), relu), 0);
  is<[64, 10]>()(noisy.forward(x64, inference));
  noisy.forward(x64, training(new Generator(0)));
  // @ts-expect-error dropout needs the mode
  expect(() => noisy.forward(x64)).toThrow(/needs a mode/);
  mlp.forward(x64, inference);
  const nested = init(new Sequential(noisy, relu), 0);
  // @ts-expect-error so does a chain within a chain
  expect(() => nested.forward(x64)).toThrow(/needs a mode/);
  const several = [new Dropout(0), new Dropout(0)];
  // @ts-expect-error and a list of such layers
  expect(() => new Sequential(...several).forward(x64)).toThrow(/needs a mode/);
});

test("losses are scalars unless they are not reduced, and fit where a loss is wanted", () => {
  const logits = zeros([2, 3]);
  const target = zeros([2], { dtype: "int32" });
  is<[]>()(crossEntropy(logits, target));
  is<[]>()(crossEntropy(logits, target, { reduction: "sum" }));
  const each: Tensor = crossEntropy(logits, target, { reduction: "none" });
  const losses: ((output: Tensor, target: Tensor) => Tensor<[]>)[] = [crossEntropy, mse];
  expect(each.shape).toEqual([2]);
  expect(losses.length).toBe(2);
});

test("pools and normalisation know their channels and axes, and mistakes in a chain of them are red", () => {
  const images = zeros([8, 1, 12, 12]);
  const model = init(
    new Sequential(new Conv2d(1, 4, 3), new BatchNorm2d(4), relu, new MaxPool2d(2), new AdaptiveAvgPool2d(1), new Flatten()),
    0,
  );
  is<[8, number]>()(model.forward(images, inference));
  is<[8, 1, number, number]>()(new AvgPool2d(2).forward(images));
  is<[8, 1, 12, 12]>()(init(new LayerNorm(12), 0).forward(images));
  is<[8, 4, 5]>()(init(new GroupNorm(2, 4), 0).forward(zeros([8, 4, 5])));
  // @ts-expect-error 4 channels meet 6
  const wrong = new Sequential(new Conv2d(1, 4, 3), new BatchNorm2d(6));
  expect(() => init(wrong as Sequential, 0).forward(images as Tensor, inference)).toThrow(/4 channels, the layer was made for 6/);
  // @ts-expect-error a pool over two axes needs three
  expect(() => new MaxPool2d(2).forward(zeros([8, 12]))).toThrow(/\[8, 12\]/);
  // @ts-expect-error batch normalisation needs the mode
  expect(() => model.forward(images)).toThrow(/needs a mode/);
});
