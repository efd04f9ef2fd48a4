/**
 * Samples of every op, from which the suites of all targets are made. A sample builds a graph over inputs of given shapes and domains;
 * "float" inputs are asked for in float32 and in float64.
 */
import { type DType, isFloat } from "../../src/core/dtype.ts";
import { type Shape, sizeOf } from "../../src/core/shape.ts";
import type { Form, Value } from "../../src/graph/op.ts";
import * as o from "../../src/ops/index.ts";
import { topK } from "../../src/surface/reduce.ts";
import { layerSamples } from "./layer-samples.ts";
import type { OpName } from "./registry.ts";

/**
 * Which numbers an input takes: `any` −2 … 2 but no near multiple of ½ (kinks and steps are there); `positive` 0.3 … 2.5; `distinct` a
 * shuffled ramp; `bits` all of 32 bits; `{ below: n }` whole numbers 0 … n − 1, from −n on if `signed`.
 */
export type Domain = "any" | "positive" | "distinct" | "bits" | { readonly below: number; readonly signed?: boolean };

export interface SampleInput {
  readonly shape: Shape;
  readonly dtype: DType | "float";
  readonly domain: Domain;
}

export interface Sample {
  readonly title: string;
  readonly inputs: readonly SampleInput[];
  build(...inputs: Value[]): Value;
  /** Tolerance of the second derivative's check, relative to 1; 1e-5 unless said. */
  readonly tolerance?: number;
}

const float = (shape: Shape, domain: Domain = "any"): SampleInput => ({ shape, dtype: "float", domain });
const ints = (shape: Shape, below: number, signed = false): SampleInput => ({ shape, dtype: "int32", domain: { below, signed } });
const uints = (shape: Shape): SampleInput => ({ shape, dtype: "uint32", domain: "bits" });
const bools = (shape: Shape): SampleInput => ({ shape, dtype: "bool", domain: { below: 2 } });

type Build = (...inputs: Value[]) => Value;
const sample = (title: string, inputs: readonly SampleInput[], build: Build, more: Partial<Sample> = {}): Sample => ({
  title,
  inputs,
  build,
  ...more,
});

/** A function of one input: odd sizes, a scalar, nothing at all. */
const unary = (build: Build, domain: Domain = "any"): Sample[] => [
  sample("of a matrix", [float([3, 17], domain)], build),
  sample("of a scalar", [float([], domain)], build),
  sample("of nothing", [float([3, 0], domain)], build),
  sample("of 250", [float([250], domain)], build),
];
const binary = (build: Build, a: Domain = "any", b: Domain = a): Sample[] => [
  sample("of two matrices", [float([5, 3], a), float([5, 3], b)], build),
  sample("of two scalars", [float([], a), float([], b)], build),
  sample("of nothing", [float([0], a), float([0], b)], build),
];
/** Within ±1. */
const half = (x: Value): Value => o.mul(x, o.scalarLike(x, 0.45));
const onInts = (build: Build): Sample => sample("of int32", [ints([17], 9, true), ints([17], 9, true)], build);
const reduced = (build: (x: Value, axes: readonly number[]) => Value, domain: Domain = "any"): Sample[] => [
  sample("over the last axis", [float([3, 17], domain)], (x) => build(x, [1])),
  sample("over the first axis", [float([5, 3], domain)], (x) => build(x, [0])),
  sample("over two axes", [float([3, 4, 5], domain)], (x) => build(x, [0, 2])),
  sample("over everything", [float([7, 3], domain)], (x) => build(x, [0, 1])),
  sample("of no rows", [float([0, 3], domain)], (x) => build(x, [1])),
];
/** Far from singular. */
const regular = (x: Value): Value => o.add(x, o.mul(o.identityLike(x), o.scalarLike(x, 5)));
/** Symmetric and positive definite. */
const definite = (x: Value): Value => o.add(o.matmul(x, o.matrixTranspose(x)), o.identityLike(x));
const found = (build: (x: Value, axes: number | readonly number[]) => Value): Sample[] => [
  sample("along the last axis", [float([3, 17], "distinct")], (x) => build(x, 1)),
  sample("along the first axis", [float([5, 3], "distinct")], (x) => build(x, 0)),
  sample("of int32", [ints([4, 9], 5, true)], (x) => build(x, 1)),
  sample("among two axes", [float([3, 4, 5], "distinct")], (x) => build(x, [0, 2])),
  sample("among everything", [float([7, 3], "distinct")], (x) => build(x, [0, 1])),
  sample("among axes of equals", [ints([2, 5, 3], 3, true)], (x) => build(x, [1, 2])),
];

