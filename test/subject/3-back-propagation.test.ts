import {
  compile,
  explain,
  Generator,
  grad,
  gradients,
  hessian,
  jacobian,
  jvp,
  type Tensor,
  tensor,
  toDot,
  variable,
  vjp,
  zeros,
} from "gradus";
import { ArrayDataset } from "gradus/data";
import { crossEntropy, init, Linear, Sequential, tanh } from "gradus/nn";
import { adam, adamW, cosine, type Optimizer, rmsprop, sgd } from "gradus/optim";
import { describe, expect, test } from "vitest";
import { costOf } from "../../src/graph/cost.ts";
import type { Value } from "../../src/graph/op.ts";
import { topological } from "../../src/graph/walk.ts";
import { backward } from "../../src/interpret/backward.ts";
import { evaluate, evaluateAll } from "../../src/interpret/evaluate.ts";
import * as ops from "../../src/ops/index.ts";
import * as graphs from "../../src/transform/index.ts";

const double = { dtype: "float64" } as const;
const numbers = async (x: Tensor): Promise<number[]> => Array.from(await x.data());
const close = (values: readonly number[], digits = 10): number[] => values.map((v) => expect.closeTo(v, digits));
const float64 = (index: number, ...shape: number[]): Value => ops.argument(index, { shape, dtype: "float64" });

describe("3.1 The update of a weight", () => {
  /** Five steps with the gradients 1, −2, 3, −4, 5 from the weight 1. */
  async function path(make: (w: ReturnType<typeof start>) => Optimizer): Promise<number[]> {
    const w = start();
    const optimizer = make(w);
    const step = compile((g: Tensor) => optimizer.minimize(w.mul(g).sum()));
    const found: number[] = [];
    for (const g of [1, -2, 3, -4, 5]) {
      step(tensor([g], double));
      found.push((await w.data())[0]!);
    }
    return found;
  }
  const start = () => variable(tensor([1], double), { name: "w" });
  const expected = (rule: (w: number, g: number, m: number) => number): number[] => {
    let w = 1;
    return [1, -2, 3, -4, 5].map((g, i) => (w = rule(w, g, i + 1)));
  };

  test("3.1 gradient descent is w − η ∂J/∂w", async () => {
    expect(await path((w) => sgd([w], { lr: 0.1 }))).toEqual(close(expected((w, g) => w - 0.1 * g)));
  });

  test("3.1 momentum remembers v ← μ v + g", async () => {
    let v = 0;
    expect(await path((w) => sgd([w], { lr: 0.1, momentum: 0.9 }))).toEqual(close(expected((w, g) => w - 0.1 * (v = 0.9 * v + g))));
  });

  test("3.1 RMSProp divides by the root of a running mean of squares", async () => {
    let r = 0;
    const rule = (w: number, g: number): number => w - (0.1 * g) / (Math.sqrt((r = 0.99 * r + 0.01 * g * g)) + 1e-8);
    expect(await path((w) => rmsprop([w], { lr: 0.1 }))).toEqual(close(expected(rule)));
  });

  const adamRule = (decay: number) => {
    let [m, v] = [0, 0];
    return (w: number, g: number, t: number): number => {
      m = 0.9 * m + 0.1 * g;
      v = 0.999 * v + 0.001 * g * g;
      return w * (1 - 0.1 * decay) - (0.1 * (m / (1 - 0.9 ** t))) / (Math.sqrt(v / (1 - 0.999 ** t)) + 1e-8);
    };
  };
  test("3.1 Adam corrects both means for their start at 0, and AdamW lets weights shrink beside it", async () => {
    expect(await path((w) => adam([w], { lr: 0.1 }))).toEqual(close(expected(adamRule(0))));
    expect(await path((w) => adamW([w], { lr: 0.1, weightDecay: 0.5 }))).toEqual(close(expected(adamRule(0.5))));
  });

  test("3.1 a schedule sets each step's rate, and clipping bounds its length", async () => {
    const w = variable(tensor([0, 0], double));
    const optimizer = sgd([w], { lr: cosine({ peak: 1, steps: 4 }), clipNorm: 5 });
    const step = compile(() => optimizer.minimize(w.mul(tensor([-300, -400], double)).sum()));
    let x = 0;
    for (let i = 0; i < 4; i++) {
      step();
      x += 3 * 0.5 * (1 + Math.cos((Math.PI * i) / 4));
      expect((await w.data())[0]).toBeCloseTo(x, 6);
    }
  });

  test("3.1 the mean of the mini-batches' gradients is the gradient of the whole", async () => {
    const w = variable([[0.5], [-1]]);
    const rng = new Generator(3);
    const [x, y] = [rng.normal([12, 2]), rng.normal([12, 1])];
    const slope = (from: number, to: number): Tensor => {
      const part = (t: Tensor): Tensor => t.at(`${from}:${to}`);
      return gradients(part(x).matmul(w).sub(part(y)).square().mean() as Tensor<[]>, [w])[0]!;
    };
    const parts = await Promise.all([slope(0, 4), slope(4, 8), slope(8, 12)].map(numbers));
    const mean = parts[0]!.map((_, i) => (parts[0]![i]! + parts[1]![i]! + parts[2]![i]!) / 3);
    expect(await numbers(slope(0, 12))).toEqual(close(mean, 5));
  });
});

