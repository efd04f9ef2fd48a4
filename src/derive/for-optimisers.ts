/** What optimisers need to know beyond the public face. */
import { HostStorage } from "../run/storage.ts";
import { Tensor } from "../tensor/tensor.ts";
import { currentTrace } from "../tensor/trace.ts";
import type { Variable } from "../tensor/variable.ts";
import { foundGradients } from "./found.ts";

/** Asks the program being traced, if any, to change no variable in a step where this is not finite. */
export function guardFinite(x: Tensor, label: string, kind: "loss" | "gradients"): void {
  currentTrace()?.guard?.(x.node(), label, kind);
}

/** What a guard on the gradient of a parameter is called, and which parameter a guard of that name is about. */
export const gradientLabel = (parameter: string): string => `the gradient of ${parameter}`;
export const parameterOf = (label: string): string => label.slice(gradientLabel("").length);

/** ∂loss/∂p for each parameter, null where the loss does not depend on it. */
export function gradientsOf(loss: Tensor, parameters: readonly Variable[], names: readonly string[]): (Tensor | null)[] {
  return foundGradients(loss, parameters, names, "minimize").map((g) => g && new Tensor(g, { tracked: true }));
}

/** The scalar's value where it is known without computing anything. */
export function knownNumber(x: Tensor): number | undefined {
  return x.storage instanceof HostStorage ? x.storage.array[0] : undefined;
}
