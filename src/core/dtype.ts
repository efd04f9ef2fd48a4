import { DTypeError, show } from "./errors.ts";

/** Element types. `uint8` is for storage: cast it before computing. */
export type DType = "float32" | "float64" | "int32" | "uint32" | "uint8" | "bool";

export type TypedArray = Float32Array | Float64Array | Int32Array | Uint32Array | Uint8Array;

interface Facts {
  readonly bytes: number;
  readonly kind: "float" | "int" | "bool";
  readonly Array: { new (length: number): TypedArray; new (buffer: ArrayBufferLike, offset: number, length: number): TypedArray };
}

const FACTS: Record<DType, Facts> = {
  float32: { bytes: 4, kind: "float", Array: Float32Array },
  float64: { bytes: 8, kind: "float", Array: Float64Array },
  int32: { bytes: 4, kind: "int", Array: Int32Array },
  uint32: { bytes: 4, kind: "int", Array: Uint32Array },
  uint8: { bytes: 1, kind: "int", Array: Uint8Array },
  bool: { bytes: 1, kind: "bool", Array: Uint8Array },
};

export const DTYPES = Object.keys(FACTS) as readonly DType[];

export const bytesOf = (dtype: DType): number => FACTS[dtype].bytes;
export const isFloat = (dtype: DType): boolean => FACTS[dtype].kind === "float";
export const isInteger = (dtype: DType): boolean => FACTS[dtype].kind === "int";

/** A zeroed array that holds `length` elements. */
export const arrayOf = (dtype: DType, length: number): TypedArray => new FACTS[dtype].Array(length);

/** A view of `length` elements at a byte offset. */
export const viewOf = (dtype: DType, buffer: ArrayBufferLike, offset: number, length: number): TypedArray =>
  new FACTS[dtype].Array(buffer, offset, length);

/** What a number becomes when it is stored: rounded, wrapped, or made 0 or 1. */
export function store(value: number, dtype: DType): number {
  switch (dtype) {
    case "float32":
      return Math.fround(value);
    case "float64":
      return value;
    case "int32":
      return value | 0;
    case "uint32":
      return value >>> 0;
    case "uint8":
      return value & 255;
    case "bool":
      return value !== 0 ? 1 : 0;
  }
}

export function isDType(name: unknown): name is DType {
  return typeof name === "string" && Object.hasOwn(FACTS, name);
}

export function checkDType(name: unknown, who: string): DType {
  if (isDType(name)) return name;
  throw new DTypeError(`${who}: ${typeof name === "string" ? name : show(name)} is not an element type`, {
    help: `one of ${DTYPES.join(", ")}`,
  });
}

/** Ranks for promotion: the wider one wins; int32 with uint32 has no common type. */
const RANK: Record<DType, number> = { bool: 0, uint8: 1, int32: 2, uint32: 2, float32: 3, float64: 4 };

/**
 * The type two tensors are computed in: bool < uint8 < int32, uint32 < float32 < float64.
 * `int32` with `uint32` is an error, because neither holds the other.
 */
export function promote(a: DType, b: DType, who: string): DType {
  if (a === b) return a;
  if (RANK[a] === RANK[b])
    throw new DTypeError(`${who}: ${a} with ${b} has no common type`, {
      why: "neither holds all values of the other",
      help: 'cast one of them first, as in x.cast("int32")',
    });
  return RANK[a] > RANK[b] ? a : b;
}
