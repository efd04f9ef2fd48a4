/** Connectionist temporal classification: sequences of labels from longer sequences of scores, without knowing which belongs to which. */
import { isFloat, isInteger } from "../core/dtype.ts";
import { ArgumentError, DTypeError, ShapeError, show } from "../core/errors.ts";
import { exampleMean } from "../core/example-mean.ts";
import { sameShape, showShape } from "../core/shape.ts";
import { arange, concat, full, logAddExp, stack, Tensor, tensor, where } from "../index.ts";
import { type LossOptions, loss, type Reduced, type Reduction, reduce } from "./reduction.ts";

export interface CtcOptions<R = Reduction> extends LossOptions<R> {
  /** How many steps of each example count: [n] int32, numbers, or one for all. Default all. */
  readonly inputLengths?: Lengths;
  /** How many labels of each example count: [n] int32, numbers, or one for all. Default all of [n, labels]. */
  readonly targetLengths?: Lengths;
  /** The class of the blank. Default 0. */
  readonly blank?: number;
  /** A loss of ∞, of labels that do not fit into the steps, counts as 0. Default false. */
  readonly zeroInfinity?: boolean;
}
type Lengths = number | readonly number[] | Tensor;

const NAMES = ["inputLengths", "targetLengths", "blank", "zeroInfinity"];

/**
 * −log of the probability of the labels: the sum over all ways to write them over the steps, each label once or several times in a row, with blanks
 * between, and at least one between equal labels. Computed forwards in logarithms (Graves et al. 2006, eq. 5 to 8). Where there is no such way the
 * loss is ∞ and its gradient 0. "mean" divides each loss by its number of labels first, as PyTorch's does.
 *
 * Shapes: log-probabilities (`logSoftmax`) [steps, n, classes]; labels [n, labels] integers, what is beyond `targetLengths` may be anything; or all labels
 * one after another, [Σ targetLengths], with lengths that are numbers. One example may come without n: [steps, classes] and [labels].
 * The steps are unrolled into the graph, about twenty nodes each.
 *
 * @throws ShapeError, DTypeError, ArgumentError; OutOfRangeError at run time for a label that is no class or the blank, or a length beyond its axis
 * @example ctc(model.forward(x, mode).logSoftmax(-1), labels, { targetLengths })
 */
export const ctc = /* @__PURE__ */ exampleMean(
  "ctc",
  <R extends Reduction = "mean">(logProbabilities: Tensor, targets: Tensor, options: CtcOptions<R> = {}): Reduced<R> =>
    loss("ctc", { tensors: [logProbabilities, targets], options, names: NAMES }, () => {
      const alone = logProbabilities.shape.length === 2;
      const call = checked(logProbabilities, targets, options);
      const losses = lossesOf(call);
      const finite = options.zeroInfinity ? where(losses.eq(Number.POSITIVE_INFINITY), 0, losses) : losses;
      if (options.reduction === "none" && alone) return finite.reshape([] as any) as unknown as Reduced<R>;
      const mean = (options.reduction ?? "mean") === "mean";
      return reduce(mean ? finite.div(call.counts.maximum(1).cast(losses.dtype)) : finite, options.reduction, "ctc");
    }),
);

/** The logarithm of what no path reaches. */
const NEVER = Number.NEGATIVE_INFINITY;

interface Call {
  /** [steps, n, classes] */
  readonly logs: Tensor;
  /** [n, labels], the blank where there is none. */
  readonly labels: Tensor;
  /** Labels and steps of each example, [n] int32. Of the steps none where all count. */
  readonly counts: Tensor;
  readonly steps: Tensor | undefined;
  readonly blank: number;
}

/** −log p of each example, ∞ where there is no path. */
function lossesOf({ logs, labels, counts, steps, blank }: Call): Tensor {
  const [length, n] = logs.shape as [number, number];
  const places = withBlanks(labels, blank);
  const width = places.shape[1]!;
  const scores = logs.takeAlong(places.reshape([1, n, width]).broadcastTo([length, n, width]), 2);
  // A label may follow another without a blank, if they differ.
  const before = places.pad([[2, 0]], blank).at(":", ":-2");
  const jump = where(places.ne(before), 0, NEVER).cast(logs.dtype);
  // Before the first step the path stands on the first blank.
  let reached = where(arange(width).eq(0), 0, NEVER).cast(logs.dtype).broadcastTo([n, width]);
  for (let t = 0; t < length; t++) {
    const next = stepFrom(reached, jump).add(scores.at(t));
    reached = steps ? where(steps.gt(t).reshape([n, 1]), next, reached) : next;
  }
  const last = arange(width).sub(counts.mul(2).reshape([n, 1]));
  const total = where(last.eq(0).logicalOr(last.eq(-1)), reached, NEVER).logSumExp(1);
  return total.neg();
}

