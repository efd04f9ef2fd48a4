/** What training, scoring and prediction are given: a model and a data set, or the error that says what it is instead. */
import { ArgumentError, show } from "../core/errors.ts";

/** @throws ArgumentError unless it is a module with `forward` */
export function checkModel(who: string, model: unknown): void {
  if (typeof (model as { forward?: unknown } | null | undefined)?.forward === "function") return;
  throw new ArgumentError(`${who}: the model is ${typeof model === "function" ? "a function" : show(model)}`, {
    why: "a model is a module: an object of a class with forward",
    help: "new Sequential(…), or a class of yours that extends Module",
  });
}

/**
 * @throws ArgumentError unless it is a data set
 * @example checkData("fit", "the data", digits()); // fit: the data is a promise; help: await it first
 */
export function checkData(who: string, what: string, data: unknown): void {
  const { size, batches } = (data ?? {}) as { size?: unknown; batches?: unknown };
  if (typeof size === "number" && typeof batches === "function") return;
  throw new ArgumentError(`${who}: ${what} is ${data instanceof Promise ? "a promise" : show(data)}`, {
    why: "a data set has a size and batches",
    help: helpFor(data),
  });
}

function helpFor(data: unknown): string {
  if (data instanceof Promise) return "await it first: await digits()";
  if (typeof (data as { data?: { batches?: unknown } } | undefined)?.data?.batches === "function")
    return "a table holds one: const { data } = tableFrom(…)";
  return "new ArrayDataset({ data: inputs, shape: [features] }, { data: targets, shape: [] })";
}
