/** What optimisers need to know beyond the public face. */

import { gradients } from "../transform/index.ts";
import { currentTrace, HostStorage } from "./context.ts";
import type { Tensor } from "./tensor.ts";
import type { Variable } from "./variable.ts";

/** Asks the program being traced, if any, to change no variable in a step where this is not finite. */
export function guardFinite(x: Tensor, label: string, kind: "loss" | "gradients"): void {
  currentTrace()?.guard?.(x.node(), label, kind);
}

/**
 * The parameters that have a gradient: not only those the loss depends on, because `detach` and comparisons cut gradients.
 * The gradients themselves are dropped again; what nothing uses is never compiled.
 */
export function reachedBy(loss: Tensor, parameters: readonly Variable[]): ReadonlySet<Variable> {
  const found = gradients(
    loss.node(),
    parameters.map((p) => p.node()),
  );
  return new Set(parameters.filter((_, i) => found[i] !== null));
}

/** The scalar's value where it is known without computing anything. */
export function knownNumber(x: Tensor): number | undefined {
  return x.storage instanceof HostStorage ? x.storage.array[0] : undefined;
}
