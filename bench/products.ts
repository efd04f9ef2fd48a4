/**
 * Speed of products: `npx tsx bench/products.ts [filter] [threads] [wasm|native]`. Prints GFLOP/s of the fastest run, for each shape and target.
 *
 * Shapes are m×n×k; the letters say whether A and B are given as they are (n) or transposed (t).
 */
import { type Expr, load, scalar } from "../src/kernel/expr.ts";
import type { Operand, Product, Store } from "../src/kernel/kernel.ts";
import { Heap } from "../src/runtime/heap.ts";
import { openNative } from "../src/runtime/native.ts";
import type { Runner } from "../src/runtime/runner.ts";
import { WasmRunner } from "../src/runtime/wasm-runner.ts";
import { type Contents, loadKernel } from "../test/kernel/product-harness.ts";

type Epilogue = "none" | "bias" | "sgd";
type Shape = readonly [m: number, n: number, k: number, forms: "nn" | "nt" | "tn" | "tt", epilogue?: Epilogue, batch?: number];

const SHAPES: readonly Shape[] = [
  [512, 512, 512, "nn"], [512, 512, 512, "nt"], [512, 512, 512, "tn"], [512, 512, 512, "tt"],
  [250, 250, 250, "nn"], [256, 256, 256, "nn"], [257, 257, 257, "nn"], [1024, 1024, 1024, "nn"], [2048, 2048, 2048, "nn"],
  [32, 32, 32, "nn"], [64, 64, 64, "nn"], [128, 128, 128, "nn"], [64, 64, 64, "nt", "none", 64],
  [128, 512, 784, "nn", "bias"], [128, 512, 512, "nn", "bias"], [784, 512, 128, "tn", "sgd"], [512, 512, 128, "tn", "sgd"], [128, 512, 512, "nt"],
  [64, 10, 784, "nn", "bias"], [784, 10, 64, "tn", "sgd"], [64, 784, 10, "nt"], [1000, 3, 64, "nn"],
  [16, 4096, 4096, "nn", "bias"], [16, 4096, 4096, "nt", "bias"], [2, 1024, 1024, "nn"], [2, 1024, 1024, "nt"], [8, 1024, 1024, "nn"], [8, 1024, 1024, "nt"], [32, 1024, 1024, "nn"], [32, 1024, 1024, "nt"], [48, 1024, 1024, "nn"], [48, 1024, 1024, "nt"],
  [64, 75, 65536, "tn"], [8, 8, 65536, "tn"],
]; // biome-ignore format: a table

const operand = (buffer: number, rows: number, depth: number, transposed: boolean, batched: boolean): Operand => ({
  buffer, offset: 0, batchStrides: batched ? [rows * depth] : [], rowStride: transposed ? 1 : depth, depthStrides: [transposed ? rows : 1],
}); // biome-ignore format: one object

/** Buffers: A, B, C, bias or momentum. */
function kernelOf([m, n, k, forms, epilogue = "none", batch = 0]: Shape): { kernel: Product; contents: Contents[] } {
  const accumulator: Expr = { op: "accumulator", dtype: "float32" };
  const full = (buffer: number) => ({ buffer, offset: 0, strides: [...(batch ? [m * n] : []), n, 1] });
  const times = (x: Expr, factor: number): Expr => scalar("mul", [x, { op: "const", value: factor, dtype: "float32" }]);
  const momentum = scalar("add", [times(load(full(3), "float32"), 0.9), accumulator]);
  const bias = load({ buffer: 3, offset: 0, strides: [0, 1] }, "float32");
  const stores: Record<Epilogue, Store[]> = {
    none: [{ to: full(2), value: accumulator }],
    bias: [{ to: full(2), value: scalar("pmax", [scalar("add", [accumulator, bias]), { op: "const", value: 0, dtype: "float32" }]) }],
    sgd: [{ to: full(3), value: momentum }, { to: full(2), value: scalar("sub", [load(full(2), "float32"), times(momentum, 0.01)]) }],
  }; // biome-ignore format: a table
  const copies = Math.max(1, batch);
  const numbers = (size: number): Contents => ({
    dtype: "float32",
    data: Float32Array.from({ length: size }, (_, i) => ((i * 7919) % 1000) / 1000 - 0.5),
  });
  const kernel: Product = {
    kind: "product", dtype: "float32", batch: batch ? [batch] : [], m, n, k: [k], clips: [], stores: stores[epilogue],
    a: operand(0, m, k, forms[0] === "t", batch > 0), b: operand(1, n, k, forms[1] === "n", batch > 0),
  }; // biome-ignore format: one object
  return { kernel, contents: [numbers(copies * m * k), numbers(copies * n * k), numbers(copies * m * n), numbers(m * n)] };
}

function gflops(device: Runner, shape: Shape): number {
  const { kernel, contents } = kernelOf(shape);
  const [m, n, k] = shape;
  const loaded = loadKernel(device, kernel, contents);
  const flops = 2 * m * n * k * Math.max(1, shape[5] ?? 0);
  // On one thread the processor's time is counted, so that other programs do not matter.
  const clock = (): number => (device.threads === 1 ? (process.cpuUsage().user + process.cpuUsage().system) / 1000 : performance.now());
  const turns = Math.max(1, Math.ceil(5e7 / flops));
  let best = Number.POSITIVE_INFINITY;
  const end = performance.now() + 400;
  for (let i = 0; i < 5 || performance.now() < end; i++) {
    const start = clock();
    for (let t = 0; t < turns; t++) loaded.run();
    best = Math.min(best, (clock() - start) / turns);
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
for (const shape of SHAPES) {
  const [m, n, k, forms, epilogue, batch] = shape;
  const name = `${batch ? `${batch}× ` : ""}${m}×${n}×${k} ${forms}${epilogue && epilogue !== "none" ? ` +${epilogue}` : ""}`;
  if (!name.includes(filter)) continue;
  const speeds = devices.map((d) => `${d.name} ${gflops(d, shape).toFixed(1).padStart(6)}`);
  console.log(name.padEnd(28), speeds.join("   "));
}
for (const d of devices) d.close();
