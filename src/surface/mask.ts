/** Parts of a tensor kept, and the rest replaced. */
import { ArgumentError, DTypeError, ShapeError, show } from "../core/errors.ts";
import { broadcastShapes, sameShape, showShape } from "../core/shape.ts";
import type { Value } from "../graph/op.ts";
import * as ops from "../ops/index.ts";
import { promoted, stretch } from "./elementwise.ts";

/** x[…, i, j] where column j and i + diagonal compare as they should, else 0. */
function triangle(who: string, x: Value, diagonal: number, keeps: (column: Value, diagonal: Value) => Value): Value {
  if (x.shape.length < 2)
    throw new ShapeError(`${who}: ${showShape(x.shape)} is no matrix`, { help: "its last two axes are rows and columns" });
  if (!Number.isSafeInteger(diagonal))
    throw new ArgumentError(`${who}: diagonal is ${show(diagonal)}`, { help: "a whole number: 0 is the main diagonal, 1 the one above" });
  const [rows, columns] = x.shape.slice(-2) as [number, number];
  // Beyond the corners there is nothing more to keep or to lose.
  const shift = Math.max(-rows, Math.min(columns, diagonal));
  const row = ops.iota([rows, columns], 0);
  const kept = keeps(ops.iota([rows, columns], 1), ops.add(row, ops.scalarLike(row, shift)));
  return ops.select(ops.broadcastTo(kept, x.shape), x, ops.zerosLike(x));
}

/** The lower triangle: x[…, i, j] where j ≤ i + diagonal, else 0. */
export const tril = (x: Value, diagonal = 0): Value => triangle("tril", x, diagonal, ops.le);
/** The upper triangle: x[…, i, j] where j ≥ i + diagonal, else 0. */
export const triu = (x: Value, diagonal = 0): Value => triangle("triu", x, diagonal, ops.ge);

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
