/**
 * Random networks of convolutions along one to three axes among everything that asks for another layout: permutes, concatenations, slices, flips,
 * sorts, running sums, norms over any axis; values of the middle are outputs too, and gradients are differentiated again.
 */
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import type { DType } from "../../src/core/dtype.ts";
import { sizeOf } from "../../src/core/shape.ts";
import type { Value } from "../../src/graph/op.ts";
import * as o from "../../src/ops/index.ts";
import { nativeAvailable } from "../../src/runtime/native-compiler.ts";
import { NativeRunner } from "../../src/runtime/native-runner.ts";
import { WasmRunner } from "../../src/runtime/wasm-runner.ts";
import {
  avgPool,
  batchNorm,
  convolution,
  gather,
  groupNorm,
  instanceNorm,
  layerNorm,
  localResponseNorm,
  maxPool,
  transposedConvolution,
} from "../../src/surface/index.ts";
import { gradients } from "../../src/transform/gradients.ts";
import { difference, type Inputs, reference, stored } from "../targets/harness.ts";
import { wave } from "./against.ts";
import { type GraphRunner, runGraph } from "./run.ts";

interface Layer {
  readonly kind: number;
  readonly out: number;
  readonly kernel: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly (readonly [number, number])[];
  readonly dilation: readonly number[];
  /** Chooses an axis, groups, ways to be. */
  readonly choice: number;
  /** Whether what the layer makes is an output. */
  readonly kept: boolean;
}

interface Network {
  readonly dtype: "float32" | "float64";
  readonly images: number;
  readonly channels: number;
  readonly space: readonly number[];
  readonly layers: readonly Layer[];
  readonly order: 1 | 2;
}

/** Parameters are asked for by shape, as layers need them. */
type Ask = (...shape: number[]) => Value;

const axesOf = (x: Value): number => x.shape.length - 2;
const channelsOf = (x: Value): number => x.shape[1]!;
const pick = <T>(list: readonly T[], { choice }: Layer): T => list[choice % list.length]!;
/** Any axis but that of the images. */
const axisOf = (x: Value, { choice }: Layer): number => 1 + (choice % (x.shape.length - 1));
const firstOf = <T>(x: Value, list: readonly T[]): T[] => list.slice(0, axesOf(x));
const spanAlong = ({ kernel, dilation }: Layer, i: number): number => dilation[i]! * (kernel[i]! - 1) + 1;
const fitsWindows = (x: Value, layer: Layer): boolean =>
  x.shape.slice(2).every((size, i) => size + layer.padding[i]![0] + layer.padding[i]![1] >= spanAlong(layer, i));

function sliding(
  x: Value,
  { stride, padding, dilation }: Layer,
): { stride: number[]; padding: (readonly [number, number])[]; dilation: number[] } {
  return { stride: firstOf(x, stride), padding: firstOf(x, padding), dilation: firstOf(x, dilation) };
}

function conv(x: Value, layer: Layer, ask: Ask, groups = 1, out = layer.out): Value | null {
  if (!fitsWindows(x, layer)) return null;
  const weight = ask(out, channelsOf(x) / groups, ...firstOf(x, layer.kernel));
  return convolution({ who: "test", axes: axesOf(x), x, weight, bias: ask(out) }, { ...sliding(x, layer), groups });
}

function transposed(x: Value, layer: Layer, ask: Ask): Value | null {
  const outputPadding = firstOf(x, layer.stride).map((s, i) => layer.choice % Math.max(s, layer.dilation[i]!));
  const sizes = x.shape
    .slice(2)
    .map((n, i) => (n - 1) * layer.stride[i]! + spanAlong(layer, i) - layer.padding[i]![0] - layer.padding[i]![1] + outputPadding[i]!);
  if (sizes.some((n) => n < 1 || n > 16)) return null;
  const weight = ask(channelsOf(x), layer.out, ...firstOf(x, layer.kernel));
  return transposedConvolution({ who: "test", axes: axesOf(x), x, weight, bias: ask(layer.out) }, { ...sliding(x, layer), outputPadding });
}

