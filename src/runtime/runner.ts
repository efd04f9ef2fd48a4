/**
 * What runs programs. A runner is one device opened: it prints and compiles a program's kernels, links its steps into a table in the heap,
 * and walks the table on all its threads. One program runs at a time.
 */
import type { DeviceError } from "../core/errors.ts";
import type { LoopModule } from "../kernel/loop.ts";
import type { Buffer, Program } from "../kernel/program.ts";
import type { Target } from "../lower/target.ts";
import type { Heap } from "./heap.ts";

/** How a run ended. A failed check names the smallest position (a linear index) and the value found there. */
export type Status =
  | { readonly ok: true }
  | { readonly ok: false; readonly check: number; readonly position: number; readonly value: number };

export interface LoadOptions {
  /** 1: the caller's thread runs the whole program. Default: all threads, unless the program's work is too little. */
  readonly threads?: "one" | "all" | undefined;
}

export interface LoadedProgram {
  /** Runs on all threads and returns when all are done. Throws DeviceError where a thread died or trapped. */
  run(): Status;
  /** Gives the step table back; kernels stay with the device. */
  dispose(): void;
}

/** `M` is what the code of its kernels consists of. */
export interface Runner<M = LoopModule> {
  readonly name: "wasm" | "native";
  readonly target: Target<M>;
  readonly heap: Heap;
  readonly threads: number;
  /** Why it has fewer threads than were asked for; "" or nothing where it has them. */
  readonly note?: string;
  /**
   * `addresses` gives the address of every buffer that is not scratch; it is asked again when the scratch arena has moved.
   * Throws DeviceError if a kernel cannot be compiled, MemoryError if scratch or table do not fit.
   */
  load(program: Program<M>, addresses: (buffer: Buffer) => number, options?: LoadOptions): LoadedProgram;
  /** Stops the threads. Programs loaded here cannot run any more. */
  close(): void;
}

/** Below this many scalar operations a program runs on one thread: waking others takes longer. */
export const WORK_FOR_THREADS = 20_000;

/** The native runner, or why there is none and the error for whoever asked for it by name. `quiet`: nothing is wrong, there just is no compiler. */
export type OpenedNative =
  | { readonly runner: Runner }
  | { readonly reason: string; readonly quiet: boolean; readonly error: () => DeviceError };
