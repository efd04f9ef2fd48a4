import { conv2d, convolve, correlate, Generator, type Tensor, tensor, zeros } from "gradus";
import { Conv1d, Conv2d, Conv3d, ConvTranspose2d, init, Linear, LocallyConnected1d, LocallyConnected2d, type Module } from "gradus/nn";
import { describe, expect, test } from "vitest";
import { costOf } from "../../src/graph/cost.ts";

const numbers = async (x: Tensor): Promise<number[]> => Array.from(await x.data(), (n) => n + 0);
const parameters = (layer: Module): number =>
  layer.parameters().reduce((n, { shape }) => n + shape.reduce((a: number, b: number) => a * b, 1), 0);

describe("4.1 Convolution in one dimension", () => {
  test("4.1 is s(t) = Σ f(i) g(t − i)", async () => {
    const [f, g] = [[3, 1, -2, 5], [2, 0, 1]]; // biome-ignore format: a pair
    const at = (list: number[], i: number): number => list[i] ?? 0;
    const s = Array.from({ length: 6 }, (_, t) => f.reduce((sum, x, i) => sum + x * at(g, t - i), 0));
    expect(await numbers(convolve(tensor(f), tensor(g)))).toEqual(s);
  });

  test("4.1 smooths a noisy sensor: the mean of n readings has an nth of the noise's variance", async () => {
    const noise = new Generator(0).normal([10_000]);
    const smoothed = convolve(noise.add(20), tensor(Array.from({ length: 10 }, () => 0.1)), "valid");
    expect(smoothed.shape).toEqual([9991]);
    expect(await smoothed.mean().item()).toBeCloseTo(20, 1);
    expect((await smoothed.variance().item()) / (await noise.variance().item())).toBeCloseTo(0.1, 2);
  });
});

describe("4.2 Convolution and cross-correlation", () => {
  test("4.2 convolution is commutative, because the kernel is flipped; correlation is not", async () => {
    const rng = new Generator(1);
    const [image, kernel] = [rng.uniform([5, 6], -4, 4).floor(), rng.uniform([2, 3], -4, 4).floor()] as [Tensor, Tensor];
    expect(await numbers(convolve(image, kernel))).toEqual(await numbers(convolve(kernel, image)));
    expect(await numbers(correlate(image, kernel, "full"))).not.toEqual(await numbers(correlate(kernel, image, "full")));
    expect(await numbers(correlate(image, kernel, "full"))).toEqual(await numbers(convolve(image, kernel.flip())));
    const layer = conv2d(image.reshape([1, 5, 6]), kernel.reshape([1, 1, 2, 3]));
    expect(await numbers(layer)).toEqual(await numbers(correlate(image, kernel)));
  });
});

describe("4.3 Strides, dilation, groups and padding", () => {
  test("4.3 of kernels of k: valid n − k + 1, same n, full n + k − 1 places", () => {
    const width = (padding: "valid" | "same" | "full"): number =>
      init(new Conv1d(1, 1, 4, { padding }), 0).forward(zeros([1, 10])).shape[1]!;
    expect([width("valid"), width("same"), width("full")]).toEqual([7, 10, 13]);
  });

  test("4.3 a stride leaves out places, dilation widens the kernel without more weights, groups share none", () => {
    const volume = init(new Conv3d(4, 6, 3, { stride: [1, 2, 3], padding: [[1, 1], [0, 1], [2, 0]], groups: 2 }), 0); // biome-ignore format: pairs
    expect(volume.forward(zeros([2, 4, 9, 9, 9])).shape).toEqual([2, 6, 9, 4, 3]);
    expect(parameters(volume)).toBe(6 * (2 * 27 + 1));
    const wide = init(new Conv2d(3, 8, 3, { dilation: 4 }), 0);
    expect(wide.forward(zeros([1, 3, 20, 20])).shape).toEqual([1, 8, 12, 12]);
    expect(parameters(wide)).toBe(parameters(new Conv2d(3, 8, 3)));
  });

  test("4.3 a transposed convolution goes the way back", () => {
    const down = init(new Conv2d(3, 8, 4, { stride: 2, padding: 1 }), 0);
    const up = init(new ConvTranspose2d(8, 3, 4, { stride: 2, padding: 1 }), 0);
    expect(up.forward(down.forward(zeros([1, 3, 32, 24]))).shape).toEqual([1, 3, 32, 24]);
  });
});

