/**
 * Linking: a program becomes a table of 32-bit words in the heap, with every address filled in, which the steppers
 * (one in WebAssembly, one in C) walk. All addresses are bytes from the start of the heap.
 *
 * Header (`HEADER_WORDS` words at `table`):
 *   0 address of the records   1 address of the check cells   2 number of checks
 *   3 address of the thread blocks   4 bytes of one thread block
 *
 * Record (`RECORD_WORDS` words), by its first word:
 *   END      0
 *   CALL     1 kernel   2 address of its argument block   3 words in it   4 blocks
 *            5 address of its moves (0: none)   6 rows of moves   7 depth of the innermost loop
 *   SECTION  1 number of the record after its SECTION_END
 *   LOOP     1 times   2 reverse (0, 1)   3 number of the record after its LOOP_END   4 depth (0: outermost)
 *   LOOP_END 1 times   2 reverse   3 number of the first record of the body   4 depth
 *   SECTION_END, BARRIER, COMMIT: nothing more
 *
 * Moves: row r holds one word for each argument: bytes per turn of the loop at depth `word 7 − r`. Word i of the block a kernel
 * sees is block[i] + Σ_r turn(word 7 − r) · moves[r][i], modulo 2³². A loop's turn counts 0 … times − 1, or down from times − 1 if reversed.
 *
 * Thread block: `MAXIMUM_DEPTH` words for the turns of the loops a thread is in, then room for a moved argument block.
 *
 * Meaning. CALL: each block b in 0 … blocks − 1 once, by any thread, as kernel(arguments, b, b + 1, thread). SECTION … SECTION_END: by thread 0 alone;
 * the others go on behind it. BARRIER: all threads wait for each other (nothing to do inside a section or on one thread).
 * COMMIT: a barrier too; then, if any check cell is not all ones, all threads stop. END: a barrier.
 */
import { InternalError } from "../core/errors.ts";
import type { Argument, Buffer, Program, Step } from "../kernel/program.ts";
import type { Heap } from "./heap.ts";
import type { Status } from "./runner.ts";

export const HEADER_WORDS = 16;
export const RECORD_WORDS = 8;
export const MAXIMUM_DEPTH = 16;
export const RECORD = { end: 0, call: 1, section: 2, sectionEnd: 3, loop: 4, loopEnd: 5, barrier: 6, commit: 7 } as const;

/** What a program's addresses depend on. */
export interface Places {
  readonly addresses: (buffer: Buffer) => number;
  readonly arena: ScratchArena;
  /** For each code of the program, its number in the device's table of functions. */
  readonly kernels: readonly number[];
}

/** The scratch all programs of a device share: as large as the largest of them needs. */
export class ScratchArena {
  /** Changes whenever something moved: who linked under another number links again. */
  version = 0;
  /** Address of offset 0 of scratch buffers. */
  scratch = 0;
  /** Address of thread 0's private scratch. */
  privateScratch = 0;
  private scratchBytes = 0;
  private privateBytes = 0;
  private readonly heap: Heap;
  private readonly threads: number;

  constructor(heap: Heap, threads: number) {
    this.heap = heap;
    this.threads = threads;
  }

  /** Grows to hold what a program needs; what stood there is lost. Throws MemoryError, with the arena as large as it was. */
  reserve({ scratchBytes, threadBytes }: Program): void {
    const privateBytes = threadBytes * this.threads;
    if (scratchBytes > this.scratchBytes) {
      this.scratch = this.grow(this.scratch, this.scratchBytes, scratchBytes, "scratch memory of a program");
      this.scratchBytes = scratchBytes;
    }
    if (privateBytes > this.privateBytes) {
      this.privateScratch = this.grow(this.privateScratch, this.privateBytes, privateBytes, "private scratch memory of threads");
      this.privateBytes = privateBytes;
    }
  }

  /** Frees first, so that old and new need not fit at the same time; what was free a moment ago fits again. */
  private grow(address: number, from: number, to: number, what: string): number {
    this.version++;
    if (!address) return this.heap.allocate(to, what);
    this.heap.free(address);
    try {
      return this.heap.allocate(to, what);
    } catch (error) {
      const again = this.heap.allocate(from, what);
      if (address === this.scratch) this.scratch = again;
      else this.privateScratch = again;
      throw error;
    }
  }

