import { z } from "zod";
import { ArgumentError, FormatError } from "../core/errors.ts";
import { type Checkpoint, CheckpointFolder, type Damaged, newestCheckpoint, readBytes, writeAtomically } from "../io/index.ts";

const INFO = z.strictObject({
  /** Of this file. */
  version: z.literal(1),
  gradus: z.string(),
  recipe: z.string(),
  options: z.record(z.string(), z.union([z.number(), z.string(), z.boolean()])),
  seed: z.int().min(0),
  epochs: z.int().min(0),
  batchSize: z.int().min(1),
  /** The share of the training data kept for validation; 0: the test set is scored after each epoch. */
  validation: z.number().min(0).max(1),
  patience: z.int().min(1).nullable(),
  data: z.string().nullable(),
  device: z.string(),
  threads: z.int().min(1).nullable(),
  machine: z.record(z.string(), z.unknown()),
  started: z.string(),
  finished: z.string().nullable(),
  status: z.enum(["running", "done", "stopped early", "interrupted", "failed"]),
  seconds: z.number(),
  scores: z.record(z.string(), z.number().nullable()),
});

/** What `run.json` holds: configuration, versions, machine, outcome. */
export type RunInfo = Readonly<z.infer<typeof INFO>>;

/**
 * The folder of a run, which is the truth about it: `run.json`, `metrics.jsonl` (a line for every epoch and some steps),
 * `checkpoints/*.safetensors`, `graph.dot`, `curves.svg`.
 */
export class RunFolder {
  readonly path: string;
  info: RunInfo;
  private readonly checkpoints: CheckpointFolder;
  /** Bytes of `metrics.jsonl` so far. */
  logged: number;

  private constructor(path: string, info: RunInfo, checkpoints: CheckpointFolder, logged: number) {
    this.path = path;
    this.info = info;
    this.checkpoints = checkpoints;
    this.logged = logged;
  }

  /** A new run. @throws ArgumentError if there is something in the folder already */
  static async create(path: string, info: RunInfo): Promise<RunFolder> {
    await makeFolder(path, `choose another folder with --out, or go on with it: gradus train --resume ${path}`);
    const folder = new RunFolder(path, info, await CheckpointFolder.open(`${path}/checkpoints`), 0);
    await folder.write("metrics.jsonl", "");
    await folder.update({});
    return folder;
  }

  /** A run to go on with. @throws ArgumentError if another process is writing in it */
  static async open(path: string): Promise<RunFolder> {
    const info = await readInfo(path);
    const { stat } = await import("node:fs/promises");
    const size = await stat(`${path}/metrics.jsonl`).then(
      (s) => s.size,
      () => 0,
    );
    return new RunFolder(path, info, await CheckpointFolder.open(`${path}/checkpoints`), size);
  }

  /** A new name in a folder of runs: recipe and time, and a number if that is taken. */
  static async newName(parent: string, recipe: string): Promise<string> {
    const { stat } = await import("node:fs/promises");
    const stamp = new Date().toISOString().slice(0, 19).replace("T", "-").replaceAll(":", "");
    for (let n = 1; ; n++) {
      const path = `${parent}/${recipe}-${stamp}${n > 1 ? `-${n}` : ""}`;
      if (!(await stat(path).catch(() => undefined))) return path;
    }
  }

  async update(changes: Partial<RunInfo>): Promise<void> {
    this.info = { ...this.info, ...changes };
    await this.write("run.json", `${JSON.stringify(this.info, null, 2)}\n`);
  }

  write(name: string, content: string): Promise<void> {
    return writeAtomically(`${this.path}/${name}`, content);
  }

  /** Appends a line to `metrics.jsonl`. No times in it: the same run writes the same bytes. */
  async log(line: Readonly<Record<string, unknown>>): Promise<void> {
    const { appendFile } = await import("node:fs/promises");
    const text = `${JSON.stringify(line)}\n`;
    await appendFile(`${this.path}/metrics.jsonl`, text);
    this.logged += new TextEncoder().encode(text).length;
  }

  /** Forgets lines that were logged after the checkpoint a run goes on from. */
  async rewindLog(bytes: number): Promise<void> {
    const { truncate } = await import("node:fs/promises");
    if (bytes < this.logged) await truncate(`${this.path}/metrics.jsonl`, bytes);
    this.logged = Math.min(this.logged, bytes);
  }

  save(step: number, tensors: Parameters<CheckpointFolder["save"]>[1], metadata: Readonly<Record<string, string>>): Promise<string> {
    return this.checkpoints.save(step, tensors, metadata);
  }

  close(): Promise<void> {
    return this.checkpoints.close();
  }

  /** Removes a closed folder in which nothing came about: the data were missing, say. */
  async removeIfUnused(): Promise<void> {
    const { readdir, rm } = await import("node:fs/promises");
    const files = (await readdir(this.path)).sort().join();
    const saved = (await readdir(`${this.path}/checkpoints`)).filter((name) => !name.startsWith("lock"));
    if (this.logged === 0 && saved.length === 0 && files === "checkpoints,metrics.jsonl,run.json") await rm(this.path, { recursive: true });
  }
}

/** A folder with nothing in it. @throws ArgumentError if it cannot be made, or holds something */
export async function makeFolder(path: string, help: string): Promise<void> {
  const { mkdir, readdir } = await import("node:fs/promises");
  const made = await mkdir(path, { recursive: true }).catch((cause: unknown) => {
    throw new ArgumentError(`cannot make the folder ${path}: ${cause instanceof Error ? cause.message : cause}`, {
      help: "choose another with --out",
      cause,
    });
  });
  if (!made && (await readdir(path)).length > 0)
    throw new ArgumentError(`${path} exists and is not empty`, { why: "a run never writes over another", help });
}

/** `run.json` of a folder, checked. */
export async function readInfo(path: string): Promise<RunInfo> {
  const file = `${path}/run.json`;
  const { access } = await import("node:fs/promises");
  await access(file).catch((cause: unknown) => {
    throw new FormatError(`${path} is no run`, {
      why: `there is no ${file}`,
      help: "give the folder that gradus train named at its end",
      cause,
    });
  });
  const text = new TextDecoder().decode(await readBytes(file, 10_000_000));
  let json: unknown;
  try {
    json = JSON.parse(text, (key, value: unknown) => {
      if (key === "__proto__") throw new SyntaxError("the key __proto__ is not allowed");
      return value;
    });
  } catch (cause) {
    throw new FormatError(`${file}: not valid JSON`, { cause });
  }
  const result = INFO.safeParse(json);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  throw new FormatError(`${file}: ${issue.path.length > 0 ? `${issue.path.join(".")}: ` : ""}${issue.message}`, {
    help: "it should be as gradus wrote it",
  });
}

/** The newest whole checkpoint of a run. @throws FormatError if there is none */
export async function readCheckpoint(path: string, report?: (damaged: Damaged) => void): Promise<Checkpoint> {
  const damaged: Damaged[] = [];
  const found = await newestCheckpoint(`${path}/checkpoints`, (d) => {
    damaged.push(d);
    report?.(d);
  });
  if (found) return found;
  throw new FormatError(`${path}: no checkpoint`, {
    why: damaged.length > 0 ? `damaged: ${damaged.map((d) => d.reason).join("; ")}` : "the run ended before its first was written",
    help: "train again",
  });
}
