import type { Progress, TrainEvents, TrainPlan } from "../train/index.ts";
import { firstThatFits, flow, labelled, widthOf, wrap } from "./layout.ts";
import { clock, duration, type Output, showAll, showScore, sparkline, thousands } from "./output.ts";

/** Reports a training: a bar on a terminal, lines in a pipe, JSON lines for machines. */
export function reportTraining(output: Output): TrainEvents & { curve(): string } {
  let plan: TrainPlan | undefined;
  let pace = new Pace();
  let drawn = 0;
  const losses: number[] = [];
  const smooth = smoother();
  const rate = (now: number): number => pace.stepsPerSecond(now) * plan!.batchSize;
  return {
    data: () => output.redraw("preparing the data …"),
    plan: (p) => {
      plan = p;
      pace = new Pace();
      output.event("plan", { ...p });
      sayPlan(p, output);
    },
    download: ({ file, received, total }) => {
      const size = `${(received / 1e6).toFixed(1)}${total ? ` of ${(total / 1e6).toFixed(1)}` : ""} MB`;
      const shown = total ? [`downloading ${file}`, bar(received / total, 24, output), size] : [`downloading ${file}`, size];
      if (output.live) output.redraw(firstThatFits([shown.join("  "), `${file}  ${size}`, size], output.columns - 1));
      else if (received === total) output.line(`downloaded ${file}, ${size}`);
    },
    step: (progress) => {
      losses.push(progress.loss);
      if (losses.length > 4000) halve(losses);
      const shown = smooth(progress);
      const now = performance.now();
      pace.step(now);
      if (now - drawn < (output.live ? 80 : 10_000)) return;
      const isFirst = drawn === 0;
      drawn = now;
      if (isFirst && !output.live) return;
      const speed = { examples: rate(now), secondsLeft: pace.secondsLeft(now, progress.step, plan!) };
      if (output.live) output.redraw(drawnLine(shown, plan!, speed, output));
      else output.line(plainLine(shown, plan!, speed));
      output.event("step", { ...progress, examplesPerSecond: Math.round(speed.examples) });
    },
    epoch: (progress) => {
      const now = performance.now();
      const seconds = pace.epoch(now);
      const examplesPerSecond = rate(now);
      const { epoch, step, loss, metrics, validation } = progress;
      const scores = { epoch, step, loss, ...metrics, [plan!.checkedOn]: validation };
      output.event("epoch", { ...scores, seconds, examplesPerSecond: Math.round(examplesPerSecond) });
      sayEpoch(progress, plan!, { seconds, examplesPerSecond }, output);
    },
    damaged: ({ path, reason }) => output.warn(`warning: ${path} is damaged and was passed over (${reason})`),
    say: (line) => {
      output.event("note", { text: line });
      output.line(wrap(line, output.columns, "  "));
    },
    curve: () => sparkline(losses, Math.min(60, output.columns - 6)),
  };
}

/** How fast a training goes. */
class Pace {
  private readonly began = performance.now();
  private epochBegan = this.began;
  private seen = 0;
  /** The time of the steps that came right after another: what evaluation and the first step took is left out. */
  private timed = { steps: 0, milliseconds: 0 };
  /** When the last step ended, if nothing has come between. */
  private stepped: number | undefined;

  step(now: number): void {
    this.seen++;
    if (this.stepped !== undefined) {
      this.timed.steps++;
      this.timed.milliseconds += now - this.stepped;
    }
    this.stepped = now;
  }

  /** How many seconds the epoch took that ends now. */
  epoch(now: number): number {
    const seconds = (now - this.epochBegan) / 1000;
    this.epochBegan = now;
    this.stepped = undefined;
    return seconds;
  }

  stepsPerSecond(now: number): number {
    const { steps, milliseconds } = this.timed.steps > 0 ? this.timed : { steps: this.seen, milliseconds: now - this.began };
    return (steps / Math.max(1, milliseconds)) * 1000;
  }

  secondsLeft(now: number, step: number, { epochs, batchesPerEpoch, startStep }: TrainPlan): number {
    return ((now - this.began) / 1000 / Math.max(1, step - startStep)) * (epochs * batchesPerEpoch - step);
  }
}

