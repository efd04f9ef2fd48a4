/** What can be known before anything runs. */
import { arrayOf } from "../core/dtype.ts";
import { MatrixError, OutOfRangeError } from "../core/errors.ts";
import { sizeOf } from "../core/shape.ts";
import type { Value } from "../graph/op.ts";
import { evaluate } from "../interpret/evaluate.ts";
import { broadcastOp, constant } from "../ops/index.ts";
import { constantData } from "./match.ts";
import type { Rule } from "./rewrite.ts";

/** Most elements a folded constant, or what it is made of, may have. */
const MOST_FOLDED = 64;

export const constants: readonly Rule[] = [
  {
    name: "fold",
    doc: "f(1, 2) → the number it gives, for small constants; a broadcast stays one",
    apply(v) {
      if (v.inputs.length === 0 || v.op.kind === "custom" || v.op.kind === "nested" || sizeOf(v.shape) > MOST_FOLDED) return null;
      return v.op !== broadcastOp && v.inputs.every(isSmallConstant) ? fold(v) : null;
    },
  },
];

function isSmallConstant(x: Value): boolean {
  const data = constantData(x);
  return data !== null && data.length <= MOST_FOLDED;
}

/** An index outside its axis and a matrix without a pivot are reported when the program runs, as all others are. */
function fold(v: Value): Value | null {
  try {
    const [numbers] = evaluate([v], new Map(), { round: true });
    const data = arrayOf(v.dtype, numbers!.length);
    data.set(numbers!);
    return constant(data, v.shape, v.dtype);
  } catch (error) {
    if (error instanceof OutOfRangeError || error instanceof MatrixError) return null;
    throw error;
  }
}
