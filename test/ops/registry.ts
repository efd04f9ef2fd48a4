/** Every op by its name: what `src/ops` exports as `addOp`, `subOp` …. An op is there by being written. */
import type { Op } from "../../src/graph/op.ts";
import * as all from "../../src/ops/index.ts";

type NameOf<K> = K extends `${infer Name}Op` ? Name : never;
export type OpName = NameOf<keyof typeof all>;

export const ops = Object.fromEntries(
  Object.entries(all).flatMap(([name, value]) => (name.endsWith("Op") ? [[name.slice(0, -2), value as Op]] : [])),
) as Record<OpName, Op>;

/** Whether an op is a function of one or two floats, element by element. */
export function takesFloats(op: Op): boolean {
  const float = { shape: [1], dtype: "float64" } as const;
  const takes = (count: number): boolean => {
    try {
      op.infer(Array.from({ length: count }, () => float) as never, { dtype: "float32" } as never);
      return true;
    } catch {
      return false;
    }
  };
  return op.kind === "elementwise" && (takes(1) || takes(2));
}