describe("3.2 Computation graphs: Fig. 6.8", () => {
  const shapesIn = (dot: string, name: string): number => dot.split("\n").filter((line) => line.includes(`label="${name}`)).length;

  test("3.2 (a) z = xy", async () => {
    const [x, y] = [variable(3, { name: "x" }), variable(4, { name: "y" })];
    const z = x.mul(y);
    const d = gradients(z, { x, y });
    expect([await d.x.item(), await d.y.item()]).toEqual([4, 3]);
    const dot = toDot({ z });
    expect(dot.match(/->/g)).toHaveLength(2);
    expect(dot).toContain('label="z\\nmul');
  });

  test("3.2 (b) logistic regression: ∇w is (ŷ − y) x for the log-likelihood", async () => {
    const x = tensor([1, -2, 0.5], double);
    const [w, b] = [variable(tensor([0.3, 0.1, -0.4], double), { name: "w" }), variable(tensor(0.2, double), { name: "b" })];
    const guess = x.dot(w).add(b).sigmoid();
    const error = (await guess.item()) - 1;
    const d = gradients(guess.log().neg(), { w, b });
    expect(await numbers(d.w)).toEqual(close([error, -2 * error, 0.5 * error]));
    expect(await d.b.item()).toBeCloseTo(error, 10);
  });

  test("3.2 (c) a layer of rectifiers: only active units send a gradient back", async () => {
    const X = tensor(
      [
        [1, 2],
        [-1, 1],
      ],
      double,
    );
    const W = variable(
      tensor(
        [
          [1, -1],
          [0, 1],
        ],
        double,
      ),
      { name: "W" },
    );
    const b = variable(tensor([0, -0.5], double), { name: "b" });
    const H = X.matmul(W).add(b).relu();
    expect(await H.array()).toEqual([
      [1, 0.5],
      [0, 1.5],
    ]);
    const d = gradients(H.sum(), { W, b });
    expect(await d.W.array()).toEqual([
      [1, 0],
      [2, 3],
    ]);
    expect(await d.b.array()).toEqual([1, 2]);
  });

  test("3.2 (d) linear regression with weight decay: w is used twice, and both uses send a gradient", async () => {
    const x = tensor([1, 2], double);
    const w = variable(tensor([3, -1], double), { name: "w" });
    const guess = x.dot(w);
    const penalty = w.square().sum().mul(0.1);
    const [one, two, both] = [guess.square(), penalty, guess.square().add(penalty)].map((y) => gradients(y as Tensor<[]>, [w])[0]!);
    expect(await numbers(both!)).toEqual(close(await numbers(one!.add(two!))));
    expect(shapesIn(toDot({ guess, penalty }), "w\\n")).toBe(1);
  });
});

