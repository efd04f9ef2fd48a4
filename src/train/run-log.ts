import { LogFile, writeAtomically } from "../io/index.ts";
import type { LoggedStep, LogNote } from "./stored.ts";
import type { Progress } from "./training-state.ts";

/** The line of an epoch. */
export const epochLine = ({ epoch, step, loss, metrics, validation }: Progress, checkedOn: string): Record<string, unknown> => ({
  epoch,
  step,
  loss,
  ...metrics,
  [checkedOn]: validation,
});

/** Most characters of step lines that are kept when a log is written anew. */
const MOST_KEPT = 2 ** 26;

/** `metrics.jsonl`: a line for every epoch and some steps. No times in it: the same run writes the same bytes. */
export class RunLog {
  private file: LogFile;

  private constructor(file: LogFile) {
    this.file = file;
  }

  static async open(path: string): Promise<RunLog> {
    return new RunLog(await LogFile.open(path));
  }

  /** Bytes so far. */
  get length(): number {
    return this.file.length;
  }

  add(line: Readonly<Record<string, unknown>>): Promise<void> {
    return this.file.append(`${JSON.stringify(line)}\n`);
  }

  /** Forgets what stands after the first `bytes`. */
  cut(bytes: number): Promise<void> {
    return this.file.cut(bytes);
  }

  /** Returns when all lines are on the disk: a checkpoint that counts them may be written then. */
  sync(): Promise<void> {
    return this.file.sync();
  }

  /**
   * Goes back to a checkpoint: later lines are forgotten. Where the log has less than the checkpoint counted, or other bytes, the lines of
   * epochs are made again from the checkpoint's records.
   */
  async goBack(
    { bytes }: Pick<LogNote, "bytes">,
    to: { step: number; records: readonly Progress[]; checkedOn: string },
    say: (line: string) => void,
  ): Promise<void> {
    const { path, length } = this.file;
    if (bytes > length || !(await this.file.endsLine(bytes))) return this.rebuild(to, say);
    if (!(await this.file.endsLine(length))) say(`${path} ends in half a line: cut`);
    await this.file.cut(bytes);
  }

  private async rebuild(
    { step, records, checkedOn }: { step: number; records: readonly Progress[]; checkedOn: string },
    say: (line: string) => void,
  ): Promise<void> {
    const { path, length } = this.file;
    const kept = await this.stepLines(step);
    const text: string[] = [];
    let next = 0;
    for (const record of records) {
      for (; next < kept.length && kept[next]!.step <= record.step; next++) text.push(kept[next]!.line);
      text.push(JSON.stringify(epochLine(record, checkedOn)));
    }
    text.push(...kept.slice(next).map(({ line }) => line), "");
    await this.file.close();
    await writeAtomically(path, text.join("\n"));
    this.file = await LogFile.open(path);
    say(
      `${path} was ${length === 0 ? "missing or empty" : "cut short or changed"}: epochs are written again, ${kept.length === 0 ? "lines of steps are lost" : `${kept.length} lines of steps kept, others lost`}`,
    );
  }

  /** The lines of steps up to this one that are whole, in order. */
  private async stepLines(last: number): Promise<{ step: number; line: string }[]> {
    const kept: { step: number; line: string }[] = [];
    let [before, characters] = [0, 0];
    const { stepIn } = await import("./schemas.ts");
    for await (const line of this.file.lines()) {
      const step = stepIn(line)?.step;
      if (step === undefined || step <= before) continue;
      characters += line.length;
      if (step > last || characters > MOST_KEPT) break;
      kept.push({ step, line });
      before = step;
    }
    return kept;
  }

  /** The steps of its lines, at most about 20,000: beyond that neighbours become their mean. Damaged lines are passed over. */
  async steps(): Promise<LoggedStep[]> {
    const { stepIn } = await import("./schemas.ts");
    let points: LoggedStep[] = [];
    let share = 1;
    let waiting: LoggedStep[] = [];
    for await (const line of this.file.lines()) {
      const found = stepIn(line);
      if (!found) continue;
      waiting.push(found);
      if (waiting.length < share) continue;
      points.push(meanOf(waiting));
      waiting = [];
      if (points.length < 20_000) continue;
      points = Array.from({ length: points.length >> 1 }, (_, i) => meanOf(points.slice(2 * i, 2 * i + 2)));
      share *= 2;
    }
    return points;
  }

  /** Never throws: there may be an error on its way that matters more. */
  async close(): Promise<void> {
    await this.file.close().catch(() => undefined);
  }
}

function meanOf(steps: readonly LoggedStep[]): LoggedStep {
  const mean = (pick: (step: LoggedStep) => number): number => steps.reduce((sum, step) => sum + pick(step), 0) / steps.length;
  const rated = steps.every(({ lr }) => lr !== undefined);
  return { step: mean(({ step }) => step), loss: mean(({ loss }) => loss), ...(rated ? { lr: mean(({ lr }) => lr!) } : {}) };
}
