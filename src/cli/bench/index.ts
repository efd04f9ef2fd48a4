/** `gradus bench`: one JSON line for each workload, in the form that other libraries' benchmarks print. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { Command, InvalidArgumentError, Option } from "commander";
import { configure, type Device } from "../../index.ts";
import { message } from "../output.ts";
import { type CpuProbe, line, type Result } from "./measure.ts";
import { WORKLOADS, xorStep } from "./workloads.ts";

const COLD = "cold-start";
const NAMES = [...Object.keys(WORKLOADS), COLD];

interface Options {
  readonly workloads: readonly string[];
  readonly device: Exclude<Device, "auto" | "interpreter">;
  readonly threads: number;
  readonly once?: boolean;
}

/** Runs the workloads named on the command line; the answer is the exit code. */
export async function bench(words: readonly string[]): Promise<number> {
  const options = parse(words);
  configure({ device: options.device, threads: options.threads });
  if (options.once) {
    const { step, x, y } = xorStep();
    await step(x, y).item();
    return 0;
  }
  let failed = 0;
  for (const name of options.workloads) {
    const peer = `gradus-${options.device}`;
    try {
      const result = name === COLD ? coldStart(options) : await WORKLOADS[name]!({ probe, limits: {} });
      console.log(JSON.stringify(line(peer, name, options.threads, result)));
    } catch (error) {
      failed++;
      const note = `FAILED: ${String(error instanceof Error ? error.message : error).split("\n")[0]}`;
      console.log(
        JSON.stringify({ peer, workload: name, threads: options.threads, ms_median: null, ms_min: null, items_per_s: null, note }),
      );
    }
  }
  return failed > 0 ? 1 : 0;
}

function parse(words: readonly string[]): Options {
  const command = new Command("gradus bench")
    .description("times workloads and prints one JSON line for each; run nothing else meanwhile")
    .addOption(new Option("--workloads <names>", "separated by commas").default(NAMES, NAMES.join(",")).argParser(names))
    .addOption(new Option("--device <device>", "what runs the programs").choices(["wasm", "native"]).default("native"))
    .addOption(new Option("--threads <n>", "threads, the caller's among them").default(availableParallelism()).argParser(count))
    .addOption(new Option("--once").hideHelp())
    .configureOutput({ writeErr: (text) => void process.stderr.write(message(text)) })
    // The command line says what exit code that is, when all that was printed is written.
    .exitOverride()
    .parse(words as string[], { from: "user" });
  return command.opts<Options>();
}

function names(text: string): string[] {
  const list = text.split(",").filter(Boolean);
  for (const name of list)
    if (!NAMES.includes(name)) throw new InvalidArgumentError(`There is no workload ${name}; there are ${NAMES.join(", ")}.`);
  return list;
}

function count(text: string): number {
  const n = Number(text);
  if (Number.isInteger(n) && n >= 1) return n;
  throw new InvalidArgumentError("A whole number of at least 1 is needed.");
}

/** CPU seconds of the machine and of this process, where /proc tells. */
const probe: CpuProbe = () => {
  try {
    const all = readFileSync("/proc/stat", "utf8").split("\n")[0]!.split(/\s+/).slice(1, 9).map(Number);
    const idle = all[3]! + all[4]!;
    const { user, system } = process.cpuUsage();
    return { machine: (all.reduce((a, b) => a + b, 0) - idle) / 100, own: (user + system) / 1e6 };
  } catch {
    return null;
  }
};

/** A whole process: start Node, load the library, compile and run one step. */
function coldStart({ device, threads }: Options): Result {
  const program = fileURLToPath(new URL("../../../../bin/gradus.js", import.meta.url));
  const times: number[] = [];
  for (let i = 0; i < 11; i++) {
    const from = performance.now();
    const { status, stderr } = spawnSync(process.execPath, [program, "bench", "--once", "--device", device, "--threads", String(threads)], {
      encoding: "utf8",
    });
    if (status !== 0) throw new Error(stderr.split("\n")[0]);
    // The first one fills the file cache.
    if (i > 0) times.push(performance.now() - from);
  }
  times.sort((a, b) => a - b);
  const timing = { median: times[5]!, min: times[0]!, n: times.length, background: null };
  return { timing, items: 1, unit: "starts", note: "one XOR step in a process of its own" };
}
