import { ArgumentError, NonFiniteError, show } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { pause } from "../core/yield.ts";
import type { Dataset, Labelled } from "../data/index.ts";
import { type Compiled, compile, type Device, Generator, type Tensor } from "../index.ts";
import type { StoredTensor } from "../io/index.ts";
import { inference, training } from "../nn/index.ts";
import type { Optimizer } from "../optim/index.ts";
import { EarlyStopping, type EarlyStoppingOptions } from "./early-stopping.ts";
import { exampleBatch } from "./graph.ts";
import { checkMeasures, type Loss, type Metrics, type NoMetrics } from "./metric.ts";
import { checkData, checkModel } from "./operands.ts";
import { mapValues, outputOf, placement, type Scores, scorer, type Trainable } from "./score.ts";
import { damagedParameters, StepError, stepError } from "./step-error.ts";
import { type Measured, Tally } from "./tally.ts";
import { checkBest, checkPosition, groupOf, loadGroup, type Progress, type Sums, storeAll, type TrainingState } from "./training-state.ts";

export type { Progress };

export interface FitOptions<M extends Metrics = Metrics> {
  readonly loss: Loss;
  readonly optimizer: Optimizer;
  /**
   * Decides the order of the examples and the noise of the layers; nothing else does. A generator moves on with each `fit`; a number is a new
   * generator that has moved on with each update the optimiser made before.
   */
  readonly rng: Generator | number;
  readonly epochs: number;
  /** Default 32. A last batch that is not full is dropped, unless it is the only one. */
  readonly batchSize?: number;
  readonly metrics?: M | undefined;
  readonly validation?: Dataset<Labelled> | undefined;
  readonly earlyStopping?: EarlyStoppingOptions | undefined;
  readonly device?: Device | undefined;
  readonly threads?: number | undefined;
  /** What to do when a step's loss or update is not finite: stop with an error (default), or leave the step out. */
  readonly nonFinite?: "stop" | "skip";
  /** Called after every step; training waits for a promise. */
  readonly onStep?: ((progress: Progress<M>) => void | Promise<void>) | undefined;
  readonly onEpoch?: ((progress: Progress<M>) => void | Promise<void>) | undefined;
  /** Ends training after the present step; what was done stays done. */
  readonly signal?: AbortSignal | undefined;
}

const FIT_OPTIONS = [
  ...["loss", "optimizer", "rng", "epochs", "batchSize", "metrics", "validation", "earlyStopping"],
  ...["device", "threads", "nonFinite", "onStep", "onEpoch", "signal"],
] as readonly (keyof FitOptions)[];

/** Batches of one epoch: a last one that is not full is dropped, unless it is the only one. */
export const batchesOf = (examples: number, batchSize: number): number => Math.max(1, Math.floor(examples / batchSize));

/** True for what is thrown because the signal was given: no failure. */
export const isStop = (error: unknown, signal: AbortSignal | undefined): boolean => signal?.aborted === true && error === signal.reason;

type StepResult = { readonly loss: Tensor<[]>; readonly metrics: Record<string, Tensor<[]>>; readonly measured: Measured };

/** Trains a model step by step, and can say at any moment between two steps all that is needed to go on from there. */
export class Trainer {
  readonly model: Trainable;
  readonly options: FitOptions;
  readonly batchSize: number;
  /** Why `run` came back. */
  ended: "not yet" | "done" | "stopped early" | "aborted" = "not yet";
  /** The epoch in progress, its finished batches, and all finished steps. */
  epoch = 1;
  batch = 0;
  step = 0;
  readonly records: Progress[] = [];
  /** Steps left out because they were not finite. */
  skipped = 0;
  private sums: Sums = { count: 0, loss: 0 };
  private readonly tally: Tally;
  private readonly data: Dataset<Labelled>;
  private readonly root: Generator;
  private readonly noise: Generator;
  private readonly program: Compiled<[x: Tensor, y: Tensor], StepResult>;
  private readonly validate: ((data: Dataset<Labelled>) => Promise<Scores>) | undefined;
  private readonly stopping: EarlyStopping | undefined;

