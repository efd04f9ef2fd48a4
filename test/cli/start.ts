/** Processes that run the command line as it is built. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { built } from "../built.ts";

const folder = built();

/** A recipe of test/cli, as a user's module of the built library. */
export const recipeFile = (name: string): string => join(folder, "test/cli", name);

/** A recipe that trains in a moment. */
export const RECIPE = recipeFile("recipe-for-tests.ts");

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** The command line, to be followed by its words. */
export const COMMAND = [process.execPath, join(folder, "bin/gradus.js")] as const;

export const environment = (more: Record<string, string> = {}): NodeJS.ProcessEnv => ({
  ...process.env,
  GRADUS_DATA: "",
  npm_command: "",
  ...more,
});

/** Runs a command to its end. */
export function run(cwd: string, command: readonly string[]): Promise<Ended> {
  const child = spawn(command[0]!, command.slice(1), { cwd, env: environment() });
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (out += chunk));
  child.stderr.on("data", (chunk: Buffer) => (err += chunk));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, out, err }));
  });
}

export const gradus = (cwd: string, ...words: string[]): Promise<Ended> => run(cwd, [...COMMAND, ...words]);

/** The command line within a shell script, as "$@"; more words come after those of the script. */
export const inShell = (cwd: string, script: string, ...words: string[]): Promise<Ended> =>
  run(cwd, ["bash", "-c", script, "bash", ...COMMAND, ...words]);
