import { FormatError } from "../core/errors.ts";
import { milliseconds } from "../core/host.ts";
import { toConsole } from "../io/index.ts";
import type { CheckedOn } from "./held-out.ts";
import { naming } from "./naming.ts";
import { type RunFolder, readCheckpoint } from "./run-folder.ts";
import { epochLine } from "./run-log.ts";
import type { TrainEvents } from "./run-types.ts";
import { damagedParameters } from "./step-error.ts";
import type { Trainer } from "./trainer.ts";
import { type Progress, positionToText } from "./training-state.ts";

interface Recording {
  readonly checkedOn: CheckedOn;
  readonly checkpointSeconds: number;
  elapsed(): number;
}

/** Keeps a run folder up to date: lines of the log, and checkpoints that say how far the log was. */
export class Recorder {
  private readonly folder: RunFolder;
  private readonly trainer: Trainer;
  private readonly events: TrainEvents;
  private readonly recording: Recording;
  /** The steps since the last line: how many, and the sum of their losses. */
  private window = { count: 0, loss: 0 };
  private saved = milliseconds();

  constructor(folder: RunFolder, trainer: Trainer, events: TrainEvents, recording: Recording) {
    this.folder = folder;
    this.trainer = trainer;
    this.events = events;
    this.recording = recording;
  }

  async onStep(progress: Progress): Promise<void> {
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

  async onEpoch(progress: Progress): Promise<void> {
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