function sayPlan(p: TrainPlan, output: Output): void {
  const { bold, dim } = output.colour;
  const times = `${p.epochs} ${p.epochs === 1 ? "epoch" : "epochs"} of ${p.batchesPerEpoch} ${p.batchesPerEpoch === 1 ? "batch" : "batches"} of ${p.batchSize}`;
  const kept = p.validationExamples > 0 ? ` and ${thousands(p.validationExamples)} for validation` : "";
  const what = `${bold(p.name)}: ${thousands(p.parameters)} parameters, ${thousands(p.trainExamples)} examples${kept}, ${times}`;
  output.line(wrap(what, output.columns, "  "));
  output.line(dim(labelled("run folder:", p.path, output.columns)));
  if (p.epochs === 0) output.line(wrap("0 epochs train nothing: the model is saved and scored as it is", output.columns, "  "));
  if (p.startStep > 0) output.line(dim(`going on after step ${p.startStep}`));
}

interface Speed {
  /** A second. */
  readonly examples: number;
  readonly secondsLeft: number;
}

/** What is told of a training between two epochs. */
function factsOf({ epoch, step, loss, metrics }: Progress, { epochs, batchesPerEpoch }: TrainPlan, { examples, secondsLeft }: Speed) {
  const share = step / (epochs * batchesPerEpoch);
  return {
    share,
    head: `epoch ${epoch}/${epochs}`,
    percent: `${Math.floor(100 * share)} %`,
    scores: Object.entries({ loss, ...metrics }).map(([name, value]) => showScore(name, value)),
    tail: [`${thousands(examples)} examples/s`, `ETA ${clock(secondsLeft)}`],
  };
}

function plainLine(progress: Progress, plan: TrainPlan, speed: Speed): string {
  const { head, percent, scores, tail } = factsOf(progress, plan, speed);
  return [head, percent, ...scores, ...tail].join("  ");
}

/** Where the terminal is narrow the speed goes first, then the bar gets shorter, then scores go, the last one first. */
function drawnLine(progress: Progress, plan: TrainPlan, speed: Speed, output: Output): string {
  const { share, head, percent, scores, tail } = factsOf(progress, plan, speed);
  // Two columns are left for the ^C of who interrupts.
  const room = (facts: string): number => output.columns - head.length - facts.length - 7;
  const ways = [[...scores, ...tail], ...scores.map((_, i) => [...scores.slice(0, scores.length - i), tail[1]]), [scores[0]], []];
  const lines = ways.map((facts) => [percent, ...facts].join("  "));
  const facts = lines.find((line, i) => room(line) >= (i === 0 ? 8 : -2)) ?? percent;
  const width = Math.min(24, room(facts));
  return [head, ...(width >= 3 ? [bar(share, width, output)] : []), facts].join("  ");
}

function sayEpoch(
  { epoch, loss, metrics, validation }: Progress,
  { epochs, checkedOn }: TrainPlan,
  { seconds, examplesPerSecond }: { seconds: number; examplesPerSecond: number },
  output: Output,
): void {
  const head = `epoch ${String(epoch).padStart(String(epochs).length)}/${epochs}`;
  const checked = validation ? [`${checkedOn}: ${showAll(validation)}`] : [];
  const times = [`${duration(seconds)}, ${thousands(examplesPerSecond)} examples/s`, duration(seconds)].map(output.colour.dim);
  const all = [head, showAll({ loss, ...metrics }), ...checked];
  // A line that wraps is hard to read: where there is little room, what the bar has shown before goes.
  const few = [head, showScore("loss", loss), ...checked, times[1]!];
  const ways = [...times.map((time) => [...all, time]), few].map((facts) => facts.join("  "));
  const room = output.columns - 1;
  output.line(widthOf(ways[2]!) <= room ? firstThatFits(ways, room) : flow([head, showScore("loss", loss), times[1]!, ...checked], room));
}

/** ━━━━━━────── */
function bar(share: number, width: number, { colour, live }: Output): string {
  if (!live) return "";
  const full = Math.round(width * Math.min(1, Math.max(0, share)));
  return colour.cyan("━".repeat(full)) + colour.dim("─".repeat(width - full));
}

/** Running means of loss and metrics, so that the bar can be read. */
function smoother(): (progress: Progress) => Progress {
  let kept: Record<string, number> | undefined;
  return (progress) => {
    const now: Record<string, number> = { loss: progress.loss, ...progress.metrics };
    kept = kept ? Object.fromEntries(Object.entries(now).map(([key, value]) => [key, 0.95 * kept![key]! + 0.05 * value])) : now;
    const { loss, ...metrics } = kept;
    return { ...progress, loss: loss!, metrics };
  };
}

/** Every two neighbours become their mean. */
function halve(values: number[]): void {
  const half = values.length >> 1;
  for (let i = 0; i < half; i++) values[i] = (values[2 * i]! + values[2 * i + 1]!) / 2;
  values.length = half;
}