/** The labels with a blank before, between and behind: [n, 2 · labels + 1]. */
function withBlanks(labels: Tensor, blank: number): Tensor {
  const [n, length] = labels.shape as [number, number];
  const blanks = full([n, length], blank, { dtype: "int32" });
  return concat([stack([blanks, labels], 2).reshape([n, 2 * length]), full([n, 1], blank, { dtype: "int32" })] as any, 1);
}

/** log(eᵃ + eᵇ + eᶜ) of what was reached at a place, at the one before, and two before if one may jump. */
function stepFrom(reached: Tensor, jump: Tensor): Tensor {
  const padded = reached.pad([[2, 0]], NEVER);
  return logAddExp(reached, padded.at(":", "1:-1"), padded.at(":", ":-2").add(jump));
}

function checked(given: Tensor, targets: Tensor, options: CtcOptions<unknown>): Call {
  const { blank = 0 } = options;
  if (given.shape.length !== 3 && given.shape.length !== 2)
    throw new ShapeError(`ctc: the log-probabilities are ${showShape(given.shape)}`, {
      help: "[steps, n, classes], or [steps, classes] of one example",
    });
  if (!isFloat(given.dtype))
    throw new DTypeError(`ctc: the log-probabilities are ${given.dtype}`, { help: "x.logSoftmax(-1) of float scores" });
  if (!isInteger(targets.dtype)) throw new DTypeError(`ctc: the labels are ${targets.dtype}`, { help: 'targets.cast("int32")' });
  const classes = given.shape.at(-1)!;
  if (!Number.isInteger(blank) || blank < 0 || blank >= classes)
    throw new ArgumentError(`ctc: blank is ${show(blank)}`, { help: `a class, 0 … ${classes - 1}` });
  const logs = given.shape.length === 2 ? given.reshape([given.shape[0] as number, 1, classes]) : given;
  const [length, n] = logs.shape as [number, number];
  const rows = inRows(targets.cast("int32"), n, options.targetLengths, given.shape.length === 2);
  const counts = lengths(options.targetLengths ?? rows.shape[1]!, n, rows.shape[1]!, "targetLengths");
  const steps = options.inputLengths === undefined ? undefined : lengths(options.inputLengths, n, length, "inputLengths");
  const inside = arange(rows.shape[1]!).lt(counts.reshape([n, 1]));
  // −1 is no class: a label that is the blank is an error when it runs, as any other that is no class.
  const labels = where(inside, where(rows.eq(blank), -1, rows), blank).cast("int32");
  return { logs, labels, counts, steps, blank };
}

/** The labels as [n, labels]. */
function inRows(targets: Tensor, n: number, counts: Lengths | undefined, alone: boolean): Tensor {
  if (targets.shape.length === 2 && targets.shape[0] === n) return targets;
  if (targets.shape.length === 1 && alone) return targets.reshape([1, -1]);
  const each = Array.isArray(counts) ? (counts as readonly number[]) : undefined;
  const total = each?.reduce((sum, length) => sum + length, 0);
  if (targets.shape.length !== 1 || each?.length !== n || total !== targets.shape[0])
    throw new ShapeError(`ctc: the labels are ${showShape(targets.shape)} for ${n} examples`, {
      why: total === undefined ? undefined : `${each!.length} lengths make ${total} labels`,
      help: `[${n}, labels], or one after another with targetLengths: [${n} numbers]`,
    });
  const longest = Math.max(0, ...each);
  const starts = each.map((_, i) => each.slice(0, i).reduce((sum, length) => sum + length, 0));
  const at = starts.flatMap((start, i) => Array.from({ length: longest }, (_, k) => (k < each[i]! ? start + k : 0)));
  if (at.length === 0) return targets.reshape([n, 0] as number[]);
  return targets.gather(tensor(at, [n, longest], { dtype: "int32" }));
}

/** Lengths as [n] int32, none beyond `most`: numbers are checked now, tensors when they run. */
function lengths(given: Lengths, n: number, most: number, what: string): Tensor {
  if (given instanceof Tensor) {
    if (!sameShape(given.shape, [n]))
      throw new ShapeError(`ctc: ${what} is ${showShape(given.shape)}`, { help: `one for each example: [${n}]` });
    if (!isInteger(given.dtype)) throw new DTypeError(`ctc: ${what} is ${given.dtype}`, { help: 'cast("int32")' });
    return arange(most + 1).gather(given);
  }
  const list = typeof given === "number" ? new Array<number>(n).fill(given) : given;
  if (!Array.isArray(list) || list.length !== n || !list.every((x) => Number.isInteger(x) && x >= 0 && x <= most))
    throw new ArgumentError(`ctc: ${what} is ${show(given)}`, { help: `a whole number 0 … ${most} for each of the ${n} examples` });
  return tensor(list, [n], { dtype: "int32" });
}
