/** What stands in native.ts's place in a page's bundle, which needs no C printer and no compiler: package.json's field `browser` names it. */
import { DeviceError } from "../core/errors.ts";
import type * as native from "./native.ts";

export const openNative: typeof native.openNative = () => {
  const why = "only Node can load machine code";
  return {
    reason: why,
    quiet: true,
    error: () => new DeviceError("the native device is not available here", { why, help: 'device "wasm" works in browsers' }),
  };
};
