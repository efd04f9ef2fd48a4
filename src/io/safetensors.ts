/**
 * The safetensors format, read and written (https://huggingface.co/docs/safetensors): eight bytes N (little-endian), N bytes of JSON
 * that name each tensor's dtype, shape and byte range, then the bytes. Nothing in such a file can run.
 *
 * A reader must not trust the header: sizes are computed with BigInt, ranges must cover the data exactly once (no hole, no overlap),
 * and keys may stand once. What gradus writes carries a SHA-256 over the whole file, so that any change of it is found.
 */
import { arrayOf, type DType, isDType, type TypedArray } from "../core/dtype.ts";
import { ArgumentError, FormatError, show } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { checkShape, MAX_RANK, type Shape, sizeOf } from "../core/shape.ts";
import { sha256 } from "./checksum.ts";
import { type Json, parseJson } from "./json.ts";
import { MAX_FILE } from "./read.ts";
import { refuseForeign } from "./refuse.ts";
import { FILE_NAMES, FILE_TYPES, type FileType } from "./stored-types.ts";

/** A tensor's numbers in row-major order. */
export interface StoredTensor {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly data: TypedArray;
}

export interface TensorFile {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: ReadonlyMap<string, string>;
}

/** A file of a format that this gradus cannot know. */
export class NewerFormatError extends FormatError {
  override readonly name = "NewerFormatError";
}

const MAX_HEADER = 100_000_000;
const FORMAT_KEY = "gradus.format";
const SUM_KEY = "gradus.sha256";
/** Raised when a file of the old version could be misread; older ones stay readable. */
const FORMAT_VERSION = 1;
const NO_SUM = "0".repeat(64);
/** What stands in the checksum's place while it is computed. */
const BLANK = new TextEncoder().encode(NO_SUM);

// ---- writing

/**
 * The bytes of a safetensors file: the same tensors and metadata give the same bytes. Names are sorted in the header; the data
 * starts at a multiple of 8 and wide elements come first, so that every tensor is aligned.
 */
export async function encodeSafetensors(
  tensors: ReadonlyMap<string, StoredTensor> | Readonly<Record<string, StoredTensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<Uint8Array> {
  const entries = [...(tensors instanceof Map ? tensors : new Map(Object.entries(tensors)))].sort(byName) as [string, StoredTensor][];
  for (const [name, stored] of entries) checkStored(name, stored);
  checkNotes(metadata);
  const ranges = layOut(entries);
  const header = headerOf(entries, ranges, { ...metadata, [FORMAT_KEY]: String(FORMAT_VERSION), [SUM_KEY]: NO_SUM });
  const end = entries.reduce((sum, [, { data }]) => sum + data.byteLength, 0);
  if (8 + header.length + end > MAX_FILE)
    throw new ArgumentError(`safetensors: the file would have ${8 + header.length + end} bytes`, { why: `at most ${MAX_FILE} are read` });
  const file = new Uint8Array(8 + header.length + end);
  new DataView(file.buffer).setBigUint64(0, BigInt(header.length), true);
  file.set(header, 8);
  for (const [name, { data }] of entries)
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), 8 + header.length + ranges.get(name)![0]);
  const sum = await sha256(file);
  file.set(new TextEncoder().encode(sum), sumPosition(header) + 8);
  return file;
}

const byName = (a: readonly [string, unknown], b: readonly [string, unknown]): number => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0);

function checkStored(name: string, { dtype, shape, data }: StoredTensor): void {
  const who = `safetensors: tensor ${JSON.stringify(name)}`;
  if (name === "__metadata__" || /\p{Surrogate}/u.test(name))
    throw new ArgumentError(`${who} has a name that no file can hold`, {
      why: name === "__metadata__" ? "the format keeps this name for itself" : "it has half a surrogate pair, which UTF-8 cannot write",
      help: "rename the field of the module it comes from",
    });
  if (!isDType(dtype)) throw new ArgumentError(`${who}: ${String(dtype)} is not an element type`);
  checkShape(shape, who);
  const Wanted = arrayOf(dtype, 0).constructor as new () => TypedArray;
  if (data.length !== sizeOf(shape) || !(data instanceof Wanted))
    throw new ArgumentError(`${who}: ${data.constructor.name} of ${data.length} elements for [${shape.join(", ")}] ${dtype}`, {
      why: "the bytes of another kind of array would be read as other numbers",
      help: `${Wanted.name}.from(values), one for each element`,
    });
  const bad = dtype === "bool" ? data.findIndex((value) => value > 1) : -1;
  if (bad >= 0) throw new ArgumentError(`${who}: element ${bad} is ${data[bad]}`, { why: "only 0 and 1 are truth values" });
}

