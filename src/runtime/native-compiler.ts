/** C text → functions in this process, by way of the system's compiler and the cache. */
import { DeviceError } from "../core/errors.ts";
import type { Code } from "../kernel/program.ts";
import { renderC } from "../render/c.ts";
import { NativeCache } from "./native-cache.ts";
import { runBounded } from "./native-process.ts";
import { SHIM_SOURCE, type Shim } from "./native-shim.ts";
import { findToolchain, NO_COMPILER, type Toolchain } from "./native-toolchain.ts";
import { fastestVectors } from "./native-vectors.ts";
import { node, whyNoNode } from "./node.ts";

/** What is compiled: an exported symbol (also the library's name in the cache), and its size for a fair division. */
interface Unit {
  readonly symbol: string;
  readonly weight: number;
}

/** How long a compiler may take before it is taken for hung, in milliseconds. */
export interface Limits {
  readonly probe: number;
  readonly compile: number;
  /** In addition, for each byte of the text: fifty times what a slow machine needs. */
  readonly perByte: number;
}

const LIMITS: Limits = { probe: 15_000, compile: 30_000, perByte: 0.25 };

/** Bytes of text that are worth a compiler process of their own. */
const LEAST_GROUP = 4_000;

export class NativeCompiler {
  readonly toolchain: Toolchain;
  readonly shim: Shim;
  /** How many kernels were compiled, not found. */
  compiled = 0;
  private readonly cache: NativeCache;
  private readonly limits: Limits;
  private readonly addresses = new Map<string, number>();

  /** Throws DeviceError where there is no compiler, or it cannot make a library that loads. */
  constructor(cache = NativeCache.standard(), limits: Limits = LIMITS) {
    const toolchain = toolchainHere(cache, limits);
    if (typeof toolchain === "string") throw unavailable(toolchain);
    this.toolchain = toolchain;
    this.cache = cache;
    this.limits = limits;
    this.shim = this.loadShim();
  }

  /** The address of each kernel's function. Missing ones are compiled together, on all cores. */
  functions(codes: readonly Code[]): number[] {
    const missing = codes.filter((code, i) => !this.addresses.has(code.key) && codes.findIndex((c) => c.key === code.key) === i);
    const units = new Map<string, Unit & { code: Code }>();
    for (const code of missing) {
      const text = renderC(code);
      const symbol = `gradus_${this.key(text)}`;
      units.set(code.key, { symbol, weight: text.length, code });
    }
    // By symbol: kernels of different keys may have the same text.
    const absent = new Map([...units.values()].filter((unit) => !this.find(unit)).map((unit) => [unit.symbol, unit]));
    if (absent.size) this.compile([...absent.values()]);
    for (const [key, unit] of units) {
      const address = this.addresses.get(unit.symbol) ?? this.find(unit);
      if (!address)
        throw new DeviceError(`native: a kernel was compiled but cannot be loaded`, {
          why: this.why || "what was written cannot be read back",
          help: "name another compiler in GRADUS_CC, or use the wasm device",
        });
      this.addresses.set(key, address);
    }
    return codes.map((code) => this.addresses.get(code.key)!);
  }

  /** Bytes of the vectors that are the fastest here. */
  get vectorBytes(): 16 | 32 | 64 {
    return fastestVectors(this.toolchain, this.cache, this.shim, (codes) => this.functions(codes));
  }

  private why = "";

  private key(text: string): string {
    return node.crypto.createHash("sha256").update(this.toolchain.fingerprint).update("\0").update(text).digest("hex").slice(0, 40);
  }

  /** The function from the cache, 0 if it is not there or its library does not load (which is then thrown away). */
  private find({ symbol }: Unit): number {
    const known = this.addresses.get(symbol);
    if (known) return known;
    const file = this.cache.find(`${symbol}.so`);
    if (!file) return 0;
    const library = this.shim.open(file);
    const address = typeof library === "number" ? this.shim.symbol(library, symbol) : 0;
    if (address) this.addresses.set(symbol, address);
    else {
      // Closed, so that the name means a new file when it is loaded again.
      if (typeof library === "number") this.shim.close(library);
      this.why = typeof library === "string" ? library : "its library has no such function";
      this.cache.drop(file);
    }
    return address;
  }

  /** One translation unit per core, each with its share of the text; every kernel is then a name of its own for its unit's library. */
  private compile(units: readonly (Unit & { code: Code })[]): void {
    const groups = divide(units, node.os.availableParallelism());
    const symbols = new Map(units.map(({ code, symbol }) => [code, symbol]));
    const texts = groups.map((group) =>
      renderC(
        group.map(({ code }) => code),
        (code) => symbols.get(code)!,
      ),
    );
    this.compiled += units.length;
    this.compileTexts(
      texts,
      groups.map((group) => group.map(({ symbol }) => `${symbol}.so`)),
    );
  }

  /** Compiles into the cache, or into the temporary folder where the cache has no room. */
  private compileTexts(texts: readonly string[], names: readonly (readonly string[])[]): void {
    for (;;)
      try {
        this.compileOnce(texts, names);
        return;
      } catch (error) {
        const why = noRoom(error);
        if (why === undefined) throw error;
        if (!this.cache.retreat(why))
          throw new DeviceError("native: there is no room for compiled kernels", { why, help: NO_ROOM_HELP, cause: error });
      }
  }

