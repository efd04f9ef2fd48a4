/**
 * Where the tensor surface meets tracing and running. `Trace` is what a function being traced answers when it touches a cell, a
 * captured tensor or a generator; `Runtime` is what computes. Both are set from outside, so that the surface depends on neither.
 */
import type { DType, TypedArray } from "../core/dtype.ts";
import type { Shape } from "../core/shape.ts";
import type { Value } from "../graph/op.ts";
import { InterpreterRuntime } from "../run/interpreter-runtime.ts";
import type { Generator } from "./generator.ts";
import type { Tensor } from "./tensor.ts";
import type { Variable } from "./variable.ts";

export type Device = "auto" | "wasm" | "native" | "interpreter";

/** The numbers of a tensor that was computed, wherever they are. */
export interface Storage {
  /** The elements in row-major order: not a copy, so nobody may write to it. */
  read(): TypedArray | Promise<TypedArray>;
}

/** Numbers in an array of this process. */
export class HostStorage implements Storage {
  readonly array: TypedArray;
  constructor(array: TypedArray) {
    this.array = array;
  }
  read(): TypedArray {
    return this.array;
  }
}

/** The key of one draw: two uint32 scalars, and the place of the draw in its program. */
export interface Draw {
  readonly key0: Value;
  readonly key1: Value;
  readonly site: number;
}

/** Told the elements of a value when a program has computed it. */
export interface Tap {
  readonly dtype: DType;
  /** In vmap and loops it has more axes in front than where it was asked for. */
  readonly shape: Shape;
  report(elements: TypedArray, shape: Shape): void;
}

/** A function that is being traced: `compile` makes one, and so does each body of `vmap`, `scan`, `cond` and `whileLoop`. */
export interface Trace {
  /** "compile", "vmap" …, for messages. */
  readonly name: string;
  readonly outer: Trace | undefined;
  /** True once the function has returned or thrown: tensors made in it are of no use any more. */
  closed: boolean;
  /** What the cell holds at this point of the program. */
  readCell(cell: Variable): Value;
  /** Puts a value of the cell's shape and dtype in (already checked). */
  assignCell(cell: Variable, value: Value): void;
  /** The input that stands for a tensor made outside; the same for the same tensor. */
  capture(tensor: Tensor): Value;
  /** The key and place of the next draw from this generator. */
  draw(generator: Generator): Draw;
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

export interface RealiseOptions {
  readonly device?: Device | undefined;
}

/** What computes. `data`, `array`, `item` and `evaluate` ask it, and nothing else does. */
export interface Runtime {
  /**
   * Computes these in one program and keeps each result in its tensor (`Tensor.keep`). Answers the elements of each, not copied.
   *
   * What a graph outside a trace is made of besides ops:
   * - leaves that stand for what a tensor holds (`holderOf`): its `storage`, or where it has none yet what `tensor.recipe()` computes, and
   *   then that is kept in it too, so that histories end there;
   * - values computed before (`realisedStorage`), which need not be computed again;
   * - constants with `lifted: true`: JavaScript numbers, which change from one evaluation to the next;
   * - values that somebody wants to be told (`tapsOf`), when they are computed.
   */
  realise(tensors: readonly Tensor[], options?: RealiseOptions): Promise<TypedArray[]>;
  /** The same at once, without an answer. */
  realiseNow(tensors: readonly Tensor[]): void;
}

/** The tensor that a leaf outside a trace stands for: its elements are what that tensor holds. */
export function holderOf(value: Value): Tensor | undefined {
  return value.op.kind === "leaf" && value.op.source === "variable" ? (value.attributes as { cell: Tensor }).cell : undefined;
}

let runtime: Runtime | undefined;

/** Replaces what computes; the last one counts. */
export function setRuntime(next: Runtime): void {
  runtime = next;
}

export function theRuntime(): Runtime {
  // Made here and not by whoever imports it, so that a bundler may drop modules that are only imported.
  runtime ??= new InterpreterRuntime();
  return runtime;
}

const realised = new WeakMap<Value, Storage>();

/** What was computed for this very value before, if anything: values live as long as somebody can ask. */
export const realisedStorage = (value: Value): Storage | undefined => realised.get(value);

export function rememberStorage(value: Value, storage: Storage): void {
  realised.set(value, storage);
}

const taps = new WeakMap<Value, Tap[]>();

/** Who wants to be told this value outside a trace. */
export const tapsOf = (value: Value): readonly Tap[] => taps.get(value) ?? [];

export function addTap(value: Value, tap: Tap): void {
  taps.set(value, [...tapsOf(value), tap]);
}
