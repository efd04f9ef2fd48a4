import { sizeOf } from "../core/shape.ts";
import { withSite } from "../core/site.ts";
import type { Value } from "../graph/op.ts";
import { cast, eq, iota, reshape, zerosLike } from "../ops/index.ts";
import { batchGraph } from "./batch.ts";
import { gradients } from "./gradients.ts";
import { hole } from "./jvp.ts";

/**
 * J[i…, j…] = ∂y[i…]/∂x[j…] for each x: shape [...y.shape, ...x.shape]. One backward pass, batched over a seed that has one identity row
 * per element of y. Zeros where y does not depend on x.
 */
export function jacobian(y: Value, xs: readonly Value[]): Value[] {
  const seed = hole(y);
  const rows = gradients(y, xs, seed);
  return withSite(y.site, () => {
    const n = sizeOf(y.shape);
    const identity = identityRows(y);
    const batched = batchGraph(
      rows.map((row, i) => row ?? zerosLike(xs[i]!)),
      new Map([[seed, identity]]),
      n,
    );
    return batched.map((rows, i) => reshape(rows, [...y.shape, ...xs[i]!.shape]));
  });
}

/** ∂²y/∂x[i…]∂x[j…] of a scalar y: shape [...x.shape, ...x.shape], the Jacobian of the gradient. */
export function hessian(y: Value, x: Value): Value {
  const [gradient] = gradients(y, [x]);
  return jacobian(gradient ?? zerosLike(x), [x])[0]!;
}

/** [n, ...y.shape]: row i is 1 at the i-th element of y, else 0. */
function identityRows(y: Value): Value {
  const n = sizeOf(y.shape);
  const rows = eq(iota([n, n], 0, "int32"), iota([n, n], 1, "int32"));
  return reshape(cast(rows, y.dtype), [n, ...y.shape]);
}
