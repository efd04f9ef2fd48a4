/** What a graph costs: floating point operations, and bytes of its values. */
import { bytesOf } from "../core/dtype.ts";
import { sizeOf } from "../core/shape.ts";
import { bodiesOf } from "./body.ts";
import type { Form, NestedAttributes, Value } from "./op.ts";
import { topological } from "./walk.ts";

export interface Cost {
  /** A multiplication and an addition count as two. Moves cost nothing; a transcendental function counts as one. */
  readonly flops: number;
  /** Bytes of all values if none shared memory. */
  readonly bytes: number;
}

/** The cost of computing these values, each node once. */
export function costOf(outputs: readonly Value[]): Cost {
  let flops = 0;
  let bytes = 0;
  for (const v of topological(outputs)) {
    flops += flopsOf(v) + flopsInside(v);
    if (v.op.kind !== "move" && v.op.kind !== "leaf") bytes += sizeOf(v.shape) * bytesOf(v.dtype);
  }
  return { flops, bytes };
}

/** What bodies cost, as often as they run; what is read from them counts as values do. */
function flopsInside(v: Value): number {
  const { op, attributes } = v;
  if (op.kind !== "nested") return 0;
  return bodiesOf(v).reduce((n, body, i) => n + op.times(attributes as NestedAttributes, i) * costOf(body.results).flops, 0);
}

function flopsOf(v: Value): number {
  switch (v.op.kind) {
    case "elementwise":
      return sizeOf(v.shape);
    case "reduce":
    case "serial":
      return sizeOf(v.inputs[0]!.shape);
    case "contract": {
      const { axes, windows } = v.attributes as Form;
      // A window relation has three sides, two of which are free: whichever is wanted, there is a product for each element of y under each of w.
      return 2 * axes.reduce((n, { size }) => n * size, 1) * windows.reduce((n, { w, y }) => n * w * y, 1);
    }
    case "indexed":
      return v.op.mode === "scatterAdd" ? sizeOf(v.inputs[2]!.shape) : 0;
    default:
      return 0;
  }
}
