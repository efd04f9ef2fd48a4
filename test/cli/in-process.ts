/** The command line in the test's own process: quick, for all that is not about the process itself, its signals, streams and end. */
import { fileURLToPath } from "node:url";
import { vi } from "vitest";
import { main } from "../../src/cli/main.ts";
import type { Ended } from "./start.ts";

/** A recipe that trains in a moment, as a module of the sources: a process cannot have it, nor we that of the built library. */
export const SOURCE_RECIPE = fileURLToPath(new URL("recipe-for-tests.ts", import.meta.url));

/** What a command that trains listens to, as long as its process lives. */
const LISTENED = [
  ...(["SIGINT", "SIGTERM", "SIGHUP"] as const).map((event) => ({ on: process as NodeJS.EventEmitter, event })),
  { on: process.stdout as NodeJS.EventEmitter, event: "error" },
];

/** Puts back the listeners of now. */
function keepingListeners(): () => void {
  const before = LISTENED.map(({ on, event }) => on.listeners(event));
  return () =>
    LISTENED.forEach(({ on, event }, i) => {
      for (const listener of on.listeners(event)) if (!before[i]!.includes(listener)) on.off(event, listener as () => void);
    });
}

export async function inProcess(...words: string[]): Promise<Ended> {
  const spies = [process.stdout, process.stderr].map((stream) => vi.spyOn(stream, "write").mockImplementation(() => true));
  const written = (i: number): string => spies[i]!.mock.calls.map(([chunk]) => String(chunk)).join("");
  const before = process.exitCode;
  const putBack = keepingListeners();
  process.exitCode = 0;
  vi.stubEnv("GRADUS_DATA", "").stubEnv("npm_command", "");
  try {
    await main(words);
    return { code: Number(process.exitCode), out: written(0), err: written(1) };
  } finally {
    putBack();
    process.exitCode = before;
    vi.unstubAllEnvs();
    for (const spy of spies) spy.mockRestore();
  }
}

/** The same in a folder, one command after another. */
export async function inFolder(folder: string, ...words: string[]): Promise<Ended> {
  const before = process.cwd();
  process.chdir(folder);
  try {
    return await inProcess(...words);
  } finally {
    process.chdir(before);
  }
}
