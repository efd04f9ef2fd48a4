/** Values over a new leading axis. */
import type { PerInput, Value } from "../graph/op.ts";
import { broadcastTo } from "./move.ts";

/** Every input with the new leading axis: those without it are repeated along it. */
export function batchAll<I extends readonly Value[]>(inputs: I, batched: PerInput<I, boolean>, size: number): I {
  return inputs.map((x, i) => ((batched as readonly boolean[])[i] ? x : repeat(x, size))) as readonly Value[] as I;
}

/** x repeated along a new leading axis: [2, 3] → [size, 2, 3]. */
export function repeat(x: Value, size: number): Value {
  return broadcastTo(
    x,
    [size, ...x.shape],
    x.shape.map((_, i) => i + 1),
  );
}
