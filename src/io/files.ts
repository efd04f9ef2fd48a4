import { ArgumentError, FormatError } from "../core/errors.ts";

/** The few calls a safe write is made of, so that a test can break each of them. */
export interface FileCalls {
  /** Creates the file, which must not exist. */
  create(path: string): Promise<OpenFile>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Makes names in a directory durable. */
  syncDirectory(path: string): Promise<void>;
}

export interface OpenFile {
  write(bytes: Uint8Array): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** The real file system. */
export async function nodeFiles(): Promise<FileCalls> {
  const { open, rename, rm } = await import("node:fs/promises");
  return {
    create: async (path) => {
      const file = await open(path, "wx");
      return {
        write: async (bytes) => {
          for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten;
        },
        sync: () => file.sync(),
        close: () => file.close(),
      };
    },
    rename,
    remove: (path) => rm(path, { force: true }),
    syncDirectory: async (path) => {
      const directory = await open(path, "r");
      try {
        await directory.sync();
      } catch (error) {
        // Windows and some network file systems cannot sync a directory; the file itself is safe already.
        if (!["EPERM", "EINVAL", "EISDIR", "ENOTSUP"].includes(codeOf(error))) throw error;
      } finally {
        await directory.close();
      }
    },
  };
}

export const codeOf = (error: unknown): string => String((error as { code?: unknown } | null)?.code ?? "");

let written = 0;
/** A name beside `path` that no other write uses: process, count, time. */
const temporaryName = (path: string): string => `${path}.${process.pid}-${++written}-${Date.now().toString(36)}.tmp`;

/**
 * Writes a file so that at every moment, even if the machine stops, `path` holds all of the old bytes or all of the new:
 * temporary file → sync → rename over `path` → sync the directory.
 *
 * @throws ArgumentError that says what failed; what stood at `path` is untouched.
 */
export async function writeAtomically(path: string, bytes: Uint8Array | string, calls?: FileCalls): Promise<void> {
  const { dirname } = await import("node:path");
  const files = calls ?? (await nodeFiles());
  const temporary = temporaryName(path);
  try {
    const file = await files.create(temporary);
    try {
      await file.write(typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await files.rename(temporary, path);
  } catch (cause) {
    await files.remove(temporary).catch(() => undefined);
    throw new ArgumentError(`cannot write ${path}: ${reason(cause)}`, {
      why: "what was there before is untouched",
      help: advice(cause),
      cause,
    });
  }
  await files.syncDirectory(dirname(path));
}

const REASONS: Record<string, readonly [reason: string, help: string]> = {
  ENOSPC: ["the disk is full", "free some space, or write elsewhere with --out"],
  EDQUOT: ["the disk quota is used up", "free some space, or write elsewhere with --out"],
  EACCES: ["no permission", "choose a folder you may write to with --out"],
  EPERM: ["not permitted", "choose a folder you may write to with --out"],
  EROFS: ["the file system is read-only", "choose another folder with --out"],
  EIO: ["the disk reported an error", "check the disk; the file was not replaced"],
  ENOENT: ["the folder does not exist", "create it first"],
  ENOTDIR: ["a part of the path is a file", "choose another path"],
  EISDIR: ["it is a folder", "choose another path"],
};

const reason = (error: unknown): string => REASONS[codeOf(error)]?.[0] ?? (error instanceof Error ? error.message : String(error));
const advice = (error: unknown): string | undefined => REASONS[codeOf(error)]?.[1];

/** The bytes of a file, or an error that says what is wrong with the path. */
export async function readBytes(path: string, limit = 2 ** 31): Promise<Uint8Array> {
  const { readFile, stat } = await import("node:fs/promises");
  try {
    const { size } = await stat(path);
    if (size > limit) throw new FormatError(`${path}: ${size} bytes are more than the ${limit} that are read`);
    return new Uint8Array(await readFile(path));
  } catch (cause) {
    if (cause instanceof FormatError) throw cause;
    throw new FormatError(`cannot read ${path}: ${codeOf(cause) === "ENOENT" ? "there is no such file" : reason(cause)}`, { cause });
  }
}
