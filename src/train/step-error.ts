/** Why a step of a training could not be made: what the program found out, what the batch held, and what has become of the parameters. */
import { isFloat } from "../core/dtype.ts";
import { NonFiniteError } from "../core/errors.ts";
import type { Labelled } from "../data/index.ts";
import type { Module } from "../nn/index.ts";

/** Has the step's number already. */
export class StepError extends NonFiniteError {}

/** Parameters beyond this have hardly been learnt: training diverges. */
const HUGE = 1e6;

/** The names of parameters that are not finite. Buffers may hold infinities for a purpose, as masks do. */
export async function damagedParameters(model: Module): Promise<string[]> {
  const names: string[] = [];
  for (const [name, cell] of model.namedVariables())
    if (cell.trainable && (await cell.value.data()).some((v) => !Number.isFinite(v))) names.push(name);
  return names;
}

/** With the cause's reason and line; `batch` is what the step was made of. */
export async function stepError(
  what: string,
  model: Module,
  { cause, batch }: { cause?: unknown; batch?: Labelled } = {},
): Promise<StepError> {
  const damaged = await damagedParameters(model);
  const parameters =
    damaged.length > 0 ? `not finite any more: ${damaged.join(", ")}` : `all parameters are still finite${await largest(model)}`;
  const { why, site } = cause instanceof NonFiniteError ? cause : {};
  return new StepError(what, {
    why: why ? `${why}; ${parameters}` : parameters,
    help:
      batch && (await holdsNonFinite(batch))
        ? BAD_DATA
        : "lower the learning rate, or clip the gradients with clipNorm; look for inputs that are not finite",
    site,
    cause,
  });
}

const BAD_DATA =
  'the batch itself holds it: look for missing values in the data, or leave such batches out with nonFinite: "skip" (--skip-non-finite)';

async function holdsNonFinite({ x, y }: Labelled): Promise<boolean> {
  for (const t of [x, y]) if (isFloat(t.dtype) && (await t.data()).some((v) => !Number.isFinite(v))) return true;
  return false;
}

/** ", the largest is −3.1e+12, of 0.weight", where it says something. */
async function largest(model: Module): Promise<string> {
  let [most, of] = [0, ""];
  for (const [name, cell] of model.namedVariables())
    if (cell.trainable) for (const v of await cell.value.data()) if (Math.abs(v) > Math.abs(most)) [most, of] = [v, name];
  return Math.abs(most) > HUGE ? `, but training diverges: ${of} has grown to ${most.toExponential(1)}` : "";
}
