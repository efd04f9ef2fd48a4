/** The command line in the test's own process: quick, for what does not take the process's signals. */
import { vi } from "vitest";
import { main } from "../../src/cli/main.ts";
import type { Ended } from "./start.ts";

export async function inProcess(...words: string[]): Promise<Ended> {
  const spies = [process.stdout, process.stderr].map((stream) => vi.spyOn(stream, "write").mockImplementation(() => true));
  const written = (i: number): string => spies[i]!.mock.calls.map(([chunk]) => String(chunk)).join("");
  const before = process.exitCode;
  process.exitCode = 0;
  try {
    await main(words);
    return { code: Number(process.exitCode), out: written(0), err: written(1) };
  } finally {
    process.exitCode = before;
    for (const spy of spies) spy.mockRestore();
  }
}
