/** One reading of outputs and labels, whatever their form: what was decided, and what is true. */
import { isFloat } from "../core/dtype.ts";
import { ArgumentError, ShapeError, show } from "../core/errors.ts";
import { checkAxis, type Shape, sameShape, showShape } from "../core/shape.ts";
import { full, type Tensor, tensor, where } from "../index.ts";
import { checkPair } from "./metric.ts";

/** How outputs and labels are read. */
export interface LabelOptions {
  /**
   * What a single output per example is: "logits", class 1 above 0, or "probabilities", class 1 above 0.5. Default "logits"; where the model ends
   * in sigmoid it has to be said. Of several outputs the largest decides in either case.
   */
  readonly from?: "logits" | "probabilities";
  /** A single output above this is class 1, instead of 0 or 0.5. */
  readonly threshold?: number;
  /** "many": each output is a yes or no of its own, and targets have the outputs' shape. Default "one": the classes exclude each other. */
  readonly labels?: "one" | "many";
  /** The class that marks examples to be left out, as in `crossEntropy`. */
  readonly ignoreIndex?: number;
  /** The axis of the classes. Default the last. */
  readonly axis?: number;
}
export const LABEL_OPTIONS = ["from", "threshold", "labels", "ignoreIndex", "axis"] as const satisfies readonly (keyof LabelOptions)[];

/** Decisions [...] and labels [...], as class numbers; `classes` is 1 for a yes or no. Each is one example, or one of its yes or no. */
export interface Reading {
  readonly classes: number;
  /** int32; of yes or no 0 and 1. */
  readonly predicted: Tensor;
  readonly actual: Tensor;
  /** 1 where the example counts, 0 where it is left out, NaN where the model gave NaN: [...], float32. */
  readonly weight: Tensor;
  /** How many labels are no classes. */
  readonly strange: Tensor;
  /** How many outputs are no probabilities although they should be. */
  readonly outside: Tensor;
}

/** @throws ArgumentError for values outside what the options mean */
export function checkLabelOptions(who: string, { from, threshold, labels, ignoreIndex }: LabelOptions): void {
  if (from !== undefined && from !== "logits" && from !== "probabilities")
    throw new ArgumentError(`${who}: from is ${show(from)}`, { help: '"logits" or "probabilities"' });
  if (threshold !== undefined && !Number.isFinite(threshold))
    throw new ArgumentError(`${who}: threshold is ${show(threshold)}`, {
      help: "a number, in the units of the outputs: 0.5 for probabilities",
    });
  if (labels !== undefined && labels !== "one" && labels !== "many")
    throw new ArgumentError(`${who}: labels is ${show(labels)}`, { help: '"one" or "many"' });
  if (ignoreIndex !== undefined && !Number.isInteger(ignoreIndex))
    throw new ArgumentError(`${who}: ignoreIndex is ${show(ignoreIndex)}`, { help: "a whole number, such as -1" });
}

/**
 * Reads labels in every form the losses accept: a single output [n] or [n, 1] with labels of either shape and any dtype; outputs [..., classes] with
 * classes [...] or [..., 1], or with one-hot or soft labels [..., classes].
 *
 * @throws DTypeError for what is no tensor; ShapeError for other shapes; ArgumentError for outputs of sigmoid that are read as logits
 */
export function readLabels(who: string, output: Tensor, target: Tensor, options: LabelOptions): Reading {
  checkPair(who, output, target);
  if (output.shape.length === 0) throw unlike(who, output, target, "there is one output for each example");
  if (options.labels === "many") return yesOrNo(who, output, target, options);
  if (output.shape.length === 1 || output.shape.at(-1) === 1) {
    const single = output.shape.length > 1 && output.shape.at(-1) === 1 ? output.squeeze(-1) : output;
    const labels = target.shape.length === single.shape.length + 1 && target.shape.at(-1) === 1 ? target.squeeze(-1) : target;
    return yesOrNo(who, single, labels, options);
  }
  return oneOfMany(who, output, target, options);
}

function yesOrNo(who: string, output: Tensor, target: Tensor, { from, threshold, ignoreIndex }: LabelOptions): Reading {
  if (!sameShape(output.shape, target.shape)) throw unlike(who, output, target, "each output needs its own label, 0 or 1");
  if (from === undefined && threshold === undefined && isSigmoid(output))
    throw new ArgumentError(`${who}: the outputs are probabilities, of sigmoid, and would be read as logits`, {
      why: "a logit above 0 is class 1, and every probability is above 0",
      help: `${who}.with({ from: "probabilities" }), or leave sigmoid out of the model and train it with bceWithLogits`,
    });
  const labels = target.cast("float32");
  const kept = ignoreIndex === undefined ? undefined : labels.ne(ignoreIndex);
  // Soft labels are labels: 0.9 is class 1. What lies outside 0 … 1 is none.
  const within = labels.ge(0).logicalAnd(labels.le(1));
  const strange = kept ? kept.logicalAnd(within.logicalNot()) : within.logicalNot();
  return {
    classes: 1,
    predicted: output.gt(threshold ?? (from === "probabilities" ? 0.5 : 0)).cast("int32"),
    actual: labels.gt(0.5).cast("int32"),
    weight: weightOf(output.shape, isFloat(output.dtype) ? output.isNaN() : undefined, kept),
    strange: count(strange),
    outside: from === "probabilities" ? count(output.lt(0).logicalOr(output.gt(1))) : full([], 0),
  };
}

