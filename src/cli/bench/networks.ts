/** Whole networks, trained and used: the shapes and initial weights that other libraries' benchmarks have. */
import { sizeOf } from "../../core/shape.ts";
import { compile, type Tensor, tensor, variable, zeros } from "../../index.ts";
import { Conv2d, crossEntropy, Flatten, inference, Linear, MaxPool2d, relu, Sequential } from "../../nn/index.ts";
import { sgd } from "../../optim/index.ts";
import { measure } from "./measure.ts";
import { filled, labels, type Workload } from "./numbers.ts";

/** Weights by the layer's number, U(±1/√fan), biases 0. Those of dense layers are numbered as [in, out]. */
function filledLayers(model: Sequential<any>): Sequential<any> {
  const layers = (model.layers as readonly unknown[]).filter((layer) => layer instanceof Linear || layer instanceof Conv2d);
  layers.forEach((layer, i) => {
    const shape = layer.weight.shape as number[];
    const [out, ...from] = shape as [number, ...number[]];
    const inputs = sizeOf(from);
    const numbers = filled(i + 1, layer instanceof Linear ? [inputs, out] : shape, inputs ** -0.5);
    layer.weight.assign(layer instanceof Linear ? numbers.transpose() : numbers);
    layer.bias!.assign(zeros([out]));
  });
  return model;
}

export const mlp = (): Sequential<any> =>
  filledLayers(new Sequential(new Linear(784, 512), relu, new Linear(512, 512), relu, new Linear(512, 10)));

const lenet = (): Sequential<any> =>
  filledLayers(
    new Sequential(
      new Conv2d(1, 32, 5), relu, new MaxPool2d(2),
      new Conv2d(32, 64, 5), relu, new MaxPool2d(2),
      new Flatten(), new Linear(1024, 512), relu, new Linear(512, 10),
    ),
  ); // biome-ignore format: a line for each stage

/** The one-tower variant (Krizhevsky 2014), without local response normalisation. */
const alexnet = (): Sequential<any> =>
  filledLayers(
    new Sequential(
      new Conv2d(3, 64, 11, { stride: 4, padding: 2 }), relu, new MaxPool2d(3, { stride: 2 }),
      new Conv2d(64, 192, 5, { padding: 2 }), relu, new MaxPool2d(3, { stride: 2 }),
      new Conv2d(192, 384, 3, { padding: 1 }), relu,
      new Conv2d(384, 256, 3, { padding: 1 }), relu,
      new Conv2d(256, 256, 3, { padding: 1 }), relu, new MaxPool2d(3, { stride: 2 }),
      new Flatten(), new Linear(9216, 4096), relu, new Linear(4096, 4096), relu, new Linear(4096, 1000),
    ),
  ); // biome-ignore format: a line for each stage

/** One step of gradient descent with momentum, on the same batch again and again. */
const train =
  (model: () => Sequential<any>, shape: readonly number[], classes: number): Workload =>
  async ({ probe, limits }) => {
    const net = model();
    const optimizer = sgd(net.parameters(), { lr: 0.01, momentum: 0.9 });
    const count = shape[0]!;
    const [x, y] = [filled(100, shape), tensor(labels(101, count, classes), [count], { dtype: "int32" })];
    const begun = performance.now();
    const step = compile((input: Tensor, target: Tensor) => {
      const loss = crossEntropy(net.forward(input, inference), target);
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
    return { timing, items: count, unit: "examples", check: losses, note: `first call ${first.toFixed(0)} ms` };
  };

/** The outputs are written into a variable, so that no call has to keep the last one's. */
const forward =
  (model: () => Sequential<any>, shape: readonly number[], classes: number): Workload =>
  async ({ probe, limits }) => {
    const net = model();
    const x = filled(100, shape);
    const outputs = variable(zeros([shape[0]!, classes]));
    const begun = performance.now();
    const run = compile((input: Tensor) => outputs.assign(net.forward(input, inference)));
    run(x);
    const first = performance.now() - begun;
    const timing = await measure(() => run(x), probe, limits);
    const check = Number(((await outputs.value.data())[0] as number).toFixed(5));
    return { timing, items: shape[0]!, unit: "examples", check, note: `first call ${first.toFixed(0)} ms` };
  };

export const NETWORKS: Record<string, Workload> = {
  "mlp-train": train(mlp, [128, 784], 10),
  "lenet-train": train(lenet, [64, 1, 28, 28], 10),
  "alexnet-forward-1": forward(alexnet, [1, 3, 224, 224], 1000),
  "alexnet-forward-16": forward(alexnet, [16, 3, 224, 224], 1000),
  "alexnet-train-16": train(alexnet, [16, 3, 224, 224], 1000),
};
