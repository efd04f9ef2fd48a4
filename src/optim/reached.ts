import type { Tensor, Variable } from "../index.ts";
import { gradients } from "../transform/index.ts";

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
