/** What a target owes to the compiler: each kernel as calls of code that it can run. */
import type { DType } from "../core/dtype.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { LoopModule } from "../kernel/loop.ts";
import type { Argument, Code } from "../kernel/program.ts";

/** `M` is what its code consists of: loops for those that print C or WebAssembly. */
export interface Target<M = LoopModule> {
  lower(kernel: Kernel, context: LoweringContext): Lowered<M>;
}

/** What a lowering may ask of the program it lowers into. */
export interface LoweringContext {
  dtypeOf(buffer: number): DType;
  /** How many elements it has. */
  sizeOf(buffer: number): number;
  /** Whether it holds the same at every run, until a variable is given another content: what a call of its own makes of such buffers alone is made once. */
  isSettled(buffer: number): boolean;
  /** A new scratch buffer of so many bytes: packed operands, partial sums. */
  allocate(bytes: number, dtype: DType): number;
}

/** A kernel as calls in order; `threadBytes` is private scratch per thread. */
export interface Lowered<M = LoopModule> {
  readonly calls: readonly LoweredCall<M>[];
  readonly threadBytes: number;
}

/** One call that a kernel becomes: code, its argument block, and over how many blocks its work is cut (by shape only). */
export interface LoweredCall<M = LoopModule> {
  readonly code: Code<M>;
  readonly arguments: readonly Argument[];
  readonly blocks: number;
  /** Scalar operations, roughly. */
  readonly work: number;
  readonly reads: readonly number[];
  readonly writes: readonly number[];
  /** What it is called in print, where that is not the name of the kernel it belongs to. */
  readonly label?: string;
}
