import { wrap } from "./layout.ts";
import type { Output } from "./output.ts";

export interface Stop {
  readonly signal: AbortSignal;
  /** What the process should exit with when it was stopped: 128 + the signal's number. */
  readonly exitCode: number;
  /** True if standard output cannot be written, although somebody wants it. */
  readonly isMute: boolean;
  /** What the work comes to; undefined if it was stopped before there was anything to save. */
  unlessStopped<T>(work: Promise<T>): Promise<T | undefined>;
}

/** 141 is what the signal SIGPIPE would give: who read our output has gone. Anything else is a failure. */
export const codeOfLostOutput = (error: NodeJS.ErrnoException): number => (error.code === "EPIPE" ? 141 : 1);

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
  // Nobody hears what comes of the work: it is saved, and ends.
  let isMute = false;
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    isMute = error.code !== "EPIPE";
    exitCode = codeOfLostOutput(error);
    controller.abort();
  });
  return {
    signal: controller.signal,
    get exitCode() {
      return exitCode;
    },
    get isMute() {
      return isMute;
    },
    unlessStopped: (work) =>
      work.catch((error: unknown) => {
        if (!controller.signal.aborted || error !== controller.signal.reason) throw error;
        output.line(wrap("interrupted before anything was trained: nothing is kept", output.columns, "  "));
        process.exitCode = exitCode;
        return undefined;
      }),
  };
}
