/** What the page does: runs tasks itself or in a worker, and watches how long its event loop stands still meanwhile. */
import { type Tasks, tasks } from "./tasks.ts";

export type Result<T extends keyof Tasks> = Awaited<ReturnType<Tasks[T]>>;

export interface Watched<R> {
  readonly result: R;
  /** Longest time between two turns of the page's event loop, the time in all, and how many turns there were. */
  readonly longest: number;
  readonly whole: number;
  readonly turns: number;
}

/** Runs a task in this thread. */
export function inPage<T extends keyof Tasks>(name: T, options: object = {}): Promise<Watched<Result<T>>> {
  return watch((tasks[name] as (options: object) => Promise<Result<T>>)(options));
}

/** Runs a task in a worker, as an application should. */
export function inWorker<T extends keyof Tasks>(name: T, options: object = {}): Promise<Watched<Result<T>>> {
  const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  const result = new Promise<Result<T>>((resolve, reject) => {
    worker.onmessage = ({ data }) => ("error" in data ? reject(new Error(data.error)) : resolve(data.result));
    worker.onerror = (event) => reject(new Error(`the worker failed: ${event.message}`));
    worker.postMessage({ name, options });
  });
  return watch(result).finally(() => worker.terminate());
}

async function watch<R>(result: Promise<R>): Promise<Watched<R>> {
  const begun = performance.now();
  let [last, longest, turns] = [begun, 0, 0];
  const timer = setInterval(() => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    turns++;
  }, 4);
  try {
    return { result: await result, longest, whole: performance.now() - begun, turns };
  } finally {
    clearInterval(timer);
  }
}
