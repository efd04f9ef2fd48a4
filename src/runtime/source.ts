/** What a device makes of kernels, as text: apart from the devices, so that only who looks carries it. */
import type { Code } from "../kernel/program.ts";
import { kernelC } from "../render/c.ts";
import { renderWasm } from "../render/wasm.ts";
import { wasmText } from "../render/wasm-text.ts";
import type { Runner } from "./runner.ts";
import { WasmRunner } from "./wasm-runner.ts";

/** A kernel's source on a device: its C functions without what all kernels share in front, or WebAssembly's text. */
export function sourceOf(device: Runner, code: Code): string {
  if (device instanceof WasmRunner) return wasmText(renderWasm([code], { relaxed: device.relaxed, shared: device.heap.shared }));
  return kernelC(code);
}
