/** Parts of a tensor kept, and the rest replaced. */
import { ArgumentError, DTypeError, ShapeError, show } from "../core/errors.ts";
import { broadcastShapes, sameShape, showShape } from "../core/shape.ts";
import type { Value } from "../graph/op.ts";
import * as ops from "../ops/index.ts";
import { promoted, stretch } from "./elementwise.ts";

/** A diagonal between the corners of the matrices: beyond them there is nothing more to keep or to lose. */
function diagonalOf(who: string, { shape }: Value, diagonal: number): number {
  if (shape.length < 2)
    throw new ShapeError(`${who}: ${showShape(shape)} is no matrix`, { help: "its last two axes are rows and columns" });
  if (!Number.isSafeInteger(diagonal))
    throw new ArgumentError(`${who}: diagonal is ${show(diagonal)}`, { help: "a whole number: 0 is the main diagonal, 1 the one above" });
  return Math.max(-shape.at(-2)!, Math.min(shape.at(-1)!, diagonal));
}

/** The lower triangle: x[…, i, j] where j ≤ i + diagonal, else 0. */
export const tril = (x: Value, diagonal = 0): Value => ops.lowerTriangle(x, diagonalOf("tril", x, diagonal));
/** The upper triangle: x[…, i, j] where j ≥ i + diagonal, else 0. */
export const triu = (x: Value, diagonal = 0): Value => ops.upperTriangle(x, diagonalOf("triu", x, diagonal));

/** x where the mask is false, else the value, in the wider dtype. Mask and value broadcast to x. */
export function maskedFill(x: Value, mask: Value, value: Value): Value {
  if (mask.dtype !== "bool") throw new DTypeError(`maskedFill: the mask is ${mask.dtype}, not bool`, { help: "compare it, as in x.ne(0)" });
  for (const [name, { shape }] of [["mask", mask] as const, ["value", value] as const])
    if (!sameShape(broadcastShapes(shape, x.shape, "maskedFill"), x.shape))
      throw new ShapeError(`maskedFill: the ${name} is ${showShape(shape)}, the tensor ${showShape(x.shape)}`, {
        why: "they stretch to the tensor, not the other way",
      });
  const [fill, kept] = promoted([value, x], "maskedFill") as [Value, Value];
  return ops.select(stretch(mask, x.shape), stretch(fill, x.shape), kept);
}
