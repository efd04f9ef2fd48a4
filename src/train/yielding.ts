import { macrotask, milliseconds } from "../core/host.ts";

/**
 * Gives the event loop a turn about every 30 ms: awaiting a promise that is resolved already does not let signals, timers or
 * requests in, a macrotask does.
 */
export class Yielding {
  private last = milliseconds();

  async now(): Promise<void> {
    if (milliseconds() - this.last < 30) return;
    await new Promise<void>(macrotask);
    this.last = milliseconds();
  }
}

/** True for what is thrown because the signal was given: no failure. */
export const isStop = (error: unknown, signal: AbortSignal | undefined): boolean => signal?.aborted === true && error === signal.reason;