/** A convolution: batch, groups of channels, a window with stride 2, dilation 2 and padding, and another without. */
export const CONVOLUTION: Form = {
  axes: [
    { size: 2, in: ["x", "y"] },
    { size: 3, in: ["x", "w"] },
    { size: 2, in: ["w", "y"] },
  ],
  windows: [
    { x: 7, w: 3, y: 3, stride: 2, dilation: 2, pad: 1 },
    { x: 4, w: 2, y: 3, stride: 1, dilation: 1, pad: 0 },
  ],
  order: { w: [1, 0, 2, 3] },
  result: "y",
};

const [BATCH, INNER, OUTER] = [["x", "y"], ["x", "w"], ["w", "y"]] as const; // biome-ignore format: slots
const EVERY = ["x", "w", "y"] as const;

/** Strides with and without as many taps for each phase, groups, one channel each, dilation, padding beyond the kernel and cut off, 1 and 3 axes. */
const STRIDED: readonly { title: string; x: number[]; w: number[]; y: number[]; form: Omit<Form, "result"> }[] = [
  {
    title: "a stride that divides the kernel",
    x: [2, 3, 6, 8], w: [4, 3, 4, 2], y: [2, 4, 3, 4],
    form: {
      axes: [{ size: 2, in: BATCH }, { size: 4, in: OUTER }, { size: 3, in: INNER }],
      windows: [{ x: 6, w: 4, y: 3, stride: 2, dilation: 1, pad: 1 }, { x: 8, w: 2, y: 4, stride: 2, dilation: 1, pad: 0 }],
    },
  },
  {
    title: "a stride that does not, in groups",
    x: [2, 2, 2, 7], w: [2, 3, 2, 3], y: [2, 2, 3, 4],
    form: {
      axes: [{ size: 2, in: BATCH }, { size: 2, in: EVERY }, { size: 3, in: OUTER }, { size: 2, in: INNER }],
      windows: [{ x: 7, w: 3, y: 4, stride: 2, dilation: 1, pad: 1 }],
    },
  },
  {
    title: "a kernel for each channel, dilated and cut off",
    x: [2, 3, 9, 7], w: [3, 2, 3], y: [2, 3, 3, 3],
    form: {
      axes: [{ size: 2, in: BATCH }, { size: 3, in: EVERY }],
      windows: [{ x: 9, w: 2, y: 3, stride: 2, dilation: 3, pad: -1 }, { x: 7, w: 3, y: 3, stride: 3, dilation: 2, pad: 3 }],
    },
  },
  {
    title: "a stride beyond the kernel, over three axes",
    x: [2, 2, 5, 4, 6], w: [3, 2, 1, 2, 2], y: [2, 3, 3, 2, 2],
    form: {
      axes: [{ size: 2, in: BATCH }, { size: 3, in: OUTER }, { size: 2, in: INNER }],
      windows: [
        { x: 5, w: 1, y: 3, stride: 2, dilation: 1, pad: 0 },
        { x: 4, w: 2, y: 2, stride: 2, dilation: 1, pad: 0 },
        { x: 6, w: 2, y: 2, stride: 4, dilation: 1, pad: 0 },
      ],
    },
  },
]; // biome-ignore format: a table

