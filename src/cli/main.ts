import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { ArgumentError, GradusError } from "../core/errors.ts";
import { visible } from "../core/visible.ts";
import { reason } from "../io/index.ts";
import { helpLayout } from "./help.ts";
import { message } from "./output.ts";
import { codeOfLostOutput } from "./signals.ts";
import { packageVersion } from "./version.ts";

/** Exit codes: 0 success, 1 failure, 2 a command line that makes no sense, 128 + n stopped by signal n. */
const USAGE = 2;

type Add = (program: Command, words: readonly string[]) => void | Promise<void>;

/** The commands in the order of the help. Each is loaded only where it is named, or where all are listed. */
const COMMANDS: Readonly<Record<string, () => Promise<Add>>> = {
  train: async () => (await import("./train.ts")).addTrain,
  evaluate: async () => (await import("./evaluate.ts")).addEvaluate,
  predict: async () => (await import("./predict.ts")).addPredict,
  explain: async () => (await import("./explain.ts")).addExplain,
  search: async () => (await import("./search.ts")).addSearch,
  bench: async () => addBench,
};

/** The commands that a command line needs to know. */
function neededCommands([first = ""]: readonly string[]): (() => Promise<Add>)[] {
  if (["--version", "-V"].includes(first)) return [];
  return Object.hasOwn(COMMANDS, first) ? [COMMANDS[first]!] : Object.values(COMMANDS);
}

async function makeProgram(words: readonly string[]): Promise<Command> {
  const program = new Command("gradus")
    .description("Describe a network, train it, look at how it went, use it.")
    .version(packageVersion())
    .showSuggestionAfterError()
    .showHelpAfterError("(--help shows what there is)")
    .configureHelp(helpLayout)
    .configureOutput({
      writeOut: (text) => void process.stdout.write(visible(text)),
      writeErr: (text) => void process.stderr.write(message(text)),
    })
    .exitOverride();
  for (const load of neededCommands(words)) await (await load())(program, words);
  // Subcommands report to the same place.
  for (const command of program.commands) command.exitOverride().showSuggestionAfterError();
  return program;
}

/** `gradus bench …`: the arguments go to `bench/index`, which prints and answers an exit code. */
function addBench(program: Command): void {
  program
    .command("bench")
    .description("the benchmarks: gradus bench --workloads NAMES --device D --threads N")
    .allowUnknownOption()
    .allowExcessArguments()
    .helpOption(false)
    .action(async () => {
      const file = new URL(`./bench/index${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);
      const { bench } = (await import(file.href)) as { bench(words: readonly string[]): Promise<number> };
      process.exitCode = await bench(process.argv.slice(3));
    });
}

/** Runs a command line; the process's exit code says how it went. */
export async function main(words: readonly string[]): Promise<void> {
  const output = watchOutput();
  try {
    refuseBroken(words);
    const program = await makeProgram(words);
    if (words.length === 0) program.outputHelp();
    else await program.parseAsync(words as string[], { from: "user" });
  } catch (error) {
    process.exitCode = report(error);
  }
  const lost = await output();
  if (!lost) return;
  process.exitCode = codeOfLostOutput(lost);
  if (lost.code !== "EPIPE")
    report(
      new ArgumentError(`cannot write to standard output: ${reason(lost)}`, {
        why: "what was to be said there is lost",
        help: "send it to where there is room, and ask again",
      }),
    );
}

let isWatched = false;
let lostOutput: NodeJS.ErrnoException | undefined;

/** Answers a function that waits until all is written, and tells what went wrong. */
function watchOutput(): () => Promise<NodeJS.ErrnoException | undefined> {
  const { stdout, stderr } = process;
  if (!isWatched) {
    isWatched = true;
    stdout.on("error", (error) => {
      lostOutput ??= error;
    });
    // There is no place left to say it.
    stderr.on("error", () => undefined);
  }
  return async () => {
    if (stdout.writableNeedDrain) await new Promise((resolve) => stdout.once("drain", resolve).once("error", resolve));
    // Errors of what was written are told after the present turn.
    await new Promise((resolve) => setImmediate(resolve));
    return lostOutput;
  };
}

/**
 * Names whose bytes are not UTF-8 come from Node with U+FFFD in their place: another name than the user's.
 *
 * @throws ArgumentError for such a word
 */
function refuseBroken(words: readonly string[]): void {
  const broken = words.find((word) => word.includes("\ufffd"));
  if (broken === undefined) return;
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(readFileSync("/proc/self/cmdline"));
  } catch {
    throw new ArgumentError(`${broken} is not UTF-8`, {
      why: "a file would get another name than this one",
      help: "rename it, or go to its folder and use a name in UTF-8",
    });
  }
}

/** Errors go to standard error: a user's in words, ours with a stack. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE;
  const text =
    error instanceof GradusError
      ? `error: ${error.message}`
      : `error: ${error instanceof Error ? error.stack : String(error)}\n  help: this is a bug in gradus, or in the recipe`;
  process.stderr.write(message(text));
  return 1;
}