  constructor(model: Trainable, data: Dataset<Labelled>, options: FitOptions) {
    check(model, data, options);
    this.model = model;
    this.data = data;
    this.options = options;
    this.batchSize = options.batchSize ?? 32;
    const { loss, optimizer, metrics = {} } = options;
    this.stopping = options.earlyStopping && new EarlyStopping(options.earlyStopping, metrics);
    this.root = (options.rng instanceof Generator ? options.rng : new Generator(options.rng)).branch();
    this.noise = this.root.fork("noise");
    this.tally = new Tally("fit", metrics, data.size);
    this.program = compile((x: Tensor, y: Tensor): StepResult => {
      const output = outputOf(model, x, training(this.noise));
      const value = loss(output, y);
      optimizer.minimize(value);
      const measured = this.tally.measure(output, y);
      return { loss: value, metrics: mapValues(metrics, (metric) => metric(output, y)), measured };
    }, placement(options));
    const { device, threads, signal } = options;
    this.validate = options.validation && scorer(model, { loss, metrics, device, threads, signal });
  }

  get last(): "keep" | "drop" {
    return this.data.size < this.batchSize ? "keep" : "drop";
  }

  /** Batches of one epoch. */
  get batchesPerEpoch(): number {
    return batchesOf(this.data.size, this.batchSize);
  }

  /** True when no epoch is left. */
  get finished(): boolean {
    return this.epoch > this.options.epochs || this.stopping?.exhausted === true;
  }

  /** Trains to the end, or until it is stopped. Answers one record per epoch, those before a restore included. */
  async run(): Promise<Progress[]> {
    const { signal } = this.options;
    while (!this.finished) {
      if (signal?.aborted) return this.end("aborted");
      const order = this.root.fork(`epoch ${this.epoch}`);
      for await (const { x, y } of this.data.batches(this.batchSize, { rng: order, last: this.last, from: this.batch })) {
        await this.oneStep(x, y);
        await pause();
        if (signal?.aborted) return this.end("aborted");
      }
      try {
        await this.endEpoch();
      } catch (error) {
        // Validation was stopped: the epoch's steps are done, and its end is still to come.
        if (isStop(error, signal)) return this.end("aborted");
        throw error;
      }
    }
    return this.end(this.stopping?.exhausted ? "stopped early" : "done");
  }

  private end(why: Trainer["ended"]): Progress[] {
    this.ended = why;
    if (why !== "aborted") this.stopping?.restoreBest(this.model);
    return this.records;
  }

  private async oneStep(x: Tensor, y: Tensor): Promise<void> {
    const values = await this.compute(x, y);
    this.batch++;
    if (!values) return;
    this.step++;
    this.sums.count++;
    this.sums.loss += values.loss;
    await this.options.onStep?.({ epoch: this.epoch, step: this.step, ...values });
  }

  /** Runs the program; undefined for a step that was left out. */
  private async compute(x: Tensor, y: Tensor): Promise<{ loss: number; metrics: Record<string, number> } | undefined> {
    try {
      const result = this.program(x, y);
      const loss = await result.loss.item();
      const metrics: Record<string, number> = {};
      for (const [name, value] of Object.entries(result.metrics)) metrics[name] = await value.item();
      if (!Number.isFinite(loss)) throw await this.nonFinite(`the loss is ${loss}`, { batch: { x, y } });
      await this.tally.add(result.measured, x.shape[0] as number);
      return { loss, metrics };
    } catch (error) {
      if (!(error instanceof NonFiniteError) || error instanceof StepError) throw error;
      // The program itself refused: it has written nothing, so the step may be left out.
      if (this.options.nonFinite !== "skip") throw await this.nonFinite(error.what, { cause: error, batch: { x, y } });
      this.skipped++;
      return undefined;
    }
  }

