import { compile, Generator, grad, gradients, ones, type Tensor, tensor, variable } from "gradus";
import { ArrayDataset, digits } from "gradus/data";
import * as nn from "gradus/nn";
import { adam, sgd } from "gradus/optim";
import { accuracy, fit as learnFrom, score } from "gradus/train";
import { describe, expect, test } from "vitest";

const { inference, init, Linear, relu, Sequential, training } = nn;
const numbers = async (x: Tensor): Promise<number[]> => Array.from(await x.data());

const X = tensor([
  [0, 0],
  [0, 1],
  [1, 0],
  [1, 1],
]);
const Y = tensor([[0], [1], [1], [0]]);

describe("2.1 A network is a chain of functions", () => {
  test("2.1 Sequential is f³(f²(f¹(x)))", async () => {
    const [first, second] = [new Linear(3, 5), new Linear(5, 2)];
    const model = init(new Sequential(first, relu, second), 1);
    const x = new Generator(0).normal([4, 3]);
    expect(await numbers(model.forward(x))).toEqual(await numbers(second.forward(first.forward(x).relu())));
  });

  test("2.1 summary shows depth, widths and numbers of parameters", () => {
    const table = nn.summary(new Sequential(new Linear(784, 300), relu, new Linear(300, 100), relu, new Linear(100, 10)), [32, 784]);
    expect(table).toMatch(/0 \(Linear\)\s+\[32, 300\]\s+235,500/);
    expect(table).toMatch(/2 \(Linear\)\s+\[32, 100\]\s+30,100/);
    expect(table).toMatch(/4 \(Linear\)\s+\[32, 10\]\s+1,010/);
    expect(table).toContain("266,610 trainable parameters");
  });
});

describe("2.2 XOR with a linear model", () => {
  test("2.2 XOR with a linear model and squared error has its critical point at w = 0, b = 0.5", async () => {
    const [w, b] = [variable([[0], [0]]), variable([0.5])];
    const loss = nn.mse(X.matmul(w).add(b), Y);
    expect(await loss.item()).toBe(0.25);
    const d = gradients(loss, { w, b });
    expect(await numbers(d.w)).toEqual([0, 0]);
    expect(await numbers(d.b)).toEqual([0]);
  });

  test.each([1, 2, 3])("2.2 XOR with a linear model and squared error ends at w = 0, b = 0.5, from start %i", async (seed) => {
    const rng = new Generator(seed);
    const [w, b] = [variable(rng.normal([2, 1])), variable(rng.normal([1]))];
    const optimizer = sgd([w, b], { lr: 0.4 });
    const step = compile(() => optimizer.minimize(nn.mse(X.matmul(w).add(b), Y)));
    for (let i = 0; i < 400; i++) step();
    for (const v of await numbers(w)) expect(v).toBeCloseTo(0, 4);
    expect(await b.item()).toBeCloseTo(0.5, 4);
  });
});

describe("2.3 XOR with one hidden layer", () => {
  test("2.3 the textbook's weights give exactly 0, 1, 1, 0", async () => {
    const hidden = X.matmul(
      tensor([
        [1, 1],
        [1, 1],
      ]),
    )
      .add([0, -1])
      .relu();
    expect(await hidden.array()).toEqual([
      [0, 0],
      [1, 0],
      [1, 0],
      [2, 1],
    ]);
    expect(await numbers(hidden.matmul(tensor([[1], [-2]])))).toEqual([0, 1, 1, 0]);
  });

  test("2.3 the 2-2-1 network of rectifiers learns it from some random starts, the 2-8-1 tanh network from all of 20", async () => {
    const solved = async (width: number, activation: typeof relu, steps: number): Promise<number> => {
      let count = 0;
      for (let seed = 0; seed < 20; seed++) {
        const model = init(new Sequential(new Linear(2, width), activation, new Linear(width, 1)), seed);
        const optimizer = adam(model.parameters(), { lr: 0.05 });
        const step = compile(() => {
          const logits = model.forward(X);
          optimizer.minimize(nn.bceWithLogits(logits, Y));
          return logits.gt(0).eq(Y.gt(0)).all();
        });
        for (let i = 0; i < steps; i++) step();
        if (await step().item()) count++;
      }
      return count;
    };
    const few = await solved(2, relu, 300);
    expect(few).toBeGreaterThanOrEqual(1);
    expect(few).toBeLessThan(20);
    expect(await solved(8, nn.tanh, 200)).toBe(20);
  }, 120_000);
});

describe("2.4 Saturation", () => {
  test("2.4 squared error's gradient through a sigmoid vanishes where the answer is most wrong, cross-entropy's does not", async () => {
    const z = tensor([-30, -20, -10]);
    const target = ones([3]);
    const squared = await numbers(grad((z: Tensor) => nn.mse(z.sigmoid(), target, { reduction: "sum" }))(z));
    const entropy = await numbers(grad((z: Tensor) => nn.bceWithLogits(z, target, { reduction: "sum" }))(z));
    for (const d of squared) expect(Math.abs(d)).toBeLessThan(1e-4);
    expect(Math.abs(squared[0]!)).toBeLessThan(Math.abs(squared[2]!));
    for (const d of entropy) expect(d).toBeCloseTo(-1, 4);
  });
});

