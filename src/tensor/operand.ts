/** What stands beside a tensor, a number or nested arrays, as a value of the graph. */

import { describe } from "../core/describe.ts";
import { arrayOf, type DType, promote } from "../core/dtype.ts";
import { checkElements } from "../core/elements.ts";
import { DTypeError } from "../core/errors.ts";
import { MAX_RANK, sizeOf } from "../core/shape.ts";
import type { Value } from "../graph/op.ts";
import { constant, scalarConstant } from "../ops/index.ts";
import { Handle } from "./handle.ts";
import { shapeOfNested, writeNested } from "./nested.ts";
import { currentTrace } from "./trace.ts";

/** A JavaScript number in the graph. Outside a trace it can be another one next time without being another program. */
export function numberValue(value: number | boolean, dtype: DType, who: string): Value {
  checkElements([value], dtype, who);
  return scalarConstant(Number(value), dtype, currentTrace() ? {} : { lifted: true });
}

/** What numbers become where no tensor says it. */
export function defaultDType(x: unknown): DType {
  let first = x;
  // No deeper than tensors go: an array may contain itself.
  for (let depth = 0; depth <= MAX_RANK && Array.isArray(first); depth++) first = first[0];
  return typeof first === "boolean" ? "bool" : "float32";
}

/** The value of an operand; one that is no tensor takes this dtype. A lone number never promotes. */
export function operandValue(x: unknown, dtype: DType, who: string): Value {
  if (x instanceof Handle) return x.node();
  if (typeof x === "number" || typeof x === "boolean") return numberValue(x, dtype, who);
  if (Array.isArray(x)) {
    const shape = shapeOfNested(x, who);
    const data = arrayOf(dtype, x.length === 0 ? 0 : sizeOf(shape));
    writeNested(x, data, dtype, who);
    return constant(data, shape, dtype);
  }
  if (ArrayBuffer.isView(x) && !(x instanceof DataView)) {
    const elements = x as unknown as ArrayLike<number>;
    checkElements(elements, dtype, who);
    const data = arrayOf(dtype, elements.length);
    data.set(elements);
    return constant(data, [data.length], dtype);
  }
  throw new DTypeError(`${who}: ${describe(x)} is not a tensor`, { help: "give a tensor, a number or nested arrays of numbers" });
}

/** The values of two operands: what is no tensor takes the other's dtype. */
export function operandValues(a: unknown, b: unknown, who: string): [Value, Value] {
  const tensor = a instanceof Handle ? a : b instanceof Handle ? b : undefined;
  const dtype = tensor ? tensor.dtype : promote(defaultDType(a), defaultDType(b), who);
  return [operandValue(a, dtype, who), operandValue(b, dtype, who)];
}

/** The node of an operand that must be a tensor. */
export function nodeOf(x: unknown, who: string, help = "tensor(…) makes one"): Value {
  if (x instanceof Handle) return x.node();
  throw new DTypeError(`${who}: ${describe(x)} is not a tensor`, { help });
}
