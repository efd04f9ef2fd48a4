/** Scores of classifiers. Each is a metric, and `with` gives it other options: `f1.with({ average: "macro" })`. */
import { ArgumentError, show } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { oneHot, type Tensor, where } from "../index.ts";
import { checkLabelOptions, checkReading, LABEL_OPTIONS, type LabelOptions, type Reading, readLabels } from "./class-labels.ts";
import { type Metric, metric } from "./metric.ts";

/** A metric, and others of its kind. */
export type Adjustable<O> = Metric & { readonly better: "larger"; with(options: O): Metric };

/** NaN where labels are no classes: outside `fit` and `score`, which explain it, that is all there is to say. */
const orNaN = (value: Tensor, { strange, outside }: Readonly<Record<"strange" | "outside", Tensor>>): Tensor =>
  where(strange.add(outside).gt(0), Number.NaN, value);

/** `make(options)`, as a metric with `with`. */
function adjustable<O extends LabelOptions>(who: string, names: readonly string[], make: (options: O) => Metric): Adjustable<O> {
  const withOptions = (options: O): Metric => {
    checkOptions(who, options, names);
    checkLabelOptions(who, options);
    return make(options);
  };
  return Object.assign(make({} as O), { with: withOptions }) as Adjustable<O>;
}

/**
 * The share of right answers, Σ [predicted = true] / n.
 *
 * Outputs [..., classes], of which the largest is the class, or a single output [n] or [n, 1]: a logit, class 1 above 0, unless `from` or `threshold`
 * say otherwise. Labels of any dtype: classes [...] or [..., 1], or one-hot [..., classes]; 0 and 1 for a single output. With `labels: "many"` the
 * share of right yes or no.
 *
 * @throws ShapeError for other shapes; ArgumentError for outputs of sigmoid read as logits; from `fit` and `score`, for labels that are no classes
 * @example metrics: { accuracy }                                          // logits
 * @example metrics: { accuracy: accuracy.with({ from: "probabilities" }) } // a model that ends in sigmoid
 */
export const accuracy: Adjustable<LabelOptions> = adjustable("accuracy", LABEL_OPTIONS, (options) =>
  metric({
    better: "larger",
    sums: (output, target) => {
      const { predicted, actual, weight, strange, outside } = readLabels("accuracy", output, target, options);
      return { right: predicted.eq(actual).cast("float32").mul(weight).sum(), counted: weight.sum(), strange, outside };
    },
    value: ({ right, counted, ...rest }) => orNaN(right.div(counted), rest),
    check: ({ strange, outside }) => checkReading("accuracy", options, strange[0]!, outside[0]!),
  }),
);

export interface ClassScoreOptions extends LabelOptions {
  /**
   * With several classes: "macro", the mean over the classes that occur or are predicted; "weighted", that mean weighted by how often each occurs;
   * "micro", from the sums over all classes.
   */
  readonly average?: "macro" | "micro" | "weighted";
  /** Instead of an average, the score of this class. Default 1 where there are two classes. */
  readonly positive?: number;
  /** What 0/0 is: the precision of what is never predicted, the recall of what never occurs. Default NaN for one class, 0 in an average. */
  readonly empty?: number;
}
const CLASS_SCORE_OPTIONS = ["average", "positive", "empty"] as const satisfies readonly (keyof ClassScoreOptions)[];

/** How often each class was predicted rightly, predicted, and true: [classes]. */
type Counts = Readonly<Record<"hits" | "predicted" | "actual", Tensor>>;

/** With many labels each is a class of its own, counted apart: the last axis is that of the classes already. */
function countsOf(reading: Reading, many: boolean): Counts {
  const apart = many && reading.weight.shape.length > 1;
  const columns = (x: Tensor): Tensor => (apart ? x : x.reshape([...x.shape, 1]));
  const weight = columns(reading.weight);
  const indicator = (classes: Tensor): Tensor =>
    reading.classes > 1 ? oneHot(classes, reading.classes) : columns(classes.cast("float32"));
  const [predicted, actual] = [indicator(reading.predicted).mul(weight), indicator(reading.actual).mul(weight)];
  const axes = [...weight.shape.keys()].slice(0, -1);
  return { hits: predicted.mul(actual).sum(axes), predicted: predicted.sum(axes), actual: actual.sum(axes) };
}

/** A score that is a ratio of counts. */
function ratio(who: string, parts: (counts: Counts) => readonly [above: Tensor, below: Tensor]): Adjustable<ClassScoreOptions> {
  return adjustable(who, [...LABEL_OPTIONS, ...CLASS_SCORE_OPTIONS], (options: ClassScoreOptions) => {
    checkAverage(who, options);
    return metric({
      better: "larger",
      sums: (output, target) => {
        const reading = readLabels(who, output, target, options);
        return { ...countsOf(reading, options.labels === "many"), strange: reading.strange, outside: reading.outside };
      },
      value: ({ hits, predicted, actual, ...rest }) => orNaN(averaged(who, { hits, predicted, actual }, parts, options), rest),
      check: ({ strange, outside }) => checkReading(who, options, strange[0]!, outside[0]!),
    });
  });
}

