import type { FileHandle } from "node:fs/promises";
import { FormatError } from "../core/errors.ts";
import { needModule } from "../core/host.ts";
import { codeOf, reason } from "./failures.ts";

/** Whether the last part of a path may be a symbolic link: a file that the user names may, one that stands in a stranger's folder may not. */
export type Links = "follow" | "refuse";

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
