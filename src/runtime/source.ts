/** What a device makes of kernels, as text: apart from the devices, so that only who looks carries it. */
import type { Code } from "../kernel/program.ts";
import { kernelC } from "../render/c.ts";
import { renderWasm } from "../render/wasm.ts";
import { wasmText } from "../render/wasm-text.ts";
import type { Device } from "./device.ts";
import { WasmDevice } from "./wasm-device.ts";

/** A kernel's source on a device: its C functions without what all kernels share in front, or WebAssembly's text. */
export function sourceOf(device: Device, code: Code): string {
  if (device instanceof WasmDevice) return wasmText(renderWasm([code], { relaxed: device.relaxed, shared: device.heap.shared }));
  return kernelC(code);
}
