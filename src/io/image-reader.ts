/** Images read by workers, away from the thread that trains. */
import { DeviceError, FormatError, GradusError } from "../core/errors.ts";
import { nodeModule, workersAllowed } from "../core/host.ts";
import { ownFolder } from "../core/site.ts";
import { type ImageTask, readTask } from "./image-planes.ts";
import type { ImageAnswer, ImageQuestion, StoredError } from "./image-worker.ts";

interface Open {
  readonly question: ImageQuestion;
  readonly resolve: (data: Float32Array) => void;
  readonly reject: (error: unknown) => void;
}

type NodeWorker = import("node:worker_threads").Worker;

/**
 * Reads images in workers, or where there are none (a page, a bundle, a host that forbids them) on the thread that asks; the numbers are the same. Workers
 * are started when they are needed, end when they are not, and do not keep the process alive.
 */
export class ImageReader {
  readonly count: number;
  private readonly workers: (Reader | undefined)[] = [];
  private next = 0;
  /** How many ended that nobody had ended. */
  private deaths = 0;

  constructor(count: number) {
    this.count = count;
  }

  /** [images, channels, height, width], float32. @throws FormatError that names the file */
  async read(task: ImageTask): Promise<Float32Array> {
    const at = this.next++ % this.count;
    if (this.workers[at]?.rested) this.workers[at] = undefined;
    const worker = this.deaths < MOST_DEATHS ? (this.workers[at] ??= Reader.start()) : undefined;
    if (!worker) return readTask(task);
    try {
      return await worker.ask(task);
    } catch (error) {
      if (!(error instanceof Gone)) throw error;
      // It ended, for a reason that is not the image's: another one, or this thread, reads on.
      if (this.workers[at] === worker) {
        this.workers[at] = undefined;
        this.deaths++;
      }
      return readTask(task);
    }
  }

  /** Ends the workers. Reading goes on with new ones. */
  close(): void {
    for (const worker of this.workers.splice(0)) worker?.end();
  }
}

/** After so many, no more are started: something outside ends them, or they cannot be loaded. */
const MOST_DEATHS = 10;

/** Thrown for what a worker had not answered when it ended. */
class Gone extends Error {}

/** A worker that was asked nothing for so many milliseconds ends, and gives its memory back. */
const REST = 2000;

/** One worker. */
class Reader {
  private readonly worker: NodeWorker;
  private readonly open = new Map<number, Open>();
  private asked = 0;
  private gone = false;
  /** True if it was ended because nobody asked it anything any more. */
  rested = false;
  private rest: ReturnType<typeof setTimeout> | undefined;

  private constructor(worker: NodeWorker) {
    this.worker = worker;
    worker.on("message", (answer: ImageAnswer) => this.answered(answer));
    worker.on("error", () => this.ended());
    worker.on("exit", () => this.ended());
    worker.unref();
  }

  /** Undefined where no worker can be started from a file of the library's own. */
  static start(): Reader | undefined {
    const threads = nodeModule("node:worker_threads");
    const folder = ownFolder();
    if (!threads || !folder || !workersAllowed()) return undefined;
    try {
      return new Reader(new threads.Worker(new URL("io/image-worker.js", folder), { execArgv: [] }));
    } catch {
      return undefined;
    }
  }

  ask(task: ImageTask): Promise<Float32Array> {
    if (this.gone) return Promise.reject(new Gone());
    return new Promise((resolve, reject) => {
      const question = { id: this.asked++, task };
      this.open.set(question.id, { question, resolve, reject });
      clearTimeout(this.rest);
      // The process waits for an answer, not for a worker that has nothing to do.
      this.worker.ref();
      this.worker.postMessage(question);
    });
  }

  private answered(answer: ImageAnswer): void {
    const asked = this.open.get(answer.id);
    this.open.delete(answer.id);
    if (this.open.size === 0) {
      this.worker.unref();
      this.rest = setTimeout(() => {
        this.rested = true;
        this.end();
      }, REST);
      this.rest.unref();
    }
    if ("data" in answer) asked?.resolve(answer.data);
    else asked?.reject(restored(answer.error));
  }

  private ended(): void {
    this.gone = true;
    for (const { reject } of this.open.values()) reject(new Gone());
    this.open.clear();
  }

  end(): void {
    clearTimeout(this.rest);
    this.ended();
    void this.worker.terminate();
  }
}

/** The error that a worker met, as if it had been met here. */
function restored({ name, what, why, help }: StoredError): GradusError {
  const details = { why, help };
  if (name === "FormatError") return new FormatError(what, details);
  return name === "DeviceError" ? new DeviceError(what, details) : new GradusError(what, details);
}
