import { ArgumentError, FormatError, show } from "../core/errors.ts";
import { takeSite } from "../core/site.ts";
import { Tensor, type Tree, Variable, withContents } from "../index.ts";
import { cellsOf, type Module } from "./module.ts";
import { matchState } from "./state.ts";

/**
 * Runs `f` with the model's variables replaced by these tensors: gradients flow to them, and what `f` assigns stays inside it.
 * Variables that are not named keep their contents. The way to derivatives of a model seen as a function of its parameters.
 *
 * @throws FormatError for names the model does not have, and for other shapes or dtypes, all at once
 * @example
 * hvp((state) => functionalCall(model, state, () => mse(model.forward(x, inference), y)), model.stateDict(), v);
 */
export function functionalCall<R extends Tree>(model: Module, state: Readonly<Record<string, Tensor>>, f: () => R): R {
  if (typeof f !== "function")
    throw new ArgumentError(`functionalCall: ${show(f)} is no function`, {
      help: "functionalCall(model, state, () => model.forward(x, inference))",
      site: takeSite(),
    });
  const cells = cellsOf(model);
  const { values, unexpected } = matchState("functionalCall", cells, state, { strict: false });
  if (unexpected.length > 0)
    throw new FormatError(`functionalCall: the model has no variable ${unexpected.join(", ")}`, {
      why: `it has ${[...cells.named.keys()].join(", ") || "none"}`,
      help: "name them as model.stateDict() does",
    });
  // A variable stands for its content, read now and here, so that gradients with respect to it go through.
  const stand = (value: Tensor): Tensor => (value instanceof Variable ? new Tensor(value.node(), { tracked: true }) : value);
  // Running statistics that are not named are assigned in training too, and that stays inside as well.
  const counted = [...cells.named.values()].filter((cell) => !cell.trainable && cell.hasValue && !values.has(cell));
  const contents = [...values, ...counted.map((cell) => [cell, cell] as const)].map(([cell, value]) => [cell, stand(value)] as const);
  return withContents(contents, f);
}
