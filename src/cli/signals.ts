import type { Output } from "./output.ts";

export interface Stop {
  readonly signal: AbortSignal;
  /** What the process should exit with when it was stopped: 128 + the signal's number. */
  readonly exitCode: number;
}

const CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** The first signal ends the work after the present step, with everything saved; a second one ends the process at once. */
export function stopOnSignals(output: Output): Stop {
  const controller = new AbortController();
  let exitCode = 130;
  const stop = (code: number, why: string): void => {
    if (controller.signal.aborted) process.exit(code);
    exitCode = code;
    output.warn(`${why}: saving, then stopping (again to stop at once)`);
    controller.abort();
  };
  for (const [name, code] of Object.entries(CODES)) process.on(name, () => stop(code, name));
  // Who reads our output has gone: 141 is what the signal SIGPIPE would give.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    exitCode = 141;
    controller.abort();
  });
  return {
    signal: controller.signal,
    get exitCode() {
      return exitCode;
    },
  };
}
