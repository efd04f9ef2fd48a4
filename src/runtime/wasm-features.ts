/** What the WebAssembly engine can do. */
import { DeviceError } from "../core/errors.ts";
import { nodeModule, workersAllowed } from "../core/host.ts";
import { type Bytes, drop, f32x4, ModuleWriter, v128 } from "../render/wasm-encoder.ts";

/** The shortest module: a magic number and a version. */
const EMPTY = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0);

/** @throws DeviceError where there is no WebAssembly with vectors, or where a page's policy forbids to compile it */
export function needWebAssembly(): void {
  if (typeof WebAssembly === "undefined")
    throw new DeviceError("there is no WebAssembly here", {
      help: 'device "interpreter" works everywhere, slowly: configure({ device: "interpreter" })',
    });
  try {
    new WebAssembly.Module(EMPTY);
  } catch (cause) {
    throw new DeviceError("this page may not compile WebAssembly", {
      why: cause instanceof Error ? cause.message : String(cause),
      help: "allow it in the page's Content-Security-Policy: script-src 'self' 'wasm-unsafe-eval'",
      cause,
    });
  }
  if (!WebAssembly.validate(probeModule((zero) => f32x4.add(zero, zero))))
    throw new DeviceError("this WebAssembly has no vectors", { help: "use Chrome 91, Firefox 89, Safari 16.4, Node 20 or a later one" });
}

let relaxed: boolean | undefined;

/** Whether relaxed SIMD (a fused multiply-add) validates; Node 20 has it behind a flag, which is set here. */
export function hasRelaxedSimd(): boolean {
  if (relaxed === undefined) {
    const probe = probeModule((zero) => f32x4.relaxedMadd(zero, zero, zero));
    relaxed = WebAssembly.validate(probe);
    if (!relaxed) {
      nodeModule("node:v8")?.setFlagsFromString("--experimental-wasm-relaxed-simd");
      relaxed = WebAssembly.validate(probe);
    }
  }
  return relaxed;
}

function probeModule(expression: (zero: Bytes) => Bytes): Uint8Array<ArrayBuffer> {
  const module = new ModuleWriter({ memory: { shared: false } });
  module.function([]).emit(drop(expression(v128.const(new Uint8Array(16)))));
  return module.bytes();
}

/** Whether this thread may block; a page's main thread may not. */
function mayBlock(): boolean {
  if (typeof SharedArrayBuffer === "undefined") return false;
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 0);
    return true;
  } catch {
    return false;
  }
}

/** Why a program cannot be shared among threads here, "" where it can. */
export function whyOneThread(shared: boolean): string {
  if (!shared) return "its memory cannot be shared: a page needs the headers Cross-Origin-Opener-Policy and Cross-Origin-Embedder-Policy";
  if (!workersAllowed()) return "Node was started without --allow-worker";
  return mayBlock() ? "" : "a page's own thread must not block: compute in a worker";
}
