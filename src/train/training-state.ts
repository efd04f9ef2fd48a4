import { FormatError } from "../core/errors.ts";
import { type Tensor, tensor } from "../index.ts";
import type { StoredTensor } from "../io/index.ts";
import type { Metrics } from "./metric.ts";
import type { Scores } from "./score.ts";

/** Where training is. Of a step: its own loss and metrics; of an epoch: the mean loss of its steps, the metrics of all its examples, and the validation scores. */
export interface Progress<M extends Metrics = Metrics> {
  /** Counted from 1. */
  readonly epoch: number;
  /** Updates made so far, over all epochs. */
  readonly step: number;
  readonly loss: number;
  readonly metrics: { readonly [name in keyof M]: number };
  readonly validation?: Scores<M>;
  /** With early stopping: the epoch with the best validation score so far, 0 before there was one. */
  readonly bestEpoch?: number;
}

/** The losses of the present epoch's steps. What its metrics have added up is among the tensors. */
export interface Sums {
  count: number;
  loss: number;
}

/** Where a training is, beside its tensors: plain JSON. */
export interface Position {
  readonly epoch: number;
  readonly batch: number;
  readonly step: number;
  readonly skipped: number;
  readonly batchSize: number;
  readonly examples: number;
  readonly seed: number;
  readonly noise: { readonly seed: number; readonly calls: number };
  readonly sums: Sums;
  readonly records: readonly Progress[];
  readonly stopping?: { readonly best: number | null; readonly bestEpoch: number; readonly waited: number } | undefined;
}

/** All that a training needs to go on: tensors named `model.…`, `optimizer.…`, `best.…`, `tally.…`, and its position. */
export interface TrainingState {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly position: Position;
}

/** Numbers of many tensors; names are `group.name`. */
export async function storeAll(groups: Readonly<Record<string, Readonly<Record<string, Tensor>>>>): Promise<Map<string, StoredTensor>> {
  const stored = new Map<string, StoredTensor>();
  for (const [group, tensors] of Object.entries(groups))
    for (const [name, t] of Object.entries(tensors))
      stored.set(`${group}.${name}`, { dtype: t.dtype, shape: [...t.shape], data: await t.data() });
  return stored;
}

/** What was stored of one group, under its own names. */
export function groupOf(stored: ReadonlyMap<string, StoredTensor>, group: string): Map<string, StoredTensor> {
  const own = [...stored].filter(([name]) => name.startsWith(`${group}.`));
  return new Map(own.map(([name, value]) => [name.slice(group.length + 1), value]));
}

/** The tensors of one group, under their own names. */
export const loadGroup = (stored: ReadonlyMap<string, StoredTensor>, group: string): Record<string, Tensor> =>
  Object.fromEntries([...groupOf(stored, group)].map(([name, { data, shape, dtype }]) => [name, tensor(data, [...shape], { dtype })]));

export const positionToText = (position: Position): string => JSON.stringify(position);

/**
 * Checks that a position can be one of this training: every number follows from the others, or is bounded by them. A checksum only says
 * that a file is as it was written, not who wrote it.
 *
 * @throws FormatError with the number that does not fit
 */
export function checkPosition(
  position: Position,
  training: { readonly batchesPerEpoch: number; readonly metrics: readonly string[] },
): void {
  const { epoch, batch, step, skipped, sums, records, stopping } = position;
  const whole = training.batchesPerEpoch;
  const check = (holds: boolean, what: string, why: string): void => {
    if (!holds) throw new FormatError(`the training state is of no such training: ${what}`, { why });
  };
  check(epoch === records.length + 1, `epoch ${epoch}`, `the records are of ${records.length} epochs`);
  check(batch <= whole, `batch ${batch}`, `an epoch has ${whole}`);
  check(
    step + skipped === (epoch - 1) * whole + batch,
    `step ${step}, ${skipped} left out`,
    `epoch ${epoch}, batch ${batch} is another step`,
  );
  check(sums.count <= batch, `${sums.count} steps in the sums`, `the epoch is at batch ${batch}`);
  const names = training.metrics.toSorted().join(", ");
  const sameNames = (metrics: object): boolean => Object.keys(metrics).sort().join(", ") === names;
  for (const [i, record] of records.entries()) {
    check(record.epoch === i + 1, `record ${i + 1} is of epoch ${record.epoch}`, "there is one for each epoch");
    check(
      record.step >= (records[i - 1]?.step ?? 0) && record.step <= step,
      `record ${i + 1} is of step ${record.step}`,
      `the run is at ${step}`,
    );
    const best = record.bestEpoch ?? 0;
    check(
      best === 0 || (best <= record.epoch && records[best - 1]!.validation !== undefined),
      `record ${i + 1} has ${best} as the best epoch`,
      "there is no score of such an epoch before it",
    );
    check(
      sameNames(record.metrics),
      `record ${i + 1} has metrics ${Object.keys(record.metrics).join(", ") || "none"}`,
      `this training has ${names || "none"}`,
    );
  }
  if (stopping) {
    const { bestEpoch, waited } = stopping;
    check(bestEpoch + waited === epoch - 1, `best epoch ${bestEpoch}, ${waited} after it`, `${epoch - 1} epochs are done`);
  }
}

/**
 * Checks that the best parameters are there if there was a best epoch, and only then.
 *
 * @throws FormatError if not
 */
export function checkBest(stopping: Position["stopping"], hasParameters: boolean): void {
  const { best, bestEpoch } = stopping ?? { best: null, bestEpoch: 0 };
  if ((best !== null) === bestEpoch > 0 && bestEpoch > 0 === hasParameters) return;
  throw new FormatError(`the training state is of no such training: best epoch ${bestEpoch}, score ${best}`, {
    why: `${hasParameters ? "there are" : "there are no"} parameters of a best epoch`,
  });
}
