import { arrayOf, bytesOf, type DType } from "../core/dtype.ts";
import { FormatError } from "../core/errors.ts";
import { MAX_RANK } from "../core/shape.ts";
import { gunzip, MAX_UNPACKED } from "./gunzip.ts";
import type { StoredTensor } from "./safetensors.ts";

/** Element types of the idx format (LeCun, MNIST page): the third byte of the magic number. Files are big-endian. */
const TYPES: ReadonlyMap<number, { bytes: number; dtype: DType; get(view: DataView, at: number): number }> = new Map([
  [0x08, { bytes: 1, dtype: "uint8", get: (view, at) => view.getUint8(at) }],
  [0x09, { bytes: 1, dtype: "int32", get: (view, at) => view.getInt8(at) }],
  [0x0b, { bytes: 2, dtype: "int32", get: (view, at) => view.getInt16(at) }],
  [0x0c, { bytes: 4, dtype: "int32", get: (view, at) => view.getInt32(at) }],
  [0x0d, { bytes: 4, dtype: "float32", get: (view, at) => view.getFloat32(at) }],
  [0x0e, { bytes: 8, dtype: "float64", get: (view, at) => view.getFloat64(at) }],
]);

/** What the beginning of an idx file tells. */
export interface IdxHeader {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Where the elements begin. */
  readonly start: number;
  /** Bytes of all elements, in the file. */
  readonly bytes: number;
}

export interface IdxOptions {
  /** Called when shape and element type are known, before anything is unpacked: throws for others than are wanted. */
  readonly expect?: ((header: IdxHeader) => void) | undefined;
  /** True if the bytes are the caller's to give away: elements that are bytes then stay where they are. */
  readonly give?: boolean;
}

/** The size of an idx file, told by its beginning: for `gunzip`. */
export const idxSize =
  (who: string, expect?: IdxOptions["expect"]) =>
  (first: Uint8Array): number => {
    const header = readHeader(first, who);
    expect?.(header);
    return header.start + header.bytes;
  };

/**
 * An idx file, plain or gzipped: magic 0 0 type rank, rank sizes (32-bit), elements.
 *
 * @throws FormatError for a wrong magic number, sizes that do not match the bytes, damaged gzip, more than 256 MB.
 */
export async function decodeIdx(file: Uint8Array, who = "idx", { expect, give = false }: IdxOptions = {}): Promise<StoredTensor> {
  const bytes = await gunzip(file, who, { size: idxSize(who, expect) });
  const header = readHeader(bytes, who);
  const { dtype, shape, start } = header;
  const found = bytes.length - start;
  if (header.bytes !== found)
    throw new FormatError(`${who}: [${shape.join(", ")}] needs ${header.bytes} bytes, the file has ${found}`, {
      why: header.bytes > found ? "the file was cut off" : "something stands after the last element",
    });
  expect?.(header);
  if (dtype === "uint8") return { dtype, shape, data: bytes === file && !give ? bytes.slice(start) : bytes.subarray(start) };
  const type = TYPES.get(bytes[2]!)!;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const data = arrayOf(dtype, found / type.bytes);
  for (let i = 0; i < data.length; i++) data[i] = type.get(view, start + i * type.bytes);
  return { dtype, shape, data };
}

function readHeader(bytes: Uint8Array, who: string): IdxHeader {
  if (bytes.length < 4) throw new FormatError(`${who}: ${bytes.length} bytes are too few for an idx file`);
  const type = TYPES.get(bytes[2]!);
  const rank = bytes[3]!;
  if (bytes[0] !== 0 || bytes[1] !== 0 || !type)
    throw new FormatError(`${who}: does not begin as an idx file does`, {
      why: `the first bytes are ${[...bytes.subarray(0, 4)].join(" ")}, not 0 0 type rank`,
    });
  if (rank < 1 || rank > MAX_RANK) throw new FormatError(`${who}: ${rank} axes`, { why: `an idx file has 1 to ${MAX_RANK}` });
  const start = 4 + 4 * rank;
  if (bytes.length < start) throw new FormatError(`${who}: cut off within its sizes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  const count = shape.reduce((n, d) => n * BigInt(d), 1n);
  const needed = count * BigInt(type.bytes);
  if (needed + BigInt(start) > MAX_UNPACKED || count * BigInt(bytesOf(type.dtype)) > MAX_UNPACKED)
    throw new FormatError(`${who}: [${shape.join(", ")}] needs ${needed} bytes`, { why: `at most ${MAX_UNPACKED} are read` });
  return { dtype: type.dtype, shape, start, bytes: Number(needed) };
}
