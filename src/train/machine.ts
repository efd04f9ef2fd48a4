import { needModule } from "../core/host.ts";

export interface Machine {
  readonly cpu: string;
  /** The instruction sets that matter to kernels. */
  readonly features: readonly string[];
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
  readonly node: string;
}

const FEATURES = [
  "sse4_1",
  "sse4_2",
  "avx",
  "avx2",
  "fma",
  "f16c",
  "avx512f",
  "avx512vl",
  "avx512_bf16",
  "avx_vnni",
  "amx_tile",
  "asimd",
  "sve",
];

/** The machine a run is made on: results are the same bits only on the same target. */
export async function describeMachine(): Promise<Machine> {
  const os = needModule("node:os");
  const { readFile } = needModule("node:fs/promises");
  const text = await readFile("/proc/cpuinfo", "utf8").catch(() => "");
  const flags = new Set((/^(?:flags|Features)\s*:\s*(.*)$/m.exec(text)?.[1] ?? "").split(" "));
  return {
    cpu: os.cpus()[0]?.model.trim() ?? "unknown",
    features: FEATURES.filter((feature) => flags.has(feature)),
    cores: os.availableParallelism(),
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    system: `${os.platform()} ${os.arch()} ${os.release()}`,
    node: process.version,
  };
}
