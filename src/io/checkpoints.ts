import { FormatError } from "../core/errors.ts";
import { type FileCalls, nodeFiles, readBytes, writeAtomically } from "./files.ts";
import { decodeSafetensors, encodeSafetensors, type StoredTensor, type TensorFile } from "./safetensors.ts";

export interface Checkpoint extends TensorFile {
  readonly step: number;
  readonly path: string;
}

/** What `newest` passed over, and why. */
export interface Damaged {
  readonly path: string;
  readonly reason: string;
}

const NAME = /^step-(\d{1,15})\.safetensors$/;
const nameOf = (step: number): string => `step-${String(step).padStart(9, "0")}.safetensors`;

/**
 * A folder of checkpoints, `step-000000123.safetensors`. A file under such a name is complete: it was renamed there after its bytes
 * were safe. One process writes at a time.
 */
export class CheckpointFolder {
  readonly path: string;
  readonly keep: number;
  private readonly release: () => Promise<void>;
  private readonly calls: FileCalls;

  private constructor(path: string, keep: number, release: () => Promise<void>, calls: FileCalls) {
    this.path = path;
    this.keep = keep;
    this.release = release;
    this.calls = calls;
  }

  /** Opens for writing: creates the folder, locks it, and removes what an interrupted write left. `keep` newest ones stay. */
  static async open(path: string, options: { keep?: number; calls?: FileCalls } = {}): Promise<CheckpointFolder> {
    const { mkdir, readdir, rm } = await import("node:fs/promises");
    const { lockFolder } = await import("./lock.ts");
    await mkdir(path, { recursive: true });
    const release = await lockFolder(path);
    for (const name of await readdir(path))
      if (name.startsWith("step-") && name.endsWith(".tmp")) await rm(`${path}/${name}`, { force: true });
    return new CheckpointFolder(path, Math.max(1, options.keep ?? 3), release, options.calls ?? (await nodeFiles()));
  }

  /** Writes one, whole or not at all; then removes those that are no longer wanted. */
  async save(step: number, tensors: ReadonlyMap<string, StoredTensor>, metadata: Readonly<Record<string, string>> = {}): Promise<string> {
    const path = `${this.path}/${nameOf(step)}`;
    await writeAtomically(path, await encodeSafetensors(tensors, metadata), this.calls);
    await this.retain();
    return path;
  }

  /** Old ones go only after the newest was read back and found good: what is on the disk counts, not what was meant. */
  private async retain(): Promise<void> {
    const all = await stepsIn(this.path);
    if (all.length <= this.keep) return;
    const newest = `${this.path}/${nameOf(all[0]!)}`;
    try {
      await decodeSafetensors(await readBytes(newest), { name: newest, checksum: "required" });
    } catch {
      return;
    }
    for (const step of all.slice(this.keep)) await this.calls.remove(`${this.path}/${nameOf(step)}`);
  }

  close(): Promise<void> {
    return this.release();
  }
}

/** Steps of the checkpoints in a folder, newest first. */
async function stepsIn(path: string): Promise<number[]> {
  const { readdir } = await import("node:fs/promises");
  const names = await readdir(path).catch(() => [] as string[]);
  return names
    .flatMap((name) => NAME.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => b - a);
}

/** The newest checkpoint that is whole, if there is one; damaged ones are reported and passed over. Needs no lock. */
export async function newestCheckpoint(
  path: string,
  report: (damaged: Damaged) => void = () => undefined,
): Promise<Checkpoint | undefined> {
  for (const step of await stepsIn(path)) {
    const file = `${path}/${nameOf(step)}`;
    try {
      return { step, path: file, ...(await decodeSafetensors(await readBytes(file), { name: file, checksum: "required" })) };
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      report({ path: file, reason: error.what });
    }
  }
  return undefined;
}
