import type { Command } from "commander";
import { ArgumentError } from "../core/errors.ts";
import { type Device, type Tensor, tensor } from "../index.ts";
import { inference } from "../nn/index.ts";
import {
  type Answers,
  answersOf,
  exampleBatch,
  meanAbsoluteError,
  ofOptions,
  openRun,
  predict,
  type Recipe,
  type RecipeValue,
  type Run,
  rootMeanSquaredError,
  rSquared,
} from "../train/index.ts";
import { dataOption, deviceOption, jsonOption, recipeOption, threadsOption, whole } from "./arguments.ts";
import type { InputOptions } from "./inputs.ts";
import { widthOf, wrap } from "./layout.ts";
import { type Output, showScores, standardOutput } from "./output.ts";
import { builtIn, findRecipe, needingFolder } from "./recipes.ts";

interface Flags extends InputOptions {
  data?: string;
  recipe?: string;
  device?: Device;
  threads?: number;
  json?: boolean;
  test?: number;
}

/** Opens a run; its recipe is a built-in one, or the module the user names. */
export function open(path: string, flags: Flags, output: Output): Promise<Run> {
  const found = flags.recipe === undefined ? builtIn : () => findRecipe(flags.recipe!);
  const find = async (name: string): Promise<Recipe> => needingFolder(await found(name), name, flags.data);
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
      const columns = await valueScores(run, flags);
      const values = Object.fromEntries(columns.map(({ name, ...rest }) => [name, rest]));
      output.event("scores", {
        run: path,
        recipe: run.info.recipe,
        step: run.checkpoint.step,
        ...scores,
        ...(columns.length > 0 ? { values } : {}),
      });
      output.line(`${output.colour.bold(run.info.recipe)} after ${run.checkpoint.step} steps`);
      output.line(wrap(`test: ${showScores(scores)}`, output.columns, "  "));
      for (const column of columns) output.line(wrap(inWords(column), output.columns, "  "));
    });
}

interface ValueScores extends RecipeValue {
  readonly meanAbsoluteError: number;
  readonly rootMeanSquaredError: number;
  readonly rSquared: number;
}

const inWords = (value: ValueScores): string =>
  `${value.name}: off by ${quantity(value.meanAbsoluteError, value)} on average, root mean square ${quantity(value.rootMeanSquaredError, value)}, R² ${value.rSquared.toFixed(3)}`;

/** Scores of each number that is predicted, in its own unit; nothing for classes. */
async function valueScores(run: Run, { data, device, threads }: Flags): Promise<ValueScores[]> {
  const test = await run.test({ dir: data });
  const answers = answersFor(run, run.model.forward(exampleBatch(test).x, inference));
  if (answers.kind !== "values") return [];
  const { output, target } = await predict(run.model, test, { device, threads });
  if (output.shape.join() !== target.shape.join()) return [];
  const [given, wanted] = [await answers.read(output).data(), await target.data()];
  const width = answers.values.length;
  const column = (from: ArrayLike<number>, k: number): Tensor =>
    tensor(Float64Array.from({ length: from.length / width }, (_, i) => from[i * width + k]!));
  return Promise.all(
    answers.values.map(async (value, k) => {
      const [y, t] = [column(given, k), column(wanted, k)];
      const [mae, rmse, r2] = [meanAbsoluteError(y, t), rootMeanSquaredError(y, t), rSquared(y, t)];
      return { ...value, meanAbsoluteError: await mae.item(), rootMeanSquaredError: await rmse.item(), rSquared: await r2.item() };
    }),
  );
}

/** "5.349 points": five digits, and the unit. */
const quantity = (number: number, { unit }: RecipeValue): string => `${Number(number.toPrecision(5))}${unit ? ` ${unit}` : ""}`;

const answersFor = (run: Run, output: Tensor): Answers =>
  answersOf(run.recipe, run.options, output.shape.length === 1 ? 1 : (output.shape.at(-1) as number));

/** `gradus predict RUN INPUT…`. */
export function addPredict(program: Command): void {
  program
    .command("predict")
    .description("predictions of a run: classes with probabilities, or numbers with units")
    .argument("<run>", "the run's folder")
    .argument(
      "[inputs...]",
      "PNG images; rows as CSV or JSON files, JSON, or cells with commas between (after -- if they begin with a minus)",
    )
    .option("--test <n>", "the first n examples of the test set, beside or instead of inputs", whole(1, 10_000))
    .option("--exact", "refuse images that have another size or colours, and change none")
    .option("--header", "the first line of CSV files holds names")
    .option("--no-header", "it is a row as the others are")
    .option("--delimiter <text>", "what stands between the cells of CSV files (default: a comma)")
    .addOption(dataOption())
    .addOption(recipeOption())
    .addOption(deviceOption())
    .addOption(jsonOption())
    .action(async (path: string, words: string[], flags: Flags) => {
      const output = standardOutput(flags.json === true);
      const run = await open(path, flags, output);
      if (words.length === 0 && flags.test === undefined)
        throw new ArgumentError("nothing to predict", { help: "give an image, a CSV file or numbers, or --test 10" });
      if (flags.data !== undefined && flags.test === undefined)
        throw new ArgumentError(`--data ${flags.data} is not looked at`, { why: "only --test reads data files", help: "leave it out" });
      if (words.length > 0) await predictInputs(run, words, flags, output);
      if (flags.test !== undefined) await predictTest(run, flags.test, flags, output);
    });
}

