/** Modules of Node, reached without an import, so that browsers and their bundlers never meet one. */

interface NodeProcess {
  getBuiltinModule?(name: string): unknown;
}

/** A module of Node, or undefined in a browser. */
export function nodeModule<T>(name: string): T | undefined {
  const node = (globalThis as { process?: NodeProcess }).process;
  return node?.getBuiltinModule?.(name) as T | undefined;
}

/** Whether this is Node, so that the modules below are there. */
export const inNode = (): boolean => nodeModule("node:module") !== undefined;

/** The modules that native code needs. To be touched in Node only. */
export const node = {
  get childProcess() {
    return nodeModule<typeof import("node:child_process")>("node:child_process")!;
  },
  get crypto() {
    return nodeModule<typeof import("node:crypto")>("node:crypto")!;
  },
  get fs() {
    return nodeModule<typeof import("node:fs")>("node:fs")!;
  },
  get module() {
    return nodeModule<typeof import("node:module")>("node:module")!;
  },
  get os() {
    return nodeModule<typeof import("node:os")>("node:os")!;
  },
  get path() {
    return nodeModule<typeof import("node:path")>("node:path")!;
  },
};
