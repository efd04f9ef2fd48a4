/** The WebAssembly device: runs anywhere, on as many threads as the memory can be shared with. */
import { ArgumentError, DeviceError, type GradusError } from "../core/errors.ts";
import { cores } from "../core/host.ts";
import type { Buffer, Code, Program } from "../kernel/program.ts";
import { loopTarget } from "../lower/loops/target.ts";
import { entryName, renderWasm } from "../render/wasm.ts";
import { Heap } from "./heap.ts";
import { LinkedProgram, ScratchArena } from "./link.ts";
import { type LoadedProgram, type LoadOptions, type Runner, type Status, WORK_FOR_THREADS } from "./runner.ts";
import { Team, type TeamOptions } from "./threads.ts";
import { hasRelaxedSimd, whyOneThread } from "./wasm-features.ts";
import { controlBytes, OUTCOME, renderStepper, type Stepper } from "./wasm-stepper.ts";

export interface WasmRunnerOptions {
  readonly heap?: Heap | undefined;
  /** Default: the machine's cores; always 1 where memory cannot be shared, or where the calling thread works and must not block. */
  readonly threads?: number | undefined;
  /** Whether to use the fused multiply-add where the engine has it. Default: true. */
  readonly relaxed?: boolean | undefined;
  /** Milliseconds in which no thread moves until one is taken for dead. */
  readonly patience?: number | undefined;
}

/** Above this many operations a program waits for workers that are still starting; others run on one thread meanwhile, to the same bits. */
const WORK_TO_WAIT_FOR = 20_000_000;
const START_LIMIT = 20_000;
const PATIENCE = 30_000;

const TARGET = loopTarget({ vectorBytes: 16, tile: { rows: 5, vectors: 2, nested: false }, depth: 256 });

export class WasmRunner implements Runner {
  readonly name = "wasm";
  readonly target = TARGET;
  readonly heap: Heap;
  readonly threads: number;
  readonly relaxed: boolean;
  private readonly arena: ScratchArena;
  private readonly table = new WebAssembly.Table({ initial: 64, element: "anyfunc" });
  private readonly numbers = new Map<string, number>();
  private readonly stepper: Stepper;
  private readonly team: Team | undefined;
  /** Why there is one thread, where more were asked for. */
  private reason: string;
  /** Control block of runs on the calling thread alone. */
  private readonly control: number;
  private closed = false;

  constructor({ heap = new Heap(), threads = cores(), relaxed = true, patience = PATIENCE }: WasmRunnerOptions = {}) {
    if (!Number.isInteger(threads) || threads < 1) throw new ArgumentError(`wasm: ${threads} is not a number of threads`);
    this.heap = heap;
    this.reason = threads > 1 ? whyOneThread(heap.shared) : "";
    this.relaxed = relaxed && hasRelaxedSimd();
    this.control = heap.allocate(controlBytes(1), "a control block");
    heap.clear(this.control, controlBytes(1));
    const stepper = new WebAssembly.Module(renderStepper(heap.shared));
    this.stepper = new WebAssembly.Instance(stepper, this.imports()).exports as unknown as Stepper;
    if (this.reason === "" && threads > 1) this.team = this.startTeam({ heap, stepper, threads, patience });
    this.threads = this.team ? threads : 1;
    this.arena = new ScratchArena(heap, this.threads);
  }

  /** Workers, or undefined where the host lets none start: then everything runs on this thread, to the same bits. */
  private startTeam(options: TeamOptions): Team | undefined {
    try {
      return new Team(options);
    } catch (error) {
      this.reason = `no worker can be started: ${error instanceof Error ? error.message : String(error)}`;
      return undefined;
    }
  }

  get note(): string {
    const trouble = this.team?.trouble;
    return this.reason || (trouble ? `no worker runs: ${trouble}` : "");
  }

  load(program: Program, addresses: (buffer: Buffer) => number, options: LoadOptions = {}): LoadedProgram {
    this.checkOpen();
    const kernels = this.kernels(program.codes);
    this.arena.reserve(program);
    const linked = new LinkedProgram(program, this.heap, this.threads);
    const together = this.threads > 1 ? (options.threads ?? (program.work < WORK_FOR_THREADS ? "one" : "all")) : "one";
    const patience = options.threads === "all" || program.work >= WORK_TO_WAIT_FOR ? START_LIMIT : 0;
    let disposed = false;
    const prepare = (): boolean => {
      this.checkOpen();
      if (disposed) throw new DeviceError("wasm: this program was disposed of");
      if (linked.stale(this.arena)) linked.link({ addresses, arena: this.arena, kernels });
      return together === "all" && this.team !== undefined && this.team.ready(patience);
    };
    return {
      run: () => this.finish(linked, prepare() ? this.runTogether(linked.table) : this.runAlone(linked.table)),
      dispose: () => {
        if (!disposed) linked.dispose();
        disposed = true;
      },
    };
  }

  /** Resolves when all workers have started; programs run before that too. */
  async ready(): Promise<void> {
    while (this.team && !this.closed && !this.team.ready(0)) await new Promise((resolve) => setTimeout(resolve, 1));
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.team?.stop();
    this.arena.dispose();
    this.heap.free(this.control);
  }

  private runAlone(table: number): number {
    try {
      return this.stepper.run(table, this.control, 0, 1);
    } catch (error) {
      throw trapped(error);
    }
  }

  private runTogether(table: number): number {
    const team = this.team!;
    team.begin(table);
    try {
      return this.stepper.run(table, team.control, 0, this.threads);
    } catch (error) {
      team.restart();
      throw trapped(error);
    }
  }

  private finish(linked: LinkedProgram, outcome: number): Status {
    if (outcome !== OUTCOME.aborted) return linked.status();
    linked.clearChecks();
    const why = this.team!.failure();
    this.team!.restart();
    throw new DeviceError("wasm: a program was stopped", {
      why,
      help: "the device has started new threads; what the program writes is undefined",
    });
  }

  /** For each code, its number in the table of functions; those not met before are compiled, into one module. */
  private kernels(codes: readonly Code[]): number[] {
    const missing = [...new Map(codes.filter(({ key }) => !this.numbers.has(key)).map((code) => [code.key, code])).values()];
    if (missing.length) this.compile(missing);
    return codes.map(({ key }) => this.numbers.get(key)!);
  }

  private compile(codes: readonly Code[]): void {
    const first = this.numbers.size;
    const module = new WebAssembly.Module(renderWasm(codes, { relaxed: this.relaxed, shared: this.heap.shared }));
    const { exports } = new WebAssembly.Instance(module, this.imports());
    while (this.table.length < first + codes.length) this.table.grow(this.table.length);
    const names = codes.map((_, i) => entryName(i));
    codes.forEach(({ key }, i) => {
      this.table.set(first + i, exports[names[i]!] as () => void);
      this.numbers.set(key, first + i);
    });
    this.team?.add({ kernels: { module, names, first } });
  }

  private imports(): WebAssembly.Imports {
    return { env: { memory: this.heap.memory, table: this.table, deserted: () => Number(this.team?.deserted() ?? false) } };
  }

  private checkOpen(): void {
    if (this.closed) throw new DeviceError("wasm: the device is closed");
  }
}

const trapped = (error: unknown): GradusError =>
  new DeviceError("wasm: a kernel trapped", { why: error instanceof Error ? error.message : String(error), cause: error });
