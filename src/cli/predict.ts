import type { Command } from "commander";
import { ArgumentError } from "../core/errors.ts";
import type { Device, Tensor } from "../index.ts";
import { ofOptions, predict, type RecipeInput, type RecipeValue, type Run } from "../train/index.ts";
import { dataOption, deviceOption, jsonOption, recipeOption, whole } from "./arguments.ts";
import type { InputOptions } from "./inputs.ts";
import { widthOf, wrap } from "./layout.ts";
import { answersFor, type OpenFlags, open, quantity } from "./opened.ts";
import { type Output, standardOutput } from "./output.ts";

interface Flags extends OpenFlags, InputOptions {
  readonly test?: number;
}

/** `gradus predict RUN INPUT…`. */
export function addPredict(program: Command): void {
  program
    .command("predict")
    .description("predictions of a run: classes with probabilities, or numbers with units")
    .argument("<run>", "the run's folder")
    .argument(
      "[inputs...]",
      "images, PNG or JPEG, and folders of them; rows as CSV or JSON files, JSON, or cells with commas between (after -- if they begin with a minus)",
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
  const kind = ofOptions(run.recipe.input, run.options);
  if (kind.kind === "image") return predictImages(run, kind, words, flags, output);
  const { readInputs } = await import("./inputs.ts");
  const { names, x, notes } = await readInputs(words, kind, flags);
  for (const note of notes) output.warn(`note: ${note}`);
  await say(run, x, names, { output, device: flags.device });
}

/** So many images are held at once. */
const MOST_IMAGES = 64;

/** Of many images those that cannot be read are told, each by its name, and the others are predicted. */
async function predictImages(
  run: Run,
  kind: Extract<RecipeInput, { kind: "image" }>,
  words: readonly string[],
  { exact, device }: Flags,
  output: Output,
): Promise<void> {
  // What decodes images is loaded where there are some.
  const { imageFilesOf, readImages } = await import("./images.ts");
  const files = await imageFilesOf(words, kind);
  const width = Math.max(...files.map((file) => file.length));
  for (let at = 0; at < files.length; at += MOST_IMAGES) {
    const { names, x, notes, failures } = await readImages(files.slice(at, at + MOST_IMAGES), kind, exact);
    if (files.length === 1 && failures.length > 0) throw failures[0]!.error;
    for (const note of notes) output.warn(`note: ${note}`);
    for (const { error, name } of failures) {
      output.event("error", { input: name, message: error.message });
      output.warn(`error: ${error.message}`);
      process.exitCode = 1;
    }
    if (names.length > 0) await say(run, x, names, { output, device, width });
  }
}

async function predictTest(run: Run, count: number, { data: dir, device }: Flags, output: Output): Promise<void> {
  const data = await run.test({ dir });
  for await (const { x, y } of data.batches(Math.min(count, data.size))) {
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
  /** Of the longest name, those of other parts included. */
  readonly width?: number;
}

async function say(run: Run, x: Tensor, names: readonly string[], { output, device, truth, width: widest = 0 }: Saying): Promise<void> {
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
  const width = Math.max(widest, ...lines.map(({ name, truly }) => labelOf(name, truly).length));
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
