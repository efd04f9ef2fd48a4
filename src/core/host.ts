/**
 * What the program runs in: Node, Deno, Bun, a page, a worker. Nothing is taken for granted, and asking never throws: a part that is
 * missing, or that a permission withholds, is as if it were not there.
 */
import { DeviceError } from "./errors.ts";

/** Modules of Node, reached without an import, so that browsers and their bundlers never meet one. */
interface NodeModules {
  "node:child_process": typeof import("node:child_process");
  "node:crypto": typeof import("node:crypto");
  "node:fs": typeof import("node:fs");
  "node:fs/promises": typeof import("node:fs/promises");
  "node:module": typeof import("node:module");
  "node:os": typeof import("node:os");
  "node:path": typeof import("node:path");
  "node:v8": typeof import("node:v8");
  "node:worker_threads": typeof import("node:worker_threads");
  "node:zlib": typeof import("node:zlib");
}

interface Host {
  readonly process?: {
    getBuiltinModule?(name: string): unknown;
    readonly env?: Readonly<Record<string, string | undefined>>;
    readonly versions?: { readonly bun?: string };
    /** There where Node was started with --permission. */
    readonly permission?: { has(scope: string): boolean };
  };
  readonly Deno?: { readonly permissions?: { querySync?(of: Permission): { readonly state: string } } };
}

/** What Deno lets a program do only if it was told to. */
interface Permission {
  readonly name: "env" | "read" | "write" | "run" | "ffi" | "sys";
  readonly variable?: string;
}

const host = globalThis as Host;

/** What `ask` answers, or undefined where it may not be asked. */
function attempt<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch {
    return undefined;
  }
}

/** A module of Node, or undefined in a browser. */
export function nodeModule<Name extends keyof NodeModules>(name: Name): NodeModules[Name] | undefined {
  return attempt(() => host.process?.getBuiltinModule?.(name) as NodeModules[Name] | undefined);
}

/** A module of Node that files cannot do without. @throws DeviceError in a browser */
export function needModule<Name extends keyof NodeModules>(name: Name): NodeModules[Name] {
  const found = nodeModule(name);
  if (found) return found;
  throw new DeviceError(`there is no ${name} here`, {
    why: "files belong to Node, Deno and Bun; a page has none",
    help: "fetch the bytes, and give them to the functions that take bytes",
  });
}

/** Whether this is allowed, without asking the person, as Deno would: what only makes gradus faster is no reason to ask. */
export const granted = (of: Permission): boolean =>
  attempt(() => (host.Deno?.permissions?.querySync?.(of).state ?? "granted") === "granted") ?? false;

/** A variable of the environment that is set and may be read. */
export const environment = (name: string): string | undefined =>
  (granted({ name: "env", variable: name }) && attempt(() => host.process?.env?.[name])) || undefined;

/** Whether this is Bun, which has most of Node, and complains to the user where it has not. */
export const inBun = (): boolean => attempt(() => host.process?.versions?.bun !== undefined) ?? false;

/** Whether workers may be started, as far as Node tells. */
export const workersAllowed = (): boolean => attempt(() => host.process?.permission?.has("worker")) ?? true;

/** Milliseconds since some moment; for differences. */
export const milliseconds = (): number => attempt(() => globalThis.performance?.now()) ?? Date.now();

/** Threads a machine runs at once. */
export const cores = (): number =>
  attempt(() => nodeModule("node:os")?.availableParallelism()) ?? attempt(() => globalThis.navigator?.hardwareConcurrency) ?? 1;

/** Runs `f` after timers, signals and sockets had a turn; where the language alone is there, which has no event loop, at once. */
export function macrotask(f: () => void): void {
  if (typeof setImmediate === "function") setImmediate(f);
  else if (typeof MessageChannel === "undefined") {
    if (typeof setTimeout === "function") setTimeout(f);
    else f();
  } else {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      f();
    };
    port2.postMessage(0);
  }
}
