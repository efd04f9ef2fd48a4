import { Command, CommanderError } from "commander";
import { GradusError } from "../core/errors.ts";
import { addExplain } from "./explain.ts";
import { helpLayout } from "./help.ts";
import { addSearch } from "./search.ts";
import { addTrain } from "./train.ts";
import { addEvaluate, addPredict } from "./use.ts";
import { packageVersion } from "./version.ts";

/** Exit codes: 0 success, 1 failure, 2 a command line that makes no sense, 128 + n stopped by signal n. */
const USAGE = 2;

async function makeProgram(words: readonly string[]): Promise<Command> {
  const program = new Command("gradus")
    .description("Describe a network, train it, look at how it went, use it.")
    .version(packageVersion())
    .showSuggestionAfterError()
    .showHelpAfterError("(--help shows what there is)")
    .configureHelp(helpLayout)
    .exitOverride();
  await addTrain(program, words);
  addEvaluate(program);
  addPredict(program);
  addExplain(program);
  await addSearch(program, words);
  addBench(program);
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
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exitCode = 141;
  });
  try {
    const program = await makeProgram(words);
    if (words.length === 0) program.outputHelp();
    else await program.parseAsync(words as string[], { from: "user" });
  } catch (error) {
    process.exitCode = report(error);
  }
}

/** Errors go to standard error: a user's in words, ours with a stack. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE;
  if (error instanceof GradusError) process.stderr.write(`error: ${error.message}\n`);
  else
    process.stderr.write(
      `error: ${error instanceof Error ? error.stack : String(error)}\n  help: this is a bug in gradus, or in the recipe\n`,
    );
  return 1;
}