function pool(x: Value, layer: Layer, of: typeof maxPool | typeof avgPool): Value | null {
  const padding = firstOf(x, layer.padding).map(([p], i) => Math.max(0, Math.min(p, layer.kernel[i]! >> 1)));
  if (x.shape.slice(2).some((n, i) => n + 2 * padding[i]! < layer.kernel[i]!)) return null;
  const options = { stride: firstOf(x, layer.stride), padding, ceilMode: layer.choice % 2 === 1 };
  const more = of === avgPool ? { countIncludePad: layer.choice % 3 === 0 } : {};
  return of(x, { who: "test", axes: axesOf(x), kernelSize: firstOf(x, layer.kernel), options: { ...options, ...more } } as never);
}

const same = (x: Value, layer: Layer): Layer => ({
  ...layer,
  kernel: [3, 3, 3],
  stride: [1, 1, 1],
  dilation: [1, 1, 1],
  padding: [[1, 1], [1, 1], [1, 1]], // biome-ignore format: one row
  out: channelsOf(x),
});
const swapped = (x: Value, i: number, j: number): Value => {
  const order = x.shape.map((_, d) => (d === i ? j : d === j ? i : d));
  return o.transpose(x, order);
};
/** What depends on which number is the largest is not asked of float32: numbers that are nearly equal change places there. */
const exact = (x: Value): boolean => x.dtype === "float64";

/** What becomes of x; null where the layer does not fit it. */
const KINDS: Readonly<Record<string, (x: Value, layer: Layer, ask: Ask) => Value | null>> = {
  conv: (x, layer, ask) => conv(x, layer, ask),
  anotherConv: (x, layer, ask) => conv(x, layer, ask),
  depthwise: (x, layer, ask) => conv(x, layer, ask, channelsOf(x), channelsOf(x) * (1 + (layer.choice % 3))),
  grouped: (x, layer, ask) => (channelsOf(x) % 2 === 0 && layer.out % 2 === 0 ? conv(x, layer, ask, 2) : null),
  winograd: (x, layer, ask) => (axesOf(x) === 2 ? conv(x, { ...same(x, layer), out: 32 + (layer.choice % 3) }, ask) : null),
  transposed,
  max: (x, layer) => (exact(x) ? pool(x, layer, maxPool) : null),
  mean: (x, layer) => pool(x, layer, avgPool),
  batch: (x, _, ask) =>
    sizeOf(x.shape) / channelsOf(x) < 4 ? null : batchNorm(x, { weight: ask(channelsOf(x)), bias: ask(channelsOf(x)) }),
  group: (x, _, ask) =>
    sizeOf(x.shape.slice(2)) < 4 ? null : groupNorm(x, channelsOf(x) % 2 === 0 ? 2 : 1, { weight: ask(channelsOf(x)) }),
  instance: (x) => (sizeOf(x.shape.slice(2)) < 4 ? null : instanceNorm(x)),
  layer: (x, layer, ask) => {
    const shape = x.shape.slice(-1 - (layer.choice % (x.shape.length - 1)));
    return sizeOf(shape) < 4 ? null : layerNorm(x, shape, { weight: ask(...shape) });
  },
  response: (x) => localResponseNorm(x, 3, { alpha: 0.5 }),
  relu: (x) => (exact(x) ? o.relu(x) : o.tanh(x)),
  tanh: (x) => o.tanh(x),
  residual: (x, layer, ask) => o.add(x, conv(o.tanh(conv(x, same(x, layer), ask)!), same(x, layer), ask)!),
  /** Two readers, of which one wants the channels last. */
  branches: (x, layer, ask) => {
    const [a, b] = [
      conv(x, same(x, layer), ask)!,
      pick([o.softmax(x, 1), o.cumsum(x, axisOf(x, layer)), swapped(swapped(x, 1, 2), 1, 2)], layer),
    ];
    return o.concat([a, b, o.sliceAxis(x, 1, 0, 1)], 1);
  },
  permuted: (x, layer) => swapped(x, 1, axisOf(x, layer)),
  turned: (x) => o.transpose(x, [0, ...x.shape.slice(1).map((_, i) => (i === axesOf(x) ? 1 : i + 2))]),
  merged: (x) => {
    const [n, c, h, ...rest] = x.shape as [number, number, number];
    return h % 2 === 0 ? o.reshape(x, [n, c * 2, h / 2, ...rest]) : c % 2 === 0 ? o.reshape(x, [n, c / 2, h * 2, ...rest]) : null;
  },
  concat: (x, layer) => o.concat([x, o.flip(x, [axisOf(x, layer)])], axisOf(x, layer)),
  flip: (x, layer) => o.flip(x, layer.choice % 2 === 0 ? [1] : [axisOf(x, layer), 0]),
  slice: (x, layer) => {
    const axis = axisOf(x, layer);
    const size = x.shape[axis]!;
    return size < 3 ? null : pick([o.sliceAxis(x, axis, 1, (size - 1) >> 1, 2), o.sliceAxis(x, axis, 1, size - 2)], layer);
  },
  running: (x, layer) => o.cumsum(x, axisOf(x, layer)),
  softmax: (x, layer) => o.softmax(x, axisOf(x, layer)),
  sort: (x, layer) => (exact(x) ? o.sort(x, axisOf(x, layer)) : null),
  gather: (x, layer) => {
    const axis = axisOf(x, layer);
    const places = o.iota([4], 0);
    const leaps = o.mul(places, o.scalarLike(places, layer.choice));
    return gather(x, o.mod(leaps, o.scalarLike(leaps, x.shape[axis]!)), axis);
  },
  pad: (x, layer) => {
    const axis = axisOf(x, layer);
    const widths = (n: number): number[] => x.shape.map((_, d) => (d === axis ? n : 0));
    return o.pad(x, { low: widths(1), high: widths(layer.choice % 3), interior: widths(layer.choice % 2), value: 0.5 });
  },
  leaps: (x, layer) => {
    const axis = axisOf(x, layer);
    return o.mul(x, o.broadcastTo(o.mean(x, [axis]), x.shape, x.shape.map((_, d) => d).filter((d) => d !== axis))); // biome-ignore format: one call
  },
};

