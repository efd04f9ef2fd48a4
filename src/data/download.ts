import { defaultCacheDirectory } from "../core/cache-folder.ts";
import { ArgumentError, FormatError, GradusError } from "../core/errors.ts";
import { environment, needModule } from "../core/host.ts";
import { gunzip, MAX_UNPACKED, readBytes, reason, sha256, toConsole, type Unpacking, writeAtomically } from "../io/index.ts";

/** A file could not be fetched. */
export class DownloadError extends GradusError {
  override readonly name = "DownloadError";
}

export interface DownloadProgress {
  readonly file: string;
  readonly received: number;
  /** Undefined where the server does not say. */
  readonly total: number | undefined;
}

export interface RemoteFile {
  readonly name: string;
  readonly url: string;
  /** Of the content, unpacked: it holds for every way of packing. */
  readonly sha256: string;
  /** True where the checksum is of the file as it is downloaded, as the one of an archive that others publish. */
  readonly packed?: boolean;
}

export interface SourceOptions {
  /** A folder that has the files, itself or in a folder of the set's name. Nothing is downloaded then. */
  readonly dir?: string | undefined;
  /** Where downloads are kept. Default: GRADUS_CACHE, else `gradus` in the user's cache folder. */
  readonly cache?: string | undefined;
  /** Fetches from this address instead (`url` + file name): a mirror. */
  readonly url?: string | undefined;
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Seconds to wait for a server's answer (30), and for more bytes once it answers (30). */
  readonly timeouts?: { readonly connect?: number; readonly stall?: number } | undefined;
}

/** The names of `SourceOptions`. */
export const SOURCE_OPTIONS = ["dir", "cache", "url", "onProgress", "signal", "timeouts"] as const;

/**
 * The unpacked bytes of one file of a data set: from `dir`; else from GRADUS_DATA, if it is there; else from the cache; else downloaded,
 * checked, and kept. `unpacking` bounds what is unpacked of it.
 */
export async function dataFile(set: string, file: RemoteFile, options: SourceOptions = {}, unpacking: Unpacking = {}): Promise<Uint8Array> {
  const read = async (path: string): Promise<Uint8Array> => gunzip(await readBytes(path, MAX_UNPACKED), path, unpacking);
  if (options.dir !== undefined) {
    const found = await findIn(options.dir, set, file.name);
    if (found) return read(found);
    throw new FormatError(`${set}: there is no ${file.name} in ${options.dir}`, {
      why: "a folder was given, so nothing is downloaded",
      help: `put it there (plain or .gz; from ${file.url}), or leave the folder out to download it`,
    });
  }
  const everywhere = environment("GRADUS_DATA");
  const found = everywhere && (await findIn(everywhere, set, file.name));
  if (found) return read(found);
  return cached(set, file, options, unpacking);
}

/** The file under its name, with or without .gz, in the folder or in the set's folder within it. */
export async function findIn(dir: string, set: string, name: string): Promise<string | undefined> {
  const { stat } = needModule("node:fs/promises");
  const plain = name.replace(/\.gz$/, "");
  for (const path of [dir, `${dir}/${set}`])
    for (const candidate of [`${path}/${plain}.gz`, `${path}/${plain}`])
      if (
        await stat(candidate).then(
          (s) => s.isFile(),
          () => false,
        )
      )
        return candidate;
  return undefined;
}

async function cached(set: string, file: RemoteFile, options: SourceOptions, unpacking: Unpacking): Promise<Uint8Array> {
  const folder = `${options.cache ?? defaultCache()}/${set}`;
  const path = `${folder}/${file.name}`;
  const opened = async (packed: Uint8Array, who: string): Promise<{ content: Uint8Array; sum: string }> => {
    const content = await gunzip(packed, who, unpacking);
    return { content, sum: await sha256(file.packed ? packed : content) };
  };
  const kept = await readBytes(path, MAX_UNPACKED)
    .then((packed) => opened(packed, path))
    .catch(() => undefined);
  if (kept?.sum === file.sha256) return kept.content;
  const url = options.url ? `${options.url.replace(/\/$/, "")}/${file.name}` : file.url;
  const packed = await download(url, file.name, options);
  const { content, sum } = await opened(packed, url);
  if (sum !== file.sha256)
    throw new DownloadError(`${set}: ${url} is not the file it should be`, {
      why: `SHA-256 of ${file.packed ? "it" : "the content"} is ${sum}, not ${file.sha256}`,
      help: "download it elsewhere, and give its folder with --data",
    });
  await keep(folder, path, packed);
  return content;
}

