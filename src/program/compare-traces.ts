/** Two traces of one function compared: what differs was read from outside and would be frozen into the program. */
import { GraphError } from "../core/errors.ts";
import { bodiesOf } from "../graph/body.ts";
import { encode } from "../graph/key.ts";
import type { ConstantAttributes, NestedAttributes, Value, VariableAttributes } from "../graph/op.ts";
import { showAttributes } from "../graph/print.ts";
import { topological } from "../graph/walk.ts";

/** The error that names the first difference, by the user's line; undefined where there is none. */
export function differenceOf(a: readonly Value[], b: readonly Value[]): GraphError | undefined {
  const [first, second] = [topological(a), topological(b)];
  const [numberA, numberB] = [numbered(first), numbered(second)];
  for (let i = 0; i < Math.min(first.length, second.length); i++) {
    const [x, y] = [first[i]!, second[i]!];
    const [from, against] = [x.inputs.map((v) => numberA.get(v)), y.inputs.map((v) => numberB.get(v))];
    const what = difference(x, y) ?? (from.join() === against.join() ? undefined : "its inputs differ");
    if (what) return unstable(`${x.op.name}: ${what}`, x);
    for (const [n, body] of bodiesOf(x).entries()) {
      const inside = differenceOf(body.results, bodiesOf(y)[n]!.results);
      if (inside) return inside;
    }
  }
  if (first.length === second.length) return undefined;
  return unstable(`the graph has ${first.length} operations, then ${second.length}`, (first.at(second.length) ?? second.at(first.length))!);
}

const numbered = (order: readonly Value[]): Map<Value, number> => new Map(order.map((v, i) => [v, i]));

function difference(x: Value, y: Value): string | undefined {
  if (x.op !== y.op) return `then ${y.op.name}`;
  if (x.dtype !== y.dtype || x.shape.join() !== y.shape.join()) return `${x.dtype} [${x.shape}], then ${y.dtype} [${y.shape}]`;
  if (x.op.kind === "custom") return undefined;
  if (x.op.kind === "leaf") return leafDifference(x, y);
  const [p, q] = [x, y].map((v) => encode(withoutBodies(v)));
  return p === q ? undefined : `${showAttributes(x)}, then ${showAttributes(y)}`;
}

/** The attributes of a node but for its bodies, which are compared as graphs. */
const withoutBodies = (v: Value): unknown =>
  v.op.kind === "nested" ? { ...(v.attributes as NestedAttributes), bodies: undefined } : v.attributes;

function leafDifference(x: Value, y: Value): string | undefined {
  if (x.op.kind === "leaf" && x.op.source === "variable") {
    return (x.attributes as VariableAttributes).cell === (y.attributes as VariableAttributes).cell ? undefined : "another variable";
  }
  if (x.op.kind !== "leaf" || x.op.source !== "constant") return undefined;
  const [p, q] = [(x.attributes as ConstantAttributes).data, (y.attributes as ConstantAttributes).data];
  const at = p.findIndex((n, i) => !Object.is(n, q[i]));
  return at < 0 ? undefined : `the number ${p[at]}, then ${q[at]}`;
}

function unstable(what: string, at: Value): GraphError {
  return new GraphError(`compile: tracing twice gave two programs: ${what}`, {
    why: "the function read something that changes (a random number, a clock, a counter); compiled, it would keep the first value for ever",
    help: "pass it as an argument, draw it from a Generator, or keep it in a variable",
    site: at.site,
  });
}
