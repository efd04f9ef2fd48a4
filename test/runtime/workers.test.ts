/** Worker threads that use gradus and end, in processes of their own: what kills a process must not kill the tests. */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { nativeAvailable } from "../../src/runtime/native-compiler.ts";
import { built } from "../built.ts";

const native = nativeAvailable();
const devices = native.available ? (["wasm", "native"] as const) : (["wasm"] as const);
const why = native.available ? "" : ` (native skipped: ${native.reason})`;
/** How many workers live and die in one process; 200 where somebody has the time. */
const MANY = Number(process.env.GRADUS_STRESS ?? 12);

let folder: string;
beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "gradus-workers-")));
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const library = (): string => JSON.stringify(pathToFileURL(join(built(), "dist/src/index.js")).href);

/** A training whose steps use all threads; `train(steps)` gives the last loss. */
const training = (): string => `
const { compile, Generator, gradients, variable } = await import(${library()});
const draw = new Generator(1);
const x = draw.normal([256, 128]);
const w = variable(draw.normal([128, 128]).mul(0.01));
const step = compile(() => {
  const loss = x.matmul(w).sub(1).square().mean();
  w.assign(w.sub(gradients(loss, [w])[0].mul(2)));
  return loss;
});
async function train(steps) {
  let loss;
  for (let i = 0; i < steps; i++) loss = await step().item();
  return loss;
}`;

/** A worker that says what 20 steps come to and ends, or, told to be endless, goes on until it is terminated. */
const main = (): string => `
import { readdirSync, readFileSync } from "node:fs";
import { Worker } from "node:worker_threads";
const source = ${JSON.stringify(`(async () => {
  const { parentPort, workerData } = await import("node:worker_threads");
  ${training()}
  parentPort.postMessage(await train(20));
  if (workerData.endless) for (;;) step();
})()`)};
const start = (endless) => new Worker(source, { eval: true, workerData: { endless } });
const answer = (worker) => new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
const end = (worker) => new Promise((resolve) => worker.once("exit", resolve));`;

function run(device: string, program: string): { status: number | null; signal: string | null; said: string; complained: string } {
  const environment = { ...process.env, GRADUS_DEVICE: device, GRADUS_THREADS: "2", NODE_OPTIONS: "" };
  const file = join(folder, "program.mjs");
  writeFileSync(file, program);
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, [file], { env: environment, encoding: "utf8", timeout: 600_000 });
  return { status, signal, said: stdout.trim(), complained: stderr.trim() };
}

describe.each(devices)(`workers on %s${why}`, (device) => {
  const program = (body: string): ReturnType<typeof run> => run(device, `${main()}\n${body}`);

  test(`${MANY} of them end or are terminated in mid-step, two at a time, and leave neither threads nor memory`, {
    timeout: 600_000,
  }, () => {
    const { status, signal, said, complained } = program(`
const losses = new Set();
async function generation(count) {
  for (let i = 0; i < count; i += 2) {
    const workers = [start(false), start(true)];
    const ended = workers.map(end);
    for (const loss of await Promise.all(workers.map(answer))) losses.add(loss);
    await workers[1].terminate();
    await Promise.all(ended);
  }
  await new Promise((resolve) => setTimeout(resolve, 200));
}
const field = (name) => Number(new RegExp("^" + name + ":\\\\s*(\\\\d+)", "m").exec(readFileSync("/proc/self/status", "utf8"))[1]);
const state = () => process.platform === "linux" ? [readdirSync("/proc/self/task").length, field("VmRSS"), field("VmSize")] : [0, 0, 0];
await generation(8);
const before = state();
await generation(${MANY});
const after = state();
console.log(JSON.stringify({ losses: losses.size, threads: after[0] - before[0], resident: (after[1] - before[1]) / 1024, reserved: (after[2] - before[2]) / 2 ** 20 }));`);
    expect({ status, signal, complained }).toEqual({ status: 0, signal: null, complained: "" });
    const grown = JSON.parse(said);
    if (MANY > 50) console.log(`${device}: ${MANY} workers: ${said}`);
    expect(grown).toMatchObject({ losses: 1, threads: 0 });
    // A heap has 4 MiB and more, and reserves 4 GiB of addresses: one that stayed for each worker would be far above.
    expect(grown.resident).toBeLessThan(32 + MANY);
    expect(grown.reserved).toBeLessThan(8);
  });

  test("live beside a main thread that uses gradus too, and it goes on after them", { timeout: 60_000 }, () => {
    const { status, signal, said } = program(`
${training()}
const own = await train(20);
const workers = [start(false), start(true)];
const ended = workers.map(end);
const losses = await Promise.all(workers.map(answer));
await workers[1].terminate();
await Promise.all(ended);
await train(20);
console.log(losses.every((loss) => loss === own));`);
    expect({ status, signal, said }).toEqual({ status: 0, signal: null, said: "true" });
  });

  const MID_STEP = `const workers = [start(true), start(true)];\nawait Promise.all(workers.map(answer));`;

  test("do not hinder process.exit, whatever they are doing", { timeout: 60_000 }, () => {
    expect(program(`${MID_STEP}\nprocess.exit(7);`)).toEqual({ status: 7, signal: null, said: "", complained: "" });
  });

  test("do not change how an uncaught error ends the process", { timeout: 60_000 }, () => {
    const { status, signal, complained } = program(`${MID_STEP}\nsetTimeout(() => { throw new Error("on purpose"); }, 1);`);
    expect({ status, signal }).toEqual({ status: 1, signal: null });
    expect(complained).toContain("Error: on purpose");
  });

  test("may throw in the middle of a training themselves", { timeout: 60_000 }, () => {
    const { status, signal, said } = program(`
const worker = new Worker(source.replace("for (;;) step();", "{ step(); setTimeout(() => { throw new Error('on purpose'); }, 5); for (let i = 0; i < 50; i++) { step(); await null; } }"), { eval: true, workerData: { endless: true } });
const error = new Promise((resolve) => worker.once("error", resolve));
const ended = end(worker);
await answer(worker);
console.log((await error).message, await ended);`);
    expect({ status, signal, said }).toEqual({ status: 0, signal: null, said: "on purpose 1" });
  });

  test.runIf(device === "native")(
    "share a temporary folder and its warning, where the cache is not to be trusted",
    { timeout: 60_000 },
    () => {
      const [loose, temporary] = [join(folder, "loose"), join(folder, "temporary")];
      for (const folder of [loose, temporary]) mkdirSync(folder);
      chmodSync(loose, 0o777);
      const { status, said, complained } = program(`
process.env.GRADUS_CACHE = ${JSON.stringify(loose)};
process.env.TMPDIR = ${JSON.stringify(temporary)};
const first = start(false);
const losses = [await answer(first)];
losses.push(...await Promise.all([start(false), start(false)].map(answer)));
console.log(new Set(losses).size, readdirSync(process.env.TMPDIR).length, readdirSync(process.env.GRADUS_CACHE).length);`);
      expect({ status, said }).toEqual({ status: 0, said: "1 1 0" });
      expect(complained).toMatch(/^gradus: the cache of compiled kernels .* can be written by other users.*$/);
    },
  );

  test("go with a main thread that ends first", { timeout: 60_000 }, () => {
    expect(program(`${MID_STEP}\nfor (const worker of workers) worker.unref();`)).toEqual({
      status: 0,
      signal: null,
      said: "",
      complained: "",
    });
  });
});
