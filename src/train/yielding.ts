import { milliseconds } from "../core/host.ts";

/**
 * Gives the event loop a turn about every 30 ms: awaiting a promise that is resolved already does not let signals, timers or
 * requests in, a macrotask does.
 */
export class Yielding {
  private last = milliseconds();

  async now(): Promise<void> {
    if (milliseconds() - this.last < 30) return;
    await macrotask();
    this.last = milliseconds();
  }
}

export function macrotask(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === "function") return void setImmediate(resolve);
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(0);
  });
}

/** True for what is thrown because the signal was given: no failure. */
export const isStop = (error: unknown, signal: AbortSignal | undefined): boolean => signal?.aborted === true && error === signal.reason;