export const samples = {
  add: [...binary(o.add), onInts(o.add)],
  sub: [...binary(o.sub), onInts(o.sub)],
  mul: [...binary(o.mul), onInts(o.mul)],
  div: binary(o.div, "any", "positive"),
  neg: [...unary(o.neg), sample("of int32", [ints([9], 5, true)], o.neg)],
  abs: [...unary(o.abs), sample("of int32", [ints([9], 5, true)], o.abs)],
  sign: [...unary(o.sign), sample("of int32", [ints([9], 3, true)], o.sign)],
  relu: [...unary(o.relu), sample("of int32", [ints([9], 3, true)], o.relu)],
  maximum: [...binary(o.maximum), onInts(o.maximum)],
  minimum: [...binary(o.minimum), onInts(o.minimum)],
  pow: binary(o.pow, "positive", "any"),
  floorDiv: [...binary(o.floorDiv, "any", "positive"), onInts(o.floorDiv)],
  fmod: [...binary(o.fmod, "any", "positive"), onInts(o.fmod)],
  mod: [...binary(o.mod, "any", "positive"), onInts(o.mod)],
  sqrt: unary(o.sqrt, "positive"),
  exp: unary(o.exp),
  expm1: unary(o.expm1),
  log: unary(o.log, "positive"),
  log1p: unary(o.log1p, "positive"),
  log2: unary(o.log2, "positive"),
  xlogy: binary(o.xlogy, "any", "positive"),
  asin: unary((x) => o.asin(half(x))),
  acos: unary((x) => o.acos(half(x))),
  atan: unary(o.atan),
  atan2: binary(o.atan2),
  hypot: [
    ...binary(o.hypot),
    sample("of large numbers", [float([7], "positive"), float([7], "positive")], (a, b) => {
      const large = o.scalarLike(a, 1e4);
      return o.hypot(o.mul(a, large), o.mul(b, large));
    }),
  ],
  sinh: unary(o.sinh),
  cosh: unary(o.cosh),
  asinh: unary(o.asinh),
  acosh: unary((x) => o.acosh(o.add(x, o.onesLike(x))), "positive"),
  atanh: unary((x) => o.atanh(half(x))),
  tanh: unary(o.tanh),
  sigmoid: unary(o.sigmoid),
  erf: unary(o.erf),
  sin: unary(o.sin),
  cos: unary(o.cos),
  floor: unary(o.floor),
  ceil: unary(o.ceil),
  trunc: unary(o.trunc),
  round: unary(o.round),
  eq: [onInts(o.eq), sample("of bools", [bools([9]), bools([9])], o.eq), ...binary(o.eq)],
  ne: [onInts(o.ne), sample("of bools", [bools([9]), bools([9])], o.ne), ...binary(o.ne)],
  lt: [onInts(o.lt), ...binary(o.lt), sample("of uint32", [uints([9]), uints([9])], o.lt)],
  le: [onInts(o.le), ...binary(o.le)],
  logicalAnd: [sample("of bools", [bools([9]), bools([9])], o.logicalAnd), onInts(o.logicalAnd)],
  logicalOr: [sample("of bools", [bools([9]), bools([9])], o.logicalOr), onInts(o.logicalOr)],
  logicalXor: [sample("of bools", [bools([9]), bools([9])], o.logicalXor), onInts(o.logicalXor)],
  logicalNot: [sample("of bools", [bools([9])], o.logicalNot), sample("of int32", [ints([9], 7, true)], o.logicalNot)],
  shiftRight: [
    sample("of int32", [ints([9], 7, true)], (x) => o.shiftRight(x, 3)),
    sample("of uint32", [uints([9])], (x) => o.shiftRight(x, 8)),
  ],
  select: [
    sample("of floats", [bools([5, 3]), float([5, 3]), float([5, 3])], o.select),
    sample("of int32", [bools([9]), ints([9], 5, true), ints([9], 5)], o.select),
    sample("of bools", [bools([9]), bools([9]), bools([9])], o.select),
  ],
  cast: [
    sample("float to int32", [float([17])], (x) => o.cast(x, "int32")),
    sample("float to uint8", [float([17])], (x) => o.cast(x, "uint8")),
    sample("float to bool", [float([17])], (x) => o.cast(x, "bool")),
    sample("float to float64", [float([17])], (x) => o.cast(x, "float64")),
    sample("int32 to float32", [ints([17], 100, true)], (x) => o.cast(x, "float32")),
    sample("int32 to uint32", [ints([17], 100, true)], (x) => o.cast(x, "uint32")),
    sample("uint32 to float32", [uints([17])], (x) => o.cast(x, "float32")),
    sample("uint32 to float64", [uints([17])], (x) => o.cast(x, "float64")),
    sample("uint8 to float32", [{ shape: [17], dtype: "uint8", domain: { below: 256 } }], (x) => o.cast(x, "float32")),
    sample("bool to float32", [bools([17])], (x) => o.cast(x, "float32")),
  ],
  bounded: [
    sample("from the end too", [ints([9], 4, true)], (i) => o.bounded(i, { bound: 4, label: "sample", fromEnd: true })),
    sample("in range", [ints([9], 4)], (i) => o.bounded(i, { bound: 4, label: "sample" })),
  ],
  threefry: [
    sample("first word", [uints([5]), uints([5]), uints([5]), uints([5])], (a, b, c, d) => o.threefry(a, b, c, d, { word: 0 })),
    sample("second word", [uints([5]), uints([5]), uints([5]), uints([5])], (a, b, c, d) => o.threefry(a, b, c, d, { word: 1 })),
  ],
  reshape: [
    sample("joins and splits", [float([2, 3, 4])], (x) => o.reshape(x, [6, 2, 1, 2])),
    sample("across axes", [float([6, 4])], (x) => o.reshape(x, [4, 6])),
    sample("to a scalar", [float([1, 1])], (x) => o.reshape(x, [])),
    sample("of nothing", [float([0, 3])], (x) => o.reshape(x, [5, 0])),
  ],
  transpose: [
    sample("of a matrix", [float([3, 5])], (x) => o.transpose(x, [1, 0])),
    sample("of three axes", [float([2, 3, 4])], (x) => o.transpose(x, [2, 0, 1])),
  ],
  broadcast: [
    sample("of a scalar", [float([])], (x) => o.broadcastTo(x, [3, 5])),
    sample("of a row", [float([5])], (x) => o.broadcastTo(x, [3, 5])),
    sample("of a column", [float([3])], (x) => o.broadcastTo(x, [3, 5], [0])),
    sample("of sizes 1", [float([1, 3, 1])], (x) => o.broadcastTo(x, [2, 3, 4])),
    sample("of size 1 to 1 along a new axis", [float([1])], (x) => o.broadcastTo(x, [1, 4], [0])),
    sample("to nothing", [float([3])], (x) => o.broadcastTo(x, [0, 3])),
  ],
  slice: [
    sample("of the middle", [float([5, 7])], (x) => o.slice(x, { starts: [1, 2], steps: [1, 1], sizes: [3, 4] })),
    sample("with steps", [float([5, 7])], (x) => o.slice(x, { starts: [0, 1], steps: [2, 3], sizes: [3, 2] })),
    sample("backwards", [float([5, 7])], (x) => o.slice(x, { starts: [4, 6], steps: [-2, -1], sizes: [2, 7] })),
    sample("of nothing", [float([5])], (x) => o.slice(x, { starts: [5], steps: [1], sizes: [0] })),
    sample("of one element by a large step", [float([5])], (x) => o.slice(x, { starts: [3], steps: [9], sizes: [1] })),
  ],
  windows: [
    sample("that overlap", [float([2, 7])], (x) => o.windows(x, { axis: 1, size: 3, stride: 2, dilation: 1 })),
    sample("with dilation", [float([9, 2])], (x) => o.windows(x, { axis: 0, size: 3, stride: 1, dilation: 3 })),
    sample("side by side", [float([8])], (x) => o.windows(x, { axis: 0, size: 3, stride: 3, dilation: 1 })),
  ],
  pad: [
    sample("around", [float([2, 3])], (x) => o.pad(x, { low: [1, 0], high: [0, 2], interior: [0, 0], value: 0 })),
    sample("between", [float([2, 3])], (x) => o.pad(x, { low: [1, 0], high: [0, 2], interior: [1, 2], value: -7 })),
    sample("nothing", [float([0])], (x) => o.pad(x, { low: [2], high: [1], interior: [3], value: 4 })),
  ],
  concat: [
    sample("along the last axis", [float([2, 3]), float([2, 1]), float([2, 4])], (...list) => o.concat(list, 1)),
    sample("along the first axis", [float([2, 3]), float([0, 3]), float([1, 3])], (...list) => o.concat(list, 0)),
  ],
  fold: [
    sample("that overlaps", [float([2, 3, 3])], (x) => o.fold(x, { axis: 1, size: 3, stride: 2, dilation: 1, length: 8 })),
    sample("side by side", [float([2, 3])], (x) => o.fold(x, { axis: 0, size: 3, stride: 3, dilation: 1, length: 6 })),
    sample("of no windows", [float([0, 3])], (x) => o.fold(x, { axis: 0, size: 3, stride: 1, dilation: 1, length: 2 })),
  ],
  sum: [
    ...reduced(o.sum),
    sample("of nothing", [float([3, 0])], (x) => o.sum(x, [1])),
    sample("of int32", [ints([5, 3], 9, true)], (x) => o.sum(x, [0])),
  ],
  product: [
    ...reduced(o.product),
    sample("of nothing", [float([3, 0])], (x) => o.product(x, [1])),
    sample("of int32", [ints([5, 3], 9)], (x) => o.product(x, [1])),
  ],
  max: [...reduced(o.max, "distinct"), sample("of int32", [ints([5, 3], 9, true)], (x) => o.max(x, [1]))],
  min: [...reduced(o.min, "distinct"), sample("of int32", [ints([5, 3], 9, true)], (x) => o.min(x, [1]))],
  argmax: found(o.argmax),
  argmin: found(o.argmin),
  contract: [
    sample("matrix × matrix", [float([3, 5]), float([5, 17])], o.matmul),
    sample("batches of matrices", [float([2, 3, 5]), float([2, 5, 4])], o.matmul),
    sample("over nothing", [float([3, 0]), float([0, 2])], o.matmul),
    sample("x · Wᵀ", [float([3, 5]), float([4, 5])], (a, b) => o.einsum("bi,oi->bo", a, b)),
    sample("dot", [float([17]), float([17])], o.dot),
    sample("batch axes last", [float([3, 2]), float([3, 4, 2])], (a, b) => o.einsum("kb,knb->nb", a, b)),
    sample("convolution", [float([2, 3, 7, 4]), float([2, 3, 3, 2])], (x, w) => o.contract(CONVOLUTION, x, w)),
    sample("transposed convolution", [float([2, 3, 3, 2]), float([2, 2, 3, 3])], (w, y) =>
      o.contract({ ...CONVOLUTION, result: "x" }, w, y),
    ),
    sample("gradient of the filter", [float([2, 3, 7, 4]), float([2, 2, 3, 3])], (x, y) =>
      o.contract({ ...CONVOLUTION, result: "w" }, x, y),
    ),
    ...STRIDED.flatMap(({ title, x, w, y, form }) => [
      sample(title, [float(x), float(w)], (a, b) => o.contract({ ...form, result: "y" }, a, b)),
      sample(`${title}, transposed`, [float(w), float(y)], (a, b) => o.contract({ ...form, result: "x" }, a, b)),
    ]),
    sample("of int32", [ints([3, 4], 9, true), ints([4, 2], 9, true)], o.matmul),
  ],
  gather: [
    sample("rows", [float([5, 3]), ints([4], 5)], (x, i) => o.gather(x, i)),
    sample("rows from the end too", [float([5, 3]), ints([4], 5, true)], (x, i) => o.gather(x, i, { fromEnd: true })),
    sample("with a batch axis", [float([2, 5]), ints([2, 3], 5)], (x, i) => o.gather(x, i, { batch: 1 })),
    sample("along the last axis", [float([2, 3, 5]), ints([4, 2], 5)], (x, i) => o.gather(x, i, { axis: 2 })),
    sample("by a scalar", [float([5, 3]), ints([], 5)], (x, i) => o.gather(x, i)),
    sample("along an axis", [float([3, 5]), ints([3, 2], 5)], (x, i) => o.takeAlong(x, i, 1)),
  ],
  scatterAdd: [
    sample("rows", [float([5, 3]), ints([7], 5), float([7, 3])], (x, i, u) => o.scatterAdd(x, i, u)),
    sample("rows from the end too", [float([5, 3]), ints([7], 5, true), float([7, 3])], (x, i, u) =>
      o.scatterAdd(x, i, u, { fromEnd: true }),
    ),
    sample("with a batch axis", [float([2, 5]), ints([2, 3], 5), float([2, 3])], (x, i, u) => o.scatterAdd(x, i, u, { batch: 1 })),
  ],
  cumulate: [
    sample("sum", [float([3, 17])], (x) => o.cumsum(x, 1)),
    sample("sum along the first axis, exclusive, reversed", [float([5, 3])], (x) => o.cumsum(x, 0, { exclusive: true, reverse: true })),
    sample("product", [float([2, 7])], (x) => o.cumprod(x, 1)),
    sample("product, reversed", [float([5])], (x) => o.cumprod(x, 0, { reverse: true })),
    sample("of nothing", [float([2, 0])], (x) => o.cumsum(x, 1, { exclusive: true })),
    sample("of int32", [ints([9], 5, true)], (x) => o.cumsum(x, 0)),
  ],
  argsort: [
    sample("ascending", [float([3, 17], "distinct")], (x) => o.argsort(x, 1)),
    sample("descending, with ties", [ints([4, 9], 4, true)], (x) => o.argsort(x, 1, { descending: true })),
    sample("sort", [float([3, 7], "distinct")], (x) => o.sort(x, 0)),
    sample("the three largest", [float([3, 7], "distinct")], (x) => topK(x, 3, 1).values),
  ],
  lu: [
    sample("of a matrix", [float([4, 4])], (x) => o.lu(regular(x))),
    sample("of a batch, with exchanges", [float([2, 3, 3])], (x) => o.lu(o.flip(regular(x), [1]))),
    sample("of one number, and of none", [float([1, 1], "positive"), float([0, 0])], (x, none) =>
      o.concat([o.lu(x), o.pad(o.lu(none), { low: [0, 0], high: [1, 1], interior: [0, 0], value: 1 })], 0),
    ),
  ],
  cholesky: [
    sample("of a matrix", [float([4, 4])], (x) => o.cholesky(definite(x))),
    sample("of a batch", [float([2, 3, 3])], (x) => o.cholesky(definite(x))),
    sample("of what is not symmetric", [float([5, 5])], (x) => o.cholesky(o.add(x, o.mul(o.identityLike(x), o.scalarLike(x, 12))))),
  ],
  triangularSolve: [true, false].flatMap((upper) =>
    [true, false].flatMap((transpose) => {
      const title = `${upper ? "upper" : "lower"}${transpose ? ", transposed" : ""}`;
      return [
        sample(title, [float([4, 4]), float([4, 3])], (t, b) =>
          o.triangularSolve(regular(t), b, { upper, transpose, unit: false, label: "solve" }),
        ),
        sample(`${title}, of a batch, with a diagonal of 1`, [float([2, 3, 3]), float([2, 3, 5])], (t, b) =>
          o.triangularSolve(t, b, { upper, transpose, unit: true, label: "solve" }),
        ),
      ];
    }),
  ),
  custom: [
    // x², whose gradient is said to be 2x and is.
    sample("square", [float([5])], (x) => o.custom(o.mul(x, x), [x], (dy, _, z) => [o.mul(dy, o.add(z, z))])),
  ],
  constant: [sample("of numbers", [], () => o.constant(Float64Array.of(1, 2, 3), [3], "float64"))],
  argument: [sample("as it is", [float([3])], (x) => x)],
  variable: [sample("as it is", [float([3])], (x) => x)],
  iota: [
    sample("along the first axis", [], () => o.iota([3, 4], 0)),
    sample("along the last axis", [], () => o.iota([3, 4], 1, "float32")),
  ],
} satisfies Record<Exclude<OpName, Nested>, Sample[]>;

