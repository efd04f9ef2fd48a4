import type { FileHandle } from "node:fs/promises";
import { FormatError } from "../core/errors.ts";
import { needModule } from "../core/host.ts";
import { cannot, reason } from "./failures.ts";
import { openRegular } from "./open.ts";

const LINE_FEED = 10;
/** Longest line that is read. */
const MAX_LINE = 1_000_000;

/** A file that grows by lines, held open: neither a link nor a second name of the file can lead a write elsewhere. */
export class LogFile {
  readonly path: string;
  private readonly file: FileHandle;
  /** Bytes so far. */
  length: number;

  private constructor(path: string, file: FileHandle, length: number) {
    this.path = path;
    this.file = file;
    this.length = length;
  }

  /** Opens for writing at the end; creates the file if there is none. @throws FormatError for what is no regular file of its own */
  static async open(path: string): Promise<LogFile> {
    const { constants } = needModule("node:fs");
    const file = await openRegular(path, constants.O_RDWR | constants.O_CREAT | constants.O_APPEND, "refuse");
    const { size, nlink } = await file.stat();
    if (nlink <= 1) return new LogFile(path, file, size);
    await file.close();
    throw new FormatError(`${path} has ${nlink} names in the file system`, {
      why: "what is written to it would change the file under its other names too",
      help: "copy the run's folder (cp -r), and use the copy",
    });
  }

  /** Adds text, all of it or nothing. @throws ArgumentError that says what failed */
  async append(text: string): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    try {
      for (let at = 0; at < bytes.length; ) at += (await this.file.write(bytes, at)).bytesWritten;
    } catch (cause) {
      await this.file.truncate(this.length).catch(() => undefined);
      throw cannot(`write ${this.path}`, cause);
    }
    this.length += bytes.length;
  }

  /** Returns when all that was added is on the disk. */
  async sync(): Promise<void> {
    await this.file.datasync().catch((cause: unknown) => {
      throw cannot(`write ${this.path}`, cause);
    });
  }

  /** Forgets what stands after the first `bytes`. */
  async cut(bytes: number): Promise<void> {
    if (bytes >= this.length) return;
    await this.file.truncate(bytes).catch((cause: unknown) => {
      throw cannot(`cut ${this.path}`, cause);
    });
    this.length = bytes;
  }

  /** True if a line ends after the first `bytes`. */
  async endsLine(bytes: number): Promise<boolean> {
    if (bytes === 0) return true;
    const { buffer, bytesRead } = await this.file.read(new Uint8Array(1), 0, 1, bytes - 1);
    return bytesRead === 1 && buffer[0] === LINE_FEED;
  }

  /** Its lines, the last one too if it is torn, without reading the file as a whole. */
  async *lines(): AsyncGenerator<string> {
    const chunk = new Uint8Array(2 ** 16);
    const decoder = new TextDecoder();
    let pending = "";
    for (let at = 0; at < this.length; ) {
      const { bytesRead } = await this.read(chunk, at);
      if (bytesRead === 0) break;
      at += bytesRead;
      const parts = (pending + decoder.decode(chunk.subarray(0, bytesRead), { stream: true })).split("\n");
      pending = parts.pop()!;
      yield* parts;
      if (pending.length > MAX_LINE) throw new FormatError(`${this.path}: a line of more than ${MAX_LINE} characters`);
    }
    if (pending !== "") yield pending;
  }

  private async read(into: Uint8Array, at: number): Promise<{ bytesRead: number }> {
    return this.file.read(into, 0, into.length, at).catch((cause: unknown) => {
      throw new FormatError(`cannot read ${this.path}: ${reason(cause)}`, { cause });
    });
  }

  close(): Promise<void> {
    return this.file.close();
  }
}
