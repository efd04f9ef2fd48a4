/**
 * Back-propagation on numbers ("symbol-to-number"): Goodfellow, Bengio, Courville, *Deep Learning*, Algorithm 6.2. The other way,
 * symbol-to-symbol, is `transform/gradients.ts`; each is tested against the other.
 */

import { isFloat } from "../core/dtype.ts";
import { DTypeError, GraphError, InternalError, ShapeError } from "../core/errors.ts";
import { showShape, sizeOf } from "../core/shape.ts";
import { apply, type Leaf, type OpBase, type Type, type Value } from "../graph/op.ts";
import { descendants } from "../graph/walk.ts";
import { evaluate, evaluateAll, type Inputs, type Numbers } from "./evaluate.ts";

/**
 * ∂y/∂x for every x of `xs`, as numbers; zeros where y does not depend on it.
 *
 * 1. Forward: compute every node and keep its value.
 * 2. grad_table[y] ← 1.
 * 3. From the last node to the first: send each node's gradient to its inputs, through the local derivatives its op knows, and add up
 *    there what comes from all its consumers.
 */
export function backward(y: Value, xs: readonly Value[], inputs: Inputs = new Map()): Numbers[] {
  if (!isFloat(y.dtype)) throw new DTypeError(`backward: y is ${y.dtype}, not a float`);
  if (sizeOf(y.shape) !== 1)
    throw new ShapeError(`backward: y has shape ${showShape(y.shape)}, must be one number`, { help: "sum it first" });

  const forward = evaluateAll([y], inputs);
  const gradTable = new Map<Value, Numbers>([[y, Float64Array.of(1)]]);
  const reached = descendants(xs, [...forward.keys()]);

  for (const node of [...forward.keys()].reverse()) {
    const grad = gradTable.get(node);
    if (!grad || !reached.has(node)) continue;
    localGradients(node, grad, forward).forEach((contribution, i) => {
      const input = node.inputs[i]!;
      if (!contribution || !reached.has(input)) return;
      const sum = gradTable.get(input);
      gradTable.set(input, sum ? sum.map((g, k) => g + contribution[k]!) : contribution);
    });
  }
  return xs.map((x) => gradTable.get(x) ?? new Float64Array(sizeOf(x.shape)));
}

/** One node's vector-Jacobian products, as numbers: its rule is built over stand-ins for its inputs, its output and its gradient. */
function localGradients(node: Value, grad: Numbers, forward: ReadonlyMap<Value, Numbers>): (Numbers | undefined)[] {
  if (node.op.kind === "result")
    throw new GraphError(`backward: ${node.inputs[0]!.op.name} has bodies, and numbers are not sent through those`, {
      help: "gradients(y, xs) differentiates them",
      site: node.site,
    });
  const inputs = node.inputs.map(standIn);
  const out = standIn(node);
  const dy = standIn(node);
  const rules = (node.op as OpBase<readonly Value[], unknown>).vjp(dy, inputs, out, node.attributes);
  const given = new Map<Value, Numbers>([[dy, grad], [out, forward.get(node)!]]); // biome-ignore format: pairs
  inputs.forEach((x, i) => {
    given.set(x, forward.get(node.inputs[i]!)!);
  });
  const wanted = rules.filter((rule) => rule !== null);
  const values = evaluate(wanted, given);
  return rules.map((rule) => (rule === null ? undefined : values[wanted.indexOf(rule)]));
}

/** A leaf whose numbers are given. */
const standInOp: Leaf<Type> = {
  kind: "leaf",
  name: "argument",
  source: "argument",
  infer: (_, { shape, dtype }) => ({ shape, dtype }),
  vjp: () => [],
  batch() {
    throw new InternalError("argument: a leaf has no inputs that could be batched");
  },
};
const standIn = ({ shape, dtype }: Value): Value => apply(standInOp, [], { shape, dtype });
