/** One pass over test images: what a model takes each for, and the images that are worth a look. */
import { milliseconds } from "../../core/host.ts";
import { sizeOf } from "../../core/shape.ts";
import { pause } from "../../core/yield.ts";
import type { Dataset, Labelled } from "../../data/index.ts";
import { compile, type Tensor } from "../../index.ts";
import { inference } from "../../nn/index.ts";
import { answersOf } from "../answers.ts";
import type { Options } from "../options.ts";
import { ofOptions, type Recipe } from "../recipe.ts";
import { outputOf, type PassOptions, placement, type Trainable } from "../score.ts";
import { type Form, formOf } from "./form.ts";

/** A test image, what it was taken for, how surely, and what it is. */
export interface Seen {
  readonly values: ArrayLike<number>;
  readonly predicted: number;
  readonly probability: number;
  readonly actual: number;
}

/** How often each class was taken for each: [true, predicted], row by row. */
export interface Confusion {
  readonly counts: Float64Array;
  readonly classes: readonly string[];
}

export interface Survey {
  readonly form: Form;
  /** Shape of one example. */
  readonly shape: readonly number[];
  readonly confusion: Confusion;
  /** The first of the test set, in order. */
  readonly first: readonly Seen[];
  /** The errors that the model was surest of, the surest first. */
  readonly errors: readonly Seen[];
  /** How many examples were looked at. */
  readonly seen: number;
}

export interface Subject {
  readonly recipe: Recipe;
  readonly options: Options;
  readonly model: Trainable;
  readonly test: Dataset<Labelled>;
}

/** Images that are kept from the beginning of the test set, and errors. */
const FIRST = 50;
const ERRORS = 30;
/** A large test set is looked at for no longer than this. */
const MOST_MILLISECONDS = 10_000;
const BATCH = 200;

/**
 * What a model of classes makes of its test images; nothing where inputs are no images or answers no classes.
 *
 * @throws the signal's reason, once it is given
 */
export async function surveyOf(subject: Subject, { signal, ...place }: PassOptions): Promise<Survey | undefined> {
  const { model, test, recipe, options } = subject;
  if (!recipe.input || ofOptions(recipe.input, options).kind !== "image" || test.size === 0) return undefined;
  const began = milliseconds();
  let found: Collection | undefined;
  let forward: ((x: Tensor) => Tensor) | undefined;
  for await (const { x, y } of test.batches(Math.min(BATCH, test.size))) {
    const labels = await labelsOf(y);
    const answers = answersTo(subject, x);
    if (!labels || !answers) return undefined;
    found ??= new Collection(answers.form, (x.shape as number[]).slice(1), answers.classes);
    forward ??= compile((x: Tensor) => answers.probabilities(outputOf(model, x, inference)), placement(place));
    found.add(await x.data(), await forward(x).data(), labels);
    await pause();
    signal?.throwIfAborted();
    if (milliseconds() - began > MOST_MILLISECONDS) break;
  }
  return found;
}

/** Class numbers of targets [n], [n, 1] or one-hot [n, classes]. */
async function labelsOf(y: Tensor): Promise<ArrayLike<number> | undefined> {
  const [, width = 1] = y.shape as number[];
  if (y.shape.length > 2) return undefined;
  return width === 1 ? y.data() : y.argmax(-1).data();
}

/** How the inputs are images and the answers classes, if they are: of shapes alone, nothing is computed. */
function answersTo({ recipe, options, model }: Subject, x: Tensor) {
  const form = recipe.input && formOf(ofOptions(recipe.input, options), (x.shape as number[]).slice(1));
  const [, width] = form ? (outputOf(model, x, inference).shape as number[]) : [];
  const answers = width === undefined ? undefined : answersOf(recipe, options, width);
  if (!form || answers?.kind !== "classes") return undefined;
  const [, count] = answers.probabilities(outputOf(model, x, inference)).shape as number[];
  const classes = Array.from({ length: count! }, (_, k) => answers.classes[k] ?? String(k));
  return { form, classes, probabilities: (output: Tensor): Tensor => answers.probabilities(output) };
}

class Collection implements Survey {
  readonly form: Form;
  readonly shape: readonly number[];
  readonly confusion: Confusion;
  readonly first: Seen[] = [];
  errors: Seen[] = [];
  seen = 0;

  constructor(form: Form, shape: readonly number[], classes: readonly string[]) {
    this.form = form;
    this.shape = shape;
    this.confusion = { counts: new Float64Array(classes.length ** 2), classes };
  }

  add(
    values: ArrayLike<number> & { slice(from: number, to: number): ArrayLike<number> },
    probabilities: ArrayLike<number>,
    labels: ArrayLike<number>,
  ): void {
    const { counts, classes } = this.confusion;
    const [each, width] = [sizeOf(this.shape), classes.length];
    for (let i = 0; i < labels.length; i++) {
      const predicted = largest(probabilities, i * width, width);
      const actual = labels[i]!;
      // A label that is no class has no row.
      if (Number.isInteger(actual) && actual >= 0 && actual < width) counts[actual * width + predicted]!++;
      const probability = probabilities[i * width + predicted]!;
      const kept = (): Seen => ({ values: values.slice(i * each, (i + 1) * each), predicted, probability, actual });
      if (this.first.length < FIRST) this.first.push(kept());
      if (predicted !== actual && (this.errors.length < ERRORS || probability > this.errors.at(-1)!.probability))
        this.errors = [...this.errors, kept()].sort((a, b) => b.probability - a.probability).slice(0, ERRORS);
      this.seen++;
    }
  }
}

function largest(values: ArrayLike<number>, from: number, count: number): number {
  let best = 0;
  for (let k = 1; k < count; k++) if (values[from + k]! > values[from + best]!) best = k;
  return best;
}
