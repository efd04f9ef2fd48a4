/** The system's C compiler: which one, for which machine. */
import type { NativeCache } from "./native-cache.ts";
import { node, variables } from "./node.ts";

export interface Toolchain {
  /** The program and what always comes first on its command line. */
  readonly command: readonly string[];
  readonly flags: readonly string[];
  /** Stands for the compiler's version, the instruction sets it targets, and the flags. */
  readonly fingerprint: string;
  /** Bytes of the widest vectors kernels should use. */
  readonly vectorBytes: 16 | 32;
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

/** Finds GRADUS_CC, cc, gcc or clang and asks it about the machine (once: the answer is cached). Otherwise says why there is none. */
export function findToolchain(cache: NativeCache, environment = variables("GRADUS_CC", "PATH")): Toolchain | string {
  if (process.platform === "win32") return "the native target needs a Unix shell and a C compiler called as cc";
  const asked = environment.GRADUS_CC;
  for (const name of asked ? [asked] : ["cc", "gcc", "clang"]) {
    const command = locate(name, environment);
    const found = command && probe(command, cache);
    if (found) return found;
  }
  return asked
    ? `GRADUS_CC is ${JSON.stringify(asked)}, which is no working C compiler`
    : "no C compiler (cc, gcc or clang) is on the PATH";
}

/** The words of a command ("gcc", "/opt/my cc", "zig cc"), its program as a path. */
function locate(name: string, environment: Readonly<Record<string, string | undefined>>): string[] | undefined {
  for (const words of [[name], name.trim().split(/\s+/)]) {
    const program = words[0]!;
    const places = node.path.isAbsolute(program)
      ? [program]
      : (environment.PATH ?? "").split(node.path.delimiter).map((directory) => node.path.join(directory, program));
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

interface Answer {
  readonly machine: readonly string[];
  readonly macros: string;
}

function probe(command: readonly string[], cache: NativeCache): Toolchain | undefined {
  const answer = recall(command, cache) ?? ask(command, cache);
  if (!answer) return undefined;
  const { machine, macros } = answer;
  const flags = [
    ...FLAGS,
    /__clang__/.test(macros) ? NO_PATTERNS.clang : NO_PATTERNS.gcc,
    ...machine,
    ...(process.platform === "darwin" ? ["-undefined", "dynamic_lookup"] : []),
  ];
  const version = /__VERSION__ "(.*)"/.exec(macros)?.[1] ?? "unknown version";
  return {
    command,
    flags,
    version,
    fingerprint: digest([command.join(" "), flags.join(" "), macros]),
    vectorBytes: /^#define __AVX__ /m.test(macros) ? 32 : 16,
    registers: /^#define __(AVX512VL|aarch64)__ /m.test(macros) ? 32 : 16,
  };
}

const digest = (parts: readonly string[]): string => node.crypto.createHash("sha256").update(parts.join("\0")).digest("hex").slice(0, 32);

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
  return `compiler-${digest([program, ...command.slice(1), String(size), String(mtimeMs), process.arch, node.os.cpus()[0]?.model ?? "", flags])}.json`;
}

function recall(command: readonly string[], cache: NativeCache): Answer | undefined {
  for (const directory of cache.directories)
    try {
      const answer: Answer = JSON.parse(node.fs.readFileSync(node.path.join(directory, answerName(command)), "utf8"));
      if (Array.isArray(answer.machine) && typeof answer.macros === "string") return answer;
    } catch {
      // Not there, or not readable: ask again.
    }
  return undefined;
}

function ask(command: readonly string[], cache: NativeCache): Answer | undefined {
  for (const machine of [["-march=native"], ["-mcpu=native"], []]) {
    const { status, stdout } = node.childProcess.spawnSync(
      command[0]!,
      [...command.slice(1), ...machine, "-dM", "-E", "-x", "c", "/dev/null"],
      {
        encoding: "utf8",
        maxBuffer: 2 ** 24,
      },
    );
    if (status !== 0 || !stdout.includes("__STDC__")) continue;
    const answer = { machine, macros: stdout };
    const file = node.path.join(cache.directories.at(-1)!, answerName(command));
    try {
      node.fs.writeFileSync(`${file}.${process.pid}`, JSON.stringify(answer));
      node.fs.renameSync(`${file}.${process.pid}`, file);
    } catch {
      // Asked again next time.
    }
    return answer;
  }
  return undefined;
}
