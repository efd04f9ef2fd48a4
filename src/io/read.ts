import type { FileHandle } from "node:fs/promises";
import { FormatError } from "../core/errors.ts";
import { needModule } from "../core/host.ts";
import { codeOf, reason } from "./failures.ts";
import { type Links, openRegular } from "./open.ts";

/** Largest file that is read whole. */
export const MAX_FILE = 2 ** 31 - 1;

/**
 * The bytes of a regular file. They are counted while they are read: a size that the system tells may be wrong before the end is reached.
 *
 * @throws FormatError for what is no regular file, and for more than `limit` bytes
 */
export async function readBytes(path: string, limit = MAX_FILE, links: Links = "follow"): Promise<Uint8Array> {
  const { constants } = needModule("node:fs");
  const file = await openRegular(path, constants.O_RDONLY, links);
  try {
    const { size } = await file.stat();
    if (size > limit) throw tooLarge(path, limit, size);
    return await readToEnd(file, path, size, limit);
  } catch (cause) {
    if (cause instanceof FormatError) throw cause;
    throw new FormatError(`cannot read ${path}: ${reason(cause)}`, { cause });
  } finally {
    await file.close();
  }
}

async function readToEnd(file: FileHandle, path: string, size: number, limit: number): Promise<Uint8Array> {
  // One byte more than was told shows whether the end is there.
  let bytes = new Uint8Array(size + 1);
  let length = 0;
  for (;;) {
    const { bytesRead } = await file.read(bytes, length, Math.min(bytes.length - length, 2 ** 30), null);
    length += bytesRead;
    if (bytesRead === 0) return bytes.subarray(0, length);
    if (length > limit) throw tooLarge(path, limit);
    if (length < bytes.length) continue;
    const larger = new Uint8Array(Math.min(2 * length + 2 ** 16, limit + 1));
    larger.set(bytes);
    bytes = larger;
  }
}

const tooLarge = (path: string, limit: number, size?: number): FormatError =>
  new FormatError(`${path}: ${size === undefined ? "more" : `${size} bytes, more`} than the ${limit} bytes that are read`);

/** True for a folder that is there and is no link; false where there is nothing. @throws FormatError for anything else */
export async function isRealFolder(path: string): Promise<boolean> {
  const { lstat } = needModule("node:fs/promises");
  const found = await lstat(path).catch((cause: unknown) => {
    if (codeOf(cause) === "ENOENT") return undefined;
    throw new FormatError(`cannot read ${path}: ${reason(cause)}`, { cause });
  });
  if (!found) return false;
  if (found.isDirectory()) return true;
  throw new FormatError(`${path} is ${found.isSymbolicLink() ? "a link" : "no folder"}`, {
    why: "a run holds regular files and real folders only: a link could lead anywhere",
    help: "copy the folder there itself",
  });
}
