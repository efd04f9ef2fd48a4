/** Archives of tar (POSIX.1-1988, ustar), held in memory: nothing is written anywhere, whatever names they hold. */
import { FormatError } from "../core/errors.ts";

const BLOCK = 512;
/** Most entries that are looked at. */
const MAX_ENTRIES = 10_000;

/**
 * The regular files of these names, parts of the bytes given. Others, links and folders among them, are passed over.
 *
 * @throws FormatError for what is no archive or is cut off, for a name that stands there twice, and for one that is missing
 */
export function filesOfTar(bytes: Uint8Array, names: readonly string[], who: string): Map<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  let entries = 0;
  for (let at = 0; at + BLOCK <= bytes.length; ) {
    const header = bytes.subarray(at, at + BLOCK);
    // Two blocks of zeros end an archive.
    if (header.every((byte) => byte === 0)) break;
    if (++entries > MAX_ENTRIES) throw new FormatError(`${who}: more than ${MAX_ENTRIES} entries`);
    const { name, size, regular } = entryOf(header, who);
    const start = at + BLOCK;
    if (size > bytes.length - start) throw new FormatError(`${who}: the archive is cut off in ${name}`, { help: "download it again" });
    if (names.includes(name) && regular) {
      if (found.has(name)) throw new FormatError(`${who}: two entries are called ${name}`);
      found.set(name, bytes.subarray(start, start + size));
    }
    at = start + Math.ceil(size / BLOCK) * BLOCK;
  }
  const missing = names.find((name) => !found.has(name));
  if (missing !== undefined) throw new FormatError(`${who}: there is no ${missing} in the archive`);
  return found;
}

function entryOf(header: Uint8Array, who: string): { readonly name: string; readonly size: number; readonly regular: boolean } {
  const text = (from: number, length: number): string => {
    const field = header.subarray(from, from + length);
    const end = field.indexOf(0);
    return String.fromCharCode(...(end < 0 ? field : field.subarray(0, end)));
  };
  const octal = (from: number, length: number, what: string): number => {
    const digits = text(from, length).trim();
    if (!/^[0-7]+$/.test(digits))
      throw new FormatError(`${who}: not a tar archive`, { why: `${what} of an entry is ${JSON.stringify(digits)}` });
    return Number.parseInt(digits, 8);
  };
  // The sum of the header's bytes, with spaces in its own place.
  const sum = header.reduce((all, byte, i) => all + (i >= 148 && i < 156 ? 32 : byte), 0);
  if (octal(148, 8, "the checksum") !== sum)
    throw new FormatError(`${who}: damaged tar archive`, { why: "the checksum of an entry is wrong" });
  const type = header[156]!;
  return { name: text(0, 100), size: octal(124, 12, "the size"), regular: type === 0x30 || type === 0 };
}
