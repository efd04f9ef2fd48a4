/** From scalar functions to basic operations. */
import { DTypeError } from "../../core/errors.ts";
import { type Expr, rewrite } from "../expr.ts";
import { shared } from "../share.ts";

function expandOne(e: Expr): Expr {
  if (e.op !== "call") return e;
  const { name, types, expand } = e.callee;
  if (!types.includes(e.dtype))
    throw new DTypeError(`${name} does not exist for ${e.dtype}`, {
      why: `it is defined for ${types.join(", ")}`,
      help: `cast the operand first, as in x.cast("${types[0]}")`,
    });
  return expand(e.args);
}

/** The same values from basic operations only. Equal subexpressions of all roots are one node afterwards. */
export function expand(roots: readonly Expr[]): Expr[] {
  return shared(rewrite(roots, expandOne));
}
