/** What ops with bodies have in common: closing a body over what it uses from outside, and reading results. */
import { DTypeError, ShapeError } from "../core/errors.ts";
import { sameShape, showShape } from "../core/shape.ts";
import { substitute } from "../graph/body.ts";
import {
  apply,
  type Body,
  type ConstantAttributes,
  type Nested,
  type NestedAttributes,
  type Result,
  type ResultAttributes,
  type Type,
  type Value,
} from "../graph/op.ts";
import { topological } from "../graph/walk.ts";
import { bound } from "./leaf.ts";

/** What the value of a nested op is: nothing by itself. */
export const TOKEN: Type = { shape: [0], dtype: "bool" };

/** Result number `index` of a nested op. */
export function result(token: Value, index: number): Value {
  const { shape, dtype } = (token.op as Nested).results(token.attributes as NestedAttributes)[index]!;
  return apply(resultOp, [token], { index, shape, dtype });
}
export const resultOp: Result = {
  kind: "result",
  name: "result",
  inType: ["shape", "dtype"],
  infer: (_, { shape, dtype }: ResultAttributes) => ({ shape, dtype }),
};

/** All results of a nested op. */
export const results = (token: Value): Value[] =>
  (token.op as Nested).results(token.attributes as NestedAttributes).map((_, index) => result(token, index));

/**
 * Bodies that stand on nothing outside. Values made before `since`, and leaves that are fed, are computed outside and handed in as further
 * parameters, the same for all bodies; constants are made inside. What a body makes itself stays in it, even if its parameters have no part in it:
 * a branch that is not taken, or a loop without turns, computes nothing.
 */
export function closed(since: number, open: readonly Body[]): { bodies: Body[]; captured: Value[] } {
  const own = new Set(open.flatMap(({ parameters }) => parameters));
  const isOuter = (v: Value): boolean => !own.has(v) && (v.id < since || isFed(v)) && !isConstant(v);
  const inner = topological(
    open.flatMap(({ results }) => results),
    (v) => (isOuter(v) ? [] : v.inputs),
  );
  const captured = inner.filter(isOuter);
  const bodies = open.map(({ parameters, results }) => {
    const stands = captured.map(bound);
    return { parameters: [...parameters, ...stands], results: substitute(results, new Map(captured.map((x, i) => [x, stands[i]!]))) };
  });
  return { bodies, captured };
}

const isFed = (v: Value): boolean =>
  v.op.kind === "leaf" && v.op.source !== "iota" && (v.op.source !== "constant" || (v.attributes as ConstantAttributes).lifted === true);

/** A constant, perhaps repeated. */
function isConstant(v: Value): boolean {
  while (v.op.kind === "move") v = v.inputs[0]!;
  return v.op.kind === "leaf" && !isFed(v);
}

/** A moment: what is made from now on is younger. */
export const now = (): number => bound(TOKEN).id;

/** Refuses what changes its type from one turn, or branch, to the other. */
export function checkSame(who: string, what: string, a: Type, b: Type): void {
  if (!sameShape(a.shape, b.shape)) throw new ShapeError(`${who}: ${what} is ${showShape(a.shape)}, then ${showShape(b.shape)}`);
  if (a.dtype !== b.dtype) throw new DTypeError(`${who}: ${what} is ${a.dtype}, then ${b.dtype}`, { help: "cast one of them" });
}

export const typeOf = ({ shape, dtype }: Type): Type => ({ shape, dtype });
