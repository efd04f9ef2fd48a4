import { isFloat } from "../core/dtype.ts";
import { ArgumentError } from "../core/errors.ts";
import { sizeOf } from "../core/shape.ts";
import type { Type, Value } from "../graph/op.ts";
import { evaluate } from "../interpret/evaluate.ts";
import { argument } from "../ops/index.ts";
import { gradients } from "./gradients.ts";

/** Numbers of the outputs for numbers of the leaves. */
export type Evaluator = (outputs: readonly Value[], inputs: ReadonlyMap<Value, ArrayLike<number>>) => ArrayLike<number>[];

/** Where to check: an input's type and the numbers in it. Inputs that are not floats are held fixed. */
export interface Point extends Type {
  readonly data: ArrayLike<number>;
}

export interface GradcheckOptions {
  /** Default: the reference interpreter. */
  readonly evaluate?: Evaluator;
  /** Half the distance of the two points of a difference, relative to max(1, |x|). Default 1e-5, right for float64. */
  readonly step?: number;
  /** Largest error that passes, relative to max(1, |difference|). Default 1e-6. */
  readonly tolerance?: number;
}

/** One element of one input: what the graph says, and what the differences say. */
export interface Deviation {
  readonly input: number;
  readonly position: number;
  readonly gradient: number;
  readonly difference: number;
  /** |gradient − difference| / max(1, |difference|). */
  readonly error: number;
}

export interface GradcheckReport {
  readonly passed: boolean;
  /** Elements that were compared. */
  readonly checked: number;
  readonly largestError: number;
  /** The largest errors, worst first. */
  readonly worst: readonly Deviation[];
}

const WORST = 5;

/**
 * Compares the gradient of L = Σ wᵢ · f(x)ᵢ, for fixed weights w that differ from element to element, with the central differences
 * (L(x + h) − L(x − h)) / 2h. Use float64 inputs: in float32 a difference has two or three right digits.
 *
 * @example
 * gradcheck(([x]) => sum(tanh(x!), [0]), [{ shape: [2], dtype: "float64", data: [0.5, -1] }]).passed // true
 */
export function gradcheck(f: (inputs: Value[]) => Value, points: readonly Point[], options: GradcheckOptions = {}): GradcheckReport {
  const inputs = leavesFor(points);
  const y = f(inputs);
  const weights = argument(points.length, y);
  const found = gradients(y, inputs, weights);
  const run = runner(options, inputs, points, weights);
  const deviations = inputs.flatMap((x, k) => (isFloat(x.dtype) ? compare(k, found[k] ?? null, y, run, options) : []));
  return report(deviations, options);
}

/** The same for the gradient itself: every entry of the second derivative, by differences of the first. */
export function gradgradcheck(f: (inputs: Value[]) => Value, points: readonly Point[], options: GradcheckOptions = {}): GradcheckReport {
  const inputs = leavesFor(points);
  const y = f(inputs);
  const seedPoint: Point = { shape: y.shape, dtype: y.dtype, data: weightsOf(sizeOf(y.shape), 1) };
  const all = [...points, seedPoint];
  const first = gradients(y, inputs, argument(points.length, y));
  const reports = first.flatMap((g, k) => {
    if (!g) return [];
    const gradientOf = (xs: Value[]): Value => gradients(f(xs.slice(0, -1)), xs.slice(0, -1), xs.at(-1)!)[k]!;
    return [gradcheck(gradientOf, all, options)];
  });
  return {
    passed: reports.every((r) => r.passed),
    checked: reports.reduce((n, r) => n + r.checked, 0),
    largestError: reports.reduce((worst, r) => larger(worst, r.largestError), 0),
    worst: byError(reports.flatMap((r) => r.worst)).slice(0, WORST),
  };
}

function leavesFor(points: readonly Point[]): Value[] {
  points.forEach((p, i) => {
    if (p.data.length !== sizeOf(p.shape))
      throw new ArgumentError(`gradcheck: input ${i} has ${p.data.length} numbers for a shape of ${sizeOf(p.shape)} elements`);
  });
  return points.map((p, i) => argument(i, { shape: p.shape, dtype: p.dtype }));
}

interface Runner {
  readonly weights: readonly number[];
  readonly data: readonly ArrayLike<number>[];
  /** An output's numbers with one input replaced. */
  (output: Value, input?: number, data?: ArrayLike<number>): ArrayLike<number>;
}

function runner(options: GradcheckOptions, inputs: readonly Value[], points: readonly Point[], weights: Value): Runner {
  const run = options.evaluate ?? interpreter;
  const w = weightsOf(sizeOf(weights.shape), 0);
  const data = points.map((p) => p.data);
  const at = (output: Value, input = -1, changed: ArrayLike<number> = []): ArrayLike<number> => {
    const leaves = new Map<Value, ArrayLike<number>>(inputs.map((x, i) => [x, i === input ? changed : data[i]!]));
    return run([output], leaves.set(weights, w))[0]!;
  };
  return Object.assign(at, { weights: w, data });
}

const interpreter: Evaluator = (outputs, inputs) => evaluate(outputs, inputs);

function compare(k: number, gradient: Value | null, y: Value, run: Runner, options: GradcheckOptions): Deviation[] {
  const data = Array.from(run.data[k]!);
  const exact = gradient ? run(gradient) : data.map(() => 0);
  const loss = (changed: number[]): number => Array.from(run(y, k, changed)).reduce((sum, v, i) => sum + v * run.weights[i]!, 0);
  return data.map((center, position) => {
    const h = (options.step ?? 1e-5) * Math.max(1, Math.abs(center));
    const [above, below] = [center + h, center - h];
    const difference = (loss(data.with(position, above)) - loss(data.with(position, below))) / (above - below);
    const error = Math.abs(exact[position]! - difference) / Math.max(1, Math.abs(difference));
    return { input: k, position, gradient: exact[position]!, difference, error };
  });
}

function report(deviations: readonly Deviation[], { tolerance = 1e-6 }: GradcheckOptions): GradcheckReport {
  return {
    // A NaN passes nothing.
    passed: deviations.every((d) => d.error <= tolerance),
    checked: deviations.length,
    largestError: deviations.reduce((worst, d) => larger(worst, d.error), 0),
    worst: byError(deviations).slice(0, WORST),
  };
}

const larger = (a: number, b: number): number => (Number.isNaN(a) || Number.isNaN(b) ? Number.NaN : Math.max(a, b));

const byError = (deviations: readonly Deviation[]): Deviation[] => {
  const rank = (d: Deviation): number => (Number.isNaN(d.error) ? Number.POSITIVE_INFINITY : d.error);
  return deviations.toSorted((a, b) => (rank(a) === rank(b) ? 0 : rank(b) - rank(a)));
};

/** Fixed weights between ½ and 1½ with both signs, no two alike (multiples of the golden ratio, modulo 1). */
function weightsOf(count: number, offset: number): number[] {
  return Array.from({ length: count }, (_, i) => {
    const fraction = ((i + 1 + offset * 0.37) * 0.6180339887498949) % 1;
    return (i % 2 === 0 ? 1 : -1) * (0.5 + fraction);
  });
}
