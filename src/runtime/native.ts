/** Opening the native device where there may be no compiler, or no Node. In a page's bundle no-native.ts stands for this file. */
import { DeviceError, GradusError } from "../core/errors.ts";
import type { Heap } from "./heap.ts";
import { NativeDevice } from "./native-device.ts";

/** The device, or why there is none and the error for whoever asked for it by name. */
export type OpenedNative = { readonly runner: NativeDevice } | { readonly reason: string; readonly error: () => Error };

export function openNative(heap: Heap, threads?: number): OpenedNative {
  try {
    return { runner: new NativeDevice({ heap, threads }) };
  } catch (error) {
    const refused = error instanceof GradusError ? error : denied(error);
    if (!(refused instanceof DeviceError)) throw refused;
    return { reason: refused.why ?? refused.what, error: () => refused };
  }
}

/** A host that forbids files, processes or libraries throws errors of its own. */
const denied = (cause: unknown): DeviceError =>
  new DeviceError("the native device is not available here", {
    why: cause instanceof Error ? cause.message : String(cause),
    help: 'give the program these permissions, or use device "wasm", which needs none',
    cause,
  });
