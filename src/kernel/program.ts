/**
 * A program is data: buffers, and a table of steps that a fixed stepper walks. Kernels are code keyed by their
 * structure; sizes, strides and addresses reach them as arguments, so equal structures share code.
 */
import type { DType } from "../core/dtype.ts";
import type { MatrixCheck } from "../core/errors.ts";
import type { LoopModule } from "./loop.ts";

/** Kernel code, loops unless a target lowers to something else, and the text that tells it from all others: same key, same code. */
export interface Code<M = LoopModule> {
  readonly key: string;
  readonly module: M;
}

export type Place = "variable" | "constant" | "argument" | "output" | "kept" | "scratch";

/** A stretch of memory. Variables, constants, arguments, outputs and what a setup makes keep theirs; scratch shares one arena with all programs. */
export interface Buffer {
  readonly id: number;
  readonly dtype: DType;
  /** Bytes, without slack. */
  readonly bytes: number;
  readonly place: Place;
  /** Of a variable or argument, what the user calls it. */
  readonly name?: string | undefined;
  /** In the scratch arena, once planned. */
  offset?: number;
}

/**
 * One word of a kernel's argument block: a size or stride as it is, the address of byte `offset` of a buffer, the address of
 * the 64-bit cell of a check, or the address of the thread-private scratch of thread 0 and how far thread t's is from that of t − 1.
 */
export type Argument =
  | number
  | { readonly buffer: number; readonly offset: number }
  | { readonly check: number }
  | { readonly privateScratch: "address" | "bytes" };

export type Step =
  /** `entry(arguments, b, b + 1)` for each block b of `blocks`, taken by whichever thread is free. */
  | {
      readonly do: "call";
      readonly code: number;
      readonly arguments: readonly Argument[];
      readonly blocks: number;
      readonly label: string;
      /** The step of the schedule it comes from. */
      readonly from?: number;
      /** Bytes each word of the argument block moves with every turn of the loop it stands in. */
      readonly perTurn?: readonly number[];
      /** The same for the loops around that one, from the inside out. */
      readonly perOuterTurn?: readonly (readonly number[])[];
    }
  /** Small kernels that thread 0 runs one after another. */
  | { readonly do: "section"; readonly steps: readonly Step[] }
  | { readonly do: "loop"; readonly times: number; readonly reverse: boolean; readonly steps: readonly Step[] }
  /** All threads have done what stands above. */
  | { readonly do: "barrier" }
  /** Nothing below is done if a check's cell is not all ones: variables are written only below. */
  | { readonly do: "commit" };

/** What an out-of-range index, a guard or an unfit matrix says when it fires. */
export interface Check {
  readonly what: "index" | "finite" | MatrixCheck["what"];
  readonly label: string;
  readonly bound: number;
  /** Of matrices: how many there are along each axis. */
  readonly batch?: readonly number[] | undefined;
  /** Of indices: negative ones count from the end. */
  readonly fromEnd?: boolean | undefined;
  readonly site?: { toString(): string } | undefined;
}

/**
 * Steps that run before the first run and whenever a variable that they read has changed: packed weights, and whatever else is computed from
 * variables that the program never writes.
 */
export interface Setup {
  readonly steps: readonly Step[];
  /** Rough count of scalar operations. */
  readonly work: number;
  /** What it leaves in buffers whose place is "kept". */
  readonly kept: readonly Kept[];
}

/** A kept buffer. Equal contents, with equal codes and with the same variables and constants in them, are equal in every bit. */
export interface Kept {
  readonly buffer: number;
  readonly content: readonly (string | { readonly buffer: number } | { readonly code: number })[];
}

export interface Program<M = LoopModule> {
  readonly codes: readonly Code<M>[];
  readonly buffers: readonly Buffer[];
  readonly steps: readonly Step[];
  /** Who asks for one when lowering runs it. */
  readonly setup?: Setup | undefined;
  readonly checks: readonly Check[];
  /** Bytes of the scratch arena this program needs, and of private scratch for each thread. */
  readonly scratchBytes: number;
  readonly threadBytes: number;
  /** Rough count of scalar operations, to decide on threads. */
  readonly work: number;
}
