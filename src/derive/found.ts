/** The gradients there are, with the checks that every way of asking for them shares. */
import { isFloat } from "../core/dtype.ts";
import { DTypeError, GraphError } from "../core/errors.ts";
import { showShape } from "../core/shape.ts";
import type { Value } from "../graph/op.ts";
import { Tensor } from "../tensor/tensor.ts";
import { currentTrace } from "../tensor/trace.ts";
import { ownerOf, Variable } from "../tensor/variable.ts";
import * as graphs from "../transform/index.ts";

/** ∂y/∂x as nodes, null where y does not depend on x. Throws what `gradients` says it does, but for the missing ones. */
export function foundGradients(y: Tensor, xs: readonly Tensor[], names: readonly string[], who: string): (Value | null)[] {
  const root = checkScalar(y, who).node();
  checkCurrent(root, xs, who);
  for (const [i, x] of xs.entries()) checkSource(x, names[i]!, who);
  return graphs.gradients(
    root,
    xs.map((x) => x.node()),
  );
}

export function checkScalar(y: Tensor, who: string): Tensor {
  if (!(y instanceof Tensor)) throw new GraphError(`${who}: the function must return a tensor`, { help: "a scalar, like a loss" });
  if (y.shape.length > 0)
    throw new GraphError(`${who}: y is ${showShape(y.shape)}, not a scalar`, {
      why: "the gradient of several numbers is not one tensor",
      help: "y.sum() or y.mean() first; jacobian(f) for all of them",
    });
  if (!isFloat(y.dtype))
    throw new DTypeError(`${who}: ${y.dtype} has no gradient`, {
      why: "only floats change continuously",
      help: 'compute in floats: x.cast("float32")',
    });
  return y;
}

function checkSource(x: Tensor, name: string, who: string): void {
  if (!isFloat(x.dtype))
    throw new DTypeError(`${who}: ${name} is ${x.dtype}, and has no gradient`, { why: "only floats change continuously" });
  if (!x.isTracked && !currentTrace())
    throw new GraphError(`${who}: ${name} is a plain tensor`, {
      why: "how it is used is forgotten once it has been computed",
      help: "compute with x.tracked() in its place, or make it a variable; grad(f) does it by itself",
    });
}

/** A cell stands for its present content: if y read an earlier one, the gradient would be of something else. */
function checkCurrent(root: Value, xs: readonly Tensor[], who: string): void {
  const present = new Map(xs.filter((x) => x instanceof Variable).map((x) => [x, x.node()]));
  if (present.size === 0) return;
  for (const v of reachedByGradients(root)) {
    const owner = ownerOf(v);
    if (owner && present.has(owner) && present.get(owner) !== v)
      throw new GraphError(`${who}: ${owner.label()} was assigned after y was built`, {
        why: "y depends on what the cell held before",
        help: "take the gradients before assigning",
      });
  }
}

/** What a gradient may flow to from here: not what lies behind a cut, as the history of an assigned cell does. */
function reachedByGradients(root: Value): Set<Value> {
  const reached = new Set([root]);
  for (const v of reached) for (const x of v.op.kind === "custom" ? v.inputs.slice(1) : v.inputs) reached.add(x);
  return reached;
}
