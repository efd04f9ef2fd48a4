import type { Dataset, Labelled } from "../data/index.ts";
import { type Tensor, toDot } from "../index.ts";
import { inference } from "../nn/index.ts";
import type { Loss } from "./metric.ts";
import { outputOf, type Trainable } from "./score.ts";

/** A batch of two examples: enough to see the graph. */
export function exampleBatch(data: Dataset<Labelled>, size = 2): Labelled {
  for (const batch of data.batches(Math.min(size, data.size))) return batch;
  throw new RangeError("the data set is empty");
}

/** The graph of a model's loss for two examples, in DOT. */
export async function drawGraph(model: Trainable, loss: Loss, data: Dataset<Labelled>): Promise<string> {
  const { x, y } = exampleBatch(data);
  const value: Tensor = loss(outputOf(model, x, inference), y);
  return toDot({ loss: value }, { names: { x, y } });
}
