/** Letting others in: a loop that only awaits results would starve timers, signals and sockets, since promises alone never leave the microtask queue. */
import { milliseconds } from "../core/host.ts";

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

function macrotask(f: () => void): void {
  if (typeof setImmediate === "function") setImmediate(f);
  else if (typeof MessageChannel === "undefined") {
    // The language alone has no event loop that could be let on.
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