/** The loss, what is kept of the middle, the gradients of all parameters, and those of their sum of products with numbers. */
function traced(net: Network): { outputs: Value[]; args: Value[] } {
  const args: Value[] = [];
  const ask: Ask = (...shape) => {
    args.push(o.argument(args.length, { shape, dtype: net.dtype }));
    return args.at(-1)!;
  };
  const kept: Value[] = [];
  let x = ask(net.images, net.channels, ...net.space);
  for (const layer of net.layers) {
    const asked = args.length;
    const next = Object.values(KINDS)[layer.kind]!(x, layer, ask);
    // An image of many pixels takes the interpreter long.
    if (!next || sizeOf(next.shape) > 12_000 || sizeOf(next.shape) === 0 || next.shape[1]! > 70) {
      args.length = asked;
      continue;
    }
    x = next;
    if (layer.kept) kept.push(x);
  }
  const all = x.shape.map((_, d) => d);
  const loss = o.sum(o.mul(x, o.tanh(x)), all);
  const first = slopes(loss, args);
  const second =
    net.order === 1
      ? []
      : slopes(
          first.map((g) => o.sum(o.mul(g, o.tanh(g)), g.shape.map((_, d) => d))).reduce((a, b) => o.add(a, b)), // biome-ignore format: one call
          args,
        );
  return { outputs: [loss, x, ...kept, ...first, ...second], args };
}

const slopes = (loss: Value, args: readonly Value[]): Value[] =>
  gradients(loss, [...args]).map((g, i) => g ?? o.filled(0, args[i]!.shape, args[i]!.dtype));

