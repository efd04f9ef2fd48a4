import { type Command, Option } from "commander";
import { type SearchEvents, type SearchOutcome, type SearchPlan, type Setting, search, type Trial } from "../train/index.ts";
import { jsonOption, type RunFlags, recipeArgument, recipeIn, recipeOptions, runOptions, runSettings, share, whole } from "./arguments.ts";
import { fewer, firstThatFits, flow, labelled, table, toType, widthOf, wrap } from "./layout.ts";
import { clock, duration, type Output, showScore, showScores, standardOutput, thousands } from "./output.ts";
import { reportTraining } from "./progress.ts";
import { DEFAULT_RECIPE, findRecipe, resumeWords } from "./recipes.ts";
import { stopOnSignals } from "./signals.ts";
import { INTERRUPTED } from "./train.ts";

interface Flags extends RunFlags {
  readonly try: string[];
  readonly trials?: number;
  readonly by?: string;
  readonly retrain: boolean;
}

/** `gradus search [RECIPE]`. The recipe is found first, because its options are flags. */
export async function addSearch(program: Command, words: readonly string[]): Promise<void> {
  const command = program
    .command("search")
    .description("try settings of a network on a validation part of the training data, keep the best");
  recipeArgument(command)
    .addOption(
      new Option(
        "--try <name=values>",
        "what to vary: lr=0.03,0.1,0.3, or a range to draw from: lr=0.001..1, hidden=16..256; repeat it for more",
      )
        .argParser((text: string, before: string[]) => [...before, text])
        .default([], "lr × 0.3, × 1, × 3"),
    )
    .option("--trials <n>", "how many random settings (default: all combinations; 10 where there is a range)", whole(1))
    .option("--by <score>", "the validation score that decides (default: the recipe's first metric)")
    .option("--validation <share>", "this share of the training data scores the trials (default: 0.2)", share)
    .option("--no-retrain", "do not train the best setting again on all training data");
  runOptions(command, {
    epochs: "passes over the training data, in each trial",
    least: 1,
    out: "the search's folder (default: runs/search-<recipe>-<time>)",
  }).addOption(jsonOption());
  // Listed among others, it needs no recipe.
  if (words[0] !== "search") return;
  const name = recipeIn(words.slice(1)) ?? DEFAULT_RECIPE;
  const recipe = await findRecipe(name);
  const own = recipeOptions(recipe);
  for (const { option } of own) command.addOption(option);
  command.action(async (_: string, flags: Flags) => {
    const output = standardOutput(flags.json === true);
    const stop = stopOnSignals(output);
    const { try: tries, trials, by, retrain } = flags;
    const settings = { ...runSettings(recipe, name, own, flags), tries, trials, by, retrain, signal: stop.signal };
    const outcome = await stop.unlessStopped(search(settings, reportSearch(output, stop.signal)));
    if (!outcome) return;
    sayOutcome(output, outcome, name);
    process.exitCode = outcome.status === "interrupted" ? stop.exitCode : 0;
  });
}

/** "lr 0.1, hidden 300". */
const showSetting = (setting: Setting): string =>
  Object.entries(setting)
    .map(([name, value]) => `${name} ${value}`)
    .join(", ");

function reportSearch(output: Output, signal: AbortSignal): SearchEvents {
  let plan: SearchPlan | undefined;
  let began = 0;
  let retraining = false;
  signal.addEventListener("abort", () => {
    if (plan && !retraining) output.warn("the present trial ends first");
  });
  const training = reportTraining(output);
  return {
    plan: (p) => {
      plan = p;
      began = performance.now();
      output.event("search", { ...p });
      const what = `${output.colour.bold(p.name)}: ${p.trials} trials over ${p.tried.join(", ")}, each on ${thousands(p.trainExamples)} examples, scored by ${p.by} on ${thousands(p.validationExamples)} others`;
      output.line(wrap(what, output.columns, "  "));
      output.line(output.colour.dim(labelled("search folder:", p.path, output.columns)));
    },
    data: () => training.data?.(),
    download: (progress) => training.download?.(progress),
    epoch: ({ trial, setting, epochs }, { epoch, step, loss, metrics, validation }) => {
      output.event("epoch", { trial, epoch, step, loss, ...metrics, validation });
      const done = (trial - 1 + epoch / epochs) / plan!.trials;
      const left = ((performance.now() - began) / 1000) * (1 / done - 1);
      output.redraw(
        firstThatFits(
          fewer([
            `trial ${trial}/${plan!.trials}`,
            `ETA ${clock(left)}`,
            `epoch ${epoch}/${epochs}`,
            showScores(validation!),
            showSetting(setting),
          ]),
          output.columns - 1,
        ),
      );
    },
    trial: (trial) => {
      output.event("trial", { ...trial });
      const number = String(trial.trial).padStart(String(plan!.trials).length);
      const result = trial.failed === undefined ? `validation: ${showScores(trial.validation)}` : `failed: ${trial.failed.split("\n")[0]}`;
      const time = output.colour.dim(duration(trial.seconds));
      const facts = [`trial ${number}/${plan!.trials}`, showSetting(trial.setting)];
      const line = [...facts, result, time].join("  ");
      output.line(widthOf(line) <= output.columns ? line : flow([...facts, time, result], output.columns));
    },
    ranking: (trials) => {
      retraining = true;
      if (trials.length > 0) sayTable(output, trials, plan!);
    },
    retrain: {
      ...training,
      plan: (p) => {
        output.line(`\n${wrap(`training the best setting again, on all ${thousands(p.trainExamples)} examples`, output.columns)}`);
        training.plan?.(p);
      },
    },
  };
}

const shown = (name: string, value: number | undefined): string =>
  value === undefined ? "-" : showScore(name, value).slice(name.length + 1);

/** Best first, the best marked. */
function sayTable(output: Output, trials: readonly Trial[], { tried, by }: SearchPlan): void {
  const scores = [...new Set([by, "loss"])];
  const head = ["", "trial", ...tried, ...scores.map((name) => `validation ${name}`), `training ${by}`, "seconds"];
  const rows = trials.map((trial, i) => [
    i === 0 && Number.isFinite(trial.validation[by]) ? "*" : "",
    String(trial.trial),
    ...tried.map((name) => String(trial.setting[name])),
    ...scores.map((name) => (trial.failed === undefined ? shown(name, trial.validation[name]) : "failed")),
    shown(by, trial.training[by]),
    trial.seconds.toFixed(1),
  ]);
  const { bold, dim } = output.colour;
  const style = (line: string, row: readonly string[] | undefined): string => (!row ? dim(line) : row[0] === "*" ? bold(line) : line);
  output.line();
  for (const line of table({ head, rows, style }, output.columns)) output.line(line);
}

function sayOutcome(output: Output, { path, status, by, best, retrained, seconds }: SearchOutcome, recipe: string): void {
  output.event("end", { status, path, by, best: best ?? null, test: retrained?.scores ?? null, run: retrained?.path ?? null, seconds });
  const { columns, colour } = output;
  if (best)
    output.line(`\n${wrap(`best: ${colour.bold(showSetting(best.setting))}, validation: ${showScores(best.validation)}`, columns, "  ")}`);
  if (retrained?.status === "interrupted") output.line(toType(INTERRUPTED, resumeWords(recipe, retrained.path), columns));
  else if (retrained) output.line(colour.bold(wrap(`test: ${showScores(retrained.scores)}`, columns, "  ")));
  else if (status === "interrupted") output.line("interrupted: other trials might have been better");
  output.line(colour.dim(labelled(`${duration(seconds)},`, path, columns)));
}
