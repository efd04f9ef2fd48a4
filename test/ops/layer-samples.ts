/** Convolutions, pools and normalisation as graphs: each is checked by differences to second order, and on every target against the interpreter. */
import type { Value } from "../../src/graph/op.ts";
import * as surface from "../../src/surface/index.ts";
import type { Sample, SampleInput } from "./samples.ts";

const float = (shape: readonly number[], domain: SampleInput["domain"] = "any"): SampleInput => ({ shape, dtype: "float", domain });
const sample = (title: string, inputs: readonly SampleInput[], build: (...inputs: Value[]) => Value): Sample => ({ title, inputs, build });

/** Pools of images: with one channel and an odd size, with many channels and few places, of one place, and of none. */
const pooled = (build: (x: Value) => Value, domain: SampleInput["domain"] = "any"): Sample[] => [
  sample("of odd images", [float([2, 1, 7, 5], domain)], build),
  sample("of 17 channels", [float([1, 17, 4, 4], domain)], build),
  sample("of no images", [float([0, 2, 5, 5], domain)], build),
];
const pool = (kernelSize: number, options: object = {}) => ({ who: "pool", axes: 2, kernelSize, options });

/** Batches of 3 examples and of 33, where the statistics' sample is one example and more. */
const normalised = (channels: readonly (readonly number[])[], build: (x: Value, weight: Value, bias: Value) => Value): Sample[] =>
  channels.map((shape) => sample(`of [${shape.join(", ")}]`, [float(shape), float([shape[1]!]), float([shape[1]!])], build));

/** With a bias, of so many axes. */
const slid = (axes: number, options: surface.Transposing = {}) => ({
  forwards: (x: Value, weight: Value, bias: Value) => surface.convolution({ who: "conv", axes, x, weight, bias }, options),
  backwards: (x: Value, weight: Value, bias: Value) => surface.transposedConvolution({ who: "conv", axes, x, weight, bias }, options),
  locally: (x: Value, weight: Value, bias: Value) => surface.locallyConnected({ who: "conv", axes, x, weight, bias }, options),
});

