/**
 * What running knows of tensors and cells: graphs outside `compile` stand on leaves that stand for what a tensor holds, and results are kept in
 * tensors. The classes that users have are made to this measure, in `tensor/`; here nobody knows them.
 */
import type { DType, TypedArray } from "../core/dtype.ts";
import type { Shape } from "../core/shape.ts";
import type { Type, Value, VariableAttributes } from "../graph/op.ts";
import type { Slot } from "./slots.ts";
import type { Storage } from "./storage.ts";

/** A tensor, as running sees it. */
export interface Holder extends Type {
  /** Its elements, once they were computed. */
  readonly storage: Storage | undefined;
  /** True if gradients can be taken through it. */
  readonly isTracked: boolean;
  /** True where its node is a leaf, so that nothing of how it is computed can be seen in it. */
  readonly isHeld: boolean;
  /** Its node outside any trace. */
  ownNode(): Value;
  /** The value that computes it, while nobody has: behind the leaf of a cell's content, its own node for any other tensor. */
  recipe(): Value;
  /** What a cell holds; any other tensor itself. */
  content(): Holder;
  /** Puts the computed elements in. */
  keep(storage: Storage): void;
}

/** A variable, as running sees it. */
export interface Cell extends Holder {
  readonly name: string;
  /** Its name for messages. */
  label(): string;
  /** False until a cell made empty is assigned. */
  readonly hasValue: boolean;
  /** The content while it is a graph that nobody has evaluated. */
  readonly pending: Holder | undefined;
  /** Puts the computed content into its place in the heap, if it is not there. */
  moveInto(slot: Slot): void;
  /** A program has written the new content there. */
  holdIn(slot: Slot): void;
  /** A program has computed the new content. */
  hold(storage: Storage): void;
}

/** The tensor that a leaf outside a trace stands for: its elements are what that tensor holds. */
export function holderOf(value: Value): Holder | undefined {
  return value.op.kind === "leaf" && value.op.source === "variable" ? ((value.attributes as VariableAttributes).cell as Holder) : undefined;
}

const realised = new WeakMap<Value, Storage>();

/** What was computed for this very value before, if anything: values live as long as somebody can ask. */
export const realisedStorage = (value: Value): Storage | undefined => realised.get(value);

export function rememberStorage(value: Value, storage: Storage): void {
  realised.set(value, storage);
}

/** Told the elements of a value when a program has computed it. */
export interface Tap {
  readonly dtype: DType;
  /** In vmap and loops it has more axes in front than where it was asked for. */
  readonly shape: Shape;
  report(elements: TypedArray, shape: Shape): void;
}

const taps = new WeakMap<Value, Tap[]>();

/** Who wants to be told this value outside a trace. */
export const tapsOf = (value: Value): readonly Tap[] => taps.get(value) ?? [];

export function addTap(value: Value, tap: Tap): void {
  taps.set(value, [...tapsOf(value), tap]);
}
