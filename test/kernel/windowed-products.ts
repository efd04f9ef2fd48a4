/** Products as convolutions need them: sums over several axes, clipped where a window leaves its image. */
import type { Clip, Operand, Product, Store } from "../../src/kernel/kernel.ts";
import type { Contents } from "./product-harness.ts";

/** One spatial axis of a convolution; `pad` may be negative, and as long as the window or longer. */
export interface Axis {
  readonly size: number;
  readonly window: number;
  readonly stride: number;
  readonly dilation: number;
  readonly pad: number;
}

export interface Windowed {
  readonly images: number;
  readonly channels: number;
  readonly outputs: number;
  readonly space: readonly Axis[];
  /** The image summed with the weights, or with the gradient of what came of it. */
  readonly of: "forward" | "weights";
  /** What m is: images, the last axis of the output, channels, or the last axis of the window. */
  readonly rows: "image" | "pixel" | "channel" | "tap";
  /** Whether channels are last in memory, in the image and in the result. */
  readonly last: boolean;
  /** The last axis of the window and channels as one axis of the sum, where they are one in memory. */
  readonly merged?: boolean;
  /** Weights read backwards. */
  readonly flipped?: boolean;
  /** Every clip twice. */
  readonly twice?: boolean;
  /** A and B in each other's place. */
  readonly swapped?: boolean;
  readonly dtype?: "float32" | "float64";
  readonly stores?: (to: Store["to"]) => readonly Store[];
  readonly fill?: (size: number, seed: number) => number[];
}

export const outputSize = ({ size, window, stride, dilation, pad }: Axis): number =>
  Math.floor((size + 2 * pad - dilation * (window - 1) - 1) / stride) + 1;

/** Elements around the image, none of which may be read. */
const AROUND = 4096;

interface Moving {
  readonly name: string;
  readonly size: number;
  /** Steps in the image, in what it is multiplied with, and in the result. */
  readonly x: number;
  readonly w: number;
  readonly y: number;
  readonly clip?: { readonly axis: number; readonly step: number };
}

export const whole = (size: number, seed: number): number[] =>
  Array.from({ length: size }, (_, i) => ((i * 7 + seed * 13 + (i >> 3)) % 9) - 4);

