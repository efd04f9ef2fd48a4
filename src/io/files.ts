import { needModule } from "../core/host.ts";
import { cannot, codeOf, reason, toConsole } from "./failures.ts";
import { temporaryName } from "./names.ts";
import { openRegular } from "./open.ts";

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

/** How a write is made: tests break its calls; `warn` hears of what went wrong although the file is whole. */
export interface WriteOptions {
  readonly calls?: FileCalls | undefined;
  readonly warn?: ((line: string) => void) | undefined;
}

/** The real file system. */
export async function nodeFiles(): Promise<FileCalls> {
  const { open, rename, rm } = needModule("node:fs/promises");
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

/**
 * Writes a file so that at every moment, even if the machine stops, `path` holds all of the old bytes or all of the new:
 * temporary file → sync → rename over `path` → sync the directory. If only the last fails the file is there and whole: that is a warning.
 * A link at `path` is replaced, not followed.
 *
 * @throws ArgumentError that says what failed; what stood at `path` is untouched.
 */
export async function writeAtomically(path: string, bytes: Uint8Array | string, options: WriteOptions = {}): Promise<void> {
  const { dirname } = needModule("node:path");
  const { calls: files = await nodeFiles(), warn = toConsole } = options;
  const temporary = temporaryName(path);
  try {
    await writeNew(files, temporary, typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes);
    await files.rename(temporary, path);
  } catch (cause) {
    await files.remove(temporary).catch(() => undefined);
    throw cannot(`write ${path}`, cause, "what was there before is untouched");
  }
  await files.syncDirectory(dirname(path)).catch((error: unknown) => {
    warn(`${path} is written, but might be gone again if the machine stops now: ${reason(error)}`);
  });
}

async function writeNew(files: FileCalls, path: string, bytes: Uint8Array): Promise<void> {
  const file = await files.create(path);
  try {
    await file.write(bytes);
    await file.sync();
  } catch (error) {
    // The first error is the one to tell.
    await file.close().catch(() => undefined);
    throw error;
  }
  await file.close();
}

/**
 * Writes over the beginning of a file that is there, and fills the rest with spaces: needs no space on the disk. A reader may see half of
 * it, so this is for what cannot be written otherwise.
 *
 * @throws ArgumentError if the text is longer than the file
 */
export async function overwrite(path: string, text: string): Promise<void> {
  const { constants } = needModule("node:fs");
  const file = await openRegular(path, constants.O_RDWR, "refuse");
  try {
    const { size } = await file.stat();
    const bytes = new TextEncoder().encode(text.trimEnd().padEnd(size - 1) + "\n");
    if (bytes.length !== size) throw cannot(`write ${path}`, new RangeError(`${bytes.length} bytes where there are ${size}`));
    await file.write(bytes, 0, size, 0);
    await file.sync();
  } finally {
    await file.close();
  }
}
