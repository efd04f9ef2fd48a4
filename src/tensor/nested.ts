/** Between nested JavaScript arrays and flat typed ones. */
import { type DType, isFloat, isInteger, type TypedArray } from "../core/dtype.ts";
import { ArgumentError, DTypeError, ShapeError, show } from "../core/errors.ts";
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
      checkElement(node, dtype, `${who}: `, path);
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

const RANGE = { int32: [-(2 ** 31), 2 ** 31 - 1], uint32: [0, 2 ** 32 - 1], uint8: [0, 255] } as const;

function checkElement(x: unknown, dtype: DType, prefix: string, path: string): void {
  const where = path ? ` at ${path}` : "";
  if (typeof x === "boolean") return;
  if (typeof x !== "number")
    throw new DTypeError(`${prefix}${show(x)}${where} is not a number`, {
      help: typeof x === "bigint" ? "64-bit integers are not supported; Number(x) if it is small enough" : undefined,
    });
  if (dtype === "bool" && x !== 0 && x !== 1)
    throw new DTypeError(`${prefix}${x}${where} is not a bool`, { help: 'cast the tensor first, as in x.cast("float32")' });
  if (!isInteger(dtype)) return;
  const [low, high] = RANGE[dtype as keyof typeof RANGE];
  if (!Number.isInteger(x))
    throw new DTypeError(`${prefix}${x}${where} is not an integer, but the tensor is ${dtype}`, {
      why: "a lone number takes the tensor's dtype and never changes it",
      help: 'cast the tensor first, as in x.cast("float32")',
    });
  if (x < low || x > high)
    throw new ArgumentError(`${prefix}${x}${where} does not fit into ${dtype}`, { why: `it holds ${low} … ${high}` });
}

/** Rejects numbers the dtype cannot hold. */
export function checkElements(data: ArrayLike<unknown>, dtype: DType, who: string): void {
  if (isFloat(dtype) && ArrayBuffer.isView(data)) return;
  for (let i = 0; i < data.length; i++) checkElement(data[i], dtype, `${who}: `, data.length > 1 ? `[${i}]` : "");
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