  private compileOnce(texts: readonly string[], names: readonly (readonly string[])[]): void {
    const work = this.cache.workspace();
    try {
      const libraries = compileAll(this.toolchain, work, texts, this.limits);
      for (const [i, library] of libraries.entries()) this.cache.store(library, names[i]!);
    } finally {
      this.cache.drop(work);
    }
  }

  private retreatFrom(failure: unknown): boolean {
    const why = messageOf(failure);
    return /failed to map segment|not permitted/i.test(why) && this.cache.retreat(why);
  }

  private loadShim(): Shim {
    const name = `shim_${this.key(SHIM_SOURCE)}.node`;
    let failure: unknown;
    // A file that does not load is made again once, then elsewhere if its disk forbids programs.
    for (let attempt = 0; attempt < 2 || (attempt === 2 && this.retreatFrom(failure)); attempt++) {
      if (!this.cache.find(name)) this.compileTexts([SHIM_SOURCE], [[name]]);
      const file = this.cache.find(name);
      if (!file) continue;
      try {
        const addon = { exports: {} };
        process.dlopen(addon, file);
        return addon.exports as Shim;
      } catch (cause) {
        failure = cause;
        this.cache.drop(file);
      }
    }
    throw new DeviceError("native: the compiled library cannot be loaded", {
      why: failure === undefined ? "what was written cannot be read back" : messageOf(failure),
      help: "set GRADUS_CACHE to a directory from which programs may be run, or use the wasm device",
      cause: failure,
    });
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const NO_ROOM_HELP = "make room, set GRADUS_CACHE to a folder on another disk, or use the wasm device";

/** What the system said where a file could not be written; compilers say it in words. */
function noRoom(error: unknown): string | undefined {
  if (error instanceof DeviceError)
    return /No space left on device|Disk quota exceeded|Read-only file system|Input\/output error/.exec(error.why ?? "")?.[0];
  return typeof (error as NodeJS.ErrnoException | undefined)?.syscall === "string" ? messageOf(error) : undefined;
}

/** Whether kernels can be compiled here and for how long vectors, or why not. @internal For tests. */
export function nativeAvailable(
  cache?: NativeCache,
): { readonly available: true; readonly vectorBytes: 16 | 32 | 64 } | { readonly available: false; readonly reason: string } {
  const toolchain = toolchainHere(cache, LIMITS);
  return typeof toolchain === "string" ? { available: false, reason: toolchain } : { available: true, vectorBytes: toolchain.vectorBytes };
}

/** Whether there is nothing wrong: nobody has installed a compiler, or the host is not one for machine code. */
export const isQuiet = (reason: string | undefined): boolean => reason === NO_COMPILER || reason === whyNoNode();

const toolchainHere = (cache: NativeCache | undefined, limits: Limits): Toolchain | string =>
  whyNoNode() || findToolchain(cache ?? NativeCache.standard(), undefined, limits.probe);

function unavailable(reason: string): DeviceError {
  return new DeviceError("the native device is not available here", {
    why: reason,
    help: 'install a C compiler (Debian: apt install gcc) or name one in GRADUS_CC; device "wasm" needs none',
  });
}

/** Groups of about equal weight, largest first to the lightest. */
function divide<T extends Unit>(units: readonly T[], cores: number): T[][] {
  const total = units.reduce((sum, { weight }) => sum + weight, 0);
  const count = Math.max(1, Math.min(cores, units.length, Math.floor(total / LEAST_GROUP)));
  const groups = Array.from({ length: count }, () => ({ weight: 0, units: [] as T[] }));
  for (const unit of [...units].sort((a, b) => b.weight - a.weight)) {
    const lightest = groups.reduce((least, group) => (group.weight < least.weight ? group : least));
    lightest.units.push(unit);
    lightest.weight += unit.weight;
  }
  return groups.map((group) => group.units);
}

const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

/** Libraries for these texts, in this order; all compilers at once, and back when all are done. */
function compileAll({ command, flags }: Toolchain, work: string, texts: readonly string[], limits: Limits): string[] {
  const jobs = texts.map((text, i) => {
    const job = { source: node.path.join(work, `${i}.c`), library: node.path.join(work, `${i}.so`) };
    node.fs.writeFileSync(job.source, text, { flag: "wx", mode: 0o600 });
    return job;
  });
  const line = ({ library, source }: (typeof jobs)[number], i: number): string =>
    `{ ${[...command, ...flags, "-o", library, source].map(quoted).join(" ")} >&2; echo "${i} $?"; } &`;
  const limit = limits.compile + limits.perByte * Math.max(0, ...texts.map((text) => text.length));
  const ran = runBounded(["/bin/sh", "-c", `${jobs.map(line).join("\n")}\nwait`], { limit, folder: work });
  const done = new Set(ran.stdout.split("\n"));
  jobs.forEach(({ library }, i) => {
    if (!ran.trouble && done.has(`${i} 0`) && node.fs.existsSync(library)) return;
    throw new DeviceError(`native: ${command.join(" ")} could not compile a kernel`, {
      why: ran.trouble ?? (ran.stderr.trim().split("\n").slice(0, 5).join("\n") || "it wrote nothing and said nothing"),
      help: "name another compiler in GRADUS_CC, or use the wasm device",
    });
  });
  return jobs.map(({ library }) => library);
}
