/** A recipe's training by a `Trainer` in its run folder: begun or gone on with, logged and saved on its way, scored at its end. */
import { FormatError } from "../core/errors.ts";
import { milliseconds } from "../core/host.ts";
import type { ArrayDataset, Dataset, Labelled } from "../data/index.ts";
import { type Device, Generator } from "../index.ts";
import { toConsole } from "../io/index.ts";
import { drawGraph } from "./graph.ts";
import { type CheckedOn, checkedOnOf, holdOut, tooFew } from "./held-out.ts";
import { naming } from "./naming.ts";
import type { Options } from "./options.ts";
import { prepare } from "./prepare.ts";
import { runCurves } from "./run-curves.ts";
import { isUnbegun, type RunFolder, readCheckpoint } from "./run-folder.ts";
import { epochLine } from "./run-log.ts";
import type { Result, TrainEvents, TrainSettings } from "./run-types.ts";
import { score } from "./score.ts";
import { damagedParameters } from "./step-error.ts";
import { type FitOptions, type Progress, Trainer } from "./trainer.ts";
import { positionToText } from "./training-state.ts";

/** Trains a recipe from where its run folder is; `elapsed` says how many seconds the run has taken. */
export async function runFit(folder: RunFolder, settings: TrainSettings, events: TrainEvents, elapsed: () => number): Promise<Result> {
  const { recipe, signal, threads } = settings;
  const device = folder.info.device as Device;
  const prepared = prepare(recipe, folder.info.options, folder.info.seed);
  const { model, loss } = prepared;
  const parts = await partsOf(folder, prepared.options, settings, events);
  recipe.adapt?.(model, parts.train as ArrayDataset, prepared.options);
  const recorder = new Recorder(folder, events, { ...parts, checkpointSeconds: settings.checkpointSeconds ?? 60, elapsed });
  const { info } = folder;
  const batches = Math.max(1, Math.floor(parts.train.size / info.batchSize));
  const trainer = new Trainer(model, parts.train, {
    loss,
    optimizer: recipe.optimizer(model, prepared.options, batches * info.epochs),
    rng: new Generator(info.seed).fork("training"),
    epochs: info.epochs,
    batchSize: info.batchSize,
    metrics: recipe.metrics,
    validation: parts.checks,
    earlyStopping: info.patience === null ? undefined : { patience: info.patience },
    nonFinite: info.nonFinite ?? "stop",
    ...{ device, threads, signal },
    ...recorder.callbacks,
  });
  recorder.trainer = trainer;
  if (settings.resume === undefined || (await isUnbegun(folder.path))) {
    // Before the first checkpoint: what goes on from one has its graph.
    await folder.draw("graph.dot", () => drawGraph(model, loss, parts.train));
    await recorder.begin();
  } else await recorder.goBack();
  // What a run is to go on with is written when it is known that it can.
  if (settings.resume !== undefined) await folder.update({});
  announce(recorder, parts);
  const records = await trainer.run();
  if (trainer.ended === "aborted") await recorder.save();
  const stopping = info.patience !== null;
  await folder.draw("curves.svg", () => runCurves(folder, records, { checkedOn: parts.checkedOn, stopping }));
  if (trainer.ended === "aborted") return { status: "interrupted", records, scores: records.at(-1)?.validation ?? {} };
  const scores = await score(model, parts.test, { loss, metrics: recipe.metrics, device, threads, signal });
  const bestEpoch = stopping ? records.at(-1)?.bestEpoch : undefined;
  return { status: trainer.ended === "stopped early" ? "stopped early" : "done", records, scores, bestEpoch };
}

interface Parts {
  readonly train: Dataset<Labelled>;
  /** What scores the epochs, if anything does. */
  readonly checks: Dataset<Labelled> | undefined;
  readonly checkedOn: CheckedOn;
  readonly test: Dataset<Labelled>;
}

/** The recipe's data; what is held out is written into the run's information. */
async function partsOf(
  folder: RunFolder,
  options: Options,
  { recipe, signal, validation }: TrainSettings,
  events: TrainEvents,
): Promise<Parts> {
  const { info } = folder;
  events.data?.();
  const parts = await recipe.data(options, {
    seed: info.seed,
    signal,
    ...(info.data ? { dir: info.data } : {}),
    ...(events.download ? { onProgress: events.download } : {}),
  });
  // A few examples cannot spare any, unless it was asked for.
  const whole = validation === undefined && info.checkedOn === "validation" && tooFew(parts.train.size, info.validation);
  if (whole && info.patience === null) folder.info = { ...info, validation: 0, checkedOn: "nothing" };
  return { ...holdOut(parts, folder.info, new Generator(info.seed)), checkedOn: checkedOnOf(folder.info), test: parts.test };
}

