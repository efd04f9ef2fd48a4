/** What stands in native.ts's place in a page's bundle, which needs no C printer and no compiler: package.json's field `browser` names it. */
import { DeviceError } from "../core/errors.ts";
import type { Heap } from "./heap.ts";
import type { OpenedNative } from "./runner.ts";

export function openNative(_heap: Heap, _threads?: number): OpenedNative {
  const why = "only Node can load machine code";
  return {
    reason: why,
    quiet: true,
    error: () => new DeviceError("the native device is not available here", { why, help: 'device "wasm" works in browsers' }),
  };
}
