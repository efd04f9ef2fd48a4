/**
 * Compiled libraries on disk, one name per kernel. Files appear under their name complete (written elsewhere, then renamed), carry
 * a checksum behind their last byte (which loaders ignore), and several names may be links to one file.
 */
import { node, variables } from "./node.ts";

const CHECKSUM_BYTES = 32;

/** Where the cache is unless said: GRADUS_CACHE, or gradus/ in XDG_CACHE_HOME or ~/.cache. */
export function defaultCacheDirectory(environment = variables("GRADUS_CACHE", "XDG_CACHE_HOME")): string {
  return environment.GRADUS_CACHE || node.path.join(environment.XDG_CACHE_HOME || node.path.join(node.os.homedir(), ".cache"), "gradus");
}

export class NativeCache {
  /** Searched in this order; the last one is written to. */
  readonly directories: readonly string[];
  private counter = 0;

  /** A directory that cannot be written is still read; what is new then goes to a temporary one that goes with the process. */
  constructor(directory: string = defaultCacheDirectory()) {
    this.directories = writable(directory) ? [directory] : [directory, temporary()];
  }

  private get target(): string {
    return this.directories.at(-1)!;
  }

  /** The intact file under a name, if there is one. A damaged one is removed where that is allowed. */
  find(name: string): string | undefined {
    for (const directory of this.directories) {
      const file = node.path.join(directory, name);
      const state = inspect(file);
      if (state === "intact") return file;
      if (state === "damaged") this.drop(file);
    }
    return undefined;
  }

  /** Takes a compiled file in under all these names. */
  store(file: string, names: readonly string[]): void {
    node.fs.appendFileSync(file, checksum(node.fs.readFileSync(file)));
    for (const name of names) this.place(name, (to) => linkOrCopy(file, to));
  }

  /** Puts one file under its name at once, however many processes try. */
  private place(name: string, write: (to: string) => void): void {
    const passing = node.path.join(this.target, `.${name}.${process.pid}.${this.counter++}`);
    node.fs.rmSync(passing, { force: true });
    write(passing);
    node.fs.renameSync(passing, node.path.join(this.target, name));
    // A rename onto a link to the same file leaves both.
    node.fs.rmSync(passing, { force: true });
  }

  drop(file: string): void {
    try {
      node.fs.rmSync(file, { force: true });
    } catch {
      // Not ours to remove: it is written again elsewhere.
    }
  }

  /** A fresh directory on the same file system, for a compiler's files. */
  workspace(): string {
    return node.fs.mkdtempSync(node.path.join(this.target, ".work-"));
  }
}

const checksum = (bytes: Uint8Array): Buffer => node.crypto.createHash("sha256").update(bytes).digest();

function inspect(file: string): "intact" | "damaged" | "absent" {
  let bytes: Buffer;
  try {
    bytes = node.fs.readFileSync(file);
  } catch {
    return "absent";
  }
  const end = bytes.length - CHECKSUM_BYTES;
  return end > 0 && checksum(bytes.subarray(0, end)).equals(bytes.subarray(end)) ? "intact" : "damaged";
}

function linkOrCopy(from: string, to: string): void {
  try {
    node.fs.linkSync(from, to);
  } catch {
    node.fs.copyFileSync(from, to);
  }
}

function writable(directory: string): boolean {
  try {
    node.fs.mkdirSync(directory, { recursive: true });
    node.fs.accessSync(directory, node.fs.constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function temporary(): string {
  const directory = node.fs.mkdtempSync(node.path.join(node.os.tmpdir(), "gradus-"));
  process.once("exit", () => node.fs.rmSync(directory, { recursive: true, force: true }));
  return directory;
}
