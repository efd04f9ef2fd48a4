import { ArgumentError, FormatError } from "../core/errors.ts";
import { needModule } from "../core/host.ts";
import {
  type Checkpoint,
  CheckpointFolder,
  cannot,
  checkpointName,
  checkpointSteps,
  type Damaged,
  isLockName,
  isRealFolder,
  isTemporary,
  NewerFormatError,
  newestCheckpoint,
  overwrite,
  readBytes,
  reason,
  writeAtomically,
} from "../io/index.ts";
import { RunLog } from "./run-log.ts";
import type { RunInfo } from "./stored.ts";

type Warn = (line: string) => void;

/**
 * The folder of a run, which is the truth about it: `run.json`, `metrics.jsonl` (a line for every epoch and some steps),
 * `checkpoints/*.safetensors`, `graph.dot`, `curves.svg`. It may come from anybody: only regular files and real folders in it are
 * read or written, and no link in it is followed.
 */
export class RunFolder {
  readonly path: string;
  info: RunInfo;
  readonly log: RunLog;
  private readonly checkpoints: CheckpointFolder;
  private readonly warn: Warn;
  /** As `run.json` has it. */
  private status: RunInfo["status"];

  private constructor(path: string, info: RunInfo, parts: { checkpoints: CheckpointFolder; log: RunLog }, warn: Warn) {
    this.path = path;
    this.info = info;
    this.checkpoints = parts.checkpoints;
    this.log = parts.log;
    this.warn = warn;
    this.status = info.status;
  }

  /**
   * A new run. The lock comes first and `run.json` last: a folder without it holds nothing, and may be taken for a new run.
   *
   * @throws ArgumentError if there is something in the folder already
   */
  static async create(path: string, info: RunInfo, warn: Warn): Promise<RunFolder> {
    const { recipe } = info;
    const command = `gradus train ${/\.[cm]?[jt]s$/.test(recipe) ? `${recipe} ` : ""}--resume ${path}`;
    await makeFolder(path, `choose another folder with --out, or go on with it: ${command}`);
    return RunFolder.inside(path, warn, async (parts) => {
      const folder = new RunFolder(path, info, parts, warn);
      await folder.update({}).catch(async (error: unknown) => {
        await removeUnused(path);
        throw error;
      });
      return folder;
    });
  }

  /** A run to go on with. @throws ArgumentError if another process is writing in it */
  static async open(path: string, warn: Warn): Promise<RunFolder> {
    await readInfo(path);
    // Read again with the lock held: another process may have ended since.
    return RunFolder.inside(path, warn, async (parts) => new RunFolder(path, await readInfo(path), parts, warn));
  }

  private static async inside(
    path: string,
    warn: Warn,
    make: (parts: { checkpoints: CheckpointFolder; log: RunLog }) => Promise<RunFolder>,
  ): Promise<RunFolder> {
    const checkpoints = await CheckpointFolder.open(`${path}/checkpoints`, { warn });
    let log: RunLog | undefined;
    try {
      await removeTemporary(path);
      log = await RunLog.open(`${path}/metrics.jsonl`);
      return await make({ checkpoints, log });
    } catch (error) {
      await log?.close();
      await checkpoints.close();
      throw error;
    }
  }

  /** A new name in a folder of runs: recipe and time, and a number if that is taken. */
  static async newName(parent: string, recipe: string): Promise<string> {
    const { lstat } = needModule("node:fs/promises");
    const stamp = new Date().toISOString().slice(0, 19).replace("T", "-").replaceAll(":", "");
    for (let n = 1; ; n++) {
      const path = `${parent}/${recipe}-${stamp}${n > 1 ? `-${n}` : ""}`;
      if (!(await lstat(path).catch(() => undefined))) return path;
    }
  }

  async update(changes: Partial<RunInfo>): Promise<void> {
    this.info = { ...this.info, ...changes };
    await this.write("run.json", textOf(this.info));
    this.status = this.info.status;
  }

  /** Marks a run that had begun as failed, on a full disk too: "failed" is shorter than what stood there, so it needs no space. Never throws. */
  async fail(seconds: number): Promise<void> {
    if (this.status !== "running") return;
    const path = `${this.path}/run.json`;
    try {
      await this.update({ status: "failed", seconds });
    } catch (error) {
      await readInfo(this.path)
        .then((info) => overwrite(path, textOf({ ...info, status: "failed" })))
        .catch(() => this.warn(`the run could not be marked as failed: ${reason(error)}`));
    }
  }

  write(name: string, content: string): Promise<void> {
    return writeAtomically(`${this.path}/${name}`, content, { warn: this.warn });
  }

  /** Writes a picture, if there is one, and answers whether it did. A run does not fail for want of it. */
  async draw(name: string, content: () => Promise<string | undefined>): Promise<boolean> {
    try {
      const picture = await content();
      if (picture !== undefined) await this.write(name, picture);
      return picture !== undefined;
    } catch (error) {
      this.miss(name, error);
      return false;
    }
  }

  /** Says that a picture could not be drawn. */
  miss(name: string, error: unknown): void {
    this.warn(`there is no new ${name}: ${reason(error)}`);
  }