describe("3.3 The chain rule", () => {
  const W = tensor(
    [
      [1, 2],
      [0, -1],
      [3, 1],
    ],
    double,
  );
  const g = (x: Tensor): Tensor => W.matmul(x).tanh();
  const x = tensor([0.5, -0.3], double);

  test("3.3 for vectors: vjp is Jᵀ dy and jvp is J t", async () => {
    const J = jacobian(g)(x);
    const [dy, t] = [tensor([0.2, -1, 0.7], double), tensor([1.5, -2], double)];
    expect(await numbers(vjp(g, x)[1](dy)[0])).toEqual(close(await numbers(J.transpose().matmul(dy))));
    expect(await numbers(jvp(g, [x], [t])[1])).toEqual(close(await numbers(J.matmul(t))));
  });

  test("3.3 the gradient of f(g(x)) is the Jacobian of g, transposed, times the gradient of f", async () => {
    const f = (y: Tensor): Tensor => y.square().sum();
    const through = jacobian(g)(x)
      .transpose()
      .matmul(grad(f)(g(x)));
    expect(await numbers(grad((x: Tensor) => f(g(x)))(x))).toEqual(close(await numbers(through)));
  });

  test("3.3 for tensors the same holds with several indices in the place of one", async () => {
    const h = (X: Tensor): Tensor =>
      X.matmul(
        tensor(
          [
            [1, -1, 2],
            [0.5, 3, 0],
          ],
          double,
        ),
      ).sin();
    const X = new Generator(2).normal([4, 2], 0, 1, double);
    const J = jacobian(h)(X).reshape([12, 8]);
    const [dY, T] = [new Generator(3).normal([4, 3], 0, 1, double), new Generator(4).normal([4, 2], 0, 1, double)];
    expect(await numbers(vjp(h, X)[1](dY)[0])).toEqual(close(await numbers(dY.reshape([12]).matmul(J))));
    expect(await numbers(jvp(h, [X], [T])[1])).toEqual(close(await numbers(J.matmul(T.reshape([8])))));
  });
});

describe("3.4 Algorithms 6.1 and 6.2", () => {
  const [x, y] = [float64(0), float64(1)];
  const product = ops.mul(x, y);
  const z = ops.tanh(ops.add(product, x));
  const inputs = new Map([
    [x, [0.5]],
    [y, [-1.5]],
  ]);

  test("3.4 Algorithm 6.1 computes every node once, inputs first", () => {
    const values = evaluateAll([z], inputs);
    expect([...values.keys()]).toEqual(topological([z]));
    expect(values.get(product)![0]).toBe(-0.75);
    expect(values.get(z)![0]).toBe(Math.tanh(-0.25));
  });

  test("3.4 Algorithm 6.2 gives the derivatives as numbers, summed over both uses of x", () => {
    const slope = 1 - Math.tanh(-0.25) ** 2;
    const [dx, dy] = backward(z, [x, y], inputs);
    expect(dx![0]).toBeCloseTo(slope * (-1.5 + 1), 14);
    expect(dy![0]).toBeCloseTo(slope * 0.5, 14);
  });

  test("3.4 symbol-to-number and symbol-to-symbol agree", () => {
    const symbols = evaluate(
      graphs.gradients(z, [x, y]).map((g) => g!),
      inputs,
    );
    backward(z, [x, y], inputs).forEach((d, i) => {
      expect(d[0]).toBeCloseTo(symbols[i]![0]!, 14);
    });
  });
});

