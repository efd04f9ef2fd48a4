import { ArgumentError, GradusError } from "../core/errors.ts";
import { milliseconds } from "../core/host.ts";
import { checkOptions, suggestion } from "../core/options.ts";
import { type DownloadProgress, HostRandom } from "../data/index.ts";
import { Generator } from "../index.ts";
import { writeAtomically } from "../io/index.ts";
import { holdOut } from "./held-out.ts";
import { describeMachine } from "./machine.ts";
import { type Direction, needDirection } from "./metric.ts";
import type { Options } from "./options.ts";
import { completeOptions, placeOf, prepare, trainerOf } from "./prepare.ts";
import type { Recipe } from "./recipe.ts";
import { makeFolder, RunFolder } from "./run-folder.ts";
import { epochLine } from "./run-log.ts";
import { lengthOf, RUN_SETTINGS, type RunSettings, type TrainEvents, type TrainOutcome } from "./run-types.ts";
import { parseAxes, type Setting, settingsOf } from "./search-space.ts";
import { shortName, trainRecipe } from "./train-recipe.ts";
import type { Progress } from "./training-state.ts";

export interface SearchSettings extends RunSettings {
  /** "lr=0.03,0.1,0.3", "lr=0.001..1", "hidden=16..256"; also of `batch` and `epochs`. Without any: lr × 0.3, × 1, × 3. */
  readonly tries?: readonly string[];
  /** How many trials, where values are drawn; all combinations of the values, or 10 of ranges, unless said. */
  readonly trials?: number | undefined;
  /** Which validation score decides: the recipe's first metric, or "loss", unless said. */
  readonly by?: string | undefined;
  /** False: the best setting is not trained again on all training data. */
  readonly retrain?: boolean | undefined;
}
const SEARCH_SETTINGS = ["tries", "trials", "by", "retrain"] as const satisfies readonly (keyof SearchSettings)[];

/** What a search is about to do. */
export interface SearchPlan {
  readonly path: string;
  readonly name: string;
  readonly trials: number;
  /** The names of what is varied. */
  readonly tried: readonly string[];
  /** The validation score that decides. */
  readonly by: string;
  readonly trainExamples: number;
  readonly validationExamples: number;
}

/** A setting, trained and scored. */
export interface Trial {
  /** Counted from 1. */
  readonly trial: number;
  readonly setting: Setting;
  /** Why there are no scores, if there are none. */
  readonly failed?: string;
  readonly epochs: number;
  /** Means over the last epoch. */
  readonly training: Readonly<Record<string, number>>;
  /** After the last epoch. */
  readonly validation: Readonly<Record<string, number>>;
  readonly seconds: number;
}

export interface SearchEvents {
  plan?(plan: SearchPlan): void;
  /** The data are about to be read or made. */
  data?(): void;
  download?(progress: DownloadProgress): void;
  epoch?(trial: { readonly trial: number; readonly setting: Setting; readonly epochs: number }, progress: Progress): void;
  trial?(trial: Trial): void;
  /** All trials that were made, best first: before the best is trained again. */
  ranking?(trials: readonly Trial[]): void;
  readonly retrain?: TrainEvents;
}

export interface SearchOutcome {
  readonly path: string;
  readonly status: "done" | "interrupted";
  readonly by: string;
  /** Best first; trials without a score last. */
  readonly trials: readonly Trial[];
  /** Undefined if no trial has a score yet. */
  readonly best: Trial | undefined;
  /** The best setting on all training data, scored once on the test set. */
  readonly retrained?: TrainOutcome;
  readonly seconds: number;
}

interface Plan {
  readonly seed: number;
  readonly validation: number;
  /** What all trials share, `batch` and `epochs` among it. */
  readonly base: Options;
  readonly settings: readonly Setting[];
  readonly tried: readonly string[];
  readonly by: string;
  readonly better: Direction;
}

function checkSettings({ recipe, name, validation = 0.2, trials }: SearchSettings): void {
  if (recipe.run)
    throw new ArgumentError(`search: ${name} trains in a way of its own`, {
      why: "its recipe has a run(), so there is no validation score to compare",
      help: "gradus train shows it; search a recipe with loss, data and optimizer",
    });
  if (!(validation > 0 && validation < 1))
    throw new ArgumentError(`search: a validation share of ${validation}`, {
      why: "the trials are compared by examples that none of them was trained on",
      help: "between 0 and 1, such as 0.2",
    });
  if (trials !== undefined && !(Number.isSafeInteger(trials) && trials >= 1))
    throw new ArgumentError(`search: ${trials} trials`, { help: "a whole number ≥ 1" });
}

