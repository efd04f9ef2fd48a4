import { compile, Generator, grad, gradients, hessian, jacobian, stack, type Tensor, tensor, variable } from "gradus";
import { bceWithLogits, crossEntropy, gaussianNll, mse } from "gradus/nn";
import { sgd } from "gradus/optim";
import { describe, expect, test } from "vitest";

const double = { dtype: "float64" } as const;
const numbers = async (x: Tensor): Promise<number[]> => Array.from(await x.data());

/** x³ − 3x + y²: a minimum at (1, 0), a saddle at (−1, 0). */
const surface = (p: Tensor): Tensor => p.at(0).pow(3).sub(p.at(0).mul(3)).add(p.at(1).square());

describe("1.1 Loss, gradient, critical points", () => {
  test("1.1 the gradient is the vector of partial derivatives", async () => {
    expect(await numbers(grad(surface)(tensor([2, 1], double)))).toEqual([9, 2]);
  });

  test("1.1 the gradient is 0 at the critical points, and only there", async () => {
    for (const [x, y, critical] of [
      [1, 0, true],
      [-1, 0, true],
      [0, 0, false],
      [1, 0.1, false],
    ] as const) {
      const slope = await numbers(grad(surface)(tensor([x, y], double)));
      expect(slope.every((d) => d === 0)).toBe(critical);
    }
  });

  test("1.1 descent finds the minimum, and descent on the squared gradient finds the saddle too", async () => {
    const slope = (p: Tensor): Tensor => grad(surface)(p).square().sum();
    const downhill = compile((p: Tensor) => p.sub(grad(surface)(p).mul(0.1)));
    const toCritical = compile((p: Tensor) => p.sub(grad(slope)(p).mul(0.01)));
    let [minimum, saddle]: Tensor[] = [tensor([0.2, 0.9], double), tensor([-1.4, 0.9], double)];
    for (let i = 0; i < 300; i++) [minimum, saddle] = [downhill(minimum!), toCritical(saddle!)];
    const [found, other] = [await numbers(minimum!), await numbers(saddle!)];
    expect(found[0]).toBeCloseTo(1, 6);
    expect(found[1]).toBeCloseTo(0, 6);
    expect(other[0]).toBeCloseTo(-1, 6);
    expect(other[1]).toBeCloseTo(0, 6);
  });
});

describe("1.2 Jacobian and Hessian", () => {
  test("1.2 the Jacobian of polar coordinates is the closed form, of determinant r", async () => {
    const cartesian = (p: Tensor): Tensor => stack([p.at(0).mul(p.at(1).cos()), p.at(0).mul(p.at(1).sin())]);
    const [r, phi] = [1.7, 0.6];
    const [a, b, c, d] = await numbers(jacobian(cartesian)(tensor([r, phi], double)));
    expect([a, b, c, d]).toEqual([Math.cos(phi), -r * Math.sin(phi), Math.sin(phi), r * Math.cos(phi)].map((v) => expect.closeTo(v, 12)));
    expect(a! * d! - b! * c!).toBeCloseTo(r, 12);
  });

  test("1.2 a linear map's Jacobian is its matrix, for inputs and outputs of any shape", async () => {
    const A = tensor(
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
      double,
    );
    expect(await jacobian((x: Tensor) => A.matmul(x))(tensor([7, 8, 9], double)).array()).toEqual(await A.array());
    expect(
      jacobian((x: Tensor) => x.transpose())(
        tensor([
          [1, 2, 3],
          [4, 5, 6],
        ]),
      ).shape,
    ).toEqual([3, 2, 2, 3]);
  });

  test("1.2 the Hessian of ½ xᵀAx + bᵀx is (A + Aᵀ) / 2, and is the Jacobian of the gradient", async () => {
    const A = tensor(
      [
        [2, 1, 0],
        [3, -1, 4],
        [0, 2, 5],
      ],
      double,
    );
    const f = (x: Tensor): Tensor =>
      x
        .dot(A.matmul(x))
        .mul(0.5)
        .add(x.dot(tensor([1, 2, 3], double)));
    const x = tensor([0.3, -0.7, 1.1], double);
    const closed = await A.add(A.transpose()).mul(0.5).array();
    expect(await hessian(f)(x).array()).toEqual(closed);
    expect(await jacobian(grad(f))(x).array()).toEqual(closed);
  });
});

