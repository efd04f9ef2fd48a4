/**
 * What a program computes, as a plain value: kernels over named buffers in the order in which they run, and where the commit stands.
 * Nothing in it knows a target: addresses, threads, packing and the scratch they need come with the lowering.
 */
import type { Kernel } from "./kernel.ts";
import type { Buffer, Check } from "./program.ts";

export interface Schedule {
  /** Numbered by their place in this list. */
  readonly buffers: readonly Buffer[];
  readonly steps: readonly ScheduleStep[];
  readonly checks: readonly Check[];
}

export type ScheduleStep =
  /** Kernels that run one after another and write one value, or several at once. */
  | { readonly do: "kernels"; readonly label: string; readonly kernels: readonly Kernel[] }
  /** Nothing below is done if a check has failed: variables are written only below. */
  | { readonly do: "commit" };