function oneOfMany(who: string, given: Tensor, labels: Tensor, { threshold, ignoreIndex, axis = -1 }: LabelOptions): Reading {
  if (threshold !== undefined)
    throw new ArgumentError(`${who}: a threshold means nothing for outputs ${showShape(given.shape)}`, {
      why: "the largest output is the class",
      help: 'leave it out, or say labels: "many" if each output is a yes or no of its own',
    });
  const output = classesLast(who, given, axis);
  const classes = output.shape.at(-1)!;
  const predicted = output.argmax(-1);
  const unknown = isFloat(output.dtype) ? output.isNaN().any(-1) : undefined;
  const weight = (kept?: Tensor): Tensor => weightOf(predicted.shape, unknown, kept);
  if (sameShape(labels.shape, given.shape)) {
    const shares = classesLast(who, labels.cast("float32"), axis);
    const largest = shares
      .eq(shares.max(-1, { keepDims: true }))
      .cast("float32")
      .sum(-1);
    return { classes, predicted, actual: shares.argmax(-1), weight: weight(), strange: count(largest.ne(1)), outside: full([], 0) };
  }
  const narrow = labels.shape.length === predicted.shape.length + 1 && labels.shape.at(-1) === 1 ? labels.squeeze(-1) : labels;
  const flat = isFloat(narrow.dtype) ? narrow : narrow.cast("int32");
  if (!sameShape(flat.shape, predicted.shape))
    throw unlike(who, given, labels, `labels are classes ${showShape(predicted.shape)}, or one-hot ${showShape(given.shape)}`);
  const kept = ignoreIndex === undefined ? undefined : flat.ne(ignoreIndex);
  const whole = flat.cast("int32");
  const known = whole.ge(0).logicalAnd(whole.lt(classes)).logicalAnd(whole.cast(flat.dtype).eq(flat));
  const counted = kept ? kept.logicalAnd(known) : known;
  return {
    classes,
    predicted,
    // Those that do not count read class 0, which exists.
    actual: where(counted, whole, 0).cast("int32"),
    weight: weight(kept),
    strange: count(kept ? kept.logicalAnd(known.logicalNot()) : known.logicalNot()),
    outside: full([], 0),
  };
}

/** 1 or 0, and NaN where an output is: a model that gives NaN has no score. Infinite outputs are outputs. */
function weightOf(shape: Shape, unknown: Tensor | undefined, kept: Tensor | undefined): Tensor {
  const ones: Tensor = kept ? kept.cast("float32") : full(shape, 1);
  return unknown ? where(unknown, Number.NaN, ones) : ones;
}

const count = (flags: Tensor): Tensor => flags.cast("float32").sum();

function classesLast(who: string, x: Tensor, axis: number): Tensor {
  const at = checkAxis(axis, x.shape.length, who);
  if (at === x.shape.length - 1) return x;
  return x.permute([...x.shape.keys()].filter((i) => i !== at).concat(at));
}

const unlike = (who: string, output: Tensor, target: Tensor, why: string): ShapeError =>
  new ShapeError(`${who}: the outputs are ${showShape(output.shape)}, the labels ${showShape(target.shape)}`, {
    why,
    help: "check the batch, or set the axis option",
  });

/** Whether it is what sigmoid gave, reshaped, cast or cut off. Of a tensor that was read already only the numbers are known. */
function isSigmoid(output: Tensor): boolean {
  const zero = tensor(0);
  const opOf = (x: Tensor): Op => x.node().op;
  const [sigmoid, cast] = [opOf(zero.sigmoid()), opOf(zero.cast("float64"))];
  const bounds = [opOf(zero.maximum(1)), opOf(zero.minimum(1))];
  const holds = (value: Value): boolean => {
    if (value.op === sigmoid) return true;
    if (bounds.includes(value.op)) return value.inputs.some(holds);
    return (value.op.kind === "move" || value.op.kind === "custom" || value.op === cast) && holds(value.inputs[0]!);
  };
  return holds(output.node());
}
type Value = ReturnType<Tensor["node"]>;
type Op = Value["op"];

const NO_CLASS = {
  one: "labels are 0 … classes − 1, or 0 and 1 for a single output",
  many: "each label is 0 or 1",
};

/** The errors that only the numbers can show. */
export function checkReading(who: string, options: LabelOptions, strange: number, outside: number): void {
  if (strange > 0)
    throw new ArgumentError(`${who}: ${strange} labels are no classes`, {
      why: NO_CLASS[options.labels ?? "one"],
      help:
        options.labels === "many" || options.ignoreIndex !== undefined
          ? "count classes from 0"
          : `count classes from 0; leave out examples with ${who}.with({ ignoreIndex: -1 }); where several classes may be true, ${who}.with({ labels: "many" })`,
    });
  if (outside > 0)
    throw new ArgumentError(`${who}: ${outside} outputs are no probabilities`, {
      why: 'from: "probabilities" says that they lie between 0 and 1',
      help: `${who}.with({ from: "logits" })`,
    });
}