async function predictInputs(run: Run, words: readonly string[], flags: Flags, output: Output): Promise<void> {
  if (!run.recipe.input)
    throw new ArgumentError(`${run.info.recipe} does not say what its inputs are`, {
      help: 'give the recipe an input: { kind: "row", columns: 4 }',
    });
  const { readInputs } = await import("./inputs.ts");
  const { names, x, notes } = await readInputs(words, ofOptions(run.recipe.input, run.options), flags);
  for (const note of notes) output.warn(`note: ${note}`);
  await say(run, x, names, { output, device: flags.device });
}

async function predictTest(run: Run, count: number, { data: dir, device }: Flags, output: Output): Promise<void> {
  const data = await run.test({ dir });
  for (const { x, y } of data.batches(Math.min(count, data.size))) {
    const names = Array.from({ length: x.shape[0] as number }, (_, i) => `test ${i}`);
    await say(run, x, names, { output, device, truth: y });
    return;
  }
}

interface Saying {
  readonly output: Output;
  readonly device: Device | undefined;
  /** What the answers should have been. */
  readonly truth?: Tensor;
}

async function say(run: Run, x: Tensor, names: readonly string[], { output, device, truth }: Saying): Promise<void> {
  const raw = await predict(run.model, x, { device });
  const answers = answersFor(run, raw);
  const numbers = await (answers.kind === "values" ? answers.read(raw) : answers.probabilities(raw)).data();
  const wanted = await truth?.data();
  const each = numbers.length / names.length;
  const tell = answers.kind === "values" ? tellValues(answers.values) : tellClasses(answers.classes, output);
  const lines = names.map((name, i) => {
    const own = Array.from(numbers.subarray(i * each, (i + 1) * each));
    const bad = own.find((value) => !Number.isFinite(value));
    if (bad !== undefined)
      throw new ArgumentError(`${name}: the network answers ${bad}`, {
        why: "its inputs are too large for it, or its parameters are no numbers",
      });
    return { name, ...tell(own, wanted?.subarray((i * wanted.length) / names.length, ((i + 1) * wanted.length) / names.length)) };
  });
  const width = Math.max(...lines.map(({ name, truly }) => labelOf(name, truly).length));
  for (const { name, event, shown, truly } of lines) {
    output.event("prediction", { input: name, ...event });
    const label = labelOf(name, truly);
    const line = `${label.padEnd(width)}  ${shown.join("  ")}`;
    // What does not fit beside the name stands below it.
    output.line(widthOf(line) <= output.columns ? line : `${label}\n${wrap(`  ${shown.join(", ")}`, output.columns, "  ")}`);
  }
}

const labelOf = (name: string, truly: string | undefined): string => (truly === undefined ? name : `${name}, truly ${truly}`);

/** A prediction for a machine and for a person. */
interface Told {
  readonly event: Readonly<Record<string, unknown>>;
  readonly shown: readonly string[];
  readonly truly?: string | undefined;
}

type Teller = (own: readonly number[], truth: ArrayLike<number> | undefined) => Told;

function tellClasses(classes: readonly string[], { colour }: Output): Teller {
  const nameOf = (label: number): string => classes[label] ?? String(label);
  return (own, truth) => {
    const order = own.map((p, k) => [p, k] as const).sort((a, b) => b[0] - a[0]);
    const [best] = order;
    const shown = order.slice(0, 3).map(([p, k], rank) => {
      const text = `${nameOf(k)} ${(100 * p).toFixed(1)} %`;
      return rank === 0 ? colour.bold(text) : colour.dim(text);
    });
    const truly = truth?.length === 1 ? nameOf(truth[0]!) : undefined;
    const probabilities = Object.fromEntries(own.map((p, k) => [nameOf(k), p]));
    return {
      event: { class: nameOf(best![1]), probability: best![0], probabilities, ...(truly === undefined ? {} : { truth: truly }) },
      shown,
      truly,
    };
  };
}

function tellValues(values: readonly RecipeValue[]): Teller {
  const byName = (numbers: ArrayLike<number>): Record<string, number> =>
    Object.fromEntries(values.map(({ name }, k) => [name, numbers[k]!]));
  const units = Object.fromEntries(values.flatMap(({ name, unit }) => (unit ? [[name, unit]] : [])));
  const inUnits = (numbers: ArrayLike<number>): string[] => values.map((value, k) => `${value.name} ${quantity(numbers[k]!, value)}`);
  return (own, truth) => {
    const known = truth?.length === values.length ? truth : undefined;
    return {
      event: { values: byName(own), ...(Object.keys(units).length > 0 ? { units } : {}), ...(known ? { truth: byName(known) } : {}) },
      shown: inUnits(own),
      truly: known && inUnits(known).join(", "),
    };
  };
}