describe("3.5 Algorithms 6.3 and 6.4", () => {
  test.each([1, 2, 4])("3.5 the layer-by-layer passes through a network of depth %i equal gradients to rounding", async (depth) => {
    const rng = new Generator(depth);
    const sizes = [3, 5, 4, 6, 2].slice(0, depth + 1);
    const W = sizes.slice(1).map((n, k) => variable(rng.normal([n, sizes[k]!], 0, 0.7, double)));
    const b = sizes.slice(1).map((n) => variable(rng.normal([n], 0, 0.1, double)));
    const [x, y] = [rng.normal([3], 0, 1, double), rng.normal([sizes.at(-1)!], 0, 1, double)];
    const lambda = 0.01;

    // Algorithm 6.3: a = Wh + b, h = f(a), J = L + λΩ.
    const [a, h]: [Tensor[], Tensor[]] = [[], [x]];
    for (const k of W.keys()) {
      a.push(W[k]!.matmul(h[k]!).add(b[k]!));
      h.push(a[k]!.tanh());
    }
    const omega = W.map((w) => w.square().sum().mul(0.5) as Tensor).reduce((s, t) => s.add(t));
    const J = h.at(-1)!.sub(y).square().sum().mul(0.5).add(omega.mul(lambda)) as Tensor<[]>;

    // Algorithm 6.4, from the last layer to the first.
    let g: Tensor = h.at(-1)!.sub(y);
    const auto = gradients(J, { W, b });
    for (const k of [...W.keys()].reverse()) {
      g = g.mul(a[k]!.tanh().square().neg().add(1));
      const dW = g.unsqueeze(1).matmul(h[k]!.unsqueeze(0)).add(W[k]!.mul(lambda));
      expect(await numbers(auto.b[k]!)).toEqual(close(await numbers(g), 13));
      expect(await numbers(auto.W[k]!)).toEqual(close(await numbers(dW), 13));
      g = (W[k]! as Tensor).transpose().matmul(g);
    }
  });
});

describe("3.6 Algorithms 6.5 and 6.6", () => {
  /** 2ⁿ paths: each rung uses the one before twice. */
  function ladder(rungs: number): { x: Value; y: Value } {
    const x = float64(0);
    let y = x;
    for (let i = 0; i < rungs; i++) y = ops.add(ops.sin(y), ops.mul(y, y));
    return { x, y };
  }
  const added = (rungs: number): number => {
    const { x, y } = ladder(rungs);
    const forward = new Set(topological([y]));
    return topological([graphs.gradients(y, [x])[0]!]).filter((v) => !forward.has(v)).length;
  };

  test("3.6 a ladder of 60 shared subexpressions, 2⁶⁰ paths, differentiates at once", () => {
    const { x, y } = ladder(60);
    const [dx] = graphs.gradients(y, [x]);
    const point = 1e-30;
    // At 0 each rung has the slope cos 0 + 2 · 0 = 1.
    expect(evaluate([dx!], new Map([[x, [point]]]))[0]![0]).toBeCloseTo(1, 6);
  });

  test("3.6 the number of gradient nodes is linear in the graph", () => {
    const [ten, twenty, forty] = [added(10), added(20), added(40)];
    expect(forty - twenty).toBe(2 * (twenty - ten));
    expect(forty).toBeLessThan(6 * topological([ladder(40).y]).length);
  });

  test("3.6 the graph is pruned: what does not lead to the inputs asked for is not differentiated", () => {
    const [x, other] = [float64(0), float64(1)];
    const y = ops.mul(ops.sin(x), ops.exp(ops.exp(other)));
    const names = (v: Value): string[] => topological([v]).map((n) => n.op.name);
    expect(graphs.gradients(y, [float64(2)])).toEqual([null]);
    // exp of exp is used by the gradient, not differentiated: it stands there twice, as in y.
    expect(names(graphs.gradients(y, [x])[0]!).filter((name) => name === "exp")).toHaveLength(2);
  });

  test("3.6 gradients are differentiated again: x⁵ five times", async () => {
    const x = variable(tensor(2, double));
    let d: Tensor = x.pow(5);
    const found: number[] = [];
    for (let i = 0; i < 5; i++) found.push(await (d = gradients(d as Tensor<[]>, [x])[0]!).item());
    expect(found).toEqual([80, 160, 240, 240, 120]);
  });

  test("3.6 the Hessian of a network is symmetric and is that of central differences", async () => {
    const X = tensor(
      [
        [0, 0],
        [0, 1],
        [1, 0],
        [1, 1],
      ],
      double,
    );
    const Y = tensor([[0], [1], [1], [0]], double);
    const loss = (t: Tensor): Tensor => {
      const h = X.matmul(t.at("0:6").reshape([2, 3]))
        .add(t.at("6:9"))
        .tanh() as Tensor;
      return h
        .matmul(t.at("9:12").reshape([3, 1]))
        .add(t.at("12"))
        .sub(Y)
        .square()
        .mean();
    };
    const theta = await numbers(new Generator(0).normal([13], 0, 1, double));
    const H = (await hessian(loss)(tensor(Float64Array.from(theta))).array()) as number[][];
    const slope = compile((t: Tensor) => grad(loss)(t));
    const h = 1e-5;
    for (let i = 0; i < 13; i++) {
      const shifted = (by: number): Promise<number[]> => numbers(slope(tensor(Float64Array.from(theta.with(i, theta[i]! + by)))));
      const [up, down] = [await shifted(h), await shifted(-h)];
      H[i]!.forEach((v, j) => {
        expect(v).toBeCloseTo(H[j]![i]!, 12);
        expect(v).toBeCloseTo((up[j]! - down[j]!) / (2 * h), 7);
      });
    }
  });
});

