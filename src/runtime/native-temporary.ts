/** The private folder that compiled code goes to where the cache cannot be used. */
import { DeviceError } from "../core/errors.ts";
import { nodeModule } from "../core/host.ts";
import { faultOfFolder } from "./native-trust.ts";
import { node } from "./node.ts";

/** Folders of processes that are gone stay this long, in milliseconds: their numbers may mean others in another container. */
const STALE = 86_400_000;

/** All threads of a process share one, which its main thread removes at the end; those that a killed process has left go when the next is made. */
export function temporaryFolder(): { readonly folder: string; readonly isNew: boolean } {
  const parent = safeParent();
  const mine = `gradus-${process.pid}-`;
  const entries = node.fs.readdirSync(parent);
  for (const name of entries) if (/^gradus-\d+-/.test(name)) removeStale(node.path.join(parent, name));
  const found = entries
    .filter((name) => name.startsWith(mine))
    .map((name) => node.path.join(parent, name))
    .find((place) => isSafe(place) && isWritable(place));
  const folder = found ?? node.fs.mkdtempSync(node.path.join(parent, mine));
  if (nodeModule("node:worker_threads")?.isMainThread) process.once("exit", () => remove(folder));
  return { folder, isNew: found === undefined };
}

function safeParent(): string {
  const places = [node.os.tmpdir(), "/tmp", "/var/tmp"];
  const parent = places.find((place) => isSafe(place, true));
  if (parent !== undefined) return parent;
  throw new DeviceError("native: there is no safe folder for compiled code", {
    why: `other users can write what stands in ${[...new Set(places)].join(", ")}`,
    help: "set GRADUS_CACHE to a folder that only you can write",
  });
}

function isSafe(folder: string, sticky = false): boolean {
  try {
    return faultOfFolder(folder, { sticky }) === undefined;
  } catch {
    return false;
  }
}

/** Whether files can be made in a folder: one that is trusted may be root's. */
export function isWritable(folder: string): boolean {
  try {
    node.fs.accessSync(folder, node.fs.constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function removeStale(folder: string): void {
  try {
    const { uid, mtimeMs } = node.fs.lstatSync(folder);
    if (uid === process.geteuid?.() && Date.now() - mtimeMs > STALE && !lives(Number(folder.split("-").at(-2)))) remove(folder);
  } catch {
    // Somebody else was faster.
  }
}

function lives(process_: number): boolean {
  try {
    process.kill(process_, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

function remove(folder: string): void {
  try {
    node.fs.rmSync(folder, { recursive: true, force: true });
  } catch {
    // The next one tries again.
  }
}
