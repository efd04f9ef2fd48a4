import { type CurveLine, type CurveMark, type CurvePanel, curvesSvg } from "./curves.ts";
import type { CheckedOn } from "./held-out.ts";
import type { RunFolder } from "./run-folder.ts";
import type { Scores } from "./score.ts";
import type { Progress } from "./training-state.ts";

const NAMES: Readonly<Record<CheckedOn, string>> = { validation: "validation", test: "test set", nothing: "" };

/** The picture of a run: loss of the steps, as `metrics.jsonl` has it, the scores of the epochs, and the learning rate where it changes. */
export async function runCurves(
  folder: RunFolder,
  records: readonly Progress[],
  { checkedOn, stopping }: { readonly checkedOn: CheckedOn; readonly stopping: boolean },
): Promise<string> {
  const steps = await folder.log.steps();
  const mark = markOf(records, checkedOn, stopping);
  const panels: CurvePanel[] = [
    {
      label: "loss",
      lines: [
        { label: "training", points: steps.map(({ step, loss }) => [step, loss] as const) },
        ...checkLine(records, checkedOn, ({ loss }) => loss),
      ],
      ...(mark ? { mark } : {}),
    },
  ];
  for (const name of Object.keys(records.at(-1)?.metrics ?? {}))
    panels.push({
      label: name,
      lines: [
        { label: "training", points: records.map((r) => [r.step, r.metrics[name]!] as const) },
        ...checkLine(records, checkedOn, (scores) => scores[name]!),
      ],
      ...(mark && stopping ? { mark } : {}),
    });
  const rates = steps.flatMap(({ step, lr }) => (lr === undefined ? [] : [[step, lr] as const]));
  if (new Set(rates.map(([, lr]) => lr)).size > 1)
    panels.push({ label: "learning rate", lines: [{ label: "learning rate", points: rates }], scale: "linear" });
  return curvesSvg(folder.info.recipe, panels, { x: xTitle(records) });
}

function checkLine(records: readonly Progress[], checkedOn: CheckedOn, pick: (scores: Scores) => number): CurveLine[] {
  const points = records.flatMap(({ step, validation }) => (validation ? [[step, pick(validation)] as const] : []));
  return points.length === 0 ? [] : [{ label: NAMES[checkedOn], points }];
}

/** The epoch whose parameters early stopping kept, or else the one with the lowest loss on what was held out. */
function markOf(records: readonly Progress[], checkedOn: CheckedOn, stopping: boolean): CurveMark | undefined {
  const kept = records.at(-1)?.bestEpoch;
  if (stopping && kept) return { x: records[kept - 1]!.step, label: `epoch ${kept} kept` };
  const losses = records.map(({ validation }) => validation?.loss ?? Number.NaN);
  const lowest = Math.min(...losses.filter(Number.isFinite));
  const at = losses.indexOf(lowest);
  return at < 0 ? undefined : { x: records[at]!.step, label: `epoch ${at + 1}: lowest ${NAMES[checkedOn]} loss` };
}

const xTitle = (records: readonly Progress[]): string => {
  const last = records.at(-1);
  return last && last.epoch > 1 ? `step (an epoch has ${Math.round(last.step / last.epoch)})` : "step";
};
