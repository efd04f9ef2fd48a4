import { link, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { ArgumentError } from "../core/errors.ts";
import { codeOf } from "./files.ts";

interface Owner {
  readonly pid: number;
  readonly host: string;
  /** When the process began, in the system's own clock ticks: a number that is used again is told apart. */
  readonly began: string;
}

/** Process start time (field 22 of /proc/PID/stat on Linux); empty where it cannot be told. */
async function beganAt(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
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
    const owner = JSON.parse(await readFile(lock, "utf8")) as Owner;
    return Number.isInteger(owner.pid) && owner.pid > 0 ? owner : undefined;
  } catch {
    return undefined;
  }
}

const NAME = /^lock-(\d{1,9})$/;

async function generations(path: string): Promise<number[]> {
  return (await readdir(path)).flatMap((name) => NAME.exec(name)?.[1] ?? []).map(Number);
}

/**
 * Takes a folder for this process, and answers the function that gives it back. `lock-7` names the owner; the highest number counts.
 * Who finds its owner gone makes `lock-8`, which only one can (a hard link is exclusive, and the file appears whole). Numbers never go
 * down, a released lock stays as a marker: so nobody can remove a lock that another has just taken.
 *
 * @throws ArgumentError if another living process holds it.
 */
export async function lockFolder(path: string): Promise<() => Promise<void>> {
  const mine: Owner = { pid: process.pid, host: hostname(), began: await beganAt(process.pid) };
  const temporary = `${path}/lock.${process.pid}-${crypto.randomUUID()}.tmp`;
  await writeFile(temporary, JSON.stringify(mine), { flag: "wx" });
  try {
    for (;;) {
      const highest = Math.max(0, ...(await generations(path)));
      const owner = highest > 0 ? await ownerOf(`${path}/lock-${highest}`) : undefined;
      if (owner && (await isAlive(owner))) throw inUse(path, owner, highest);
      const lock = `${path}/lock-${highest + 1}`;
      try {
        await link(temporary, lock);
      } catch (error) {
        if (codeOf(error) === "EEXIST") continue;
        throw error;
      }
      const now = await generations(path);
      if (now.some((n) => n > highest + 1)) await rm(lock, { force: true });
      else {
        for (const n of now) if (n <= highest) await rm(`${path}/lock-${n}`, { force: true });
        return () => release(lock);
      }
    }
  } finally {
    await rm(temporary, { force: true });
  }
}

async function release(lock: string): Promise<void> {
  const marker = `${lock}.${crypto.randomUUID()}.tmp`;
  await writeFile(marker, '{"released":true}');
  await rename(marker, lock);
}

function inUse(path: string, owner: Owner, generation: number): ArgumentError {
  return new ArgumentError(`${path} is in use by process ${owner.pid} on ${owner.host}`, {
    why: "two runs in one folder would mix their checkpoints",
    help: `wait for it, use another folder, or delete ${path}/lock-${generation} if you know that it has ended`,
  });
}
