/** Single layers, each alone: convolutions with both gradients, pools, batch normalisation. The same numbers as in `bench/pytorch_layers.py`. */
import { sizeOf } from "../../core/shape.ts";
import { compile, conv2d, Generator, gradients, type Tensor, type Variable, variable, zeros } from "../../index.ts";
import { BatchNorm2d, init, MaxPool2d, training } from "../../nn/index.ts";
import { measure } from "./measure.ts";
import { filled, type Workload } from "./numbers.ts";

interface Convolution {
  readonly images: number;
  readonly channels: number;
  readonly size: number;
  readonly out: number;
  readonly kernel: number;
  readonly stride?: number;
  readonly padding?: number;
  readonly groups?: number;
}

/** LeNet's, two of AlexNet's, those of a residual net from 56² to 7², a depthwise one, a 1×1, and one of odd sizes. */
const CONVOLUTIONS: Record<string, Convolution> = {
  "conv-1-32-5x5-28": { images: 64, channels: 1, size: 28, out: 32, kernel: 5 },
  "conv-32-64-5x5-12": { images: 64, channels: 32, size: 12, out: 64, kernel: 5 },
  "conv-3-64-11x11-224": { images: 16, channels: 3, size: 224, out: 64, kernel: 11, stride: 4, padding: 2 },
  "conv-64-192-5x5-27": { images: 16, channels: 64, size: 27, out: 192, kernel: 5, padding: 2 },
  "conv-192-384-3x3-13": { images: 16, channels: 192, size: 13, out: 384, kernel: 3, padding: 1 },
  "conv-64-64-3x3-56": { images: 8, channels: 64, size: 56, out: 64, kernel: 3, padding: 1 },
  "conv-128-128-3x3-28": { images: 8, channels: 128, size: 28, out: 128, kernel: 3, padding: 1 },
  "conv-256-256-3x3-14": { images: 8, channels: 256, size: 14, out: 256, kernel: 3, padding: 1 },
  "conv-512-512-3x3-7": { images: 8, channels: 512, size: 7, out: 512, kernel: 3, padding: 1 },
  "conv-128-depthwise-3x3-28": { images: 16, channels: 128, size: 28, out: 128, kernel: 3, padding: 1, groups: 128 },
  "conv-256-256-1x1-14": { images: 16, channels: 256, size: 14, out: 256, kernel: 1 },
  "conv-97-30-3x3-15": { images: 7, channels: 97, size: 15, out: 30, kernel: 3, padding: 1 },
}; // biome-ignore format: a table

const middle = async (result: Variable): Promise<number> => {
  const data = await result.value.data();
  return Number((data[data.length >> 1] as number).toFixed(4));
};

/** Of y = conv(x, w): y, or what a gradient of y becomes in x ("input") or in w ("kernel"). */
function convolution(c: Convolution, what: "forward" | "input" | "kernel"): Workload {
  const { images, channels, size, out, kernel, stride = 1, padding = 0, groups = 1 } = c;
  const from = channels / groups;
  const width = Math.floor((size + 2 * padding - kernel) / stride) + 1;
  const flop = 2 * images * out * width * width * from * kernel * kernel;
  return async ({ probe, limits }) => {
    const x = filled(1, [images, channels, size, size]);
    const w = filled(2, [out, from, kernel, kernel], (from * kernel * kernel) ** -0.5);
    const dy = filled(3, [images, out, width, width]);
    const result = variable(zeros((what === "forward" ? dy : what === "input" ? x : w).shape));
    const run = compile((a: Tensor, b: Tensor, d: Tensor) => {
      const y = conv2d(a, b, { stride, padding, groups }) as Tensor;
      if (what === "forward") return result.assign(y);
      return result.assign(gradients(y.mul(d).sum() as Tensor<[]>, what === "input" ? a : b) as Tensor);
    });
    const timing = await measure(() => run(x, w, dy), probe, limits);
    return { timing, items: images, unit: "images", flop, check: await middle(result) };
  };
}

/** A layer of images alone, or with its gradient. */
function elementwise(shape: readonly number[], layer: (x: Tensor) => Tensor, dy: (x: Tensor) => Tensor, trained: boolean): Workload {
  return async ({ probe, limits }) => {
    const x = filled(1, shape);
    const d = dy(x);
    const result = variable(zeros((trained ? x : d).shape as number[]));
    const run = compile((a: Tensor, b: Tensor) => {
      const y = layer(a);
      return result.assign(trained ? (gradients(y.mul(b).sum() as Tensor<[]>, a) as Tensor) : y);
    });
    const timing = await measure(() => run(x, d), probe, limits);
    return { timing, items: sizeOf(shape), unit: "elements", check: await middle(result) };
  };
}

function pool(shape: readonly [number, number, number, number], kernel: number, stride: number, trained: boolean): Workload {
  const [n, c, size] = shape;
  const width = Math.floor((size - kernel) / stride) + 1;
  const layer = new MaxPool2d(kernel, { stride });
  return elementwise(
    shape,
    (x) => layer.forward(x) as Tensor,
    () => filled(2, [n, c, width, width]),
    trained,
  );
}

/** In training: running statistics are counted, too; the gradient is that of the input, the weight and the bias. */
function batchNorm(shape: readonly [number, number, number, number], trained: boolean): Workload {
  return async ({ probe, limits }) => {
    const layer = init(new BatchNorm2d(shape[1]), 0);
    const [x, dy, result] = [filled(1, shape), filled(2, shape), variable(zeros(shape))];
    const [weight, bias] = [variable(zeros([shape[1]])), variable(zeros([shape[1]]))];
    const run = compile((a: Tensor, d: Tensor) => {
      const y = layer.forward(a, training(new Generator(0))) as Tensor;
      if (!trained) return result.assign(y);
      const [da, dw, db] = gradients(y.mul(d).sum() as Tensor<[]>, [a, layer.weight!, layer.bias!] as any) as unknown as Tensor[];
      weight.assign(dw as any);
      bias.assign(db as any);
      return result.assign(da!);
    });
    const timing = await measure(() => run(x, dy), probe, limits);
    return { timing, items: sizeOf(shape), unit: "elements", check: await middle(result) };
  };
}

export const LAYERS: Record<string, Workload> = {
  ...Object.fromEntries(
    Object.entries(CONVOLUTIONS).flatMap(([name, c]) =>
      (["forward", "input", "kernel"] as const).map((what) => [`${name}-${what}`, convolution(c, what)] as const),
    ),
  ),
  "max-pool-2x2-forward": pool([64, 32, 24, 24], 2, 2, false),
  "max-pool-2x2-train": pool([64, 32, 24, 24], 2, 2, true),
  "max-pool-3x3-forward": pool([16, 64, 55, 55], 3, 2, false),
  "max-pool-3x3-train": pool([16, 64, 55, 55], 3, 2, true),
  "batch-norm-forward": batchNorm([16, 64, 55, 55], false),
  "batch-norm-train": batchNorm([16, 64, 55, 55], true),
};