/** Checks all that can be checked before anything is trained or written. */
async function planOf(settings: SearchSettings): Promise<Plan> {
  const { recipe, seed = 0, validation = 0.2, trials } = settings;
  checkSettings(settings);
  const choices = recipe.choices as Record<string, readonly string[]> | undefined;
  const { dir, signal } = settings;
  const fixed = await completeOptions(recipe, settings.options ?? {}, placeOf(seed, { dir, signal }));
  const { epochs, batchSize: batch } = lengthOf(settings);
  const base = { ...fixed, batch, epochs };
  const given = [
    ...Object.keys(settings.options ?? {}),
    ...(settings.batchSize === undefined ? [] : ["batch"]),
    ...(settings.epochs === undefined ? [] : ["epochs"]),
  ];
  const asked = settings.tries ?? [];
  const tries = asked.length > 0 ? asked : usualTries(base);
  const axes = parseAxes(tries, base, asked.length > 0 ? given : [], choices);
  const rng = new HostRandom(new Generator(seed).fork("search").state.seed);
  const by = decidingScore(recipe, settings.by);
  return {
    seed,
    validation,
    base,
    settings: settingsOf(axes, trials, rng),
    tried: axes.map((axis) => axis.name),
    by,
    better: needDirection("search", by, recipe.metrics?.[by]),
  };
}

function usualTries({ lr }: Options): string[] {
  if (typeof lr === "number" && lr > 0) return [`lr=${[0.3, 1, 3].map((factor) => Number((factor * lr).toPrecision(4))).join(",")}`];
  throw new ArgumentError("search: nothing to try", { why: "the recipe has no option lr", help: "say what: --try hidden=16,32" });
}

function decidingScore(recipe: Recipe, by: string | undefined): string {
  const names = [...Object.keys(recipe.metrics ?? {}), "loss"];
  if (by === undefined || names.includes(by)) return by ?? names[0]!;
  throw new ArgumentError(`search: there is no validation score ${JSON.stringify(by)}`, { help: suggestion(by, names) });
}

/**
 * Hyper-parameter search: each setting is trained on a part of the training data and scored on the rest, the validation set (Goodfellow,
 * Bengio and Courville 2016, section 5.3). The best one is then trained on all of it and scored on the test set, once. Trial and retraining
 * are what `trainRecipe` does with the same seed, options and validation share, to the bit. Writes `search.json`, `trial-01.jsonl`, … (a line
 * for each epoch) and the run folder `best`.
 *
 * @throws ArgumentError for settings that make no sense, or if no trial got a score
 * @example
 * const { trials } = await search({ recipe, name: "mine", tries: ["lr=0.03,0.1,0.3"], signal, version });
 */
export async function search(asked: SearchSettings, events: SearchEvents = {}): Promise<SearchOutcome> {
  checkOptions("search", asked, [...RUN_SETTINGS, ...SEARCH_SETTINGS]);
  const begun = milliseconds();
  const seconds = (): number => (milliseconds() - begun) / 1000;
  const plan = await planOf(asked);
  const settings = { ...asked, recipe: { ...asked.recipe, data: sharedData(asked.recipe) } };
  const path = settings.out ?? (await RunFolder.newName("runs", `search-${shortName(settings.name)}`));
  await makeFolder(path, "choose another folder with --out");
  const record = await recordIn(path, settings, plan);
  await record({ status: "running" });
  const trials: Trial[] = [];
  try {
    await runTrials(settings, events, { plan, path, trials, save: () => record({ status: "running", trials, seconds: seconds() }) });
    const ranking = rank(trials, plan);
    events.ranking?.(ranking);
    const best = ranking.find((trial) => scoreOf(trial, plan.by) !== undefined);
    if (!best && !settings.signal.aborted) throw noScore(trials);
    const again = best && settings.retrain !== false && !settings.signal.aborted;
    const retrained = again ? await retrain(settings, events, plan, { setting: best.setting, out: `${path}/best` }) : undefined;
    const status = settings.signal.aborted ? "interrupted" : "done";
    await record({ status, trials, best: best ?? null, test: retrained?.scores ?? null, seconds: seconds() });
    return { path, status, by: plan.by, trials: ranking, best, ...(retrained ? { retrained } : {}), seconds: seconds() };
  } catch (error) {
    await record({ status: "failed", trials, seconds: seconds() }).catch(() => undefined);
    throw error;
  }
}

const noScore = (trials: readonly Trial[]): ArgumentError =>
  new ArgumentError(`search: none of ${trials.length} trials got a score`, {
    why: trials[0]?.failed?.split("\n")[0],
    help: "try other values: smaller ones for a learning rate",
  });

/** Answers a function that writes `search.json`: what was asked for, and how far it got. */
async function recordIn(path: string, settings: SearchSettings, plan: Plan): Promise<(outcome: object) => Promise<void>> {
  const { by, seed, validation, base, tried } = plan;
  const asked = {
    version: 1,
    gradus: settings.version,
    recipe: settings.name,
    tries: settings.tries ?? [],
    ...{ tried, by, seed, validation },
    options: base,
    planned: plan.settings.length,
    data: settings.dir ?? null,
    device: settings.device ?? "auto",
    threads: settings.threads ?? null,
    machine: await describeMachine(),
    started: new Date().toISOString(),
  };
  return (outcome) => writeAtomically(`${path}/search.json`, `${JSON.stringify({ ...asked, ...outcome }, null, 2)}\n`);
}

interface Trials {
  readonly plan: Plan;
  readonly path: string;
  /** The trials made; more are added. */
  readonly trials: Trial[];
  save(): Promise<void>;
}

