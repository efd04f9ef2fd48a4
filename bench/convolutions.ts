/**
 * Speed of the products of convolutions: `npx tsx bench/convolutions.ts [filter] [threads] [wasm|native]`. Prints GFLOP/s of the fastest run
 * for each layer, forward, for the gradient of its input (where the stride is 1) and for that of its weights; terms in the border count.
 */
import { Heap } from "../src/runtime/heap.ts";
import { openNative } from "../src/runtime/native.ts";
import type { Runner } from "../src/runtime/runner.ts";
import { WasmRunner } from "../src/runtime/wasm-runner.ts";
import { loadKernel } from "../test/kernel/product-harness.ts";
import { outputSize, type Windowed, windowed } from "../test/kernel/windowed-products.ts";

interface Layer {
  readonly name: string;
  readonly images: number;
  readonly channels: number;
  readonly size: number;
  readonly outputs: number;
  readonly window: number;
  readonly stride: number;
  readonly pad: number;
}

const layer = (name: string, ...[images, channels, size, outputs, window, stride, pad]: [number, number, number, number, number, number, number]): Layer => ({
  name, images, channels, size, outputs, window, stride, pad,
}); // biome-ignore format: one object

const LAYERS: readonly Layer[] = [
  layer("lenet1", 64, 1, 28, 32, 5, 1, 0), layer("lenet2", 64, 32, 12, 64, 5, 1, 0),
  layer("alex1", 16, 3, 224, 64, 11, 4, 2), layer("alex2", 16, 64, 27, 192, 5, 1, 2), layer("alex3", 16, 192, 13, 384, 3, 1, 1),
  layer("alex4", 16, 384, 13, 256, 3, 1, 1), layer("alex5", 16, 256, 13, 256, 3, 1, 1),
  layer("vgg64-56", 8, 64, 56, 64, 3, 1, 1), layer("vgg128-28", 8, 128, 28, 128, 3, 1, 1), layer("res32-32", 32, 32, 32, 32, 3, 1, 1),
  layer("pw256", 16, 256, 14, 256, 1, 1, 0),
  layer("alex2 b1", 1, 64, 27, 192, 5, 1, 2), layer("alex3 b1", 1, 192, 13, 384, 3, 1, 1),
  layer("odd 7x33x17", 7, 33, 13, 17, 3, 1, 1), layer("odd 16x33x65", 16, 33, 13, 65, 3, 1, 1), layer("out 10", 64, 64, 8, 10, 3, 1, 1),
]; // biome-ignore format: a table

const random = (size: number): number[] => Array.from({ length: size }, (_, i) => ((i * 7919) % 1000) / 1000 - 0.5);

function kernels(l: Layer): [string, Windowed, number][] {
  const axis = { size: l.size, window: l.window, stride: l.stride, dilation: 1, pad: l.pad };
  const out = outputSize(axis);
  const flops = 2 * l.images * l.outputs * l.channels * l.window ** 2 * out ** 2;
  const base = { images: l.images, last: true, fill: random };
  const rows = l.images >= 8 ? "image" : "pixel";
  const forward: Windowed = { ...base, channels: l.channels, outputs: l.outputs, space: [axis, axis], of: "forward", rows };
  const back = { size: out, window: l.window, stride: 1, dilation: 1, pad: l.window - 1 - l.pad };
  const input: Windowed = { ...base, channels: l.outputs, outputs: l.channels, space: [back, back], of: "forward", rows, flipped: true };
  const weights: Windowed = { ...forward, of: "weights", rows: "channel" };
  return [
    ["fwd", forward, flops],
    ...(l.stride === 1 && l.channels > 3 ? [["dX", input, flops] as [string, Windowed, number]] : []),
    ["dW", weights, flops],
  ];
}

function gflops(device: Runner, options: Windowed, flops: number): number {
  const made = windowed(options)!;
  const loaded = loadKernel(device, made.kernel, made.contents);
  // On one thread the processor's time is counted, so that other programs do not matter.
  const clock = (): number => (device.threads === 1 ? (process.cpuUsage().user + process.cpuUsage().system) / 1000 : performance.now());
  let best = Number.POSITIVE_INFINITY;
  const end = performance.now() + 500;
  for (let i = 0; i < 3 || performance.now() < end; i++) {
    const start = clock();
    loaded.run();
    best = Math.min(best, clock() - start);
  }
  loaded.dispose();
  return flops / best / 1e6;
}

const [filter = "", threads = "1", only = ""] = process.argv.slice(2);
const devices: Runner[] = [];
if (only !== "native") devices.push(new WasmRunner({ heap: new Heap(), threads: Number(threads) }));
if (only !== "wasm") {
  const opened = openNative(new Heap(), Number(threads));
  if ("runner" in opened) devices.push(opened.runner);
}
for (const l of LAYERS) {
  if (!l.name.includes(filter)) continue;
  const speeds = devices.map((d) => [d.name, ...kernels(l).map(([what, options, flops]) => `${what} ${gflops(d, options, flops).toFixed(1).padStart(6)}`)].join(" ")); // biome-ignore format: one line
  console.log(l.name.padEnd(14), speeds.join("   "));
}
for (const d of devices) d.close();
