/** Which numbers are elements of a type: the one rule for everything that comes in from JavaScript or from a file. */
import type { DType } from "./dtype.ts";
import { ArgumentError, DTypeError, type GradusError, show } from "./errors.ts";

const INTEGERS = { int32: [-(2 ** 31), 2 ** 31 - 1], uint32: [0, 2 ** 32 - 1], uint8: [0, 255] } as const;

/** Largest finite float32, (2 − 2⁻²³) · 2¹²⁷. */
const LARGEST_FLOAT32 = "3.4028235e+38";

/**
 * Whether a value can be an element: a whole number within range for integers, 0 or 1 for bool. Floats are rounded to the nearest one, but a
 * finite number never becomes infinite. Booleans are 0 and 1.
 */
export function isElement(x: unknown, dtype: DType): x is number | boolean {
  if (typeof x !== "number") return typeof x === "boolean";
  if (dtype === "float64") return true;
  if (dtype === "float32") return Number.isFinite(Math.fround(x)) || !Number.isFinite(x);
  if (dtype === "bool") return x === 0 || x === 1;
  const [low, high] = INTEGERS[dtype];
  return x >= low && x <= high && Number.isInteger(x);
}

/** The complaint about a value for which `isElement` is false; `where` is its place, as in " at [3]". */
export function notAnElement(x: unknown, dtype: DType, who: string, where = ""): GradusError {
  const what = `${who}: ${show(x)}${where}`;
  if (typeof x !== "number")
    return new DTypeError(`${what} is not a number`, {
      help: typeof x === "bigint" ? "64-bit integers are not supported; Number(x) if it is small enough" : undefined,
    });
  if (dtype === "bool") return new DTypeError(`${what} is not a bool`, { help: 'cast the tensor first, as in x.cast("float32")' });
  if (dtype === "float32" || dtype === "float64")
    return new ArgumentError(`${what} does not fit into float32`, {
      why: `its largest number is ${LARGEST_FLOAT32}; this one would become ${x < 0 ? "-" : ""}Infinity`,
      help: 'dtype: "float64" holds it; write Infinity if that is meant',
    });
  const [low, high] = INTEGERS[dtype];
  if (Number.isInteger(x)) return new ArgumentError(`${what} does not fit into ${dtype}`, { why: `it holds ${low} … ${high}` });
  return new DTypeError(`${what} is not an integer, but the tensor is ${dtype}`, {
    why: "numbers take the tensor's dtype, or the one that was said, and never change it",
    help: 'dtype: "float32" holds it; a tensor is cast first, as in x.cast("float32")',
  });
}

/** True if all that an array of this kind can hold are elements of the dtype, so that none needs to be looked at. */
export function holdsAll(data: ArrayLike<unknown>, dtype: DType): boolean {
  if (!ArrayBuffer.isView(data) || data instanceof BigInt64Array || data instanceof BigUint64Array) return false;
  if (dtype === "float64") return true;
  if (dtype === "float32") return !(data instanceof Float64Array);
  const bytes = data instanceof Uint8Array || data instanceof Uint8ClampedArray;
  if (dtype === "int32" && (data instanceof Int8Array || data instanceof Int16Array || data instanceof Int32Array)) return true;
  if (dtype === "uint32" && data instanceof Uint32Array) return true;
  return dtype !== "bool" && (bytes || (dtype !== "uint8" && data instanceof Uint16Array));
}

/** Rejects numbers the dtype cannot hold. */
export function checkElements(data: ArrayLike<unknown>, dtype: DType, who: string): void {
  if (holdsAll(data, dtype)) return;
  for (let i = 0; i < data.length; i++)
    if (!isElement(data[i], dtype)) throw notAnElement(data[i], dtype, who, data.length > 1 ? ` at [${i}]` : "");
}
