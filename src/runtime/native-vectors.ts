/**
 * Which vectors are the fastest. A processor that has registers of 64 bytes may multiply them at twice the rate, at the same rate in two halves,
 * or run slower as a whole; neither its name (virtual machines give any) nor its instruction sets tell. So a chain of fused multiply-adds is timed.
 */
import { iadd, imul, int, type LoopModule, type Statement, type Vec, vec } from "../kernel/loop.ts";
import type { Code } from "../kernel/program.ts";
import type { NativeCache } from "./native-cache.ts";
import type { Shim } from "./native-shim.ts";
import type { Toolchain } from "./native-toolchain.ts";

/** Independent sums: more than two multipliers with a latency of four or five take. */
const SUMS = 12;
/** Steps of 64 bytes: some microseconds, so that hardly any is interrupted. */
const STEPS = 1_000;
/** Both widths take turns, and the least time of each counts: whatever else the machine does disturbs both. */
const ROUNDS = 100;
/** Twice the rate must show, less a clock that long vectors slow down. */
const WORTH = 0.8;

/** Bytes of the vectors that kernels should use: 64 if they are worth it, as measured once on this machine. */
export function fastestVectors(
  { vectorBytes, fingerprint }: Toolchain,
  cache: NativeCache,
  shim: Shim,
  compile: (codes: readonly Code[]) => number[],
): 16 | 32 | 64 {
  if (vectorBytes < 64) return vectorBytes;
  const name = `vectors-${fingerprint}.json`;
  const known = cache.read(name)?.toString("utf8");
  if (known === "32" || known === "64") return known === "32" ? 32 : 64;
  const [half, whole] = leastTimes(shim, compile([chains(32), chains(64)]));
  const fastest = whole! < WORTH * half! ? 64 : 32;
  try {
    cache.keep(name, new TextEncoder().encode(String(fastest)));
  } catch {
    // No room for it: measured again next time.
  }
  return fastest;
}

/** Milliseconds that equal work takes in each kernel. */
function leastTimes(shim: Shim, kernels: readonly number[]): number[] {
  const pool = shim.openPool(1);
  const memory = new Int32Array(1024);
  // The operands and sums stand behind the argument block; the first kernel's vectors are half as long.
  memory.set([64, 2 * STEPS, 64, STEPS]);
  shim.setHeap(pool, new Uint8Array(memory.buffer));
  const least = kernels.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < ROUNDS; round++)
    kernels.forEach((kernel, i) => {
      const from = performance.now();
      shim.callOnce(pool, kernel, i * 8, 0, 1, 0);
      least[i] = Math.min(least[i]!, performance.now() - from);
    });
  shim.closePool(pool);
  return least;
}

/** sum_j = x · y + sum_j, over and over: as fast as the machine multiplies. */
function chains(vectorBytes: 32 | 64): Code {
  const [at, i] = [int("at"), int("i")];
  const [x, y] = [vec("x", "f32"), vec("y", "f32")];
  const sums = Array.from({ length: SUMS }, (_, j) => vec(`sum_${j}`, "f32"));
  const place = (j: number) => iadd(at, imul(j, vectorBytes));
  const load = (j: number): Vec => ({ op: "load", dtype: "float32", at: place(j), form: "vector", lane: "f32" });
  const body: Statement[] = [
    { do: "int", local: at, value: { op: "argument", i: 0, as: "address" } },
    { do: "vec", local: x, value: load(0) },
    { do: "vec", local: y, value: load(1) },
    ...sums.map((local, j): Statement => ({ do: "vec", local, value: load(2 + j) })),
    {
      do: "for",
      local: i,
      from: 0,
      to: { op: "argument", i: 1, as: "size" },
      step: 1,
      body: sums.map((local) => ({ do: "vec", local, value: { op: "fma", args: [x, y, local], lane: "f32" } })),
    },
    ...sums.map((value, j): Statement => ({ do: "store", dtype: "float32", at: place(2 + j), value, form: "vector" })),
  ];
  const entry: LoopModule["entry"] = { name: "kernel", parameters: ["arguments", "begin", "end", "thread"].map(int), body };
  return { key: `chains of ${vectorBytes} bytes`, module: { lanes: vectorBytes / 4, helpers: [], entry } };
}
