import { type DType, type TypedArray, viewOf } from "../core/dtype.ts";
import { FormatError } from "../core/errors.ts";

/** How one of the file's element types is read. */
export interface FileType {
  readonly bytes: number;
  readonly dtype: DType;
  /** Elements from raw little-endian bytes. */
  read(bytes: Uint8Array, who: string): TypedArray;
}

/** A typed array over a copy that starts at an aligned address. */
function plain(dtype: DType): FileType["read"] {
  return (bytes) => {
    const copy = bytes.slice();
    return viewOf(dtype, copy.buffer, 0, copy.byteLength / SIZES[dtype]);
  };
}

const SIZES: Record<DType, number> = { float32: 4, float64: 8, int32: 4, uint32: 4, uint8: 1, bool: 1 };

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** IEEE 754 binary16 → float32, exactly. */
export function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function readHalf(bytes: Uint8Array): TypedArray {
  const from = view(bytes);
  return Float32Array.from({ length: bytes.length / 2 }, (_, i) => halfToFloat(from.getUint16(i * 2, true)));
}

/** bfloat16 is the upper half of a float32. */
function readBrain(bytes: Uint8Array): TypedArray {
  const from = view(bytes);
  const words = Uint32Array.from({ length: bytes.length / 2 }, (_, i) => from.getUint16(i * 2, true) << 16);
  return new Float32Array(words.buffer);
}

/** 64-bit integers, where every one of them fits. */
function readWide(signed: boolean): FileType["read"] {
  return (bytes, who) => {
    const from = view(bytes);
    const out = signed ? new Int32Array(bytes.length / 8) : new Uint32Array(bytes.length / 8);
    for (let i = 0; i < out.length; i++) {
      const wide = signed ? from.getBigInt64(i * 8, true) : from.getBigUint64(i * 8, true);
      out[i] = Number(BigInt.asIntN(53, wide));
      if (BigInt(out[i]!) !== wide)
        throw new FormatError(`${who}: element ${i} is ${wide}`, {
          why: `64-bit integers are read as ${signed ? "int32" : "uint32"}, and only where every value fits`,
          help: BigInt(Number(wide)) === wide ? "store this tensor as F64" : "not even F64 holds it exactly: store it in parts",
        });
    }
    return out;
  };
}

function readShort(signed: boolean): FileType["read"] {
  return (bytes) => {
    const from = view(bytes);
    return Int32Array.from({ length: bytes.length / 2 }, (_, i) => (signed ? from.getInt16(i * 2, true) : from.getUint16(i * 2, true)));
  };
}

function readBool(bytes: Uint8Array, who: string): TypedArray {
  const bad = bytes.findIndex((byte) => byte > 1);
  if (bad >= 0) throw new FormatError(`${who}: element ${bad} of a BOOL tensor is ${bytes[bad]}`, { why: "only 0 and 1 are truth values" });
  return bytes.slice();
}

/** The element types of safetensors that gradus reads. */
export const FILE_TYPES: ReadonlyMap<string, FileType> = new Map(
  Object.entries({
    F64: { bytes: 8, dtype: "float64", read: plain("float64") },
    F32: { bytes: 4, dtype: "float32", read: plain("float32") },
    I32: { bytes: 4, dtype: "int32", read: plain("int32") },
    U32: { bytes: 4, dtype: "uint32", read: plain("uint32") },
    U8: { bytes: 1, dtype: "uint8", read: plain("uint8") },
    BOOL: { bytes: 1, dtype: "bool", read: readBool },
    F16: { bytes: 2, dtype: "float32", read: readHalf },
    BF16: { bytes: 2, dtype: "float32", read: readBrain },
    I64: { bytes: 8, dtype: "int32", read: readWide(true) },
    U64: { bytes: 8, dtype: "uint32", read: readWide(false) },
    I16: { bytes: 2, dtype: "int32", read: readShort(true) },
    U16: { bytes: 2, dtype: "int32", read: readShort(false) },
    I8: { bytes: 1, dtype: "int32", read: (bytes: Uint8Array) => Int32Array.from(new Int8Array(bytes.slice().buffer)) },
  } satisfies Record<string, FileType>),
);

/** What each dtype is called in a file that gradus writes. */
export const FILE_NAMES: Record<DType, string> = {
  float64: "F64",
  float32: "F32",
  int32: "I32",
  uint32: "U32",
  uint8: "U8",
  bool: "BOOL",
};
