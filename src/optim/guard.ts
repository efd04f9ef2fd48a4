import type { Value } from "../graph/op.ts";
import type { Tensor } from "../index.ts";
import { currentTrace } from "../tensor/context.ts";

/** A trace whose program can refuse to commit: the one of `compile`. */
interface Guarded {
  guard?(value: Value, label: string, kind: "loss" | "gradients"): void;
}

/** Asks the program being traced, if any, to change no variable in a step where this is not finite. */
export function guardFinite(x: Tensor, label: string, kind: "loss" | "gradients"): void {
  (currentTrace() as Guarded | undefined)?.guard?.(x.node(), label, kind);
}
