import { FormatError } from "../core/errors.ts";
import { needModule } from "../core/host.ts";
import { cannot, codeOf, reason, toConsole } from "./failures.ts";
import { type FileCalls, nodeFiles, type WriteOptions, writeAtomically } from "./files.ts";
import { lockFolder } from "./lock.ts";
import { checkpointName, isTemporary, stepInName } from "./names.ts";
import { isRealFolder, MAX_FILE, readBytes } from "./read.ts";
import { decodeSafetensors, encodeSafetensors, NewerFormatError, type StoredTensor, type TensorFile } from "./safetensors.ts";

export interface Checkpoint extends TensorFile {
  readonly step: number;
  readonly path: string;
}

/** What `newest` passed over, and why. */
export interface Damaged {
  readonly path: string;
  readonly reason: string;
}

interface Writing {
  readonly calls: FileCalls;
  readonly warn: (line: string) => void;
}

/** The bytes of a checkpoint, decoded. It is a file of its own: no link is followed. */
const readFile = async (path: string): Promise<TensorFile> =>
  decodeSafetensors(await readBytes(path, MAX_FILE, "refuse"), { name: path, checksum: "required" });

/**
 * A folder of checkpoints, `step-000000123.safetensors`. A file under such a name is complete: it was renamed there after its bytes
 * were safe. One process writes at a time.
 */
export class CheckpointFolder {
  readonly path: string;
  readonly keep: number;
  private readonly release: () => Promise<void>;
  private readonly options: Writing;

  private constructor(path: string, keep: number, release: () => Promise<void>, options: Writing) {
    this.path = path;
    this.keep = keep;
    this.release = release;
    this.options = options;
  }

  /**
   * Opens for writing: creates the folder, locks it, and removes what an interrupted write left. `keep` newest ones stay.
   *
   * @throws FormatError for a path that is a link or no folder; ArgumentError if it cannot be made, or another process writes there
   */
  static async open(path: string, options: WriteOptions & { keep?: number } = {}): Promise<CheckpointFolder> {
    const { mkdir, readdir, rm } = needModule("node:fs/promises");
    if (!(await isRealFolder(path)))
      await mkdir(path, { recursive: true }).catch((cause: unknown) => {
        throw cannot(`make the folder ${path}`, cause);
      });
    const release = await lockFolder(path);
    const { calls = await nodeFiles(), warn = toConsole } = options;
    for (const name of await readdir(path))
      if (isTemporary(name))
        await rm(`${path}/${name}`, { force: true }).catch((error: unknown) => warn(`cannot remove ${path}/${name}: ${reason(error)}`));
    return new CheckpointFolder(path, Math.max(1, options.keep ?? 3), release, { calls, warn });
  }

  /** Writes one, whole or not at all; then removes those that are no longer wanted. */
  async save(step: number, tensors: ReadonlyMap<string, StoredTensor>, metadata: Readonly<Record<string, string>> = {}): Promise<string> {
    const path = `${this.path}/${checkpointName(step)}`;
    await writeAtomically(path, await encodeSafetensors(tensors, metadata), this.options);
    await this.retain().catch((error: unknown) => {
      this.options.warn(`old checkpoints in ${this.path} cannot be removed: ${reason(error)}`);
    });
    return path;
  }

  /** Old ones go only after the newest was read back and found good: what is on the disk counts, not what was meant. */
  private async retain(): Promise<void> {
    const all = await checkpointSteps(this.path);
    if (all.length <= this.keep) return;
    await readFile(`${this.path}/${checkpointName(all[0]!)}`);
    for (const step of all.slice(this.keep)) await this.options.calls.remove(`${this.path}/${checkpointName(step)}`);
  }

  /** Gives the folder back. Never throws: there may be an error on its way that matters more. */
  close(): Promise<void> {
    return this.release();
  }
}

/** Steps of the checkpoints in a folder, newest first; none where there is no folder. */
export async function checkpointSteps(path: string): Promise<number[]> {
  const { readdir } = needModule("node:fs/promises");
  const names = await readdir(path).catch((cause: unknown) => {
    if (codeOf(cause) === "ENOENT") return [];
    throw new FormatError(`cannot read ${path}: ${reason(cause)}`, { cause });
  });
  return names.flatMap((name) => stepInName(name) ?? []).sort((a, b) => b - a);
}

/**
 * The newest checkpoint that is whole, if there is one; damaged ones are reported and passed over. Needs no lock.
 *
 * @throws FormatError for one of a newer gradus: to go on from an older one would undo its work
 */
export async function newestCheckpoint(
  path: string,
  report: (damaged: Damaged) => void = () => undefined,
): Promise<Checkpoint | undefined> {
  for (const step of await checkpointSteps(path)) {
    const file = `${path}/${checkpointName(step)}`;
    try {
      return { step, path: file, ...(await readFile(file)) };
    } catch (error) {
      if (!(error instanceof FormatError) || error instanceof NewerFormatError) throw error;
      report({ path: file, reason: error.what.replace(`cannot read ${file}: `, "").replace(`${file}: `, "") });
    }
  }
  return undefined;
}