/** What only the interpreter computes. */
type Nested = "cond" | "loop" | "result" | "bound";
const sumOf = (x: Value): Value => o.sum(x, [...x.shape.keys()]);
const positive = (x: Value): Value => o.lt(o.scalarConstant(0, x.dtype), sumOf(x));

/** h ← tanh(x W + h), the states kept: a recurrent network. */
const recurrent = (x: Value, w: Value, h: Value, reverse = false): o.LoopResults =>
  o.loop(
    [h],
    [x],
    ([state], [input]) => {
      const next = o.tanh(o.add(o.einsum("i,ij->j", input!, w), state!));
      return { carry: [next], kept: [o.mul(next, next)] };
    },
    { length: x.shape[0]!, reverse },
  );
const power = (x: Value, length: number): Value => o.loop([x], [], ([y]) => ({ carry: [o.mul(y!, x)] }), { length }).final[0]!;

const nested: Record<Nested, Sample[]> = {
  cond: [
    sample(
      "on a sum",
      [float([3]), float([3])],
      (x, y) =>
        o.cond(
          positive(x),
          () => [o.mul(x, y)],
          () => [o.sin(o.add(x, y))],
        )[0]!,
    ),
    sample("inside a branch", [float([2]), float([2])], (x, y) => {
      const inner = (): Value[] =>
        o.cond(
          positive(y),
          () => [o.mul(x, y)],
          () => [o.mul(x, x)],
        );
      return o.cond(positive(x), inner, () => [y])[0]!;
    }),
    sample(
      "of which one branch is constant",
      [float([3])],
      (x) =>
        o.cond(
          positive(x),
          () => [o.square(x)],
          () => [o.zerosLike(x)],
        )[0]!,
    ),
  ],
  loop: [
    sample("that multiplies", [float([3])], (x) => power(x, 3)),
    sample("of one turn", [float([3])], (x) => power(x, 1)),
    sample("of no turn", [float([3])], (x) => power(x, 0)),
    sample("through time", [float([4, 2]), float([2, 3]), float([3])], (x, w, h) => recurrent(x, w, h).final[0]!),
    sample("backwards through time", [float([4, 2]), float([2, 3]), float([3])], (x, w, h) => recurrent(x, w, h, true).final[0]!),
    sample("with a branch in each turn", [float([4, 2]), float([2])], (x, h) => {
      const step = (state: Value, input: Value): Value =>
        o.cond(
          positive(input),
          () => [o.mul(state, input)],
          () => [o.add(state, o.sin(input))],
        )[0]!;
      return o.loop([h], [x], ([state], [input]) => ({ carry: [step(state!, input!)] }), { length: 4 }).final[0]!;
    }),
    sample("with a loop in each turn", [float([3, 2]), float([2])], (x, h) => {
      const inner = (state: Value, input: Value): Value =>
        o.loop([state], [], ([y]) => ({ carry: [o.tanh(o.mul(y!, input))] }), { length: 2 }).final[0]!;
      return o.loop([h], [x], ([state], [input]) => ({ carry: [o.add(inner(state!, input!), h)] }), { length: 3 }).final[0]!;
    }),
    sample("that carries integers too", [float([3, 2])], (x) => {
      const zero = o.scalarConstant(0, "int32");
      const turn = ([n, y]: readonly Value[], [input]: readonly Value[]): o.Turn => ({
        carry: [o.add(n!, o.onesLike(n!)), o.add(y!, o.mul(o.square(input!), o.broadcastTo(o.cast(n!, x.dtype), [2], [])))],
      });
      return o.loop([zero, o.filled(0, [2], x.dtype)], [x], turn, { length: 3 }).final[1]!;
    }),
  ],
  result: [
    sample("that a loop keeps", [float([4, 2]), float([2, 3]), float([3])], (x, w, h) => recurrent(x, w, h).kept[0]!),
    sample("that a loop keeps, and its final one", [float([4, 2]), float([2, 3]), float([3])], (x, w, h) => {
      const { final, kept } = recurrent(x, w, h, true);
      return o.mul(o.broadcastTo(sumOf(kept[0]!), [3], []), final[0]!);
    }),
  ],
  bound: [
    sample(
      "of a turn",
      [float([3, 2])],
      (x) => o.loop([], [x], (_, [input]) => ({ carry: [], kept: [o.square(input!)] }), { length: 3 }).kept[0]!,
    ),
  ],
};

