import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { DeviceError } from "../../src/core/errors.ts";
import { nativeAvailable } from "../../src/runtime/native-compiler.ts";

const native = nativeAvailable();
const whereNative = native.available ? test : test.skip;

/** The library as a process sees it that has just started, in this environment. */
async function fresh(
  environment: Record<string, string | undefined> = {},
): Promise<typeof import("../../src/index.ts") & typeof import("../../src/run/engine.ts")> {
  vi.resetModules();
  for (const name of ["GRADUS_DEVICE", "GRADUS_THREADS"]) vi.stubEnv(name, environment[name]);
  if (environment.GRADUS_CC) vi.stubEnv("GRADUS_CC", environment.GRADUS_CC);
  const engine = await import("../../src/run/engine.ts");
  return { ...engine, ...(await import("../../src/index.ts")) };
}

const NO_COMPILER = { GRADUS_CC: "/nowhere/cc" };

beforeEach(() => void vi.unstubAllEnvs());
afterEach(() => void vi.unstubAllEnvs());

describe("the device of a process", () => {
  whereNative("is native code where a C compiler is found", async () => {
    const { defaultDevice, runnerFor } = await fresh();
    expect(defaultDevice()).toBe("auto");
    expect(runnerFor("auto").name).toBe("native");
  });

  test("is WebAssembly where no C compiler is found", async () => {
    const { runnerFor, compile, tensor } = await fresh(NO_COMPILER);
    expect(runnerFor("auto").name).toBe("wasm");
    const double = compile((x: any) => x.mul(2));
    expect(await double(tensor([1, 2, 3])).array()).toEqual([2, 4, 6]);
  });

  test("is what GRADUS_DEVICE says", async () => {
    const { defaultDevice, runnerFor } = await fresh({ GRADUS_DEVICE: "wasm", GRADUS_THREADS: "1" });
    const device = defaultDevice();
    expect(device).toBe("wasm");
    expect(runnerFor(device as "wasm")).toMatchObject({ name: "wasm", threads: 1 });
  });

  test("is what configure says, whatever the environment says", async () => {
    const { configure, defaultDevice, compile, tensor } = await fresh({ GRADUS_DEVICE: "native", ...NO_COMPILER });
    configure({ device: "wasm", threads: 1 });
    expect(defaultDevice()).toBe("wasm");
    expect(await compile((x: any) => x.add(1))(tensor([1])).array()).toEqual([2]);
  });

  test("cannot be changed once a program has run", async () => {
    const { configure, tensor } = await fresh();
    await tensor([1]).add(1).array();
    expect(() => configure({ device: "wasm" })).toThrow(/a program has run already/);
  });

  whereNative("native code and WebAssembly share variables: a step on one goes on from the other's", async () => {
    const { compile, variable } = await fresh();
    const w = variable([1, 2, 3]);
    const double = compile(() => w.assign(w.mul(2)), { device: "native" });
    const plusOne = compile(() => w.assign(w.add(1)), { device: "wasm" });
    double();
    plusOne();
    double();
    expect(await w.array()).toEqual([6, 10, 14]);
  });
});

/** The losses of a training in a worker thread. */
function trainInWorker(device: "wasm" | "native", steps: number): Promise<number[]> {
  const file = new URL("./step-worker.ts", import.meta.url).href;
  // Node 20 runs no TypeScript, and a loader given by a flag does not reach a worker's first file.
  const code = `import("tsx/esm/api").then((tsx) => { tsx.register(); return import("${file}"); })`;
  const worker = new Worker(code, { eval: true, workerData: { device, steps } });
  return new Promise<number[]>((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  }).finally(() => worker.terminate());
}

describe("a service that must not freeze", () => {
  const devices = native.available ? (["wasm", "native"] as const) : (["wasm"] as const);
  test.each(devices)(
    "trains in worker threads, two at a time, on %s, while its event loop goes on",
    { timeout: 60_000 },
    async (device) => {
      const begun = performance.now();
      let [turns, longest, last] = [0, 0, begun];
      const timer = setInterval(() => {
        turns++;
        longest = Math.max(longest, performance.now() - last);
        last = performance.now();
      }, 2);
      const [one, other] = await Promise.all([trainInWorker(device, 400), trainInWorker(device, 400)]);
      clearInterval(timer);
      expect(one).toEqual(other);
      expect(one!.at(-1)).toBeLessThan(0.7 * one![0]!);
      expect(turns).toBeGreaterThan(20);
      // Were it to stand still for the work, that would be nearly all of the time.
      expect(longest).toBeLessThan((performance.now() - begun) / 2);
    },
  );
});

describe("a device that is not there", () => {
  test("is an error that helps, every time it is asked for by name", async () => {
    const { compile, tensor } = await fresh(NO_COMPILER);
    const f = compile((x: any) => x.add(1), { device: "native" });
    for (let i = 0; i < 2; i++) {
      let error: any;
      try {
        f(tensor([1]));
      } catch (caught) {
        error = caught;
      }
      expect(error?.name).toBe(DeviceError.name);
      expect(String(error.message)).toMatch(
        /native device is not available[\s\S]*why: GRADUS_CC is "\/nowhere\/cc"[\s\S]*help: .*device "wasm" needs none/,
      );
    }
  });

  test.each([
    [{ GRADUS_DEVICE: "cuda" }, /GRADUS_DEVICE is "cuda", which is no device/],
    [{ GRADUS_THREADS: "many" }, /GRADUS_THREADS is NaN/],
    [{ GRADUS_THREADS: "0" }, /GRADUS_THREADS is 0/],
  ])("in the environment is refused when something asks for it: %j", async (environment, message) => {
    const { defaultDevice } = await fresh(environment);
    expect(() => defaultDevice()).toThrow(message);
  });

  test("given to configure is refused", async () => {
    const { configure } = await fresh();
    expect(() => configure({ device: "gpu" as "wasm" })).toThrow(/device is "gpu", which is no device/);
    expect(() => configure({ threads: 1.5 })).toThrow(/threads is 1.5/);
  });
});
