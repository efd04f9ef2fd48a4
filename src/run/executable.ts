/** A scheduled program with its places in the heap, ready to run. */
import { bytesOf, type TypedArray } from "../core/dtype.ts";
import { type GradusError, MemoryError, NonFiniteError, outOfRange, type Site, unfitMatrix } from "../core/errors.ts";
import { sizeOf } from "../core/shape.ts";
import type { Value } from "../graph/op.ts";
import type { Buffer, Check, Program } from "../kernel/program.ts";
import { lower } from "../lower/index.ts";
import type { Target } from "../lower/target.ts";
import { optimise } from "../passes/index.ts";
import type { LoadedProgram, Runner, Status } from "../runtime/runner.ts";
import { type Scheduled, schedule } from "../schedule/index.ts";
import type { Cell } from "./holder.ts";
import { KeptResults, roomToKeep } from "./setup.ts";
import { Slot } from "./slots.ts";
import { HostStorage, type Storage } from "./storage.ts";

export interface Guard {
  readonly value: Value;
  readonly label: string;
}

export interface ExecutableSpec {
  readonly outputs: readonly Value[];
  readonly assignments: readonly { readonly cell: Cell; readonly value: Value }[];
  readonly guards: readonly Guard[];
  readonly optimize?: 0 | 1 | undefined;
}

/** What an argument can be fed with: computed tensors, or numbers. */
export type Feed = Storage | TypedArray;

/** The elements of what a program is fed with, wherever they are: not to be kept. */
export const numbersOf = (feed: Feed): TypedArray => (ArrayBuffer.isView(feed) ? (feed as TypedArray) : (feed as Storage).peek());

/** Where a program serves many graphs: which line of the user's one of its sites stands for in the graph that is run. */
export type SiteOf = (site: Site | undefined) => Site | undefined;

/** A program that runs, on a device or on the interpreter. */
export interface Runnable {
  /** Throws what a check found; then no cell has changed. */
  run(feeds: readonly Feed[], siteOf?: SiteOf): Storage[];
  dispose(): void;
}

/** Outputs of up to this many elements are copied out at once, which costs less than keeping track of them. */
const SMALL = 64;

/**
 * What of a program must be given back. It knows neither cells nor the user's functions, so that holding it keeps none of them alive:
 * that is how a program can go when nobody can call it any more.
 */
export class Remains {
  readonly slots: Slot[] = [];
  loaded: LoadedProgram | undefined;
  kept: KeptResults | undefined;

  dispose(): void {
    this.loaded?.dispose();
    this.kept?.dispose();
    this.loaded = this.kept = undefined;
    for (const slot of this.slots.splice(0)) slot.free();
  }
}

export interface Plan {
  readonly scheduled: Scheduled;
  readonly program: Program;
}

export interface PlanOptions {
  /** Filled with what became of the values. */
  readonly became?: Map<Value, Value>;
  /** Bytes of results that may be kept from run to run. */
  readonly keep?: number;
}

/** The schedule of a specification and its program on a target. */
export function planOf(spec: ExecutableSpec, target: Target, { became, keep = 0 }: PlanOptions = {}): Plan {
  const { outputs, assignments, guards, optimize = 1 } = spec;
  const roots = optimise([...outputs, ...assignments.map((a) => a.value), ...guards.map((g) => g.value)], { level: optimize, became });
  const assigned = roots.slice(outputs.length);
  const guarded = assigned.slice(assignments.length);
  const scheduled = schedule({
    outputs: roots.slice(0, outputs.length),
    assignments: assignments.map(({ cell }, i) => ({ cell, value: assigned[i]! })),
    guards: guards.map(({ label }, i) => ({ label, value: guarded[i]! })),
    optimize,
  });
  return { scheduled, program: lower(scheduled, target, { reuse: optimize > 0, keep: optimize > 0 ? keep : 0 }) };
}

export class Executable implements Runnable {
  readonly remains = new Remains();
  program: Program;
  readonly runner: Runner;
  /** How many bytes of results its program may keep. */
  readonly keep: number;
  private readonly loaded: LoadedProgram;
  private readonly slots: (Slot | undefined)[] = [];
  private readonly inputs: { readonly index: number; readonly slot: Slot; held: Feed | undefined }[];
  private readonly cells: { readonly cell: Cell; readonly slot: Slot; readonly written: boolean }[];
  private readonly results: Slot[];

