/** Checks of what layers that normalise are told. */
import { ArgumentError, show } from "../core/errors.ts";

/** What is added to a variance: without it, equal numbers would be divided by 0. */
export function checkEps(eps: number, who: string): number {
  if (typeof eps === "number" && eps >= 0 && Number.isFinite(eps)) return eps;
  throw new ArgumentError(`${who}: eps is ${show(eps)}`, { help: "a number that is not negative" });
}

/** A share of the latest batch, or null for the mean of all. */
export function checkMomentum(momentum: number | null, who: string): number | null {
  if (momentum === null || (typeof momentum === "number" && momentum >= 0 && momentum <= 1)) return momentum;
  throw new ArgumentError(`${who}: momentum is ${show(momentum)}`, {
    help: "a number between 0 and 1, or null for the mean of all batches",
  });
}
