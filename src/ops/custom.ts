/** Values with a gradient of their own. */

import { DTypeError, ShapeError } from "../core/errors.ts";
import { sameShape, showShape } from "../core/shape.ts";
import { apply, type BatchGraph, type Custom, type Type, type Value } from "../graph/op.ts";
import { repeat } from "./batch.ts";
import { argument } from "./leaf.ts";
import { sum } from "./reduce.ts";

/** Gradients of `xs` from the gradient and the value of y; null where none flows. */
export type Backward = (dy: Value, y: Value, ...xs: Value[]) => readonly (Value | null)[];

export interface CustomAttributes {
  readonly backward: Backward;
}

/** y, whose gradient with respect to xs is what `backward` says; none flows through y itself. */
export function custom(y: Value, xs: readonly Value[], backward: Backward): Value {
  return apply(customOp, [y, ...xs], { backward });
}
export const customOp: Custom<CustomAttributes> = {
  kind: "custom",
  name: "custom",
  infer: ([y]) => ({ shape: y!.shape, dtype: y!.dtype }),
  vjp: (dy, [_, ...xs], out, { backward }) => [null, ...checked(backward(dy, out, ...xs), xs)],
  batch(inputs, batched, { backward }, size, batchGraph) {
    const [y, ...xs] = inputs.map((x, i) => (batched[i] || i > 0 ? x : repeat(x, size)));
    return custom(y!, xs, batchBackward(backward, batched.slice(1), size, batchGraph));
  },
};

function checked(gradients: readonly (Value | null)[], xs: readonly Value[]): readonly (Value | null)[] {
  if (gradients.length !== xs.length) throw new ShapeError(`customGradient: ${gradients.length} gradients for ${xs.length} inputs`);
  gradients.forEach((g, i) => {
    const x = xs[i]!;
    if (g && !sameShape(g.shape, x.shape))
      throw new ShapeError(`customGradient: gradient ${i} is ${showShape(g.shape)}, its input ${showShape(x.shape)}`);
    if (g && g.dtype !== x.dtype) throw new DTypeError(`customGradient: gradient ${i} is ${g.dtype}, its input ${x.dtype}`);
  });
  return gradients;
}

/** The backward of one example as the backward of all: built once over stand-ins, then batched node by node. */
function batchBackward(backward: Backward, batched: readonly boolean[], size: number, batchGraph: BatchGraph): Backward {
  return (dy, y, ...xs) => {
    const one = (v: Value): Type => ({ shape: v.shape.slice(1), dtype: v.dtype });
    const standIns = [argument(0, one(dy)), argument(1, one(y)), ...xs.map((x, i) => (batched[i] ? argument(i + 2, one(x)) : x))];
    const gradients = checked(backward(standIns[0]!, standIns[1]!, ...standIns.slice(2)), standIns.slice(2));
    const known = new Map([dy, y, ...xs].map((v, i) => [standIns[i]!, v] as const).filter(([from, to]) => from !== to));
    const flowing = gradients.filter((g) => g !== null);
    const all = batchGraph(flowing, known, size);
    const ofAll = new Map(flowing.map((g, i) => [g, all[i]!]));
    return gradients.map((g, i) => g && (batched[i] ? ofAll.get(g)! : sum(ofAll.get(g)!, [0])));
  };
}

/** x as a constant: no gradient flows to it. */
export function stopGradient(x: Value): Value {
  return custom(x, [], () => []);
}
