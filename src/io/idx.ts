import { type DType, type TypedArray, viewOf } from "../core/dtype.ts";
import { FormatError } from "../core/errors.ts";
import { needModule } from "../core/host.ts";
import { MAX_RANK } from "../core/shape.ts";
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

/** Largest idx content that is read, unpacked. MNIST's largest file has 47 MB; a bomb stops here. */
const MAX_BYTES = 2 ** 28;

/** Unpacks gzip, told by its first two bytes; other bytes come back as they are. */
export async function gunzip(bytes: Uint8Array, who: string, limit = MAX_BYTES): Promise<Uint8Array> {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  const { gunzip: unzip } = needModule("node:zlib");
  return new Promise((resolve, reject) => {
    unzip(bytes, { maxOutputLength: limit }, (error, out) => {
      if (!error) return resolve(new Uint8Array(out.buffer, out.byteOffset, out.byteLength));
      const large = (error as { code?: string }).code === "ERR_BUFFER_TOO_LARGE";
      reject(
        new FormatError(`${who}: ${large ? `unpacks to more than ${limit} bytes` : "damaged gzip data"}`, {
          why: large ? "such a file would fill the memory" : error.message,
          help: large ? undefined : "copy or download the file again",
          cause: error,
        }),
      );
    });
  });
}

/**
 * An idx file, plain or gzipped: magic 0 0 type rank, rank sizes (32-bit), elements.
 *
 * @throws FormatError for a wrong magic number, sizes that do not match the bytes, damaged gzip, more than 256 MB.
 */
export async function decodeIdx(file: Uint8Array, who = "idx"): Promise<StoredTensor> {
  const bytes = await gunzip(file, who);
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
  const needed = shape.reduce((n, d) => n * BigInt(d), BigInt(type.bytes));
  if (needed !== BigInt(bytes.length - start))
    throw new FormatError(`${who}: [${shape.join(", ")}] needs ${needed} bytes, the file has ${bytes.length - start}`, {
      why: needed > BigInt(bytes.length - start) ? "the file was cut off" : "something stands after the last element",
    });
  const count = (bytes.length - start) / type.bytes;
  if (type.dtype === "uint8") return { dtype: "uint8", shape, data: Uint8Array.from(bytes.subarray(start)) };
  const data: TypedArray = viewOf(type.dtype, new ArrayBuffer(count * (type.dtype === "float64" ? 8 : 4)), 0, count);
  for (let i = 0; i < count; i++) data[i] = type.get(view, start + i * type.bytes);
  return { dtype: type.dtype, shape, data };
}