describe("4.4 Sparse interactions and shared parameters", () => {
  test("4.4 a dense layer has mn weights, a local one kn, a convolution k", () => {
    const [m, n, k] = [100, 96, 5];
    expect(parameters(new Linear(m, n, { bias: false }))).toBe(m * n);
    expect(parameters(new LocallyConnected1d(1, 1, m, k, { bias: false }))).toBe(k * n);
    expect(parameters(new Conv1d(1, 1, k, { bias: false }))).toBe(k);
    expect(parameters(new LocallyConnected2d(1, 4, [28, 28], 5))).toBe(59_904);
    expect(parameters(new Conv2d(1, 4, 5))).toBe(104);
  });

  test("4.4 edges of a photograph of 320 × 280: 319 · 280 · 3 operations by a kernel of two, billions of weights by a matrix (Figure 9.6)", async () => {
    const photograph = zeros([1, 280, 320]);
    const edges = conv2d(photograph, tensor([-1, 1]).reshape([1, 1, 1, 2]));
    expect(edges.shape).toEqual([1, 280, 319]);
    // Two multiplications and an addition each; counted are as many additions as multiplications.
    expect(costOf([edges.node()]).flops).toBe(4 * 319 * 280);
    expect(320 * 280 * 319 * 280).toBeGreaterThan(8e9);
    const step = tensor([[0, 0, 5, 5, 2]]).reshape([1, 1, 5]) as Tensor;
    expect(await numbers(conv2d(step, tensor([-1, 1]).reshape([1, 1, 1, 2])))).toEqual([0, 5, 0, -3]);
  });
});

describe("4.5 Equivariance", () => {
  const rng = new Generator(2);
  const whole = (shape: number[]): Tensor => rng.uniform(shape, -4, 4).floor() as Tensor;

  test("4.5 f(g(x)) = g(f(x)) where g moves the picture", async () => {
    const [picture, kernels] = [whole([1, 6, 6]).pad([[3, 3], [3, 3]]), whole([2, 1, 3, 3])]; // biome-ignore format: pairs
    const f = (x: Tensor): Tensor => conv2d(x, kernels, { padding: "same" });
    const g = (x: Tensor): Tensor => x.pad([[2, -2], [-1, 1]]); // biome-ignore format: pairs
    expect(await numbers(f(g(picture)))).toEqual(await numbers(g(f(picture))));
  });

  test("4.5 but not where g turns it, nor where it changes its scale", async () => {
    const [picture, kernels] = [whole([1, 8, 8]), tensor([[1, 0], [2, -1]]).reshape([1, 1, 2, 2]) as Tensor]; // biome-ignore format: a kernel
    const f = (x: Tensor): Tensor => conv2d(x, kernels, { padding: "full" });
    const turn = (x: Tensor): Tensor => x.transpose().flip(-1) as Tensor;
    const twice = (x: Tensor): Tensor => x.unsqueeze(-1).unsqueeze(-3).broadcastTo([1, x.shape[1]!, 2, x.shape[2]!, 2]).reshape([1, 2 * x.shape[1]!, 2 * x.shape[2]!]) as Tensor; // biome-ignore format: one line
    expect(await numbers(f(turn(picture)))).not.toEqual(await numbers(turn(f(picture))));
    const [large, small] = [f(twice(picture)), twice(f(picture))];
    expect(await numbers(large.pad([[0, 1], [0, 1]]))).not.toEqual(await numbers(small)); // biome-ignore format: pairs
  });
});
