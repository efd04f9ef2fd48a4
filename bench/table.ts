/**
 * Two libraries side by side: `npx tsx bench/table.ts ours.jsonl theirs.jsonl [GFLOP/s of the machine's peak on one thread]`. Both files hold the
 * lines that `gradus bench` prints; the table has milliseconds (medians), how many times faster ours is, and the share of the peak.
 */
import { readFileSync } from "node:fs";

interface Line {
  readonly workload: string;
  readonly threads: number;
  readonly ms_median: number | null;
  readonly gflops?: number;
  readonly check?: number | readonly number[];
  readonly bg_cpu?: number | null;
}

const read = (path: string): Map<string, Line> =>
  new Map(
    readFileSync(path, "utf8")
      .split("\n")
      .filter((text) => text.startsWith("{"))
      .map((text) => JSON.parse(text) as Line)
      .map((line) => [`${line.workload} ${line.threads}`, line]),
  );

const [ours, theirs, peak] = process.argv.slice(2);
if (!ours || !theirs) throw new Error("npx tsx bench/table.ts ours.jsonl theirs.jsonl [peak]");
const other = read(theirs);
const rows = [["workload", "threads", "ms", "theirs", "ratio", "GFLOP/s", "of peak", "busy", "check"]];
for (const [key, line] of read(ours)) {
  const their = other.get(key);
  const both = line.ms_median !== null && their?.ms_median != null;
  const same =
    line.check === undefined || their?.check === undefined
      ? ""
      : agree(line.check, their.check)
        ? "same"
        : `${line.check} ≠ ${their.check}`;
  rows.push([
    line.workload,
    String(line.threads),
    line.ms_median?.toFixed(3) ?? "failed",
    their?.ms_median?.toFixed(3) ?? "-",
    both ? (their.ms_median! / line.ms_median!).toFixed(2) : "-",
    line.gflops?.toFixed(0) ?? "-",
    line.gflops && peak ? `${((100 * line.gflops) / (Number(peak) * line.threads)).toFixed(0)} %` : "-",
    line.bg_cpu?.toFixed(2) ?? "-",
    same,
  ]);
}
console.log(
  rows
    .map((r) => `| ${r.join(" | ")} |`)
    .toSpliced(1, 0, `|${"---|".repeat(rows[0]!.length)}`)
    .join("\n"),
);

/** Sums in another order differ in the last of their digits. */
function agree(a: number | readonly number[], b: number | readonly number[]): boolean {
  const [x, y] = [[a].flat(), [b].flat()] as [number[], number[]];
  return x.every((v, i) => Math.abs(v - y[i]!) <= 2e-4 * Math.max(1, Math.abs(v)));
}
