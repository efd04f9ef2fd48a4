/** Looking into nodes that have bodies, and putting other bodies there. */
import { withSite } from "../core/site.ts";
import { apply, type Body, type Nested, type NestedAttributes, reapply, type Value } from "./op.ts";
import { topological } from "./walk.ts";

const NONE: readonly Body[] = [];

/** The bodies of a node; none of an ordinary one. */
export const bodiesOf = (v: Value): readonly Body[] => (v.op.kind === "nested" ? (v.attributes as NestedAttributes).bodies : NONE);

/** The same node with other bodies, of the same types. */
export function withBodies(v: Value, bodies: readonly Body[]): Value {
  if (bodies.every((body, i) => body === bodiesOf(v)[i])) return v;
  return withSite(v.site, () => apply(v.op as Nested, v.inputs, { ...(v.attributes as NestedAttributes), bodies }));
}

/** The outputs with each key of `replacements` replaced by what it maps to; what does not depend on a key is kept as it is. */
export function substitute(outputs: readonly Value[], replacements: ReadonlyMap<Value, Value>): Value[] {
  const done = new Map<Value, Value>(replacements);
  for (const v of topological(outputs, (v) => (replacements.has(v) ? [] : v.inputs)))
    if (!done.has(v))
      done.set(
        v,
        reapply(
          v,
          v.inputs.map((x) => done.get(x)!),
        ),
      );
  return outputs.map((y) => done.get(y)!);
}