  /** Writes a checkpoint. The log is on the disk before: a checkpoint counts its bytes. */
  async save(step: number, tensors: Parameters<CheckpointFolder["save"]>[1], metadata: Readonly<Record<string, string>>): Promise<string> {
    await this.log.sync();
    return this.checkpoints.save(step, tensors, metadata);
  }

  /** Gives the folder back, or removes it if nothing came about. Never throws: there may be an error on its way that matters more. */
  async close({ unused = false }: { unused?: boolean } = {}): Promise<void> {
    // The lock is still ours: nobody else can have begun here.
    if (unused && this.log.length === 0) await removeUnused(this.path);
    await this.log.close();
    await this.checkpoints.close();
  }
}

const textOf = (info: RunInfo): string => `${JSON.stringify(info, null, 2)}\n`;

/** Removes what a write of `run.json` or a picture left that was cut off. */
async function removeTemporary(path: string): Promise<void> {
  const { readdir, rm } = needModule("node:fs/promises");
  for (const name of await readdir(path)) if (isTemporary(name)) await rm(`${path}/${name}`, { force: true }).catch(() => undefined);
}

/** True if nothing came about in a folder: it is empty, or a run was killed there before it wrote its `run.json`. */
async function holdsNothing(path: string): Promise<boolean> {
  const { lstat, readdir } = needModule("node:fs/promises");
  for (const name of await readdir(path)) {
    const found = await lstat(`${path}/${name}`);
    if (found.isFile() && (isTemporary(name) || (name === "metrics.jsonl" && found.size === 0))) continue;
    if (name !== "checkpoints" || !found.isDirectory()) return false;
    if (!(await readdir(`${path}/checkpoints`)).every((inner) => isLockName(inner) || isTemporary(inner))) return false;
  }
  return true;
}

/** Removes a folder that holds no more than a run that made no step: the parameters as they were drawn are no loss. */
async function removeUnused(path: string): Promise<void> {
  const { readdir, rm } = needModule("node:fs/promises");
  try {
    const files = await readdir(path);
    const saved = (await readdir(`${path}/checkpoints`)).filter((name) => !isLockName(name) && name !== checkpointName(0));
    if (saved.length === 0 && files.every((name) => ["checkpoints", "metrics.jsonl", "graph.dot", "run.json"].includes(name)))
      await rm(path, { recursive: true });
  } catch {
    // It stays, then.
  }
}

/** A folder with nothing in it. @throws ArgumentError if it cannot be made, or holds something */
export async function makeFolder(path: string, help: string): Promise<void> {
  const { mkdir } = needModule("node:fs/promises");
  const made = await mkdir(path, { recursive: true }).catch((cause: unknown) => {
    throw cannot(`make the folder ${path}`, cause);
  });
  if (!made && !(await holdsNothing(path)))
    throw new ArgumentError(`${path} exists and is not empty`, { why: "a run never writes over another", help });
}

/** `run.json` of a folder, checked. */
export async function readInfo(path: string): Promise<RunInfo> {
  const file = `${path}/run.json`;
  const { lstat } = needModule("node:fs/promises");
  await lstat(file).catch((cause: unknown) => {
    throw new FormatError(`${path} is no run`, {
      why: `there is no ${file}`,
      help: "give the folder that gradus train named at its end",
      cause,
    });
  });
  const text = new TextDecoder().decode(await readBytes(file, 10_000_000, "refuse"));
  let json: unknown;
  try {
    json = JSON.parse(text, (key, value: unknown) => {
      if (key === "__proto__") throw new SyntaxError("the key __proto__ is not allowed");
      return value;
    });
  } catch (cause) {
    throw new FormatError(`${file}: not valid JSON`, { cause });
  }
  const version = (json as { version?: unknown } | null)?.version;
  if (typeof version === "number" && version > 1)
    throw new NewerFormatError(`${file}: written by a newer gradus (version ${version} of this file)`, {
      why: "this one reads version 1",
      help: "update gradus",
    });
  const { INFO } = await import("./schemas.ts");
  const result = INFO.safeParse(json);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  throw new FormatError(`${file}: ${issue.path.length > 0 ? `${issue.path.join(".")}: ` : ""}${issue.message}`, {
    help: "it should be as gradus wrote it",
  });
}

/** True for a run that was killed before its first checkpoint was written: it has nothing to lose, and begins again. */
export const isUnbegun = async (path: string): Promise<boolean> =>
  !(await isRealFolder(`${path}/checkpoints`)) || (await checkpointSteps(`${path}/checkpoints`)).length === 0;

/** The newest whole checkpoint of a run. @throws FormatError if there is none */
export async function readCheckpoint(path: string, report?: (damaged: Damaged) => void): Promise<Checkpoint> {
  const damaged: Damaged[] = [];
  await isRealFolder(`${path}/checkpoints`);
  const found = await newestCheckpoint(`${path}/checkpoints`, (d) => {
    damaged.push(d);
    report?.(d);
  });
  if (found) return found;
  throw new FormatError(`${path}: no checkpoint`, {
    why:
      damaged.length > 0
        ? `damaged: ${damaged.map((d) => `${d.path}: ${d.reason}`).join("; ")}`
        : "the run ended before its first was written",
    help: "train again",
  });
}
