import { FormatError, GradusError } from "../core/errors.ts";
import { environment, needModule } from "../core/host.ts";
import { gunzip, readBytes, sha256, writeAtomically } from "../io/index.ts";

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
}

/** The names of `SourceOptions`. */
export const SOURCE_OPTIONS = ["dir", "cache", "url", "onProgress", "signal"] as const;

/**
 * The unpacked bytes of one file of a data set: from `dir`; else from GRADUS_DATA, if it is there; else from the cache; else downloaded,
 * checked, and kept.
 */
export async function dataFile(set: string, file: RemoteFile, options: SourceOptions = {}): Promise<Uint8Array> {
  if (options.dir !== undefined) {
    const found = await findIn(options.dir, set, file.name);
    if (found) return gunzip(await readBytes(found), found);
    throw new FormatError(`${set}: there is no ${file.name} in ${options.dir}`, {
      why: "a folder was given, so nothing is downloaded",
      help: `put it there (plain or .gz; from ${file.url}), or leave the folder out to download it`,
    });
  }
  const everywhere = environment("GRADUS_DATA");
  const found = everywhere && (await findIn(everywhere, set, file.name));
  if (found) return gunzip(await readBytes(found), found);
  return cached(set, file, options);
}

/** The file under its name, with or without .gz, in the folder or in the set's folder within it. */
async function findIn(dir: string, set: string, name: string): Promise<string | undefined> {
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

async function cached(set: string, file: RemoteFile, options: SourceOptions): Promise<Uint8Array> {
  const { mkdir } = needModule("node:fs/promises");
  const folder = `${options.cache ?? (await defaultCache())}/${set}`;
  const path = `${folder}/${file.name}`;
  const kept = await readBytes(path)
    .then(
      (bytes) => gunzip(bytes, path),
      () => undefined,
    )
    .catch(() => undefined);
  if (kept && (await sha256(kept)) === file.sha256) return kept;
  const url = options.url ? `${options.url.replace(/\/$/, "")}/${file.name}` : file.url;
  const packed = await download(url, file.name, options);
  const content = await gunzip(packed, url);
  const sum = await sha256(content);
  if (sum !== file.sha256)
    throw new DownloadError(`${set}: ${url} is not the file it should be`, {
      why: `SHA-256 of the content is ${sum}, not ${file.sha256}`,
      help: "download it elsewhere, and give its folder with --data",
    });
  await mkdir(folder, { recursive: true });
  await writeAtomically(path, packed);
  return content;
}

async function defaultCache(): Promise<string> {
  const { homedir } = needModule("node:os");
  return environment("GRADUS_CACHE") ?? `${environment("XDG_CACHE_HOME") ?? `${homedir()}/.cache`}/gradus`;
}

/** Largest file that is fetched. */
const MAX_DOWNLOAD = 2 ** 28;

async function download(url: string, file: string, { onProgress, signal }: SourceOptions): Promise<Uint8Array> {
  const failed = (why: string, cause?: unknown): DownloadError =>
    new DownloadError(`cannot download ${url}`, { why, help: "download it by hand, and give its folder with --data", cause });
  let response: Response;
  try {
    response = await fetch(url, signal ? { signal } : {});
  } catch (cause) {
    if (signal?.aborted) throw cause;
    const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
    throw failed(inner instanceof Error ? inner.message : String(inner), cause);
  }
  if (!response.ok || !response.body) throw failed(`the server answered ${response.status} ${response.statusText}`);
  const length = Number(response.headers.get("content-length"));
  const total = length > 0 ? length : undefined;
  const chunks: Uint8Array[] = [];
  let received = 0;
  try {
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      chunks.push(chunk);
      received += chunk.length;
      if (received > MAX_DOWNLOAD) throw new Error(`more than ${MAX_DOWNLOAD} bytes`);
      onProgress?.({ file, received, total });
    }
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw failed(cause instanceof Error ? cause.message : String(cause), cause);
  }
  const bytes = new Uint8Array(received);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
