/** The workloads: the same shapes, initial weights and check values as the peers they are compared with. */
import { compile, gradients, hvp, type Tensor, tensor, type Variable, variable, zeros } from "../../index.ts";
import { crossEntropy, functionalCall, inference, mse } from "../../nn/index.ts";
import { LAYERS } from "./layers.ts";
import { measure } from "./measure.ts";
import { mlp, NETWORKS } from "./networks.ts";
import { filled, labels, type Workload } from "./numbers.ts";

/** C = A·B, square. The product is written into a variable, so that no call has to keep the last one's result. */
const gemm =
  (n: number): Workload =>
  async ({ probe, limits }) => {
    const [a, b] = [filled(1, [n, n]), filled(2, [n, n])];
    const c = variable(zeros([n, n]));
    const run = compile((x: Tensor, y: Tensor) => c.assign(x.matmul(y)));
    const timing = await measure(() => run(a, b), probe, limits);
    const check = Number(((await c.value.data())[0] as number).toFixed(4));
    return { timing, items: 2 * n ** 3, unit: "FLOP", flop: 2 * n ** 3, check };
  };

const MANY = 4 << 20;

const elementwise: Workload = async ({ probe, limits }) => {
  const x = filled(1, [MANY]);
  const y = variable(zeros([MANY]));
  const run = compile((v: Tensor) => y.assign(v.mul(1.1).add(0.1).tanh().mul(v)));
  const timing = await measure(() => run(x), probe, limits);
  return { timing, items: MANY, unit: "elements", check: Number((await y.value.sum().item()).toFixed(5)) };
};

const total: Workload = async ({ probe, limits }) => {
  const x = filled(1, [MANY]);
  const run = compile((v: Tensor) => v.sum());
  const timing = await measure(() => run(x), probe, limits);
  return { timing, items: MANY, unit: "elements", check: Number((await run(x).item()).toFixed(5)) };
};

const softmax: Workload = async ({ probe, limits }) => {
  const x = filled(1, [1024, 1000], 4);
  const y = variable(zeros([1024, 1000]));
  const run = compile((v: Tensor) => y.assign(v.softmax(1)));
  const timing = await measure(() => run(x), probe, limits);
  return { timing, items: 1_024_000, unit: "elements", check: Number(((await y.value.data())[0] as number).toFixed(5)) };
};

const STEPS = 2000;

const xor: Workload = async ({ probe, limits }) => {
  const { step, x, y } = xorStep();
  const losses: number[] = [];
  const many = async (): Promise<void> => {
    for (let i = 0; i < STEPS; i++) {
      const loss = step(x, y);
      if (losses.length < 3) losses.push(Number((await loss.item()).toFixed(5)));
    }
  };
  const { median, min, n, background } = await measure(many, probe, { ...limits, warmup: 1 });
  const timing = { median: median / STEPS, min: min / STEPS, n, background };
  return { timing, items: 1, unit: "steps", check: losses, note: `per step; each timed run is ${STEPS} steps` };
};

/** 2-2-1, tanh and sigmoid, mean squared error, gradient descent. */
export function xorStep(): { step: (x: Tensor, y: Tensor) => Tensor; x: Tensor; y: Tensor } {
  const [w1, b1] = [variable(filled(1, [2, 2], 2 ** -0.5)), variable(zeros([2]))];
  const [w2, b2] = [variable(filled(2, [2, 1], 2 ** -0.5)), variable(zeros([1]))];
  const parameters: Variable[] = [w1, b1, w2, b2];
  const step = compile((x: Tensor, y: Tensor) => {
    const hidden = x.matmul(w1).add(b1).tanh();
    const loss = mse(hidden.matmul(w2).add(b2).sigmoid(), y) as Tensor<[]>;
    const grads = gradients(loss, parameters) as Tensor[];
    parameters.forEach((p, i) => {
      p.assign(p.sub(grads[i]!.mul(0.5)));
    });
    return loss;
  });
  return {
    step: step as (x: Tensor, y: Tensor) => Tensor,
    x: tensor([[0, 0], [0, 1], [1, 0], [1, 1]]) as Tensor, // biome-ignore format: one row an example
    y: tensor([[0], [1], [1], [0]]) as Tensor,
  };
}

/** H·v of the loss of `mlp-train` in all its parameters, reverse over reverse. */
const hessianVector: Workload = async ({ probe, limits }) => {
  const model = mlp();
  const x = filled(100, [128, 784]);
  const y = tensor(labels(101, 128, 10), [128], { dtype: "int32" }) as Tensor;
  const parameters = model.parameters();
  const names = Object.keys(model.stateDict());
  const state = model.stateDict();
  const vectors = parameters.map((p, i) => {
    const shape = p.shape as number[];
    return filled(200 + i, shape.toReversed()).permute(shape.map((_, a) => shape.length - 1 - a) as any) as Tensor;
  });
  const results = parameters.map((p) => variable(zeros(p.shape as number[])));
  const run = compile((input: Tensor, target: Tensor, v: Record<string, Tensor>) => {
    const loss = (s: Record<string, Tensor>): Tensor<[]> =>
      functionalCall(model, s, () => crossEntropy(model.forward(input, inference), target)) as Tensor<[]>;
    const product = hvp(loss, state, v) as Record<string, Tensor>;
    names.forEach((name, i) => {
      results[i]!.assign(product[name]!);
    });
  });
  const v = Object.fromEntries(names.map((name, i) => [name, vectors[i]!]));
  const timing = await measure(() => run(x, y, v), probe, limits);
  let check = 0;
  for (const [i, h] of results.entries()) check += await h.value.mul(vectors[i]!).sum().item();
  return { timing, items: 128, unit: "examples", check: Number(check.toFixed(3)), note: "gradient of gradient" };
};

export const WORKLOADS: Record<string, Workload> = {
  "gemm-256": gemm(256),
  "gemm-1024": gemm(1024),
  "gemm-2048": gemm(2048),
  "ew-tanh": elementwise,
  "ew-sum": total,
  softmax,
  "xor-step": xor,
  "hessian-vp": hessianVector,
  ...NETWORKS,
  ...LAYERS,
};
