/** What a run trains on, what scores its epochs, and what is kept for the end. */
import type { Dataset, Labelled } from "../data/index.ts";
import { Generator } from "../index.ts";
import type { RunInfo } from "./stored.ts";

/** The share of the training data that is held out for validation, unless said. */
export const USUAL_VALIDATION = 0.1;

/** What scores the epochs of a run. The test set only in runs made when that was usual: then nothing is left that training has not seen. */
export type CheckedOn = "validation" | "test" | "nothing";

/** Of runs that do not say: made before the test set was scored once, at the end. */
export const checkedOnOf = ({ validation, checkedOn }: Pick<RunInfo, "validation" | "checkedOn">): CheckedOn =>
  checkedOn ?? (validation > 0 ? "validation" : "test");

export interface HeldOut {
  readonly train: Dataset<Labelled>;
  /** What scores the epochs, if anything does. */
  readonly checks: Dataset<Labelled> | undefined;
}

/** Random examples of the training data held out: the same ones for the same seed and share. */
export function holdOut(
  parts: { readonly train: Dataset<Labelled>; readonly test: Dataset<Labelled> },
  info: Pick<RunInfo, "validation" | "checkedOn">,
  seed: number,
): HeldOut {
  if (info.validation === 0) return { train: parts.train, checks: checkedOnOf(info) === "test" ? parts.test : undefined };
  const [train, checks] = parts.train.split(1 - info.validation, new Generator(seed).fork("validation"));
  return { train, checks };
}

/** True where a share that nobody asked for would hold out nothing, or everything. */
export const tooFew = (examples: number, share: number): boolean => {
  const kept = Math.round(examples * (1 - share));
  return kept === 0 || kept === examples;
};
