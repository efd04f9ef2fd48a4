/** Letting others in: a loop that only awaits results would starve timers, signals and sockets, since promises alone never leave the microtask queue. */
import { macrotask, milliseconds } from "./host.ts";

/** Milliseconds of work after which the event loop gets a turn. */
const SLICE = 10;
let last = milliseconds();

/** Undefined where the event loop had its turn a moment ago, else a promise for after its next one. */
export function pause(): Promise<void> | undefined {
  if (milliseconds() - last < SLICE) return undefined;
  return new Promise((resolve) => {
    macrotask(() => {
      last = milliseconds();
      resolve();
    });
  });
}
