import { existsSync } from "node:fs";
import { register as registerHooks } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { ArgumentError } from "../core/errors.ts";
import { suggestion } from "../core/options.ts";
import type { Recipe } from "../train/index.ts";

/** The recipes that come with gradus. */
export const BUILT_IN: Readonly<Record<string, () => Promise<{ default: Recipe }>>> = {
  "digits-mlp": () => import("../../recipes/digits-mlp.ts"),
  lenet: () => import("../../recipes/lenet.ts"),
  xor: () => import("../../recipes/xor.ts"),
  iris: () => import("../../recipes/iris.ts"),
  pendulum: () => import("../../recipes/pendulum.ts"),
  wine: () => import("../../recipes/wine.ts"),
  regression: () => import("../../recipes/regression.ts"),
  classification: () => import("../../recipes/classification.ts"),
  "mnist-mlp": () => import("../../recipes/mnist-mlp.ts"),
  "fashion-mlp": () => import("../../recipes/fashion-mlp.ts"),
  "fashion-cnn": () => import("../../recipes/fashion-cnn.ts"),
  "cifar-cnn": () => import("../../recipes/cifar-cnn.ts"),
  alexnet: () => import("../../recipes/alexnet.ts"),
};

export const DEFAULT_RECIPE = "digits-mlp";

/** True for a word that can only be meant as a recipe. */
export const isName = (word: string): boolean => Object.hasOwn(BUILT_IN, word) || isFile(word);

/** True for the name of a module. */
export const isFile = (name: string): boolean => /\.[cm]?[jt]s$/.test(name);

/** A word as a shell takes it. */
export const shellWord = (word: string): string => (/^[\w./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

/** What to type to go on with a run. Its recipe is named if it is a module: what a run's folder names is not started by itself. */
export const resumeWords = (recipe: string, path: string): string[] => [
  ...(process.env.npm_command === "exec" ? ["npx", "gradus", "train"] : ["gradus", "train"]),
  ...(isFile(recipe) ? [shellWord(recipe)] : []),
  "--resume",
  shellWord(path),
];

/** The recipe, but that it refuses to load its data if it does not look at the folder that --data names. */
export function needingFolder(recipe: Recipe, name: string, dir: string | undefined): Recipe {
  if (dir === undefined || recipe.run) return recipe;
  return {
    ...recipe,
    data: async (options, where) => {
      let looked = false;
      const watched = Object.defineProperty({ ...where }, "dir", {
        enumerable: true,
        get: () => {
          looked = true;
          return where.dir;
        },
      });
      const parts = await recipe.data(options, watched);
      if (looked) return parts;
      throw new ArgumentError(`--data ${dir}: ${name} looks for no data files`, {
        why: "it makes its examples itself",
        help: "leave --data out",
      });
    },
  };
}

/** A built-in recipe by its name, or the default export of the user's own module by its path. */
export async function findRecipe(name: string): Promise<Recipe> {
  if (isFile(name)) return checked(await importModule(name), name);
  return builtIn(name);
}

/** A built-in recipe only: what a run's folder names is never imported as code. */
export async function builtIn(name: string, help = `if you trust it, say so: --recipe ${shellWord(name)}`): Promise<Recipe> {
  if (Object.hasOwn(BUILT_IN, name)) return (await BUILT_IN[name]!()).default;
  if (isFile(name))
    throw new ArgumentError(`the run was made with ${name}`, {
      why: "a run's folder may come from anybody, so the program it names is not started by itself",
      help,
    });
  throw new ArgumentError(`there is no recipe ${JSON.stringify(name)}`, {
    why: "a recipe of your own is named by its file, as in gradus train ./mine.ts",
    help: suggestion(name, Object.keys(BUILT_IN)),
  });
}

async function importModule(name: string): Promise<unknown> {
  const path = resolve(name);
  if (!existsSync(path))
    throw new ArgumentError(`there is no file ${name}`, { help: "give the path of a module whose default export is a recipe" });
  const url = pathToFileURL(path).href;
  if (!/\.[cm]?ts$/.test(name)) return import(url);
  await readTypeScript(name);
  return import(url);
}

/** A .ts file is a module, whatever the package.json beside it says: as CommonJS it would load a second copy of gradus. */
const AS_MODULE =
  'export const load = (url, context, next) => next(url, /\\.ts(\\?|$)/.test(url) ? { ...context, format: "module" } : context);';

/**
 * Makes TypeScript readable: with tsx where it is installed, else by what the host can do itself, as Node ≥ 22.18. No tsconfig is followed:
 * its paths could bring a second copy of gradus, whose tensors are not ours.
 */
async function readTypeScript(name: string): Promise<void> {
  // It would run what it finds in a folder under /tmp whose name others know, whoever has put it there.
  process.env.TSX_DISABLE_CACHE ||= "1";
  const tsx = await import("tsx/esm/api").catch((error: { code?: string }) => {
    if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
  });
  if (tsx) {
    tsx.register({ tsconfig: false });
    registerHooks(`data:text/javascript,${encodeURIComponent(AS_MODULE)}`);
  } else if (!("typescript" in process.features && process.features.typescript) && !process.versions.bun && !process.versions.deno)
    throw new ArgumentError(`${name}: this Node cannot read TypeScript`, {
      help: "npm install tsx, or use Node ≥ 22.18, or write the recipe in JavaScript",
    });
}

function checked(module: unknown, name: string): Recipe {
  const found = (module as { default?: unknown }).default as Partial<Recipe> | undefined;
  const lacks = ["options", "model", "data", "optimizer"].filter((key) => !(found && key in found));
  if (!found || lacks.length > 0)
    throw new ArgumentError(`${name}: its default export is no recipe`, {
      why: found ? `it lacks ${lacks.join(", ")}` : "there is no default export",
      help: "export default recipe({ options, model, data, loss, optimizer })",
    });
  return found as Recipe;
}
