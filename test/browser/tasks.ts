/** What the browser is asked to do, in a page or in a worker: every task answers plain data. */
import { ArrayDataset } from "../../src/data/dataset.ts";
import { drawDigits } from "../../src/data/digits.ts";
import { HostRandom } from "../../src/data/random.ts";
import { compile, describe, Generator, gradients, type HostDescription, type Tensor, tensor, variable } from "../../src/index.ts";
import { crossEntropy, Dropout, init, Linear, relu, Sequential } from "../../src/nn/index.ts";
import { adam } from "../../src/optim/index.ts";
import { hasRelaxedSimd } from "../../src/runtime/wasm-features.ts";
import { WasmRunner } from "../../src/runtime/wasm-runner.ts";
import { accuracy } from "../../src/train/classification-metrics.ts";
import { fit as train } from "../../src/train/trainer.ts";
import { deviceSuite } from "../runtime/device-suite.ts";
import { sampleSuite } from "../targets/suite.ts";
import { type Outcome, runCollected } from "./collector.ts";

/** Counts a device's runs, and those on all its threads. */
function count(device: WasmRunner): { runs: number; together: number } {
  const counts = { runs: 0, together: 0 };
  const load = device.load.bind(device);
  device.load = (...args) => {
    const loaded = load(...args);
    return {
      ...loaded,
      run: () => {
        counts.runs++;
        return loaded.run();
      },
    };
  };
  const { team } = device as unknown as { team?: { begin(table: number): void } };
  if (!team) return counts;
  const begin = team.begin.bind(team);
  team.begin = (table) => {
    counts.together++;
    begin(table);
  };
  return counts;
}

export interface Conformance extends Outcome {
  readonly threads: number;
  readonly runs: number;
  readonly together: number;
  readonly milliseconds: number;
}

/** The suite that all targets run, on `threads` threads; `slow` leaves out what differs little. */
async function conformance({ threads, relaxed, slow }: { threads: number; relaxed: boolean; slow: boolean }): Promise<Conformance> {
  const start = performance.now();
  const device = new WasmRunner({ threads, relaxed });
  await device.ready();
  sampleSuite({ name: "WebAssembly", threads: threads > 1 ? "all" : "one", levels: [1], slow, open: () => device });
  const counts = count(device);
  const outcome = await runCollected();
  return { ...outcome, ...counts, threads: device.threads, milliseconds: performance.now() - start };
}

/** What every device must do. */
async function devices(): Promise<Outcome> {
  deviceSuite("WebAssembly", (threads) => new WasmRunner({ threads }));
  return runCollected();
}

/** XOR by hand: two layers, gradients, plain updates. */
async function xor({ steps = 600 }: { steps?: number } = {}): Promise<{ loss: number; outputs: number[] }> {
  const x = tensor([[0, 0], [0, 1], [1, 0], [1, 1]]); // biome-ignore format: a table
  const y = tensor([[0], [1], [1], [0]]);
  const draw = new Generator(3);
  const [w1, b1] = [variable(draw.normal([2, 8])), variable(draw.normal([8]))];
  const w2 = variable(draw.normal([8, 1]));
  const forward = (of: Tensor): Tensor => of.matmul(w1).add(b1).tanh().matmul(w2) as Tensor;
  const step = compile((of: Tensor, wanted: Tensor) => {
    const loss = forward(of).sub(wanted).square().mean() as Tensor<[]>;
    const cells = [w1, b1, w2];
    gradients(loss, cells).forEach((g, i) => {
      cells[i]!.assign(cells[i]!.sub(g.mul(0.2)));
    });
    return loss;
  });
  let loss = Number.NaN;
  for (let i = 0; i < steps; i++) loss = await step(x, y).item();
  return { loss, outputs: [...(await forward(x).data())] };
}

/** Drawn digits, two layers with dropout, Adam, `fit`. */
async function digits({
  images = 800,
  epochs = 5,
}: {
  images?: number;
  epochs?: number;
} = {}): Promise<{ losses: number[]; accuracy: number; checksum: number }> {
  const drawn = drawDigits(images, new HostRandom(1, 0));
  const data = new ArrayDataset({ data: drawn.images, shape: [784], scale: 1 / 255 }, { data: drawn.labels, shape: [], dtype: "int32" });
  const model = init(new Sequential(new Linear(784, 64), relu, new Dropout(0.1), new Linear(64, 10)), 1);
  const optimizer = adam(model.parameters(), { lr: 5e-3 });
  const records = await train(model, data, { loss: crossEntropy, optimizer, rng: 1, epochs, batchSize: 50, metrics: { accuracy } });
  const weights = (await model.parameters()[0]!.data()) as Float32Array;
  return {
    losses: records.map((r) => r.loss),
    accuracy: records.at(-1)!.metrics.accuracy!,
    checksum: weights.reduce((sum, w) => sum + Math.abs(w), 0),
  };
}

/** What this place has. */
async function environment(): Promise<{ isolated: boolean; shared: boolean; relaxed: boolean; threads: number; native: string }> {
  const device = new WasmRunner();
  await device.ready();
  const threads = device.threads;
  device.close();
  let native = "";
  try {
    compile((x: Tensor) => x.add(1), { device: "native" })(tensor([1]));
  } catch (error) {
    native = `${(error as Error).name}: ${(error as Error).message}`;
  }
  return {
    isolated: globalThis.crossOriginIsolated,
    shared: typeof SharedArrayBuffer !== "undefined",
    relaxed: hasRelaxedSimd(),
    threads,
    native,
  };
}

/** Computes until something is known of the workers, at most for three seconds, and says what it ran on. */
async function host(): Promise<HostDescription> {
  for (let round = 0; round < 30 && !describe().running.some(({ note }) => note); round++) {
    await xor({ steps: 1 });
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return describe();
}

export const tasks = { conformance, host, devices, xor, digits, environment };
export type Tasks = typeof tasks;
