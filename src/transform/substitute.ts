import { reapply, type Value } from "../graph/op.ts";
import { topological } from "../graph/walk.ts";

/** The outputs with each value that is a key of `replacements` replaced by what it maps to; what does not depend on a key is kept as it is. */
export function substitute(outputs: readonly Value[], replacements: ReadonlyMap<Value, Value>): Value[] {
  const done = new Map<Value, Value>(replacements);
  for (const v of topological(outputs)) {
    if (done.has(v)) continue;
    const inputs = v.inputs.map((x) => done.get(x)!);
    done.set(v, reapply(v, inputs));
  }
  return outputs.map((y) => done.get(y)!);
}
