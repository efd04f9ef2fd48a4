import { MemoryError } from "../../core/errors.ts";
import { type Int, type IntLocal, int, type Statement } from "../../kernel/loop.ts";
import type { Argument } from "../../kernel/program.ts";

/** The argument block of a kernel while it is made: each word is read once, into a local, at the top of the entry. */
export class ArgumentBlock {
  readonly words: Argument[] = [];
  readonly prologue: Statement[] = [];

  /**
   * A size or stride, in elements or bytes.
   *
   * @throws MemoryError where it is not below 2³¹: kernels count in 32 bits with a sign
   */
  size(value: number, name: string): IntLocal {
    if (!Number.isInteger(value) || Math.abs(value) >= 2 ** 31)
      throw new MemoryError(`a kernel would have to count to ${value}`, {
        why: "sizes, and steps in bytes from one element to the next, are below 2 147 483 648",
        help: "use smaller sizes or batches, or split the tensor",
      });
    return this.add(value, name, "size");
  }

  /** Byte `offset` of a buffer. */
  address(buffer: number, offset: number, name: string): IntLocal {
    return this.add({ buffer, offset }, name, "address");
  }

  /** The cell of a check. */
  check(check: number): IntLocal {
    return this.add({ check }, "cell", "address");
  }

  /** The private scratch of the thread `thread`. */
  privateScratch(thread: Int): IntLocal {
    const base = this.add({ privateScratch: "address" }, "scratch", "address");
    const each = this.add({ privateScratch: "bytes" }, "threadBytes", "size");
    const mine = int("mine");
    this.prologue.push({
      do: "int",
      local: mine,
      value: { op: "add", a: base, b: { op: "mul", a: thread, b: each } },
    });
    return mine;
  }

  private add(word: Argument, name: string, as: "size" | "address"): IntLocal {
    const i = this.words.push(word) - 1;
    const local = int(`${name}_a${i}`);
    this.prologue.push({ do: "int", local, value: { op: "argument", i, as } });
    return local;
  }
}

/** Bytes of private scratch for each thread that kernels plan with; a program has as much as the one of its kernels that asks for most. */
export const THREAD_BYTES = 512 * 1024;

/** A kernel's code with the key that tells it from all others: the code itself, as text. */
export function keyOf(module: unknown): string {
  const text = JSON.stringify(module);
  return /"value":(?:null|-?0[,}])/.test(text) ? JSON.stringify(module, (_, x) => (typeof x === "number" ? written(x) : x)) : text;
}
/** JSON knows neither infinities nor NaN, and takes −0 for 0: kernels that differ in these would share a key. */
const written = (x: number): number | string => (Number.isFinite(x) && !Object.is(x, -0) ? x : `${Object.is(x, -0) ? "-0" : x}`);

/**
 * How many indices of the parallel axis one block takes: enough work to be worth taking, at most 256 blocks, and
 * cut by shape only, so that results never depend on how many threads there are.
 */
export function blockSize(count: number, workEach: number, multiple = 1): number {
  const enough = Math.ceil(BLOCK_WORK / Math.max(1, workEach));
  const size = Math.max(1, enough, Math.ceil(count / MAX_BLOCKS));
  return Math.min(Math.ceil(size / multiple) * multiple, Math.max(1, Math.ceil(count / multiple) * multiple));
}
const BLOCK_WORK = 1 << 15;
const MAX_BLOCKS = 256;