/** Compositions that have no entry of their own, tested in the same way. */
export const compositions: Record<string, Sample[]> = {
  mean: reduced(o.mean),
  logSumExp: reduced(o.logSumExp),
  logAddExp: [sample("of three", [float([3, 5]), float([3, 5]), float([3, 5])], (a, b, c) => o.logAddExp([a, b, c]))],
  softmax: [sample("of rows", [float([3, 7])], (x) => o.softmax(x, 1)), sample("of columns", [float([3, 7])], (x) => o.softmax(x, 0))],
  logSoftmax: [
    sample("of rows", [float([3, 7])], (x) => o.logSoftmax(x, 1)),
    sample("of nothing", [float([3, 0])], (x) => o.logSoftmax(x, 1)),
  ],
  solve: [
    sample("of a matrix", [float([4, 4]), float([4, 2])], (a, b) => o.solve(regular(a), b)),
    sample("of a batch, with exchanges", [float([2, 3, 3]), float([2, 3, 1])], (a, b) => o.solve(o.flip(regular(a), [1]), b)),
    sample("of nothing", [float([2, 0, 0]), float([2, 0, 3])], (a, b) => o.solve(a, b)),
  ],
  inverse: [sample("of a batch, with exchanges", [float([2, 3, 3])], (a) => o.inverseOf(o.flip(regular(a), [2])))],
  det: [sample("of a batch, with exchanges", [float([2, 3, 3])], (a) => o.det(o.flip(regular(a), [1])))],
  logdet: [
    sample("of a batch", [float([2, 3, 3])], (a) => o.logdet(definite(a))),
    sample("of nothing", [float([2, 0, 0])], (a) => o.logdet(a)),
  ],
  oneHot: [sample("of three", [ints([2, 3], 3)], (i) => o.oneHot(i, 3, "float32"))],
  einsum: [
    sample("trace", [float([4, 4])], (x) => o.einsum("ii", x)),
    sample("diagonal", [float([3, 2, 3])], (x) => o.einsum("iji->ji", x)),
    sample("three operands", [float([2, 3]), float([3, 4]), float([4, 5])], (a, b, c) => o.einsum("ij,jk,kl->il", a, b, c)),
    sample("sums of single letters", [float([2, 3]), float([4, 3])], (a, b) => o.einsum("ij,kj->j", a, b)),
    sample("with dots", [float([2, 3, 4]), float([4, 5])], (a, b) => o.einsum("...i,ij->...j", a, b)),
  ],
  uniform: [sample("float32", [uints([]), uints([])], (key0, key1) => o.uniform({ key0: key0, key1: key1, site: 3 }, [5, 7]))],
  normal: [sample("float64", [uints([]), uints([])], (key0, key1) => o.normal({ key0: key0, key1: key1, site: 3 }, [17], "float64"))],
  permutation: [sample("of 17", [uints([]), uints([])], (key0, key1) => o.permutation({ key0: key0, key1: key1, site: 3 }, 17))],
};

