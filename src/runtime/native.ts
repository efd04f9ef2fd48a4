/** Opening the native device where there may be no compiler, or no Node. In a page's bundle no-native.ts stands for this file. */
import { DeviceError, GradusError } from "../core/errors.ts";
import { nodeModule } from "../core/host.ts";
import type { Heap } from "./heap.ts";
import { isQuiet } from "./native-compiler.ts";
import { NativeRunner } from "./native-runner.ts";
import { openNative as withoutNode } from "./no-native.ts";
import type { OpenedNative } from "./runner.ts";

export function openNative(heap: Heap, threads?: number): OpenedNative {
  if (!nodeModule("node:fs")) return withoutNode(heap, threads);
  try {
    return { runner: new NativeRunner({ heap, threads }) };
  } catch (error) {
    const refused = error instanceof GradusError ? error : denied(error);
    if (!(refused instanceof DeviceError)) throw refused;
    return { reason: refused.why ?? refused.what, quiet: isQuiet(refused.why) || isDenied(refused.cause), error: () => refused };
  }
}

/** Node's permission model, and --no-addons; Deno's. */
const isDenied = (cause: unknown): boolean => {
  const { code, name } = (cause ?? {}) as { code?: string; name?: string };
  return code === "ERR_ACCESS_DENIED" || code === "ERR_DLOPEN_DISABLED" || name === "NotCapable" || name === "PermissionDenied";
};

/** A host that forbids files, processes or libraries throws errors of its own. */
const denied = (cause: unknown): DeviceError =>
  new DeviceError("the native device is not available here", {
    why: cause instanceof Error ? cause.message : String(cause),
    help: 'give the program these permissions, or use device "wasm", which needs none',
    cause,
  });
