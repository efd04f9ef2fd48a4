/** A run to use: its model, and what that answers. */
import type { Device, Tensor } from "../index.ts";
import { type Answers, answersOf, openRun, type Recipe, type RecipeValue, type Run } from "../train/index.ts";
import type { Output } from "./output.ts";
import { builtIn, findRecipe, needingFolder } from "./recipes.ts";

/** What all commands that use a run are told. */
export interface OpenFlags {
  readonly data?: string;
  readonly recipe?: string;
  readonly device?: Device;
  readonly json?: boolean;
}

/** Opens a run; its recipe is a built-in one, or the module the user names. */
export function open(path: string, flags: OpenFlags, output: Output): Promise<Run> {
  const found = flags.recipe === undefined ? builtIn : () => findRecipe(flags.recipe!);
  const find = async (name: string): Promise<Recipe> => needingFolder(await found(name), name, flags.data);
  return openRun(path, find, ({ path: file, reason }) => output.warn(`warning: ${file} is damaged and was passed over (${reason})`));
}

/** "5.349 points": five digits, and the unit. */
export const quantity = (number: number, { unit }: RecipeValue): string => `${Number(number.toPrecision(5))}${unit ? ` ${unit}` : ""}`;

/** What the outputs of a run mean. */
export const answersFor = (run: Run, output: Tensor): Answers =>
  answersOf(run.recipe, run.options, output.shape.length === 1 ? 1 : (output.shape.at(-1) as number));