/** Notes are text, and come back as they were: what a reader would refuse is refused here. */
function checkNotes(metadata: Readonly<Record<string, string>>): void {
  for (const [key, value] of Object.entries(metadata)) {
    const who = `safetensors: the note ${JSON.stringify(key)}`;
    if (typeof value !== "string")
      throw new ArgumentError(`${who} is ${show(value)}`, {
        why: "the format's notes are text",
        help: "String(value) or JSON.stringify(value)",
      });
    if (/\p{Surrogate}/u.test(key + value)) throw new ArgumentError(`${who} has half a surrogate pair`, { why: "UTF-8 cannot write it" });
    // Also as a part of a longer key: the checksum's place is found by its name.
    if (key.includes(FORMAT_KEY) || key.includes(SUM_KEY))
      throw new ArgumentError(`${who}: gradus keeps this name for itself`, { help: "choose another name" });
  }
}

/** Byte ranges, without a hole, wide elements first. */
function layOut(entries: readonly (readonly [string, StoredTensor])[]): Map<string, readonly [number, number]> {
  const ranges = new Map<string, readonly [number, number]>();
  let at = 0;
  for (const [name, { data }] of entries.toSorted((a, b) => b[1].data.BYTES_PER_ELEMENT - a[1].data.BYTES_PER_ELEMENT)) {
    ranges.set(name, [at, at + data.byteLength]);
    at += data.byteLength;
  }
  return ranges;
}

function headerOf(
  entries: readonly (readonly [string, StoredTensor])[],
  ranges: ReadonlyMap<string, readonly [number, number]>,
  metadata: Record<string, string>,
): Uint8Array {
  const pair = (key: string, value: unknown): string => `${JSON.stringify(key)}:${JSON.stringify(value)}`;
  const notes = Object.entries(metadata)
    .sort(byName)
    .map(([key, value]) => pair(key, value));
  const parts = [`"__metadata__":{${notes.join(",")}}`];
  for (const [name, { dtype, shape }] of entries)
    parts.push(pair(name, { dtype: FILE_NAMES[dtype], shape, data_offsets: ranges.get(name) }));
  const text = new TextEncoder().encode(`{${parts.join(",")}}`);
  const padded = new Uint8Array(Math.ceil((text.length + 8) / 8) * 8 - 8).fill(32);
  padded.set(text);
  if (padded.length > MAX_HEADER)
    throw new ArgumentError(`safetensors: the header would have ${padded.length} bytes; at most ${MAX_HEADER}`);
  return padded;
}

/** Where in the header the 64 digits of the checksum stand. */
function sumPosition(header: Uint8Array): number {
  const text = new TextDecoder("latin1").decode(header);
  return text.indexOf(`"${SUM_KEY}":"`) + SUM_KEY.length + 4;
}

// ---- reading

/**
 * The tensors and notes of a safetensors file. Files by others are read too; F16 and BF16 become float32, and 64-bit integers
 * become 32-bit ones where every value fits: one that does not is refused with its tensor's name, never rounded.
 *
 * @throws FormatError for anything a well-formed file cannot have, and for a checksum that does not hold.
 */
export async function decodeSafetensors(
  bytes: Uint8Array,
  options: { name?: string; checksum?: "required" | "if present" } = {},
): Promise<TensorFile> {
  checkOptions("decodeSafetensors", options, ["name", "checksum"]);
  const who = options.name ?? "safetensors";
  // A plain view: a Node Buffer's slice() would share memory.
  const file = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  refuseForeign(file, who);
  const { header, text } = readHeader(file, who);
  const top = parseJson(text, who);
  if (!(top instanceof Map)) throw new FormatError(`${who}: the header is not an object`);
  const metadata = readMetadata(top.get("__metadata__"), who);
  const version = versionIn(metadata, who);
  const sum = await checkSum(file, header, metadata);
  // A file whose checksum does not hold may say any version.
  if (version > FORMAT_VERSION && sum !== "does not hold") throw newer(version, who);
  if (sum === "does not hold") throw sumError(who);
  if (sum === "missing" && (options.checksum === "required" || version > 0))
    throw new FormatError(`${who}: the checksum is missing`, { why: "the file is damaged, or not from gradus" });
  const data = file.subarray(8 + header.length);
  const ranges: Range[] = [];
  for (const [name, entry] of top) if (name !== "__metadata__") ranges.push(readEntry(name, entry, who));
  checkCover(ranges, data.length, who);
  const tensors = new Map<string, StoredTensor>();
  for (const { name, type, shape, from, to } of ranges)
    tensors.set(name, { dtype: type.dtype, shape, data: type.read(data.subarray(from, to), `${who}: tensor ${JSON.stringify(name)}`) });
  for (const key of [FORMAT_KEY, SUM_KEY]) metadata.delete(key);
  return { tensors, metadata };
}

function readHeader(file: Uint8Array, who: string): { header: Uint8Array; text: string } {
  if (file.length < 8) throw new FormatError(`${who}: ${file.length} bytes are too few for a safetensors file`);
  const length = new DataView(file.buffer, file.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER))
    throw new FormatError(`${who}: a header of ${length} bytes`, { why: `at most ${MAX_HEADER} are allowed` });
  if (8n + length > BigInt(file.length))
    throw new FormatError(`${who}: the header should have ${length} bytes, the file has ${file.length}`, { why: "the file was cut off" });
  const header = file.subarray(8, 8 + Number(length));
  try {
    return { header, text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(header) };
  } catch (cause) {
    throw new FormatError(`${who}: the header is not valid UTF-8`, { cause });
  }
}

