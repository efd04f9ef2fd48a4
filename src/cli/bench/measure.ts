/** Timing one workload, and the JSON line that reports it. */

/** CPU seconds of the whole machine and of this process; null where the system does not say. */
export type CpuProbe = () => { readonly machine: number; readonly own: number } | null;

export interface Timing {
  /** Milliseconds of one call. */
  readonly median: number;
  readonly min: number;
  readonly n: number;
  /** Cores kept busy by other programs meanwhile. */
  readonly background: number | null;
}

export interface MeasureOptions {
  readonly warmup?: number;
  /** At least so many calls and seconds; at most so many seconds. */
  readonly calls?: number;
  readonly seconds?: number;
  readonly limit?: number;
}

/** Warms up, then times `f` until there are enough calls. */
export async function measure(f: () => unknown, probe: CpuProbe, options: MeasureOptions = {}): Promise<Timing> {
  const { warmup = 3, calls = 10, seconds = 1, limit = 15 } = options;
  const begun = performance.now();
  for (let i = 0; i < warmup && performance.now() - begun < limit * 250; i++) await f();
  const times: number[] = [];
  const before = probe();
  const start = performance.now();
  for (;;) {
    const from = performance.now();
    const result = f();
    if (result instanceof Promise) await result;
    const to = performance.now();
    times.push(to - from);
    const elapsed = to - start;
    if (times.length >= 2000 || (times.length >= calls && elapsed >= seconds * 1000) || elapsed > limit * 1000) break;
  }
  const wall = (performance.now() - start) / 1000;
  const after = probe();
  times.sort((a, b) => a - b);
  const others = before && after ? Math.max(0, (after.machine - before.machine - (after.own - before.own)) / wall) : null;
  return { median: times[times.length >> 1]!, min: times[0]!, n: times.length, background: others };
}

export interface Result {
  readonly timing: Timing;
  /** What one call does: so many items of a unit. */
  readonly items: number;
  readonly unit: string;
  readonly flop?: number;
  /** A value that proves that equal work was done: losses of the first steps, an element, a sum. */
  readonly check?: number | readonly number[];
  readonly note?: string;
}

const round = (x: number, digits: number): number => Number(x.toFixed(digits));

/** One line: `peer`, `workload`, `threads`, milliseconds, throughput, `check`. */
export function line(
  peer: string,
  workload: string,
  threads: number,
  { timing, items, unit, flop, check, note = "" }: Result,
): Record<string, unknown> {
  return {
    peer,
    workload,
    threads,
    ms_median: round(timing.median, 4),
    ms_min: round(timing.min, 4),
    items_per_s: Number(((items / timing.median) * 1000).toPrecision(6)),
    unit,
    ...(flop === undefined ? {} : { gflops: round((flop / timing.median) * 1e-6, 2) }),
    n: timing.n,
    bg_cpu: timing.background === null ? null : round(timing.background, 2),
    ...(check === undefined ? {} : { check }),
    note,
  };
}
