/**
 * Random convolutional networks, trained: layers of all kinds behind one another, residuals around them, a loss, all gradients and an update.
 * What one layer does right alone meets here layouts, joined kernels and shared memory that others have chosen.
 */
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { sizeOf } from "../../src/core/shape.ts";
import type { Value } from "../../src/graph/op.ts";
import { evaluate } from "../../src/interpret/evaluate.ts";
import * as o from "../../src/ops/index.ts";
import { nativeAvailable } from "../../src/runtime/native-compiler.ts";
import { NativeRunner } from "../../src/runtime/native-runner.ts";
import { WasmRunner } from "../../src/runtime/wasm-runner.ts";
import { avgPool, batchNorm, convolution, groupNorm, localResponseNorm, maxPool, transposedConvolution } from "../../src/surface/index.ts";
import { gradients } from "../../src/transform/gradients.ts";
import { wave } from "./against.ts";
import { type GraphRunner, runGraph } from "./run.ts";

interface Layer {
  readonly kind: number;
  readonly out: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
  readonly dilation: number;
}

interface Network {
  readonly images: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly layers: readonly Layer[];
  readonly dense: boolean;
}

/** Parameters are asked for by shape, as layers need them. */
type Ask = (...shape: number[]) => Value;

const span = ({ kernel, dilation, padding }: Layer): number => dilation * (kernel - 1) + 1 - 2 * padding;
const smallest = (x: Value): number => Math.min(...x.shape.slice(2));

/** What becomes of x; null where the layer does not fit it. */
const KINDS: readonly ((x: Value, layer: Layer, ask: Ask) => Value | null)[] = [
  (x, layer, ask) => conv(x, layer, 1, ask),
  (x, layer, ask) => conv(x, layer, 1, ask),
  (x, layer, ask) => conv(x, layer, x.shape[1]!, ask),
  (x, layer, ask) => (x.shape[1]! % 2 === 0 && layer.out % 2 === 0 ? conv(x, layer, 2, ask) : null),
  (x, layer, ask) => {
    const [c, k] = [x.shape[1]!, layer.kernel];
    if (smallest(x) > 6 || (smallest(x) - 1) * layer.stride - 2 * layer.padding + layer.dilation * (k - 1) < 1) return null;
    const call = { who: "test", axes: 2, x, weight: ask(c, layer.out, k, k) };
    return transposedConvolution(call, { stride: layer.stride, padding: layer.padding, dilation: layer.dilation });
  },
  (x, layer) => pool(x, layer, maxPool),
  (x, layer) => pool(x, layer, avgPool),
  (x, _, ask) => (x.shape[0]! * x.shape[2]! * x.shape[3]! < 4 ? null : batchNorm(x, { weight: ask(x.shape[1]!), bias: ask(x.shape[1]!) })),
  (x, _, ask) => (x.shape[2]! * x.shape[3]! < 4 ? null : groupNorm(x, x.shape[1]! % 2 === 0 ? 2 : 1, { weight: ask(x.shape[1]!) })),
  (x) => localResponseNorm(x, 3, { alpha: 0.5 }),
  (x) => o.relu(x),
  (x) => o.tanh(x),
  (x, layer, ask) => {
    const same = { ...layer, out: x.shape[1]!, kernel: 3, padding: 1, stride: 1, dilation: 1 };
    return o.add(x, conv(o.relu(conv(x, same, 1, ask)!), same, 1, ask)!);
  },
];

function conv(x: Value, layer: Layer, groups: number, ask: Ask): Value | null {
  if (smallest(x) < span(layer)) return null;
  const [channels, k] = [x.shape[1]!, layer.kernel];
  const out = groups === channels ? channels : layer.out;
  const call = { who: "test", axes: 2, x, weight: ask(out, channels / groups, k, k), bias: ask(out) };
  return convolution(call, { stride: layer.stride, padding: layer.padding, dilation: layer.dilation, groups });
}

function pool(x: Value, layer: Layer, of: typeof maxPool | typeof avgPool): Value | null {
  const padding = Math.min(layer.padding, layer.kernel >> 1);
  if (smallest(x) < span({ ...layer, dilation: 1, padding })) return null;
  return of(x, { who: "test", axes: 2, kernelSize: layer.kernel, options: { stride: layer.stride, padding } } as never);
}

