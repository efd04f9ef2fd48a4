/** Building blocks of what takes more than straight code: steps that are repeated, and formulas for few arguments. */
import type { DType } from "../../core/dtype.ts";
import { cast, type Expr, type Parameter, type Repeat } from "../expr.ts";
import { shared } from "../share.ts";

const parameter = (index: number, dtype: DType): Parameter => ({ op: "parameter", index, dtype });

/** A step and what it is made for: the same node each time, so that equal repetitions are equal expressions. */
const steps = new Map<string, Expr>();

/** What a step is called (with its element types its key), and its result from the state and the given values. */
export interface Step {
  readonly name: string;
  of(state: Expr, given: readonly Expr[]): Expr;
}

/** `start`, with `step` applied `times` times. */
export function repeat(step: Step, times: Expr, start: Expr, given: readonly Expr[]): Repeat {
  const key = [step.name, start.dtype, ...given.map((x) => x.dtype)].join();
  let body = steps.get(key);
  if (!body) {
    const parameters = given.map((x, i) => parameter(i + 1, x.dtype));
    body = shared([step.of(parameter(0, start.dtype), parameters)])[0]!;
    steps.set(key, body);
  }
  return { op: "repeat", args: [times, start, ...given], step: body, dtype: start.dtype };
}

/** `usual`, and where the mask is set what `step` makes of the given values; that is computed only if some lane of a vector needs it. */
export const rarely = (step: Step, mask: Expr, usual: Expr, given: readonly Expr[]): Repeat =>
  repeat(step, cast(mask, "int32"), usual, given);