describe("3.7 Fig. 6.11", () => {
  const build = () => {
    const rng = new Generator(5);
    const X = rng.normal([8, 4], 0, 1, double);
    const y = tensor([0, 1, 2, 0, 1, 2, 0, 1], { dtype: "int32" });
    const W1 = variable(rng.normal([4, 6], 0, 1, double), { name: "W1" });
    const W2 = variable(rng.normal([6, 3], 0, 1, double), { name: "W2" });
    const logits = X.matmul(W1).relu().matmul(W2);
    const decay = W1.square().sum().add(W2.square().sum()).mul(0.01);
    return { X, y, W1, W2, H: X.matmul(W1).relu(), logits, J: crossEntropy(logits, y).add(decay) as Tensor<[]> };
  };

  test("3.7 the gradients of its cost are those of the text: G is softmax minus one-hot, ∇W² = HᵀG + 2λW²", async () => {
    const { X, y, W1, W2, H, logits, J } = build();
    const G = logits
      .softmax()
      .sub(tensor((await numbers(y)).map((c) => [0, 1, 2].map((k) => Number(k === c))) as number[][], double))
      .div(8) as Tensor;
    const d = gradients(J, { W1, W2 });
    expect(await numbers(d.W2)).toEqual(close(await numbers(H.transpose().matmul(G).add(W2.mul(0.02)))));
    const back = G.matmul(W2.transpose()).mul(H.gt(0).cast("float64")) as Tensor;
    expect(await numbers(d.W1)).toEqual(close(await numbers(X.transpose().matmul(back).add(W1.mul(0.02)))));
  });

  test("3.7 both graphs are drawn, the gradient's with the cost's nodes in it", () => {
    const { W1, W2, J } = build();
    const cost = toDot({ J });
    const d = gradients(J, { W1, W2 });
    const both = toDot({ J, dW1: d.W1, dW2: d.W2 });
    for (const name of ["W1", "W2", "J"]) expect(cost).toContain(`label="${name}\\n`);
    for (const name of ["W1", "W2", "J", "dW1", "dW2"]) expect(both).toContain(`label="${name}\\n`);
    expect(both.split("\n").length).toBeGreaterThan(1.5 * cost.split("\n").length);
  });
});

