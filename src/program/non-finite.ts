/** Where a number that is not finite came from: the step that a guard refused, gone through once more, value by value. */
import { isFloat } from "../core/dtype.ts";
import { NonFiniteError, show } from "../core/errors.ts";
import { showShape, sizeOf } from "../core/shape.ts";
import { costOf } from "../graph/cost.ts";
import { operationOf } from "../graph/dot.ts";
import type { Value } from "../graph/op.ts";
import { topological } from "../graph/walk.ts";
import { evaluateNode, type Numbers } from "../interpret/evaluate.ts";
import * as ops from "../ops/index.ts";

/** Operations the reference interpreter does in about a second; what is larger runs as a program. */
const LIMIT = 3e7;
/** Values that such a program looks at. */
const MOST_VALUES = 4000;

/** What a value holds: 0 finite numbers only, 1 an infinity, 2 NaN. */
type Kind = 0 | 1 | 2;
type Kinds = ReadonlyMap<Value, Kind>;

/** The step that was refused. */
export interface RefusedStep {
  /** The values that had to be finite. */
  readonly guards: readonly Value[];
  /** The numbers of an input: an argument, a cell, a captured tensor. */
  numbersOf(leaf: Value): ArrayLike<number> | undefined;
  /** What to call an input. */
  nameOf(leaf: Value): string;
  /** Computes these scalars from the same inputs. */
  run(outputs: readonly Value[]): readonly number[];
}

/** The same error with its cause: the input that held such a number, or the operation and line where the first one arose. */
export function explainNonFinite(error: NonFiniteError, step: RefusedStep): NonFiniteError {
  const culprit = culpritOf(step);
  if (!culprit) return error;
  if (culprit.op.kind !== "leaf")
    return new NonFiniteError(error.what, {
      why: `the first such number came from ${operationOf(culprit)} ${showShape(culprit.shape)}, from finite ones`,
      help: error.help,
      site: culprit.site ?? error.site,
    });
  const numbers = step.numbersOf(culprit)!;
  const at = Array.from(numbers).findIndex((x) => !Number.isFinite(x));
  const place = culprit.shape.length === 0 ? "" : ` at ${showShape(positionOf(at, culprit.shape))}`;
  return new NonFiniteError(error.what, {
    why: `${step.nameOf(culprit)} held ${show(numbers[at])}${place} before the step began`,
    help: "no variable was changed by this step; x.isFinite() finds such numbers in data",
    site: error.site,
  });
}

/** From a guard that failed downward, always to the worst input, as far as there is one. */
function culpritOf(step: RefusedStep): Value | undefined {
  const order = topological(step.guards);
  const kinds = costOf(step.guards).flops <= LIMIT ? interpreted(order, step) : byProgram(order, step);
  const worst = (values: readonly Value[]): Value | undefined =>
    values.filter((v) => kinds.get(v)).toSorted((a, b) => kinds.get(b)! - kinds.get(a)!)[0];
  let culprit = worst(step.guards);
  for (let next = culprit; next; next = worst(next.op.kind === "custom" ? next.inputs.slice(0, 1) : next.inputs)) culprit = next;
  return culprit && isConstant(culprit) ? undefined : culprit;
}

function interpreted(order: readonly Value[], step: RefusedStep): Kinds {
  const known = new Map<Value, Numbers>();
  const kinds = new Map<Value, Kind>();
  for (const v of order) {
    const given = v.op.kind === "leaf" ? step.numbersOf(v) : undefined;
    const args = v.inputs.map((x) => known.get(x)!);
    const numbers = given ? Float64Array.from(given) : evaluateNode(v, args, new Map(), { round: true });
    known.set(v, numbers);
    kinds.set(v, kindOf(v, numbers));
  }
  return kinds;
}

/** All values looked at by one program. It is made for the purpose, so it takes a while: but only where a step failed. */
function byProgram(order: readonly Value[], step: RefusedStep): Kinds {
  const kinds = new Map<Value, Kind>();
  for (const v of order) {
    const numbers = v.op.kind === "leaf" ? step.numbersOf(v) : undefined;
    if (numbers) kinds.set(v, kindOf(v, numbers));
  }
  const looked = order.filter((v) => v.op.kind !== "leaf" && isFloat(v.dtype) && sizeOf(v.shape) > 0).slice(-MOST_VALUES);
  const found = step.run(looked.map(kindIn));
  looked.forEach((v, i) => {
    kinds.set(v, found[i] as Kind);
  });
  return kinds;
}

/** The kind of a value, as graph. */
function kindIn(v: Value): Value {
  const flaws = ops.add(ops.cast(ops.logicalNot(ops.isFinite(v)), "int32"), ops.cast(ops.isNaN(v), "int32"));
  return ops.max(
    flaws,
    v.shape.map((_, i) => i),
  );
}

function kindOf(v: Value, numbers: ArrayLike<number>): Kind {
  if (!isFloat(v.dtype)) return 0;
  let kind: Kind = 0;
  for (let i = 0; i < numbers.length; i++) {
    if (Number.isNaN(numbers[i])) return 2;
    if (!Number.isFinite(numbers[i])) kind = 1;
  }
  return kind;
}

function positionOf(index: number, shape: readonly number[]): number[] {
  let rest = index;
  return shape
    .toReversed()
    .map((d) => {
      const at = rest % d;
      rest = Math.floor(rest / d);
      return at;
    })
    .toReversed();
}

const isConstant = (v: Value): boolean => v.op.kind === "leaf" && v.op.source === "constant";
