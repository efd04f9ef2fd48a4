/** The workers of a WebAssembly device: started, told what to do through the control block, and replaced when one has died. */
import { DeviceError } from "../core/errors.ts";
import { inBun, nodeModule, milliseconds as now } from "../core/host.ts";
import type { Heap } from "./heap.ts";
import { COMMAND, CONTROL, controlBytes } from "./wasm-stepper.ts";
import { type KernelsMessage, WORKER_SOURCE, type WorkerMessage } from "./wasm-worker.ts";

/** A worker of Node or of a browser. */
interface WorkerHandle {
  readonly post: (message: WorkerMessage) => void;
  /** Resolves when it has stopped. */
  readonly terminate: () => Promise<unknown>;
  /** Whether it is known to have ended, though no event has said so yet. `systemThread`: its number, 0 where that is unknown. */
  readonly gone: (systemThread: number) => boolean;
}

interface Listener {
  readonly died: (why: string) => void;
}

function startWorker(listener: Listener): WorkerHandle {
  const threads = nodeModule("node:worker_threads");
  if (!threads) return startBrowserWorker(listener);
  // Without execArgv a worker would load what the process was started with, as a TypeScript loader.
  const worker = new threads.Worker(WORKER_SOURCE, { eval: true, execArgv: [] });
  worker.on("error", (error) => listener.died(error instanceof Error ? error.message : String(error)));
  worker.on("exit", () => listener.died("it has ended"));
  worker.unref();
  return {
    post: (message) => worker.postMessage(message),
    terminate: () => worker.terminate(),
    // Node answers −1 for a worker that is stopped, 0 for one that it does not know yet; Linux knows all threads. Bun prints that it cannot answer.
    gone: (systemThread) =>
      (!inBun() && (worker.performance?.eventLoopUtilization?.().idle ?? 0) < 0) ||
      (systemThread > 0 && !nodeModule("node:fs")?.existsSync(`/proc/self/task/${systemThread}`)),
  };
}

let url: string | undefined;

function startBrowserWorker(listener: Listener): WorkerHandle {
  // One for all workers, kept: it must stay until the last of them has read it.
  url ??= URL.createObjectURL(new Blob([WORKER_SOURCE], { type: "text/javascript" }));
  const worker = new Worker(url);
  worker.onerror = (event) =>
    listener.died(event.message ?? "the page does not let it start; its Content-Security-Policy needs worker-src blob:");
  return {
    post: (message) => worker.postMessage(message),
    terminate: () => {
      worker.terminate();
      // Nobody says when it has stopped.
      return new Promise(() => {});
    },
    gone: () => false,
  };
}

/** After so many, no more are started: something outside kills them. */
const MOST_DEATHS = 20;

/** How often the device looks for workers that are gone, in milliseconds. */
const LOOK_EVERY = 100;

export interface TeamOptions {
  readonly heap: Heap;
  readonly stepper: WebAssembly.Module;
  readonly threads: number;
  /** How long nothing may move before a thread is taken for dead, in milliseconds. */
  readonly patience: number;
}

export class Team {
  /** Address of the control block. */
  control: number;
  private readonly options: TeamOptions;
  /** All kernels so far: a worker that is started later needs them too. */
  private readonly kernels: KernelsMessage[] = [];
  private workers: WorkerHandle[] = [];
  private cells: Int32Array;
  private posted = 0;
  private death: string | undefined;
  private deaths = 0;
  /** Whether all workers have been seen at work since they were started. */
  private met = false;
  /** Whether that was so at any time. */
  private worked = false;
  private looked = 0;

  constructor(options: TeamOptions) {
    this.options = options;
    [this.control, this.cells] = this.makeControl();
    try {
      this.startWorkers();
    } catch (error) {
      this.stop();
      throw error;
    }
  }

  /** A page whose workers die before they were ever seen at work forbids them: its policy would be broken, and reported, again and again. */
  private get hopeless(): boolean {
    return !this.worked && !nodeModule("node:worker_threads");
  }

  /** Why no worker runs, "" while they may. */
  get trouble(): string {
    return this.death ?? "";
  }

  /** Gives kernels to all workers. */
  add(message: KernelsMessage): void {
    this.kernels.push(message);
    this.post(() => message);
  }

  /** Whether all workers have everything they were sent; waits for that up to so many milliseconds. */
  ready(milliseconds: number): boolean {
    const start = now();
    const end = start + milliseconds;
    if (start - this.looked > LOOK_EVERY) this.deserted();
    if (this.death !== undefined) {
      if (this.hopeless || this.deaths > MOST_DEATHS) return false;
      this.restart();
      if (this.trouble) return false;
    }
    const all = this.posted * this.workers.length;
    for (;;) {
      const handled = Atomics.load(this.cells, CONTROL.handled >> 2);
      if (handled === all) {
        this.met = this.worked = true;
        return true;
      }
      const left = end - now();
      // A browser starts no worker while the one that asked for it blocks.
      if (left <= 0 || (!this.met && !nodeModule("node:worker_threads")) || this.deserted()) return false;
      try {
        Atomics.wait(this.cells, CONTROL.handled >> 2, handled, Math.min(left, LOOK_EVERY));
      } catch {
        // A browser's main thread must not wait.
        return false;
      }
    }
  }

