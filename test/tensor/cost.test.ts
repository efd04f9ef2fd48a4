import { expect, test } from "vitest";
import { conv2d, cost, ones, tensor } from "../../src/index.ts";

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
