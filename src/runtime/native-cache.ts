/**
 * What the native device keeps on disk: compiled libraries, one name per kernel, and what compilers answered. It is loaded as code, so
 * nothing is read that anybody but this user and root could have written. Files appear under their name complete (written elsewhere, then
 * renamed), carry a checksum behind their last byte (which loaders ignore), and several names may be links to one file.
 */
import { defaultCacheDirectory } from "../core/cache-folder.ts";
import { warnOnce } from "../core/warn.ts";
import { sweep } from "./native-sweep.ts";
import { isWritable, temporaryFolder } from "./native-temporary.ts";
import { faultOfFolder, readTrusted } from "./native-trust.ts";
import { node } from "./node.ts";

const CHECKSUM_BYTES = 32;
const DAY = 86_400_000;

const opened = new Map<string, NativeCache>();

export class NativeCache {
  private readonly directory: string;
  /** Whether new files go to the folder it is for. */
  private writable = false;
  private temporary: string | undefined;
  /** Why new files do not go there, for whoever should know; told when the first one goes elsewhere. */
  private notice: string | undefined;
  private swept = false;
  private checked: { readonly main: string | undefined } | undefined;

  /** A folder that cannot be written is still read; what is new then goes to a temporary one that goes with the process. */
  constructor(directory: string = defaultCacheDirectory()) {
    this.directory = directory;
  }

  /** The cache of this process for where the environment says. */
  static standard(): NativeCache {
    const directory = defaultCacheDirectory();
    const cache = opened.get(directory) ?? new NativeCache(directory);
    opened.set(directory, cache);
    return cache;
  }

  /** The file of this name, intact and nobody else's, if there is one. Others are removed where that is allowed. */
  find(name: string): string | undefined {
    return this.look(name)?.file;
  }

  /** The bytes kept under a name, likewise. */
  read(name: string): Buffer | undefined {
    return this.look(name)?.content;
  }

  /** Takes a compiled file in under all these names. Throws the system's error where there is no room. */
  store(file: string, names: readonly string[]): void {
    node.fs.appendFileSync(file, checksum(node.fs.readFileSync(file)));
    node.fs.chmodSync(file, 0o700);
    for (const name of names) this.place(name, (to) => linkOrCopy(file, to));
    if (this.notice !== undefined) warnOnce("native cache", this.notice);
    this.sweepOnce();
  }

  /** Keeps bytes under a name. */
  keep(name: string, content: Uint8Array): void {
    this.place(name, (to) => node.fs.writeFileSync(to, Buffer.concat([content, checksum(content)]), { flag: "wx", mode: 0o600 }));
  }

  /** Removes what stands at a path of the cache, whatever it is. */
  drop(file: string): void {
    try {
      node.fs.rmSync(file, { recursive: true, force: true });
    } catch {
      // Not ours to remove: it is written again elsewhere.
    }
  }

  /** A fresh folder on the same file system, for a compiler's files. */
  workspace(): string {
    return node.fs.mkdtempSync(node.path.join(this.target(), ".work-"));
  }

  /** From now on new files go to the temporary folder, because of this; the first that does is told of. False if they do already. */
  retreat(why: string): boolean {
    if (!this.writable) return false;
    this.writable = false;
    this.notice = `compiled kernels cannot be kept in ${this.directory}: ${why}; they are compiled again in each process`;
    return true;
  }

  /** The folder it is for; undefined where that is not to be trusted or cannot be read. Checked once: from then on only we and root can change it. */
  private main(): string | undefined {
    if (!this.checked) {
      this.checked = { main: this.openMain() };
      this.writable = this.checked.main !== undefined && isWritable(this.checked.main);
    }
    return this.checked.main;
  }

  private openMain(): string | undefined {
    try {
      const fault = faultOfFolder(this.directory, { make: true });
      if (fault === undefined) return this.directory;
      this.notice = `the cache of compiled kernels ${this.directory} is not used: ${fault}; nothing in it is read, and kernels are compiled again in each process (to mend it: let nobody else write there, or name another folder in GRADUS_CACHE)`;
    } catch {
      // It cannot be made: there is nothing to read.
    }
    return undefined;
  }

  private target(): string {
    const main = this.main();
    if (this.writable && main !== undefined) return main;
    if (this.temporary === undefined) {
      const { folder, isNew } = temporaryFolder();
      this.temporary = folder;
      // Another thread of this process has made it, and told.
      if (!isNew) this.notice = undefined;
    }
    return this.temporary;
  }

  private look(name: string): { readonly file: string; readonly content: Buffer } | undefined {
    for (const directory of [this.main(), this.temporary]) {
      if (directory === undefined) continue;
      const file = node.path.join(directory, name);
      const read = readTrusted(file);
      if (read === undefined) continue;
      if ("bytes" in read && isIntact(read.bytes)) {
        if (Date.now() - read.modified > DAY) touch(file);
        return { file, content: read.bytes.subarray(0, -CHECKSUM_BYTES) };
      }
      if ("fault" in read && read.foreign)
        warnOnce("native cache", `${read.fault}, in the cache of compiled kernels: it is not read, and made again`);
      this.drop(file);
    }
    return undefined;
  }

  /** Puts one file under its name at once, however many threads and processes try. */
  private place(name: string, write: (to: string) => void): void {
    const to = node.path.join(this.target(), name);
    const passing = node.path.join(this.target(), `.${name}.${node.crypto.randomBytes(8).toString("hex")}`);
    try {
      write(passing);
      try {
        node.fs.renameSync(passing, to);
      } catch (error) {
        if (!node.fs.lstatSync(to, { throwIfNoEntry: false })?.isDirectory()) throw error;
        this.drop(to);
        node.fs.renameSync(passing, to);
      }
    } finally {
      // A rename onto a link to the same file leaves both.
      node.fs.rmSync(passing, { force: true });
    }
  }

  private sweepOnce(): void {
    if (this.swept || !this.writable) return;
    this.swept = true;
    try {
      sweep(this.directory);
    } catch {
      // It cannot be listed.
    }
  }
}

const checksum = (bytes: Uint8Array): Buffer => node.crypto.createHash("sha256").update(bytes).digest();

function isIntact(bytes: Buffer): boolean {
  const end = bytes.length - CHECKSUM_BYTES;
  return end > 0 && checksum(bytes.subarray(0, end)).equals(bytes.subarray(end));
}

/** Says that a file is still used: what is not goes first. */
function touch(file: string): void {
  try {
    node.fs.utimesSync(file, new Date(), new Date());
  } catch {
    // Root's, or on a disk that cannot be written.
  }
}

function linkOrCopy(from: string, to: string): void {
  try {
    node.fs.linkSync(from, to);
  } catch {
    node.fs.copyFileSync(from, to);
  }
}