function readMetadata(entry: Json | undefined, who: string): Map<string, string> {
  if (entry === undefined) return new Map();
  if (!(entry instanceof Map)) throw new FormatError(`${who}: __metadata__ is not an object`);
  for (const [key, value] of entry)
    if (typeof value !== "string") throw new FormatError(`${who}: the note ${JSON.stringify(key)} is not text`);
  return new Map(entry as Map<string, string>);
}

/** The format's version; 0 for a file that is not from gradus. */
function versionIn(metadata: ReadonlyMap<string, string>, who: string): number {
  const version = metadata.get(FORMAT_KEY);
  if (version === undefined) return 0;
  if (/^[1-9]\d{0,15}$/.test(version)) return Number(version);
  throw new FormatError(`${who}: ${JSON.stringify(version)} is not a format version`);
}

const newer = (version: number, who: string): NewerFormatError =>
  new NewerFormatError(`${who}: written by a newer gradus (format ${version})`, {
    why: `this one reads formats up to ${FORMAT_VERSION}`,
    help: "update gradus",
  });

const sumError = (who: string): FormatError =>
  new FormatError(`${who}: the checksum does not hold`, {
    why: "some of its bytes changed after it was written",
    help: "use an earlier checkpoint, or copy the file again",
  });

/** A file with one of gradus' two notes must have both: a flipped bit in the name of one cannot hide the other. */
async function checkSum(
  file: Uint8Array,
  header: Uint8Array,
  metadata: ReadonlyMap<string, string>,
): Promise<"holds" | "does not hold" | "missing"> {
  const sum = metadata.get(SUM_KEY);
  if (sum === undefined) return "missing";
  const at = sumPosition(header) + 8;
  const plain = new TextDecoder("latin1").decode(file.subarray(at, at + 64));
  return metadata.has(FORMAT_KEY) && plain === sum && (await sha256(file.subarray(0, at), BLANK, file.subarray(at + 64))) === sum
    ? "holds"
    : "does not hold";
}

interface Range {
  readonly name: string;
  readonly type: FileType;
  readonly shape: number[];
  readonly from: number;
  readonly to: number;
}

function readEntry(name: string, entry: Json, file: string): Range {
  const who = `${file}: tensor ${JSON.stringify(name)}`;
  if (!(entry instanceof Map)) throw new FormatError(`${who} is not described by an object`);
  for (const key of entry.keys())
    if (key !== "dtype" && key !== "shape" && key !== "data_offsets")
      throw new FormatError(`${who} has the unknown entry ${JSON.stringify(key)}`);
  const type = FILE_TYPES.get(String(entry.get("dtype")));
  if (!type)
    throw new FormatError(`${who}: element type ${JSON.stringify(entry.get("dtype") ?? null)}`, {
      help: `readable: ${[...FILE_TYPES.keys()].join(", ")}`,
    });
  const shape = numbers(entry.get("shape"), `${who}: shape`);
  if (shape.length > MAX_RANK) throw new FormatError(`${who}: ${shape.length} axes; at most ${MAX_RANK} are supported`);
  const offsets = numbers(entry.get("data_offsets"), `${who}: data_offsets`);
  const [from, to] = offsets;
  if (offsets.length !== 2 || from! > to!)
    throw new FormatError(`${who}: data_offsets must be a start and an end, not [${offsets.join(", ")}]`);
  const bytes = shape.reduce((n, d) => n * BigInt(d), BigInt(type.bytes));
  if (bytes !== BigInt(to! - from!))
    throw new FormatError(`${who}: [${shape.join(", ")}] needs ${bytes} bytes, its range has ${to! - from!}`);
  return { name, type, shape, from: from!, to: to! };
}

function numbers(value: Json | undefined, who: string): number[] {
  if (Array.isArray(value) && value.every((n) => typeof n === "number" && Number.isSafeInteger(n) && n >= 0)) return value as number[];
  throw new FormatError(`${who} is not a list of whole numbers ≥ 0`);
}

/** Every byte of the data belongs to exactly one tensor. */
function checkCover(ranges: readonly Range[], length: number, who: string): void {
  let at = 0;
  for (const { name, from, to } of ranges.toSorted((a, b) => a.from - b.from || a.to - b.to)) {
    if (to === from && from <= length) continue;
    if (from !== at)
      throw new FormatError(`${who}: tensor ${JSON.stringify(name)} starts at byte ${from}, the one before it ends at ${at}`, {
        why: from < at ? "two tensors overlap" : "bytes that belong to no tensor could hide anything",
      });
    at = to;
  }
  if (at !== length)
    throw new FormatError(`${who}: the tensors need ${at} bytes of data, the file has ${length}`, {
      why: at > length ? "the file was cut off" : "something stands after the last tensor",
    });
}
