/** Checks of what layers that normalise are told. */
import { ArgumentError, show } from "../core/errors.ts";
import { checkShape, type Shape } from "../core/shape.ts";

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

/** The sizes of the last axes, each at least 1. */
export function checkNormalizedShape(normalizedShape: number | Shape, who: string): Shape {
  const shape = typeof normalizedShape === "number" ? [normalizedShape] : normalizedShape;
  if (Array.isArray(shape) && shape.length > 0 && !shape.includes(0)) return checkShape(shape, `${who}: normalizedShape`);
  throw new ArgumentError(`${who}: normalizedShape is ${show(normalizedShape)}`, {
    help: "the size of the last axis, or those of the last axes",
  });
}
