/** Runs of recipes: begun in a new folder or gone on with, and what becomes of them when they end, fail or are stopped. */
import { ArgumentError, FormatError, NonFiniteError } from "../core/errors.ts";
import { milliseconds } from "../core/host.ts";
import { checkOptions } from "../core/options.ts";
import { newestCheckpoint, toConsole } from "../io/index.ts";
import { runFit } from "./fit-run.ts";
import { USUAL_VALIDATION } from "./held-out.ts";
import { describeMachine } from "./machine.ts";
import type { Options } from "./options.ts";
import { completeOptions, placeOf } from "./prepare.ts";
import { isUnbegun, RunFolder, readInfo } from "./run-folder.ts";
import {
  lengthOf,
  type Result,
  RUN_SETTINGS,
  TRAIN_SETTINGS,
  type TrainEvents,
  type TrainOutcome,
  type TrainSettings,
} from "./run-types.ts";
import { placement, type Trainable } from "./score.ts";
import type { RunInfo } from "./stored.ts";
import { isStop } from "./trainer.ts";
import { storeAll } from "./training-state.ts";

/**
 * Trains a recipe in a run folder: a new one, or one to go on with.
 *
 * @throws the signal's reason, if it was given before there was anything to keep
 */
export async function trainRecipe(settings: TrainSettings, events: TrainEvents = {}): Promise<TrainOutcome> {
  checkOptions("trainRecipe", settings, [...RUN_SETTINGS, ...TRAIN_SETTINGS]);
  const begun = milliseconds();
  const isNew = settings.resume === undefined;
  const folder = isNew ? await newRun(settings, events) : await oldRun(settings.resume, settings, events);
  let unused = false;
  const seconds = folder.info.seconds;
  const elapsed = (): number => seconds + (milliseconds() - begun) / 1000;
  try {
    if (!isNew) folder.info = { ...folder.info, ...resumedInfo(folder.info, settings) };
    const result = settings.recipe.run ? await runOwn(folder, settings, events) : await runFit(folder, settings, events, elapsed);
    const status = result.status;
    await folder.update({
      status,
      scores: result.scores,
      finished: status === "interrupted" ? null : new Date().toISOString(),
      seconds: elapsed(),
    });
    return { path: folder.path, ...result, seconds: elapsed() };
  } catch (error) {
    unused = isNew;
    if (isStop(error, settings.signal)) {
      if (isNew && folder.log.length === 0) throw error;
      return await interrupted(folder, elapsed());
    }
    await folder.fail(elapsed());
    throw error instanceof NonFiniteError ? await withLastGood(error, folder.path) : error;
  } finally {
    await folder.close({ unused });
  }
}

/** A run that was stopped where nothing is to be saved: its data were still loading, or only the test was left. What is saved already stays. */
async function interrupted(folder: RunFolder, seconds: number): Promise<TrainOutcome> {
  await folder.update({ status: "interrupted", finished: null, seconds });
  return { path: folder.path, status: "interrupted", records: [], scores: {}, seconds };
}

/** The run to go on with. What does not fit it is refused before anything is written. */
async function oldRun(path: string, settings: TrainSettings, events: TrainEvents): Promise<RunFolder> {
  if (settings.out !== undefined)
    throw new ArgumentError(`--resume ${path} and --out ${settings.out}`, {
      why: "a run goes on in its own folder",
      help: "leave one of them out; to branch off, copy the folder first",
    });
  const info = await readInfo(path);
  if (shortName(info.recipe) !== shortName(settings.name))
    throw new ArgumentError(`--resume: the run is of ${info.recipe}, not of ${settings.name}`, {
      why: "a resumed run goes on as it began",
      help: "leave the recipe out, or start a new run",
    });
  const ended = info.status === "done" || info.status === "stopped early";
  if (settings.recipe.run && ended)
    throw new ArgumentError(`--resume: ${info.recipe} trains in a way of its own, from beginning to end`, {
      why: "its recipe has a run(), which keeps nothing to go on from",
      help: "start a new run",
    });
  checkOwn(settings);
  resumedInfo(info, settings);
  // A finished run whose checkpoints are gone still has its log.
  if (!ended || !(await isUnbegun(path))) return RunFolder.open(path, events.warn ?? toConsole);
  throw new FormatError(`${path}: its checkpoints are gone`, {
    why: "the run has ended; beginning again would write over its log",
    help: "start a new run",
  });
}

