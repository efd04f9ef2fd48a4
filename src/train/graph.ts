import { ArgumentError } from "../core/errors.ts";
import type { Dataset, Labelled } from "../data/index.ts";
import { type Tensor, toDot } from "../index.ts";
import { inference } from "../nn/index.ts";
import type { Loss } from "./metric.ts";
import { outputOf, type Trainable } from "./score.ts";

/** A batch of two examples: enough to see the graph. @throws ArgumentError for a data set that has to be waited for, and has no `example` */
export function exampleBatch(data: Dataset<Labelled>, size = 2): Labelled {
  const count = Math.min(size, data.size);
  if (data.example) return data.example(count);
  const batches = data.batches(count) as AsyncIterable<Labelled> & Partial<Iterable<Labelled>>;
  if (!batches[Symbol.iterator])
    throw new ArgumentError("the data set has no example", {
      why: "its batches have to be waited for, and the graph is drawn before any is read",
      help: "give it example(size): a batch of zeros of the shapes that batches have",
    });
  for (const batch of batches as Iterable<Labelled>) return batch;
  throw new RangeError("the data set is empty");
}

/** The graph of a model's loss for two examples, in DOT. */
export async function drawGraph(model: Trainable, loss: Loss, data: Dataset<Labelled>): Promise<string> {
  const { x, y } = exampleBatch(data);
  const value: Tensor = loss(outputOf(model, x, inference), y);
  return toDot({ loss: value }, { names: { x, y } });
}
