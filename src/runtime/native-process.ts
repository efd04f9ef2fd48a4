/** Running a compiler, which may hang, write without end or leave children behind. */
import { node, type Variables } from "./node.ts";

export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Why it did not come to an end of its own, if so. */
  readonly trouble?: string;
  readonly hung: boolean;
}

export interface RunOptions {
  /** Milliseconds it may take. */
  readonly limit: number;
  /** Where it runs, and puts temporary files. */
  readonly folder?: string;
  /** Whose PATH it gets. */
  readonly environment?: Variables;
}

const MOST_OUTPUT = 2 ** 24;

/**
 * The folders of the PATH that are absolute. Others stand for the folder a program happens to be started in, where strangers may have put
 * a file called cc or as; an empty one does too.
 */
export const foldersOf = ({ PATH = "" }: Variables): string[] =>
  PATH.split(node.path.delimiter).filter((folder) => node.path.isAbsolute(folder));

/** Runs a program to its end, or to its limit; then its children are killed too. */
export function runBounded([program, ...args]: readonly string[], { limit, folder, environment = process.env }: RunOptions): Ran {
  const options = {
    cwd: folder ?? "/",
    // Messages in English, because some are looked for. Compilers look for their assembler on the PATH.
    env: { ...process.env, PATH: foldersOf(environment).join(":") || "/usr/bin:/bin", LC_ALL: "C", ...(folder ? { TMPDIR: folder } : {}) },
    encoding: "utf8" as const,
    stdio: ["ignore" as const, "pipe" as const, "pipe" as const],
    timeout: Math.ceil(limit),
    killSignal: "SIGKILL" as const,
    maxBuffer: MOST_OUTPUT,
    // A process group of its own, so that all of it can be killed; spawnSync knows it as spawn does, its type does not.
    detached: true,
  };
  const { pid, status, signal, stdout, stderr, error } = node.childProcess.spawnSync(program!, args, options);
  if (error) killGroup(pid);
  const hung = (error as NodeJS.ErrnoException | undefined)?.code === "ETIMEDOUT";
  const trouble = hung
    ? `it did not end within ${Number((limit / 1000).toFixed(1))} s`
    : (error?.message ?? (signal ? `it was killed by ${signal}` : undefined));
  return { status, stdout: stdout ?? "", stderr: stderr ?? "", hung, ...(trouble === undefined ? {} : { trouble }) };
}

function killGroup(leader: number): void {
  // 0 where it could not be started: that would be our own group.
  if (!(leader > 0)) return;
  try {
    process.kill(-leader, "SIGKILL");
  } catch {
    // All of them have ended.
  }
}