  constructor(runner: Runner, spec: ExecutableSpec, keep = roomToKeep(runner.heap)) {
    const { scheduled, program } = planOf(spec, runner.target, { keep });
    this.keep = keep;
    this.runner = runner;
    this.program = program;
    // A stack that was captured and never looked at keeps the functions on it alive.
    for (const { site } of program.checks) site?.toString();
    const cellOf = new Map(scheduled.variables.map((v) => [v.buffer, v.cell as Cell]));
    try {
      for (const b of program.buffers) if (b.place !== "scratch" && b.place !== "kept") this.slots[b.id] = this.place(b, cellOf.get(b.id));
      for (const { data, buffer } of scheduled.constants) this.slots[buffer]!.write(data);
      this.remains.loaded = this.loaded = this.load(scheduled, spec);
    } catch (error) {
      this.remains.dispose();
      throw error;
    }
    this.inputs = scheduled.arguments.map(({ index, buffer }) => ({ index, slot: this.slots[buffer]!, held: undefined }));
    this.cells = scheduled.variables.map((v) => ({ cell: v.cell as Cell, slot: this.slots[v.buffer]!, written: v.written }));
    this.results = scheduled.outputs.map((b) => this.slots[b]!);
  }

  private place(b: Buffer, cell: Cell | undefined): Slot {
    if (cell) return slotOf(cell, this.runner);
    const slot = new Slot(this.runner.heap, b.dtype, b.bytes / bytesOf(b.dtype), b.place);
    this.remains.slots.push(slot);
    return slot;
  }

  /** Where there is no room for what it would keep, the program does all at every run. */
  private load(scheduled: Scheduled, spec: ExecutableSpec): LoadedProgram {
    const { runner, remains, slots } = this;
    try {
      if (this.program.setup) this.keepResults(scheduled.constants);
      return runner.load(this.program, addressIn(slots));
    } catch (error) {
      if (!(error instanceof MemoryError && this.program.setup)) throw error;
      remains.kept?.dispose();
      remains.kept = undefined;
      this.program = planOf(spec, runner.target).program;
      return runner.load(this.program, addressIn(slots));
    }
  }

  private keepResults(constants: Scheduled["constants"]): void {
    const { runner, program, slots } = this;
    const numbers = new Map(constants.map(({ buffer, data }) => [buffer, data]));
    const kept = new KeptResults(runner, program, (b) => numbers.get(b) ?? slots[b]!);
    this.remains.kept = kept;
    for (const { buffer } of program.setup!.kept) slots[buffer] = kept.slotOf(buffer);
    kept.load(runner, program, addressIn(slots));
  }

  /** Bytes of the heap that this program holds, alone or with others. */
  get bytes(): number {
    return this.program.buffers.reduce((n, b) => (b.place === "scratch" || b.place === "variable" ? n : n + b.bytes), 0);
  }

  run(feeds: readonly Feed[], siteOf: SiteOf = (site) => site): Storage[] {
    for (const input of this.inputs) this.feed(input, feeds[input.index]!);
    for (const { cell, slot, written } of this.cells) {
      // A cell that is only written may be empty until then.
      if (!written || cell.hasValue) cell.moveInto(slot);
      if (written) slot.overwrite();
    }
    this.remains.kept?.refresh();
    for (const slot of this.results) slot.evict();
    const status = this.loaded.run();
    if (!status.ok) throw this.explain(status, siteOf);
    for (const { cell, slot, written } of this.cells) if (written) cell.holdIn(slot);
    return this.results.map((slot) => (slot.length <= SMALL ? new HostStorage(slot.elements.slice()) : slot.hold()));
  }

  private feed(input: { slot: Slot; held: Feed | undefined }, feed: Feed): void {
    if (input.held === feed) return;
    input.slot.write(numbersOf(feed));
    // Arrays may change under our hands, tensors do not.
    input.held = ArrayBuffer.isView(feed) ? undefined : feed;
  }

  private explain(status: Exclude<Status, { ok: true }>, siteOf: SiteOf): GradusError {
    const check: Check = this.program.checks[status.check]!;
    const site = siteOf(check.site);
    if (check.what === "index") return outOfRange(check, status.value | 0, site);
    if (check.what !== "finite")
      return unfitMatrix({ what: check.what, label: check.label, batch: check.batch ?? [] }, status.position, status.value, site);
    return new NonFiniteError(`${check.label} is not a finite number`, {
      why: "an overflow, a division by zero or a logarithm of zero on the way to it",
      help: "no variable was changed by this step; try a smaller learning rate or clip the gradients",
      site,
    });
  }

  dispose(): void {
    this.remains.dispose();
  }
}

/** Made here, because a function made in the constructor would keep all that is known there alive. */
const addressIn =
  (slots: readonly (Slot | undefined)[]) =>
  (b: Buffer): number =>
    slots[b.id]!.address;

const cellSlots = new WeakMap<Cell, Slot>();
const freed = new FinalizationRegistry<Slot>((slot) => slot.free());

/** The place of a variable's content in the heap, which lives as long as the variable. */
function slotOf(cell: Cell, runner: Runner): Slot {
  let slot = cellSlots.get(cell);
  if (!slot) {
    slot = new Slot(runner.heap, cell.dtype, sizeOf(cell.shape), `variable ${cell.name}`.trim());
    cellSlots.set(cell, slot);
    freed.register(cell, slot);
  }
  return slot;
}
