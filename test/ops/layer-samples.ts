/** Pools and normalisation as graphs: each is checked by differences to second order, and on every target against the interpreter. */
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

export const layerSamples: Record<string, Sample[]> = {
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