describe("1.3 Gradient descent", () => {
  test("1.3 each step is x − ε ∇f(x), and the path can be recorded", async () => {
    const rate = 0.15;
    const p = variable(tensor([9, 2], double), { name: "p" });
    const optimizer = sgd([p], { lr: rate });
    const step = compile(() =>
      optimizer.minimize(
        p
          .square()
          .mul(tensor([0.5, 5], double))
          .sum(),
      ),
    );
    const path = [await numbers(p)];
    for (let i = 0; i < 20; i++) {
      step();
      path.push(await numbers(p));
    }
    // The gradient is (x, 10 y), so the path is a geometric series in each coordinate.
    path.forEach(([x, y], i) => {
      expect(x).toBeCloseTo(9 * (1 - rate) ** i, 10);
      expect(y).toBeCloseTo(2 * (1 - 10 * rate) ** i, 10);
    });
  });

  test.each([
    [0.19, true],
    [0.21, false],
  ])("1.3 with the rate %f it comes down: %s, for the steepest curvature is 10", async (rate, down) => {
    const p = variable([1, 1]);
    const optimizer = sgd([p], { lr: rate });
    const step = compile(() => {
      const loss = p
        .square()
        .mul(tensor([0.5, 5]))
        .sum();
      optimizer.minimize(loss);
      return loss;
    });
    const first = await step().item();
    for (let i = 0; i < 60; i++) step();
    expect((await step().item()) < first).toBe(down);
  });
});

describe("1.4 Maximum likelihood", () => {
  test("1.4 the product of many probabilities underflows, the sum of their logarithms does not", async () => {
    const p = new Generator(0).uniform([4000], 0.1, 0.9, double);
    expect(await p.product().item()).toBe(0);
    const each = await numbers(p);
    const sum = each.reduce((s, v) => s + Math.log(v), 0);
    expect(await p.log().sum().item()).toBeCloseTo(sum, 8);
    expect(await p.log().mean().item()).toBeCloseTo(sum / each.length, 11);
  });

  test("1.4 the mean over the data is the expectation over the empirical distribution", async () => {
    // Three examples of class 0 and one of class 1: −¾ log p₀ − ¼ log p₁.
    const logits = tensor([[0.7, -0.2]], double);
    const [a, b] = await numbers(logits.logSoftmax());
    const loss = crossEntropy(logits.broadcastTo([4, 2]), tensor([0, 0, 1, 0], { dtype: "int32" }));
    expect(await loss.item()).toBeCloseTo(-0.75 * a! - 0.25 * b!, 12);
  });

  test("1.4 the Bernoulli parameter of greatest likelihood is the share of ones", async () => {
    const y = tensor([1, 0, 1, 1], double);
    const z = variable(tensor(0, double));
    const optimizer = sgd([z], { lr: 1 });
    const step = compile(() => optimizer.minimize(bceWithLogits(z.broadcastTo([4]), y)));
    for (let i = 0; i < 200; i++) step();
    expect(await z.sigmoid().item()).toBeCloseTo(0.75, 8);
  });
});

describe("1.5 Cross-entropy", () => {
  const x = [0.5, 2, -1.25];
  const t = [1, 0, 0.5];

  test("1.5 a Gaussian's is half the squared error", async () => {
    const [a, b] = [tensor(x, double), tensor(t, double)];
    const half = x.reduce((s, v, i) => s + (v - t[i]!) ** 2 / 2, 0) / 3;
    expect(await mse(a, b).item()).toBeCloseTo(2 * half, 12);
    expect(await gaussianNll(a, b, tensor([1, 1, 1], double)).item()).toBeCloseTo(half, 12);
  });

  test("1.5 a Bernoulli's is −y log σ(z) − (1 − y) log(1 − σ(z))", async () => {
    const sigma = (z: number): number => 1 / (1 + Math.exp(-z));
    const wanted = x.reduce((s, z, i) => s - t[i]! * Math.log(sigma(z)) - (1 - t[i]!) * Math.log(1 - sigma(z)), 0) / 3;
    expect(await bceWithLogits(tensor(x, double), tensor(t, double)).item()).toBeCloseTo(wanted, 12);
  });

  test("1.5 a categorical's is −log softmax(z)[y]", async () => {
    const total = x.reduce((s, z) => s + Math.exp(z), 0);
    const loss = crossEntropy(tensor([x], double), tensor([2], { dtype: "int32" }));
    expect(await loss.item()).toBeCloseTo(-Math.log(Math.exp(x[2]!) / total), 12);
  });

  test.each(["float32", "float64"] as const)("1.5 both are finite and exact at logits of ±1000, in %s", async (dtype) => {
    const z = variable(tensor([-1000, 0, 1000], { dtype }), { name: "z" });
    const bernoulli = bceWithLogits(z, tensor([1, 1, 1], { dtype }), { reduction: "none" });
    expect(await numbers(bernoulli)).toEqual([1000, expect.closeTo(Math.LN2, 6), 0]);
    expect(await numbers(gradients(bernoulli.sum(), [z])[0]!)).toEqual([-1, -0.5, 0]);
    const categorical = crossEntropy(z.reshape([1, 3]), tensor([0], { dtype: "int32" }));
    expect(await categorical.item()).toBe(2000);
    expect(await numbers(gradients(categorical, [z])[0]!)).toEqual([-1, 0, 1]);
  });
});
