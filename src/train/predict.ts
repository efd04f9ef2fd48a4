import { ArgumentError, ShapeError } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { sameShape, showShape, sizeOf } from "../core/shape.ts";
import { pause } from "../core/yield.ts";
import type { Dataset, Labelled } from "../data/index.ts";
import { compile, Tensor, tensor } from "../index.ts";
import { inference } from "../nn/index.ts";
import { checkData, checkModel } from "./operands.ts";
import { Rows } from "./rows.ts";
import { inputShape, outputOf, PASS_OPTIONS, type PassOptions, placement, type Trainable, usualBatchSize } from "./score.ts";

/** What a model gives for a data set, and what it should have given, in the order of the examples. */
export interface Predictions {
  readonly output: Tensor;
  readonly target: Tensor;
}

/**
 * The outputs of a model in inference, in batches: for inputs [n, …] the outputs [n, …]; for a data set the outputs and the targets.
 *
 * @throws ArgumentError for no examples or unknown options
 * @example
 * const { output, target } = await predict(model, test);
 * await confusionMatrix(output, target).print();
 * const classes = (await predict(model, tensor([[5.1, 3.5, 1.4, 0.2]]))).argmax(-1);
 */
export function predict(model: Trainable, inputs: Tensor, options?: PassOptions): Promise<Tensor>;
export function predict(model: Trainable, data: Dataset<Labelled>, options?: PassOptions): Promise<Predictions>;
export async function predict(
  model: Trainable,
  data: Tensor | Dataset<Labelled>,
  options: PassOptions = {},
): Promise<Tensor | Predictions> {
  checkOptions("predict", options, PASS_OPTIONS);
  checkModel("predict", model);
  if (!(data instanceof Tensor)) checkData("predict", "the input", data);
  const inputs = data instanceof Tensor ? (data.shape as readonly number[]).slice(1) : inputShape(data);
  const { batchSize = usualBatchSize(inputs), signal } = options;
  if (!Number.isSafeInteger(batchSize) || batchSize < 1)
    throw new ArgumentError(`predict: a batch of ${batchSize}`, { help: "a whole number ≥ 1" });
  const size = data instanceof Tensor ? (data.shape[0] ?? 0) : data.size;
  if (size === 0) throw new ArgumentError("predict: there are no examples", { help: "inputs [n, …] with n ≥ 1, or a data set" });
  const forward = compile((x: Tensor) => outputOf(model, x, inference), placement(options));
  let [output, target]: (Rows | undefined)[] = [];
  for await (const { x, y } of data instanceof Tensor ? await parts(data, batchSize) : data.batches(batchSize)) {
    output = await appended(output, forward(x), size);
    if (y) target = await appended(target, y, size);
    await pause();
    signal?.throwIfAborted();
  }
  return target ? { output: output!.tensor(), target: target.tensor() } : output!.tensor();
}

async function appended(rows: Rows | undefined, x: Tensor, room: number): Promise<Rows> {
  const shape = (x.shape as number[]).slice(1);
  const all = rows ?? new Rows(shape, x.dtype, room);
  if (!sameShape(all.shape, shape))
    throw new ShapeError(`predict: outputs ${showShape(x.shape)} after [n, ${all.shape.join(", ")}]`, {
      why: "those of all examples become one tensor",
      help: "call model.forward(x, inference) batch by batch",
    });
  all.append(await x.data());
  return all;
}

/** Inputs in batches; copied, so that a batch's place is no part of a program. */
async function parts(inputs: Tensor, size: number): Promise<{ x: Tensor; y?: Tensor }[]> {
  const [count, ...shape] = inputs.shape as number[];
  if (count! <= size) return [{ x: inputs }];
  const [data, each] = [await inputs.data(), sizeOf(shape)];
  return Array.from({ length: Math.ceil(count! / size) }, (_, i) => {
    const rows = data.subarray(i * size * each, (i + 1) * size * each);
    return { x: tensor(rows, [rows.length / each, ...shape], { dtype: inputs.dtype }) };
  });
}
