/** Schedule → program: the target makes calls of kernels, barriers go where one call needs another, and scratch memory is planned. */
import { bytesOf } from "../core/dtype.ts";
import type { LoopModule } from "../kernel/loop.ts";
import type { Buffer, Code, Program } from "../kernel/program.ts";
import type { Schedule } from "../kernel/schedule.ts";
import { planMemory } from "./memory.ts";
import { onceEach } from "./once.ts";
import { contentOf, setApart, settledBuffers } from "./setup.ts";
import { type Call, linkSteps } from "./steps.ts";
import type { LoweringContext, Target } from "./target.ts";

export interface LowerOptions {
  /** False: no two scratch buffers share memory. */
  readonly reuse?: boolean;
  /** Bytes of results that may be kept from one run to the next; 0, as by default: the program has no setup. */
  readonly keep?: number;
}

/** The program of a schedule on a target. The schedule's buffers keep their numbers; what the target asks for comes behind them. */
export function lower<M = LoopModule>(schedule: Schedule, target: Target<M>, { reuse = true, keep = 0 }: LowerOptions = {}): Program<M> {
  const buffers: Buffer[] = schedule.buffers.map((b) => ({ ...b }));
  const kernels = schedule.steps.flatMap((step) => (step.do === "commit" ? [] : step.kernels));
  const settled = keep > 0 ? settledBuffers(kernels, buffers) : new Set<number>();
  const context: LoweringContext = {
    dtypeOf: (b) => buffers[b]!.dtype,
    sizeOf: (b) => buffers[b]!.bytes / bytesOf(buffers[b]!.dtype),
    isSettled: (b) => settled.has(b),
    allocate: (bytes, dtype) =>
      buffers.push({ id: buffers.length, dtype, bytes: Math.ceil(bytes / bytesOf(dtype)) * bytesOf(dtype), place: "scratch" }) - 1,
  };
  const calls: (Call<M> | "commit")[] = [];
  let threadBytes = 0;
  const once = onceEach(target);
  schedule.steps.forEach((step, from) => {
    if (step.do === "commit") return calls.push("commit");
    for (const kernel of step.kernels) {
      const lowered = once.lower(kernel, context);
      threadBytes = Math.max(threadBytes, lowered.threadBytes);
      for (const call of lowered.calls) calls.push({ label: step.label, ...call, from });
    }
  });
  const apart = setApart(calls, buffers, keep);
  for (const b of apart.kept) buffers[b] = { ...buffers[b]!, place: "kept" };
  const codes: Code<M>[] = [];
  const { steps, lives, work } = linkSteps(apart.rest, buffers, codes);
  const first = apart.setup.length > 0 ? linkSteps(apart.setup, buffers, codes) : undefined;
  // The two never run side by side, and nothing that is not kept goes from one to the other.
  const scratchBytes = Math.max(planMemory(lives, reuse), first ? planMemory(first.lives, reuse) : 0);
  const numbers = new Map(codes.map(({ key }, i) => [key, i]));
  const kept = apart.kept.map((buffer) => ({ buffer, content: contentOf(buffer, apart.setup, (key) => numbers.get(key)!) }));
  const setup = first && { steps: first.steps, work: first.work, kept };
  return { codes, buffers, steps, setup, checks: schedule.checks, scratchBytes, threadBytes, work };
}
