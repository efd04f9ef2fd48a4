import { ArgumentError } from "../core/errors.ts";
import { Generator } from "../index.ts";
import { init } from "../nn/index.ts";
import type { Loss } from "./metric.ts";
import { type Options, resolveOptions } from "./options.ts";
import type { DataPlace, Recipe } from "./recipe.ts";
import type { Trainable } from "./score.ts";

/** Options, model and loss of a recipe, with its parameters drawn. */
export function prepare(
  recipe: Recipe,
  given: Readonly<Record<string, unknown>>,
  seed: number,
): { options: Options; model: Trainable; loss: Loss } {
  const options = resolveOptions(recipe.options as Options, given, recipe.choices as Record<string, readonly string[]>);
  const model = init(recipe.model(options) as Trainable, new Generator(seed).fork("init"));
  const loss = recipe.objective?.(options, model) ?? recipe.loss;
  if (!loss) throw new ArgumentError("the recipe has no loss", { help: "give it loss, or objective(options)" });
  return { options, model, loss };
}

/** A recipe's options: given, default, and those that only the data decide. */
export async function completeOptions(recipe: Recipe, given: Readonly<Record<string, unknown>>, where: DataPlace): Promise<Options> {
  const options = resolveOptions(recipe.options as Options, given, recipe.choices as Record<string, readonly string[]>);
  return { ...options, ...((await recipe.complete?.(options, where)) as Options | undefined) };
}
