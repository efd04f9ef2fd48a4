/** Typical steps, whose kernels stand in `test/snapshots/kernels`. */
import { compile, Generator, gradients, hvp, type Tensor, variable, zeros } from "gradus";
import {
  Conv2d,
  crossEntropy,
  Dropout,
  Embedding,
  Flatten,
  inference,
  init,
  Linear,
  MaxPool2d,
  Module,
  mse,
  relu,
  Sequential,
  training,
} from "gradus/nn";
import { adam, sgd } from "gradus/optim";
import type { Form, Value } from "../../src/graph/op.ts";
import { printKernels } from "../../src/kernel/print-kernels.ts";
import * as o from "../../src/ops/index.ts";
import { optimise } from "../../src/passes/index.ts";
import { type ScheduleInput, schedule } from "../../src/schedule/index.ts";
import { compiledFrom } from "../../src/program/compile.ts";
import { gradients as graphGradients } from "../../src/transform/gradients.ts";

type Made = ReturnType<typeof schedule>;
type Roots = Pick<ScheduleInput, "outputs" | "assignments"> & Partial<Pick<ScheduleInput, "guards">>;

function scheduleOf({ outputs, assignments, guards = [] }: Roots): Made {
  const all = optimise([...outputs, ...assignments.map((a) => a.value), ...guards.map((g) => g.value)]);
  const rest = all.slice(outputs.length);
  return schedule({
    outputs: all.slice(0, outputs.length),
    assignments: assignments.map(({ cell }, i) => ({ cell, value: rest[i]! })),
    guards: guards.map(({ label }, i) => ({ label, value: rest[assignments.length + i]! })),
  });
}

/** What `compile` would schedule for these arguments; nothing is compiled. */
function compiled<A extends readonly unknown[]>(f: (...args: A) => unknown, args: A, guard: "loss" | "gradients" = "loss"): Made {
  const step = compiledFrom(compile(f as never, { device: "interpreter", guard }) as never);
  const { entry } = step.prepare(args);
  return scheduleOf(step.specOf(entry.trace, entry.outputs));
}

const values = (outputs: readonly (Value | null)[]): Made =>
  scheduleOf({ outputs: outputs.filter((v) => v !== null), assignments: [] });

const x = (...shape: number[]): Tensor => zeros(shape) as Tensor;
const classes = (n: number): Tensor => zeros([n], { dtype: "int32" }) as Tensor;

/** The loss of a convolution's squares and both its gradients: a contraction with two windows. */
function convolution(): Made {
  const [image, filters] = [o.argument(0, { shape: [8, 3, 12, 12], dtype: "float32" }), o.argument(1, { shape: [16, 3, 5, 5], dtype: "float32" })]; // biome-ignore format: a pair
  const window = { x: 12, w: 5, y: 8, stride: 1, dilation: 1, pad: 0 };
  const form: Form = {
    axes: [{ size: 8, in: ["x", "y"] }, { size: 3, in: ["x", "w"] }, { size: 16, in: ["w", "y"] }], // biome-ignore format: labels
    windows: [window, window],
    order: { w: [1, 0, 2, 3] },
    result: "y",
  };
  const y = o.relu(o.contract(form, image, filters));
  const loss = o.sum(o.mul(y, y), [0, 1, 2, 3]);
  return values([loss, ...graphGradients(loss, [image, filters])]);
}

/** A step of gradient descent for classes of images. */
function ofImages(model: Sequential<any>, shape: readonly number[]): Made {
  const optimizer = sgd(init(model, 0).parameters(), { lr: 0.1 });
  const step = (images: Tensor, labels: Tensor): Tensor => {
    const loss = crossEntropy(model.forward(images, inference), labels);
    optimizer.minimize(loss);
    return loss as Tensor;
  };
  return compiled(step, [x(...shape), classes(shape[0]!)]);
}

const lenet = (): Made =>
  ofImages(
    new Sequential(
      new Conv2d(1, 32, 5), relu, new MaxPool2d(2),
      new Conv2d(32, 64, 5), relu, new MaxPool2d(2),
      new Flatten(), new Linear(1024, 512), relu, new Linear(512, 10),
    ),
    [64, 1, 28, 28],
  ); // biome-ignore format: a line for each stage

/** Large windows in large steps, of images with three channels. */
const firstLayer = (): Made =>
  ofImages(
    new Sequential(new Conv2d(3, 64, 11, { stride: 4, padding: 2 }), relu, new MaxPool2d(3, { stride: 2 }), new Flatten(), new Linear(2304, 10)),
    [16, 3, 55, 55],
  ); // biome-ignore format: one call

class Residual extends Module {
  readonly first = new Conv2d(16, 16, 3, { padding: 1 });
  readonly second = new Conv2d(16, 16, 3, { padding: 1 });
  forward(input: Tensor): Tensor {
    return relu(this.second.forward(relu(this.first.forward(input as never) as Tensor) as never).add(input as never) as Tensor) as Tensor;
  }
}

const residual = (): Made =>
  ofImages(new Sequential(new Conv2d(3, 16, 3, { padding: 1 }), relu, new Residual() as any, new Flatten(), new Linear(4096, 10)), [7, 3, 16, 16]); // biome-ignore format: one call

