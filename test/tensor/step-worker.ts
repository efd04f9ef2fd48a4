/** A worker that trains a small network on the device it is told, and says what came of it. */
import { parentPort, workerData } from "node:worker_threads";
import { compile, type Device, Generator, gradients, type Tensor, variable } from "../../src/index.ts";

const { device, steps } = workerData as { device: Device; steps: number };
const draw = new Generator(1);
const x = draw.normal([256, 128]);
const w = variable(draw.normal([128, 128]).mul(0.01));
const step = compile(
  () => {
    const loss = x.matmul(w).sub(1).square().mean() as Tensor<[]>;
    const [dw] = gradients(loss, [w]);
    w.assign(w.sub(dw!.mul(2)));
    return loss;
  },
  { device },
);
const losses: number[] = [];
for (let i = 0; i < steps; i++) losses.push(await step().item());
parentPort!.postMessage(losses);