describe("3.8 What it costs", () => {
  const network = (inputs: number, width: number, batch: number) => {
    const model = init(new Sequential(new Linear(inputs, width), tanh, new Linear(width, width), tanh, new Linear(width, 10)), 0);
    const weights = inputs * width + width * width + width * 10;
    const loss = (x: Tensor, y: Tensor): Tensor<[]> => crossEntropy(model.forward(x), y);
    const data = [zeros([batch, inputs]), zeros([batch], { dtype: "int32" })] as const;
    return { model, weights, loss, data };
  };

  test.each([
    [100, 64, 16],
    [200, 64, 16],
    [200, 128, 16],
    [200, 128, 64],
  ])(
    "3.8 %i inputs, width %i, batch %i: O(weights) multiplications forward, at most three times that with the gradients",
    async (inputs, width, batch) => {
      const { model, weights, loss, data } = network(inputs, width, batch);
      const forward = await explain(compile(loss), ...data);
      const both = await explain(
        compile((x: Tensor, y: Tensor) => gradients(loss(x, y), model.parameters())),
        ...data,
      );
      const multiplications = (flops: number): number => flops / 2 / weights / batch;
      expect(multiplications(forward.flops)).toBeGreaterThanOrEqual(1);
      expect(multiplications(forward.flops)).toBeLessThan(1.1);
      expect(multiplications(both.flops)).toBeGreaterThan(2);
      expect(multiplications(both.flops)).toBeLessThan(3.1);
    },
  );

  test("3.8 what is kept for the backward pass grows as batch × hidden units", () => {
    const bytes = (width: number, batch: number): number => {
      const [x, w] = [float64(0, batch, 20), float64(1, 20, width)];
      const h = ops.tanh(ops.matmul(x, w));
      const loss = ops.sum(ops.mul(h, h), [0, 1]);
      return costOf([loss, graphs.gradients(loss, [w])[0]!]).bytes;
    };
    const base = bytes(64, 100);
    expect(bytes(64, 200) / base).toBeCloseTo(2, 1);
    expect(bytes(128, 100) / base).toBeCloseTo(2, 1);
  });
});

describe("3.9 Hyper-parameters and validation", () => {
  const data = new ArrayDataset(
    { data: Float32Array.from({ length: 100 }, (_, i) => i), shape: [1] },
    { data: Float32Array.from({ length: 100 }, (_, i) => i), shape: [1], dtype: "float32" },
  );

  test("3.9 split gives 80 and 20 of 100, disjoint and complete, and the same for the same seed", () => {
    const [train, validation] = data.split(0.8, new Generator(1));
    expect([train.size, validation.size]).toEqual([80, 20]);
    expect(new Set([...train.rows, ...validation.rows]).size).toBe(100);
    expect([...data.split(0.8, new Generator(1))[1].rows]).toEqual([...validation.rows]);
    expect([...data.split(0.8, new Generator(2))[1].rows]).not.toEqual([...validation.rows]);
  });

  test("3.9 a search by validation error picks the degree the data have, which training error does not", async () => {
    // A parabola with noise; polynomials of degree 1, 2 and 9 are fitted to it by gradients.
    const rng = new Generator(4);
    const x = rng.uniform([40], -1, 1, double);
    const y = x
      .square()
      .sub(x.mul(0.3))
      .add(rng.normal([40], 0, 0.1, double));
    const design = (degree: number, rows: string): Tensor => {
      const t = x.at(rows);
      return t.unsqueeze(1).pow(tensor(Float64Array.from({ length: degree + 1 }, (_, i) => i))) as Tensor;
    };
    const error = (A: Tensor, w: Tensor, rows: string): Tensor<[]> => A.matmul(w).sub(y.at(rows)).square().mean() as Tensor<[]>;
    const [train, validation] = ["0:16", "16:40"];
    const errors: { train: number; validation: number }[] = [];
    for (const degree of [1, 2, 9]) {
      const w = variable(zeros([degree + 1], double));
      const A = design(degree, train);
      const optimizer = adam([w], { lr: 0.05 });
      const step = compile(() => optimizer.minimize(error(A, w, train)));
      for (let i = 0; i < 4000; i++) step();
      errors.push({ train: await error(A, w, train).item(), validation: await error(design(degree, validation), w, validation).item() });
    }
    const best = (key: "train" | "validation"): number => errors.findIndex((e) => e[key] === Math.min(...errors.map((o) => o[key])));
    expect(best("validation")).toBe(1);
    expect(best("train")).toBe(2);
  }, 60_000);
});
