import { isFloat, type TypedArray } from "../core/dtype.ts";
import { GraphError } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { takeSite } from "../core/site.ts";
import type { Value } from "../graph/op.ts";
import { topological } from "../graph/walk.ts";
import { evaluate as interpret } from "../interpret/evaluate.ts";
import { holderOf } from "../run/holder.ts";
import { evaluate } from "../tensor/evaluate-tree.ts";
import { Tensor } from "../tensor/tensor.ts";
import * as graphs from "../transform/index.ts";

export type { GradcheckReport } from "../transform/index.ts";

export type CheckOptions = Omit<graphs.GradcheckOptions, "evaluate">;

/**
 * Compares the gradients of f at a point with central differences, by the reference interpreter. Use float64: in float32 a difference has two or three
 * right digits. Inputs that are not floats are held fixed.
 *
 * @example
 * (await gradcheck((x) => x.tanh(), [tensor([0.5, -1], { dtype: "float64" })])).passed // true
 */
export async function gradcheck(
  f: (...xs: any[]) => Tensor,
  inputs: readonly Tensor[],
  options: CheckOptions = {},
): Promise<graphs.GradcheckReport> {
  checkOptions("gradcheck", options, ["step", "tolerance"], takeSite);
  return check(graphs.gradcheck, f, inputs, options);
}

/** The same for the second derivatives: differences of the gradients. */
export async function gradgradcheck(
  f: (...xs: any[]) => Tensor,
  inputs: readonly Tensor[],
  options: CheckOptions = {},
): Promise<graphs.GradcheckReport> {
  checkOptions("gradgradcheck", options, ["step", "tolerance"], takeSite);
  return check(graphs.gradgradcheck, f, inputs, options);
}

async function check(
  run: typeof graphs.gradcheck,
  f: (...xs: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  options: CheckOptions,
): Promise<graphs.GradcheckReport> {
  const points = await Promise.all(inputs.map(async (x) => ({ shape: x.shape, dtype: x.dtype, data: await x.data() })));
  const build = (values: Value[]): Value => f(...values.map((v) => new Tensor(v, { tracked: isFloat(v.dtype) }))).node();
  const standIns = points.map((p) => new Tensor({ shape: p.shape, dtype: p.dtype }, { tracked: true }));
  // What f uses besides its arguments has to be known before the differences are taken.
  const captured = cellsOf([f(...standIns).node()]).filter((cell) => !standIns.includes(cell));
  if (captured.length > 0) await evaluate(captured);
  return run(build, points, { ...options, evaluate: (outputs, given) => interpret(outputs, new Map([...given, ...numbersOf(outputs)])) });
}

const cellsOf = (outputs: readonly Value[]): Tensor[] => topological(outputs).flatMap((v) => (holderOf(v) as Tensor | undefined) ?? []);

function numbersOf(outputs: readonly Value[]): (readonly [Value, TypedArray])[] {
  return topological(outputs).flatMap((v) => {
    const cell = holderOf(v);
    if (!cell) return [];
    const elements = cell.storage?.read();
    if (!elements || elements instanceof Promise)
      throw new GraphError("gradcheck: a captured tensor is not in memory", { help: "pass it as an input" });
    return [[v, elements] as const];
  });
}
