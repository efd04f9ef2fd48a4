/** What a function that is being traced answers when it touches a cell, a tensor from outside or a generator. */
import type { Value } from "../graph/op.ts";
import type { Draw } from "../ops/index.ts";
import type { Cell, Holder, Tap } from "../run/holder.ts";

/** What draws take their keys from: a generator. */
export interface KeySource {
  /** The key of the next call: two uint32. */
  nextKey(): readonly [number, number];
}

/** A function that is being traced: `compile` makes one, and so does each body of `vmap`, `scan`, `cond` and `whileLoop`. */
export interface Trace {
  /** "compile", "vmap" …, for messages. */
  readonly name: string;
  readonly outer: Trace | undefined;
  /** True once the function has returned or thrown: tensors made in it are of no use any more. */
  closed: boolean;
  /** What the cell holds at this point of the program. */
  readCell(cell: Cell): Value;
  /** Puts a value of the cell's shape and dtype in (already checked). */
  assignCell(cell: Cell, value: Value): void;
  /** The input that stands for a tensor made outside; the same for the same tensor. */
  capture(tensor: Holder): Value;
  /** The key and place of the next draw from this generator. */
  draw(generator: KeySource): Draw;
  tap(value: Value, tap: Tap): void;
  /** Nothing the function assigns is kept by a call in which this value is not finite. */
  guard?(value: Value, label: string, kind: "loss" | "gradients"): void;
}

let current: Trace | undefined;

export const currentTrace = (): Trace | undefined => current;

/** Runs `f` with `trace` as the function being traced. It is closed afterwards, whatever happened. */
export function runInTrace<T>(trace: Trace, f: () => T): T {
  const before = current;
  current = trace;
  try {
    return f();
  } finally {
    current = before;
    trace.closed = true;
  }
}