  private nonFinite(what: string, found: { cause?: unknown; batch: Labelled }): Promise<StepError> {
    return stepError(`step ${this.step + 1} (epoch ${this.epoch}, batch ${this.batch + 1}): ${what}`, this.model, found);
  }

  /** An update may overflow although the loss before it was finite; then no later step can mend it, nor can leaving steps out. */
  private async checkEpoch(validationLoss: number | undefined): Promise<void> {
    const where = `step ${this.step} (the last of epoch ${this.epoch})`;
    if (this.sums.count === 0 && this.skipped > 0)
      throw await stepError(`${where}: every step of the epoch was left out, none was finite`, this.model);
    if (validationLoss !== undefined && Number.isFinite(validationLoss)) return;
    if ((await damagedParameters(this.model)).length > 0) throw await stepError(`${where}: the model is not finite any more`, this.model);
  }

  /** Mean loss, metrics, validation, early stopping. */
  private async endEpoch(): Promise<void> {
    const { count, loss } = this.sums;
    const { epoch, step, stopping } = this;
    const validation = await this.validate?.(this.options.validation!);
    await this.checkEpoch(validation?.loss);
    stopping?.observe(validation!, epoch, this.model);
    const record: Progress = {
      ...{ epoch, step, loss: loss / count, metrics: await this.tally.scores() },
      ...(validation ? { validation } : {}),
      ...(stopping ? { bestEpoch: stopping.bestEpoch } : {}),
    };
    this.records.push(record);
    this.epoch++;
    this.batch = 0;
    this.sums = { count: 0, loss: 0 };
    this.tally.clear();
    await this.options.onEpoch?.(record);
  }

  // ---- between two steps

  /** All that is needed to go on from here, bit for bit: parameters, optimiser, generator, place in the order, sums, early stopping. */
  async state(): Promise<TrainingState> {
    const { model, stopping } = this;
    const tensors = await storeAll({
      model: model.stateDict(),
      optimizer: this.options.optimizer.stateDict(),
      best: stopping?.bestParameters ?? {},
    });
    for (const [name, stored] of this.tally.stored()) tensors.set(`tally.${name}`, stored);
    return {
      tensors,
      position: {
        epoch: this.epoch,
        batch: this.batch,
        step: this.step,
        skipped: this.skipped,
        batchSize: this.batchSize,
        examples: this.data.size,
        seed: this.root.state.seed,
        noise: this.noise.state,
        sums: this.sums,
        records: this.records,
        ...(stopping ? { stopping: stopping.state } : {}),
      },
    };
  }

  /**
   * Goes to a place that `state` answered. All is checked before anything changes.
   *
   * @throws FormatError for tensors that do not fit the model or its metrics, and for a position that cannot be of this training; ArgumentError for another seed, batch size or data set
   */
  restore({ tensors, position }: TrainingState): void {
    const same = { seed: this.root.state.seed, batchSize: this.batchSize, examples: this.data.size };
    for (const [name, value] of Object.entries(same))
      if (position[name as keyof typeof same] !== value)
        throw new ArgumentError(`resume: ${name} was ${position[name as keyof typeof same]}, now it is ${value}`, {
          why: "the order of the examples would not go on where it stopped",
          help: "resume with the settings of the run",
        });
    checkPosition(position, { batchesPerEpoch: this.batchesPerEpoch, metrics: Object.keys(this.options.metrics ?? {}) });
    const tally = groupOf(tensors, "tally");
    if (tally.size > 0) this.checkTally(tally, position.sums.count);
    const best = loadGroup(tensors, "best");
    const hasBest = Object.keys(best).length > 0;
    checkBest(position.stopping, hasBest);
    const before = this.model.stateDict();
    try {
      // The best parameters are needed at the end only; that they fit is seen now.
      if (hasBest) this.model.loadStateDict(best);
      this.model.loadStateDict(loadGroup(tensors, "model"));
      this.options.optimizer.loadStateDict(loadGroup(tensors, "optimizer"));
    } catch (error) {
      this.model.loadStateDict(before);
      throw error;
    }
    const { epoch, batch, step, skipped, noise, sums, records, stopping } = position;
    Object.assign(this, { epoch, batch, step, skipped, sums: structuredClone(sums) });
    this.tally.restore(tally);
    this.noise.restore(noise);
    this.records.splice(0, this.records.length, ...records.map((record) => structuredClone(record)));
    if (stopping) this.stopping?.restore(stopping, hasBest ? best : undefined);
  }