/** The loss, its gradients in the images and in all parameters, and updated parameters; and what they are computed from. */
function trained(net: Network): { outputs: Value[]; args: Value[] } {
  const args = [o.argument(0, { shape: [net.images, net.channels, net.height, net.width], dtype: "float64" })];
  const ask: Ask = (...shape) => {
    args.push(o.argument(args.length, { shape, dtype: "float64" }));
    return args.at(-1)!;
  };
  let x = args[0]!;
  for (const layer of net.layers) {
    const next = KINDS[layer.kind]!(x, layer, ask);
    // An image of many pixels takes the interpreter long.
    if (next && sizeOf(next.shape) < 30_000) x = next;
  }
  const features = sizeOf(x.shape) / net.images;
  if (net.dense && features < 500) x = o.matmul(o.reshape(x, [net.images, features]), ask(features, 5));
  const squares = o.mul(x, o.tanh(x));
  const loss = o.sum(squares, squares.shape.map((_, d) => d)); // biome-ignore format: one call
  const used = gradients(loss, args).map((g, i) => g ?? o.filled(0, args[i]!.shape, "float64"));
  const updates = used.slice(1).map((g, i) => o.sub(args[i + 1]!, o.mul(g, o.scalarLike(g, 0.01))));
  return { outputs: [loss, x, ...used, ...updates], args };
}

const layer = fc.record({
  kind: fc.nat(KINDS.length - 1),
  out: fc.constantFrom(1, 2, 3, 4, 6, 10, 16),
  kernel: fc.integer({ min: 1, max: 4 }),
  stride: fc.constantFrom(1, 1, 2, 3),
  padding: fc.constantFrom(0, 1, 1, 2),
  dilation: fc.constantFrom(1, 1, 2),
});
const network = fc.record({
  images: fc.constantFrom(1, 2, 7, 8, 9),
  channels: fc.constantFrom(1, 2, 3, 4),
  height: fc.integer({ min: 3, max: 11 }),
  width: fc.integer({ min: 3, max: 11 }),
  layers: fc.array(layer, { minLength: 1, maxLength: 6 }),
  dense: fc.boolean(),
});

/** Numbers small enough that products of many layers stay so. */
const numbers = (v: Value, seed: number): Float64Array => {
  const fan = seed === 0 ? 1 : Math.sqrt(Math.max(1, sizeOf(v.shape.slice(1))));
  return wave(sizeOf(v.shape), seed).map((n) => (seed > 0 && v.shape.length === 1 ? 1 + n / 4 : n / fan));
};

function difference(device: GraphRunner, net: Network, threads: "one" | "all"): string | undefined {
  const { outputs, args } = trained(net);
  const data = args.map(numbers);
  const wanted = evaluate(outputs, new Map(args.map((a, i) => [a, data[i]!])));
  const got = runGraph(device, outputs, data, { threads });
  for (const [k, expected] of wanted.entries()) {
    const scale = Math.max(1, ...Array.from(expected as ArrayLike<number>, Math.abs));
    const off = got[k]!.findIndex((g, i) => !(Math.abs(g - expected[i]!) <= 1e-9 * scale));
    if (off >= 0 || got[k]!.length !== expected.length)
      return `output ${k} of ${wanted.length}, element ${off}: ${got[k]![off]}, not ${expected[off]}`;
  }
  return undefined;
}

const native = nativeAvailable();
const wasm = new WasmRunner({ threads: 2 });
afterAll(() => wasm.close());
const RUNS = Number(process.env.NETWORKS ?? 60);

describe("Random convolutional networks, their gradients and updates are the interpreter's", () => {
  test.for(["one", "all"] as const)("on WebAssembly, %s of two threads", { tags: ["slow"] }, (threads) => {
    fc.assert(
      fc.property(network, (net) => {
        expect(difference(wasm, net, threads)).toBeUndefined();
      }),
      { numRuns: RUNS, seed: Number(process.env.SEED ?? (threads === "one" ? 1 : 2)) },
    );
  });
  test.skipIf(!native.available)("in native code", { tags: ["slow"] }, () => {
    const device = new NativeRunner({ threads: 2 });
    fc.assert(
      fc.property(network, (net) => {
        expect(difference(device, net, "all")).toBeUndefined();
      }),
      { numRuns: Math.ceil(RUNS / 6), seed: Number(process.env.SEED ?? 3) },
    );
    device.close();
  });
});
