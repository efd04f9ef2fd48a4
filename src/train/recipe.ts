import { checkOptions } from "../core/options.ts";
import type { ArrayDataset, Dataset, DownloadProgress, InputColumn, Labelled } from "../data/index.ts";
import type { Device, Tensor } from "../index.ts";
import type { Optimizer } from "../optim/index.ts";
import type { Loss, Metrics } from "./metric.ts";
import type { Options } from "./options.ts";
import type { Trainable } from "./score.ts";

/** Where data comes from, and the seed of what is drawn. */
export interface DataPlace {
  readonly dir?: string;
  readonly seed: number;
  readonly onProgress?: (progress: DownloadProgress) => void;
  readonly signal?: AbortSignal;
  /** A line for the person who waits: what was guessed. */
  say?(line: string): void;
}

/** What a recipe with its own `run` gets. */
export interface RunContext {
  readonly seed: number;
  readonly device?: Device;
  readonly threads?: number;
  readonly signal: AbortSignal;
  /** A line for the person who waits. */
  say(line: string): void;
  /** Writes a file into the run's folder. */
  write(name: string, content: string): Promise<void>;
}

export interface RunResult<M> {
  /** Its parameters become the run's checkpoint. */
  readonly model: M;
  readonly scores: Readonly<Record<string, number>>;
  /** What came out, in a line for a person; the scores, unless said. */
  readonly summary?: string;
  /** False if it did not reach what it should: the command then fails. */
  readonly passed?: boolean;
}

/** A training, described: model, data, loss, optimiser, and the options that are the command line's flags. */
export interface Recipe<O extends Options = any, M extends Trainable = any> {
  readonly description?: string;
  /** Names with their defaults. */
  readonly options: O;
  /** What each option is, for --help. */
  readonly describe?: { readonly [K in keyof O]?: string };
  /** For options that are words: the words. */
  readonly choices?: { readonly [K in keyof O]?: readonly string[] };
  /** Options that `complete` fills in, and nobody else: they are no flags. */
  readonly derived?: readonly (keyof O)[];
  /** Options that only the data decide, such as how many columns there are: read once, before a run begins, and kept in its `run.json`. */
  complete?(o: O, where: DataPlace): Promise<Partial<O>>;
  /** Defaults of --epochs and --batch. */
  readonly epochs?: number;
  readonly batchSize?: number;
  model(o: O): M;
  data(o: O, where: DataPlace): Promise<{ train: Dataset<Labelled>; test: Dataset<Labelled> }>;
  /** A batch of that many examples of the shapes that the data have, whatever its numbers: lets `gradus explain` do without them. */
  example?(o: O, size: number): Labelled;
  /** Gives the model what is measured on the training examples, without those for validation: means and deviations. Before the first step, which waits for a promise. */
  adapt?(model: M, train: ArrayDataset, o: O): void | Promise<void>;
  /** `steps` is how many there will be: schedules need it. */
  optimizer(model: M, o: O, steps: number): Optimizer;
  loss?: Loss;
  /** Instead of `loss`, where the options or the model decide. */
  objective?(o: O, model: M): Loss;
  readonly metrics?: Metrics;
  /** What `gradus predict` reads. */
  readonly input?: OfOptions<O, RecipeInput>;
  /** What it calls the classes that the outputs stand for. */
  readonly classes?: OfOptions<O, readonly string[]>;
  /** What it calls the numbers that the outputs are: a regression. */
  readonly values?: OfOptions<O, readonly RecipeValue[]>;
  /** Outputs → probabilities; softmax over the last axis unless said. */
  probabilities?(output: Tensor): Tensor;
  /** Replaces training by `fit`: for recipes that show something else. */
  run?(o: O, context: RunContext): Promise<RunResult<M>>;
}

const PARTS = [
  ...(["description", "options", "describe", "choices", "derived", "complete", "epochs", "batchSize", "model", "data"] as const),
  ...(["example", "adapt", "optimizer", "loss", "objective", "metrics", "input", "classes", "values", "probabilities", "run"] as const),
] satisfies readonly (keyof Recipe)[];

/** Something, or what decides it by the options. */
export type OfOptions<O, T> = T | ((o: O) => T);

/** The same, decided. */
export const ofOptions = <O, T extends object>(given: OfOptions<O, T>, options: O): T =>
  typeof given === "function" ? (given as (o: O) => T)(options) : given;

/** A number that is predicted: what it is called, and what it is measured in. */
export interface RecipeValue {
  readonly name: string;
  readonly unit?: string;
}

/**
 * An image of `side` × `side` (grey ones light on dark, 0 to 1), or a row: so many numbers, or columns by name, whose words become categories. `file` names
 * all columns of the training data, for rows that come with them all and without names.
 */
export type RecipeInput =
  | {
      readonly kind: "image";
      readonly side: number;
      /**
       * Of inputs [channels, side, side]: 1 for grey, 3 for red, green and blue, from 0 to 1; images of another size are scaled until they cover the square,
       * and cut around their middle. Without it inputs are grey, [side · side], and cropped to their ink.
       */
      readonly channels?: 1 | 3;
      /** True: images of another size, or in colours, are refused instead of made to fit. */
      readonly exact?: boolean;
    }
  | {
      readonly kind: "row";
      readonly columns: number | readonly (string | InputColumn)[];
      readonly file?: readonly string[];
      /** Of CSV files. Default a comma. */
      readonly delimiter?: string;
    };

/**
 * A recipe, checked by its types: a module exports one as its default, and `gradus train ./module.ts` runs it.
 *
 * @throws ArgumentError for a part that recipes do not have
 * @example
 * export default recipe({
 *   options: { hidden: 300, lr: 0.1 },
 *   model: (o) => new Sequential(new Linear(784, o.hidden), relu, new Linear(o.hidden, 10)),
 *   data: async (_, { seed }) => ({ train: await digits({ seed }), test: await digits({ seed, train: false }) }),
 *   loss: crossEntropy,
 *   optimizer: (model, o) => sgd(model.parameters(), { lr: o.lr, momentum: 0.9 }),
 *   metrics: { accuracy },
 * });
 */
export function recipe<O extends Options, M extends Trainable>(r: { readonly options: O } & Recipe<NoInfer<O>, M>): Recipe<O, M> {
  checkOptions("recipe", r, PARTS);
  return r;
}
