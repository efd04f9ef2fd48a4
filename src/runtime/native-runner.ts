/** The native device: kernels as machine code from the system's C compiler, run by a pool of threads over the shared heap. */
import { ArgumentError, DeviceError } from "../core/errors.ts";
import { cores } from "../core/host.ts";
import type { Buffer, Program } from "../kernel/program.ts";
import { loopTarget } from "../lower/loops/target.ts";
import type { Target } from "../lower/target.ts";
import { Heap } from "./heap.ts";
import { LinkedProgram, ScratchArena } from "./link.ts";
import type { NativeCache } from "./native-cache.ts";
import { NativeCompiler } from "./native-compiler.ts";
import { FINISHED } from "./native-shim.ts";
import { type LoadedProgram, type LoadOptions, type Runner, type Status, WORK_FOR_THREADS } from "./runner.ts";

export interface NativeRunnerOptions {
  readonly heap?: Heap | undefined;
  /** Threads, the caller's among them. Default: one per core. */
  readonly threads?: number | undefined;
  /** Bytes of the vectors kernels use. Default: what is the fastest here. */
  readonly vectorBytes?: 16 | 32 | 64 | undefined;
  /** Where compiled kernels are kept. Default: the user's cache directory. */
  readonly cache?: NativeCache | undefined;
}

export class NativeRunner implements Runner {
  readonly name = "native";
  readonly target: Target;
  readonly heap: Heap;
  readonly threads: number;
  readonly compiler: NativeCompiler;
  private readonly arena: ScratchArena;
  private readonly numbers = new Map<number, number>();
  private pool: number;
  private heapBuffer: ArrayBufferLike | undefined;

  /** Throws DeviceError where there is no C compiler. */
  constructor({ heap = new Heap(), threads = cores(), cache, vectorBytes }: NativeRunnerOptions = {}) {
    if (!Number.isInteger(threads) || threads < 1) throw new ArgumentError(`native: ${threads} is not a number of threads`);
    this.compiler = new NativeCompiler(cache);
    this.heap = heap;
    this.pool = this.shim.openPool(threads);
    if (!this.pool) throw new DeviceError("native: there is no memory for a pool of threads");
    this.threads = this.shim.poolThreads(this.pool);
    this.arena = new ScratchArena(heap, this.threads);
    // A memory that is not shared may move when it grows.
    if (heap.shared) this.shim.useLargePages(new Uint8Array(heap.memory.buffer), heap.maximumBytes);
    const { registers } = this.compiler.toolchain;
    // Two vectors for each row of the tile, and some left for operands.
    const tile = { rows: registers === 32 ? 14 : 6, vectors: 2, nested: true };
    this.target = loopTarget({ vectorBytes: vectorBytes ?? this.compiler.vectorBytes, tile, depth: 256 });
  }

  private get shim() {
    return this.compiler.shim;
  }

  load(program: Program, addresses: (buffer: Buffer) => number, { threads }: LoadOptions = {}): LoadedProgram {
    this.open();
    const kernels = this.compiler.functions(program.codes).map((address) => this.numberOf(address));
    this.arena.reserve(program);
    const linked = new LinkedProgram(program, this.heap, this.threads);
    const places = { addresses, arena: this.arena, kernels };
    try {
      linked.link(places);
    } catch (error) {
      linked.dispose();
      throw error;
    }
    const count = (threads ?? (program.work < WORK_FOR_THREADS ? "one" : "all")) === "one" ? 1 : this.threads;
    return new NativeProgram(this, linked, () => linked.link(places), count);
  }

  /** Runs a table; the linked program says whether a check failed. */
  run(linked: LinkedProgram, link: () => void, threads: number): Status {
    this.prepare(linked, link);
    return this.status(linked, this.shim.run(this.pool, linked.table, threads));
  }

  private closed = false;

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.shim.closePool(this.pool);
    this.pool = 0;
    this.arena.dispose();
  }

  private open(): void {
    if (this.closed) throw new DeviceError("native: the device is closed");
  }

  private prepare(linked: LinkedProgram, link: () => void): void {
    this.open();
    const { buffer } = this.heap.memory;
    if (buffer !== this.heapBuffer) {
      this.heapBuffer = buffer;
      this.shim.setHeap(this.pool, new Uint8Array(buffer, 0, 1));
    }
    if (linked.stale(this.arena)) link();
  }

  private status(linked: LinkedProgram, result: number): Status {
    const status = linked.status();
    if (status.ok && result !== FINISHED) throw new DeviceError("native: a program stopped without a failed check");
    return status;
  }

  private numberOf(address: number): number {
    let number = this.numbers.get(address);
    if (number === undefined) {
      number = this.shim.addKernel(this.pool, address);
      if (number < 0) throw new DeviceError("native: there is no memory for the table of kernels");
      this.numbers.set(address, number);
    }
    return number;
  }
}

class NativeProgram implements LoadedProgram {
  private readonly device: NativeRunner;
  private readonly linked: LinkedProgram;
  private readonly link: () => void;
  private readonly threads: number;
  private disposed = false;

  constructor(device: NativeRunner, linked: LinkedProgram, link: () => void, threads: number) {
    this.device = device;
    this.linked = linked;
    this.link = link;
    this.threads = threads;
  }

  run(): Status {
    this.check();
    return this.device.run(this.linked, this.link, this.threads);
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.linked.dispose();
  }

  private check(): void {
    if (this.disposed) throw new DeviceError("native: the program was disposed of");
  }
}