async function runTrials(settings: SearchSettings, events: SearchEvents, { plan, path, trials, save }: Trials): Promise<void> {
  const { signal, name, recipe, dir } = settings;
  const { seed, tried, by } = plan;
  const place = placeOf(seed, { dir, signal, onProgress: events.download });
  for (const [i, setting] of plan.settings.entries()) {
    const { options, length } = optionsAndLength(plan, setting);
    // Outside the trial: data that cannot be read is no trial's fault, and ends the search.
    if (i === 0) events.data?.();
    const parts = await recipe.data(options, place).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
    if (!parts || signal.aborted) return;
    const data = holdOut(parts, plan, seed);
    const examples = { trainExamples: data.train.size, validationExamples: data.checks!.size };
    if (i === 0) events.plan?.({ path, name, trials: plan.settings.length, tried, by, ...examples });
    const trial = await oneTrial({ trial: i + 1, setting, epochs: length.epochs }, path, events, async (onEpoch) => {
      const { device, threads } = settings;
      const trainer = await trainerOf(prepare(recipe, options, seed), data, { ...length, device, threads, onEpoch });
      return trainer.run();
    });
    trials.push(trial);
    await save();
    events.trial?.(trial);
    if (signal.aborted) return;
  }
}

/** What a setting makes of the search's plan: a recipe's options, and how long a training is. */
function optionsAndLength({ base }: Plan, setting: Setting): { options: Options; length: { epochs: number; batchSize: number } } {
  const { batch, epochs, ...options } = { ...base, ...setting };
  return { options, length: { epochs: epochs as number, batchSize: batch as number } };
}

type Parts = Awaited<ReturnType<Recipe["data"]>>;

/** Trains a setting, with a line for each epoch in a file of its own. */
async function oneTrial(
  about: Pick<Trial, "trial" | "setting" | "epochs">,
  path: string,
  events: SearchEvents,
  train: (onEpoch: (progress: Progress) => void) => Promise<Progress[]>,
): Promise<Trial> {
  const begun = milliseconds();
  const { trial, epochs } = about;
  const lines: string[] = [];
  const done = (result: Pick<Trial, "training" | "validation" | "failed">): Trial => ({
    ...{ ...about, ...result },
    seconds: (milliseconds() - begun) / 1000,
  });
  try {
    const records = await train((progress) => {
      lines.push(`${JSON.stringify(epochLine(progress, "validation"))}\n`);
      events.epoch?.(about, progress);
    });
    const last = records.at(-1);
    if (!last) throw new ArgumentError(`search: no score after ${epochs} epochs`, { help: "at least 1" });
    return done({ training: { loss: last.loss, ...last.metrics }, validation: last.validation! });
  } catch (error) {
    // A setting that diverges, or that the recipe refuses, is a result too.
    if (!(error instanceof GradusError)) throw error;
    return done({ training: {}, validation: {}, failed: error.message });
  } finally {
    await writeAtomically(`${path}/trial-${String(trial).padStart(2, "0")}.jsonl`, lines.join(""));
  }
}

/** The best setting, on all training data. */
function retrain(
  settings: SearchSettings,
  events: SearchEvents,
  plan: Plan,
  { setting, out }: { setting: Setting; out: string },
): Promise<TrainOutcome> {
  const { recipe, name, dir, device, threads, signal, version } = settings;
  const { options, length } = optionsAndLength(plan, setting);
  const more = { options, ...length, seed: plan.seed, out, validation: 0 };
  return trainRecipe({ recipe, name, dir, device, threads, signal, version, ...more }, events.retrain);
}

/** The recipe's data, loaded again only if an option that it looks at has changed: most look at none. */
function sharedData(recipe: Recipe): Recipe["data"] {
  let kept: { readonly seen: Map<string | symbol, unknown>; readonly parts: Parts } | undefined;
  return async (options: Options, where) => {
    if (kept && [...kept.seen].every(([key, value]) => options[key as string] === value)) return kept.parts;
    const seen = new Map<string | symbol, unknown>();
    const watched = new Proxy(options, {
      get: (target, key) => {
        seen.set(key, target[key as string]);
        return target[key as string];
      },
    });
    kept = { seen, parts: await recipe.data(watched, where) };
    return kept.parts;
  };
}

const scoreOf = ({ validation }: Trial, by: string): number | undefined => (Number.isFinite(validation[by]) ? validation[by] : undefined);

/** Best first; equal ones by their loss, then as they were made; those without a score last. */
function rank(trials: readonly Trial[], { by, better }: Plan): Trial[] {
  const sign = better === "larger" ? -1 : 1;
  const compare = (a: number | undefined, b: number | undefined): number =>
    a === b ? 0 : a === undefined ? 1 : b === undefined ? -1 : Math.sign(a - b);
  const signed = (trial: Trial): number | undefined => (scoreOf(trial, by) === undefined ? undefined : sign * scoreOf(trial, by)!);
  return [...trials].sort((a, b) => compare(signed(a), signed(b)) || compare(scoreOf(a, "loss"), scoreOf(b, "loss")) || a.trial - b.trial);
}
