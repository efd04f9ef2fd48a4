import { z } from "zod";
import { FormatError } from "../core/errors.ts";
import { type Tensor, tensor } from "../index.ts";
import type { StoredTensor } from "../io/index.ts";

/** Where training is. Of a step: its own loss and metrics; of an epoch: their means, and the validation scores. */
export interface Progress {
  /** Counted from 1. */
  epoch: number;
  /** Updates made so far, over all epochs. */
  step: number;
  loss: number;
  metrics: Record<string, number>;
  validation?: Record<string, number>;
}

/** What the present epoch has added up. */
export interface Sums {
  count: number;
  loss: number;
  metrics: Record<string, number>;
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

/** All that a training needs to go on: tensors named `model.…`, `optimizer.…`, `best.…`, and its position. */
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

/** The tensors of one group, under their own names. */
export function loadGroup(stored: ReadonlyMap<string, StoredTensor>, group: string): Record<string, Tensor> {
  const found: [string, Tensor][] = [];
  for (const [name, { data, shape, dtype }] of stored)
    if (name.startsWith(`${group}.`)) found.push([name.slice(group.length + 1), tensor(data, [...shape], { dtype })]);
  return Object.fromEntries(found);
}

const count = z.int().min(0);
/** JSON has no infinities and no NaN: they come as null, and mean NaN. */
const number = z
  .number()
  .nullable()
  .transform((value) => value ?? Number.NaN);
const scores = z.record(z.string(), number);
const POSITION = z.strictObject({
  epoch: count,
  batch: count,
  step: count,
  skipped: count,
  batchSize: count,
  examples: count,
  seed: count,
  noise: z.strictObject({ seed: count, calls: count }),
  sums: z.strictObject({ count, loss: number, metrics: scores }),
  records: z.array(z.strictObject({ epoch: count, step: count, loss: number, metrics: scores, validation: scores.optional() })),
  stopping: z.strictObject({ best: z.number().nullable(), bestEpoch: count, waited: count }).optional(),
});

export const positionToText = (position: Position): string => JSON.stringify(position);

/** @throws FormatError for text that is no position */
export function positionFromText(text: string | undefined, who: string): Position {
  let json: unknown;
  try {
    json = JSON.parse(text ?? "");
  } catch (cause) {
    throw new FormatError(`${who}: holds no training state`, { why: "it is a model file, not a checkpoint of a training", cause });
  }
  const result = POSITION.safeParse(json);
  if (result.success) return result.data as Position;
  const issue = result.error.issues[0]!;
  throw new FormatError(`${who}: its training state is damaged`, { why: `${issue.path.join(".")}: ${issue.message}` });
}
