import { checkOptions } from "../core/options.ts";
import type { ArrayDataset, Dataset, DownloadProgress, Labelled } from "../data/index.ts";
import type { Device } from "../index.ts";
import type { Checkpoint, Damaged } from "../io/index.ts";
import { naming } from "./naming.ts";
import type { Options } from "./options.ts";
import { placeOf, prepare } from "./prepare.ts";
import type { Recipe } from "./recipe.ts";
import { readCheckpoint, readInfo } from "./run-folder.ts";
import { type Scores, score, type Trainable } from "./score.ts";
import type { RunInfo } from "./stored.ts";
import { loadGroup } from "./training-state.ts";

/** A run to use: its model with the parameters it ended with (the best ones, after early stopping). */
export interface Run {
  readonly info: RunInfo;
  readonly recipe: Recipe;
  readonly options: Options;
  readonly model: Trainable;
  readonly checkpoint: Checkpoint;
  /** Loss and metrics on the recipe's test set. */
  evaluate(where?: TestPlace & { readonly device?: Device | undefined; readonly threads?: number | undefined }): Promise<Scores>;
  test(where?: TestPlace): Promise<Dataset<Labelled> | ArrayDataset>;
}

/** Where the test set comes from, if not from where the run's data came. */
export interface TestPlace {
  readonly dir?: string | undefined;
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
}

/** Opens a run's folder. `find` answers the recipe for the name in it: only code that the caller knows is ever run. */
export async function openRun(path: string, find: (name: string) => Promise<Recipe>, report?: (damaged: Damaged) => void): Promise<Run> {
  const info = await readInfo(path);
  const recipe = await find(info.recipe);
  const { options, model, loss } = prepare(recipe, info.options, info.seed);
  const checkpoint = await readCheckpoint(path, report);
  const best = loadGroup(checkpoint.tensors, "best");
  naming(checkpoint.path, () => model.loadStateDict(Object.keys(best).length > 0 ? best : loadGroup(checkpoint.tensors, "model")));
  const testSet = async ({ dir = info.data ?? undefined, onProgress }: TestPlace): Promise<Dataset<Labelled>> => {
    return (await recipe.data(options, placeOf(info.seed, { dir, onProgress }))).test;
  };
  return {
    info,
    recipe,
    options,
    model,
    checkpoint,
    test: async (where = {}) => {
      checkOptions("test", where, ["dir", "onProgress"]);
      return testSet(where);
    },
    evaluate: async (where = {}) => {
      checkOptions("evaluate", where, ["dir", "onProgress", "device", "threads"]);
      const { device, threads } = where;
      return score(model, await testSet(where), { loss, metrics: recipe.metrics, device, threads });
    },
  };
}
