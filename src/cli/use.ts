import type { Command } from "commander";
import { ArgumentError } from "../core/errors.ts";
import { type Device, type Tensor, tensor } from "../index.ts";
import { inference } from "../nn/index.ts";
import { openRun, type Run } from "../train/index.ts";
import { dataOption, deviceOption, jsonOption, recipeOption, threadsOption, whole } from "./arguments.ts";
import type { PredictInput } from "./inputs.ts";
import { widthOf, wrap } from "./layout.ts";
import { type Output, showScores, standardOutput } from "./output.ts";
import { builtIn, findRecipe } from "./recipes.ts";

interface Flags {
  data?: string;
  recipe?: string;
  device?: Device;
  threads?: number;
  json?: boolean;
  test?: number;
}

/** Opens a run; its recipe is a built-in one, or the module the user names. */
export function open(path: string, flags: Flags, output: Output): Promise<Run> {
  const find = flags.recipe === undefined ? builtIn : () => findRecipe(flags.recipe!);
  return openRun(path, find, ({ path: file, reason }) => output.warn(`warning: ${file} is damaged and was passed over (${reason})`));
}

/** `gradus evaluate RUN`. */
export function addEvaluate(program: Command): void {
  program
    .command("evaluate")
    .description("loss and metrics of a run on the test set")
    .argument("<run>", "the run's folder")
    .addOption(dataOption())
    .addOption(recipeOption())
    .addOption(deviceOption())
    .addOption(threadsOption())
    .addOption(jsonOption())
    .action(async (path: string, flags: Flags) => {
      const output = standardOutput(flags.json === true);
      const run = await open(path, flags, output);
      const scores = await run.evaluate({ dir: flags.data, device: flags.device, threads: flags.threads });
      output.event("scores", { run: path, recipe: run.info.recipe, step: run.checkpoint.step, ...scores });
      output.line(`${output.colour.bold(run.info.recipe)} after ${run.checkpoint.step} steps`);
      output.line(wrap(`test: ${showScores(scores)}`, output.columns, "  "));
    });
}

/** `gradus predict RUN INPUT…`. */
export function addPredict(program: Command): void {
  program
    .command("predict")
    .description("predictions of a run, with probabilities")
    .argument("<run>", "the run's folder")
    .argument("[inputs...]", "PNG images, CSV files, or numbers with commas between (after -- if they begin with a minus)")
    .option("--test <n>", "the first n examples of the test set, beside or instead of inputs", whole(1, 10_000))
    .addOption(dataOption())
    .addOption(recipeOption())
    .addOption(deviceOption())
    .addOption(jsonOption())
    .action(async (path: string, words: string[], flags: Flags) => {
      const output = standardOutput(flags.json === true);
      const run = await open(path, flags, output);
      if (words.length === 0 && flags.test === undefined)
        throw new ArgumentError("nothing to predict", { help: "give an image, a CSV file or numbers, or --test 10" });
      if (words.length > 0) await predictInputs(run, words, output);
      if (flags.test !== undefined) await predictTest(run, flags.test, flags.data, output);
    });
}

async function predictInputs(run: Run, words: readonly string[], output: Output): Promise<void> {
  const kind = run.recipe.input;
  if (!kind)
    throw new ArgumentError(`${run.info.recipe} does not say what its inputs are`, {
      help: 'give the recipe an input: { kind: "row", columns: 4 }',
    });
  const { readInput } = await import("./inputs.ts");
  const inputs = (await Promise.all(words.map((word) => readInput(word, kind)))).flat();
  if (inputs.length === 0) throw new ArgumentError("the files hold no rows");
  const width = inputs[0]!.values.length;
  const all = new Float32Array(inputs.length * width);
  inputs.forEach(({ values }, i) => {
    all.set(values, i * width);
  });
  await say(run, tensor(all, [inputs.length, width]), inputs, output);
}

async function predictTest(run: Run, count: number, dir: string | undefined, output: Output): Promise<void> {
  const data = await run.test({ dir });
  for (const { x, y } of data.batches(Math.min(count, data.size))) {
    const labels = await y.data();
    const names = Array.from(labels, (label, i) => ({ name: `test ${i}, truly ${nameOf(run, label)}` }));
    await say(run, x, names, output);
    return;
  }
}

const nameOf = (run: Run, label: number): string => run.recipe.classes?.[label] ?? String(label);

async function say(run: Run, x: Tensor, inputs: readonly Pick<PredictInput, "name">[], output: Output): Promise<void> {
  const raw = run.model.forward(x, inference);
  const probabilities: Tensor = run.recipe.probabilities?.(raw) ?? raw.softmax(-1);
  const values = await probabilities.data();
  const classes = values.length / inputs.length;
  const width = Math.max(...inputs.map(({ name }) => name.length));
  inputs.forEach(({ name }, i) => {
    const own = Array.from(values.subarray(i * classes, (i + 1) * classes));
    const order = own.map((p, k) => [p, k] as const).sort((a, b) => b[0] - a[0]);
    const [best] = order;
    output.event("prediction", {
      input: name,
      class: nameOf(run, best![1]),
      probability: best![0],
      probabilities: Object.fromEntries(own.map((p, k) => [nameOf(run, k), p])),
    });
    const shown = order.slice(0, 3).map(([p, k], rank) => {
      const text = `${nameOf(run, k)} ${(100 * p).toFixed(1)} %`;
      return rank === 0 ? output.colour.bold(text) : output.colour.dim(text);
    });
    const line = `${name.padEnd(width)}  ${shown.join("  ")}`;
    // What does not fit beside the name stands below it.
    output.line(widthOf(line) <= output.columns ? line : `${name}\n${wrap(`  ${shown.join(", ")}`, output.columns, "  ")}`);
  });
}
