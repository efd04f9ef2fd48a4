/** A worker that does one task and answers what came of it. */
import { type Tasks, tasks } from "./tasks.ts";

self.onmessage = async ({ data }: MessageEvent<{ name: keyof Tasks; options: object }>) => {
  try {
    self.postMessage({ result: await (tasks[data.name] as (options: object) => Promise<unknown>)(data.options) });
  } catch (error) {
    self.postMessage({ error: error instanceof Error ? `${error.message}\n${error.stack}` : String(error) });
  }
};