describe("2.5 Output units", () => {
  const z = tensor([[1.5, -0.5, 0.25]], { dtype: "float64" });
  const y = tensor([[1, 0, 0]], { dtype: "float64" });
  test.each([
    ["linear and Gaussian", (z: Tensor) => nn.mse(z, y, { reduction: "sum" }).mul(0.5), (z: Tensor) => z],
    ["sigmoid and Bernoulli", (z: Tensor) => nn.bceWithLogits(z, y, { reduction: "sum" }), (z: Tensor) => z.sigmoid()],
    ["softmax and categorical", (z: Tensor) => nn.crossEntropy(z, y, { reduction: "sum" }), (z: Tensor) => z.softmax()],
  ] as const)("2.5 %s: the gradient is prediction minus target", async (_, loss, predict) => {
    const wanted = await numbers(predict(z).sub(y));
    expect(await numbers(grad((z: Tensor) => loss(z) as Tensor<[]>)(z))).toEqual(wanted.map((v) => expect.closeTo(v, 12)));
  });

  test("2.5 softmax outputs are probabilities, whatever the logits", async () => {
    const p = await numbers(tensor([[1000, 999, -1000]]).softmax());
    expect(p.reduce((s, v) => s + v)).toBeCloseTo(1, 6);
    expect(p[0]! / p[1]!).toBeCloseTo(Math.E, 4);
  });
});

describe("2.6 Hidden units", () => {
  const sigma = (x: number): number => 1 / (1 + Math.exp(-x));
  const units: [string, (x: Tensor) => Tensor, (x: number) => number][] = [
    ["logistic sigmoid", nn.sigmoid, sigma],
    ["tanh", nn.tanh, Math.tanh],
    ["ReLU", relu, (x) => Math.max(0, x)],
    ["leaky ReLU", (x) => nn.leakyRelu(x, 0.1), (x) => (x > 0 ? x : 0.1 * x)],
    ["ELU", (x) => nn.elu(x), (x) => (x > 0 ? x : Math.expm1(x))],
    ["GELU (tanh)", (x) => nn.gelu(x, "tanh"), (x) => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))],
    ["SiLU", nn.silu, (x) => x * sigma(x)],
    ["softplus", nn.softplus, (x) => Math.log1p(Math.exp(x))],
  ];
  test.each(units)("2.6 %s has its formula and the slope of central differences", async (_, unit, formula) => {
    const xs = [-3, -0.8, 0.3, 2.5];
    const x = tensor(xs, { dtype: "float64" });
    expect(await numbers(unit(x))).toEqual(xs.map((v) => expect.closeTo(formula(v), 12)));
    const h = 1e-6;
    const slopes = await numbers(grad((x: Tensor) => unit(x).sum())(x));
    expect(slopes).toEqual(xs.map((v) => expect.closeTo((formula(v + h) - formula(v - h)) / (2 * h), 8)));
  });

  test("2.6 the exact GELU is x Φ(x)", async () => {
    // Φ(1) to ten digits, Abramowitz and Stegun, table 26.1.
    expect(await nn.gelu(tensor(1, { dtype: "float64" })).item()).toBeCloseTo(0.8413447461, 9);
  });
});

describe("2.7 Design by validation", () => {
  test("2.7 the validation set tells a network that is too narrow from one that is not", async () => {
    const [train, validation] = (await digits({ count: 1200 })).split(0.8, new Generator(1));
    const trained = async (width: number): Promise<number> => {
      const model = init(new Sequential(new Linear(784, width), nn.tanh, new Linear(width, 10)), 0);
      const records = await learnFrom(model, train, {
        loss: nn.crossEntropy,
        optimizer: adam(model.parameters(), { lr: 0.003 }),
        metrics: { accuracy },
        validation,
        epochs: 5,
        rng: 0,
      });
      return records.at(-1)!.validation!.accuracy!;
    };
    expect(await trained(32)).toBeGreaterThan((await trained(1)) + 0.2);
  }, 60_000);
});

describe("2.8 Learning and use", () => {
  test("2.8 use gives the same answer each time and changes nothing; learning changes the parameters", async () => {
    const model = init(new Sequential(new Linear(4, 8), new nn.Dropout(0.5), new Linear(8, 1)), 7);
    const rng = new Generator(0);
    const [x, y] = [ones([16, 4]), ones([16, 1])];
    const use = compile((x: Tensor) => model.forward(x, inference));
    const optimizer = sgd(model.parameters(), { lr: 0.1 });
    const learn = compile((x: Tensor, y: Tensor) => optimizer.minimize(nn.mse(model.forward(x, training(rng)), y)));

    const before = await numbers(use(x));
    expect(await numbers(use(x))).toEqual(before);
    expect(await numbers(model.forward(x, training(rng)))).not.toEqual(await numbers(model.forward(x, training(rng))));
    learn(x, y);
    expect(await numbers(use(x))).not.toEqual(before);
  });

  test("2.8 fit is the learning mode, score the use of what was learnt", async () => {
    const data = new ArrayDataset(
      { data: Float32Array.of(0, 0, 0, 1, 1, 0, 1, 1), shape: [2] },
      { data: Float32Array.of(0, 1, 1, 0), shape: [1], dtype: "float32" },
    );
    const model = init(new Sequential(new Linear(2, 8), nn.tanh, new Linear(8, 1)), 0);
    const options = { loss: nn.bceWithLogits as (a: Tensor, b: Tensor) => Tensor<[]>, metrics: { accuracy } };
    const first = await score(model, data, options);
    await learnFrom(model, data, { ...options, optimizer: adam(model.parameters(), { lr: 0.05 }), epochs: 100, batchSize: 4, rng: 0 });
    const last = await score(model, data, options);
    expect(last.loss).toBeLessThan(first.loss);
    expect(last.accuracy).toBe(1);
  });
});
