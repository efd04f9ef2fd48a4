import { ArgumentError, FormatError, NonFiniteError } from "../core/errors.ts";
import { milliseconds } from "../core/host.ts";
import { checkOptions } from "../core/options.ts";
import type { ArrayDataset, DownloadProgress } from "../data/index.ts";
import { type Device, Generator } from "../index.ts";
import { type Damaged, newestCheckpoint, toConsole } from "../io/index.ts";
import { init } from "../nn/index.ts";
import { drawGraph } from "./graph.ts";
import { type CheckedOn, checkedOnOf, holdOut, tooFew, USUAL_VALIDATION } from "./held-out.ts";
import { describeMachine } from "./machine.ts";
import type { Loss } from "./metric.ts";
import { naming } from "./naming.ts";
import { type Options, resolveOptions } from "./options.ts";
import type { DataPlace, Recipe } from "./recipe.ts";
import { runCurves } from "./run-curves.ts";
import { isUnbegun, RunFolder, type RunInfo, readCheckpoint, readInfo } from "./run-folder.ts";
import { epochLine } from "./run-log.ts";
import { score, type Trainable } from "./score.ts";
import { damagedParameters } from "./step-error.ts";
import { type Progress, Trainer } from "./trainer.ts";
import { positionToText, storeAll } from "./training-state.ts";
import { isStop } from "./yielding.ts";

export interface TrainSettings {
  readonly recipe: Recipe;
  /** What `run.json` calls the recipe. */
  readonly name: string;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly seed?: number | undefined;
  readonly epochs?: number | undefined;
  readonly batchSize?: number | undefined;
  /** The share of the training data that is held out and scores each epoch; 0: none. Default 0.1. The test set is scored once, at the end. */
  readonly validation?: number | undefined;
  readonly patience?: number | undefined;
  readonly dir?: string | undefined;
  readonly device?: Device | undefined;
  readonly threads?: number | undefined;
  readonly out?: string | undefined;
  readonly resume?: string | undefined;
  readonly signal: AbortSignal;
  /** Of gradus. */
  readonly version: string;
  /** Seconds between checkpoints within an epoch; there is one after each epoch in any case. Default 60. */
  readonly checkpointSeconds?: number | undefined;
  readonly nonFinite?: "stop" | "skip" | undefined;
}
const TRAIN_SETTINGS = [
  ...(["recipe", "name", "options", "seed", "epochs", "batchSize", "validation", "patience", "dir", "device", "threads"] as const),
  ...(["out", "resume", "signal", "version", "checkpointSeconds", "nonFinite"] as const),
] satisfies readonly (keyof TrainSettings)[];

/** What a training is about to do. */
export interface TrainPlan {
  readonly path: string;
  readonly name: string;
  readonly parameters: number;
  readonly trainExamples: number;
  /** Held out for validation. */
  readonly validationExamples: number;
  readonly testExamples: number;
  readonly epochs: number;
  readonly batchesPerEpoch: number;
  readonly batchSize: number;
  /** Steps made before this start. */
  readonly startStep: number;
  readonly checkedOn: CheckedOn;
}

export interface TrainEvents {
  /** The data are about to be read or made, which may take a while. */
  data?(): void;
  plan?(plan: TrainPlan): void;
  download?(progress: DownloadProgress): void;
  step?(progress: Progress): void;
  epoch?(progress: Progress): void;
  damaged?(damaged: Damaged): void;
  say?(line: string): void;
  /** Something went wrong that the run survives. Default: to the console. */
  warn?(line: string): void;
}

export interface TrainOutcome {
  readonly path: string;
  readonly status: RunInfo["status"];
  readonly records: readonly Progress[];
  readonly scores: Readonly<Record<string, number>>;
  /** With early stopping: the epoch whose parameters the run has. */
  readonly bestEpoch?: number | undefined;
  /** Of a recipe with a `run` of its own: what came out, in words. */
  readonly summary?: string | undefined;
  readonly seconds: number;
}

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

