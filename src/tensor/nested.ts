/** Between nested JavaScript arrays and flat typed ones. */
import type { DType, TypedArray } from "../core/dtype.ts";
import { isElement, notAnElement } from "../core/elements.ts";
import { ShapeError } from "../core/errors.ts";
import { MAX_RANK, type Shape, sizeOf } from "../core/shape.ts";

/** The shape of nested arrays, by their first elements: `writeNested` checks the others. */
export function shapeOfNested(x: unknown, who: string): number[] {
  const shape: number[] = [];
  for (let level = x; Array.isArray(level); level = level[0]) {
    if (shape.push(level.length) > MAX_RANK) throw new ShapeError(`${who}: arrays nested deeper than ${MAX_RANK}`);
    if (level.length === 0) break;
  }
  return shape;
}

/** Writes nested numbers or booleans in row-major order. Errors: rows that differ in length, what is no number, what the dtype cannot hold. */
export function writeNested(x: unknown, data: TypedArray, dtype: DType, who: string): void {
  const shape = shapeOfNested(x, who);
  let next = 0;
  const visit = (node: unknown, depth: number, path: string): void => {
    if (depth === shape.length) {
      if (!isElement(node, dtype)) throw notAnElement(node, dtype, who, path ? ` at ${path}` : "");
      data[next++] = Number(node);
      return;
    }
    if (!Array.isArray(node) || node.length !== shape[depth])
      throw new ShapeError(`${who}: the rows have different lengths`, {
        why: `${path || "it"} has ${Array.isArray(node) ? `length ${node.length}` : "no rows"}, others have ${shape[depth]}`,
        help: "fill the short rows up, with 0 for instance",
      });
    for (let i = 0; i < node.length; i++) visit(node[i], depth + 1, `${path}[${i}]`);
  };
  visit(x, 0, "");
}

/** Flat elements as nested arrays, a number for shape []; bool as booleans. */
export function nest(data: ArrayLike<number>, shape: Shape, dtype: DType): unknown {
  const element = dtype === "bool" ? (i: number) => data[i] !== 0 : (i: number) => data[i]!;
  const visit = (depth: number, offset: number, size: number): unknown => {
    if (depth === shape.length) return element(offset);
    const count = shape[depth]!;
    const step = count === 0 ? 0 : size / count;
    return Array.from({ length: count }, (_, i) => visit(depth + 1, offset + i * step, step));
  };
  return visit(0, 0, sizeOf(shape));
}
