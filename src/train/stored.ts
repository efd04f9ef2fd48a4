/** What the files of a run say. */
import type { Device } from "../index.ts";

/** What `run.json` holds: configuration, versions, machine, outcome. */
export interface RunInfo {
  /** Of this file. */
  readonly version: 1;
  readonly gradus: string;
  readonly recipe: string;
  readonly options: Record<string, number | string | boolean>;
  readonly seed: number;
  readonly epochs: number;
  readonly batchSize: number;
  /** The share of the training data held out for validation. */
  readonly validation: number;
  /** What scores the epochs. Where it is missing: the validation part, or the test set if there is none. */
  readonly checkedOn?: "validation" | "test" | "nothing" | undefined;
  readonly patience: number | null;
  readonly nonFinite?: "stop" | "skip" | undefined;
  readonly data: string | null;
  readonly device: Device;
  readonly threads: number | null;
  readonly machine: Record<string, unknown>;
  readonly started: string;
  readonly finished: string | null;
  readonly status: "running" | "done" | "stopped early" | "interrupted" | "failed";
  readonly seconds: number;
  readonly scores: Record<string, number | null>;
}

/** What a checkpoint says of `metrics.jsonl`: its bytes, and the steps since its last line: how many, and the sum of their losses. */
export interface LogNote {
  readonly bytes: number;
  readonly count: number;
  readonly loss: number;
}

/** A step with its loss and its learning rate, which logs once had not. */
export interface LoggedStep {
  readonly step: number;
  readonly loss: number;
  readonly lr?: number | undefined;
}
