/** The system's C compiler: which one, for which machine. */
import type { NativeCache } from "./native-cache.ts";
import { foldersOf, runBounded } from "./native-process.ts";
import { node, type Variables, variables } from "./node.ts";

export interface Toolchain {
  /** The program and what always comes first on its command line. */
  readonly command: readonly string[];
  readonly flags: readonly string[];
  /** Stands for the compiler's version, the instruction sets it targets, and the flags. */
  readonly fingerprint: string;
  /** Bytes of the widest vectors there are; shorter ones may be faster. */
  readonly vectorBytes: 16 | 32 | 64;
  /** Vector registers there are. */
  readonly registers: 16 | 32;
  readonly version: string;
}

/**
 * -O1: vectors, fused multiplications and hoisting are explicit in the loops already, so -O2 makes them no faster and takes half as long again.
 * -ffp-contract=off: a·b − p must round twice unless an fma was asked for. -fwrapv: integers wrap.
 */
const FLAGS = ["-O1", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-fwrapv", "-fPIC", "-shared", "-w"];

/** No loop may become a call of memcpy: tails are a few elements. */
const NO_PATTERNS = { gcc: "-fno-tree-loop-distribute-patterns", clang: "-fno-builtin-memcpy" };

/** Ways to ask for all the machine has; which of them a compiler knows differs. */
const MACHINES = ["-march=native", "-mcpu=native", ""] as const;

/** What there is where nobody has installed a compiler, which is no reason to complain. */
export const NO_COMPILER = "no C compiler (cc, gcc or clang) is on the PATH";

/** How long a compiler may take to answer what it compiles for, in milliseconds. */
const PROBE_LIMIT = 15_000;

/** Finds GRADUS_CC, cc, gcc or clang and asks it about the machine (once: the answer is kept). Otherwise says why there is none. */
export function findToolchain(
  cache: NativeCache,
  environment: Variables = variables("GRADUS_CC", "PATH"),
  limit = PROBE_LIMIT,
): Toolchain | string {
  if (process.platform === "win32") return "the native target needs a Unix shell and a C compiler called as cc";
  const asked = environment.GRADUS_CC;
  const refused = asked ? `GRADUS_CC is ${JSON.stringify(asked)}, which is no working C compiler` : NO_COMPILER;
  let complaint: string | undefined;
  for (const name of asked ? [asked] : ["cc", "gcc", "clang"]) {
    const command = locate(name, environment);
    if (!command) continue;
    const found = probe(command, cache, { environment, limit });
    if (!("complaint" in found)) return found;
    complaint ??= asked ? `${refused}: ${found.complaint}` : `${command.join(" ")} is no working C compiler: ${found.complaint}`;
    if (found.hung) break;
  }
  return complaint ?? refused;
}

/**
 * The words of a command ("gcc", "/opt/my cc", "zig cc"), its program as a path. A name with a slash is a path, from the present folder if it
 * is relative; any other is looked for in the PATH's absolute folders alone.
 */
function locate(name: string, environment: Variables): string[] | undefined {
  for (const words of [[name], name.trim().split(/\s+/)]) {
    const program = words[0]!;
    const places = program.includes("/")
      ? [node.path.resolve(program)]
      : foldersOf(environment).map((directory) => node.path.join(directory, program));
    const path = places.find(executable);
    if (path) return [path, ...words.slice(1)];
  }
  return undefined;
}

function executable(path: string): boolean {
  try {
    node.fs.accessSync(path, node.fs.constants.X_OK);
    return node.fs.statSync(path).isFile();
  } catch {
    return false;
  }
}

/** What a compiler says of itself and the machine. Kept on disk, so everything in it is a choice from a list, or checked text that is only shown. */
interface Answer {
  /** Who answered: the program's path, and its words. */
  readonly command: readonly string[];
  readonly machine: (typeof MACHINES)[number];
  readonly family: keyof typeof NO_PATTERNS;
  readonly version: string;
  readonly vectorBytes: 16 | 32 | 64;
  readonly registers: 16 | 32;
  /** SHA-256 of all its macros. */
  readonly macros: string;
}

const CHECKS: { readonly [K in keyof Answer]: (value: unknown, command: readonly string[]) => boolean } = {
  command: (value, command) => JSON.stringify(value) === JSON.stringify(command),
  machine: (value) => MACHINES.some((machine) => machine === value),
  family: (value) => typeof value === "string" && Object.hasOwn(NO_PATTERNS, value),
  version: (value) => typeof value === "string" && /^[\x20-\x7e]{1,200}$/.test(value),
  vectorBytes: (value) => value === 16 || value === 32 || value === 64,
  registers: (value) => value === 16 || value === 32,
  macros: (value) => typeof value === "string" && /^[0-9a-f]{64}$/.test(value),
};

function isAnswer(value: unknown, command: readonly string[]): value is Answer {
  if (typeof value !== "object" || value === null) return false;
  const names = Object.keys(CHECKS) as (keyof Answer)[];
  const fields = Object.keys(value);
  return (
    fields.length === names.length &&
    names.every((name) => Object.hasOwn(value, name) && CHECKS[name]((value as Record<string, unknown>)[name], command))
  );
}

interface Asking {
  readonly environment: Variables;
  readonly limit: number;
}

interface Refusal {
  readonly complaint: string;
  readonly hung: boolean;
}

function probe(command: readonly string[], cache: NativeCache, asking: Asking): Toolchain | Refusal {
  const answer = recall(command, cache) ?? ask(command, cache, asking);
  if ("complaint" in answer) return answer;
  const { machine, family, version, vectorBytes, registers, macros } = answer;
  const flags = [
    ...FLAGS,
    NO_PATTERNS[family],
    ...(machine ? [machine] : []),
    ...(process.platform === "darwin" ? ["-undefined", "dynamic_lookup"] : []),
  ];
  return {
    command,
    flags,
    version,
    vectorBytes,
    registers,
    fingerprint: digest([command.join(" "), flags.join(" "), macros]).slice(0, 32),
  };
}

const digest = (parts: readonly string[]): string => node.crypto.createHash("sha256").update(parts.join("\0")).digest("hex");

/** What the answer depends on: the compiler's file and the machine's processor. */
function answerName(command: readonly string[]): string {
  const program = node.fs.realpathSync(command[0]!);
  const { size, mtimeMs } = node.fs.statSync(program);
  let flags = "";
  try {
    flags = /^(flags|Features)\s*:.*$/m.exec(node.fs.readFileSync("/proc/cpuinfo", "utf8"))?.[0] ?? "";
  } catch {
    // Only Linux has it.
  }
  const processor = [process.arch, node.os.cpus()[0]?.model ?? "", flags];
  return `compiler-${digest(["answer 3", program, ...command, String(size), String(mtimeMs), ...processor]).slice(0, 32)}.json`;
}

function recall(command: readonly string[], cache: NativeCache): Answer | undefined {
  try {
    const answer: unknown = JSON.parse(cache.read(answerName(command))?.toString("utf8") ?? "null");
    return isAnswer(answer, command) ? answer : undefined;
  } catch {
    // Not JSON: ask again.
    return undefined;
  }
}

function ask(command: readonly string[], cache: NativeCache, { environment, limit }: Asking): Answer | Refusal {
  let complaint = "";
  for (const machine of MACHINES) {
    const words = [...command, ...(machine ? [machine] : []), "-dM", "-E", "-x", "c", "/dev/null"];
    const { status, stdout, stderr, trouble, hung } = runBounded(words, { limit, environment });
    if (status === 0 && !trouble && stdout.includes("__STDC__")) {
      const answer = understood(stdout, command, machine);
      remember(answer, command, cache);
      return answer;
    }
    complaint = trouble ?? (firstLine(stderr) || (status === 0 ? "it does not answer like one" : `it ended with ${status}`));
    if (hung) return { complaint, hung };
  }
  return { complaint, hung: false };
}

export const firstLine = (text: string): string => text.trim().split("\n")[0]!.slice(0, 200);

/** With these, vectors of 64 bytes have all the operations that shorter ones have. */
const LONGEST = ["AVX512F", "AVX512BW", "AVX512DQ", "AVX512VL"];

function understood(macros: string, command: readonly string[], machine: Answer["machine"]): Answer {
  const has = (set: string): boolean => macros.includes(`#define __${set}__ `);
  const version = /__VERSION__ "(.*)"/.exec(macros)?.[1] ?? "";
  return {
    command,
    machine,
    family: /__clang__/.test(macros) ? "clang" : "gcc",
    version: CHECKS.version(version, command) ? version : "unknown version",
    vectorBytes: LONGEST.every((set) => has(set)) ? 64 : has("AVX") ? 32 : 16,
    registers: has("AVX512VL") || has("aarch64") ? 32 : 16,
    macros: digest([macros]),
  };
}

function remember(answer: Answer, command: readonly string[], cache: NativeCache): void {
  try {
    cache.keep(answerName(command), new TextEncoder().encode(JSON.stringify(answer)));
  } catch {
    // No room for it: asked again next time.
  }
}
