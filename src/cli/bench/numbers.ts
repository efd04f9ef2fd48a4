/** The numbers that all libraries' benchmarks compute with, and what a workload is. */
import { sizeOf } from "../../core/shape.ts";
import { type Tensor, tensor } from "../../index.ts";
import type { CpuProbe, MeasureOptions, Result } from "./measure.ts";

/** Pseudo-random float32 numbers, uniform in [−scale, scale): a hash (murmur3's finaliser) of the index. */
export function fill(seed: number, count: number, scale = 1): Float32Array<ArrayBuffer> {
  const out = new Float32Array(count);
  const base = Math.imul(seed, 0x9e3779b9);
  for (let i = 0; i < count; i++) {
    let x = (i + base) | 0;
    x ^= x >>> 16;
    x = Math.imul(x, 0x85ebca6b);
    x ^= x >>> 13;
    x = Math.imul(x, 0xc2b2ae35);
    x ^= x >>> 16;
    out[i] = (((x >>> 0) / 4294967296) * 2 - 1) * scale;
  }
  return out;
}

export const filled = (seed: number, shape: readonly number[], scale = 1): Tensor => tensor(fill(seed, sizeOf(shape), scale), shape);

export const labels = (seed: number, count: number, classes: number): Int32Array<ArrayBuffer> =>
  Int32Array.from(fill(seed, count), (v) => Math.min(Math.floor(((v + 1) / 2) * classes), classes - 1));

export interface Context {
  readonly probe: CpuProbe;
  readonly limits: MeasureOptions;
}

export type Workload = (context: Context) => Promise<Result>;
