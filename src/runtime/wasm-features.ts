/** What the WebAssembly engine can do. */
import { drop, f32x4, ModuleWriter, v128 } from "../render/wasm-encoder.ts";
import { nodeModule } from "./node.ts";

let relaxed: boolean | undefined;

/** Whether relaxed SIMD (a fused multiply-add) validates; Node 20 has it behind a flag, which is set here. */
export function hasRelaxedSimd(): boolean {
  if (relaxed === undefined) {
    const probe = probeModule();
    relaxed = WebAssembly.validate(probe);
    if (!relaxed) {
      nodeModule<{ setFlagsFromString(flags: string): void }>("node:v8")?.setFlagsFromString("--experimental-wasm-relaxed-simd");
      relaxed = WebAssembly.validate(probe);
    }
  }
  return relaxed;
}

function probeModule(): Uint8Array<ArrayBuffer> {
  const module = new ModuleWriter({ memory: { shared: false } });
  const zero = v128.const(new Uint8Array(16));
  module.function([]).emit(drop(f32x4.relaxedMadd(zero, zero, zero)));
  return module.bytes();
}

/** Whether this thread may block; a page's main thread may not. */
export function mayBlock(): boolean {
  if (typeof SharedArrayBuffer === "undefined") return false;
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 0);
    return true;
  } catch {
    return false;
  }
}

/** Threads a machine runs at once. */
export function cores(): number {
  const node = nodeModule<{ availableParallelism(): number }>("node:os");
  return node?.availableParallelism() ?? globalThis.navigator?.hardwareConcurrency ?? 1;
}
