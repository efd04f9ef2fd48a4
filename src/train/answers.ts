/** What a recipe's outputs mean: classes with probabilities, or numbers with names and units. */
import { ArgumentError } from "../core/errors.ts";
import type { Tensor } from "../index.ts";
import { bceWithLogits, huber, l1, mse, smoothL1 } from "../nn/index.ts";
import type { Options, OptionValue } from "./options.ts";
import { ofOptions, type Recipe, type RecipeValue } from "./recipe.ts";

export type Answers =
  | { readonly kind: "values"; readonly values: readonly RecipeValue[]; read(output: Tensor): Tensor }
  | { readonly kind: "classes"; readonly classes: readonly string[]; probabilities(output: Tensor): Tensor };

/** Losses of numbers: what is trained with them predicts numbers. */
const OF_NUMBERS: ReadonlySet<unknown> = new Set([mse, l1, huber, smoothL1]);

/**
 * What the outputs [n, width] of a recipe's model are: what the recipe says; else what its loss says. Mean squared error and its like are for
 * numbers, `bceWithLogits` for the probability of one class of two, or of each of several; others for classes, by softmax, unless there is one
 * output only.
 *
 * @throws ArgumentError if the recipe names more or fewer of them than there are outputs
 */
export function answersOf(recipe: Recipe<Record<string, OptionValue>>, options: Options, width: number): Answers {
  if (recipe.values) return { kind: "values", values: counted(ofOptions(recipe.values, options), width), read: asItIs };
  const named = recipe.classes && ofOptions(recipe.classes, options);
  const probabilities = recipe.probabilities?.bind(recipe);
  if (probabilities) return { kind: "classes", classes: named ?? [], probabilities };
  if (recipe.loss === bceWithLogits && width === 1) return { kind: "classes", classes: named ?? ["0", "1"], probabilities: ofTwo };
  const names = named && counted(named, width);
  if (recipe.loss === bceWithLogits)
    return { kind: "values", values: names?.map((name) => ({ name })) ?? unnamed(width), read: (output) => output.sigmoid() };
  if (OF_NUMBERS.has(recipe.loss) || width === 1) return { kind: "values", values: unnamed(width), read: asItIs };
  const classes = names ?? Array.from({ length: width }, (_, k) => String(k));
  return { kind: "classes", classes, probabilities: (output) => output.softmax(-1) };
}

function counted<T>(names: readonly T[], width: number): readonly T[] {
  if (names.length === width) return names;
  throw new ArgumentError(`the recipe names ${names.length} answers, its network has ${width} ${width === 1 ? "output" : "outputs"}`, {
    help: "name each of them, in order",
  });
}

const unnamed = (width: number): RecipeValue[] =>
  Array.from({ length: width }, (_, k) => ({ name: width === 1 ? "output" : `output ${k}` }));

const asItIs = (output: Tensor): Tensor => output;

/** Logits [n, 1] → probabilities [n, 2]. */
const ofTwo = (logits: Tensor): Tensor => logits.mul([-1, 1]).sigmoid();