export const layerSamples: Record<string, Sample[]> = {
  convolution: [
    sample("of even kernels that keep the size", [float([2, 3, 7]), float([2, 3, 4]), float([2])], slid(1, { padding: "same" }).forwards),
    sample("in full", [float([1, 2, 3, 2]), float([3, 2, 2, 3]), float([3])], slid(2, { padding: "full" }).forwards),
    sample(
      "depthwise, with a stride, other sides padded and cut",
      [float([2, 3, 6, 5]), float([3, 1, 3, 3]), float([3])],
      slid(2, { groups: 3, stride: 2, padding: [[0, 1], [2, -1]] }).forwards, // biome-ignore format: pairs
    ),
    sample("of no images", [float([0, 2, 5, 4]), float([3, 2, 3, 3]), float([3])], slid(2, { stride: 2 }).forwards),
    sample("of volumes", [float([1, 2, 3, 4, 3]), float([2, 2, 2, 2, 2]), float([2])], slid(3, { stride: [1, 2, 1] }).forwards),
  ],
  transposedConvolution: [
    sample("to twice the size", [float([1, 2, 3, 3]), float([2, 2, 4, 4]), float([2])], slid(2, { stride: 2, padding: 1 }).backwards),
    sample(
      "in groups, with more behind",
      [float([2, 4, 4]), float([4, 1, 3]), float([2])],
      slid(1, { stride: 3, groups: 2, outputPadding: 2 }).backwards,
    ),
    sample("with gaps", [float([1, 2, 2, 3]), float([2, 3, 2, 2]), float([3])], slid(2, { stride: 3, padding: [[0, 1], [0, 0]] }).backwards), // biome-ignore format: pairs
  ],
  locallyConnected: [
    sample("with a stride and padding", [float([2, 2, 5, 4]), float([2, 3, 2, 2, 2, 3]), float([2, 3, 2])], slid(2, { stride: [2, 1], padding: [1, 0] }).locally), // biome-ignore format: one line
    sample("of sequences", [float([3, 2, 6]), float([2, 4, 2, 3]), float([2, 4])], slid(1).locally),
  ],
  convolve: [
    sample("of sequences", [float([9]), float([4])], (a, b) => surface.convolve(a, b)),
    sample("of images, the same size", [float([3, 5]), float([2, 4])], (a, b) => surface.convolve(a, b, "same")),
    sample("of a longer one, correlated", [float([3]), float([6])], (a, b) => surface.correlate(a, b, "same")),
  ],
  maxPool: [
    ...pooled((x) => surface.maxPool(x, pool(2)), "distinct"),
    sample("of windows that overlap, with padding", [float([2, 3, 7, 6], "distinct")], (x) =>
      surface.maxPool(x, pool(3, { stride: 2, padding: 1 })),
    ),
    sample("of windows beyond the end", [float([2, 3, 5, 6], "distinct")], (x) =>
      surface.maxPool(x, pool(3, { stride: 2, ceilMode: true })),
    ),
    sample("of spread windows", [float([1, 3, 7, 6], "distinct")], (x) => surface.maxPool(x, pool(2, { stride: 1, dilation: 2 }))),
  ],
  avgPool: [
    ...pooled((x) => surface.avgPool(x, pool(2))),
    sample("of windows that overlap, with padding", [float([2, 3, 7, 6])], (x) => surface.avgPool(x, pool(3, { stride: 2, padding: 1 }))),
    sample("of elements only", [float([2, 3, 5, 6])], (x) =>
      surface.avgPool(x, pool(3, { stride: 2, padding: 1, ceilMode: true, countIncludePad: false })),
    ),
  ],
  lpPool: [
    sample("of 2", [float([2, 3, 7, 5])], (x) => surface.lpPool(x, 2, pool(2))),
    sample("of 3, overlapping", [float([2, 1, 5, 6])], (x) => surface.lpPool(x, 3, pool(3, { stride: 2 }))),
    sample("of ∞", [float([1, 3, 4, 4], "distinct")], (x) => surface.lpPool(x, Number.POSITIVE_INFINITY, pool(2))),
  ],
  weightedAvgPool: [
    sample("of the middle", [float([2, 3, 7, 5])], (x) => surface.weightedAvgPool(x, pool(3, { stride: 2 }))),
    sample("of elements only", [float([1, 2, 5, 6])], (x) =>
      surface.weightedAvgPool(x, pool(3, { padding: 1, stride: 1, weights: "inverse", countIncludePad: false })),
    ),
  ],
  adaptivePool: [
    sample("of means of everything", [float([2, 3, 5, 7])], (x) => surface.adaptiveAvgPool(x, { who: "pool", axes: 2, outputSize: 1 })),
    sample("of means in windows of two sizes", [float([2, 3, 5, 8])], (x) =>
      surface.adaptiveAvgPool(x, { who: "pool", axes: 2, outputSize: [3, 6] }),
    ),
    sample("of the largest in windows of two sizes", [float([2, 3, 5, 8], "distinct")], (x) =>
      surface.adaptiveMaxPool(x, { who: "pool", axes: 2, outputSize: [2, 3] }),
    ),
    sample("of the largest of everything", [float([1, 3, 5, 7], "distinct")], (x) =>
      surface.adaptiveMaxPool(x, { who: "pool", axes: 2, outputSize: 1 }),
    ),
  ],
  maxout: [sample("of three pieces", [float([5, 6, 2], "distinct")], (x) => surface.maxout(x, 3, 1))],
  batchNorm: [
    ...normalised([[3, 2], [33, 3], [2, 17, 2], [2, 3, 3, 1]], (x, weight, bias) => surface.batchNorm(x, { weight, bias })), // biome-ignore format: shapes
    sample("by statistics", [float([3, 5, 2]), float([5]), float([5], "positive")], (x, mean, variance) =>
      surface.batchNorm(x, { mean, variance }),
    ),
  ],
  batchStatistics: [sample("of 33 examples", [float([33, 2])], (x) => surface.batchStatistics(x).variance)],
  layerNorm: [
    sample("of rows", [float([5, 7]), float([7]), float([7])], (x, weight, bias) => surface.layerNorm(x, 7, { weight, bias })),
    sample("of images", [float([2, 3, 4])], (x) => surface.layerNorm(x, [3, 4])),
    sample("of no rows", [float([0, 4])], (x) => surface.layerNorm(x, 4)),
  ],
  groupNorm: normalised([[2, 4, 3], [1, 6, 2, 2]], (x, weight, bias) => surface.groupNorm(x, 2, { weight, bias })), // biome-ignore format: shapes
  instanceNorm: normalised([[2, 3, 5], [3, 1, 3, 2]], (x, weight, bias) => surface.instanceNorm(x, { weight, bias })), // biome-ignore format: shapes
  rmsNorm: [sample("of rows", [float([3, 7]), float([7])], (x, weight) => surface.rmsNorm(x, 7, { weight }))],
  localResponseNorm: [
    sample("as AlexNet's", [float([2, 7, 3])], (x) => surface.localResponseNorm(x, 5, { alpha: 0.5, k: 2 })),
    sample("of other powers", [float([2, 3, 2])], (x) => surface.localResponseNorm(x, 2, { alpha: 0.5, beta: 0.6 })),
  ],
};
