import type { FileHandle } from "node:fs/promises";
import { FormatError } from "../core/errors.ts";
import { needModule } from "../core/host.ts";
import { codeOf, reason } from "./failures.ts";

/** Whether the last part of a path may be a symbolic link: a file that the user names may, one that stands in a stranger's folder may not. */
export type Links = "follow" | "refuse";

/** Largest file that is read whole. */
export const MAX_FILE = 2 ** 31 - 1;

/**
 * Opens a regular file, and nothing else: a device or a pipe may never end, a link may lead anywhere. What was opened is what is looked at.
 *
 * @throws FormatError that says what the path is instead
 */
export async function openRegular(path: string, flags: number, links: Links = "follow"): Promise<FileHandle> {
  const { constants } = needModule("node:fs");
  const { open, lstat } = needModule("node:fs/promises");
  const refuse = links === "refuse";
  try {
    // Not waiting: opening a pipe that nobody writes to would hang.
    const file = await open(path, flags | (constants.O_NONBLOCK ?? 0) | (refuse ? (constants.O_NOFOLLOW ?? 0) : 0), 0o666);
    const found = await file.stat();
    // Where there is no O_NOFOLLOW, the path is looked at again.
    const isLink = refuse && constants.O_NOFOLLOW === undefined && (await lstat(path)).isSymbolicLink();
    if (found.isFile() && !isLink) return file;
    await file.close();
    throw notRegular(path, isLink ? "a link" : kindOf(found));
  } catch (cause) {
    if (cause instanceof FormatError) throw cause;
    if (refuse && codeOf(cause) === "ELOOP") throw notRegular(path, "a link");
    if (codeOf(cause) === "EISDIR") throw notRegular(path, "a folder");
    if (codeOf(cause) === "ENXIO") throw notRegular(path, "a pipe, a socket or a device");
    throw new FormatError(`cannot read ${path}: ${codeOf(cause) === "ENOENT" ? "there is no such file" : reason(cause)}`, { cause });
  }
}

const notRegular = (path: string, kind: string): FormatError =>
  new FormatError(`cannot read ${path}: it is ${kind}`, {
    why:
      kind === "a link"
        ? "in a folder that may come from anybody, no link is followed"
        : "only regular files are read: others may have no end",
    help: kind === "a link" ? "put the file itself there" : undefined,
  });

type Kind = Awaited<ReturnType<FileHandle["stat"]>>;

function kindOf(found: Kind): string {
  if (found.isDirectory()) return "a folder";
  if (found.isFIFO()) return "a pipe";
  return found.isSocket() ? "a socket" : "a device";
}

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