/** Trains a recipe in a run folder: a new one, or one to go on with. */
export async function trainRecipe(settings: TrainSettings, events: TrainEvents = {}): Promise<TrainOutcome> {
  checkOptions("trainRecipe", settings, TRAIN_SETTINGS);
  const begun = milliseconds();
  const isNew = settings.resume === undefined;
  const folder = isNew ? await newRun(settings, events) : await oldRun(settings.resume, settings, events);
  let unused = false;
  const seconds = folder.info.seconds;
  const elapsed = (): number => seconds + (milliseconds() - begun) / 1000;
  try {
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
    if (isStop(error, settings.signal)) return await interrupted(folder, elapsed());
    await folder.fail(elapsed());
    throw error instanceof NonFiniteError ? await withLastGood(error, folder.path) : error;
  } finally {
    await folder.close({ unused });
  }
}

/** A run that was stopped where nothing is to be saved: its data were still loading, or only the test was left. */
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
  const options = await completeOptions(recipe, settings.options ?? {}, {
    seed,
    ...(settings.dir ? { dir: settings.dir } : {}),
    ...(events.say ? { say: events.say } : {}),
  });
  const path = settings.out ?? (await RunFolder.newName("runs", shortName(name)));
  const info: RunInfo = {
    version: 1,
    gradus: settings.version,
    recipe: name,
    options,
    seed,
    epochs: settings.epochs ?? recipe.epochs ?? 10,
    batchSize: settings.batchSize ?? recipe.batchSize ?? 32,
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

type Result = Pick<TrainOutcome, "status" | "records" | "scores" | "summary" | "bestEpoch">;

async function runOwn(folder: RunFolder, settings: TrainSettings, events: TrainEvents): Promise<Result> {
  const { info } = folder;
  const { device, threads, signal } = settings;
  const result = await settings.recipe.run!(info.options, {
    seed: info.seed,
    signal,
    say: (line) => events.say?.(line),
    write: (name, content) => folder.write(name, content),
    ...(device ? { device } : {}),
    ...(threads ? { threads } : {}),
  });
  await folder.log.cut(0);
  await folder.log.add({ ...result.scores });
  await folder.save(0, await storeAll({ model: (result.model as Trainable).stateDict() }), {});
  const status = signal.aborted ? "interrupted" : result.passed === false ? "failed" : "done";
  return { status, records: [], scores: result.scores, summary: result.summary };
}

async function runFit(folder: RunFolder, settings: TrainSettings, events: TrainEvents, elapsed: () => number): Promise<Result> {
  const { recipe, signal, threads, checkpointSeconds = 60 } = settings;
  if (settings.resume !== undefined) folder.info = { ...folder.info, ...resumedInfo(folder.info, settings) };
  const { info } = folder;
  const device = info.device as Device;
  const { options, model, loss } = prepare(recipe, info.options, info.seed);
  events.data?.();
  const parts = await recipe.data(options, {
    seed: info.seed,
    signal,
    ...(info.data ? { dir: info.data } : {}),
    ...(events.download ? { onProgress: events.download } : {}),
  });
  // A few examples cannot spare any, unless it was asked for.
  const whole = settings.validation === undefined && info.checkedOn === "validation" && tooFew(parts.train.size, info.validation);
  if (whole && info.patience === null) folder.info = { ...info, validation: 0, checkedOn: "nothing" };
  const root = new Generator(info.seed);
  const { train, checks } = holdOut(parts, folder.info, root);
  const checkedOn = checkedOnOf(folder.info);
  const batches = Math.max(1, Math.floor(train.size / info.batchSize));
  const logEvery = Math.max(1, Math.ceil(batches / 50));
  const window = { count: 0, loss: 0 };
  const save = async (): Promise<void> => {
    // A model that is not finite is of no use, and would push out checkpoints that are.
    if ((await damagedParameters(model)).length > 0) return;
    const { tensors, position } = await trainer.state();
    await folder.save(trainer.step, tensors, {
      training: positionToText(position),
      log: JSON.stringify({ bytes: folder.log.length, ...window }),
    });
  };
  recipe.adapt?.(model, train as ArrayDataset, options);
  let saved = milliseconds();
  const trainer: Trainer = new Trainer(model, train, {
    loss,
    optimizer: recipe.optimizer(model, options, batches * info.epochs),
    rng: root.fork("training"),
    epochs: info.epochs,
    batchSize: info.batchSize,
    metrics: recipe.metrics,
    validation: checks,
    earlyStopping: info.patience === null ? undefined : { patience: info.patience },
    nonFinite: info.nonFinite ?? "stop",
    device,
    threads,
    signal,
    onStep: async (progress) => {
      window.count++;
      window.loss += progress.loss;
      if (progress.step % logEvery === 0) {
        const lr = await trainer.options.optimizer.lr.item();
        await folder.log.add({ step: progress.step, loss: window.loss / window.count, lr });
        Object.assign(window, { count: 0, loss: 0 });
      }
      events.step?.(progress);
      if (milliseconds() - saved < 1000 * checkpointSeconds) return;
      await save();
      saved = milliseconds();
    },
    onEpoch: async (progress) => {
      await folder.log.add(epochLine(progress, checkedOn));
      // Epochs of milliseconds need not all be kept; the last one must be, before early stopping puts older parameters back.
      if (trainer.finished || milliseconds() - saved > Math.min(2, checkpointSeconds) * 1000) {
        await save();
        saved = milliseconds();
        await folder.update({ seconds: elapsed() });
      }
      events.epoch?.(progress);
    },
  });
  // What a run is to go on with is written when it is known that it can.
  const begins = settings.resume === undefined || (await isUnbegun(folder.path));
  if (begins) {
    await folder.log.cut(0);
    await save();
    await folder.draw("graph.dot", () => drawGraph(model, loss, train));
  } else await goBack(trainer, folder, { window, checkedOn }, events);
  if (settings.resume !== undefined) await folder.update({});
  events.plan?.({
    path: folder.path,
    name: info.recipe,
    parameters: model.parameters().reduce((n, p) => n + (p.shape as number[]).reduce((a, b) => a * b, 1), 0),
    trainExamples: train.size,
    validationExamples: checkedOn === "validation" ? checks!.size : 0,
    testExamples: parts.test.size,
    epochs: info.epochs,
    batchesPerEpoch: batches,
    batchSize: info.batchSize,
    startStep: trainer.step,
    checkedOn,
  });
  const records = await trainer.run();
  if (trainer.ended === "aborted") await save();
  const stopping = info.patience !== null;
  await folder.draw("curves.svg", () => runCurves(folder, records, { checkedOn, stopping }));
  if (trainer.ended === "aborted") return { status: "interrupted", records, scores: records.at(-1)?.validation ?? {} };
  const scores = await score(model, parts.test, { loss, metrics: recipe.metrics, device, threads, signal });
  const bestEpoch = stopping ? records.at(-1)?.bestEpoch : undefined;
  return { status: trainer.ended === "stopped early" ? "stopped early" : "done", records, scores, bestEpoch };
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

/** Goes to the newest whole checkpoint. @throws FormatError that names its file */
async function goBack(
  trainer: Trainer,
  folder: RunFolder,
  { window, checkedOn }: { window: { count: number; loss: number }; checkedOn: string },
  events: TrainEvents,
): Promise<void> {
  const { path, step, tensors, metadata } = await readCheckpoint(folder.path, events.damaged);
  const { logNoteFromText, positionFromText } = await import("./schemas.ts");
  const position = positionFromText(metadata.get("training"), path);
  const log = logNoteFromText(metadata.get("log"), path);
  if (position.step !== step)
    throw new FormatError(`${path}: it is of step ${position.step}`, { why: "its name says another", help: "give it its name again" });
  naming(path, () => trainer.restore({ tensors, position }));
  const warn = events.warn ?? toConsole;
  await folder.log.goBack(log, { step, records: position.records, checkedOn }, warn);
  Object.assign(window, { count: log.count, loss: log.loss });
}
