/** The workloads: the same shapes, initial weights and check values as the peers they are compared with. */
import { sizeOf } from "../../core/shape.ts";
import { compile, gradients, hvp, type Tensor, tensor, type Variable, variable, zeros } from "../../index.ts";
import { crossEntropy, functionalCall, inference, Linear, mse, relu, Sequential } from "../../nn/index.ts";
import { sgd } from "../../optim/index.ts";
import { type CpuProbe, type MeasureOptions, measure, type Result } from "./measure.ts";

/** Pseudo-random float32 numbers, uniform in [−scale, scale): a hash (murmur3's finaliser) of the index. */
export function fill(seed: number, count: number, scale = 1): Float32Array<ArrayBuffer> {
  const out = new Float32Array(count);
  const base = Math.imul(seed, 0x9e3779b9);
  for (let i = 0; i < count; i++) {
    let x = (i + base) | 0;
    x ^= x >>> 16;
    x = Math.imul(x, 0x85ebca6b);
    x ^= x >>> 13;
    x = Math.imul(x, 0xc2b2ae35);
    x ^= x >>> 16;
    out[i] = (((x >>> 0) / 4294967296) * 2 - 1) * scale;
  }
  return out;
}

const filled = (seed: number, shape: readonly number[], scale = 1): Tensor => tensor(fill(seed, sizeOf(shape), scale), shape);

export const labels = (seed: number, count: number, classes: number): Int32Array<ArrayBuffer> =>
  Int32Array.from(fill(seed, count), (v) => Math.min(Math.floor(((v + 1) / 2) * classes), classes - 1));

export interface Context {
  readonly probe: CpuProbe;
  readonly limits: MeasureOptions;
}

type Workload = (context: Context) => Promise<Result>;

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

/** 784-512-512-10 with the peers' weights: canonical layout [in, out], PyTorch's names [out, in]. */
function mlp(): Sequential<any> {
  const model = new Sequential(new Linear(784, 512), relu, new Linear(512, 512), relu, new Linear(512, 10));
  const layers = [model.layers[0], model.layers[2], model.layers[4]] as Linear[];
  layers.forEach((layer, i) => {
    const [out, inputs] = layer.weight.shape as [number, number];
    const canonical = fill(i + 1, inputs * out, inputs ** -0.5);
    const weight = Float32Array.from(canonical, (_, k) => canonical[(k % inputs) * out + Math.floor(k / inputs)]!);
    layer.weight.assign(tensor(weight, [out, inputs]));
    layer.bias!.assign(zeros([out]));
  });
  return model;
}

const batch = (): { x: Tensor; y: Tensor } => ({ x: filled(100, [128, 784]), y: tensor(labels(101, 128, 10), [128], { dtype: "int32" }) });

const mlpTrain: Workload = async ({ probe, limits }) => {
  const model = mlp();
  const optimizer = sgd(model.parameters(), { lr: 0.01, momentum: 0.9 });
  const { x, y } = batch();
  const begun = performance.now();
  const step = compile((input: Tensor, target: Tensor) => {
    const loss = crossEntropy(model.forward(input, inference), target);
    optimizer.minimize(loss);
    return loss;
  });
  const losses: number[] = [];
  const once = async (): Promise<void> => {
    const loss = await step(x, y).item();
    if (losses.length < 3) losses.push(Number(loss.toFixed(5)));
  };
  await once();
  const first = performance.now() - begun;
  const timing = await measure(once, probe, limits);
  return { timing, items: 128, unit: "examples", check: losses, note: `first call ${first.toFixed(0)} ms` };
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
  const { x, y } = batch();
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
  "mlp-train": mlpTrain,
  "xor-step": xor,
  "hessian-vp": hessianVector,
};
