/** Opening the native device where there may be no compiler, or no Node. */
import { DeviceError } from "../core/errors.ts";
import type { Heap } from "./heap.ts";
import { NativeDevice } from "./native-device.ts";

/** The device, or why there is none and the error for whoever asked for it by name. */
export type OpenedNative = { readonly runner: NativeDevice } | { readonly reason: string; readonly error: () => Error };

export function openNative(heap: Heap, threads?: number): OpenedNative {
  try {
    return { runner: new NativeDevice({ heap, threads }) };
  } catch (error) {
    if (!(error instanceof DeviceError)) throw error;
    return { reason: error.why ?? error.what, error: () => error };
  }
}