  dispose(): void {
    if (this.scratch) this.heap.free(this.scratch);
    if (this.privateScratch) this.heap.free(this.privateScratch);
    this.scratch = this.privateScratch = this.scratchBytes = this.privateBytes = 0;
    this.version++;
  }
}

type Call = Extract<Step, { do: "call" }>;
/** A record before addresses are known: calls keep their step and where their words go. */
type Line =
  | { readonly words: readonly number[] }
  | { readonly call: Call; readonly depth: number; readonly block: number; readonly moves: number };

/** A program's table in the heap. Call `link` before the first run and whenever `stale`. */
export class LinkedProgram {
  readonly program: Program;
  /** Address of the header. */
  readonly table: number;
  private readonly heap: Heap;
  private readonly layout: Layout;
  private version = -1;
  private checkView: Int32Array | undefined;

  constructor(program: Program, heap: Heap, threads: number) {
    this.program = program;
    this.heap = heap;
    this.layout = layOut(program, threads);
    this.table = heap.allocate(this.layout.bytes, "a program's step table");
  }

  stale(arena: ScratchArena): boolean {
    return this.version !== arena.version;
  }

  /** Writes all words. */
  link({ addresses, arena, kernels }: Places): void {
    const { lines, checks, threadBlocks, threadBlockBytes, bytes } = this.layout;
    const at = this.table;
    const words = new Int32Array(this.heap.memory.buffer, at, bytes >> 2);
    words.fill(0);
    words.set([at + HEADER_WORDS * 4, at + checks, this.program.checks.length, at + threadBlocks, threadBlockBytes]);
    const known = new Map(this.program.buffers.map((buffer) => [buffer.id, buffer]));
    const resolve = (argument: Argument): number => {
      if (typeof argument === "number") return argument;
      if ("check" in argument) return at + checks + 8 * argument.check;
      if ("privateScratch" in argument) return argument.privateScratch === "address" ? arena.privateScratch : this.program.threadBytes;
      const buffer = known.get(argument.buffer);
      if (!buffer) throw new InternalError(`link: buffer ${argument.buffer} is not in the program`);
      const address = addressOf(buffer, addresses, arena) + argument.offset;
      if (!(address >= 0 && address < 2 ** 32)) throw new InternalError(`link: ${address} is no address in a heap`);
      return address;
    };
    lines.forEach((line, number) => {
      const record = HEADER_WORDS + RECORD_WORDS * number;
      if ("words" in line) {
        words.set(line.words, record);
        return;
      }
      const { call, depth, block, moves } = line;
      const rows = movesOf(call);
      const where = rows.length ? at + moves : 0;
      words.set([RECORD.call, kernels[call.code]!, at + block, call.arguments.length, call.blocks, where, rows.length, depth], record);
      words.set(call.arguments.map(resolve), block >> 2);
      words.set(rows.flat(), moves >> 2);
    });
    this.version = arena.version;
    this.clearChecks();
  }

  /** Sets all check cells to "nothing failed". */
  clearChecks(): void {
    this.cells().fill(-1);
  }

  /** The first check that failed; the cells are made ready for the next run. */
  status(): Status {
    const cells = this.cells();
    for (let i = 0; i < cells.length; i += 2)
      if (cells[i] !== -1 || cells[i + 1] !== -1) {
        const failed: Status = { ok: false, check: i >> 1, position: cells[i + 1]! >>> 0, value: cells[i]! };
        this.clearChecks();
        return failed;
      }
    return FINE;
  }

  dispose(): void {
    this.heap.free(this.table);
  }

  private cells(): Int32Array {
    if (this.checkView?.buffer !== this.heap.memory.buffer)
      this.checkView = new Int32Array(this.heap.memory.buffer, this.table + this.layout.checks, 2 * this.program.checks.length);
    return this.checkView;
  }
}

const FINE: Status = { ok: true };

