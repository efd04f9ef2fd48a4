/** Schedule → program: the target makes calls of kernels, barriers go where one call needs another, and scratch memory is planned. */
import { bytesOf } from "../core/dtype.ts";
import type { LoopModule } from "../kernel/loop.ts";
import type { Buffer, Program } from "../kernel/program.ts";
import type { Schedule } from "../kernel/schedule.ts";
import { planMemory } from "./memory.ts";
import { onceEach } from "./once.ts";
import { type Call, linkSteps } from "./steps.ts";
import type { LoweringContext, Target } from "./target.ts";

export interface LowerOptions {
  /** False: no two scratch buffers share memory. */
  readonly reuse?: boolean;
}

/** The program of a schedule on a target. The schedule's buffers keep their numbers; what the target asks for comes behind them. */
export function lower<M = LoopModule>(schedule: Schedule, target: Target<M>, { reuse = true }: LowerOptions = {}): Program<M> {
  const buffers: Buffer[] = schedule.buffers.map((b) => ({ ...b }));
  const context: LoweringContext = {
    dtypeOf: (b) => buffers[b]!.dtype,
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
  const { steps, codes, lives, work } = linkSteps(calls, buffers);
  const scratchBytes = planMemory(lives, reuse);
  return { codes, buffers, steps, checks: schedule.checks, scratchBytes, threadBytes, work };
}