  /** What was added up in the present epoch, against what a batch of this training measures: shapes only, nothing is computed. */
  private checkTally(stored: ReadonlyMap<string, StoredTensor>, batches: number): void {
    const { x, y } = exampleBatch(this.data, this.batchSize);
    const count = x.shape[0] as number;
    this.tally.check(stored, this.tally.measure(outputOf(this.model, x, inference), y), { count, seen: batches * count });
  }
}

function check(model: Trainable, data: Dataset<Labelled>, options: FitOptions): void {
  checkOptions("fit", options, FIT_OPTIONS);
  checkMeasures("fit", options);
  checkModel("fit", model);
  checkData("fit", "the data", data);
  if (options.validation !== undefined) checkData("fit", "the validation data", options.validation);
  if (typeof (options.optimizer as Optimizer | undefined)?.minimize !== "function")
    throw new ArgumentError(`fit: the optimizer is ${show(options.optimizer)}`, { help: "sgd(model.parameters(), { lr: 0.1 })" });
  const { epochs, batchSize = 32, validation, earlyStopping } = options;
  if (!Number.isSafeInteger(epochs) || epochs < 0) throw new ArgumentError(`fit: ${epochs} epochs`, { help: "a whole number ≥ 0" });
  if (!Number.isSafeInteger(batchSize) || batchSize < 1)
    throw new ArgumentError(`fit: a batch of ${batchSize}`, { help: "a whole number ≥ 1" });
  if (options.nonFinite !== undefined && options.nonFinite !== "stop" && options.nonFinite !== "skip")
    throw new ArgumentError(`fit: nonFinite is ${show(options.nonFinite)}`, { help: '"stop" or "skip"' });
  if (data.size === 0) throw new ArgumentError("fit: the data set is empty", { why: "there is nothing to learn from" });
  if (earlyStopping && !validation)
    throw new ArgumentError("fit: earlyStopping needs validation data", {
      why: "it keeps the parameters with the best validation score",
      help: "const [train, validation] = data.split(0.8, rng)",
    });
}

/**
 * Trains a model: shuffled batches, one compiled step, validation after each epoch. Gives the event loop a turn about every 10 ms.
 * Answers one record per epoch. With `earlyStopping` the parameters of the best epoch stay in the model, and `bestEpoch` of the last record says
 * which that was. Called again it goes on: another order, other noise.
 *
 * @throws NonFiniteError with the step's number when the loss is not finite, and names the parameters that are not
 * @example
 * const records = await fit(model, train, { loss: crossEntropy, optimizer, rng: 1, epochs: 10, metrics: { accuracy }, validation });
 */
export async function fit<M extends Metrics = NoMetrics>(
  model: Trainable,
  data: Dataset<Labelled>,
  options: FitOptions<M>,
): Promise<Progress<M>[]> {
  check(model, data, options as unknown as FitOptions);
  const rng = typeof options.rng === "number" ? await movedOn(options.rng, options.optimizer) : options.rng;
  return new Trainer(model, data, { ...options, rng } as unknown as FitOptions).run() as Promise<Progress<M>[]>;
}

/** A second `fit` with the same seed and the same optimiser goes on, and does not see the first one's order again. */
async function movedOn(seed: number, optimizer: Optimizer): Promise<Generator> {
  const rng = new Generator(seed);
  rng.restore({ seed, calls: await optimizer.step.item() });
  return rng;
}
