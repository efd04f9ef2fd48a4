/** Graphs over a new leading axis, node by node, by what each op says. */
import { InternalError, ShapeError } from "../core/errors.ts";
import { sameShape, showShape } from "../core/shape.ts";
import { withSite } from "../core/site.ts";
import type { Nested, NestedAttributes, OpBase, ResultAttributes, Value } from "../graph/op.ts";
import { topological } from "../graph/walk.ts";
import { batchAll, repeat } from "../ops/index.ts";

/**
 * The outputs over a new leading axis of `size`: each key of `inputs` is replaced by a value that has that axis as axis 0, and so have all
 * results. What does not depend on a key is computed once and repeated at the end.
 *
 * @throws ShapeError if a replacement is not its key's shape after axis 0.
 */
export function batchGraph(outputs: readonly Value[], inputs: ReadonlyMap<Value, Value>, size: number): Value[] {
  for (const [x, batched] of inputs) checkReplacement(x, batched, size);
  const done = new Map<Value, Value>(inputs);
  const results = new Map<Value, readonly Value[]>();
  for (const v of topological(outputs)) {
    if (done.has(v) || !v.inputs.some((x) => done.has(x) || results.has(x))) continue;
    if (v.op.kind === "nested") results.set(v, batchNested(v, v.op, done, size));
    else if (v.op.kind === "result") done.set(v, results.get(v.inputs[0]!)![(v.attributes as ResultAttributes).index]!);
    else done.set(v, batchValue(v, done, size));
  }
  return outputs.map((y) => done.get(y) ?? withSite(y.site, () => repeat(y, size)));
}

function batchValue(v: Value, done: ReadonlyMap<Value, Value>, size: number): Value {
  const op = v.op as OpBase<readonly Value[], unknown>;
  const batched = v.inputs.map((x) => done.has(x));
  const inputs = v.inputs.map((x) => done.get(x) ?? x);
  const result = withSite(v.site, () => {
    const ready = v.op.kind === "elementwise" ? batchAll(inputs, batched, size) : inputs;
    return op.batch(ready, batched, v.attributes, size, batchGraph);
  });
  if (!sameShape(result.shape, [size, ...v.shape]) || result.dtype !== v.dtype)
    throw new InternalError(`vmap: ${op.name} batched to ${showShape(result.shape)}, not ${showShape([size, ...v.shape])}`, {
      site: v.site,
    });
  return result;
}

function batchNested(v: Value, op: Nested, done: ReadonlyMap<Value, Value>, size: number): readonly Value[] {
  const batched = v.inputs.map((x) => done.has(x));
  const inputs = v.inputs.map((x) => done.get(x) ?? x);
  const results = withSite(v.site, () => op.batch(inputs, batched, v, size, batchGraph));
  op.results(v.attributes as NestedAttributes).forEach((type, i) => {
    if (!sameShape(results[i]!.shape, [size, ...type.shape]))
      throw new InternalError(
        `vmap: result ${i} of ${op.name} is ${showShape(results[i]!.shape)}, not ${showShape([size, ...type.shape])}`,
      );
  });
  return results;
}

function checkReplacement(x: Value, batched: Value, size: number): void {
  if (sameShape(batched.shape, [size, ...x.shape]) && batched.dtype === x.dtype) return;
  throw new ShapeError(`vmap: ${batched.dtype} ${showShape(batched.shape)} for an input of ${x.dtype} ${showShape(x.shape)}`, {
    why: `the mapped axis of ${size} comes first`,
    site: x.site,
  });
}