function averaged(who: string, counts: Counts, parts: (counts: Counts) => readonly [Tensor, Tensor], options: ClassScoreOptions): Tensor {
  const { average, empty } = options;
  const orEmpty = (counted: Counts, otherwise: number): Tensor => {
    const [above, below] = parts(counted);
    return where(below.eq(0), empty ?? otherwise, above.div(where(below.eq(0), 1, below)));
  };
  if (average === undefined) {
    const one = positiveOf(who, counts.hits.shape[0]!, options);
    const pick = (x: Tensor): Tensor => x.at(one);
    return orEmpty({ hits: pick(counts.hits), predicted: pick(counts.predicted), actual: pick(counts.actual) }, Number.NaN);
  }
  if (average === "micro") return orEmpty({ hits: counts.hits.sum(), predicted: counts.predicted.sum(), actual: counts.actual.sum() }, 0);
  const present = counts.predicted.add(counts.actual).gt(0).cast(counts.hits.dtype);
  const weight = average === "weighted" ? counts.actual : present;
  // A class that does not count has no score to weigh: 0 · NaN would be NaN.
  const scores = where(weight.eq(0), 0, orEmpty(counts, 0));
  return scores.mul(weight).sum().div(weight.sum());
}

function positiveOf(who: string, classes: number, { positive, labels }: ClassScoreOptions): number {
  if (positive === undefined && classes > (labels === "many" ? 1 : 2))
    throw new ArgumentError(`${who}: there are ${classes} classes`, {
      why: `${who} is of one class, or a mean over all`,
      help: `${who}.with({ average: "macro" }), or "micro" or "weighted", or of one class: ${who}.with({ positive: 1 })`,
    });
  const chosen = positive ?? 1;
  if (classes === 1 && chosen === 1) return 0;
  if (Number.isInteger(chosen) && chosen >= 0 && chosen < classes) return chosen;
  throw new ArgumentError(`${who}: there is no class ${show(chosen)}`, {
    help: classes === 1 ? "the only one is 1" : `0 … ${classes - 1}`,
  });
}

function checkAverage(who: string, { average, positive, empty }: ClassScoreOptions): void {
  if (average !== undefined && !["macro", "micro", "weighted"].includes(average))
    throw new ArgumentError(`${who}: average is ${show(average)}`, { help: '"macro", "micro" or "weighted"' });
  if (average !== undefined && positive !== undefined)
    throw new ArgumentError(`${who}: both an average and the class ${show(positive)}`, { help: "leave one of the two out" });
  if (empty !== undefined && typeof empty !== "number")
    throw new ArgumentError(`${who}: empty is ${show(empty)}`, { help: "the number that 0/0 is: 0, 1 or NaN" });
}

/** Of what was predicted to be the class, the share that is: hits / predicted. Outputs and labels as for `accuracy`. */
export const precision: Adjustable<ClassScoreOptions> = ratio("precision", ({ hits, predicted }) => [hits, predicted]);

/** Of what is the class, the share that was found: hits / actual. Outputs and labels as for `accuracy`. */
export const recall: Adjustable<ClassScoreOptions> = ratio("recall", ({ hits, actual }) => [hits, actual]);

/**
 * The harmonic mean of precision and recall: 2 hits / (predicted + actual), so 0 where one of them is 0, and 0/0 only for a class that neither occurs
 * nor is predicted. Van Rijsbergen 1979. Outputs and labels as for `accuracy`.
 *
 * @example metrics: { f1: f1.with({ average: "macro" }) }
 */
export const f1: Adjustable<ClassScoreOptions> = ratio("f1", ({ hits, predicted, actual }) => [hits.mul(2), predicted.add(actual)]);

/**
 * How often the class of row i was taken for the class of column j: [classes, classes], float32. Outputs and labels as for `accuracy`; a single output
 * has the classes 0 and 1. With a label that is no class every count is NaN.
 *
 * @example
 * const { output, target } = await predict(model, test);
 * await confusionMatrix(output, target).print();
 */
export function confusionMatrix(output: Tensor, target: Tensor, options: LabelOptions = {}): Tensor {
  checkOptions("confusionMatrix", options, LABEL_OPTIONS);
  checkLabelOptions("confusionMatrix", options);
  if (options.labels === "many")
    throw new ArgumentError("confusionMatrix: many labels have no one matrix", {
      why: "an example may be of several classes, and taken for several",
      help: 'make one for each: confusionMatrix(output.at(":, 0"), target.at(":, 0"))',
    });
  const reading = readLabels("confusionMatrix", output, target, options);
  const classes = Math.max(2, reading.classes);
  const rows = oneHot(reading.actual.flatten(0), classes).mul(reading.weight.flatten(0).reshape([-1, 1]));
  return orNaN(rows.transpose().matmul(oneHot(reading.predicted.flatten(0), classes)), reading);
}