function addressOf(buffer: Buffer, addresses: (buffer: Buffer) => number, arena: ScratchArena): number {
  if (buffer.place !== "scratch") return addresses(buffer);
  if (buffer.offset === undefined) throw new InternalError(`link: scratch buffer ${buffer.id} has no offset`);
  return arena.scratch + buffer.offset;
}

/** How far the argument words of a call move: per turn of the loop it stands in, then of those around that one. */
const movesOf = (call: Call): readonly (readonly number[])[] => (call.perTurn ? [call.perTurn, ...(call.perOuterTurn ?? [])] : []);

interface Layout {
  readonly lines: readonly Line[];
  /** Offsets in bytes from the header. */
  readonly checks: number;
  readonly threadBlocks: number;
  readonly threadBlockBytes: number;
  readonly bytes: number;
}

const aligned = (bytes: number): number => (bytes + 63) & -64;

function layOut(program: Program, threads: number): Layout {
  const count = countRecords(program.steps) + 1;
  const checks = (HEADER_WORDS + RECORD_WORDS * count) * 4;
  const writer = new Lines(aligned(checks + 8 * program.checks.length));
  writer.add(program.steps, 0, false);
  writer.lines.push({ words: [RECORD.end] });
  const threadBlocks = aligned(writer.end);
  const threadBlockBytes = aligned(4 * (MAXIMUM_DEPTH + writer.mostWords));
  return { lines: writer.lines, checks, threadBlocks, threadBlockBytes, bytes: threadBlocks + threads * threadBlockBytes };
}

const countRecords = (steps: readonly Step[]): number =>
  steps.reduce((sum, step) => sum + ("steps" in step ? 2 + countRecords(step.steps) : 1), 0);

class Lines {
  readonly lines: Line[] = [];
  /** Words of the largest argument block that moves. */
  mostWords = 0;
  /** Offset of the next free byte. */
  end: number;

  constructor(end: number) {
    this.end = end;
  }

  /** `depth`: loops around these steps. */
  add(steps: readonly Step[], depth: number, alone: boolean): void {
    for (const step of steps)
      switch (step.do) {
        case "call":
          this.addCall(step, depth);
          break;
        case "section":
          if (alone) this.add(step.steps, depth, true);
          else this.addSection(step.steps, depth);
          break;
        case "loop":
          this.addLoop(step, depth, alone);
          break;
        case "barrier":
          this.lines.push({ words: [RECORD.barrier] });
          break;
        case "commit":
          if (alone) throw new InternalError("link: a commit stands inside a section, where only one thread would see it");
          this.lines.push({ words: [RECORD.commit] });
      }
  }

  private addCall(call: Call, depth: number): void {
    const moves = movesOf(call);
    if (moves.length > depth) throw new InternalError(`link: "${call.label}" moves with ${moves.length} loops but stands in ${depth}`);
    if (moves.some((row) => row.length !== call.arguments.length))
      throw new InternalError(`link: "${call.label}" has ${call.arguments.length} arguments and moves another number of them`);
    const block = this.end;
    const words = call.arguments.length;
    if (moves.length) this.mostWords = Math.max(this.mostWords, words);
    this.end += 4 * words * (1 + moves.length);
    this.lines.push({ call, depth: depth - 1, block, moves: block + 4 * words });
  }

  private addSection(steps: readonly Step[], depth: number): void {
    const start = this.lines.length;
    this.lines.push({ words: [] });
    this.add(steps, depth, true);
    this.lines.push({ words: [RECORD.sectionEnd] });
    this.lines[start] = { words: [RECORD.section, this.lines.length] };
  }

  private addLoop(step: Extract<Step, { do: "loop" }>, depth: number, alone: boolean): void {
    if (depth === MAXIMUM_DEPTH) throw new InternalError(`link: more than ${MAXIMUM_DEPTH} loops inside each other`);
    const reverse = Number(step.reverse);
    const start = this.lines.length;
    this.lines.push({ words: [] });
    this.add(step.steps, depth + 1, alone);
    this.lines.push({ words: [RECORD.loopEnd, step.times, reverse, start + 1, depth] });
    this.lines[start] = { words: [RECORD.loop, step.times, reverse, this.lines.length, depth] };
  }
}