/** Keeps a file for the next time. What cannot be kept can be used all the same. */
async function keep(folder: string, path: string, packed: Uint8Array): Promise<void> {
  const { mkdir } = needModule("node:fs/promises");
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writeAtomically(path, packed);
  } catch (error) {
    toConsole(`${path} cannot be kept, and will be downloaded again: ${reason(error)}`);
  }
}

function defaultCache(): string {
  const path = defaultCacheDirectory();
  if (!path.includes("\ufffd")) return path;
  throw new ArgumentError(`the cache folder ${path} is not UTF-8`, {
    why: "a folder would get another name than this one",
    help: "set GRADUS_CACHE to a folder whose name is",
  });
}

/** Largest file that is fetched. */
const MAX_DOWNLOAD = 2 ** 28;

/** Aborts what takes too long: `expect` says what comes next, and within how many seconds. */
class Patience {
  private readonly controller = new AbortController();
  private timer: ReturnType<typeof setTimeout> | undefined;
  readonly signal: AbortSignal;
  /** What did not come, if something did not. */
  missed: string | undefined;

  constructor(signal: AbortSignal | undefined) {
    this.signal = signal ? AbortSignal.any([signal, this.controller.signal]) : this.controller.signal;
  }

  expect(what: string, seconds: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.missed = `${what} within ${seconds} s`;
      this.controller.abort();
    }, seconds * 1000);
  }

  end(): void {
    clearTimeout(this.timer);
  }
}

async function download(url: string, file: string, options: SourceOptions): Promise<Uint8Array> {
  const { signal, timeouts: { connect = 30 } = {} } = options;
  const patience = new Patience(signal);
  try {
    patience.expect("no answer", connect);
    const response = await fetch(url, { signal: patience.signal });
    if (!response.ok || !response.body) throw new Error(`the server answered ${response.status} ${response.statusText}`);
    return await receive(response, file, options, patience);
  } catch (cause) {
    if (signal?.aborted) throw cause;
    const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
    throw new DownloadError(`cannot download ${url}`, {
      why: patience.missed ?? (inner instanceof Error ? inner.message : String(inner)),
      help: "run it again: what came whole is kept; or download it by hand, and give its folder with --data",
      cause,
    });
  } finally {
    patience.end();
  }
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);

/** The bytes of an answer, counted as they come. */
async function receive(response: Response, file: string, options: SourceOptions, patience: Patience): Promise<Uint8Array> {
  const { onProgress, timeouts: { stall = 30 } = {} } = options;
  const length = Number(response.headers.get("content-length"));
  const total = length > 0 ? length : undefined;
  let bytes = new Uint8Array(Math.min(total ?? 2 ** 16, MAX_DOWNLOAD));
  let received = 0;
  const wait = (): void =>
    patience.expect(`after ${megabytes(received)}${total ? ` of ${megabytes(total)}` : ""} MB nothing more came`, stall);
  wait();
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    const needed = received + chunk.length;
    if (needed > MAX_DOWNLOAD) throw new Error(`more than ${MAX_DOWNLOAD} bytes`);
    if (needed > bytes.length) {
      const larger = new Uint8Array(Math.min(2 * needed, MAX_DOWNLOAD));
      larger.set(bytes.subarray(0, received));
      bytes = larger;
    }
    bytes.set(chunk, received);
    received = needed;
    onProgress?.({ file, received, total });
    wait();
  }
  return bytes.subarray(0, received);
}
