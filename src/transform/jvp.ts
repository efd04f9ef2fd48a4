import { withSite } from "../core/site.ts";
import type { Type, Value } from "../graph/op.ts";
import { argument, zerosLike } from "../ops/index.ts";
import { gradients, vjp } from "./gradients.ts";

/** A leaf that stands for a value to be filled in later, by substitution or batching: no program ever sees it. */
export function hole(type: Type): Value {
  return argument(-1, { shape: type.shape, dtype: type.dtype });
}

/**
 * J · t for each output: how the outputs move when the inputs move by `tangents`. Forward derivatives are made from two reverse ones:
 * u ↦ uᵀJ is linear in u, so its own vjp with t is J · t (the "double vjp"; u itself drops out).
 */
export function jvp(outputs: readonly Value[], inputs: readonly Value[], tangents: readonly Value[]): Value[] {
  return outputs.map((y) => {
    const u = withSite(y.site, () => zerosLike(y));
    const rows = vjp([y], [u], inputs);
    const reached = rows.flatMap((row, i) => (row ? [{ row, tangent: tangents[i]! }] : []));
    if (reached.length === 0) return zerosLike(y);
    const [moved] = vjp(
      reached.map((r) => r.row),
      reached.map((r) => r.tangent),
      [u],
    );
    return moved ?? zerosLike(y);
  });
}

/**
 * H · v for the Hessian H of a scalar y in all of `xs` together: the vjp of the gradient with v, which is vᵀH = H · v because H is symmetric
 * (reverse over reverse, at the price of about two gradients). Zeros where y does not depend on an x.
 */
export function hvp(y: Value, xs: readonly Value[], vs: readonly Value[]): Value[] {
  const reached = gradients(y, xs).flatMap((g, i) => (g ? [{ g, v: vs[i]! }] : []));
  const products = vjp(
    reached.map((r) => r.g),
    reached.map((r) => r.v),
    xs,
  );
  return xs.map((x, i) => products[i] ?? zerosLike(x));
}