/** All samples with what they are called. */
interface Listed {
  readonly op: string;
  readonly title: string;
  readonly sample: Sample;
}
const listed = (of: Record<string, readonly Sample[]>): Listed[] =>
  Object.entries(of).flatMap(([op, list]) => list.map((each) => ({ op, title: `${op} ${each.title}`, sample: each })));

export const allSamples: readonly Listed[] = listed({ ...samples, ...compositions, ...layerSamples });
export const nestedSamples: readonly Listed[] = listed(nested);

/** A sample's graph with "float" inputs of the dtype, and numbers for its inputs. */
export function realise(of: Sample, dtype: DType, seed = 1): { y: Value; xs: Value[]; inputs: Map<Value, Float64Array> } {
  const random = randomNumbers(seed);
  const xs = of.inputs.map((x, i) => o.argument(i, { shape: x.shape, dtype: x.dtype === "float" ? dtype : x.dtype }));
  const inputs = new Map(xs.map((x, i) => [x, drawNumbers(of.inputs[i]!, random)]));
  return { y: of.build(...xs), xs, inputs };
}

/** Whether a gradient can be asked for with respect to some input. */
export const differentiable = (y: Value, xs: readonly Value[]): Value[] => (isFloat(y.dtype) ? xs.filter((x) => isFloat(x.dtype)) : []);

function drawNumbers({ shape, domain }: SampleInput, random: () => number): Float64Array {
  const numbers = new Float64Array(sizeOf(shape)).map(() => drawOne(domain, random));
  if (domain !== "distinct") return numbers;
  const order = [...numbers.keys()].sort((i, j) => numbers[i]! - numbers[j]!);
  order.forEach((i, rank) => {
    numbers[i] = (rank - numbers.length / 2) / 4;
  });
  return numbers;
}

function drawOne(domain: Domain, random: () => number): number {
  const u = random();
  if (domain === "positive") return 0.3 + 2.2 * u;
  if (domain === "bits") return Math.floor(u * 2 ** 32);
  if (domain === "distinct") return u;
  if (domain === "any") {
    // Eight stretches of ½, each without its ends; exact in float32.
    const stretch = Math.floor(u * 8);
    return -2 + stretch / 2 + Math.round(32 + (u * 8 - stretch) * 192) / 512;
  }
  return domain.signed ? Math.floor(u * 2 * domain.below) - domain.below : Math.floor(u * domain.below);
}

/** The minimal standard generator (Park and Miller 1988), enough for test data. */
export function randomNumbers(seed: number): () => number {
  let state = (seed * 7919) % 2147483647 || 1;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}