/** What a recipe with its own run() never sees is refused: it would do nothing and say nothing. */
function checkOwn({ recipe, name, epochs, batchSize, validation, patience, dir, nonFinite, checkpointSeconds }: TrainSettings): void {
  if (!recipe.run) return;
  const flags = { epochs, batch: batchSize, validation, patience, data: dir, skipNonFinite: nonFinite, checkpoint: checkpointSeconds };
  const ignored = Object.entries(flags).filter(([, value]) => value !== undefined);
  if (ignored.length === 0) return;
  throw new ArgumentError(
    `${name} does not look at ${ignored.map(([flag]) => `--${flag === "skipNonFinite" ? "skip-non-finite" : flag}`).join(", ")}`,
    {
      why: "it trains in a way of its own",
      help: `its options are ${Object.keys(recipe.options as Options).join(", ")}`,
    },
  );
}

/** "./mine/net.ts" → "net". */
export const shortName = (recipe: string): string => recipe.replace(/^.*[\\/]/, "").replace(/\.[cm]?[jt]s$/, "");

async function newRun(settings: TrainSettings, events: TrainEvents): Promise<RunFolder> {
  const { recipe, name, seed = 0, validation = USUAL_VALIDATION, patience } = settings;
  // Options are checked before anything is written.
  checkOwn(settings);
  checkHeldOut(settings);
  const options = await completeOptions(recipe, settings.options ?? {}, placeOf(seed, { dir: settings.dir, say: events.say }));
  const path = settings.out ?? (await RunFolder.newName("runs", shortName(name)));
  const info: RunInfo = {
    version: 1,
    gradus: settings.version,
    recipe: name,
    options,
    seed,
    ...lengthOf(settings),
    validation,
    checkedOn: validation > 0 ? "validation" : "nothing",
    patience: patience ?? null,
    ...(settings.nonFinite ? { nonFinite: settings.nonFinite } : {}),
    data: settings.dir ?? null,
    device: settings.device ?? "auto",
    threads: settings.threads ?? null,
    machine: { ...(await describeMachine()) },
    started: new Date().toISOString(),
    finished: null,
    status: "running",
    seconds: 0,
    scores: {},
  };
  return RunFolder.create(path, info, events.warn ?? toConsole);
}

function checkHeldOut({ validation, patience }: TrainSettings): void {
  if (validation !== undefined && !(validation >= 0 && validation < 1))
    throw new ArgumentError(`a validation share of ${validation}`, { help: "at least 0 and less than 1, such as 0.1" });
  if (validation === 0 && patience !== undefined)
    throw new ArgumentError("early stopping without validation", {
      why: "it keeps the parameters with the best score on examples that are held out",
      help: "leave out --validation 0, or --patience",
    });
}

/** The same error, and where to go on from. Checkpoints hold finite numbers only: `save` sees to that. */
async function withLastGood(error: NonFiniteError, path: string): Promise<NonFiniteError> {
  const good = await newestCheckpoint(`${path}/checkpoints`).catch(() => undefined);
  const place = good?.step
    ? `the last good checkpoint is ${good.path} (step ${good.step})`
    : "no checkpoint was written before, but of the model as it began";
  return new NonFiniteError(error.what, {
    why: error.why,
    help: `${error.help ?? "lower the learning rate"}; ${place}`,
    site: error.site,
    cause: error,
  });
}

async function runOwn(folder: RunFolder, settings: TrainSettings, events: TrainEvents): Promise<Result> {
  const { info } = folder;
  const { signal } = settings;
  const result = await settings.recipe.run!(info.options, {
    seed: info.seed,
    signal,
    say: (line) => events.say?.(line),
    write: (name, content) => folder.write(name, content),
    ...placement(settings),
  });
  await folder.log.cut(0);
  await folder.log.add({ ...result.scores });
  await folder.save(0, await storeAll({ model: (result.model as Trainable).stateDict() }), {});
  const status = signal.aborted ? "interrupted" : result.passed === false ? "failed" : "done";
  return { status, records: [], scores: result.scores, summary: result.summary };
}

/** What a resumed run changes in `run.json`; other settings must be those of the run. */
function resumedInfo(info: RunInfo, settings: TrainSettings): Partial<RunInfo> {
  for (const [key, value] of Object.entries(settings.options ?? {}))
    if (String(info.options[key]) !== String(value))
      throw new ArgumentError(`--resume: the run has ${key} ${info.options[key]}, not ${value}`, {
        why: "a resumed run goes on as it began",
        help: "leave the option out",
      });
  const { seed, batchSize, validation, patience } = settings;
  for (const [key, value] of Object.entries({ seed, batchSize, validation, patience }))
    if (value !== undefined && info[key as keyof RunInfo] !== value)
      throw new ArgumentError(`--resume: the run has ${key} ${String(info[key as keyof RunInfo])}, not ${value}`, {
        why: "a resumed run goes on as it began",
        help: "leave it out",
      });
  return {
    status: "running",
    finished: null,
    epochs: settings.epochs ?? info.epochs,
    data: settings.dir ?? info.data,
    device: settings.device ?? info.device,
    ...(settings.nonFinite ? { nonFinite: settings.nonFinite } : {}),
    gradus: settings.version,
  };
}
