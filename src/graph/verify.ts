/** Whether a graph is what the contract says; for tests, after every stage. */
import { isDType } from "../core/dtype.ts";
import { InternalError } from "../core/errors.ts";
import { checkShape, sameShape, showShape } from "../core/shape.ts";
import type { OpBase, Type, Value } from "./op.ts";
import { topological } from "./walk.ts";

/** Infers every node again. Errors: an InternalError that names the node. */
export function verifyGraph(outputs: readonly Value[]): void {
  const ids = new Map<number, Value>();
  for (const v of topological(outputs)) {
    const bad = (why: string): InternalError => new InternalError(`the graph is broken at ${v.op.name} ${v.id}`, { why, site: v.site });
    if (!Object.isFrozen(v)) throw bad("it is not frozen");
    // Ids grow with time, so a cycle would need an input that is younger than its user.
    for (const x of v.inputs) if (x.id >= v.id) throw bad(`its input ${x.op.name} ${x.id} is younger`);
    if (ids.has(v.id)) throw bad(`its id is that of another ${ids.get(v.id)!.op.name}`);
    ids.set(v.id, v);
    if (!isDType(v.dtype)) throw bad(`${String(v.dtype)} is not an element type`);
    checkShape(v.shape, v.op.name);
    const again: Type = (v.op as OpBase<readonly Value[], unknown>).infer(v.inputs, v.attributes);
    if (again.dtype !== v.dtype || !sameShape(again.shape, v.shape))
      throw bad(`it is ${v.dtype} ${showShape(v.shape)}, its rule says ${again.dtype} ${showShape(again.shape)}`);
  }
}
