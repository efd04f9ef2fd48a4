import { existsSync } from "node:fs";
import { type Command, Option } from "commander";
import { readInfo, type TrainOutcome, trainRecipe } from "../train/index.ts";
import { jsonOption, type RunFlags, recipeArgument, recipeIn, recipeOptions, runOptions, runSettings, share, whole } from "./arguments.ts";
import { labelled, toType, wrap } from "./layout.ts";
import { duration, type Output, showScores, standardOutput } from "./output.ts";
import { reportTraining } from "./progress.ts";
import { builtIn, DEFAULT_RECIPE, findRecipe, resumeWords } from "./recipes.ts";
import { stopOnSignals } from "./signals.ts";

interface Flags extends RunFlags {
  readonly resume?: string;
  readonly patience?: number;
  readonly checkpoint?: number;
  readonly skipNonFinite?: boolean;
}

/** Stands before what to type to go on. */
export const INTERRUPTED = "interrupted and saved; go on with:";

/** `gradus train [RECIPE]`. The recipe is found first, because its options are flags. */
export async function addTrain(program: Command, words: readonly string[]): Promise<void> {
  const command = program.command("train").description("train a network, in a new run folder or going on with one");
  recipeArgument(command);
  runOptions(command, { epochs: "passes over the training data", least: 0, out: "the run's folder (default: runs/<recipe>-<time>)" })
    .addOption(new Option("--resume <dir>", "go on with the run in this folder").conflicts("out"))
    .option("--checkpoint <seconds>", "how often to save within an epoch (default: 60)", whole(0))
    .option("--validation <share>", "hold out this share of the training data, to score each epoch (default: 0.1; 0: train on all)", share)
    .option("--patience <n>", "stop after n epochs without a better validation loss, keep the best", whole(1))
    .option("--skip-non-finite", "leave out steps whose loss is not finite, instead of stopping")
    .addOption(jsonOption());
  // Listed among others, it needs no recipe.
  if (words[0] !== "train") return;
  const resumed = resumeIn(words);
  const named = recipeIn(words.slice(1));
  const name = named ?? (resumed === undefined ? DEFAULT_RECIPE : (await readInfo(resumed)).recipe);
  const recipe = await (named ? findRecipe(name) : builtIn(name, howToResume(name, resumed)));
  const own = recipeOptions(recipe);
  for (const { option } of own) command.addOption(option);
  command.action(async (_: string, flags: Flags) => {
    const output = standardOutput(flags.json === true);
    const stop = stopOnSignals(output);
    const report = reportTraining(output);
    const settings = {
      ...runSettings(recipe, name, own, flags),
      patience: flags.patience,
      resume: flags.resume,
      nonFinite: flags.skipNonFinite ? ("skip" as const) : undefined,
      checkpointSeconds: flags.checkpoint,
      signal: stop.signal,
    };
    const outcome = await stop.unlessStopped(trainRecipe(settings, report));
    if (!outcome) return;
    sayOutcome(output, outcome, report.curve());
    if (outcome.status === "interrupted")
      output[stop.isMute ? "warn" : "line"](toType(INTERRUPTED, resumeWords(name, outcome.path), output.columns));
    sayPlace(output, outcome);
    process.exitCode = outcome.status === "interrupted" ? stop.exitCode : outcome.status === "failed" ? 1 : 0;
  });
}

function resumeIn(words: readonly string[]): string | undefined {
  const at = words.findIndex((word) => word === "--resume" || word.startsWith("--resume="));
  return at < 0 ? undefined : words[at]!.includes("=") ? words[at]!.slice("--resume=".length) : words[at + 1];
}

function howToResume(recipe: string, path = ""): string {
  const command = resumeWords(recipe, path).join(" ");
  return existsSync(recipe)
    ? `if you trust it, name it: ${command}`
    : `if you trust it, name it by its path; where the run was made that was: ${command}`;
}

function sayOutcome(output: Output, outcome: TrainOutcome, curve: string): void {
  const { path, status, scores, summary, records, bestEpoch, pictures = [], seconds } = outcome;
  const drawn = pictures.length > 0 ? { pictures } : {};
  output.event("end", { status, path, scores, ...(bestEpoch === undefined ? {} : { bestEpoch }), ...drawn, seconds });
  if (curve) output.line(`\nloss ${output.colour.cyan(curve)}`);
  if (bestEpoch !== undefined) {
    const stopped = status === "stopped early" ? "stopped early: " : "";
    const kept = `${stopped}epoch ${bestEpoch} of ${records.length} was the best and is kept, validation: ${showScores(records[bestEpoch - 1]!.validation!)}`;
    output.line(wrap(kept, output.columns, "  "));
  }
  const best = summary !== undefined || Object.keys(scores).length > 0 ? `: ${summary ?? showScores(scores)}` : "";
  if (status === "interrupted") return;
  const untrained = records.length === 0 ? (scores.loss === undefined ? status : "test, untrained") : "test";
  output.line(output.colour.bold(wrap(`${untrained}${best}`, output.columns, "  ")));
}

function sayPlace(output: Output, { path, pictures = [], seconds }: TrainOutcome): void {
  output.line(output.colour.dim(labelled(`${duration(seconds)},`, path, output.columns)));
  if (pictures.length > 0)
    output.line(output.colour.dim(wrap(`pictures in it: ${["curves.svg", ...pictures].join(", ")}`, output.columns, "  ")));
}