/** Buffers: the image (with NaN all around it), weights or gradient, result. Undefined where nothing comes out. */
export function windowed(options: Windowed): { kernel: Product; contents: Contents[]; image: number } | undefined {
  const { images, channels, outputs, space, of, last, dtype = "float32", fill = whole } = options;
  const out = space.map(outputSize);
  if (out.some((n) => n <= 0)) return undefined;
  const size = (list: readonly number[]): number => list.reduce((a, b) => a * b, 1);
  const steps = (count: number, sizes: readonly number[]): { image: number; channel: number; space: number[] } => ({
    image: count * size(sizes),
    channel: last ? 1 : size(sizes),
    space: sizes.map((_, d) => size(sizes.slice(d + 1)) * (last ? count : 1)),
  });
  const sizes = space.map((a) => a.size);
  const windows = space.map((a) => a.window);
  const [x, y] = [steps(channels, sizes), steps(outputs, out)];
  const tap = windows.map((_, d) => size(windows.slice(d + 1)));
  const flip = options.flipped ? -1 : 1;
  const forward = of === "forward";
  // The gradient of weights: y is what the image is multiplied with, and weights are the result.
  const place = (result: number, weight: number): { w: number; y: number } =>
    forward ? { w: weight, y: result } : { w: result, y: weight };
  const axes: Moving[] = [
    { name: "image", size: images, x: x.image, ...place(y.image, 0) },
    { name: "output", size: outputs, x: 0, ...place(y.channel, channels * size(windows)) },
    ...space.map(({ stride }, d): Moving => ({
      name: d === space.length - 1 ? "pixel" : `pixel${d}`, size: out[d]!, x: x.space[d]! * stride, ...place(y.space[d]!, 0), clip: { axis: d, step: stride },
    })),
    ...space.map(({ dilation }, d): Moving => ({
      name: d === space.length - 1 ? "tap" : `tap${d}`, size: windows[d]!, x: x.space[d]! * dilation, ...place(0, tap[d]! * (forward ? flip : 1)), clip: { axis: d, step: dilation },
    })),
    { name: "channel", size: channels, x: x.channel, ...place(0, size(windows)) },
  ]; // biome-ignore format: a table
  const summed = axes.filter((a) => (forward ? a.y === 0 && a.x !== 0 : a.y === 0 || a.name === "image" || a.name.startsWith("pixel")));
  const free = axes.filter((a) => !summed.includes(a));
  const m = free.find((a) => a.name === options.rows) ?? free.find((a) => a.name !== "output")!;
  const n = free.find((a) => a.name === "output")!;
  const batch = free.filter((a) => a !== m && a !== n);
  const order = [...batch, m, n];
  const clips: Clip[] = space.map(({ size: bound, pad }, d) => {
    const k = summed.findIndex((a) => a.clip?.axis === d);
    return {
      k,
      run: 1,
      step: summed[k]!.clip!.step,
      strides: order.map((a) => (a.clip?.axis === d ? a.clip.step : 0)),
      offset: -pad,
      bound,
    };
  });
  let k = summed.map((a) => a.size);
  const depth = { x: summed.map((a) => a.x), w: summed.map((a) => a.w) };
  if (options.merged && forward && last && space.at(-1)!.dilation === 1) {
    // In PyTorch's order of weights the two are not one; here they are: [outputs, …window, channels].
    const inner = k.length - 1;
    k = [...k.slice(0, inner - 1), k[inner - 1]! * channels];
    depth.x = [...depth.x.slice(0, inner - 1), 1];
    depth.w = [...depth.w.slice(0, inner - 1).map((s) => s * channels), flip];
    clips[space.length - 1] = { ...clips[space.length - 1]!, run: channels };
  }
  // What is said twice changes nothing.
  if (options.twice) clips.push(...clips);
  const offset = -space.reduce((sum, { pad }, d) => sum + pad * x.space[d]!, 0);
  const weights = outputs * channels * size(windows);
  const image: Operand = { buffer: 0, offset: AROUND + offset, batchStrides: batch.map((a) => a.x), rowStride: m.x, depthStrides: depth.x };
  const other: Operand = {
    buffer: 1, offset: forward && flip < 0 ? lastOf(k, depth.w) : 0, batchStrides: batch.map((a) => a.w), rowStride: n.w, depthStrides: depth.w,
  }; // biome-ignore format: one object
  const to = { buffer: 2, offset: 0, strides: order.map((a) => a.y) };
  const stores = options.stores?.(to) ?? [{ to, value: { op: "accumulator", dtype } }];
  const plain: Product = {
    kind: "product",
    dtype,
    batch: batch.map((a) => a.size),
    m: m.size,
    n: n.size,
    k,
    a: image,
    b: other,
    clips,
    stores,
  };
  const count = images * channels * size(sizes);
  const around = new Array<number>(AROUND).fill(Number.NaN);
  return {
    kernel: options.swapped ? swap(plain) : plain,
    image: count,
    contents: [
      { dtype, data: [...around, ...fill(count, 1), ...around], elements: 0 },
      { dtype, data: fill(forward ? weights : images * outputs * size(out), 2) },
      { dtype, data: fill(forward ? images * outputs * size(out) : weights, 3) },
    ],
  };
}

const lastOf = (sizes: readonly number[], strides: readonly number[]): number =>
  -sizes.reduce((sum, size, d) => sum + Math.min(0, strides[d]!) * (size - 1), 0);

function swap(p: Product): Product {
  const turn = (s: readonly number[]): number[] => [...s.slice(0, -2), s.at(-1)!, s.at(-2)!];
  return {
    ...p, m: p.n, n: p.m, a: p.b, b: p.a,
    clips: p.clips.map((c) => ({ ...c, strides: turn(c.strides) })),
    stores: p.stores.map((s) => ({ ...s, to: { ...s.to, strides: turn(s.to.strides) } })),
  }; // biome-ignore format: one object
}
