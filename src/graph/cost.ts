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
      const { axes, windows, result } = v.attributes as Form;
      const summed = axes.filter((a) => !a.in.includes(result)).reduce((n, a) => n * a.size, 1);
      // A window relation has three sides; two of them are free.
      const taps = windows.reduce((n, w) => n * (result === "y" ? w.w : result === "w" ? w.y : Math.ceil(w.w / w.stride)), 1);
      return 2 * sizeOf(v.shape) * summed * taps;
    }
    case "indexed":
      return v.op.mode === "scatterAdd" ? sizeOf(v.inputs[2]!.shape) : 0;
    default:
      return 0;
  }
}