const grouped = (): Made =>
  ofImages(
    new Sequential(
      new Conv2d(3, 32, 3, { padding: 1 }), relu,
      new Conv2d(32, 64, 5, { padding: 2, groups: 2 }), relu,
      new Conv2d(64, 32, 3, { stride: 2, padding: 1, groups: 2 }), relu,
      new Flatten(), new Linear(2048, 10),
    ),
    [9, 3, 16, 16],
  ); // biome-ignore format: a line for each stage

function mlp(): Made {
  const model = init(new Sequential(new Linear(784, 100), relu, new Linear(100, 10)), 0);
  const optimizer = sgd(model.parameters(), { lr: 0.1, momentum: 0.9 });
  const step = (images: Tensor, digits: Tensor): Tensor => {
    const loss = crossEntropy(model.forward(images), digits);
    optimizer.minimize(loss);
    return loss as Tensor;
  };
  return compiled(step, [x(64, 784), classes(64)]);
}

function softmaxCrossEntropy(): Made {
  const step = (logits: Tensor, digits: Tensor) => {
    const loss = crossEntropy(logits, digits);
    return [loss, gradients(loss, logits), logits.softmax(1)];
  };
  return compiled(step, [x(128, 1000), classes(128)]);
}

function batchStatistics(): Made {
  const [mean, scale] = [variable(zeros([32]), { name: "mean", trainable: false }), variable(zeros([32]), { name: "scale" })];
  const step = (input: Tensor) => {
    const centre = input.mean(0);
    const deviations = input.sub(centre);
    const variance = deviations.pow(2).mean(0);
    const y = deviations.div(variance.add(1e-5).sqrt()).mul(scale);
    const loss = y.pow(2).sum() as Tensor<[]>;
    mean.assign(mean.mul(0.9).add(centre.mul(0.1)));
    return gradients(loss, [scale, input]);
  };
  return compiled(step, [x(256, 32)]);
}

function attention(): Made {
  const [q, k, v] = [0, 1, 2].map((i) => o.argument(i, { shape: [2, 4, 32, 16], dtype: "float32" })) as [Value, Value, Value];
  return values([o.einsum("bhqk,bhkd->bqhd", o.softmax(o.einsum("bhqd,bhkd->bhqk", q, k), 3), v)]);
}

function embedding(): Made {
  const model = init(new Sequential(new Embedding(50, 16), new Linear(16, 50)), 0);
  const optimizer = sgd(model.parameters(), { lr: 0.1 });
  const step = (words: Tensor, next: Tensor): Tensor => {
    const loss = crossEntropy(model.forward(words), next);
    optimizer.minimize(loss);
    return loss as Tensor;
  };
  return compiled(step, [classes(40), classes(40)]);
}

function guarded(): Made {
  const rng = new Generator(0);
  const model = init(new Sequential(new Linear(20, 16), relu, new Dropout(0.5), new Linear(16, 3)), 0);
  const optimizer = adam(model.parameters(), { lr: 0.01, clipNorm: 1 });
  const step = (input: Tensor, y: Tensor): Tensor => {
    const loss = mse(model.forward(input, training(rng)), y);
    optimizer.minimize(loss);
    return loss as Tensor;
  };
  return compiled(step, [x(32, 20), x(32, 3)], "gradients");
}

function hessianVector(): Made {
  const step = (input: Tensor, w: Tensor, v: Tensor) => hvp((at) => input.matmul(at).tanh().pow(2).sum() as Tensor<[]>, w, v);
  return compiled(step, [x(50, 40), x(40, 30), x(40, 30)]);
}

function sorting(): Made {
  const step = (input: Tensor) => {
    const total = input.cumsum(1);
    return [total, input.argsort(1), gradients(total.pow(2).sum() as Tensor<[]>, input)];
  };
  return compiled(step, [x(20, 30)]);
}

function places(): Made {
  const [a, b] = [variable(zeros([6, 4]), { name: "a" }), variable(zeros([6, 4]), { name: "b" })];
  const step = (input: Tensor) => {
    const old = a.value;
    a.assign(b.value.add(1));
    b.assign(old);
    return input.at("1:5").pad([[1, 1], [0, 2]]);
  };
  return compiled(step, [x(6, 4)]);
}

function doubles(): Made {
  const w = variable(zeros([12, 1], { dtype: "float64" }), { name: "w" });
  const step = (input: Tensor, y: Tensor): Tensor => {
    const loss = input.matmul(w).sub(y).pow(2).mean() as Tensor<[]>;
    w.assign(w.sub(gradients(loss, w).mul(0.01)));
    return loss as Tensor;
  };
  return compiled(step, [zeros([100, 12], { dtype: "float64" }) as Tensor, zeros([100, 1], { dtype: "float64" }) as Tensor]);
}

export const STEPS: Readonly<Record<string, () => Made>> = {
  "mlp-step": mlp,
  "softmax-cross-entropy": softmaxCrossEntropy,
  "batch-statistics": batchStatistics,
  attention,
  convolution,
  "lenet-step": lenet,
  "first-layer-step": firstLayer,
  "residual-step": residual,
  "grouped-step": grouped,
  "embedding-step": embedding,
  "guarded-adam": guarded,
  "hessian-vector-product": hessianVector,
  "cumsum-argsort": sorting,
  places,
  float64: doubles,
};

export const kernelsOf = (step: () => Made): string => `${printKernels(step())}\n`;
