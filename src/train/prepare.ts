/** A recipe made ready to train. Everything random comes from forks of the one seed: the same settings give the same bits, in a run and in a trial of a search. */
import { ArgumentError } from "../core/errors.ts";
import type { ArrayDataset } from "../data/index.ts";
import { Generator } from "../index.ts";
import { init } from "../nn/index.ts";
import type { HeldOut } from "./held-out.ts";
import type { Loss } from "./metric.ts";
import { type Options, resolveOptions } from "./options.ts";
import type { DataPlace, Recipe } from "./recipe.ts";
import type { Trainable } from "./score.ts";
import { batchesOf, type FitOptions, Trainer } from "./trainer.ts";

export interface Prepared {
  readonly recipe: Recipe;
  readonly seed: number;
  readonly options: Options;
  readonly model: Trainable;
  readonly loss: Loss;
}

/** Options, model and loss of a recipe, with its parameters drawn. */
export function prepare(recipe: Recipe, given: Readonly<Record<string, unknown>>, seed: number): Prepared {
  const options = resolved(recipe, given);
  const model = init(recipe.model(options) as Trainable, new Generator(seed).fork("init"));
  const loss = recipe.objective?.(options, model) ?? recipe.loss;
  if (!loss) throw new ArgumentError("the recipe has no loss", { help: "give it loss, or objective(options)" });
  return { recipe, seed, options, model, loss };
}

/** A recipe's options: given, default, and those that only the data decide. */
export async function completeOptions(recipe: Recipe, given: Readonly<Record<string, unknown>>, where: DataPlace): Promise<Options> {
  const options = resolved(recipe, given);
  return { ...options, ...((await recipe.complete?.(options, where)) as Options | undefined) };
}

const resolved = (recipe: Recipe, given: Readonly<Record<string, unknown>>): Options =>
  resolveOptions(recipe.options as Options, given, recipe.choices as Record<string, readonly string[]>);

/** Where a recipe finds its data, with what was given and nothing else. */
export const placeOf = (
  seed: number,
  { dir, ...given }: { readonly [key in Exclude<keyof DataPlace, "seed">]?: DataPlace[key] | null | undefined },
): DataPlace => ({
  seed,
  ...Object.fromEntries(Object.entries({ ...given, dir: dir || undefined }).filter(([, value]) => value !== undefined)),
});

/** What a recipe leaves open of `fit`. */
type Course = Pick<FitOptions, "epochs" | "earlyStopping" | "nonFinite" | "device" | "threads" | "signal" | "onStep" | "onEpoch"> & {
  readonly batchSize: number;
};

/** The trainer of a recipe on its data, with what is measured on them given to the model. */
export async function trainerOf(
  { recipe, seed, options, model, loss }: Prepared,
  { train, checks }: HeldOut,
  course: Course,
): Promise<Trainer> {
  await recipe.adapt?.(model, train as ArrayDataset, options);
  return new Trainer(model, train, {
    loss,
    optimizer: recipe.optimizer(model, options, batchesOf(train.size, course.batchSize) * course.epochs),
    rng: new Generator(seed).fork("training"),
    metrics: recipe.metrics,
    validation: checks,
    ...course,
  });
}
