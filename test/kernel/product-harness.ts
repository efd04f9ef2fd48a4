/** Runs one product kernel on a device, packed or as plain loops. */
import { bytesOf, type DType, type TypedArray, viewOf } from "../../src/core/dtype.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import type { Buffer, Code, Step } from "../../src/kernel/program.ts";
import { productAsRows } from "../../src/lower/loops/product-rows.ts";
import type { Runner } from "../../src/runtime/runner.ts";

export interface Contents {
  readonly dtype: DType;
  readonly data: ArrayLike<number>;
  /** How many elements the lowering is told that there are, if not all. */
  readonly elements?: number;
}

export interface LoadedKernel {
  run(): void;
  /** What a buffer holds now. */
  read(buffer: number): number[];
  readonly codes: readonly Code[];
  dispose(): void;
}

export interface KernelOptions {
  /** False: as plain loops. */
  readonly optimised?: boolean;
  /** Whether what is read counts as the same at every run. */
  readonly settled?: boolean;
}

/** The kernel's buffers are numbered as in `contents`. */
export function loadKernel(device: Runner, kernel: Kernel, contents: readonly Contents[], options: KernelOptions = {}): LoadedKernel {
  const { optimised = true, settled = false } = options;
  const buffers: Buffer[] = contents.map(({ dtype, data }, id) => ({ id, dtype, bytes: data.length * bytesOf(dtype), place: "argument" }));
  const context = {
    dtypeOf: (b: number): DType => buffers[b]!.dtype,
    sizeOf: (b: number): number => contents[b]?.elements ?? buffers[b]!.bytes / bytesOf(buffers[b]!.dtype),
    isSettled: () => settled,
    allocate: (bytes: number, dtype: DType): number => buffers.push({ id: buffers.length, dtype, bytes, place: "argument" }) - 1,
  };
  const lowered = device.target.lower(kernel.kind === "product" && !optimised ? productAsRows(kernel) : kernel, context);
  const codes: Code[] = [];
  const steps = lowered.calls.flatMap((call): Step[] => {
    let code = codes.findIndex((c) => c.key === call.code.key);
    if (code < 0) code = codes.push(call.code) - 1;
    return [{ do: "call", code, arguments: call.arguments, blocks: call.blocks, label: "test" }, { do: "barrier" }];
  });
  const addresses = buffers.map((b) => device.heap.allocate(Math.max(8, b.bytes)));
  const view = (b: number): TypedArray =>
    viewOf(buffers[b]!.dtype, device.heap.memory.buffer, addresses[b]!, buffers[b]!.bytes / bytesOf(buffers[b]!.dtype));
  contents.forEach(({ data }, b) => {
    view(b).set(data as never);
  });
  const work = 10 ** 9;
  const program = { codes, buffers, steps, checks: [], scratchBytes: 0, threadBytes: lowered.threadBytes, work };
  const loaded = device.load(program, (b) => addresses[b.id]!);
  return {
    codes,
    run() {
      const status = loaded.run();
      if (!status.ok) throw new Error(`run failed: ${JSON.stringify(status)}`);
    },
    read: (b) => [...view(b)],
    dispose() {
      loaded.dispose();
      for (const a of addresses) device.heap.free(a);
    },
  };
}

/** Results of buffer `result` after one run. */
export function runKernel(device: Runner, kernel: Kernel, contents: readonly Contents[], result: number, optimised = true): number[] {
  const loaded = loadKernel(device, kernel, contents, { optimised });
  try {
    loaded.run();
    return loaded.read(result);
  } finally {
    loaded.dispose();
  }
}