  /** Has all workers walk a table; they must be ready. The caller is thread 0. */
  begin(table: number): void {
    if (this.cells[CONTROL.epoch >> 2]! > 2 ** 30) this.countAgain();
    this.cells[CONTROL.table >> 2] = table;
    this.command(COMMAND.run);
  }

  private countAgain(): void {
    this.cells[CONTROL.epoch >> 2] = 0;
    for (let thread = 0; thread < this.options.threads; thread++) {
      const counter = (CONTROL.counters + 64 * thread) >> 2;
      this.cells.fill(0, counter, counter + 2);
    }
  }

  /**
   * Whether a worker is dead. For a thread that waits: events that would tell it arrive only when it goes back to its event loop.
   * A run that has lost a thread never ends by itself.
   */
  deserted(): boolean {
    this.looked = now();
    if (this.death === undefined && this.workers.some((worker, i) => worker.gone(this.systemThread(1 + i)))) this.bury("it has ended");
    return this.death !== undefined;
  }

  private systemThread(thread: number): number {
    return this.cells[(CONTROL.counters + 64 * thread + CONTROL.systemThread) >> 2]!;
  }

  private bury(why: string): void {
    if (this.death === undefined) this.deaths++;
    this.death ??= why;
  }

  /** Makes the workers leave their run at the next barrier. */
  abort(): void {
    Atomics.store(this.cells, CONTROL.aborted >> 2, 1);
    Atomics.notify(this.cells, CONTROL.generation >> 2);
  }

  /** Why the last run was aborted. */
  failure(): string {
    const length = this.cells[CONTROL.messageLength >> 2]!;
    if (length === 0) return this.death === undefined ? "one of its threads no longer answers" : `one of its workers died: ${this.death}`;
    const bytes = new Uint8Array(this.options.heap.memory.buffer, this.control + CONTROL.message, length);
    return new TextDecoder().decode(bytes.slice());
  }

  /** New workers and a new control block, so that old ones, wherever they are, disturb nobody. */
  restart(): void {
    this.stop();
    [this.control, this.cells] = this.makeControl();
    try {
      this.startWorkers();
    } catch (error) {
      // The system has no more threads. Programs run on the calling one.
      this.bury(error instanceof Error ? error.message : String(error));
      this.deaths = MOST_DEATHS + 1;
    }
    for (const message of this.kernels) this.post(() => message);
  }

  /** Stops all workers. */
  stop(): void {
    const { control } = this;
    const workers = this.workers;
    this.workers = [];
    this.abort();
    void Promise.all(workers.map((worker) => worker.terminate())).then(() => this.options.heap.free(control));
  }

  private startWorkers(): void {
    const { heap, stepper, threads } = this.options;
    this.death = undefined;
    this.met = false;
    this.posted = 0;
    for (let thread = 1; thread < threads; thread++) this.workers.push(this.startOne(this.control));
    this.post((i) => ({ start: { memory: heap.memory, stepper, control: this.control, thread: 1 + i, threads } }));
  }

  private startOne(control: number): WorkerHandle {
    return startWorker({
      died: (why) => {
        // Those of an earlier team were sent away.
        if (this.control !== control || this.workers.length === 0) return;
        this.bury(why);
        this.abort();
      },
    });
  }

  private post(message: (i: number) => WorkerMessage): void {
    this.workers.forEach((worker, i) => {
      worker.post(message(i));
    });
    Atomics.store(this.cells, CONTROL.posted >> 2, ++this.posted);
    this.command(COMMAND.messages);
  }

  private command(kind: number): void {
    const at = CONTROL.sequence >> 2;
    const next = (this.cells[at]! & ~COMMAND.kinds) + COMMAND.next;
    Atomics.store(this.cells, at, next | kind);
    Atomics.notify(this.cells, at);
  }

  private makeControl(): [number, Int32Array] {
    const { heap, threads, patience } = this.options;
    if (!heap.shared)
      throw new DeviceError("wasm: threads need a shared memory", { help: "use one thread, or serve the page with COOP and COEP headers" });
    const bytes = controlBytes(threads);
    const control = heap.allocate(bytes, "the control block of threads");
    heap.clear(control, bytes);
    const cells = new Int32Array(heap.memory.buffer, control, bytes >> 2);
    cells[CONTROL.patience >> 2] = Math.ceil(patience / 100);
    return [control, cells];
  }
}
