import type { FileHandle } from "node:fs/promises";
import { ArgumentError, FormatError } from "../core/errors.ts";
import { needModule } from "../core/host.ts";
import { cannot, codeOf } from "./failures.ts";
import { isLockTemporary, numberOfLock } from "./names.ts";
import { readBytes } from "./read.ts";

const files = () => needModule("node:fs/promises");
const hostname = (): string => needModule("node:os").hostname();

interface Owner {
  readonly pid: number;
  readonly host: string;
  /** When the process began, in the system's own clock ticks: a number that is used again is told apart. */
  readonly began: string;
}

/** Process start time (field 22 of /proc/PID/stat on Linux); empty where it cannot be told. */
async function beganAt(pid: number): Promise<string> {
  const bytes = await readBytes(`/proc/${pid}/stat`, 10_000).catch(() => new Uint8Array(0));
  const text = new TextDecoder().decode(bytes);
  return text.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}

async function isAlive(owner: Owner): Promise<boolean> {
  if (owner.host !== hostname()) return true;
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    return codeOf(error) === "EPERM";
  }
  return owner.began === "" || owner.began === (await beganAt(owner.pid));
}

/** Who holds a lock; nobody if it was released, or is not a lock. */
async function ownerOf(lock: string): Promise<Owner | undefined> {
  try {
    const owner = JSON.parse(new TextDecoder().decode(await readBytes(lock, 10_000, "refuse"))) as Owner;
    return Number.isInteger(owner.pid) && owner.pid > 0 ? owner : undefined;
  } catch {
    return undefined;
  }
}

const HIGHEST = 999_999_999;

const generations = async (path: string): Promise<number[]> => (await files().readdir(path)).flatMap((name) => numberOfLock(name) ?? []);

/**
 * Takes a folder for this process, and answers the function that gives it back. `lock-7` names the owner; the highest number counts.
 * Who finds its owner gone makes `lock-8`, which only one can (a hard link is exclusive, and the file appears whole). Numbers never go
 * down, a released lock stays as an empty marker: so nobody can remove a lock that another has just taken.
 *
 * @throws ArgumentError if another living process holds it, or if the lock cannot be written.
 */
export async function lockFolder(path: string): Promise<() => Promise<void>> {
  const owner: Owner = { pid: process.pid, host: hostname(), began: await beganAt(process.pid) };
  const temporary = `${path}/lock.${process.pid}-${crypto.randomUUID()}.tmp`;
  let file: FileHandle | undefined;
  try {
    file = await files().open(temporary, "wx");
    await file.writeFile(JSON.stringify(owner));
    const lock = await take(path, temporary);
    await removeStale(path, temporary);
    let held: FileHandle | undefined = file;
    // Once only: the lock's name may be another's afterwards.
    return async () => {
      const mine = held;
      held = undefined;
      if (mine) await release(mine, lock);
    };
  } catch (cause) {
    await file?.close().catch(() => undefined);
    if (cause instanceof ArgumentError || cause instanceof FormatError) throw cause;
    throw cannot(`lock ${path}`, cause, "a run's folder is locked, so that two runs cannot mix their checkpoints");
  } finally {
    await files()
      .rm(temporary, { force: true })
      .catch(() => undefined);
  }
}

/** Makes the next lock from the temporary file that names us; answers its path. */
async function take(path: string, temporary: string): Promise<string> {
  for (;;) {
    const highest = Math.max(0, ...(await generations(path)));
    if (highest >= HIGHEST)
      throw new FormatError(`${path}/lock-${highest}: the last number a lock can have`, { help: "delete it, if no run is writing there" });
    const owner = highest > 0 ? await ownerOf(`${path}/lock-${highest}`) : undefined;
    if (owner && (await isAlive(owner))) throw inUse(path, owner, highest);
    const lock = `${path}/lock-${highest + 1}`;
    try {
      await files().link(temporary, lock);
    } catch (error) {
      if (codeOf(error) === "EEXIST") continue;
      throw error;
    }
    const now = await generations(path);
    if (now.some((n) => n > highest + 1)) await files().rm(lock, { force: true });
    else {
      for (const n of now)
        if (n <= highest)
          await files()
            .rm(`${path}/lock-${n}`, { force: true })
            .catch(() => undefined);
      return lock;
    }
  }
}

/** Removes what processes left that were killed while they took or released this lock; those of living ones stay. */
async function removeStale(path: string, own: string): Promise<void> {
  for (const name of await files().readdir(path)) {
    const file = `${path}/${name}`;
    if (!isLockTemporary(name) || file === own) continue;
    const pid = Number(/^lock\.(\d+)-/.exec(name)?.[1] ?? 0);
    const owner = (await ownerOf(file)) ?? { pid, host: hostname(), began: "" };
    if (pid === 0 || !(await isAlive(owner)))
      await files()
        .rm(file, { force: true })
        .catch(() => undefined);
  }
}

/** Needs no space on the disk, and never throws: a lock that cannot be emptied ends with its process. */
async function release(file: FileHandle, lock: string): Promise<void> {
  await file.truncate(0).catch(() =>
    files()
      .rm(lock, { force: true })
      .catch(() => undefined),
  );
  await file.close().catch(() => undefined);
}

function inUse(path: string, owner: Owner, generation: number): ArgumentError {
  return new ArgumentError(`${path} is in use by process ${owner.pid} on ${owner.host}`, {
    why: "two runs in one folder would mix their checkpoints",
    help: `wait for it, use another folder, or delete ${path}/lock-${generation} if you know that it has ended`,
  });
}
