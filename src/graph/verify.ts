/** Whether a graph is what the contract says; for tests, after every stage. */
import { isDType } from "../core/dtype.ts";
import { InternalError } from "../core/errors.ts";
import { checkShape, sameShape, showShape } from "../core/shape.ts";
import { bodiesOf } from "./body.ts";
import type { Body, OpRules, Type, Value } from "./op.ts";
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
    const again: Type = (v.op as OpRules<readonly Value[], unknown>).infer(v.inputs, v.attributes);
    if (again.dtype !== v.dtype || !sameShape(again.shape, v.shape))
      throw bad(`it is ${v.dtype} ${showShape(v.shape)}, its rule says ${again.dtype} ${showShape(again.shape)}`);
    for (const body of bodiesOf(v)) verifyBody(body, bad);
  }
}

/** A body is a graph of its own that ends in its parameters, in constants and positions. */
function verifyBody({ parameters, results }: Body, bad: (why: string) => InternalError): void {
  verifyGraph([...parameters, ...results]);
  const known = new Set(parameters);
  if (known.size < parameters.length) throw bad("a body has the same parameter twice");
  for (const v of topological([...parameters, ...results])) {
    if (v.op.kind !== "leaf" || v.op.source === "constant" || v.op.source === "iota" || known.has(v)) continue;
    throw bad(`its body stands on ${v.op.name} ${v.id}, which is not handed to it`);
  }
}
