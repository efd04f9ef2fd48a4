import type { Progress, TrainEvents, TrainPlan } from "../train/index.ts";
import { firstThatFits, flow, labelled, widthOf, wrap } from "./layout.ts";
import { clock, duration, type Output, showAll, showScore, sparkline, thousands } from "./output.ts";

/** Reports a training: a bar on a terminal, lines in a pipe, JSON lines for machines. */
export function reportTraining(output: Output): TrainEvents & { curve(): string } {
  let plan: TrainPlan | undefined;
  let began = 0;
  let seen = 0;
  let timed = 0;
  let training = 0;
  let stepped: number | undefined;
  let epochBegan = 0;
  let drawn = 0;
  const losses: number[] = [];

  /** Examples a second while training; what evaluation and the first step took is left out. */
  const rate = (now: number): number => {
    const [steps, time] = timed > 0 ? [timed, training] : [seen, now - began];
    return ((steps * plan!.batchSize) / Math.max(1, time)) * 1000;
  };
  const draw = (progress: Progress, now: number): string => {
    const { epochs, batchesPerEpoch, startStep } = plan!;
    const total = epochs * batchesPerEpoch;
    const done = progress.step / total;
    const left = ((now - began) / Math.max(1, progress.step - startStep)) * (total - progress.step);
    const head = `epoch ${progress.epoch}/${epochs}`;
    const scores = [showScore("loss", progress.loss), ...Object.entries(progress.metrics).map(([name, value]) => showScore(name, value))];
    const tail = [`${thousands(rate(now))} examples/s`, `ETA ${clock(left / 1000)}`];
    const percent = `${Math.floor(100 * done)} %`;
    const whole = [percent, ...scores, ...tail].join("  ");
    if (!output.live) return `${head}  ${whole}`;
    // Where the terminal is narrow the speed goes first, then the bar gets shorter, then scores go, the last one first.
    // Two columns are left for the ^C of who interrupts.
    const room = (facts: string): number => output.columns - head.length - facts.length - 7;
    const ways = [whole, ...scores.map((_, i) => [percent, ...scores.slice(0, scores.length - i), tail[1]].join("  "))];
    ways.push(`${percent}  ${scores[0]}`, percent);
    const facts = ways.find((way, i) => room(way) >= (i === 0 ? 8 : -2)) ?? percent;
    const width = Math.min(24, room(facts));
    return [head, ...(width >= 3 ? [bar(done, width, output)] : []), facts].join("  ");
  };
  const smooth = smoother();

  return {
    data: () => output.redraw("preparing the data …"),
    plan: (p) => {
      plan = p;
      began = epochBegan = performance.now();
      output.event("plan", { ...p });
      const times = `${p.epochs} ${p.epochs === 1 ? "epoch" : "epochs"} of ${p.batchesPerEpoch} ${p.batchesPerEpoch === 1 ? "batch" : "batches"} of ${p.batchSize}`;
      const kept = p.validationExamples > 0 ? ` and ${thousands(p.validationExamples)} for validation` : "";
      const what = `${output.colour.bold(p.name)}: ${thousands(p.parameters)} parameters, ${thousands(p.trainExamples)} examples${kept}, ${times}`;
      output.line(wrap(what, output.columns, "  "));
      output.line(output.colour.dim(labelled("run folder:", p.path, output.columns)));
      if (p.epochs === 0) output.line(wrap("0 epochs train nothing: the model is saved and scored as it is", output.columns, "  "));
      if (p.startStep > 0) output.line(output.colour.dim(`going on after step ${p.startStep}`));
    },
    download: ({ file, received, total }) => {
      const size = `${(received / 1e6).toFixed(1)}${total ? ` of ${(total / 1e6).toFixed(1)}` : ""} MB`;
      const shown = total ? [`downloading ${file}`, bar(received / total, 24, output), size] : [`downloading ${file}`, size];
      if (output.live) output.redraw(firstThatFits([shown.join("  "), `${file}  ${size}`, size], output.columns - 1));
      else if (received === total) output.line(`downloaded ${file}, ${size}`);
    },
    step: (progress) => {
      seen++;
      losses.push(progress.loss);
      if (losses.length > 4000) halve(losses);
      const shown = smooth(progress);
      const now = performance.now();
      if (stepped !== undefined) {
        timed++;
        training += now - stepped;
      }
      stepped = now;
      if (now - drawn < (output.live ? 80 : 10_000)) return;
      if (drawn === 0 && !output.live) return void (drawn = now);
      drawn = now;
      if (output.live) output.redraw(draw(shown, now));
      else output.line(draw(shown, now));
      output.event("step", { ...progress, examplesPerSecond: Math.round(rate(now)) });
    },
    epoch: (progress) => {
      const now = performance.now();
      const seconds = (now - epochBegan) / 1000;
      epochBegan = now;
      stepped = undefined;
      const { epoch, loss, metrics, validation } = progress;
      output.event("epoch", {
        epoch,
        step: progress.step,
        loss,
        ...metrics,
        [plan!.checkedOn]: validation,
        seconds,
        examplesPerSecond: Math.round(rate(now)),
      });
      const head = `epoch ${String(epoch).padStart(String(plan!.epochs).length)}/${plan!.epochs}`;
      const checked = validation ? [`${plan!.checkedOn}: ${showAll(validation)}`] : [];
      const times = [`${duration(seconds)}, ${thousands(rate(now))} examples/s`, duration(seconds)].map(output.colour.dim);
      const all = [head, showAll({ loss, ...metrics }), ...checked];
      // A line that wraps is hard to read: where there is little room, what the bar has shown before goes.
      const few = [head, showScore("loss", loss), ...checked, times[1]!];
      const ways = [...times.map((time) => [...all, time]), few].map((facts) => facts.join("  "));
      const room = output.columns - 1;
      output.line(
        widthOf(ways[2]!) <= room ? firstThatFits(ways, room) : flow([head, showScore("loss", loss), times[1]!, ...checked], room),
      );
    },
    damaged: ({ path, reason }) => output.warn(`warning: ${path} is damaged and was passed over (${reason})`),
    say: (line) => {
      output.event("note", { text: line });
      output.line(wrap(line, output.columns, "  "));
    },
    curve: () => sparkline(losses, Math.min(60, output.columns - 6)),
  };
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
