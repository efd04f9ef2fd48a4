/** Numbers as people read them. */
import type { DType } from "../core/dtype.ts";
import { isFloat } from "../core/dtype.ts";
import { type Shape, showShape, sizeOf } from "../core/shape.ts";
import type { Handle } from "./handle.ts";

/** Above this many elements only the ends of each axis are shown. */
const SUMMARY_ABOVE = 1000;
/** How many at each end. */
const EDGE = 3;

/** One number in at most six digits; whole floats keep a point. */
export function showNumber(x: number, dtype: DType): string {
  if (dtype === "bool") return x !== 0 ? "true" : "false";
  if (!isFloat(dtype) || !Number.isFinite(x)) return String(x);
  if (Number.isInteger(x) && Math.abs(x) < 1e6) return Object.is(x, -0) ? "-0." : `${x}.`;
  const short = Number(x.toPrecision(6));
  return Math.abs(short) >= 1e6 || Math.abs(short) < 1e-4 ? short.toExponential() : String(short);
}

/** Elements with their brackets, columns aligned, one row a line. */
export function showElements(data: ArrayLike<number>, shape: Shape, dtype: DType): string {
  const edge = sizeOf(shape) > SUMMARY_ABOVE ? EDGE : Number.POSITIVE_INFINITY;
  const texts = new Map<number, string>();
  const picks = (n: number): (number | "…")[] =>
    n <= 2 * edge
      ? Array.from({ length: n }, (_, i) => i)
      : [...Array.from({ length: edge }, (_, i) => i), "…", ...Array.from({ length: edge }, (_, i) => n - edge + i)];
  let width = 0;
  const collect = (depth: number, offset: number, size: number): void => {
    if (depth === shape.length) {
      const text = showNumber(data[offset]!, dtype);
      texts.set(offset, text);
      width = Math.max(width, text.length);
      return;
    }
    const step = shape[depth]! === 0 ? 0 : size / shape[depth]!;
    for (const i of picks(shape[depth]!)) if (i !== "…") collect(depth + 1, offset + i * step, step);
  };
  const write = (depth: number, offset: number, size: number): string => {
    if (depth === shape.length) return texts.get(offset)!.padStart(width);
    const step = shape[depth]! === 0 ? 0 : size / shape[depth]!;
    const parts = picks(shape[depth]!).map((i) => (i === "…" ? "…" : write(depth + 1, offset + i * step, step)));
    const inner = shape.length - depth - 1;
    return `[${parts.join(inner === 0 ? ", " : `,${"\n".repeat(inner)}${" ".repeat(depth + 1)}`)}]`;
  };
  collect(0, 0, sizeOf(shape));
  return write(0, 0, sizeOf(shape));
}

/** "W: float32 [2, 2]" and the elements beneath. */
export function showTensor(data: ArrayLike<number>, shape: Shape, dtype: DType, label?: string): string {
  return `${label ? `${label}: ` : ""}${dtype} ${showShape(shape)}\n${showElements(data, shape, dtype)}`;
}

/** Computes a tensor and writes it to the console, under a label and a name where it has them. */
export async function write(x: Handle, ...names: readonly (string | undefined)[]): Promise<void> {
  console.log(showTensor(await x.elements("print"), x.shape, x.dtype, names.filter(Boolean).join(" ")));
}
