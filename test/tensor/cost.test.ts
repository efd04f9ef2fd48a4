import { expect, test } from "vitest";
import { conv2d, convTranspose2d, cost, ones, tensor } from "../../src/index.ts";

test("a product costs a multiplication and an addition for each term, an elementwise function one for each element, moves nothing", () => {
  const x = ones([4, 3]);
  const y = x.matmul(ones([3, 5]));
  expect(cost(y)).toEqual({ flops: 2 * 4 * 3 * 5, bytes: 4 * 20 });
  expect(cost(y.exp()).flops).toBe(120 + 20);
  expect(cost(y.transpose().reshape([2, 10]))).toEqual(cost(y));
});

test("a convolution costs a multiplication and an addition for each tap of each result, a group its own channels only", () => {
  const image = ones([2, 4, 9, 9]);
  expect(cost(conv2d(image, ones([6, 4, 3, 3]), { padding: 1 })).flops).toBe(2 * (2 * 6 * 9 * 9) * (4 * 3 * 3));
  expect(cost(conv2d(image, ones([6, 2, 3, 3]), { groups: 2, stride: 2 })).flops).toBe(2 * (2 * 6 * 4 * 4) * (2 * 3 * 3));
});

test("what several tensors share counts once, and what is given, with all that it stands on, is there already", () => {
  const x = ones([10]).exp();
  const [a, b] = [x.sin(), x.cos()];
  expect(cost({ a, b }).flops).toBe(30);
  expect(cost([a, b], x)).toEqual({ flops: 20, bytes: 80 });
  expect(cost(a, [a])).toEqual({ flops: 0, bytes: 0 });
  expect(cost(tensor([1, 2]))).toEqual({ flops: 0, bytes: 0 });
});

test("a convolution's adjoint costs what the convolution does, whatever its stride and padding", () => {
  const down = (stride: number, padding: number): number => cost(conv2d(ones([2, 4, 9, 9]), ones([6, 4, 3, 3]), { stride, padding })).flops;
  for (const [stride, padding] of [
    [1, 0],
    [1, 1],
    [2, 1],
  ] as const) {
    // biome-ignore format: pairs
    const size = (9 + 2 * padding - 3) / stride + 1;
    const up = cost(convTranspose2d(ones([2, 6, size, size]), ones([6, 4, 3, 3]), { stride, padding })).flops;
    expect(up).toBe(down(stride, padding));
  }
});
