import { checkOptions } from "../core/options.ts";
import type { Dataset, DownloadProgress, Labelled } from "../data/index.ts";
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
  /** Defaults of --epochs and --batch. */
  readonly epochs?: number;
  readonly batchSize?: number;
  model(o: O): M;
  data(o: O, where: DataPlace): Promise<{ train: Dataset<Labelled>; test: Dataset<Labelled> }>;
  /** `steps` is how many there will be: schedules need it. */
  optimizer(model: M, o: O, steps: number): Optimizer;
  loss?: Loss;
  /** Instead of `loss`, where the options decide. */
  objective?(o: O): Loss;
  readonly metrics?: Metrics;
  /** What `gradus predict` reads, and calls the answers. */
  readonly input?: RecipeInput;
  readonly classes?: readonly string[];
  /** Outputs → probabilities; softmax over the last axis unless said. */
  probabilities?(output: Tensor): Tensor;
  /** Replaces training by `fit`: for recipes that show something else. */
  run?(o: O, context: RunContext): Promise<RunResult<M>>;
}

const PARTS = [
  ...(["description", "options", "describe", "choices", "epochs", "batchSize", "model", "data", "optimizer", "loss"] as const),
  ...(["objective", "metrics", "input", "classes", "probabilities", "run"] as const),
] satisfies readonly (keyof Recipe)[];

/** A grey image of `side` × `side` (light on dark, 0 to 1), or a row of numbers. */
export type RecipeInput = { readonly kind: "image"; readonly side: number } | { readonly kind: "row"; readonly columns: number };

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
