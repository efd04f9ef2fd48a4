/** What the loops of serial kernels are made of. */
import { bytesOf } from "../../core/dtype.ts";
import type { Serial } from "../../kernel/kernel.ts";
import { type Int, type IntLocal, imin, imul, int, type LoopModule, type Statement } from "../../kernel/loop.ts";
import { type ArgumentBlock, blockSize, keyOf } from "../loops/block.ts";
import type { LoopContext } from "../loops/machine.ts";
import type { Lowered } from "../target.ts";

export const [ARGS, BEGIN, END, THREAD] = [int("arguments"), int("begin"), int("end"), int("thread")];
export const set = (local: IntLocal, value: Int): Statement => ({ do: "int", local, value });
export const loop = (local: IntLocal, from: Int, to: Int, body: Statement[], step: Int = 1): Statement => ({
  do: "for",
  local,
  from,
  to,
  step,
  body,
});

export function lanesFor(kernel: Serial, context: LoopContext): number {
  return context.machine.vectorBytes / bytesOf(kernel.dtype === "float64" ? "float64" : "float32");
}

interface Parts {
  readonly block: ArgumentBlock;
  readonly body: Statement[];
  readonly lanes: number;
  readonly blocks: number;
  readonly work: number;
}

export function finish({ block, body, lanes, blocks, work }: Parts, reads: number[], writes: number[]): Lowered {
  const entry = { name: "kernel", parameters: [ARGS, BEGIN, END, THREAD], body: [...block.prologue, ...body] };
  const module: LoopModule = { lanes, helpers: [], entry };
  return { threadBytes: 0, calls: [{ code: { key: keyOf(module), module }, arguments: block.words, blocks, work, reads, writes }] };
}

/** `count` rows or matrices, shared out in blocks. */
export function sharedOut(
  count: number,
  block: ArgumentBlock,
  workOfEach: number,
  local: IntLocal,
  body: Statement[],
): { statements: Statement[]; blocks: number } {
  const size = blockSize(count, workOfEach);
  const each = block.size(size, "block");
  const all = block.size(count, "rows");
  return { statements: [loop(local, imul(BEGIN, each), imin(imul(END, each), all), body)], blocks: Math.max(1, Math.ceil(count / size)) };
}