/** Says what is about to be done. */
function announce({ folder, trainer, events }: Recorder, { train, checks, checkedOn, test }: Parts): void {
  const { info, path } = folder;
  events.plan?.({
    path,
    name: info.recipe,
    parameters: trainer.model.parameters().reduce((n, p) => n + (p.shape as number[]).reduce((a, b) => a * b, 1), 0),
    trainExamples: train.size,
    validationExamples: checkedOn === "validation" ? checks!.size : 0,
    testExamples: test.size,
    epochs: info.epochs,
    batchesPerEpoch: trainer.batchesPerEpoch,
    batchSize: info.batchSize,
    startStep: trainer.step,
    checkedOn,
  });
}

interface Recording {
  readonly checkedOn: CheckedOn;
  readonly checkpointSeconds: number;
  elapsed(): number;
}

/** Keeps a run folder up to date: lines of the log, and checkpoints that say how far the log was. */
class Recorder {
  readonly folder: RunFolder;
  readonly events: TrainEvents;
  trainer!: Trainer;
  private readonly recording: Recording;
  /** The steps since the last line: how many, and the sum of their losses. */
  private window = { count: 0, loss: 0 };
  private saved = milliseconds();

  constructor(folder: RunFolder, events: TrainEvents, recording: Recording) {
    this.folder = folder;
    this.events = events;
    this.recording = recording;
  }

  readonly callbacks: Pick<FitOptions, "onStep" | "onEpoch"> = {
    onStep: (progress) => this.onStep(progress),
    onEpoch: (progress) => this.onEpoch(progress),
  };

  private async onStep(progress: Progress): Promise<void> {
    this.window.count++;
    this.window.loss += progress.loss;
    if (progress.step % this.stepsPerLine === 0) {
      const { count, loss } = this.window;
      await this.folder.log.add({ step: progress.step, loss: loss / count, lr: await this.trainer.options.optimizer.lr.item() });
      this.window = { count: 0, loss: 0 };
    }
    this.events.step?.(progress);
    if (this.isDue(this.recording.checkpointSeconds)) await this.save();
  }

  private get stepsPerLine(): number {
    return Math.max(1, Math.ceil(this.trainer.batchesPerEpoch / 50));
  }

  private async onEpoch(progress: Progress): Promise<void> {
    await this.folder.log.add(epochLine(progress, this.recording.checkedOn));
    // Epochs of milliseconds need not all be kept; the last one must be, before early stopping puts older parameters back.
    if (this.trainer.finished || this.isDue(Math.min(2, this.recording.checkpointSeconds))) {
      await this.save();
      await this.folder.update({ seconds: this.recording.elapsed() });
    }
    this.events.epoch?.(progress);
  }

  private isDue(seconds: number): boolean {
    return milliseconds() - this.saved >= 1000 * seconds;
  }

  async save(): Promise<void> {
    this.saved = milliseconds();
    // A model that is not finite is of no use, and would push out checkpoints that are.
    if ((await damagedParameters(this.trainer.model)).length > 0) return;
    const { tensors, position } = await this.trainer.state();
    await this.folder.save(this.trainer.step, tensors, {
      training: positionToText(position),
      log: JSON.stringify({ bytes: this.folder.log.length, ...this.window }),
    });
    this.saved = milliseconds();
  }

  /** Nothing is trained yet: step 0 is a checkpoint too, so that a run can be gone on with whenever it was cut off. */
  async begin(): Promise<void> {
    await this.folder.log.cut(0);
    await this.save();
  }

  /** Goes to the newest whole checkpoint. @throws FormatError that names its file */
  async goBack(): Promise<void> {
    const { folder, trainer, events } = this;
    const { path, step, tensors, metadata } = await readCheckpoint(folder.path, events.damaged);
    const { logNoteFromText, positionFromText } = await import("./schemas.ts");
    const position = positionFromText(metadata.get("training"), path);
    const log = logNoteFromText(metadata.get("log"), path);
    if (position.step !== step)
      throw new FormatError(`${path}: it is of step ${position.step}`, { why: "its name says another", help: "give it its name again" });
    if (log.count >= this.stepsPerLine)
      throw new FormatError(`${path}: ${log.count} steps since the last line of the log`, {
        why: `there is a line after every ${this.stepsPerLine}`,
      });
    naming(path, () => trainer.restore({ tensors, position }));
    const to = { step, records: position.records, checkedOn: this.recording.checkedOn };
    await folder.log.goBack(log, to, events.warn ?? toConsole);
    this.window = { count: log.count, loss: log.loss };
  }
}