const three = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(of, { minLength: 3, maxLength: 3 });
const layer = fc.record({
  kind: fc.nat(Object.keys(KINDS).length - 1),
  out: fc.constantFrom(1, 2, 3, 4, 6, 16, 30, 32),
  kernel: three(fc.integer({ min: 1, max: 4 })),
  stride: three(fc.constantFrom(1, 1, 2, 3)),
  padding: three(fc.tuple(fc.integer({ min: -1, max: 2 }), fc.integer({ min: -1, max: 2 }))),
  dilation: three(fc.constantFrom(1, 1, 2)),
  choice: fc.nat(11),
  kept: fc.boolean(),
});
const network: fc.Arbitrary<Network> = fc
  .record({
    dtype: fc.constantFrom("float64" as const, "float32" as const),
    images: fc.constantFrom(1, 2, 7, 8, 9),
    channels: fc.constantFrom(1, 2, 3, 4, 30, 32),
    space: fc.array(fc.integer({ min: 1, max: 11 }), { minLength: 1, maxLength: 3 }),
    layers: fc.array(layer, { minLength: 1, maxLength: 6 }),
    order: fc.constantFrom(1 as const, 1 as const, 2 as const),
  })
  .filter(({ images, channels, space }) => images * channels * sizeOf(space) < 6000);

/** Numbers small enough that products of many layers stay so; all of them different, so that none is the largest beside another. */
function numbers(v: Value, seed: number): Float64Array {
  const fan = seed === 0 ? 1 : Math.sqrt(Math.max(1, sizeOf(v.shape.slice(1))));
  return wave(sizeOf(v.shape), seed).map((n) => (seed > 0 && v.shape.length === 1 ? 1 + n / 4 : n / fan));
}

function fault(device: GraphRunner, net: Network): string | undefined {
  const { outputs, args } = traced(net);
  const inputs: Inputs = stored(new Map(args.map((a, i) => [a, numbers(a, i)])));
  const data = args.map((a) => inputs.get(a)!);
  // A gradient that is 0 but for rounding is as large as what numbers near 1 lose.
  const least = net.dtype === "float32" ? 2 ** -18 : 2 ** -40;
  const wanted = reference(outputs, inputs, 64).map(({ numbers, allowed }) => ({ numbers, allowed: Math.max(allowed, least) }));
  const [one, all] = (["one", "all"] as const).map((threads) => runGraph(device, outputs, data, { threads })) as [number[][], number[][]];
  for (const [k, right] of wanted.entries()) {
    const off = difference(one[k]!, right);
    if (off) return `output ${k} of ${wanted.length}: ${off}`;
    const other = one[k]!.findIndex((n, i) => !Object.is(n, all[k]![i]!));
    if (other >= 0) return `output ${k}, element ${other}: ${all[k]![other]} on two threads, ${one[k]![other]} on one`;
  }
  return undefined;
}

const native = nativeAvailable();
const RUNS = Number(process.env.NETWORKS ?? 30);
const DTYPES: readonly DType[] = ["float32", "float64"];

describe("Random networks of one to three axes, their derivatives to second order, are the interpreter's and the same on one thread and two", () => {
  const wasm = new WasmRunner({ threads: 2 });
  afterAll(() => wasm.close());
  test.for(DTYPES)("in %s on WebAssembly", { tags: ["slow"] }, (dtype) => {
    fc.assert(
      fc.property(network, (net) => {
        expect(fault(wasm, { ...net, dtype } as Network)).toBeUndefined();
      }),
      { numRuns: RUNS, seed: Number(process.env.SEED ?? 1) },
    );
  });
  test.skipIf(!native.available)("in native code", { tags: ["slow"] }, () => {
    const device = new NativeRunner({ threads: 2 });
    fc.assert(
      fc.property(network, (net) => {
        expect(fault(device, net)).toBeUndefined();
      }),
      { numRuns: Math.ceil(RUNS / 6), seed: Number(process.env.SEED ?? 3) },
    );
    device.close();
  });
});
