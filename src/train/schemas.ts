/** What the files of a run must hold. Loaded when one is read: zod takes longer to load than all of gradus, and few programs read runs. */
import { z } from "zod";
import { FormatError } from "../core/errors.ts";
import type { LoggedStep, LogNote, RunInfo } from "./stored.ts";
import type { Position } from "./training-state.ts";

/** Of `run.json`. */
export const INFO: z.ZodType<RunInfo> = z.strictObject({
  version: z.literal(1),
  gradus: z.string(),
  recipe: z.string(),
  options: z.record(z.string(), z.union([z.number(), z.string(), z.boolean()])),
  seed: z.int().min(0),
  epochs: z.int().min(0),
  batchSize: z.int().min(1),
  validation: z.number().min(0).max(1),
  checkedOn: z.enum(["validation", "test", "nothing"]).optional(),
  patience: z.int().min(1).nullable(),
  nonFinite: z.enum(["stop", "skip"]).optional(),
  data: z.string().nullable(),
  device: z.enum(["auto", "wasm", "native", "interpreter"]),
  threads: z.int().min(1).max(1024).nullable(),
  machine: z.record(z.string(), z.unknown()),
  started: z.string(),
  finished: z.string().nullable(),
  status: z.enum(["running", "done", "stopped early", "interrupted", "failed"]),
  seconds: z.number().min(0),
  scores: z.record(z.string(), z.number().nullable()),
});

const count = z.int().min(0);
/** JSON has no infinities and no NaN: they come as null, and mean NaN. */
const number = z
  .number()
  .nullable()
  .transform((value) => value ?? Number.NaN);
const scores = z.record(z.string(), number);
/** Of the position in a checkpoint. */
const POSITION = z.strictObject({
  epoch: count,
  batch: count,
  step: count,
  skipped: count,
  batchSize: count,
  examples: count,
  seed: count,
  noise: z.strictObject({ seed: count, calls: count }),
  // Sums of batch means, as they were once kept: the metrics of that epoch then begin anew.
  sums: z.strictObject({ count, loss: z.number(), metrics: scores.optional() }).transform(({ metrics: _, ...sums }) => sums),
  records: z.array(
    z.strictObject({
      epoch: count,
      step: count,
      loss: number,
      metrics: scores,
      validation: z.object({ loss: number }).catchall(number).optional(),
      bestEpoch: count.optional(),
    }),
  ),
  stopping: z.strictObject({ best: z.number().nullable(), bestEpoch: count, waited: count }).optional(),
});

const LOG = z.strictObject({ bytes: count, count, loss: z.number() });

/** @throws FormatError for text that is no position */
export function positionFromText(text: string | undefined, who: string): Position {
  if (text === undefined)
    throw new FormatError(`${who}: holds no training state`, { why: "it is a model file, not a checkpoint of a training" });
  return fromText(POSITION, text, `${who}: its training state`) as Position;
}

/** @throws FormatError for text that is no such note */
export const logNoteFromText = (text: string | undefined, who: string): LogNote =>
  fromText(LOG, text ?? "", `${who}: what it says of the log`);

function fromText<T>(schema: z.ZodType<T>, text: string, what: string): T {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new FormatError(`${what} is not valid JSON`, { cause });
  }
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  throw new FormatError(`${what} is damaged`, { why: `${issue.path.join(".")}: ${issue.message}` });
}

const STEP_LINE = z.strictObject({ step: z.int().min(1), loss: z.number().nullable(), lr: z.number().optional() });

/** What a line says of a step; undefined for a line of an epoch, or one that is damaged. */
export function stepIn(line: string): LoggedStep | undefined {
  try {
    const { success, data } = STEP_LINE.safeParse(JSON.parse(line));
    return success ? { ...data, loss: data.loss ?? Number.NaN } : undefined;
  } catch {
    return undefined;
  }
}
