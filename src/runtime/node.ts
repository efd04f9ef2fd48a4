/** The modules of Node that native code needs. */
import { environment, granted, nodeModule } from "../core/host.ts";

/** Why machine code cannot be made here, "" where this is Node, so that the modules below are there. */
export function whyNoNode(): string {
  if (!nodeModule("node:module")) return "only Node can load machine code";
  const missing = (["env", "read", "write", "run", "ffi", "sys"] as const).filter((name) => !granted({ name }));
  return missing.length ? `it needs Deno's permissions ${missing.map((name) => `--allow-${name}`).join(" ")}` : "";
}

export type Variables = Readonly<Record<string, string | undefined>>;

/** Variables of the environment, as far as they may be read. */
export const variables = (...names: readonly string[]): Variables => Object.fromEntries(names.map((name) => [name, environment(name)]));

/** To be touched in Node only. */
export const node = {
  get childProcess() {
    return nodeModule("node:child_process")!;
  },
  get crypto() {
    return nodeModule("node:crypto")!;
  },
  get fs() {
    return nodeModule("node:fs")!;
  },
  get module() {
    return nodeModule("node:module")!;
  },
  get os() {
    return nodeModule("node:os")!;
  },
  get path() {
    return nodeModule("node:path")!;
  },
};
