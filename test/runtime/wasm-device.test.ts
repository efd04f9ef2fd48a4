import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { DeviceError } from "../../src/core/errors.ts";
import { Heap } from "../../src/runtime/heap.ts";
import { WasmRunner } from "../../src/runtime/wasm-runner.ts";
import { deviceSuite, loadOn } from "./device-suite.ts";
import { addWord, buffer, callStep, hang, of, program, trap } from "./programs.ts";

deviceSuite("WebAssembly", (threads) => new WasmRunner({ threads }));

const counting = program({ codes: [addWord], buffers: [buffer(0, 1)], steps: [callStep(0, [of(0), 1], 100)] });
const count = (device: WasmRunner): void => {
  const single = loadOn(device, { ...counting, steps: [callStep(0, [of(0), 1])] });
  single.words(0, 1)[0] = 0;
  expect(single.run()).toEqual({ ok: true });
  expect(single.words(0, 1)[0]).toBe(1);
};

/** What tests reach into a device for. */
interface Team {
  looked: number;
  readonly workers: readonly { terminate(): Promise<unknown> }[];
}

describe("a WebAssembly device that met trouble", () => {
  test.each([1, 2, 3])("explains a trap and goes on, on %i threads", (threads) => {
    const device = new WasmRunner({ threads });
    const bad = loadOn(device, program({ codes: [trap], buffers: [], steps: [callStep(0, [], 20), { do: "barrier" }] }));
    for (let i = 0; i < 3; i++) {
      expect(() => bad.run()).toThrow(DeviceError);
      expect(() => bad.run()).toThrow(/out of bounds/);
      count(device);
    }
    device.close();
  });

  test("gives up on a thread that no longer answers", () => {
    const device = new WasmRunner({ threads: 2, patience: 300 });
    const stuck = loadOn(device, program({ codes: [hang], buffers: [], steps: [callStep(0, [0], 2), { do: "barrier" }] }));
    expect(() => stuck.run()).toThrow(/no longer answers/);
    count(device);
    device.close();
  });

  test("replaces workers that have died", async () => {
    const device = new WasmRunner({ threads: 2 });
    count(device);
    await (device as unknown as { team: { workers: { terminate(): Promise<unknown> }[] } }).team.workers.at(-1)!.terminate();
    await new Promise((resolve) => setTimeout(resolve, 20));
    count(device);
    device.close();
  });

  // The default patience is 30 s; this passes only where a death is seen without it, and fails by the limit of time.
  test("notices at once that a worker died, in a run that blocks the caller", { timeout: 15_000 }, async () => {
    const device = new WasmRunner({ threads: 2 });
    const loaded = loadOn(device, counting);
    await device.ready();
    const { team } = device as unknown as { team: Team };
    // It must not be seen before the run.
    team.looked = Number.POSITIVE_INFINITY;
    void team.workers[0]!.terminate();
    expect(() => loaded.run()).toThrow(/one of its workers died: it has ended/);
    count(device);
    device.close();
  });

  test("replaces a worker that died before a run, though no event has said so yet", { timeout: 15_000 }, async () => {
    const device = new WasmRunner({ threads: 2 });
    const loaded = loadOn(device, counting);
    await device.ready();
    void (device as unknown as { team: Team }).team.workers[0]!.terminate();
    const end = performance.now() + 300;
    while (performance.now() < end);
    loaded.words(0, 1)[0] = 0;
    expect(loaded.run()).toEqual({ ok: true });
    expect(loaded.words(0, 1)[0]).toBe(100);
    device.close();
  });

  test("runs on the calling thread when no worker can take a dead one's place", async () => {
    const device = new WasmRunner({ threads: 3 });
    const loaded = loadOn(device, counting);
    await device.ready();
    const { team } = device as unknown as { team: Team & { startOne(): unknown } };
    let left = 1;
    const startOne = team.startOne.bind(team);
    team.startOne = (...given: []) => {
      if (left-- === 0) throw new Error("EAGAIN");
      return startOne(...given);
    };
    await team.workers[0]!.terminate();
    for (let i = 1; i <= 3; i++) {
      loaded.words(0, 1)[0] = 0;
      expect(loaded.run()).toEqual({ ok: true });
      expect(loaded.words(0, 1)[0]).toBe(100);
    }
    expect(device.note).toBe("no worker runs: EAGAIN");
    device.close();
  });

  test("refuses to run when it is closed", () => {
    const device = new WasmRunner({ threads: 2 });
    const loaded = loadOn(device, counting);
    device.close();
    expect(() => loaded.run()).toThrow(/closed/);
  });
});

describe("a WebAssembly device over unshared memory", () => {
  const device = new WasmRunner({ heap: new Heap({ shared: false }), threads: 4 });
  afterAll(() => device.close());

  test("has one thread and runs", () => {
    expect(device.threads).toBe(1);
    count(device);
  });

  test("goes on when the memory grows", () => {
    const loaded = loadOn(device, counting);
    loaded.words(0, 1)[0] = 0;
    device.heap.allocate(50_000_000);
    expect(loaded.run()).toEqual({ ok: true });
    expect(loaded.words(0, 1)[0]).toBe(100);
  });
});

test("a process ends by itself while workers sleep", () => {
  const module = fileURLToPath(new URL("../../src/runtime/wasm-runner.ts", import.meta.url));
  const code = `const { WasmRunner } = await import(${JSON.stringify(module)}); await new WasmRunner({ threads: 3 }).ready(); console.log("ready");`;
  const output = execFileSync(process.execPath, ["--import", "tsx", "--input-type=module", "-e", code], {
    timeout: 20_000,
    encoding: "utf8",
  });
  expect(output.trim()).toBe("ready");
});
