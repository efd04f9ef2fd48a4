import { type Command, InvalidArgumentError, Option } from "commander";
import type { Device } from "../index.ts";
import type { Options, Recipe, RunSettings } from "../train/index.ts";
import { BUILT_IN, DEFAULT_RECIPE, isName, needingFolder } from "./recipes.ts";
import { packageVersion } from "./version.ts";

/** A whole number within bounds, or commander's error. */
export const whole =
  (least: number, most = Number.MAX_SAFE_INTEGER) =>
  (text: string): number => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(
      `It should be a whole number ${most < Number.MAX_SAFE_INTEGER ? `from ${least} to ${most}` : `≥ ${least}`}.`,
    );
  };

export const share = (text: string): number => {
  const value = Number(text);
  if (text.trim() !== "" && value >= 0 && value < 1) return value;
  throw new InvalidArgumentError("It should be at least 0 and less than 1.");
};

const number = (text: string): number => {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value)) return value;
  throw new InvalidArgumentError("It should be a number.");
};

/** Cells with commas between. */
export const NUMBERS = /^\s*[-+.\d][-+.\deE]*(\s*,\s*[-+.\d][-+.\deE]*)*\s*$/;

export const deviceOption = (): Option =>
  new Option("--device <device>", "where programs run").choices(["auto", "wasm", "native", "interpreter"] satisfies Device[]);
export const threadsOption = (): Option =>
  new Option("--threads <n>", "how many threads compute (default: one per core)").argParser(whole(1, 1024));
export const dataOption = (): Option => new Option("--data <dir>", "folder with the data files; nothing is downloaded then");
export const jsonOption = (): Option => new Option("--json", "one JSON object per line, for machines");
export const recipeOption = (): Option => new Option("--recipe <module>", "the recipe of the run, if it is a module of yours");

/** What `train` and `search` are both told, beside the options of the recipe. */
export interface RunFlags extends Record<string, unknown> {
  readonly data?: string;
  readonly epochs?: number;
  readonly batch?: number;
  readonly seed?: number;
  readonly device?: Device;
  readonly threads?: number;
  readonly out?: string;
  readonly validation?: number;
  readonly json?: boolean;
}

export const recipeArgument = (command: Command): Command =>
  command.argument("[recipe]", `built in: ${Object.keys(BUILT_IN).join(", ")}; or your module, ./mine.ts`, DEFAULT_RECIPE);

/** The flags of both, but for --validation and --json; what differs is how long a training at least is, and where all is kept. */
export const runOptions = (command: Command, { epochs, least, out }: { epochs: string; least: number; out: string }): Command =>
  command
    .addOption(dataOption())
    .option("--epochs <n>", epochs, whole(least))
    .option("--batch <n>", "examples in a batch", whole(1))
    .option("--seed <n>", "decides everything that is random (default: 0)", whole(0))
    .addOption(deviceOption())
    .addOption(threadsOption())
    .option("--out <dir>", out);

/** What these flags and those of the recipe say. */
export const runSettings = (recipe: Recipe, name: string, own: readonly RecipeFlag[], flags: RunFlags): Omit<RunSettings, "signal"> => ({
  recipe: needingFolder(recipe, name, flags.data),
  name,
  options: givenOptions(own, flags),
  seed: flags.seed,
  epochs: flags.epochs,
  batchSize: flags.batch,
  validation: flags.validation,
  dir: flags.data,
  device: flags.device,
  threads: flags.threads,
  out: flags.out,
  version: packageVersion(),
});

/** A flag of a recipe, and the option it sets. */
export interface RecipeFlag {
  readonly key: string;
  readonly option: Option;
}

const kebab = (name: string): string => name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);

/** The flags of a recipe: one for each of its options, under a heading of their own. */
export function recipeOptions(recipe: Recipe): RecipeFlag[] {
  const derived = (recipe.derived ?? []) as readonly string[];
  const own = Object.entries(recipe.options as Options).filter(([key]) => !derived.includes(key));
  return own.map(([key, usual]) => {
    const choices = (recipe.choices as Record<string, readonly string[]> | undefined)?.[key];
    const told = (recipe.describe as Record<string, string> | undefined)?.[key] ?? "";
    const option = flagOf(key, usual, told);
    if (choices) option.choices(choices);
    else if (typeof usual === "number") option.argParser(number);
    return { key, option: option.helpGroup("Options of the recipe:") };
  });
}

/** A flag that is on unless said otherwise can be said otherwise. */
function flagOf(key: string, usual: Options[string], told: string): Option {
  if (typeof usual !== "boolean")
    return new Option(`--${kebab(key)} <value>`, `${told} (default: ${usual === "" ? "none" : usual})`.trim());
  const [flag, does] = usual ? [`--no-${kebab(key)}`, `not: ${told}`] : [`--${kebab(key)}`, told];
  return new Option(flag, told === "" ? "" : `${does} (default: ${usual ? "on" : "off"})`).default(undefined);
}

/** What the command line says of a recipe's options, by their names in the recipe. */
export function givenOptions(own: readonly RecipeFlag[], flags: Readonly<Record<string, unknown>>): Options {
  return Object.fromEntries(
    own.map(({ key, option }) => [key, flags[option.attributeName()]]).filter(([, value]) => value !== undefined),
  ) as Options;
}

/** Which recipe a command line names, before its flags are known: a built-in name, or a module's path. */
export function recipeIn(words: readonly string[]): string | undefined {
  const takesNothing = new Set(["--json", "--help", "-h"]);
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (!word.startsWith("-")) return word;
    if (word.includes("=") || takesNothing.has(word) || word.startsWith("--no-")) continue;
    // A flag of a recipe may take a value or not; a recipe's name after it is no value, but a folder's name can look like one.
    const next = words[i + 1] ?? "";
    if (/^--(out|resume|data|recipe|try|svg|html)$/.test(word) || !isName(next)) i++;
  }
  return undefined;
}
